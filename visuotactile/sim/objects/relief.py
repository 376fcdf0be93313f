"""Relief: surface texture beyond an object's shape, ridges and dots of a millimetre and below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from visuotactile.errors import DataError
from visuotactile.sim.objects.parts import Array

Pattern = Callable[[Array, Array], Array]


def _wave(phase: Array) -> Array:
    """Smooth hills of period 1, height 0–1."""
    return np.asarray(0.5 + 0.5 * np.cos(2 * np.pi * phase))


def _tent(phase: Array) -> Array:
    """Triangular hills of period 1, height 0–1."""
    return np.asarray(abs(2 * (phase - np.floor(phase)) - 1))


def _dots(a: Array, b: Array) -> Array:
    """Round hills in rows, every other row shifted by half a pitch."""
    row = np.floor(b)
    u, v = a + 0.5 * (row % 2), b - row - 0.5
    u = u - np.floor(u) - 0.5
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.minimum(np.hypot(u, v) / 0.45, 1.0)))


def _weave(a: Array, b: Array) -> Array:
    """Strands along a and b that pass over and under each other."""
    over = 0.5 + 0.5 * np.sin(np.pi * a) * np.sin(np.pi * b)
    warp, weft = abs(np.sin(np.pi * a)), abs(np.sin(np.pi * b))
    return np.asarray(np.maximum(warp * (1 - over), weft * over))


PATTERNS: Mapping[str, Pattern] = {
    "rings": lambda a, b: _wave(b),
    "flutes": lambda a, b: _wave(a),
    "thread": lambda a, b: _wave(a / 4 + b),
    "grid": lambda a, b: np.maximum(_wave(a) ** 3, _wave(b) ** 3),
    "knurl": lambda a, b: _tent(a / 2 + b / 2) * _tent(a / 2 - b / 2),
    "dots": _dots,
    "weave": _weave,
}
"""Kind → height 0–1 at surface coordinates in pitches; along the first, each has a period of four."""

SOLID = ("grain", "wood")
"""Kinds with a solid texture instead of a surface pattern."""

HIGHEST = 0.5e-3
"""Metres; higher features belong in the parts."""

_WAVES = 10


@dataclass(frozen=True, kw_only=True)
class Relief:
    """A pattern on an object's surface.

    Attributes:
        kind: one of `PATTERNS` or `SOLID`.
        amplitude: height from lowest to highest point, metres, at most `HIGHEST`.
        pitch: distance between neighbours, metres.
        seed: seed of the pattern's randomness.
        wrap: mapping of a surface pattern: "round" around the vertical line through `axis`, or "flat" over
            faces along x and y (with x + y as coordinate).
        axis: x and y of that line in the object's frame, metres.
        radius: radius around that line at which the pitch is exact, metres.
    """

    kind: str
    amplitude: float
    pitch: float
    seed: int
    wrap: Literal["round", "flat"] = "flat"
    axis: tuple[float, float] = (0.0, 0.0)
    radius: float = 0.03

    def __post_init__(self) -> None:
        """Check kind, amplitude and pitch."""
        if self.kind not in PATTERNS and self.kind not in SOLID:
            known = ", ".join((*PATTERNS, *SOLID))
            raise DataError(f"there is no relief of the kind {self.kind!r}; expected one of {known}")
        if not 0 < self.amplitude <= HIGHEST or self.pitch <= 0:
            raise DataError(
                f"relief {self.kind} has the amplitude {self.amplitude} m and the pitch {self.pitch} m; "
                f"expected an amplitude of at most {HIGHEST} and both above 0"
            )

    def height(self, points: Array) -> Array:
        """Height [N] over the shape, in [0, amplitude], at points [N, 3] of it in the object's frame."""
        if self.kind in SOLID:
            return self.amplitude * self._solid(points)
        x, y = points[:, 0] - self.axis[0], points[:, 1] - self.axis[1]
        if self.wrap == "round":
            # Every pattern repeats after four pitches.
            count = 4 * max(1, round(np.pi * self.radius / (2 * self.pitch)))
            along = np.arctan2(y, x) * (count / (2 * np.pi))
        else:
            along = (x + y) / self.pitch
        return self.amplitude * PATTERNS[self.kind](along, points[:, 2] / self.pitch)

    def _solid(self, points: Array) -> Array:
        """Band-limited noise [N] in 0–1: plane waves in random directions."""
        rng = np.random.default_rng(self.seed)
        direction = rng.normal(size=(3, _WAVES))
        direction /= np.linalg.norm(direction, axis=0)
        direction *= rng.uniform(0.6, 1.4, _WAVES)
        if self.kind == "wood":
            direction[2] *= 0.12
        start = rng.uniform(0, 2 * np.pi, (_WAVES, 1))
        # Single precision, since the cosines dominate the cost and errors of the amplitude are invisible.
        turns = (direction.T * (2 * np.pi / self.pitch)).astype(np.float32)
        waves = np.cos(turns @ points.T.astype(np.float32) + start.astype(np.float32))
        total = waves.sum(axis=0, dtype=np.float64) / np.sqrt(_WAVES / 2)
        return np.asarray(0.5 + 0.5 * np.tanh(0.9 * total))
