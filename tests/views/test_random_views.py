"""Views for pairs: the evaluation view by default, and augmentations that keep a pair's meaning."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.errors import ContractError
from visuotactile.sim.connectors.pairs import Connectors
from visuotactile.views import RandomViews, SightAugmentation, TouchAugmentation
from visuotactile.views.random_views import PairedAugmentation

SIDE = 32
PLAIN = InputContract(
    streams=("a",), reference=None, size=SIDE, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1)
)
SIGNED = InputContract(streams=("a",), size=SIDE, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1))
STANDARDISED = InputContract(streams=("a",), reference=None, size=SIDE)
NO_SIGHT = SightAugmentation(p_crop=0)
NO_TOUCH = TouchAugmentation(p_rotation=0, p_morphology=0)
ALL_SIGHT = SightAugmentation(p_noise=1, p_occlusion=1)
ALL_TOUCH = TouchAugmentation(p_morphology=1, p_noise=1)
OF_DIFFERENCES = TouchAugmentation(p_morphology=0, p_noise=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_view(
    contract: InputContract, augmentation: PairedAugmentation | None = None
) -> Callable[..., Tensor]:
    views = RandomViews(contract, augmentation)

    def view(
        images: Tensor, references: Tensor | None, generator: torch.Generator, rank: int = 0, world: int = 1
    ) -> Tensor:
        return views(images, references, generator, 1, rank, world)[0]

    return view


def pixels(count: int, side: int = SIDE, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, side, side, 3), generator=seeded(seed), dtype=torch.uint8)


@pytest.mark.parametrize("side", [SIDE, 45])
@pytest.mark.parametrize("augmentation", [None, NO_SIGHT, NO_TOUCH])
def test_without_augmentation_a_view_is_the_evaluation_view(
    augmentation: PairedAugmentation | None, side: int
) -> None:
    images, references = pixels(5, side), pixels(5, side, seed=1)
    for contract, reference in ((PLAIN, None), (SIGNED, references), (STANDARDISED, None)):
        view = one_view(contract, augmentation)(images, reference, seeded())
        assert torch.equal(view, prepare(contract, images, reference))


def test_a_modality_without_augmentation_draws_nothing() -> None:
    generator = seeded()
    one_view(PLAIN)(pixels(3), None, generator)
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("augmentation", [None, ALL_SIGHT, OF_DIFFERENCES])
def test_several_views_are_those_drawn_one_after_the_other(augmentation: PairedAugmentation | None) -> None:
    images, references, generator = pixels(4), pixels(4, seed=1), seeded()
    together = RandomViews(SIGNED, augmentation)(images, references, seeded(), 2)
    for view in together:
        assert torch.equal(view, one_view(SIGNED, augmentation)(images, references, generator))


@pytest.mark.parametrize("augmentation", [ALL_SIGHT, ALL_TOUCH])
def test_each_sample_is_drawn_for_itself_and_the_seed_decides(augmentation: PairedAugmentation) -> None:
    images, views = pixels(1).expand(16, -1, -1, -1), one_view(PLAIN, augmentation)
    view = views(images, None, seeded())
    assert len({tuple(sample.flatten().tolist()) for sample in view}) == 16
    assert torch.equal(views(images, None, seeded()), view)
    assert not torch.isclose(views(images, None, seeded(1)), view).all(dim=(1, 2, 3)).any()


@pytest.mark.parametrize("augmentation", [ALL_SIGHT, ALL_TOUCH, SightAugmentation(p_crop=0.5, p_noise=0.5)])
def test_ranks_together_see_the_views_of_the_joined_batch(augmentation: PairedAugmentation) -> None:
    images, views = pixels(8), one_view(PLAIN, augmentation)
    joined = views(images, None, seeded())
    for rank in range(2):
        own = views(images[rank::2], None, seeded(), rank, 2)
        torch.testing.assert_close(own, joined[rank::2], atol=1e-6, rtol=0)


def test_views_are_float32_within_their_limits_also_in_mixed_precision() -> None:
    images, references = pixels(6), pixels(6, seed=1)
    for contract, reference, augmentation, least in (
        (PLAIN, None, ALL_SIGHT, 0),
        (PLAIN, None, ALL_TOUCH, 0),
        (SIGNED, references, ALL_SIGHT, -1),
        (SIGNED, references, OF_DIFFERENCES, -1),
    ):
        views = one_view(contract, augmentation)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            view = views(images, reference, seeded())
        assert view.dtype == torch.float32
        assert view.min() >= least
        assert view.max() <= 1
        assert torch.equal(view, views(images, reference, seeded()))


def test_what_did_not_change_on_touch_stays_unchanged_however_it_is_turned() -> None:
    images = pixels(4)
    view = one_view(SIGNED, TouchAugmentation(p_morphology=0))(images, images, seeded())
    assert torch.equal(view, torch.zeros_like(view))


def place(view: Tensor) -> Tensor:
    """Centroid of the brightness of each image [B, 2], right and down, in sides from the image's centre."""
    steps = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    weight = view[:, 0] / view[:, 0].sum(dim=(1, 2), keepdim=True)
    return torch.stack([(weight.sum(1) * steps).sum(1), (weight.sum(2) * steps).sum(1)], dim=1)


