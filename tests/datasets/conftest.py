"""Tiny recordings in exactly the layouts of the public datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recordings_layouts
from recordings_layouts import picture

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    """A small trial, a function of its number, any field of which may be replaced."""

    def make(i: int = 0, **changes: Any) -> Trial:
        rng = np.random.default_rng(i)
        fields: dict[str, Any] = {
            "name": f"trial-{i:03d}",
            "streams": {
                "tactile_left": {
                    "before": picture(rng, 4, 6, 3),
                    "during": picture(rng, 3, 4, 6, 3),
                    "after": picture(rng, 4, 6, 3),
                },
                "depth": {"during": rng.random((4, 6), dtype=np.float32)},
                "audio": {"lift": rng.integers(-9, 9, (11, 2), dtype=np.int16)},
            },
            "object": f"object {'äbcd'[i % 4]}",
            "session": f"day {i % 3}",
            "sensor": "gel",
            "outcomes": {"success": float(i % 2)},
            "action": {"force": rng.random()},
            "hidden": {"friction": rng.random()},
            "columns": {"official_split": "test" if i % 4 == 3 else "train", "weight": float(i)},
        }
        return Trial(**(fields | changes))

    return make


@pytest.fixture
def make_store(make_trial: Callable[..., Trial], tmp_path: Path) -> Callable[..., Store]:
    """A store of `count` such trials."""

    def make(count: int = 10, name: str = "store", shard_trials: int = 4, **changes: Any) -> Store:
        trials = [make_trial(i, **changes) for i in range(count)]
        return write_store(
            tmp_path / name,
            lambda indices: (trials[i] for i in indices),
            dataset="made up",
            source="",
            settings={},
            names=[trial.name for trial in trials],
            example=trials[0],
            shard_trials=shard_trials,
        )

    return make


@pytest.fixture(scope="session")
def write_calandra() -> Callable[..., None]:
    """The release's layout: one shard with one trial for each object name."""
    return recordings_layouts.write_calandra


@pytest.fixture(scope="session")
def write_raw() -> Callable[..., None]:
    """One raw grasp: image k of each stream is filled with k, and was taken k seconds after 100."""
    return recordings_layouts.write_raw


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., None]:
    """A video of a marker grid; frame k is as bright as 40 + 4·k."""
    return recordings_layouts.write_clip


@pytest.fixture(scope="session")
def write_slips() -> Callable[..., None]:
    """The incipient slip layout: experiments given as 'training/mug/3' → marker pitch."""
    return recordings_layouts.write_slips


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., None]:
    """A folder of images with a trials.csv; `changes` maps (row, column) to another cell."""
    return recordings_layouts.write_folder


@pytest.fixture(scope="session")
def write_gentle() -> Callable[..., Path]:
    """The authors' layout of gentle grasping: one folder of a grasp, any of whose arrays may be replaced."""
    return recordings_layouts.write_gentle
