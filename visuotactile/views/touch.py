"""Views of touch for pairs: an uncertain mounting, an uncertain border of the contact, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visuotactile.encoders.branch import Drawn
from visuotactile.encoders.contract import InputContract
from visuotactile.errors import ContractError
from visuotactile.views.operations import add_noise, on_chosen, resample, thicken
from visuotactile.views.random_views import PairedAugmentation, check_probability


@dataclass(frozen=True, kw_only=True)
class TouchAugmentation(PairedAugmentation):
    """visuotactile_representation's two augmentations of contact masks, and noise.

    They are slight rotations and morphological changes; the paper gives no strengths, these are ours. The
    image of a gel, or its difference from one without contact, is no mask: give p_morphology=0.

    Attributes:
        p_rotation: share of samples that are turned.
        rotation: by an angle from minus to plus this, in degrees. A turn within the image is a tilt of the
            pad about the direction in which the jaws close. A part's yaw turns about another axis, so that a
            turned contact is not the contact of another pose.
        p_morphology: share of masks that grow or shrink.
        radius: by one pixel to this share of the side: a gel that gives way more or less, a threshold set
            lower or higher. 0.016 is 2 pixels of 128, 0.4 mm of the connectors' 24 mm.
        p_noise: share of samples with noise.
        noise: its standard deviation is drawn from 0 to this, as a share of the grey levels.

    Raises:
        ContractError: a number is out of its range.
    """

    p_rotation: float = 1.0
    rotation: float = 5.0
    p_morphology: float = 0.5
    radius: float = 0.016
    p_noise: float = 0.0
    noise: float = 0.02

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("p_rotation", "p_morphology", "p_noise"):
            check_probability(name, getattr(self, name))
        if not 0 <= self.rotation <= 45:
            raise ContractError(f"rotation is {self.rotation}; expected degrees from 0 to 45, slight ones")
        if not 0 <= self.radius <= 0.1:
            raise ContractError(f"radius is {self.radius}; expected a share of the side from 0 to 0.1")
        if not 0 <= self.noise <= 1:
            raise ContractError(f"noise is {self.noise}; expected a share of the grey levels, 0 to 1")

    def check(self, contract: InputContract) -> None:
        """Refuse to thicken differences."""
        if contract.difference and self.p_morphology:
            raise ContractError(
                f"the contract subtracts phase {contract.reference!r}, and a difference is no contact mask "
                "that could grow or shrink; give p_morphology=0"
            )

    def draw_paired(self, count: int, generator: torch.Generator) -> Drawn:
        """See `PairedAugmentation`."""

        def uniform() -> Tensor:
            return torch.rand(count, generator=generator)

        return {
            "turned": uniform() < self.p_rotation,
            "angle": math.radians(self.rotation) * (2 * uniform() - 1),
            "thickened": uniform() < self.p_morphology,
            "growth": 2 * uniform() - 1,
            "noisy": uniform() < self.p_noise,
            "noise": uniform() * self.noise,
            "seed": torch.randint(2**62, (count,), generator=generator),
        }

    def change(self, pixels: Tensor, drawn: Drawn, limits: tuple[float, float]) -> None:
        """Thickness of the mask, then rotation, then noise; see `PairedAugmentation`."""

        def change_mask(some: Tensor, at: Tensor) -> Tensor:
            most, growth = max(1, round(self.radius * pixels.shape[-1])), drawn["growth"][at]
            return thicken(some, (growth.sign() * (growth.abs() * most).ceil()).long())

        def turn(some: Tensor, at: Tensor) -> Tensor:
            return resample(some, drawn["angle"][at], torch.ones(len(at)), torch.zeros(len(at), 2))

        def disturb(some: Tensor, at: Tensor) -> Tensor:
            return add_noise(some, drawn["noise"][at], drawn["seed"][at]).clamp_(*limits)

        on_chosen(pixels, drawn["thickened"], change_mask)
        on_chosen(pixels, drawn["turned"], turn)
        on_chosen(pixels, drawn["noisy"], disturb)
