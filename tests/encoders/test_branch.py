"""Branches: crops, frozen and fine-tuned encoders, streams that share weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from predictor_helpers import CAMERA, RESNET, TOUCH, observe
from torch import nn

from visuotactile.encoders.branch import Branch, BranchNetwork, _random_or_middle
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder, save_encoder, untrained_encoder
from visuotactile.errors import ContractError


class Look(nn.Module):
    """Hands on what it is given."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float [B, 3, S, S] → [B, 3 · S²]."""
        return images.flatten(1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of the left finger alone, with a size and a scale of its own."""
    contract = InputContract(streams=("tactile_left",), size=40, normalisation="image")
    source = untrained_encoder(RESNET, contract, seed=3)
    folder = tmp_path_factory.mktemp("encoder") / "encoder"
    save_encoder(folder, source.backbone, RESNET, contract, {"method": "none", "seed": 3})
    return folder


def test_a_random_crop_is_a_window_of_the_image_and_every_window_comes_up() -> None:
    image = torch.arange(5 * 6).view(1, 1, 5, 6).expand(300, 3, -1, -1)
    found = _random_or_middle(image, 4, torch.Generator().manual_seed(0))
    assert found.shape == (300, 3, 4, 4)
    corners = found[:, 0, 0, 0].tolist()
    assert set(corners) == {6 * row + column for row in range(2) for column in range(3)}
    for corner, window in zip(corners, found, strict=True):
        top, left = divmod(corner, 6)
        assert torch.equal(window, image[0, :, top : top + 4, left : left + 4])


def test_without_a_generator_the_middle_is_cut_out() -> None:
    image = torch.arange(8 * 8).view(1, 1, 8, 8)
    assert torch.equal(_random_or_middle(image, 4, None), image[..., 2:6, 2:6])


def test_what_is_cut_out_of_one_moment_is_cut_out_of_its_reference() -> None:
    observation = observe(6)
    for stream in TOUCH.streams:
        brighter = observation[f"{stream}/before"].clamp_max(200) + 51
        observation[f"{stream}/before"] = observation[f"{stream}/before"].clamp_max(200)
        observation[f"{stream}/during"] = brighter
    branch = BranchNetwork(Look(), "look", 3 * 32 * 32, TOUCH, crop=True)
    seen = branch.look(observation, torch.Generator().manual_seed(0))
    # A difference of 51 / 255 everywhere, over the contract's 0.1: any other window would not be even.
    torch.testing.assert_close(seen, torch.full_like(seen, 2.0))


def test_the_crop_neither_mirrors_nor_recolours_and_differs_between_examples() -> None:
    observation = observe(8)
    observation = {
        name: value[:1].expand(8, *value.shape[1:]).contiguous() for name, value in observation.items()
    }
    branch = BranchNetwork(Look(), "look", 3 * 32 * 32, CAMERA, crop=True)
    windows = branch.look(observation, torch.Generator().manual_seed(1)).view(8, 3, 32, 32)
    whole = prepare(dataclasses.replace(CAMERA, size=branch.side), observation["rgb/during"][:1])[0]
    places = {
        (top, left): whole[:, top : top + 32, left : left + 32]
        for top in range(branch.side - 31)
        for left in range(branch.side - 31)
    }
    found = [next(place for place, window in places.items() if torch.equal(window, one)) for one in windows]
    assert len(set(found)) > 4


def test_a_frozen_encoder_sees_the_whole_image_under_its_own_contract(encoder: Path) -> None:
    branch = Branch(encoder=encoder, streams=("tactile_left", "tactile_right")).build(crop=True)
    observation = observe(3)
    seen = branch.look(observation, torch.Generator().manual_seed(0))
    assert seen.shape == (3, branch.look_width)
    network = branch.backbone
    expected = [
        network(prepare(branch.contract, observation[f"{s}/during"], observation[f"{s}/before"]))
        for s in ("tactile_left", "tactile_right")
    ]
    scaled = [(x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True) for x in expected]
    torch.testing.assert_close(seen, torch.cat(scaled, dim=1), atol=1e-3, rtol=1e-3)
    assert branch.contract.size == 40
    assert Branch(encoder=encoder).build().contract.streams == ("tactile_left",)


def test_a_frozen_encoder_takes_no_gradient_and_stays_in_evaluation_mode(encoder: Path) -> None:
    branch = Branch(encoder=encoder).build().train()
    assert not any(module.training for module in branch.backbone.modules())
    assert not any(p.requires_grad for p in branch.parameters())
    assert not branch.look(observe(2)).requires_grad


def test_a_fine_tuned_encoder_starts_from_its_weights_and_learns(encoder: Path) -> None:
    branch = Branch(encoder=encoder, fine_tune=True).build(crop=True).train()
    assert not branch.frozen
    assert branch.side > branch.contract.size == 40  # cropped, as what is trained is
    start = load_encoder(encoder).backbone.state_dict()
    assert all(torch.equal(value, start[key]) for key, value in branch.backbone.state_dict().items())
    branch.look(observe(4)).square().mean().backward()
    assert all(p.grad is not None for p in branch.parameters())
    assert all(module.training for module in branch.modules())
    assert branch.origin is not None
    assert branch.origin["hash"] == load_encoder(encoder).hash


def test_a_branch_is_either_trained_or_an_encoder() -> None:
    for settings in ({}, {"contract": CAMERA, "encoder": "encoder"}):
        with pytest.raises(ContractError, match=r"trained .* or read from an encoder folder"):
            Branch(**settings)  # type: ignore[arg-type]


def test_a_network_is_rebuilt_from_its_description(encoder: Path) -> None:
    for branch in (Branch(contract=TOUCH, backbone=RESNET), Branch(encoder=encoder)):
        network = branch.build()
        again = BranchNetwork.from_description(json.loads(json.dumps(network.description())))
        assert again.description() == network.description()
        again.load_state_dict(network.state_dict())
        assert torch.equal(again.eval().look(observe(2)), network.eval().look(observe(2)))


def test_streams_are_said_once() -> None:
    with pytest.raises(ContractError, match="a contract names its streams"):
        Branch(contract=TOUCH, streams=("tactile_left",))


BESIDE = dataclasses.replace(
    TOUCH, reference_mode="beside", mean=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7), std=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
)


def test_a_reference_beside_is_the_naive_concatenation_and_both_moments_are_seen() -> None:
    observation = observe(3)
    image, reference = observation["tactile_left/during"], observation["tactile_left/before"]
    parts = []
    for pixels, part in ((image, slice(0, 3)), (reference, slice(3, 6))):
        plain = dataclasses.replace(TOUCH, reference=None, mean=BESIDE.mean[part], std=BESIDE.std[part])
        parts.append(prepare(plain, pixels))
    torch.testing.assert_close(prepare(BESIDE, image, reference), torch.cat(parts, dim=1))

    network = Branch(contract=BESIDE, backbone=RESNET).build(crop=True).eval()
    seen = network.look(observation)
    for key in ("tactile_left/during", "tactile_left/before"):
        other = network.look(observation | {key: 255 - observation[key]})
        assert not torch.allclose(other, seen)
    assert InputContract.from_dict(json.loads(json.dumps(BESIDE.to_dict()))) == BESIDE


def test_a_six_channel_encoder_is_saved_and_read_again(tmp_path: Path) -> None:
    contract = dataclasses.replace(BESIDE, normalisation="image", mean=(), std=())
    saved = save_encoder(
        tmp_path / "encoder", untrained_encoder(RESNET, contract, 0).backbone, RESNET, contract, {}
    )
    observation = observe(2)
    pixels = [observation[f"tactile_left/{phase}"].numpy() for phase in ("during", "before")]
    assert (load_encoder(tmp_path / "encoder").encode(*pixels) == saved.encode(*pixels)).all()


def test_frames_of_a_clip_stand_side_by_side_in_their_order() -> None:
    contract = dataclasses.replace(TOUCH, streams=("tactile_left",), kind="clip", frames=3)
    network = Branch(contract=contract, backbone=RESNET).build().eval()
    observation = observe(2)
    clip = torch.randint(256, (2, 7, 40, 40, 3), dtype=torch.uint8)
    before = observation["tactile_left/before"]
    found = network.look({"tactile_left/during": clip, "tactile_left/before": before})
    one = dataclasses.replace(contract, kind="image", frames=0)
    each = [network(prepare(one, clip[:, place], before)) for place in (0, 3, 6)]
    torch.testing.assert_close(found, torch.cat(each, dim=1))
    assert found.shape == (2, network.look_width)
    frozen = FrozenEncoder(network.backbone, RESNET, contract, {})
    encoded = torch.from_numpy(frozen.encode(clip.numpy(), before.numpy()))
    torch.testing.assert_close(encoded, torch.stack(each, dim=1))
    with pytest.raises(ContractError, match="T of at least 3"):
        frozen.encode(clip[:, :2].numpy(), before.numpy())
    with pytest.raises(ContractError, match="T of at least 3"):
        network.look({"tactile_left/during": clip[:, :2], "tactile_left/before": before})


def test_all_frames_of_a_clip_are_cropped_alike_in_training() -> None:
    contract = dataclasses.replace(TOUCH, streams=("tactile_left",), kind="clip", frames=3)
    network = Branch(contract=contract, backbone=RESNET).build(crop=True).eval()
    still = torch.randint(256, (2, 1, 40, 40, 3), dtype=torch.uint8).repeat(1, 3, 1, 1, 1)
    observation = {"tactile_left/during": still, "tactile_left/before": observe(2)["tactile_left/before"]}
    drawn = [network.look(observation, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    for found in drawn:
        first, *others = found.chunk(3, dim=1)
        for other in others:
            torch.testing.assert_close(first, other)
    assert not torch.allclose(*drawn)


@pytest.mark.parametrize(
    "wrong", [{"reference_mode": "above"}, {"reference_mode": "beside", "reference": None}, {"frames": 2}]
)
def test_a_contract_whose_kind_contradicts_its_fields_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        dataclasses.replace(TOUCH, **wrong)


def test_a_description_of_a_plain_image_is_what_it_always_was() -> None:
    plain = {"streams", "phase", "reference", "size", "normalisation", "mean", "std"}
    assert set(TOUCH.to_dict()) == plain