def dots(right: int, down: int, count: int = 64) -> Tensor:
    images = torch.zeros(count, SIDE, SIDE, 3, dtype=torch.uint8)
    images[:, down - 2 : down + 2, right - 2 : right + 2] = 255
    return images


def test_a_crop_shifts_the_centre_by_no_more_than_the_pose_may_be_off() -> None:
    augmentation = SightAugmentation(crop=0.8, shift=0.04)
    seen = place(one_view(PLAIN, augmentation)(dots(16, 16), None, seeded())).abs()
    assert 0.03 < seen.max() <= 0.04 / 0.8 + 1e-3
    # Nothing is mirrored: what lies right of the centre and above it stays there, and moves outwards.
    right, down = place(one_view(PLAIN, augmentation)(dots(24, 8), None, seeded())).unbind(1)
    assert (right > 0.25 - 0.05).all()
    assert (down < -0.25 + 0.05).all()


def test_a_crop_never_leaves_the_image() -> None:
    images = torch.full((64, SIDE, SIDE, 3), 0, dtype=torch.uint8)
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    view = one_view(PLAIN, SightAugmentation(crop=0.7, shift=0.5))(images, None, seeded())
    # Beyond the image the rim's pixel would be repeated: it would be broader than 1 / 0.7 and a blurred edge.
    half = SIDE // 2
    for rim in (view[:, 0, half, :half], view[:, 0, half, half:], view[:, 0, :half, half]):
        assert 1 < rim.sum(dim=1).max() < 2.1


def test_touch_turns_by_slight_angles_about_its_centre() -> None:
    right, down = place(
        one_view(PLAIN, TouchAugmentation(p_morphology=0))(dots(28, 16), None, seeded())
    ).unbind(1)
    angles = torch.atan2(-down, right) / math.pi * 180
    assert 4 < angles.abs().max() < 5.1
    assert angles.min() < 0 < angles.max()


def test_masks_grow_and_shrink_evenly_often() -> None:
    images = dots(16, 16, 400)
    images[:, 8:24, 8:24] = 255
    view = one_view(PLAIN, TouchAugmentation(p_rotation=0))(images, None, seeded())
    area = view[:, 0].sum(dim=(1, 2))
    assert 0.15 < (area > 256).float().mean() < 0.35
    assert 0.15 < (area < 256).float().mean() < 0.35


