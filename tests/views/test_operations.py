"""Batched operations on views agree with SciPy's and torchvision's on one image after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from visuotactile.encoders.contract import crop
from visuotactile.views import operations as ops
from visuotactile.views.operations import LEAST_LEFT, add_noise, cover, on_chosen, resample, thicken

COUNT = 6
IMAGES = torch.rand((COUNT, 3, 23, 31), generator=torch.Generator().manual_seed(0))
FLAT = (IMAGES * 3).round() / 3  # many equal channels: the corners of the hue's case distinction
SIDE = 24
CROSS = ndimage.generate_binary_structure(2, 1)
SQUARE = ndimage.generate_binary_structure(2, 2)


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def blobs(count: int, seed: int = 0) -> torch.Tensor:
    """Binary masks of blobs that cover about half of the image."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(count, SIDE, SIDE)), (0, 3, 3))
    return torch.from_numpy((smooth > 0).astype(np.float32))[:, None].repeat(1, 3, 1, 1)


def test_a_resampled_square_is_the_affine_transform_of_scipy() -> None:
    images = pictures(6)
    source = torch.Generator().manual_seed(1)
    angle = torch.rand(6, generator=source) * 0.8 - 0.4
    scale = torch.rand(6, generator=source) * 0.6 + 0.5
    shift = torch.rand(6, 2, generator=source) * 0.3 - 0.15
    ours = resample(images, angle, scale, shift)
    middle = (SIDE - 1) / 2
    for n in range(6):
        turn, zoom = angle[n].item(), scale[n].item()
        # Rows come first in SciPy, and the matrix leads from where a pixel is seen to where it is taken from.
        matrix = zoom * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        centre = middle + SIDE * shift[n].flip(0).numpy()
        for channel in range(3):
            exact = ndimage.affine_transform(
                images[n, channel].numpy(),
                matrix,
                centre - middle * matrix.sum(axis=1),
                order=1,
                mode="nearest",
            )
            np.testing.assert_allclose(ours[n, channel].numpy(), exact, atol=1e-5)


def test_a_turn_is_anticlockwise_as_torchvisions() -> None:
    images = pictures(3)
    angle = torch.tensor([0.0, 3.0, -5.0])
    ours = resample(images, angle.deg2rad(), torch.ones(3), torch.zeros(3, 2))
    inside = np.s_[:, 3:-3, 3:-3]  # torchvision fills what comes in with black
    for n in range(3):
        exact = tv.rotate(images[n], angle[n].item(), tv.InterpolationMode.BILINEAR)
        torch.testing.assert_close(ours[n][inside], exact[inside], atol=1e-5, rtol=0)


def test_a_square_cut_out_is_torchvisions_resized_crop() -> None:
    images = pictures(2)
    ours = resample(images, torch.zeros(2), torch.full((2,), 18 / 24), torch.tensor([[1 / 24, -2 / 24]] * 2))
    exact = tv.resized_crop(images, 1, 4, 18, 18, [SIDE, SIDE], antialias=False)
    inside = np.s_[..., 1:-1, 1:-1]  # at its rim torchvision repeats the crop's last pixel, we look beyond it
    torch.testing.assert_close(ours[inside], exact[inside], atol=1e-5, rtol=0)


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
def test_a_mask_grows_by_an_octagon_as_scipys_does(radius: int) -> None:
    masks = blobs(4)
    ours = thicken(masks, torch.full((4,), radius))
    for mask, grown in zip(masks[:, 0].numpy(), ours[:, 0].numpy(), strict=True):
        for step in range(1, radius + 1):
            mask = ndimage.grey_dilation(mask, footprint=SQUARE if step % 2 == 0 else CROSS, mode="nearest")
        np.testing.assert_array_equal(grown, mask)


