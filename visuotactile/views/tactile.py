"""Random views of tactile images for contrastive learning, drawn per sample and computed per batch.

The recipe is that of the contrastive grasp-outcome paper (resize to 256, crop 224, colour jitter, mirror,
grey, blur; the strengths, which it does not give, are MoCo v2's), scaled to any size. A tactile difference
lives in [−1, 1]; the colour operations see it mapped to [0, 1], where 0.5 means "no change".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.datamodule import base_size
from visuotactile.encoders.contract import InputContract, normalise
from visuotactile.errors import ContractError
from visuotactile.views import image_ops as ops

Box = tuple[Tensor, Tensor, Tensor, Tensor]
CPU_CHUNK = 32  # samples whose 64×64 images stay in a core's cache; the whole batch at once is 1.5× slower


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How strongly a view differs from its image. The defaults are the paper's recipe.

    Attributes:
        crop_scale: None cuts a `size` square out of the image resized to `size`·8/7 (the paper's 224 of
            256). A pair (low, high) cuts a box of that share of the area, with an aspect ratio between
            3/4 and 4/3, and resizes it: stronger, as in MoCo v2 with (0.2, 1).
        brightness, contrast, saturation: a factor is drawn from [1 − x, 1 + x].
        hue: a shift is drawn from [−x, x], as a share of a turn; at most 0.5.
        p_jitter, p_gray, p_flip, p_blur: the share of samples that each operation touches.
        sigma: blur in pixels of an image of 224; scaled with the size.
    """

    crop_scale: tuple[float, float] | None = None
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p_jitter: float = 0.8
    p_gray: float = 0.2
    p_flip: float = 0.5
    p_blur: float = 0.5
    sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("p_jitter", "p_gray", "p_flip", "p_blur"):
            if not 0 <= getattr(self, name) <= 1:
                raise ContractError(f"{name} is a probability, expected 0 to 1, found {getattr(self, name)}")
        if not 0 <= self.hue <= 0.5:
            raise ContractError(f"hue is a share of a turn, expected 0 to 0.5, found {self.hue}")
        if min(self.brightness, self.contrast, self.saturation) < 0:
            raise ContractError("brightness, contrast and saturation must not be negative")
        if self.crop_scale is not None and not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ContractError(f"crop_scale is a range within (0, 1], found {self.crop_scale}")
        if not 0 < self.sigma[0] <= self.sigma[1]:
            raise ContractError(f"sigma is a range of positive pixels, found {self.sigma}")


@dataclass(frozen=True)
class Draw:
    """The parameters of one view of every sample, on the CPU, so that a GPU run sees the same views."""

    box: Box  # top, left, height, width, int64 pixels
    flip: Tensor
    order: list[int]  # of the four colour operations: drawn once per view of a batch
    jitter: Tensor
    factors: Tensor  # [4, B]: brightness, contrast, saturation, hue
    gray: Tensor
    blur: Tensor
    sigma: Tensor

    def take(self, chosen: slice) -> Draw:
        """The parameters of some of the samples."""
        return Draw(
            box=(self.box[0][chosen], self.box[1][chosen], self.box[2][chosen], self.box[3][chosen]),
            flip=self.flip[chosen],
            order=self.order,
            jitter=self.jitter[chosen],
            factors=self.factors[:, chosen],
            gray=self.gray[chosen],
            blur=self.blur[chosen],
            sigma=self.sigma[chosen],
        )


