"""Backbones by timm's names."""

import pytest
import timm
import torch

from visuotactile.encoders import create_backbone
from visuotactile.errors import EncoderError
from visuotactile.ssl.batch_norm import split_batch_norm


@pytest.mark.parametrize("name", ["resnet10t", "resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_the_width_is_that_of_the_features(name):
    backbone, width = create_backbone(name)
    assert backbone.eval()(torch.zeros(2, 3, 224, 224)).shape == (2, width)


def test_the_layout_changes_no_feature_and_split_batch_norm_takes_it_back():
    backbone, _ = create_backbone("test_resnet")
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert backbone.conv1[0].weight.is_contiguous(memory_format=torch.channels_last)
    quick = backbone.eval()(images)
    split = split_batch_norm(backbone, splits=2)
    assert split.conv1[0].weight.is_contiguous()
    torch.testing.assert_close(split.eval()(images), quick)


def test_a_misspelt_architecture_is_answered_with_close_ones():
    with pytest.raises(EncoderError, match="resnet18"):
        create_backbone("resnet-18")


def test_a_name_like_no_other_is_answered_with_where_to_look():
    with pytest.raises(EncoderError, match="list_models"):
        create_backbone("§§§§§§§§§§§§")


def test_an_unknown_pretrained_tag_is_refused():
    with pytest.raises(EncoderError, match="nonsense"):
        create_backbone("resnet18.nonsense")


def test_a_download_that_fails_says_what_to_do(monkeypatch):
    def no_network(*args, **kwargs):
        raise ConnectionError("name or service not known")

    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(EncoderError, match="check the network"):
        create_backbone("resnet18", pretrained=True)
