"""Shore 00 and Shore A hardness of rubber, and Young's modulus [pascals].

Functions take numbers or arrays. `modulus → reading` clips at the ends of the scale, 0 and 100, since a
durometer does too: what is softer reads 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from visuotactile.errors import ContractError
from visuotactile.mechanics.hertz import POISSON

Number = Any
"""A float or a float64 array."""

_STEPS = 10_000
"""Readings between which the inverse of the 00 scale interpolates; its error is below 0.001 degrees."""


def shore_a_modulus(hardness: Number) -> Number:
    """Young's modulus of a rubber of Shore A `hardness` in [0, 100).

    Gent 1958, "On the relation between indentation hardness and Young's modulus": the durometer's spring
    presses a steel frustum, taken as a flat punch of 0.79 mm, into a half-space.
    """
    s = _in_scale(hardness, "Shore A")
    return 1e6 * 0.0981 * (56 + 7.62336 * s) / (0.137505 * (254 - 2.54 * s))


def shore_a(modulus: Number) -> Number:
    """Shore A hardness of a rubber of Young's modulus `modulus`; the inverse of `shore_a_modulus`."""
    k = 0.137505 * np.asarray(modulus, np.float64) / (1e6 * 0.0981)
    return np.clip((254 * k - 56) / (7.62336 + 2.54 * k), 0, 100)[()]


def shore_00_modulus(hardness: Number) -> Number:
    """Young's modulus of a rubber of Shore 00 `hardness` in [0, 100).

    The same balance for the 00 durometer of ASTM D2240, as Mix and Giacomin 2011 ("Standardized polymer
    durometry") write it for every scale: a ball of 1.19 mm radius protrudes by 2.54 mm, of which the share
    (100 − reading) / 100 sinks in, under a spring of 0.203 N + 9.08 mN per degree; ball on half-space by
    Hertz. Below 53 it sinks deeper than its radius, where Hertz is only a monotonic convention.
    """
    s = _in_scale(hardness, "Shore 00")
    force, depth = 0.203 + 0.00908 * s, 2.54e-3 * (1 - s / 100)
    return 0.75 * (1 - POISSON**2) * force / (np.sqrt(1.19e-3) * depth**1.5)


def shore_00(modulus: Number) -> Number:
    """Shore 00 hardness of a rubber of Young's modulus `modulus`; the inverse of `shore_00_modulus`."""
    readings = np.linspace(0, 100, _STEPS, endpoint=False)
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(modulus, np.float64))
    return np.interp(logs, np.log(shore_00_modulus(readings)), readings)[()]


MODULUS: dict[str, Callable[[Number], Number]] = {"00": shore_00_modulus, "a": shore_a_modulus}
"""Scale → conversion of its readings to Young's modulus."""

READING: dict[str, Callable[[Number], Number]] = {"00": shore_00, "a": shore_a}
"""Scale → conversion of Young's modulus to its readings."""


def _in_scale(hardness: Number, scale: str) -> Number:
    s = np.asarray(hardness, np.float64)
    if not np.all((s >= 0) & (s < 100)):
        raise ContractError(f"{scale} hardness {hardness!r}; a durometer reads from 0 to below 100")
    return s[()]
