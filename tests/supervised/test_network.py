"""The classifier's encoders, and how what they say is put together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from classification_helpers import CLASSES, RESNET, SIGHT, TOUCH, VIT, branches, classifier, observe
from torch import Tensor, nn

from visuotactile.encoders.branch import Branch, BranchNetwork
from visuotactile.encoders.frozen import FrozenEncoder, save_encoder, untrained_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.network import Classifier
from visuotactile.views import SightAugmentation

NARROW = Attention(width=16, heads=2)


def encoder(folder: Path) -> FrozenEncoder:
    made = untrained_encoder(RESNET, TOUCH, seed=5)
    return save_encoder(folder, made.backbone, RESNET, TOUCH, {"method": "moco"})


@pytest.mark.parametrize("attention", [None, NARROW])
@pytest.mark.parametrize("backbone", [RESNET, VIT])
def test_images_of_unequal_size_become_probabilities(backbone: str, attention: Attention | None) -> None:
    found = classifier(backbone=backbone, attention=attention).classify(observe(3))
    assert found.shape == (3, len(CLASSES))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize("attention", [None, NARROW])
def test_a_trial_is_classified_alike_in_any_company(attention: Attention | None) -> None:
    network, seen = classifier(attention=attention), observe(4)
    alone = [network.classify({name: x[n : n + 1] for name, x in seen.items()}) for n in range(4)]
    torch.testing.assert_close(torch.cat(alone), network.classify(seen), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_both_with_touch_weighted_by_zero_is_sight_alone() -> None:
    both, alone, seen = classifier(), classifier("sight"), observe(4)
    width = both.networks()["sight"].width
    both.linear.weight[:, width:] = 0
    alone.linear.weight.copy_(both.linear.weight[:, :width])
    alone.linear.bias.copy_(both.linear.bias)
    torch.testing.assert_close(both.classify(seen), alone.classify({"sight/before": seen["sight/before"]}))


def test_with_attention_what_is_felt_changes_what_is_seen() -> None:
    network, seen = classifier(attention=NARROW), observe(4)
    with torch.no_grad():
        network.linear.weight[:, NARROW.width :] = 0  # what touch itself shows is left out
    before = network.classify(seen)
    seen["touch/during"] = seen["touch/during"].flip(2)
    assert not torch.allclose(network.classify(seen), before, atol=1e-6)


@pytest.mark.parametrize("missing", ["sight/before", "touch/during", "touch/before"])
def test_a_missing_modality_is_one_clear_error(missing: str) -> None:
    seen = observe(2)
    del seen[missing]
    with pytest.raises(ContractError, match=f"lacks {missing}.*it has (sight|touch)/"):
        classifier().classify(seen)


def test_tokens_are_the_places_of_the_last_feature_map() -> None:
    image = torch.randn(2, 3, 32, 32)
    resnet = classifier("sight").networks()["sight"].eval()
    maps = resnet.backbone.forward_features(image)
    assert resnet.tokens(image).shape == (2, *resnet.tokens_shape()) == (2, 1, 96)
    torch.testing.assert_close(resnet.tokens(image).mean(dim=1), resnet(image))
    torch.testing.assert_close(resnet.tokens(image), maps.flatten(2).transpose(1, 2))
    vit = classifier("sight", backbone=VIT).networks()["sight"].eval()
    tokens = vit.backbone.forward_features(image)
    assert tokens.shape[1] == 1 + 4  # the class token, and 32 / 16 squared patches
    torch.testing.assert_close(vit.tokens(image), tokens[:, 1:])
    assert vit.tokens_shape() == (4, 64)


def test_maps_with_the_channels_last_give_the_same_tokens() -> None:
    class Maps(nn.Module):
        def __init__(self, layout: str) -> None:
            super().__init__()
            self.output_fmt = layout

        def forward_features(self, x: Tensor) -> Tensor:
            maps = x[:, :, :4, :5]
            return maps.permute(0, 2, 3, 1) if self.output_fmt == "NHWC" else maps

        def forward(self, x: Tensor) -> Tensor:
            return x.mean(dim=(2, 3))

    image = torch.randn(2, 3, 32, 32)
    first, last = (BranchNetwork(Maps(layout), "maps", 3, SIGHT) for layout in ("NCHW", "NHWC"))
    assert first.tokens_shape() == last.tokens_shape() == (20, 3)
    assert torch.equal(first.tokens(image), last.tokens(image))


@pytest.mark.parametrize("attention", [None, NARROW])
def test_a_frozen_encoder_learns_nothing_and_its_batch_norm_stays(
    attention: Attention | None, tmp_path: Path
) -> None:
    frozen = encoder(tmp_path / "encoder")
    parts = {"sight": branches()["sight"], "touch": Branch(encoder=tmp_path / "encoder")}
    network = Classifier({name: part.build() for name, part in parts.items()}, CLASSES, attention).train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    start = {key: value.clone() for key, value in network.state_dict().items()}
    network(network.prepared(observe(4))).square().sum().backward()
    optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, start[key])}
    assert not any(key.startswith("branches.touch.") for key in changed)
    assert any(key.startswith("branches.sight.backbone") and "running_mean" in key for key in changed)
    assert network.description()["branches"]["touch"]["origin"]["hash"] == frozen.hash


def test_fine_tuning_starts_from_the_encoders_weights_and_learns(tmp_path: Path) -> None:
    frozen = encoder(tmp_path / "encoder")
    network = Branch(encoder=tmp_path / "encoder", fine_tune=True).build()
    assert (network.contract, network.frozen) == (TOUCH, False)
    assert all(p.requires_grad for p in network.parameters())
    image = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(network.eval()(image), frozen(image))
    network.train()
    assert network.backbone.training


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"contract": SIGHT, "encoder": Path("somewhere")},
        {"contract": SIGHT, "fine_tune": True},
    ],
)
def test_a_branch_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        Branch(**wrong)  # type: ignore[arg-type]


def test_what_no_network_can_be_made_of_is_refused() -> None:
    sight = branches()["sight"].build()
    for names in ([], ["type"], ["a.b"], ["../up"]):
        with pytest.raises(ContractError, match="modalities are called"):
            Classifier(dict.fromkeys(names, sight), CLASSES)
    for classes in ([], ["mug"], ["mug", "mug"]):
        with pytest.raises(ContractError, match="at least two"):
            Classifier({"sight": sight}, classes)
    with pytest.raises(ContractError, match="two modalities"):
        Classifier({"sight": sight}, CLASSES, NARROW)
    contract = dataclasses.replace(SIGHT, size=33)
    with pytest.raises(EncoderError, match="cannot see images of 33×33"):
        Branch(contract=contract, backbone="vit_tiny_patch16_224").build()


def test_an_augmentation_is_not_part_of_the_network() -> None:
    plain = branches()["sight"]
    shaken = dataclasses.replace(plain, augmentation=SightAugmentation())
    assert plain.build().description() == shaken.build().description()
