import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.errors import OutputExistsError, StoreError

MakeTrial = Callable[..., Trial]


class _StopError(Exception):
    pass


def _write(path: Path, trials: list[Trial], make: Any = None, **changes: Any) -> Store:
    arguments: dict[str, Any] = {
        "dataset": "made up",
        "source": "here",
        "settings": {"size": None},
        "names": [trial.name for trial in trials],
        "example": trials[0],
        "shard_trials": 3,
    }
    return write_store(path, make or (lambda indices: (trials[i] for i in indices)), **(arguments | changes))


def _content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def trials(make_trial: MakeTrial) -> list[Trial]:
    return [make_trial(i) for i in range(8)]


def test_an_interrupted_run_continues_and_ends_with_the_same_bytes(
    tmp_path: Path, trials: list[Trial]
) -> None:
    def stops_at_5(indices: range) -> Iterable[Trial]:
        for i in indices:
            if i == 5:
                raise _StopError
            yield trials[i]

    asked: list[int] = []

    def goes_on(indices: range) -> Iterable[Trial]:
        asked.extend(indices)
        return (trials[i] for i in indices)

    with pytest.raises(_StopError):
        _write(tmp_path / "a", trials, stops_at_5)
    assert sorted(_content(tmp_path / "a")) == ["shard-00000.h5", "store.part.json"]
    _write(tmp_path / "a", trials, goes_on)
    assert asked == [3, 4, 5, 6, 7]
    _write(tmp_path / "b", trials)
    assert _content(tmp_path / "a") == _content(tmp_path / "b")


def test_leftovers_of_a_killed_run_are_swept_up(tmp_path: Path, trials: list[Trial]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".shard-00000.h5.abc123.part").write_bytes(b"half")
    (tmp_path / "a" / ".store.part.json.abc123.part").write_bytes(b"half")
    _write(tmp_path / "a", trials)
    assert not list((tmp_path / "a").glob(".*"))


def test_a_damaged_shard_of_an_unfinished_store_is_made_again(tmp_path: Path, trials: list[Trial]) -> None:
    def stops_at_7(indices: range) -> Iterable[Trial]:
        for i in indices:
            if i == 7:
                raise _StopError
            yield trials[i]

    with pytest.raises(_StopError):
        _write(tmp_path / "a", trials, stops_at_7)
    shard = tmp_path / "a" / "shard-00000.h5"
    shard.write_bytes(shard.read_bytes()[:-50])
    store = _write(tmp_path / "a", trials)
    np.testing.assert_array_equal(
        store.read("tactile_left", "before", [0])[0], trials[0].streams["tactile_left"]["before"]
    )


def test_an_unfinished_store_with_other_settings_is_refused(tmp_path: Path, trials: list[Trial]) -> None:
    def stops(indices: range) -> Iterable[Trial]:
        raise _StopError

    with pytest.raises(_StopError):
        _write(tmp_path, trials, stops)
    for changes, said in (
        ({"settings": {"size": 3}}, "other settings: settings.size null → 3"),
        ({"source": "there"}, "source here → there"),
        ({"shard_trials": 4}, "other settings"),
        ({"names": [trial.name for trial in trials[:7]]}, "other settings: names"),
    ):
        with pytest.raises(StoreError, match=said):
            _write(tmp_path, trials, **changes)
    assert len(_write(tmp_path, trials, settings={"size": 3}, overwrite=True)) == 8


def test_a_finished_store_is_kept_unless_overwritten(tmp_path: Path, trials: list[Trial]) -> None:
    def never(indices: range) -> Iterable[Trial]:
        raise AssertionError("a finished store was written again")

    _write(tmp_path, trials)
    before = _content(tmp_path)
    assert len(_write(tmp_path, trials, never)) == 8
    with pytest.raises(OutputExistsError, match="other settings"):
        _write(tmp_path, trials, never, settings={"size": 5})
    with pytest.raises(OutputExistsError, match="other trials"):
        _write(tmp_path, trials, never, names=[trial.name for trial in trials[::-1]])
    assert _content(tmp_path) == before
    assert len(_write(tmp_path, trials[:2], overwrite=True)) == 2


def test_two_writers_do_not_share_a_folder(tmp_path: Path, trials: list[Trial]) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="another process"):
        _write(tmp_path, trials)
    os.close(other)
    _write(tmp_path, trials)


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_peoples_files_are_left_alone(tmp_path: Path, trials: list[Trial], overwrite: bool) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(StoreError, match=r"holds other files \(thesis\.txt"):
        _write(tmp_path, trials, overwrite=overwrite)
    assert _content(tmp_path) == {"thesis.txt": b"dear"}
    with pytest.raises(StoreError, match="is a file"):
        _write(tmp_path / "thesis.txt", trials)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcomes": {}}, "column outcome/success is absent, but number in the first"),
        ({"outcomes": {"success": 1.0, "gentle": 1.0}}, "outcome/gentle is number, but absent"),
        ({"columns": {"official_split": 1.0, "weight": 1.0}}, "official_split is number, but text"),
        ({"streams": {"depth": {"during": np.zeros((4, 6), np.float32)}}}, "audio/lift is absent"),
        ({"name": "someone else"}, "came where 'trial-004' was announced"),
    ],
)
def test_a_trial_unlike_the_first_is_named(
    tmp_path: Path, trials: list[Trial], make_trial: MakeTrial, changes: dict[str, Any], said: str
) -> None:
    odd = [*trials[:4], make_trial(4, **changes), *trials[5:]]
    with pytest.raises(StoreError, match=said) as caught:
        _write(tmp_path, trials, lambda indices: (odd[i] for i in indices))
    assert repr(odd[4].name) in str(caught.value)
    assert sorted(_content(tmp_path)) == ["shard-00000.h5", "store.part.json"]


def test_another_shape_is_told_with_both_shapes(tmp_path: Path, make_trial: MakeTrial) -> None:
    first = make_trial(0, streams={"rgb": {"before": np.zeros((4, 6, 3), np.uint8)}})
    second = make_trial(1, streams={"rgb": {"before": np.zeros((4, 7, 3), np.uint8)}})
    with pytest.raises(StoreError, match=r"rgb/before is uint8 \(4, 7, 3\), but uint8 \(4, 6, 3\)"):
        _write(tmp_path, [first, second])


def test_names_are_unique_and_there_are_some(tmp_path: Path, trials: list[Trial]) -> None:
    with pytest.raises(StoreError, match="two trials are named 'trial-000'"):
        _write(tmp_path, [trials[0], trials[0]])
    with pytest.raises(StoreError, match="no trials"):
        _write(tmp_path, trials, names=[])


def test_too_few_or_too_many_trials_make_no_store(tmp_path: Path, trials: list[Trial]) -> None:
    with pytest.raises(StoreError, match="only 1 trials came where 8 were announced"):
        _write(tmp_path, trials, lambda indices: trials[:1])
    assert sorted(_content(tmp_path)) == ["store.part.json"]
    with pytest.raises(StoreError, match="trial 'trial-000' came where no more trials were announced"):
        _write(tmp_path, trials, lambda indices: [*trials, trials[0]])
    assert not (tmp_path / "store.json").exists()
