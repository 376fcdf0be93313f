"""The recipe of contrastive pretraining on one sense: crop, colour jitter, mirror, grey, blur.

It is that of contrastive_grasp_outcomes (resize to 256, crop 224, …; the strengths, which the paper does not
give, are MoCo v2's), scaled to any size. A tactile difference lives in [−1, 1]; the colour operations see it
mapped to [0, 1], where 0.5 means "no change".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.resize import base_size
from visuotactile.encoders.branch import Augmentation, Drawn
from visuotactile.encoders.contract import CHANNELS, InputContract, crop, normalise
from visuotactile.errors import ContractError
from visuotactile.views import operations as ops
from visuotactile.views.random_views import check_probability, take

CPU_CHUNK = 32  # samples whose 64×64 images stay in a core's cache; the whole batch at once is 1.5× slower


@dataclass(frozen=True, kw_only=True)
class ContrastiveAugmentation(Augmentation):
    """Strength of each operation; the paper's recipe by default.

    Attributes:
        crop_scale: None cuts a square of the contract's size out of the image resized to size·8/7 (the
            paper's 224 of 256). A pair (low, high) cuts a box of that share of the area, with an aspect ratio
            between 3/4 and 4/3, and resizes it: stronger, as in MoCo v2 with (0.2, 1).
        brightness, contrast, saturation: a factor is drawn from [1 − x, 1 + x].
        hue: a shift is drawn from [−x, x], as a share of a turn; at most 0.5.
        p_jitter, p_gray, p_flip, p_blur: share of the samples that each operation changes.
        sigma: range of the blur, in pixels of an image of 224; scaled with the size.

    Raises:
        ContractError: a number is out of its range.
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
            check_probability(name, getattr(self, name))
        if not 0 <= self.hue <= 0.5:
            raise ContractError(f"hue is a share of a turn, expected 0 to 0.5, found {self.hue}")
        if min(self.brightness, self.contrast, self.saturation) < 0:
            raise ContractError("brightness, contrast and saturation must not be negative")
        if self.crop_scale is not None and not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ContractError(f"crop_scale is a range within (0, 1], found {self.crop_scale}")
        if not 0 < self.sigma[0] <= self.sigma[1]:
            raise ContractError(f"sigma is a range of positive pixels, found {self.sigma}")

    def side(self, contract: InputContract) -> int:
        """Side from which the contract's size is cut."""
        return base_size(contract.size)

    def draw(
        self, contract: InputContract, count: int, shape: tuple[int, int], generator: torch.Generator
    ) -> Drawn:
        """See `Augmentation`. The order of the colour operations is drawn once for all samples."""

        def uniform(low: float, high: float) -> Tensor:
            return torch.empty(count).uniform_(low, high, generator=generator)

        def chosen(share: float) -> Tensor:
            return torch.rand(count, generator=generator) < share

        factors = [uniform(max(0, 1 - x), 1 + x) for x in (self.brightness, self.contrast, self.saturation)]
        box = self._draw_box(contract.size, count, shape, generator)
        flip = chosen(self.p_flip)
        order = torch.randperm(4, generator=generator).expand(count, 4)
        jitter = chosen(self.p_jitter)
        factors.append(uniform(-self.hue, self.hue))
        return {
            **dict(zip(("top", "left", "height", "width"), box, strict=True)),  # int64, pixels
            "flip": flip,
            "order": order,
            "jitter": jitter,
            "factors": torch.stack(factors, dim=1),  # brightness, contrast, saturation, hue
            "gray": chosen(self.p_gray),
            "blur": chosen(self.p_blur),
            "sigma": uniform(*self.sigma) * (contract.size / 224),
        }

    def views(
        self,
        contract: InputContract,
        images: Tensor,
        references: Tensor | None,
        drawn: Sequence[Drawn],
    ) -> list[Tensor]:
        """See `Augmentation`."""
        shape = (len(images), *contract.input_shape)
        outputs = [images.new_empty(shape, dtype=torch.float32) for _ in drawn]
        step = CPU_CHUNK if images.device.type == "cpu" else max(len(images), 1)
        for start in range(0, len(images), step):
            chunk = slice(start, start + step)
            pixels = self._to_unit(contract, images[chunk], None if references is None else references[chunk])
            for output, one in zip(outputs, drawn, strict=True):
                output[chunk] = self._view(contract, pixels, take(one, chunk))
        return outputs

    def _view(self, contract: InputContract, pixels: Tensor, drawn: Drawn) -> Tensor:
        """One normalised view of float images `[B, C, H, W]` in [0, 1]; what is beside is changed alike."""
        size, moments = contract.size, pixels.shape[1] // CHANNELS
        if moments > 1:
            pixels = pixels.unflatten(1, (moments, CHANNELS)).flatten(0, 1)
            drawn = {name: values.repeat_interleave(moments, 0) for name, values in drawn.items()}
        top, left, height, width, flip = (
            drawn[name].to(pixels.device) for name in ("top", "left", "height", "width", "flip")
        )
        if self.crop_scale is None:
            view = crop(pixels, top, left, size, flip).contiguous()
        else:
            view = ops.resized_crop(pixels, top, left, height, width, size, flip)
        colour = (ops.adjust_brightness, ops.adjust_contrast, ops.adjust_saturation, ops.adjust_hue)
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        wanted = [which for which in drawn["order"][0].tolist() if strengths[which]]

        def jitter(some: Tensor, rows: Tensor) -> Tensor:
            for which in wanted:
                some = colour[which](some, drawn["factors"][rows, which].to(some.device, non_blocking=True))
            return some

        if wanted:
            ops.on_chosen(view, drawn["jitter"], jitter)
        ops.on_chosen(view, drawn["gray"], lambda some, _: ops.grayscale(some))
        taps = 2 * max(1, round(0.05 * size)) + 1  # SimCLR's kernel: a tenth of the image

        def blur(some: Tensor, rows: Tensor) -> Tensor:
            return ops.gaussian_blur(some, drawn["sigma"][rows].to(some.device, non_blocking=True), taps)

        ops.on_chosen(view, drawn["blur"], blur)
        view = view.unflatten(0, (-1, moments)).flatten(1, 2) if moments > 1 else view
        return normalise(contract, view * 2 - 1 if contract.difference else view)

    def _draw_box(
        self, size: int, count: int, shape: tuple[int, int], generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Top, left, height and width of each sample's crop."""
        height, width = shape
        if self.crop_scale is None:
            top, left = torch.randint(base_size(size) - size + 1, (2, count), generator=generator)
            full = torch.full((count,), size)
            return top, left, full, full
        low, high = self.crop_scale
        area = torch.empty(count).uniform_(low, high, generator=generator) * (height * width)
        ratio = torch.empty(count).uniform_(-1, 1, generator=generator).mul_(torch.tensor(4 / 3).log()).exp_()
        box_height = (area / ratio).sqrt().round().clamp(1, height).long()
        box_width = (area * ratio).sqrt().round().clamp(1, width).long()
        top = (torch.rand(count, generator=generator) * (height - box_height + 1)).long()
        left = (torch.rand(count, generator=generator) * (width - box_width + 1)).long()
        return top, left, box_height, box_width

    def _to_unit(self, contract: InputContract, images: Tensor, references: Tensor | None) -> Tensor:
        if (references is not None) != (contract.reference is not None):
            found = "references" if references is not None else "no references"
            raise ContractError(f"found {found} for a contract with reference={contract.reference!r}")
        pixels = images.permute(0, 3, 1, 2).float()
        if references is not None and contract.difference:
            pixels = (pixels - references.permute(0, 3, 1, 2).float()).add_(255).div_(510)
        elif references is not None:
            pixels = torch.cat([pixels, references.permute(0, 3, 1, 2)], dim=1).div_(255)
        else:
            pixels = pixels.div_(255)
        side = self.side(contract)
        if self.crop_scale is None and tuple(pixels.shape[-2:]) != (side, side):
            pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True).clamp_(0, 1)
        return pixels
