"""Hardness as people read it: Shore 00, Shore A and megapascals, from log10 of Young's modulus in pascals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.mechanics.shore import shore_00, shore_a

Floats = npt.NDArray[np.float64]

LOG_MODULUS = "log_modulus"
"""Name of the number that has these scales, as the lab's outcome."""

SCALES: dict[str, Callable[[Floats], Floats]] = {
    "Shore 00": lambda log: np.asarray(shore_00(10**log)),
    "Shore A": lambda log: np.asarray(shore_a(10**log)),
}
"""Scale → its reading. What is softer than Shore A reads 0 there."""


def is_modulus(target: str) -> bool:
    """True if a column holds log10 of Young's modulus."""
    return target.rpartition("/")[2] == LOG_MODULUS


def readings(value: float, low: float, high: float) -> dict[str, Any]:
    """An estimate of log10 modulus and its interval on every scale.

    Returns:
        Scale → value, low, high; Shore A only where the value is on the scale.
    """
    ends = np.array([value, low, high])
    found = {name: scale(ends).tolist() for name, scale in SCALES.items()}
    found["MPa"] = (10**ends / 1e6).tolist()
    if found["Shore A"][0] <= 0:
        del found["Shore A"]
    return {name: dict(zip(("value", "low", "high"), each, strict=True)) for name, each in found.items()}


def spoken(found: dict[str, Any]) -> dict[str, str]:
    """Each reading with its interval in words: whole degrees, and two digits of megapascals."""
    texts = {}
    for name, each in found.items():
        if name == "MPa":
            texts[name] = "{value:.2g} [{low:.2g}, {high:.2g}]".format(**each)
        else:
            texts[name] = "{value:.0f} [{low:.0f}, {high:.0f}]".format(**each)
    return texts
