"""Operations on a whole batch of float images `[B, C, H, W]`, each sample with parameters of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_LEFT = 0.25
"""Of a mask that is eroded. A header's pins are 3 pixels of 128 wide: two steps would leave no touch."""


def on_chosen(images: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Change the chosen images in place; `change` gets a copy of them, and their places.

    `chosen` bool `[B]` and the places lie on the CPU, so that no GPU is waited for.
    """
    places = chosen.nonzero().squeeze(1)
    if len(places):
        index = places.to(images.device, non_blocking=True)
        images.index_copy_(0, index, change(images[index], places))


def resample(images: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Look at a square cut out of the images, bilinear, what lies outside continued from the edge.

    Args:
        images: `[B, C, S, S]`.
        angle: `[B]`, by which the content turns anticlockwise, in radians.
        scale: `[B]`, side of the square as a share of the image's; 1 is all of it.
        shift: `[B, 2]`, how far the square's centre lies right of and below the image's, in sides.
    """
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = (torch.stack([cosine, -sine, 2 * shift[:, 0]], 1), torch.stack([sine, cosine, 2 * shift[:, 1]], 1))
    theta = torch.stack(rows, dim=1).to(images.device, images.dtype, non_blocking=True)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def add_noise(images: Tensor, spread: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise of standard deviation `spread` `[B]`, the same in every channel.

    `seeds` int64 `[B]`: the noise of a sample depends on its seed and the device alone, not on the batch.
    """
    noise = torch.empty_like(images[:, :1])
    source = torch.Generator(images.device)
    for field, seed in zip(noise, seeds.tolist(), strict=True):
        field.normal_(generator=source.manual_seed(seed))
    return images + noise * spread.to(images.device, images.dtype, non_blocking=True)[:, None, None, None]


def cover(images: Tensor, boxes: Tensor, values: Tensor) -> Tensor:
    """Lay rectangles over the images, the later ones on top.

    Args:
        images: `[B, C, S, S]`.
        boxes: `[B, R, 5]`: centre right and down, half-length and half-width, as shares of the side from the
            image's centre, and the angle of the length in radians; a half-length of 0 covers nothing.
        values: `[B, R]`, what a rectangle shows in every channel.
    """
    side = images.shape[-1]
    boxes = boxes.to(images.device, images.dtype, non_blocking=True)
    values = values.to(images.device, images.dtype, non_blocking=True)
    place = (torch.arange(side, device=images.device, dtype=images.dtype) + 0.5) / side - 0.5
    for box, value in zip(boxes.unbind(1), values.unbind(1), strict=True):
        x, y, length, width, angle = (number[:, None, None] for number in box.unbind(1))
        right, down = place[None, None, :] - x, place[None, :, None] - y
        along = right * angle.cos() + down * angle.sin()
        across = down * angle.cos() - right * angle.sin()
        inside = (along.abs() < length) & (across.abs() < width)
        images = torch.where(inside[:, None], value[:, None, None, None], images)
    return images


def thicken(masks: Tensor, radius: Tensor) -> Tensor:
    """Dilate by `radius` pixels where it is above 0, erode where it is below.

    The neighbourhood is an octagon: steps of one pixel, to the four neighbours and to all eight in turns.
    Beyond the edge a mask goes on as it does within. An erosion ends before the step that would leave less
    than `LEAST_LEFT` of a mask, so that what is narrow is not lost.

    Args:
        masks: `[B, C, H, W]` in [0, 1]; grey ones are thickened as surfaces are.
        radius: int64 `[B]`, on the CPU.
    """
    masks = masks.clone()
    least = LEAST_LEFT * masks.sum(dim=(1, 2, 3))
    for step in range(1, int(radius.abs().max()) + 1 if len(radius) else 1):
        largest = _largest_of_nine if step % 2 == 0 else _largest_of_five
        for sign in (1, -1):  # to erode a mask is to dilate what it leaves free
            index = (sign * radius >= step).nonzero().squeeze(1).to(masks.device, non_blocking=True)
            before = masks[index]
            after = sign * largest(sign * before)
            enough = after.sum(dim=(1, 2, 3)) >= least[index]
            masks.index_copy_(0, index, torch.where(enough[:, None, None, None], after, before))
    return masks


def _largest_of_five(images: Tensor) -> Tensor:
    """Each pixel the largest of itself and its four neighbours; on a CPU far faster than pooling."""
    largest = images.clone()
    for axis in (2, 3):
        _raise_to_neighbours(largest, images, axis)
    return largest


def _largest_of_nine(images: Tensor) -> Tensor:
    """Each pixel the largest of itself and its eight neighbours."""
    for axis in (2, 3):
        largest = images.clone()
        _raise_to_neighbours(largest, images, axis)
        images = largest
    return images


def _raise_to_neighbours(largest: Tensor, images: Tensor, axis: int) -> None:
    """Let `largest` be no less than either neighbour of each pixel along an axis."""
    count = images.shape[axis] - 1
    for to, of in ((1, 0), (0, 1)):
        target = largest.narrow(axis, to, count)
        torch.maximum(target, images.narrow(axis, of, count), out=target)
