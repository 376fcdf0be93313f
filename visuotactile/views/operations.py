"""Operations on a batch of float images `[B, C, H, W]`, each sample with parameters `[B]` of its own.

They run on any device. Those that torchvision has under the same name agree with it for equal parameters
(tests compare them); colours are in [0, 1].

Geometry and blur are separable and linear, so each is one small matrix per axis and sample: a batched
matrix product instead of a loop over samples or a grouped convolution. On two CPU cores this is several
times faster than either, and on a GPU it is two launches for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.2989, 0.587, 0.114)  # torchvision's weights of R, G, B in a grey image
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


def resized_crop(
    images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor, size: int, flip: Tensor
) -> Tensor:
    """Cut a box out, resize it to `size`×`size` with an antialiased bilinear filter, and mirror it.

    The box is `top`, `left`, `height`, `width`, int64 `[B]` in pixels; `flip` is bool `[B]`.
    """
    rows = _resize_matrix(top, height, images.shape[-2], size)
    columns = _resize_matrix(left, width, images.shape[-1], size)
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    return _separable(images, rows, columns)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply by `factor`, then clamp."""
    return (images * factor[:, None, None, None]).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Move away from (factor > 1) or towards (< 1) the mean grey of each image."""
    mean = _grey(images).mean(dim=(1, 2, 3), keepdim=True)
    return _blend(images, mean, factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Move away from (factor > 1) or towards (< 1) the grey image."""
    return _blend(images, _grey(images), factor)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue by `shift` of a full circle, −0.5 to 0.5, with saturation and value kept.

    The colour wheel is piecewise linear: with V the value, C = max − min and h the hue in sixths of a
    turn, each channel is V − C · clamp(min(k, 4 − k), 0, 1) for k = (n + h) mod 6 and n = 5, 3, 1 for
    R, G, B. This needs no table of six cases.
    """
    red, green, blue = images.unbind(1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    scale = torch.where(chroma == 0, 1.0, chroma).reciprocal_()
    from_green, from_blue = (blue - red) * scale + 2, (red - green) * scale + 4
    hue = torch.where(
        value == red, (green - blue) * scale, torch.where(value == green, from_green, from_blue)
    )
    hue += 6 * shift[:, None, None]
    turned = torch.empty_like(images)
    for channel, n in enumerate((5.0, 3.0, 1.0)):
        k = hue + n
        k -= 6 * torch.floor(k / 6)  # the remainder: several times faster than torch.remainder on a CPU
        k = torch.minimum(k, 4 - k).clamp_(0, 1)
        turned[:, channel] = torch.addcmul(value, chroma, k, value=-1)
    return turned


def grayscale(images: Tensor) -> Tensor:
    """The grey image in all three channels."""
    return _grey(images).expand_as(images)


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Blur with a Gaussian of `sigma` pixels cut off at `kernel_size` (odd) taps, borders reflected."""
    reach = kernel_size // 2
    taps = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (taps / sigma[:, None].to(images.dtype)) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return _separable(
        images, _band_matrix(weights, images.shape[-2], reach), _band_matrix(weights, images.shape[-1], reach)
    )


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


def _grey(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(1)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    factor = factor[:, None, None, None]
    return torch.lerp(other.expand_as(images), images, factor.expand_as(images)).clamp_(0, 1)


def _separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`rows[b] @ images[b, c] @ columns[b]ᵀ`; rows `[B, H', H]`, columns `[B, W', W]` → `[B, 3, H', W']`."""
    batch, channels, height, width = images.shape
    wide = torch.bmm(images.reshape(batch, channels * height, width), columns.transpose(1, 2))
    return torch.matmul(rows[:, None], wide.reshape(batch, channels, height, -1))


def _resize_matrix(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """`[B, target, source]` weights that resample pixels [start, start + length) with a triangle filter.

    The filter widens with the scale when shrinking (antialiasing) and is normalised over the box alone,
    as PyTorch's `interpolate(antialias=True)` does after a crop.
    """
    scale = (length / target)[:, None, None]
    pixel = torch.arange(source, device=start.device)[None, None, :]
    centre = (torch.arange(target, device=start.device)[None, :, None] + 0.5) * scale + start[:, None, None]
    weights = (1 - ((pixel + 0.5 - centre) / scale.clamp(min=1)).abs()).clamp_(min=0)
    inside = (pixel >= start[:, None, None]) & (pixel < (start + length)[:, None, None])
    weights = weights * inside
    return weights / weights.sum(dim=2, keepdim=True)


def _band_matrix(weights: Tensor, size: int, reach: int) -> Tensor:
    """`[B, size, size]` convolution matrix of the taps `[B, 2·reach + 1]` with reflected borders."""
    source = torch.arange(size, device=weights.device)[:, None] + torch.arange(
        -reach, reach + 1, device=weights.device
    )
    source = source.abs()
    source = (size - 1) - ((size - 1) - source).abs()
    matrix = weights.new_zeros(len(weights), size, size)
    return matrix.scatter_add_(
        2, source.expand(len(weights), -1, -1), weights[:, None, :].expand(-1, size, -1)
    )


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
