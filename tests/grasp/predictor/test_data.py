"""Examples of a store: who learns, who is held out, and what can never be an input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from predictor_helpers import grasp, grasp_store

from visuotactile.datasets.source import Source
from visuotactile.datasets.splits import hold_out, make_split
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, DataError, StoreError
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.examples import UNLABELLED, outcome_columns

READS = {
    "camera": Source(streams=("rgb",), side=36),
    "touch": Source(streams=("tactile_left",), reference="before", side=36),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Grasps of twelve objects."""
    return grasp_store(tmp_path_factory.mktemp("grasps") / "store")


def data(store: Store, **settings: Any) -> GraspData:
    found = GraspData(store.path, **({"reads": READS, "outcomes": ("success", "gentle")} | settings))
    found.setup()
    return found


def test_no_object_that_is_tested_or_held_out_is_learnt_from(store: Store, tmp_path: Path) -> None:
    split = make_split(store, "object:3")
    split.save(tmp_path / "split.json")
    for fold in range(3):
        found = data(store, split=tmp_path / "split.json", fold=fold, held_out=0.25)
        objects = {side: set(store.objects[rows]) for side, rows in found.rows.items()}
        assert len(objects["held_out"]) == 2
        assert len(objects["test"]) == 4
        assert not objects["train"] & (objects["held_out"] | objects["test"])
        assert not objects["held_out"] & objects["test"]
        assert sorted(np.concatenate(list(found.rows.values()))) == list(range(len(store)))
        batches = [*found.train_dataloader(), *found.val_dataloader()]
        seen = {int(row) for batch in batches for row in batch["row"]}
        assert not seen & set(split.indices(store, fold)[1].tolist())
        description = found.description()
        assert set(description["training_objects"]) == objects["train"]
        assert description["split_hash"] == split.hash


def test_trials_of_one_unit_are_held_out_together(store: Store) -> None:
    found = data(store, unit="session", held_out=0.5)
    sides = {side: set(store.sessions[rows].tolist()) for side, rows in found.rows.items()}
    assert sides == {"train": {"session-0"}, "held_out": {"session-1"}, "test": set()} or sides == {
        "train": {"session-1"},
        "held_out": {"session-0"},
        "test": set(),
    }
    with pytest.raises(DataError, match="2 of 2 sessions would be held out"):
        data(store, unit="session", held_out=0.9)


def test_a_batch_holds_what_the_store_does(store: Store) -> None:
    found = data(store, resident="memory")
    batch = next(iter(found.train_dataloader()))
    assert len(batch["row"]) == 16
    for place, row in enumerate(batch["row"].tolist()):
        trial = grasp(row)
        expected = [trial.action[name] for name in ("dx", "dy", "dz", "dyaw", "force")]
        np.testing.assert_allclose(batch["action"][place], expected, rtol=1e-6)
        for name, entries in trial.vectors.items():
            np.testing.assert_allclose(batch[name][place], [*entries.values()], rtol=1e-6)
        assert batch["outcome"][place].tolist() == [trial.outcomes["success"], trial.outcomes["gentle"]]
    assert batch["rgb/during"].shape == (16, 36, 36, 3)
    assert batch["rgb/during"].dtype == torch.uint8


def test_images_in_memory_are_those_on_disk(store: Store) -> None:
    memory, disk = (data(store, resident=where).train_dataloader() for where in ("memory", "disk"))
    for one, other in zip(memory, disk, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("phase", ["lift", "after"])
def test_what_comes_after_the_action_cannot_be_read(store: Store, phase: str) -> None:
    with pytest.raises(ContractError, match=f"{phase}.* (comes after the action|shows the outcome)"):
        data(store, reads={"touch": Source(streams=("tactile_left",), phase=phase, side=36)})


def test_hidden_truth_is_no_outcome(store: Store) -> None:
    with pytest.raises(ContractError, match="hidden truth"):
        data(store, outcomes=("hidden/friction",))


def test_a_missing_column_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="outcome/torn"):
        data(store, outcomes=("torn",))


