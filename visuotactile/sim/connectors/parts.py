"""Four small connectors, each of a few convex geoms: AUX plug, pin header, USB plug, threaded stud.

The four of Bronars and Sunil's "Self-supervised visuotactile representation learning for dexterous
manipulation", figure 2, of like size; a header stands for their pin, whose touches they describe as small and
periodic. A part's frame: y along the part, z up as it lies on the table, origin within its body at the middle
of its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import mujoco

from visuotactile.errors import SimulationError

OBJECT_GROUP, TABLE_GROUP = 3, 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A convex geom in millimetres: box and ball by half-sizes, a rod along y by (radius, half-length)."""

    shape: Literal["box", "rod", "ball"]
    size: tuple[float, ...]
    pos: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Connector:
    """A part, and how high over the table its origin lies, in millimetres."""

    name: str
    pieces: tuple[Piece, ...]
    rest: float


def _rod(radius: float, start: float, end: float) -> Piece:
    """A round piece along y from `start` to `end`."""
    return Piece(shape="rod", size=(radius, (end - start) / 2), pos=(0, (start + end) / 2, 0))


def _box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Piece:
    middle = tuple((low + high) / 2 for low, high in (x, y, z))
    half = tuple((high - low) / 2 for low, high in (x, y, z))
    return Piece(shape="box", size=half, pos=(middle[0], middle[1], middle[2]))


def _thread(radius: float, depth: float, pitch: float, start: float, end: float) -> Iterator[Piece]:
    """A screw thread as rings on a core, `pitch` apart."""
    yield _rod(radius - depth, start, end)
    at = start
    while at + pitch / 2 <= end:
        yield _rod(radius, at, at + pitch / 2)
        at += pitch


def _aux() -> Iterator[Piece]:
    """A 3.5 mm jack plug: tip, ring and sleeve of 14 mm, moulded grip of 8.8 mm, ribbed strain relief."""
    yield _rod(4.4, -12, 5)
    yield _rod(3.6, 5, 6.5)
    for start in (-14, -16, -18, -20):
        yield _rod(2.6 + (start + 20) / 8, start, start + 1.2)
    yield _rod(1.8, -20.5, -12)
    yield _rod(1.75, 6.5, 13.6)
    yield _rod(1.75, 14.1, 16.6)
    yield _rod(1.45, 13.6, 18.4)
    yield Piece(shape="ball", size=(1.75, 1.7, 1.75), pos=(0, 18.8, 0))


def _pin() -> Iterator[Piece]:
    """A 2 × 12 pin header of 2.54 mm pitch, lying on its side with the pins along x."""
    yield _box((-1.25, 1.25), (-15.24, 15.24), (-2.54, 2.54))
    for n in range(12):
        y = (n - 5.5) * 2.54
        for z in (-1.27, 1.27):
            yield _box((-4.25, 7.25), (y - 0.32, y + 0.32), (z - 0.32, z + 0.32))


def _usb() -> Iterator[Piece]:
    """A USB-A plug: 12 × 4.5 mm shell with its two windows, moulded grip of 15.7 × 7.6 mm, cable."""
    shell, top = (6.0, 18.3), (-2.25, 2.25)
    yield _box((-6, 6), shell, (-2.25, 1.3))
    for x in ((-6, -3.7), (-1.4, 1.4), (3.7, 6)):
        yield _box(x, shell, top)
    for y in ((6.0, 10.2), (12.5, 18.3)):
        yield _box((-6, 6), y, top)
    yield _box((-7.85, 7.85), (-11, 6), (-3.8, 3.8))
    yield _box((-5.5, 5.5), (-13, -11), (-3, 3))
    yield _rod(2.1, -18.3, -13)


def _stud() -> Iterator[Piece]:
    """A stepped stud: thread of 8.8 mm and 1.25 mm pitch, plain shank, M4 thread of 0.7 mm pitch.

    The shank is as thick as the AUX plug's grip: these two are the pair that the paper's networks confuse.
    """
    yield from _thread(4.4, 0.75, 1.25, -19, -9)
    yield _rod(4.4, -9, 5)
    yield from _thread(2.0, 0.4, 0.7, 5, 19)


CONNECTORS: Mapping[str, Connector] = {
    part.name: part
    for part in (
        Connector(name="aux", pieces=tuple(_aux()), rest=4.4),
        Connector(name="pin", pieces=tuple(_pin()), rest=2.54),
        Connector(name="usb", pieces=tuple(_usb()), rest=3.8),
        Connector(name="stud", pieces=tuple(_stud()), rest=4.4),
    )
}
"""Name → part, in the paper's order."""


@lru_cache(maxsize=len(CONNECTORS))
def connector_model(name: str) -> mujoco.MjModel:
    """The part, placed by `qpos`, over a table at z = 0; an unknown name raises `SimulationError`."""
    if name not in CONNECTORS:
        raise SimulationError(f"there is no connector {name!r}; there are {', '.join(CONNECTORS)}")
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], group=TABLE_GROUP)
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint()
    for piece in CONNECTORS[name].pieces:
        size = [value * 1e-3 for value in piece.size]
        geom = body.add_geom(size=size + [0.0] * (3 - len(size)), pos=[value * 1e-3 for value in piece.pos])
        geom.group, geom.mass = OBJECT_GROUP, 1e-3
        if piece.shape == "box":
            geom.type = mujoco.mjtGeom.mjGEOM_BOX
        elif piece.shape == "ball":
            geom.type = mujoco.mjtGeom.mjGEOM_ELLIPSOID
        else:
            geom.type, geom.quat = mujoco.mjtGeom.mjGEOM_CYLINDER, [0.5**0.5, 0.5**0.5, 0, 0]  # z onto y
    return spec.compile()
