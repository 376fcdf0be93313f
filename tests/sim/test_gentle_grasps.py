"""Gentle grasps: three state–action pairs of a trial, its labels, and a collection that is its seed's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visuotactile.datasets.grasp_labels import is_gentle
from visuotactile.datasets.store import Store
from visuotactile.encoders.contract import InputContract
from visuotactile.errors import ContractError, SimulationError
from visuotactile.sim.collect import collect
from visuotactile.sim.gentle_grasps import EXAMPLES, GentleGrasps
from visuotactile.sim.hands.fingers import HEIGHTS, LEAST, PRESET, all_joints


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("gentle") / "store"
    options = {"trials": 6, "camera_size": 32, "seed": 4, "workers": 2}
    return collect("gentle", folder, progress=False, shard_trials=9, **options)


def test_each_trial_gives_three_pairs_of_one_outcome(store: Store) -> None:
    assert store.column("column/example").tolist() == [*EXAMPLES] * 6
    for name in ("stable", "gentle", "peak"):
        assert (np.ptp(store.column(f"outcome/{name}").reshape(6, 3), axis=1) == 0).all()


def test_the_states_are_the_preset_the_minimum_and_the_regrasp(store: Store) -> None:
    joints = np.stack([store.column(f"joints/joint_{number}") for number in range(16)], axis=1).reshape(
        6, 3, 16
    )
    np.testing.assert_array_equal(joints[:, 0], np.tile(all_joints(PRESET), (6, 1)))
    np.testing.assert_array_equal(joints[:, 1], np.tile(all_joints(LEAST), (6, 1)))
    for number in (5, 6, 7, 14, 15):
        action = store.column(f"action/joint_{number}").reshape(6, 3)
        np.testing.assert_array_equal(action, np.tile(joints[:, 2, number][:, None], 3))
    moved = np.stack([store.column(f"action/{name}") for name in ("dx", "dy", "dz", "dyaw")]).reshape(4, 6, 3)
    assert (moved[:, :, 2] == 0).all()
    assert (moved[:, :, 0] != 0).all()
    height = store.column("pose/z").reshape(6, 3)
    np.testing.assert_allclose(height[:, 2], height[:, 0] + moved[2, :, 0])
    assert ((height >= HEIGHTS[0] - 1e-9) & (height <= HEIGHTS[1] + 1e-9)).all()


def test_gentleness_is_labelled_from_the_sound_of_the_regrasp(store: Store) -> None:
    sounds = store.read("sound", "regrasp", np.arange(len(store)), labelling=True)
    np.testing.assert_array_equal([is_gentle(sound) for sound in sounds], store.column("gentle"))


def test_the_sound_of_the_regrasp_is_no_input(store: Store) -> None:
    with pytest.raises(ContractError, match="'regrasp' shows the outcome"):
        store.read("sound", "regrasp", [0])
    heard = InputContract(
        streams=("sound",), phase="first", reference=None, size=151, kind="sound", rate=44_100, microphones=2
    )
    assert heard.phase == "first"
    assert store.embodiment is not None
    assert "sound/first" in store.embodiment.observations
    assert "sound/regrasp" not in store.embodiment.observations


def test_the_bytes_do_not_depend_on_the_number_of_workers(store: Store, tmp_path: Path) -> None:
    options = {"trials": 6, "camera_size": 32, "seed": 4}
    alone = collect("gentle", tmp_path / "store", progress=False, shard_trials=9, **options)
    for shard in sorted(store.path.glob("shard-*.h5")):
        assert shard.read_bytes() == (alone.path / shard.name).read_bytes()


def test_a_collection_continues_where_another_ended(store: Store) -> None:
    later = GentleGrasps(trials=2, camera_size=32, seed=4, first=4)
    assert later.names[0] == "gentle-000004-regrasp"
    found = later.trial(1)
    np.testing.assert_array_equal(found.streams["rgb"]["during"], store.read("rgb", "during", [13])[0])


def test_gels_and_laboratory_change_with_the_session() -> None:
    grasps = GentleGrasps(trials=4, camera_size=32, session_trials=2)
    sessions = [grasps.lab(number, rendered=False).session for number in range(4)]
    assert sessions[0] == sessions[1] != sessions[2] == sessions[3]
    with pytest.raises(SimulationError, match="session_trials=-1"):
        GentleGrasps(trials=4, session_trials=-1)