class RandomViews:
    """Draws views of a batch of images under an input contract.

    Calling it with uint8 images `[B, H, W, 3]` (and references of the same shape for a tactile difference)
    returns `views` float tensors `[B, 3, size, size]`, normalised as the encoder expects.
    """

    def __init__(self, contract: InputContract, augmentation: Augmentation) -> None:
        self.contract = contract
        self.augmentation = augmentation

    def __call__(
        self,
        images: Tensor,
        references: Tensor | None,
        generator: torch.Generator,
        views: int = 2,
        rank: int = 0,
        world: int = 1,
    ) -> list[Tensor]:
        """Views of this rank's share (every `world`-th sample) of a joined batch, in float32 whatever the
        precision of the training around it.

        The parameters are drawn for the joined batch, so that its samples get the same views however many
        processes share it.
        """
        draws = [self.draw(len(images) * world, images.shape[1:3], generator) for _ in range(views)]
        draws = [draw.take(slice(rank, None, world)) for draw in draws]
        outputs = [
            images.new_empty((len(images), 3, *[self.contract.size] * 2), dtype=torch.float32) for _ in draws
        ]
        for chunk in _chunks(len(images), CPU_CHUNK if images.device.type == "cpu" else len(images)):
            with torch.autocast(images.device.type, enabled=False):
                pixels = self._to_unit(images[chunk], None if references is None else references[chunk])
                for draw, output in zip(draws, outputs, strict=True):
                    output[chunk] = self.apply(pixels, draw.take(chunk))
        return outputs

    def draw(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Draw:
        """Draw the parameters of one view for `count` images of `shape` (H, W)."""
        a = self.augmentation

        def uniform(low: float, high: float) -> Tensor:
            return torch.empty(count).uniform_(low, high, generator=generator)

        def chosen(share: float) -> Tensor:
            return torch.rand(count, generator=generator) < share

        factors = [uniform(max(0, 1 - x), 1 + x) for x in (a.brightness, a.contrast, a.saturation)]
        scale = self.contract.size / 224
        return Draw(
            box=self._draw_box(count, shape, generator),
            flip=chosen(a.p_flip),
            order=torch.randperm(4, generator=generator).tolist(),
            jitter=chosen(a.p_jitter),
            factors=torch.stack([*factors, uniform(-a.hue, a.hue)]),
            gray=chosen(a.p_gray),
            blur=chosen(a.p_blur),
            sigma=uniform(*a.sigma) * scale,
        )

    def apply(self, pixels: Tensor, draw: Draw) -> Tensor:
        """Compute the drawn view of float images `[B, 3, H, W]` in [0, 1]."""
        size, a = self.contract.size, self.augmentation
        top, left, height, width = (part.to(pixels.device) for part in draw.box)
        flip = draw.flip.to(pixels.device)
        if a.crop_scale is None:
            view = ops.crop(pixels, top, left, size, flip)
        else:
            view = ops.resized_crop(pixels, top, left, height, width, size, flip)
        colour = (ops.adjust_brightness, ops.adjust_contrast, ops.adjust_saturation, ops.adjust_hue)
        strengths = (a.brightness, a.contrast, a.saturation, a.hue)
        wanted = [which for which in draw.order if strengths[which]]

        def jitter(some: Tensor, rows: Tensor) -> Tensor:
            for which in wanted:
                some = colour[which](some, draw.factors[which, rows].to(some.device, non_blocking=True))
            return some

        if wanted:
            _on_some(view, draw.jitter, jitter)
        _on_some(view, draw.gray, lambda some, _: ops.grayscale(some))
        taps = 2 * max(1, round(0.05 * size)) + 1  # SimCLR's kernel: a tenth of the image

        def blur(some: Tensor, rows: Tensor) -> Tensor:
            return ops.gaussian_blur(some, draw.sigma[rows].to(some.device, non_blocking=True), taps)

        _on_some(view, draw.blur, blur)
        return self._from_unit(view)

    def _draw_box(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> Box:
        height, width = shape
        if self.augmentation.crop_scale is None:
            side = base_size(self.contract.size)
            room = side - self.contract.size + 1
            top, left = torch.randint(room, (2, count), generator=generator)
            full = torch.full((count,), self.contract.size)
            return top, left, full, full
        low, high = self.augmentation.crop_scale
        area = torch.empty(count).uniform_(low, high, generator=generator) * (height * width)
        ratio = torch.empty(count).uniform_(-1, 1, generator=generator).mul_(torch.tensor(4 / 3).log()).exp_()
        box_height = (area / ratio).sqrt().round().clamp(1, height).long()
        box_width = (area * ratio).sqrt().round().clamp(1, width).long()
        top = (torch.rand(count, generator=generator) * (height - box_height + 1)).long()
        left = (torch.rand(count, generator=generator) * (width - box_width + 1)).long()
        return top, left, box_height, box_width

    def _to_unit(self, images: Tensor, references: Tensor | None) -> Tensor:
        if (references is not None) != (self.contract.reference is not None):
            found = "references" if references is not None else "no references"
            raise ContractError(f"found {found} for a contract with reference={self.contract.reference!r}")
        pixels = images.permute(0, 3, 1, 2).float()
        if references is not None:
            pixels = (pixels - references.permute(0, 3, 1, 2).float()).add_(255).div_(510)
        else:
            pixels = pixels.div_(255)
        side = base_size(self.contract.size)
        if self.augmentation.crop_scale is None and tuple(pixels.shape[-2:]) != (side, side):
            pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True).clamp_(0, 1)
        return pixels

    def _from_unit(self, view: Tensor) -> Tensor:
        if self.contract.reference is not None:
            view = view * 2 - 1
        return normalise(self.contract, view)


def _on_some(images: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Change the chosen samples in place; `change` gets them, and their rows.

    `chosen` and the rows lie on the CPU, so that no GPU is waited for.
    """
    rows = chosen.nonzero().squeeze(1)
    if len(rows):
        index = rows.to(images.device, non_blocking=True)
        images[index] = change(images[index], rows)


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, max(size, 1)))