def test_occluders_hide_part_of_the_image_and_never_all_of_it() -> None:
    augmentation = SightAugmentation(p_crop=0, p_occlusion=1)
    images = torch.full((400, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    view = one_view(PLAIN, augmentation)(images, None, seeded())
    hidden = (view[:, 0] < 1).float().mean(dim=(1, 2))
    assert 0.25 < hidden.mean() < 0.4
    assert hidden.max() < 1
    assert (hidden > 0).float().mean() > 0.95


def test_a_share_of_the_samples_is_touched() -> None:
    images = pixels(600)
    for augmentation in (
        SightAugmentation(p_crop=0.3),
        SightAugmentation(p_crop=0, p_noise=0.3),
        SightAugmentation(p_crop=0, p_occlusion=0.3),
        TouchAugmentation(p_rotation=0.3, p_morphology=0),
        TouchAugmentation(p_rotation=0, p_morphology=0.3),
        TouchAugmentation(p_rotation=0, p_morphology=0, p_noise=0.3),
    ):
        view = one_view(PLAIN, augmentation)(images, None, seeded())
        changed = (view != prepare(PLAIN, images)).flatten(1).any(dim=1).float().mean()
        assert abs(changed - 0.3) < 0.06, augmentation


@pytest.mark.parametrize("size", [32, 64])
def test_every_connector_is_still_felt_in_every_view_of_its_touch(size: int) -> None:
    pairs = Connectors(size=size)
    touch = np.stack([pairs.trial(i).streams["touch"]["during"] for i in range(0, 1920, 48)])
    images = torch.from_numpy(touch)
    contract = InputContract(
        streams=("touch",), reference=None, size=size, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1)
    )
    views = one_view(contract, TouchAugmentation(p_morphology=1))
    felt = prepare(contract, images).mean(dim=(1, 2, 3))
    for seed in range(6):
        seen = views(images, None, seeded(seed)).mean(dim=(1, 2, 3))
        assert (seen > 0.2 * felt).all()


def test_masks_of_differences_are_refused() -> None:
    with pytest.raises(ContractError, match="p_morphology=0"):
        one_view(SIGNED, TouchAugmentation())
    one_view(SIGNED, SightAugmentation())


def test_no_images_give_no_views() -> None:
    for augmentation in (None, ALL_SIGHT, ALL_TOUCH):
        view = one_view(STANDARDISED, augmentation)(pixels(0), None, seeded())
        assert view.shape == (0, 3, SIDE, SIDE)


@pytest.mark.parametrize("augmentation", [None, ALL_SIGHT, OF_DIFFERENCES])
def test_other_pixels_than_the_contracts_are_refused(augmentation: PairedAugmentation | None) -> None:
    with pytest.raises(ContractError, match="give it as reference"):
        one_view(SIGNED, augmentation)(pixels(2), None, seeded())
    with pytest.raises(ContractError, match="drop it"):
        one_view(PLAIN, augmentation)(pixels(2), pixels(2), seeded())
    with pytest.raises(ContractError, match="uint8"):
        one_view(PLAIN, augmentation)(pixels(2).float(), None, seeded())


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(["p_crop", "crop", "shift", "p_noise", "noise", "p_occlusion"]),
    value=st.floats(allow_nan=True) | st.sampled_from([-0.01, 0.0, 0.5, 1.0, 1.01]),
)
def test_an_augmentation_of_sight_is_either_refused_or_works(name: str, value: float) -> None:
    try:
        augmentation = SightAugmentation(**{name: value})
    except ContractError:
        return
    assert torch.isfinite(one_view(PLAIN, augmentation)(pixels(2), None, seeded())).all()


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (SightAugmentation, {"p_crop": 1.5}),
        (SightAugmentation, {"crop": 0}),
        (SightAugmentation, {"shift": -0.1}),
        (SightAugmentation, {"noise": 2}),
        (SightAugmentation, {"occluders": 0}),
        (SightAugmentation, {"occluder": (0.5, 0.1)}),
        (TouchAugmentation, {"p_rotation": -1}),
        (TouchAugmentation, {"rotation": 90}),
        (TouchAugmentation, {"radius": 0.5}),
        (TouchAugmentation, {"noise": -0.1}),
        (TouchAugmentation, {"rotation": math.nan}),
    ],
)
def test_an_impossible_augmentation_is_refused(kind: type, wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        kind(**wrong)
