"""Conformance: what holds for every reader. Another one is a function in `READERS`, which makes it small."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trials import same

from visuotactile.datasets import readers
from visuotactile.datasets.fill import fill
from visuotactile.datasets.readers import Reader, open_reader
from visuotactile.datasets.trial import Trial
from visuotactile.sim.connectors.pairs import Connectors
from visuotactile.sim.gentle_grasps import GentleGrasps
from visuotactile.sim.hardness.presses import Presses

Write = Callable[..., None]


class First:
    """The first two trials of a reader."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.name, self.settings, self.names = reader.name, reader.settings, reader.names[:2]
        self.embodiment = reader.embodiment

    def __len__(self) -> int:
        return 2

    def trial(self, i: int) -> Trial:
        return self.reader.trial(i)


def recorded(name: str, root: Path, request: pytest.FixtureRequest) -> Reader:
    """A reader over tiny recordings."""
    if name == "calandra2017":
        request.getfixturevalue("write_calandra")(root / "calandra_corl2017_000.h5", ["mug", "can"])
    elif name == "calandra2017-raw":
        for thing in ("mug", "can"):
            request.getfixturevalue("write_raw")(root / f"{thing}.hdf5", thing)
    elif name == "gentle-grasping":
        request.getfixturevalue("write_gentle")(root)
    elif name == "incipient-slip":
        request.getfixturevalue("write_slips")(root, {"training/mug/3": 32, "training/can/4": 32})
        return open_reader(name, root, {"before": "early"})
    elif name == "folder":
        request.getfixturevalue("write_folder")(root)
    elif name == "shapes":
        return open_reader(name, None)
    return open_reader(name, root)


SIMULATED: dict[str, Callable[[], Reader]] = {
    "gentle": lambda: GentleGrasps(trials=1, camera_size=16),
    "presses": lambda: Presses(trials=2, frames=2),
    "connectors": lambda: Connectors(size=16),
}


@pytest.fixture(scope="module", params=[*readers.READERS, *SIMULATED])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    if request.param in SIMULATED:
        return First(SIMULATED[request.param]())
    return First(recorded(request.param, tmp_path_factory.mktemp("recordings"), request))


def test_trials_come_by_the_names_that_are_listed(reader: Reader) -> None:
    assert [reader.trial(i).name for i in range(len(reader))] == list(reader.names)
    assert len(set(reader.names)) == len(reader)


def test_a_trial_is_the_same_in_another_process_and_order(reader: Reader) -> None:
    trials = [reader.trial(i) for i in range(len(reader))]
    alike = pickle.loads(pickle.dumps(reader))
    assert all(same(alike.trial(i), trials[i]) for i in reversed(range(len(reader))))


def test_settings_are_plain_json(reader: Reader) -> None:
    assert json.loads(json.dumps(reader.settings)) == dict(reader.settings)


def test_a_store_holds_the_trials_and_the_declaration(reader: Reader, tmp_path: Path) -> None:
    store = fill(reader, tmp_path / "store", progress=False)
    assert store.embodiment == reader.embodiment
    for i in range(len(reader)):
        trial = reader.trial(i)
        for stream, phase in store.specs:
            found = store.read(stream, phase, [i], labelling=True)[0]
            np.testing.assert_array_equal(found, trial.streams[stream][phase])
        if reader.embodiment is not None:
            reader.embodiment.check_trial(trial)


def test_all_but_a_folder_of_unknown_origin_declare_who_recorded(reader: Reader) -> None:
    assert (reader.embodiment is None) == (reader.name == "folder")
