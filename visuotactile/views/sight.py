"""Views of sight for pairs: noise, an uncertain aim, occlusions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visuotactile.encoders.branch import Drawn
from visuotactile.errors import ContractError
from visuotactile.views.operations import add_noise, cover, on_chosen, resample
from visuotactile.views.random_views import PairedAugmentation, check_probability


@dataclass(frozen=True, kw_only=True)
class SightAugmentation(PairedAugmentation):
    """The three augmentations of visuotactile_representation's section C: centre crop, noise, occlusions.

    The paper gives no strengths; these are ours. By default a view is what its joint representation was
    trained with: the crop alone.

    Attributes:
        p_crop: share of samples that are cropped.
        crop: a square of this share of the side, or more, is cut out and resized.
        shift: the square's centre lies at most this share of the side from the image's, each way; never so
            far that the square leaves the image. 0.03 is 2.2 mm of the connectors' 72 mm: less than half of
            the 5 mm between two poses, so that the nearest pose stays the one that is felt.
        p_noise: share of samples with noise.
        noise: its standard deviation is drawn from 0 to this, as a share of the grey levels; 0.05 is half a
            millimetre of the connectors' depth.
        p_occlusion: share of samples that are occluded.
        occluders: from one to this many rectangles, anywhere and at any angle, lie over the image: other
            things in clutter, the gripper.
        occluder: shortest and longest side of a rectangle, as shares of the image's. By default a third of
            the image is hidden on average, 40 % of a connector, and 7 % of the connectors altogether.

    Raises:
        ContractError: a number is out of its range.
    """

    p_crop: float = 1.0
    crop: float = 0.85
    shift: float = 0.03
    p_noise: float = 0.0
    noise: float = 0.05
    p_occlusion: float = 0.0
    occluders: int = 3
    occluder: tuple[float, float] = (0.2, 0.8)

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("p_crop", "p_noise", "p_occlusion"):
            check_probability(name, getattr(self, name))
        if not 0 < self.crop <= 1 or not 0 <= self.shift <= 0.5:
            raise ContractError(
                f"crop={self.crop}, shift={self.shift}; expected shares of the side, in (0, 1] and [0, 0.5]"
            )
        if not 0 <= self.noise <= 1:
            raise ContractError(f"noise is {self.noise}; expected a share of the grey levels, 0 to 1")
        if self.occluders < 1 or not 0 < self.occluder[0] <= self.occluder[1] <= 2:
            raise ContractError(
                f"occluders={self.occluders}, occluder={self.occluder}; expected at least one, and a range "
                "of shares of the side"
            )

    def draw_paired(self, count: int, generator: torch.Generator) -> Drawn:
        """See `PairedAugmentation`."""

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=generator)

        crop = self.crop + (1 - self.crop) * uniform()
        room = ((1 - crop) / 2).clamp(max=self.shift)
        low, high = self.occluder
        half = (low + (high - low) * uniform(self.occluders, 2)) / 2
        fewer = torch.arange(self.occluders) > (uniform(1) * self.occluders).floor()
        half = half.masked_fill(fewer[..., None], 0)
        return {
            "cropped": uniform() < self.p_crop,
            "crop": crop,
            "shift": (2 * uniform(2) - 1) * room[:, None],
            "noisy": uniform() < self.p_noise,
            "noise": uniform() * self.noise,
            "seed": torch.randint(2**62, (count,), generator=generator),
            "occluded": uniform() < self.p_occlusion,
            "boxes": torch.cat(
                [uniform(self.occluders, 2) - 0.5, half, uniform(self.occluders, 1) * math.pi], 2
            ),
            "values": uniform(self.occluders),
        }

    def change(self, pixels: Tensor, drawn: Drawn, limits: tuple[float, float]) -> None:
        """Crop, then occlusion, then noise; see `PairedAugmentation`."""
        low, high = limits

        def crop(some: Tensor, at: Tensor) -> Tensor:
            return resample(some, torch.zeros(len(at)), drawn["crop"][at], drawn["shift"][at])

        def occlude(some: Tensor, at: Tensor) -> Tensor:
            return cover(some, drawn["boxes"][at], low + (high - low) * drawn["values"][at])

        def disturb(some: Tensor, at: Tensor) -> Tensor:
            return add_noise(some, drawn["noise"][at], drawn["seed"][at]).clamp_(low, high)

        on_chosen(pixels, drawn["cropped"], crop)
        on_chosen(pixels, drawn["occluded"], occlude)
        on_chosen(pixels, drawn["noisy"], disturb)
