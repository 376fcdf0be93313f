"""Shapes of samples: how far a surface lies behind its foremost point.

Beside the 2016 paper's hemispheres the cylinders, edges, corners and flats of Yuan et al. 2017
("Shape-independent hardness estimation using deep learning and a GelSight tactile sensor"), and fruit. Each
is a height over a plane, shallow enough for half-spaces: its slopes in the contact are 0.5 at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from visuotactile.errors import SimulationError
from visuotactile.sim.objects.relief import Relief

Array = npt.NDArray[np.float64]
Surface = Callable[[Array, Array], Array]
"""Metres behind the foremost point at (x, y), metres from it."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape of one size.

    Attributes:
        family: such as cylinder; shapes of a family differ in their size.
        name: such as cylinder-r06.
        radius: metres: of a curved surface (of an ellipsoid, the mean of two), at the tip of an edge or a
            corner, half the width of a flat.
        size: metres; a hand stops at depths of some tenths of it.
        surface: how far it lies behind its foremost point.
        relief: pattern that belongs to it, such as an orange's pores.
        turns: share of a tilt that stays between gel and sample: the hand lets a flat turn into the gel, and
            keeps the contact of a large ball within the window.
    """

    family: str
    name: str
    radius: float
    size: float
    surface: Surface
    relief: Relief | None = None
    turns: float = 1.0


def hills(relief: Relief, x: Array, y: Array) -> Array:
    """Height [N] of `relief` over a shape at (x [N], y [N]), metres."""
    return relief.height(np.column_stack([x, np.zeros_like(x), y]))


def _ellipsoid(x: Array, y: Array, across: float, along: float) -> Array:
    return x**2 / (2 * across) + y**2 / (2 * along)


def _cylinder(x: Array, y: Array, radius: float, half: float) -> Array:
    return y**2 / (2 * radius) + _rounded(abs(x) - half, 3e-3)


def _edge(x: Array, y: Array, slope: float, tip: float, half: float) -> Array:
    return _blunted(y, slope, tip) + _rounded(abs(x) - half, 3e-3)


def _corner(x: Array, y: Array, slope: float, tip: float, faces: int) -> Array:
    angles = 2 * np.pi * (np.arange(faces) + 0.25) / faces
    return _blunted(np.maximum.reduce([np.cos(a) * x + np.sin(a) * y for a in angles]), slope, tip)


def _square(x: Array, y: Array, half: float, wide: float) -> Array:
    return _rounded(np.maximum(abs(x) - wide * half, abs(y) - half), 0.8e-3)


def _disc(x: Array, y: Array, half: float) -> Array:
    return _rounded(np.hypot(x, y) - half, 0.8e-3)


def _tomato(x: Array, y: Array, radius: float, ribs: float) -> Array:
    """A ball whose ribs run together beside the middle."""
    angle = np.arctan2(y, x)
    far = np.hypot(x, y)
    return far**2 / (2 * radius) + ribs * np.minimum(far / 4e-3, 1) ** 2 * (1 - np.cos(5 * angle)) / 2


def _peach(x: Array, y: Array, radius: float, seam: float) -> Array:
    return (x**2 + y**2) / (2 * radius) + seam * np.exp(-((y - 1.5e-3) ** 2) / (2 * 1.2e-3**2))


def _rounded(beyond: Array, radius: float) -> Array:
    """Height of an edge of `radius` at distances `beyond` it; 0 before it."""
    return np.maximum(beyond, 0) ** 2 / (2 * radius)


def _blunted(distance: Array, slope: float, tip: float) -> Array:
    """A wedge of `slope` whose tip has the radius `tip`."""
    reach = slope * tip
    return slope * (np.sqrt(distance**2 + reach**2) - reach)


def _ball(mm: float) -> Shape:
    return Shape(
        family="hemisphere",
        name=f"hemisphere-r{mm:02.0f}",
        radius=mm * 1e-3,
        size=mm * 1e-3,
        surface=partial(_ellipsoid, across=mm * 1e-3, along=mm * 1e-3),
    )


def _fruit(name: str, mm: tuple[float, float], surface: Surface, relief: Relief | None = None) -> Shape:
    radius = float(np.sqrt(mm[0] * mm[1])) * 1e-3
    return Shape(
        family="fruit",
        name=name,
        radius=radius,
        size=min(radius, 20e-3),
        surface=surface,
        relief=relief,
        turns=min(1.0, 16e-3 / radius),
    )


def _oval(name: str, mm: tuple[float, float], relief: Relief | None = None) -> Shape:
    return _fruit(name, mm, partial(_ellipsoid, across=mm[0] * 1e-3, along=mm[1] * 1e-3), relief)


def _pores(kind: str, amplitude: float, pitch: float, seed: int) -> Relief:
    return Relief(kind=kind, amplitude=amplitude, pitch=pitch, seed=seed)


HEMISPHERES = tuple(_ball(mm) for mm in (8, 10, 12, 14, 16))
"""The paper's; a factor of two, since the gel shows R/E*, and a wider range would mask the hardness."""

