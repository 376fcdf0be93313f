"""Indentation of the gel by an object under a force: an elastic foundation (Johnson 1985, section 4.3).

Each column of the layer yields on its own. Its depth comes from the measured force, not
from the solver's penetration, which depends on the solver's settings. A compliant object is a second row of
springs in series: it takes its share of the approach, so that more columns meet and each is pressed in less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile.units import Gel

Array = npt.NDArray[np.float64]

PATCH = 1e-4
"""m²: the area over which an object's stiffness (N/m at a pad) is spread out, a usual contact of 1 cm²."""

_ROUGH = 16  # first on every 16th column: enough to come close
_EXACT = 1e-9


def pressure(gel: Gel, depth: Array) -> Array:
    """Pascals with which the gel answers where it is pressed in by `depth` ≥ 0 metres."""
    return gel.stiffness * depth * (1 + (depth / gel.hardening) ** 2)


def gel_share(gel: Gel, stiffness: float | None) -> float:
    """The gel's part of the approach against an object of `stiffness` N/m; 1 against a rigid one.

    It is the share of linear springs. The object's springs harden in the gel's proportion, as foams and
    fruit do, so that the share stays the same at every force.

    Raises `SimulationError` unless `stiffness` is positive.
    """
    if stiffness is None:
        return 1.0
    if not stiffness > 0:
        raise SimulationError(
            f"an object's stiffness is {stiffness!r} N/m; expected more than 0, or None if rigid"
        )
    own = stiffness / PATCH
    return own / (own + gel.stiffness)


def press(gel: Gel, gap: Array, area: float, force: float, share: float) -> Array:
    """The imprint [N], metres, of a surface `gap` [N] metres from the gel that is pressed with `force` ≥ 0 N.

    Each column stands for `area` m²; a gap may be infinite. The gel's reaction over all columns equals the
    force. Zero everywhere when there is no force, or nothing to press.
    """
    level = touching_gap(gel, gap, area, force, share)
    return np.zeros_like(gap) if level == -np.inf else share * np.maximum(level - gap, 0.0)


def touching_gap(gel: Gel, gap: Array, area: float, force: float, share: float) -> float:
    """The gap, metres, up to which columns are in contact; see `press`. −inf when there is no contact."""
    near = gap[np.isfinite(gap)]
    if force <= 0 or not near.size:
        return -np.inf
    level = float(near.min()) + 1e-4
    for columns, step in ((near[::_ROUGH], _ROUGH), (near, 1)):
        level = max(level, float(columns.min()) + 1e-6)
        level = _newton(gel, columns, area * step, force, share, level)
    return level


def _newton(gel: Gel, gap: Array, area: float, force: float, share: float, level: float) -> float:
    """Newton's method for the level at which the reaction is the force; safe, for the reaction is convex."""
    for _ in range(60):
        depth = level - gap
        depth = share * depth[depth > 0]
        square = (depth / gel.hardening) ** 2
        reaction = area * gel.stiffness * float(depth @ (1 + square))
        slope = area * gel.stiffness * share * float(len(depth) + 3 * square.sum())
        level -= (reaction - force) / slope
        if abs(reaction - force) <= _EXACT * force:
            break
    return level
