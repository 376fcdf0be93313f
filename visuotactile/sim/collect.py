"""`visuotactile collect`: simulate trials into a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import threadpoolctl

from visuotactile.datasets.fill import fill
from visuotactile.datasets.readers import Reader
from visuotactile.datasets.store import Store
from visuotactile.errors import SimulationError
from visuotactile.sim.connectors.pairs import Connectors
from visuotactile.sim.grasps import Grasps
from visuotactile.sim.hardness.presses import Presses

KINDS: dict[str, Callable[..., Any]] = {
    "grasp": Grasps,
    "press": Presses,
    "connectors": Connectors,
}

A_JOB = 10
"""Grasps, presses or pairs that a worker makes at a time: neighbours share the gels of their session."""


def collect(
    kind: str,
    store: str | os.PathLike[str],
    *,
    workers: int = 1,
    shard_trials: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **options: Any,
) -> Store:
    """Simulate trials of one kind into a store, and open it.

    `options` are the kind's own: see `Grasps`, `Presses` and `Connectors`. Killed at any moment and started
    again it continues; the bytes are the same whatever the number of `workers`.
    """
    if kind not in KINDS:
        raise SimulationError(f"there is no {kind!r} to collect; expected one of {', '.join(KINDS)}")
    trials = cast(Reader, KINDS[kind](**options))
    with threadpoolctl.threadpool_limits(
        1
    ):  # the matrices of a trial are small: more threads would only spin
        return fill(
            trials,
            store,
            shard_trials=shard_trials,
            together=A_JOB * (len(trials.examples) if isinstance(trials, Grasps) else 1),
            jobs=workers,
            overwrite=overwrite,
            progress=progress,
        )
