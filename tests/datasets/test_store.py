import json
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, StoreError

MakeTrial = Callable[..., Trial]
MakeStore = Callable[..., Store]


def _sum(store: Store) -> int:
    return int(store.read("tactile_left", "before", np.arange(len(store))).sum())


def test_a_store_gives_back_every_trial_as_it_was(make_store: MakeStore, make_trial: MakeTrial) -> None:
    store = Store(make_store(10).path)
    assert len(store) == 10
    for i in range(10):
        trial = make_trial(i)
        assert store.names[i] == trial.name
        assert store.objects[i] == trial.object
        for (stream, phase), spec in store.specs.items():
            expected = trial.streams[stream][phase]
            found = store.read(stream, phase, [i], labelling=phase == "after")[0]
            assert (spec.shape, spec.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_array_equal(found, expected)
        for column in ("outcome/success", "action/force", "hidden/friction", "column/official_split"):
            group, key = column.split("/")
            assert store.column(column)[i] == trial.table()[group][key]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_any_rows_in_any_order_are_what_a_loop_would_read(make_store: MakeStore, data: st.DataObject) -> None:
    store = make_store(11, shard_trials=3)
    rows = data.draw(st.lists(st.integers(0, 10), max_size=30) | st.just(list(range(2, 11))))
    frames = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    clips = store.read("tactile_left", "during", np.array(rows, np.int32))
    assert clips.shape == (len(rows), 3, 4, 6, 3)
    images = store.read("tactile_left", "during", rows, frames)
    for clip, image, row, frame in zip(clips, images, rows, frames, strict=True):
        np.testing.assert_array_equal(clip, store.read("tactile_left", "during", [row])[0])
        np.testing.assert_array_equal(image, clip[frame])


def test_what_is_read_belongs_to_the_reader(make_store: MakeStore) -> None:
    store = make_store()
    batch = store.read("tactile_left", "before", np.arange(10))
    before = batch.copy()
    batch[:] = 0
    np.testing.assert_array_equal(store.read("tactile_left", "before", np.arange(10)), before)


def test_the_phase_that_shows_the_outcome_is_for_labelling_only(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(ContractError, match="shows the outcome"):
        store.read("tactile_left", "after", [0])
    assert store.read("tactile_left", "after", [0], labelling=True).shape == (1, 4, 6, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rgb", "during", [0]), "has no rgb/during; it has audio/lift"),
        (("tactile_left", "lift", [0]), "has no tactile_left/lift"),
        (("tactile_left", "before", [10]), "there are 10"),
        (("tactile_left", "before", [-1]), "from -1"),
        (("tactile_left", "before", [0.5]), "whole numbers"),
        (("tactile_left", "before", [True]), "whole numbers"),
        (("tactile_left", "before", 3), "whole numbers"),
        (("tactile_left", "before", [0], [0]), "not a clip"),
        (("tactile_left", "during", [0], [3]), "there are 3"),
        (("tactile_left", "during", [0, 1], [0]), "one frame for each"),
    ],
)
def test_a_wrong_question_is_answered_with_what_there_is(
    make_store: MakeStore, arguments: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        make_store().read(*arguments)


def test_a_column_is_found_by_its_last_name_when_there_is_only_one(make_store: MakeStore) -> None:
    store = make_store(4, action={"success": 2.0, "force": 1.0})
    assert store.column("force").tolist() == [1, 1, 1, 1]
    assert store.column("outcome/success").tolist() == [0, 1, 0, 1]
    with pytest.raises(StoreError, match=r"outcome/success, action/success"):
        store.column("success")
    with pytest.raises(StoreError, match="no column 'colour'"):
        store.column("colour")


def test_hidden_truth_is_never_found_by_a_short_name(make_store: MakeStore) -> None:
    store = make_store()
    assert store.column("hidden/friction").shape == (10,)
    with pytest.raises(StoreError, match="no column 'friction'"):
        store.column("friction")


def test_the_fingerprint_tells_content_not_place_or_sharding(make_store: MakeStore) -> None:
    store = make_store(6, "a", shard_trials=2)
    assert make_store(6, "b", shard_trials=5).fingerprint == store.fingerprint
    assert make_store(5, "c").fingerprint != store.fingerprint
    assert make_store(6, "d", session="another").fingerprint != store.fingerprint


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_store_crosses_into_other_processes(make_store: MakeStore, method: str) -> None:
    store = make_store()
    total = _sum(store)
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(_sum, store).result() == total
    assert _sum(pickle.loads(pickle.dumps(store))) == total


def test_a_truncated_shard_is_an_error_that_names_it_and_never_a_crash(make_store: MakeStore) -> None:
    store = make_store()
    shard = store.path / "shard-00001.h5"
    whole = shard.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        shard.write_bytes(whole[:length])
        with pytest.raises(StoreError, match=r"shard-00001\.h5 has .* bytes, .* were written"):
            Store(store.path)
    index = json.loads((store.path / "store.json").read_text())
    index["shards"][1]["bytes"] = len(whole) // 2
    shard.write_bytes(whole[: len(whole) // 2])
    (store.path / "store.json").write_text(json.dumps(index))
    with pytest.raises(StoreError, match=r"shard-00001\.h5"):
        Store(store.path)


def test_a_shard_that_shrinks_while_the_store_is_open_is_an_error(make_store: MakeStore) -> None:
    store = make_store()
    shard = store.path / "shard-00002.h5"
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(StoreError, match="has changed while the store was open"):
        store.read("tactile_left", "before", [9])


def test_a_missing_shard_is_named(make_store: MakeStore) -> None:
    store = make_store()
    (store.path / "shard-00002.h5").unlink()
    with pytest.raises(StoreError, match=r"shard-00002\.h5 is missing"):
        Store(store.path)


def test_a_shard_of_another_layout_is_refused(make_store: MakeStore) -> None:
    store = make_store()
    shard = store.path / "shard-00000.h5"
    with h5py.File(shard, "r+") as file:
        old = file["tactile_left/before"][()]
        del file["tactile_left/before"]
        file.create_dataset("tactile_left/before", data=old, chunks=(1, 4, 6, 3), compression="gzip")
    index = json.loads((store.path / "store.json").read_text())
    index["shards"][0]["bytes"] = shard.stat().st_size
    (store.path / "store.json").write_text(json.dumps(index))
    with pytest.raises(StoreError, match="does not lie whole in the file"):
        Store(store.path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 3},
        {"embodiment": {"name": "robot"}},
        {"finished": False},
        {"dataset": 3},
        {"shards": []},
        {"shards": [{"trials": "4", "bytes": 1}]},
        {"shards": [{"trials": True, "bytes": 1}]},
        {"layout": None},
        {"layout": {"arrays": [], "columns": {}}},
        {
            "layout": {
                "arrays": [{"stream": "a", "phase": "b", "shape": [-1], "dtype": "uint8"}],
                "columns": {},
            }
        },
        {
            "layout": {
                "arrays": [{"stream": "a", "phase": "b", "shape": [1], "dtype": "object"}],
                "columns": {},
            }
        },
    ],
)
def test_a_damaged_index_is_a_store_error(make_store: MakeStore, change: dict[str, Any]) -> None:
    store = make_store()
    index = json.loads((store.path / "store.json").read_text())
    (store.path / "store.json").write_text(json.dumps(index | change))
    with pytest.raises(StoreError):
        Store(store.path)


def test_a_folder_that_is_no_store_or_not_finished_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Store(tmp_path)
    (tmp_path / "store.part.json").write_text("{}")
    with pytest.raises(StoreError, match="not finished; run the command"):
        Store(tmp_path)
