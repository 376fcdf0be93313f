"""`visuotactile collect`: simulate trials into a store."""

from __future__ import annotations

import os
import pkgutil
from typing import Any

import threadpoolctl

from visuotactile.datasets.fill import fill
from visuotactile.datasets.readers import Reader
from visuotactile.datasets.store import Store
from visuotactile.errors import SimulationError

KINDS = {
    "grasp": "grasps:Grasps",
    "gentle": "gentle_grasps:GentleGrasps",
    "press": "hardness.presses:Presses",
    "connectors": "connectors.pairs:Connectors",
}
"""Kind of trial → module in `visuotactile.sim`, and class."""

SIMULATIONS = 10
"""Consecutive trials per job of a worker: neighbours share the gels of their session."""


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
    """Simulate trials into a store.

    A killed run continues when started again. The bytes of the store do not depend on `workers`.

    Args:
        kind: grasp, gentle, press or connectors.
        store: folder to make, or to continue.
        workers: trials to simulate at once.
        shard_trials: trials in each file of the store; by default as many as make a file of about 128 MB.
        overwrite: replace a finished store.
        progress: show a progress bar.
        options: arguments of the kind's constructor: see `Grasps`, `GentleGrasps`, `Presses` and
            `Connectors`.

    Raises:
        SimulationError: there is no such kind, or the simulation cannot be set up.
    """
    if kind not in KINDS:
        raise SimulationError(f"there is no {kind!r} to collect; expected one of {', '.join(KINDS)}")
    trials: Reader = pkgutil.resolve_name(f"visuotactile.sim.{KINDS[kind]}")(**options)
    # A trial's matrices are too small for more threads.
    with threadpoolctl.threadpool_limits(1):
        return fill(
            trials,
            store,
            shard_trials=shard_trials,
            together=SIMULATIONS * len(getattr(trials, "examples", ("one",))),
            jobs=workers,
            overwrite=overwrite,
            progress=progress,
        )
