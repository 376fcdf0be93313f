"""Samples of soft and hard silicone: a shape, its texture, and its hardness on a durometer's scale."""

from __future__ import annotations

from dataclasses import dataclass

from visuotactile.errors import SimulationError
from visuotactile.mechanics import hertz, shore
from visuotactile.sim.hardness.shapes import HEMISPHERES, Shape

GEL_MODULUS = float(shore.shore_a_modulus(5))
"""0.28 MPa. Gels are cast at 5 to 20 Shore A (Yuan, Dong and Adelson 2017); soft ones are more sensitive."""

RIGID = "rigid"
RIGID_MODULUS = 2.3e9
"""Pascals, of a printed plastic, next to which a gel yields alone."""

PAPER_HARDNESSES = (
    *(("00", reading) for reading in (8, 15, 23, 32, 41, 50)),
    *(("a", reading) for reading in (7, 13, 19, 27, 36, 45)),
)
"""Scale and reading of the 2016 paper's range, softest first; each about 1.4 times stiffer than the last."""

HARDNESSES = {
    "paper": PAPER_HARDNESSES,
    "wide": (*PAPER_HARDNESSES, ("00", 87)),
    "rigid": (*PAPER_HARDNESSES, ("00", 87), (RIGID, 0)),
}
"""Range → scale and reading, softest first: 8 Shore 00 to 45 Shore A; to 87 Shore 00, ten times as hard as
the gel; and rigid plastic too, which has no reading."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A shape with a texture; hardness as a durometer's `reading` on `scale` ("00", "a" or "rigid")."""

    shape: Shape
    scale: str
    reading: float
    texture: str = "smooth"

    @property
    def name(self) -> str:
        """Name, such as hemisphere-r12-00-08, flat-disc-weave-a-45 or edge-140-rigid."""
        texture = "" if self.texture == "smooth" else f"-{self.texture}"
        return f"{self.shape.name}{texture}-{self.level}"

    @property
    def level(self) -> str:
        """Level of hardness, such as 00-08, a-45 or rigid."""
        return RIGID if self.scale == RIGID else f"{self.scale}-{self.reading:02.0f}"

    @property
    def modulus(self) -> float:
        """Young's modulus [Pa]."""
        if self.scale == RIGID:
            return RIGID_MODULUS
        return float(shore.MODULUS[self.scale](self.reading))

    @property
    def combined(self) -> float:
        """E* of the sample and the gel [Pa]."""
        return float(hertz.combined_modulus(self.modulus, GEL_MODULUS))

    @property
    def gel_share(self) -> float:
        """The gel's share of the approach; the softer body takes more."""
        return float(hertz.share_of_second(self.modulus, GEL_MODULUS))

    @property
    def plain(self) -> bool:
        """A smooth ball, whose contact has a closed form."""
        return self.shape.family == "hemisphere" and self.texture == "smooth"


def make_samples(
    shapes: tuple[Shape, ...] = HEMISPHERES, textures: tuple[str, ...] = ("smooth",), hardness: str = "paper"
) -> tuple[Sample, ...]:
    """Every shape at every hardness of a range of `HARDNESSES`, softest first, textures in turn.

    Raises:
        SimulationError: there is no such range.
    """
    if hardness not in HARDNESSES:
        raise SimulationError(
            f"there is no range of hardness {hardness!r}; expected one of {', '.join(HARDNESSES)}"
        )
    return tuple(
        Sample(shape=shape, scale=scale, reading=reading, texture=textures[(i + j) % len(textures)])
        for i, (scale, reading) in enumerate(HARDNESSES[hardness])
        for j, shape in enumerate(shapes)
    )


SAMPLES = make_samples()
"""The paper's sixty hemispheres, softest first."""