CYLINDERS = tuple(
    Shape(
        family="cylinder",
        name=f"cylinder-r{mm:02d}",
        radius=mm * 1e-3,
        size=mm * 1e-3,
        surface=partial(_cylinder, radius=mm * 1e-3, half=4e-3),
        turns=0.5,
    )
    for mm in (6, 9, 13)
)

EDGES = tuple(
    Shape(
        family="edge",
        name=f"edge-{degrees}",
        radius=tip,
        size=8e-3,
        surface=partial(_edge, slope=float(np.tan(np.radians((180 - degrees) / 2))), tip=tip, half=4e-3),
        turns=0.5,
    )
    for degrees, tip in ((150, 4e-3), (140, 2.5e-3), (130, 1.5e-3))
)
"""Edges by the angle between their faces, in degrees."""

CORNERS = tuple(
    Shape(
        family="corner",
        name=f"corner-{faces}-{degrees}",
        radius=tip,
        size=8e-3,
        surface=partial(_corner, slope=float(np.tan(np.radians(degrees))), tip=tip, faces=faces),
    )
    for faces, degrees, tip in ((3, 16, 3e-3), (4, 20, 2e-3), (4, 15, 3e-3))
)
"""Corners by the number of faces that meet and by their slope, in degrees."""

FLATS = (
    Shape(
        family="flat",
        name="flat-disc",
        radius=4e-3,
        size=10e-3,
        surface=partial(_disc, half=4e-3),
        turns=0.25,
    ),
    Shape(
        family="flat",
        name="flat-square",
        radius=3.5e-3,
        size=10e-3,
        surface=partial(_square, half=3.5e-3, wide=1.0),
        turns=0.25,
    ),
    Shape(
        family="flat",
        name="flat-bar",
        radius=2.5e-3,
        size=10e-3,
        surface=partial(_square, half=2.5e-3, wide=2.0),
        turns=0.25,
    ),
)

FRUIT = (
    _oval("blueberry", (7.5, 8)),
    _oval("grape", (9, 14)),
    _fruit("cherry-tomato", (13, 13), partial(_tomato, radius=13e-3, ribs=0.0)),
    _fruit("tomato", (30, 30), partial(_tomato, radius=30e-3, ribs=0.35e-3)),
    _fruit("peach", (32, 32), partial(_peach, radius=32e-3, seam=0.5e-3)),
    _oval("lime", (20, 26), _pores("grain", 0.10e-3, 2.2e-3, 3)),
    _oval("orange", (36, 36), _pores("dots", 0.12e-3, 2.0e-3, 0)),
    _oval("strawberry", (11, 16), _pores("dots", 0.25e-3, 2.8e-3, 0)),
    _oval("avocado", (28, 40), _pores("grain", 0.25e-3, 3.0e-3, 5)),
)
"""Fruit by size and skin. Each comes in every hardness, ripe and unripe, so that its shape does not tell."""

SHAPES = {shape.name: shape for shape in (*HEMISPHERES, *CYLINDERS, *EDGES, *CORNERS, *FLATS, *FRUIT)}
"""Every shape, by name."""
FAMILIES = tuple(dict.fromkeys(shape.family for shape in SHAPES.values()))

TEXTURES: dict[str, Relief | None] = {
    "smooth": None,
    "ridges": Relief(kind="flutes", amplitude=0.08e-3, pitch=1.8e-3, seed=0),
    "dots": Relief(kind="dots", amplitude=0.10e-3, pitch=2.0e-3, seed=0),
    "weave": Relief(kind="weave", amplitude=0.08e-3, pitch=1.5e-3, seed=0),
    "grain": Relief(kind="grain", amplitude=0.12e-3, pitch=2.0e-3, seed=7),
}
"""Texture → its relief. Pitches are five of the contact's cells and more."""


def find_shapes(words: str) -> tuple[Shape, ...]:
    """Shapes of the families or names in `words`, separated by commas; "all" for every one.

    Raises:
        SimulationError: a word is neither.
    """
    found: list[Shape] = []
    for word in _words(words):
        some = [shape for shape in SHAPES.values() if word in ("all", shape.family, shape.name)]
        if not some:
            raise SimulationError(
                f"there is no shape {word!r}; expected all, a family ({', '.join(FAMILIES)}) or a shape "
                f"({', '.join(SHAPES)})"
            )
        found += [shape for shape in some if shape not in found]
    return tuple(found)


def find_textures(words: str) -> tuple[str, ...]:
    """Names of the textures in `words`, separated by commas; "all" for every one.

    Raises:
        SimulationError: there is no such texture.
    """
    chosen = _words(words)
    unknown = [word for word in chosen if word != "all" and word not in TEXTURES]
    if unknown:
        raise SimulationError(f"there is no texture {unknown[0]!r}; expected all, {', '.join(TEXTURES)}")
    return tuple(name for name in TEXTURES if "all" in chosen or name in chosen)


def _words(words: str) -> list[str]:
    found = [word.strip() for word in words.split(",") if word.strip()]
    return found or [""]
