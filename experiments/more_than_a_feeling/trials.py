"""Data of the experiment: simulated grasps, reduced copies for training, and splits."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import Embodiment, streams_of
from visuotactile.datasets.fill import fill, resize
from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.grasp.episodes.collecting import EpsilonGreedy
from visuotactile.sim.collect import collect

IMAGES = (
    ("rgb", "during"),
    *((f"tactile_{side}", phase) for side in ("left", "right") for phase in ("before", "during")),
)
"""Streams and phases that the predictors take."""

EXAMPLES = ("stay", "regrasp", "released")
"""Kinds of state–action pairs: the hand holds and stays; holds and regrasps; or is open and moves."""

TOGETHER = 32

PRIOR = 3
"""Prior regrasps, since the closed loop regrasps until it is confident and reaches such states."""


class Reduced:
    """Reader of a store's trials with the predictors' images alone.

    A training process reads every image before its first step; with touches already resized, that takes
    seconds instead of minutes.
    """

    name: ClassVar[str] = "simulated-grasps-reduced"
    description: ClassVar[str] = "simulated grasps, the predictors' images alone"

    def __init__(self, store: Store, side: int) -> None:
        """
        Args:
            store: store of trials with `IMAGES`.
            side: side of the touches, in pixels; the camera's image keeps its size.
        """
        self.path, self.side = store.path, side
        self.names: tuple[str, ...] = tuple(store.names.tolist())
        self.settings: Mapping[str, Any] = {"fingerprint": store.fingerprint, "side": side}

    @functools.cached_property
    def embodiment(self) -> Embodiment | None:
        """The store's embodiment with the remaining streams."""
        declared = _opened(self.path).embodiment
        return declared and dataclasses.replace(declared, streams=streams_of(self.trial(0)))

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Trial `i` without its hidden truth."""
        store = _opened(self.path)
        streams: dict[str, dict[str, Any]] = {}
        for stream, phase in IMAGES:
            image = store.read(stream, phase, [i])[0]
            square = image if stream == "rgb" else resize(image, (self.side, self.side))
            streams.setdefault(stream, {})[phase] = square

        def group(name: str) -> dict[str, Any]:
            named = [column for column in store.columns if column.startswith(f"{name}/")]
            return {column.partition("/")[2]: store.column(column)[i].item() for column in named}

        return Trial(
            name=self.names[i],
            streams=streams,
            object=str(store.objects[i]),
            session=str(store.sessions[i]),
            sensor=str(store.sensors[i]),
            outcomes=group("outcome"),
            action=group("action"),
            vectors={name: group(name) for name in store.vectors},
            columns=group("column"),
        )


@functools.lru_cache(maxsize=1)
def _opened(path: Path) -> Store:
    # Cached in each worker: a pickled store would be opened and checked for every job.
    return Store(path)


def collected(
    path: Path, grasps: int, camera_size: int, seed: int, workers: int, objects: str = "train"
) -> Store:
    """Simulated grasps with random regrasps, three state–action pairs each."""
    options: dict[str, Any] = {"trials": grasps, "objects": objects, "camera_size": camera_size, "seed": seed}
    return collect("grasp", path, workers=workers, **options)


def collected_on_policy(
    path: Path,
    predictor: Path,
    objective: str,
    grasps: int,
    camera_size: int,
    first: int,
    workers: int,
) -> Store:
    """Grasps whose regrasps, including up to `PRIOR` before the recorded one, a predictor's planner chose.

    Args:
        path: folder of the store.
        predictor: folder of the predictor.
        objective: objective of its planner.
        grasps: number of grasps.
        camera_size: side of the camera's image, in pixels.
        first: number of the first grasp, after the random ones.
        workers: number of parallel simulations.
    """
    options: dict[str, Any] = {
        "trials": grasps,
        "first": first,
        "camera_size": camera_size,
        "policy": EpsilonGreedy(predictor, objective=objective),
        "prior_regrasps": PRIOR,
        "seed": 0,
    }
    return collect("grasp", path, workers=workers, **options)


def reduced(store: Store, path: Path, side: int | None, workers: int) -> Store:
    """The same trials with the predictors' images alone, and touches of `side` pixels; all of it for None."""
    if side is None:
        return store
    return fill(Reduced(store, side), path, together=TOGETHER, jobs=workers)


def by_object(store: Store, path: Path, folds: int) -> Path:
    """The split of Table I: `folds` folds by object."""
    if not path.exists():
        make_split(store, f"object:{folds}").save(path)
    return path


def chosen_for_training(store: Store, split: Path, rows: npt.NDArray[np.bool_], path: Path) -> Path:
    """`split` with only the marked `rows` [trials] on its training sides; its test sides stay."""
    if not path.exists():
        whole = Split.load(split, store)
        kept = set(store.names[rows].tolist())
        folds = tuple(Fold(tuple(n for n in fold.train if n in kept), fold.test) for fold in whole.folds)
        Split(f"{whole.name}, part", whole.unit, folds, whole.fingerprint, whole.seed).save(path)
    return path