def test_a_store_that_declares_no_robot_teaches_nothing(store: Store, tmp_path: Path) -> None:
    shutil.copytree(store.path, tmp_path / "store")
    index = json.loads((tmp_path / "store/store.json").read_text())
    (tmp_path / "store/store.json").write_text(json.dumps(index | {"embodiment": None}))
    with pytest.raises(DataError, match=r"store declares no embodiment.*collect or convert it again"):
        data(Store(tmp_path / "store"))
    idle = {**index["embodiment"], "motion": [], "hand": []}
    (tmp_path / "store/store.json").write_text(json.dumps(index | {"embodiment": idle}))
    with pytest.raises(DataError, match="is of parallel gripper, which declares no action"):
        data(Store(tmp_path / "store"))


def test_an_outcome_is_yes_no_or_not_recorded(tmp_path: Path) -> None:
    store = grasp_store(tmp_path / "store", trials=20)
    rows = np.arange(20)
    store.column("outcome/success")[7] = UNLABELLED
    assert outcome_columns(store, ("success",), rows)[7].tolist() == [UNLABELLED]
    store.column("outcome/success")[7] = 0.5
    with pytest.raises(DataError, match=r"success of grasp-7 in .* is 0.5; expected 1, 0, or -1"):
        outcome_columns(store, ("success",), rows)


def test_some_objects_are_held_out_and_never_all() -> None:
    objects = np.array(["a", "b", "c", "d"]).repeat(3)
    rows = np.arange(12)
    train, held_out = hold_out(objects, rows, 0.1, seed=0)
    assert len(held_out) == 3
    assert len(train) == 9
    assert len(hold_out(objects, rows, 0.0, seed=0)[1]) == 0
    assert len({objects[hold_out(objects, rows, 0.1, seed)[1][0]] for seed in range(20)}) == 4
    with pytest.raises(DataError, match="1 of 1 objects"):
        hold_out(objects, rows[:3], 0.1, seed=0)


def test_the_same_objects_are_held_out_when_more_is_recorded_of_them() -> None:
    names = np.array([f"object-{i:03d}" for i in range(60)])
    rng = np.random.default_rng(0)
    few = np.concatenate([names, rng.choice(names, 40)])
    more = np.concatenate([few, rng.choice(names, 500)])
    for seed in range(5):
        before, after = (
            set(objects[hold_out(objects, np.arange(len(objects)), 0.1, seed)[1]]) for objects in (few, more)
        )
        assert before == after
        assert len(before) == 6
        joined = np.concatenate([more, np.array(["a new object"])])
        now = set(joined[hold_out(joined, np.arange(len(joined)), 0.1, seed)[1]])
        assert len(before - now) <= 1


def test_what_is_held_out_has_the_success_rate_of_what_is_learnt_from() -> None:
    objects = np.array([f"object-{i:03d}" for i in range(60)]).repeat(20)
    rng = np.random.default_rng(0)
    success = (rng.random(1200) < rng.random(60).repeat(20)).astype(float)
    rows = np.arange(1200)

    def gap(train: np.ndarray, held: np.ndarray) -> float:
        assert len(np.unique(objects[held])) == 12
        assert not set(objects[train]) & set(objects[held])
        return abs(success[held].mean() - success[train].mean())

    drawn = [gap(*hold_out(objects, rows, 0.2, seed)) for seed in range(20)]
    balanced = [gap(*hold_out(objects, rows, 0.2, seed, balance=success)) for seed in range(20)]
    assert max(balanced) < 0.06
    assert np.mean(balanced) < 0.4 * np.mean(drawn)
    chosen = {tuple(hold_out(objects, rows, 0.2, seed, balance=success)[1]) for seed in range(5)}
    assert len(chosen) == 5  # other seeds hold others out
    unknown = np.where(objects == "object-000", np.nan, success)
    assert len(np.unique(objects[hold_out(objects, rows, 0.2, 0, balance=unknown)[1]])) == 12


def test_objects_are_held_out_by_name(store: Store) -> None:
    names = sorted(set(store.objects.tolist()))
    found = data(store, held_out=names[:2])
    assert found.description()["held_out_objects"] == names[:2]
    assert found.description()["training_objects"] == names[2:]
    with pytest.raises(DataError, match=r"held_out names nobody; expected objects that .* has"):
        data(store, held_out=[names[0], "nobody"])
    with pytest.raises(DataError, match="names every object"):
        data(store, held_out=names)


def test_too_few_examples_for_a_batch_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="do not fill one batch of 500"):
        next(iter(data(store, batch_size=500).train_dataloader()))