@pytest.mark.parametrize("radius", [1, 2])
def test_a_mask_shrinks_by_an_octagon_as_scipys_does(radius: int) -> None:
    masks = blobs(4)
    ours = thicken(masks, torch.full((4,), -radius))
    for mask, shrunk in zip(masks[:, 0].numpy(), ours[:, 0].numpy(), strict=True):
        whole = mask.sum()
        for step in range(1, radius + 1):
            mask = ndimage.grey_erosion(mask, footprint=SQUARE if step % 2 == 0 else CROSS, mode="nearest")
        assert mask.sum() > LEAST_LEFT * whole
        np.testing.assert_array_equal(shrunk, mask)


def test_each_mask_has_a_radius_of_its_own() -> None:
    masks, radius = blobs(5), torch.tensor([-2, 0, 3, 1, -1])
    together = thicken(masks, radius)
    alone = [thicken(masks[n : n + 1], radius[n : n + 1]) for n in range(5)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(together[1], masks[1])


def test_growing_a_mask_leaves_the_given_one_as_it_is() -> None:
    masks = blobs(2)
    before = masks.clone()
    thicken(masks, torch.tensor([2, -2]))
    assert torch.equal(masks, before)


@settings(max_examples=60, deadline=None)
@given(width=st.integers(0, SIDE), height=st.integers(0, SIDE), radius=st.integers(-6, 6))
def test_no_contact_is_ever_lost_and_none_comes_from_nothing(width: int, height: int, radius: int) -> None:
    masks = torch.zeros(1, 3, SIDE, SIDE)
    masks[..., :height, :width] = 1
    left = thicken(masks, torch.tensor([radius])).sum()
    assert left >= LEAST_LEFT * masks.sum()
    assert bool(left > 0) == bool(width * height > 0)


def test_a_rectangle_covers_the_pixels_whose_centres_lie_in_it() -> None:
    images = pictures(2)
    boxes = torch.tensor(
        [
            [[0.1, -0.2, 0.3, 0.1, 0.4], [0.0, 0.0, 0.0, 0.2, 1.0]],  # the second has no length
            [[-0.3, 0.3, 0.2, 0.2, 0.0], [-0.2, 0.2, 0.5, 0.05, 2.0]],  # the second lies on the first
        ]
    )
    values = torch.tensor([[0.25, 0.5], [0.75, 1.0]])
    covered = cover(images, boxes, values)
    expected = images.clone()
    for n in range(2):
        for (x, y, length, width, angle), value in zip(boxes[n].tolist(), values[n], strict=True):
            for row in range(SIDE):
                for column in range(SIDE):
                    right, down = (column + 0.5) / SIDE - 0.5 - x, (row + 0.5) / SIDE - 0.5 - y
                    along = right * math.cos(angle) + down * math.sin(angle)
                    across = down * math.cos(angle) - right * math.sin(angle)
                    if abs(along) < length and abs(across) < width:
                        expected[n, :, row, column] = value
    assert torch.equal(covered, expected)
    assert 0 < (covered != images).float().mean() < 1


def test_noise_has_its_spread_and_is_the_same_in_every_channel() -> None:
    images = torch.zeros(2, 3, 100, 100)
    noisy = add_noise(images, torch.tensor([0.1, 0.0]), torch.tensor([7, 8]))
    assert noisy[0].std() == pytest.approx(0.1, rel=0.05)
    assert abs(noisy[0].mean()) < 0.005
    assert torch.equal(noisy[0, 0], noisy[0, 2])
    assert torch.equal(noisy[1], images[1])


def test_noise_of_a_sample_follows_from_its_seed_alone() -> None:
    seeds, spread = torch.tensor([3, 4, 5]), torch.full((3,), 0.1)
    together = add_noise(pictures(3), spread, seeds)
    assert torch.equal(add_noise(pictures(3)[1:], spread[1:], seeds[1:]), together[1:])


def test_only_the_chosen_are_changed() -> None:
    images = pictures(4)
    before = images.clone()
    on_chosen(
        images, torch.tensor([False, True, False, True]), lambda some, at: some * 0 + at.view(-1, 1, 1, 1)
    )
    assert torch.equal(images[[0, 2]], before[[0, 2]])
    assert images[1].unique().tolist() == [1]
    assert images[3].unique().tolist() == [3]
    on_chosen(images, torch.zeros(4, dtype=torch.bool), lambda some, at: some / 0)
    assert torch.isfinite(images).all()


def each(images: Tensor, function: Callable[[int, Tensor], Tensor]) -> Tensor:
    """The slow way: torchvision, image by image."""
    return torch.stack([function(i, image) for i, image in enumerate(images)])


@pytest.mark.parametrize("images", [IMAGES, FLAT, torch.zeros_like(IMAGES), torch.ones_like(IMAGES)])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@settings(max_examples=10, deadline=None)
@given(factors=st.lists(st.floats(0, 3), min_size=COUNT, max_size=COUNT))
def test_colour_factors_equal_torchvision(name: str, images: Tensor, factors: list[float]) -> None:
    ours = getattr(ops, f"adjust_{name}")(images, torch.tensor(factors))
    theirs = each(images, lambda i, image: getattr(tv, f"adjust_{name}")(image, factors[i]))
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


@pytest.mark.parametrize("images", [IMAGES, FLAT, torch.zeros_like(IMAGES), torch.ones_like(IMAGES)])
@settings(max_examples=20, deadline=None)
@given(shifts=st.lists(st.floats(-0.5, 0.5), min_size=COUNT, max_size=COUNT))
def test_hue_equals_torchvision(images: Tensor, shifts: list[float]) -> None:
    ours = ops.adjust_hue(images, torch.tensor(shifts))
    torch.testing.assert_close(
        ours, each(images, lambda i, image: tv.adjust_hue(image, shifts[i])), atol=5e-6, rtol=0
    )


def test_grayscale_equals_torchvision() -> None:
    torch.testing.assert_close(ops.grayscale(IMAGES), tv.rgb_to_grayscale(IMAGES, 3))


@settings(max_examples=10, deadline=None)
@given(
    sigmas=st.lists(st.floats(0.05, 4), min_size=COUNT, max_size=COUNT), taps=st.sampled_from([3, 7, 11, 21])
)
def test_blur_equals_torchvision(sigmas: list[float], taps: int) -> None:
    ours = ops.gaussian_blur(IMAGES, torch.tensor(sigmas), taps)
    theirs = each(IMAGES, lambda i, image: tv.gaussian_blur(image, [taps, taps], [sigmas[i]] * 2))
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([5, 16, 40]))
def test_resized_crop_and_flip_equal_torchvision(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    height = torch.randint(1, 24, (COUNT,), generator=generator)
    width = torch.randint(1, 32, (COUNT,), generator=generator)
    top = (torch.rand(COUNT, generator=generator) * (24 - height)).long()
    left = (torch.rand(COUNT, generator=generator) * (32 - width)).long()
    flip = torch.rand(COUNT, generator=generator) < 0.5

    def slow(i: int, image: Tensor) -> Tensor:
        box = [int(part[i]) for part in (top, left, height, width)]
        cut = tv.resized_crop(image, *box, [size, size], antialias=True)
        return tv.horizontal_flip(cut) if flip[i] else cut

    ours = ops.resized_crop(IMAGES, top, left, height, width, size, flip)
    torch.testing.assert_close(ours, each(IMAGES, slow), atol=3e-6, rtol=0)


def test_crop_and_flip_equal_torchvision() -> None:
    top, left = torch.tensor([0, 1, 2, 3, 2, 1]), torch.tensor([0, 5, 11, 3, 2, 9])
    flip = torch.tensor([True, False] * 3)

    def slow(i: int, image: Tensor) -> Tensor:
        cut = tv.crop(image, int(top[i]), int(left[i]), 20, 20)
        return tv.horizontal_flip(cut) if flip[i] else cut

    assert torch.equal(crop(IMAGES, top, left, 20, flip), each(IMAGES, slow))
