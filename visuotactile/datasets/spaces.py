"""Gymnasium spaces of an embodiment's actions and observations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from visuotactile.datasets.embodiment import Dimension, Embodiment
from visuotactile.errors import ContractError

LIFT = Dimension("lift", "", -1, 1)
"""Last number of an action in an environment: if above 0, the hand lifts once it has closed."""


def action_space(embodiment: Embodiment) -> spaces.Box:
    """A box float32 [D + 1] of the motion, then the hand, then `LIFT`."""
    return _box((*embodiment.action, LIFT))


def observation_space(embodiment: Embodiment) -> spaces.Dict:
    """Streams at STREAM/PHASE, for the phases that a policy may see, and vectors float32 by name."""
    found: dict[str, spaces.Space[npt.NDArray[np.generic]]] = {}
    for name, stream in embodiment.observations.items():
        shape, dtype = stream.shapes[name.rpartition("/")[2]], stream.dtype
        if stream.kind == "map":
            found[name] = spaces.Box(-np.inf, np.inf, shape, np.float32)
        else:
            limits = np.iinfo(dtype)
            found[name] = spaces.Box(limits.min, limits.max, shape, dtype.type)
    found |= {vector.name: _box(vector.entries) for vector in embodiment.vectors}
    return spaces.Dict(found)


def named_action(embodiment: Embodiment, action: npt.ArrayLike) -> dict[str, float]:
    """The numbers [D + 1] of an action in an environment by name, `LIFT` last.

    Raises:
        ContractError: the action has another shape.
    """
    names = [*(each.name for each in embodiment.action), LIFT.name]
    values = np.asarray(action, np.float64)
    if values.shape != (len(names),):
        raise ContractError(
            f"an action has shape {values.shape}; expected ({len(names)},): {', '.join(names)}"
        )
    return dict(zip(names, values.tolist(), strict=True))


def _box(dimensions: Sequence[Dimension]) -> spaces.Box:
    low, high = zip(*((each.low, each.high) for each in dimensions), strict=True)
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
