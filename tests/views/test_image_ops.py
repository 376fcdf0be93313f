"""Each operation on a batch equals torchvision's on each image, for the same parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from visuotactile.views import image_ops as ops

COUNT = 6
IMAGES = torch.rand((COUNT, 3, 23, 31), generator=torch.Generator().manual_seed(0))
FLAT = (IMAGES * 3).round() / 3  # many equal channels: the corners of the hue's case distinction


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

    assert torch.equal(ops.crop(IMAGES, top, left, 20, flip), each(IMAGES, slow))
