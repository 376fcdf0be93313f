"""Joining stores: the whole is the store that would have been written at once, or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visuotactile.cli import main
from visuotactile.datasets import join as module
from visuotactile.datasets.join import join
from visuotactile.datasets.splits import Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.errors import OutputExistsError, StoreError

MakeTrial = Callable[..., Trial]
Write = Callable[..., Store]


@pytest.fixture
def write(make_trial: MakeTrial, tmp_path: Path) -> Write:
    """A store NAME of the trials numbered so; any field of a trial may be replaced."""

    def write(name: str, numbers: range, *, dataset: str = "made up", **changes: object) -> Store:
        trials = [make_trial(i, **changes) for i in numbers]
        return write_store(
            tmp_path / name,
            lambda indices: (trials[i] for i in indices),
            dataset=dataset,
            source=name,
            settings={"part": name},
            names=[trial.name for trial in trials],
            example=trials[0],
            shard_trials=3,
        )

    return write


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_joined_store_is_to_its_reader_the_one_written_at_once(write: Write, tmp_path: Path) -> None:
    parts = [write("a", range(5)), write("b", range(5, 6)), write("c", range(6, 11))]
    whole, found = write("whole", range(11)), join([part.path for part in parts], tmp_path / "joined")
    assert found.names.tolist() == whole.names.tolist()
    for column in whole.columns:
        np.testing.assert_array_equal(found.column(column), whole.column(column))
    rows = np.random.default_rng(0).permutation(11)
    for stream, phase in whole.specs:
        expected = whole.read(stream, phase, rows, labelling=True)
        np.testing.assert_array_equal(found.read(stream, phase, rows, labelling=True), expected)
    assert found.fingerprint == whole.fingerprint
    split = make_split(whole, "object:2")
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json", found) == split


def test_it_says_what_its_parts_were_made_with(write: Write, tmp_path: Path) -> None:
    parts = [write("a", range(4)), write("b", range(4, 6))]
    assert join([part.path for part in parts], tmp_path / "joined").index["settings"] == {
        "joined": [
            {
                "trials": len(part),
                "fingerprint": part.fingerprint,
                "source": name,
                "settings": {"part": name, "shard_trials": 3},
            }
            for name, part in zip("ab", parts, strict=True)
        ]
    }


def test_joined_stores_can_be_joined(write: Write, tmp_path: Path) -> None:
    first = join([write("a", range(4)).path, write("b", range(4, 6)).path], tmp_path / "first")
    second = join([first.path, write("c", range(6, 9)).path], tmp_path / "second")
    assert second.fingerprint == write("whole", range(9)).fingerprint


def test_shards_take_no_room_and_outlive_their_parts(write: Write, tmp_path: Path) -> None:
    parts = [write("a", range(5)), write("b", range(5, 9))]
    found = join([part.path for part in parts], tmp_path / "joined")
    before = contents(found.path)
    assert os.path.samefile(found.path / "shard-00002.h5", parts[1].path / "shard-00000.h5")
    shutil.rmtree(parts[0].path)
    trial = parts[1].path / "shard-00000.h5"
    trial.unlink()
    trial.write_bytes(b"made again")
    assert contents(found.path) == before
    Store(found.path)


def test_shards_are_copied_where_they_cannot_be_linked(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [write("a", range(5)).path, write("b", range(5, 9)).path]
    linked = contents(join(parts, tmp_path / "linked").path)

    def refuse(source: object, to: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    found = join(parts, tmp_path / "copied")
    assert contents(found.path) == linked
    assert not os.path.samefile(found.path / "shard-00000.h5", parts[0] / "shard-00000.h5")


def test_the_same_join_again_is_opened_and_anything_else_is_kept(write: Write, tmp_path: Path) -> None:
    a, b, c = write("a", range(3)).path, write("b", range(3, 6)).path, write("c", range(6, 9)).path
    out = tmp_path / "joined"
    join([a, b], out)
    stamp, before = (out / "store.json").stat().st_mtime_ns, contents(out)
    assert len(join([a, b], out)) == 6
    assert (out / "store.json").stat().st_mtime_ns == stamp
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    for stores, place in (
        ([a, c], out),
        ([b, a], out),
        ([a, b], a),
        ([a, b], tmp_path / "other"),
        ([a, b], tmp_path / "file"),
    ):
        with pytest.raises(OutputExistsError, match="exists already and is not this join"):
            join(stores, place)
    assert contents(out) == before
    assert len(Store(a)) == 3


def test_a_join_that_is_cut_short_leaves_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [write("a", range(5)).path, write("b", range(5, 9)).path]
    real, done = module._link, []

    def run_out(shard: Path, to: Path) -> None:
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(real(shard, to))

    with monkeypatch.context() as patched:
        patched.setattr(module, "_link", run_out)
        with pytest.raises(OSError, match="No space left"):
            join(parts, tmp_path / "joined")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert len(join(parts, tmp_path / "joined")) == 9


def test_stores_that_are_not_alike_are_refused_by_their_first_difference(
    write: Write, make_trial: MakeTrial, tmp_path: Path
) -> None:
    a = write("a", range(3)).path
    streams = make_trial().streams
    larger = {"tactile_left": {**streams["tactile_left"], "before": np.zeros((4, 7, 3), np.uint8)}}
    others = {
        r"tactile_left/before is uint8 \(4, 7, 3\) in .*b0, but uint8 \(4, 6, 3\) in .*a;": {
            "streams": {**streams, **larger}
        },
        "audio/lift is absent in": {"streams": {"tactile_left": streams["tactile_left"]}},
        "column action/force is absent in": {"action": {}},
        "column pose/x is number in .*, but absent in": {"vectors": {"pose": {"x": 0.0}}},
        "column column/weight is text in .*, but number in": {
            "columns": {"official_split": "test", "weight": "heavy"}
        },
    }
    for number, (said, changes) in enumerate(others.items()):
        b = write(f"b{number}", range(3, 6), **changes)
        with pytest.raises(StoreError, match=said):
            join([a, b.path], tmp_path / "joined")
    with pytest.raises(StoreError, match=r"c holds another, .*a made up; only stores of one dataset"):
        join([a, write("c", range(3, 6), dataset="another").path], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_no_trial_is_in_a_joined_store_twice(write: Write, tmp_path: Path) -> None:
    a, b = write("a", range(4)).path, write("b", range(3, 6)).path
    with pytest.raises(StoreError, match=r"trial 'trial-003' is in .*a and in .*b; .* --first N"):
        join([a, b], tmp_path / "joined")
    with pytest.raises(StoreError, match="trial 'trial-000' is in"):
        join([a, a], tmp_path / "joined")
    with pytest.raises(StoreError, match="at least two"):
        join([a], tmp_path / "joined")


def test_an_unfinished_or_damaged_part_is_named(write: Write, tmp_path: Path) -> None:
    a, b = write("a", range(4)).path, write("b", range(4, 8)).path
    shard = b / "shard-00001.h5"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"b/shard-00001\.h5"):
        join([a, b], tmp_path / "joined")
    (b / "store.json").rename(b / "store.part.json")
    with pytest.raises(StoreError, match="b is not finished"):
        join([a, b], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_the_command_joins_and_says_what_it_made(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["join", *(str(write(name, numbers).path) for name, numbers in NUMBERS.items())]
    assert main([*words, str(tmp_path / "joined")]) == 0
    assert capsys.readouterr().out.startswith(f"Store: {tmp_path / 'joined'}\nNext: visuotactile look ")
    assert main([*words, str(tmp_path / "a")]) == 2
    assert "give another OUT" in capsys.readouterr().err


NUMBERS = {"a": range(2), "b": range(2, 4), "c": range(4, 6)}
