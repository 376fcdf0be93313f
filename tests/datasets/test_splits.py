import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.errors import SplitError, VisuotactileError

MakeStore = Callable[..., Store]


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(26, shard_trials=10)


@pytest.mark.parametrize(
    ("spec", "unit", "folds"),
    [("object:4", "object", 4), ("session:2", "session", 2), ("unit:column/weight:3", "column/weight", 3)],
)
def test_every_unit_is_tested_once_and_never_on_both_sides(
    store: Store, spec: str, unit: str, folds: int
) -> None:
    split = make_split(store, spec)
    assert (split.name, split.unit, len(split.folds)) == (spec, unit, folds)
    tested: Counter[str] = Counter()
    for number in range(folds):
        train, test = split.indices(store, number)
        values = store.column(unit)
        assert not set(values[train]) & set(values[test])
        assert sorted([*train, *test]) == list(range(len(store)))
        tested.update(store.names[test].tolist())
    assert tested == Counter(store.names.tolist())


def test_folds_by_trial_have_trials_of_one_object_on_both_sides(store: Store) -> None:
    split = make_split(store, "trial:5")
    assert split.unit == "trial"
    assert sorted(len(fold.test) for fold in split.folds) == [5, 5, 5, 5, 6]
    train, test = split.indices(store, 0)
    assert set(store.objects[test]) <= set(store.objects[train])
    assert not set(train) & set(test)


def test_folds_are_of_like_size_and_follow_the_seed(make_store: MakeStore) -> None:
    store = make_store(40, object="x", shard_trials=40, columns={})
    with pytest.raises(SplitError, match=r"5 folds by object: .* has 1"):
        make_split(store, "object")
    store = make_store(40, "b", shard_trials=40)
    split = make_split(store, "object:2", seed=3)
    assert [len(fold.test) for fold in split.folds] == [20, 20]
    assert make_split(store, "object:2", seed=3) == split
    assert any(make_split(store, "object:2", seed=seed) != split for seed in range(4, 12))


def test_a_random_split_has_the_counts_of_the_paper_and_says_that_its_unit_is_the_trial(store: Store) -> None:
    split = make_split(store, "random:17/8", seed=1)
    assert split.unit == "trial"
    (fold,) = split.folds
    assert (len(fold.train), len(fold.test)) == (17, 8)
    assert not set(fold.train) & set(fold.test)
    assert make_split(store, "random:17/8", seed=2) != split


def test_an_official_split_is_taken_from_its_column(store: Store) -> None:
    split = make_split(store, "column:official_split")
    train, test = split.indices(store, 0)
    assert split.unit == "object"
    assert set(store.column("official_split")[train]) == {"train"}
    assert set(store.column("official_split")[test]) == {"test"}


def test_an_official_split_that_shares_objects_is_refused(make_store: MakeStore) -> None:
    with pytest.raises(SplitError, match="object 'cup' is on both sides"):
        make_split(make_store(8, object="cup"), "column:official_split")


def test_a_column_splits_by_another_unit_where_that_is_said(make_store: MakeStore) -> None:
    shared = make_store(8, object="cup")
    split = make_split(shared, "column:official_split:trial")
    assert (split.name, split.unit) == ("column:official_split:trial", "trial")
    assert set(shared.column("official_split")[split.indices(shared, 0)[1]]) == {"test"}
    with pytest.raises(SplitError, match="session 'day 0' is on both sides"):
        make_split(shared, "column:official_split:session")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("objects", "unknown split"),
        ("", "unknown split"),
        ("column:", "unknown split"),
        ("column:weight", "expected 'train' and 'test'"),
        ("column:session", "expected 'train' and 'test'"),
        ("object:five", "not a whole number"),
        ("object:1", "1 folds"),
        ("object:9", "9 folds"),
        ("object:-3", "not a whole number"),
        ("random:20/20", "has 26 trials"),
        ("random:0/5", "at least 1"),
        ("random:5", "not a whole number"),
        ("random:5/", "not a whole number"),
        ("random:²/5", "not a whole number"),
    ],
)
def test_a_senseless_split_is_told_what_would_do(store: Store, spec: str, said: str) -> None:
    with pytest.raises(SplitError, match=said):
        make_split(store, spec)


def test_a_saved_split_comes_back_the_same(store: Store, tmp_path: Path) -> None:
    for spec in ("object:3", "session:3", "random:10/5", "column:official_split"):
        split = make_split(store, spec, seed=5)
        split.save(tmp_path / "split.json")
        assert Split.load(tmp_path / "split.json", store) == split


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=st.data())
def test_no_edit_of_a_split_file_goes_unnoticed(store: Store, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "split.json"
    make_split(store, "object:2").save(path)
    text = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    value = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        text = text[:place]
    else:
        text[place] = value
    path.write_bytes(text)
    try:
        loaded = Split.load(path, store)
    except SplitError:
        return
    assert loaded == make_split(store, "object:2")  # a byte for itself, or one blank for another


def _spoil(split: Split, **changes: Any) -> Split:
    fields = {name: getattr(split, name) for name in ("name", "unit", "folds", "fingerprint", "seed")}
    return Split(**(fields | changes))


def test_a_dishonest_split_with_a_true_hash_is_still_refused(store: Store, tmp_path: Path) -> None:
    split = make_split(store, "object:2")
    first = split.folds[0]
    for changes, said in (
        ({"folds": ()}, "no folds"),
        ({"folds": (Fold(first.train, ()),)}, "empty side"),
        ({"folds": (Fold((*first.train, "trial-999"), first.test),)}, "'trial-999', which is not in"),
        ({"folds": (Fold((*first.train, first.train[0]), first.test),)}, "a trial twice"),
        ({"folds": (Fold((*first.train, first.test[0]), first.test),)}, "trial 'trial-.*is on both sides"),
        (
            {"folds": (Fold((*first.train, first.test[0]), first.test[1:]),)},
            "object 'object .*is on both sides",
        ),
        ({"fingerprint": "0" * 64}, "made for another store"),
    ):
        _spoil(split, **changes).save(tmp_path / "split.json")
        with pytest.raises(SplitError, match=said):
            Split.load(tmp_path / "split.json", store)
    _spoil(split, folds=(Fold((*first.train, first.test[0]), first.test[1:]),), unit="trial").save(
        tmp_path / "s"
    )
    assert Split.load(tmp_path / "s", store).unit == "trial"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 1, "hash": "0"}', "[" * 10_000, '{"format": 1, "folds": 3}', "\udc80"],
)
def test_what_is_no_split_is_one_clear_error(store: Store, tmp_path: Path, content: str) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SplitError, match=r"split\.json"):
        Split.load(path, store)
    with pytest.raises(SplitError, match="does not exist"):
        Split.load(tmp_path / "none.json", store)


def test_a_split_of_wrong_types_is_refused_though_its_hash_is_right(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    make_split(store, "object:2").save(path)
    good = json.loads(path.read_text())
    from visuotactile.datasets.splits import _hash

    for change in (
        {"folds": [{"train": "abc", "test": "de"}]},
        {"folds": [1]},
        {"unit": 3},
        {"unit": "shape"},
    ):
        content = {key: value for key, value in (good | change).items() if key != "hash"}
        path.write_text(json.dumps(content | {"hash": _hash(content)}))
        with pytest.raises(Exception, match=r"split|column") as caught:
            Split.load(path, store)
        assert isinstance(caught.value, SplitError)


def test_a_split_belongs_to_one_store(store: Store, make_store: MakeStore) -> None:
    other = make_store(25, "other")
    split = make_split(store, "object:3")
    with pytest.raises(SplitError, match="made for another store"):
        split.indices(other, 0)
    with pytest.raises(SplitError, match="folds 0 to 2, not 3"):
        split.indices(store, 3)


def test_blocks_of_time_share_no_neighbours_within_a_group(store: Store) -> None:
    split = make_split(store, "blocks:session:4:column/weight")  # the weight grows with the trial's number
    assert (split.unit, len(split.folds)) == ("trial", 4)
    tested: Counter[str] = Counter()
    for number in range(4):
        train, test = split.indices(store, number)
        tested.update(store.names[test].tolist())
        for session in set(store.sessions.tolist()):
            mine = [row for row in range(len(store)) if store.sessions[row] == session]
            sides = ["train" if row in train else "test" if row in test else "left out" for row in mine]
            assert {"train", "test", "left out"} == set(sides)
            assert not {("train", "test"), ("test", "train")} & set(itertools.pairwise(sides))
            assert abs(sides.count("test") - len(mine) / 4) < 1
    assert tested == Counter(store.names.tolist())
    assert make_split(store, "blocks:session:4").folds == split.folds  # here the names are in that order, too


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("blocks:session:1", "1 blocks"),
        ("blocks:object:9", "every object of .* has fewer trials than that"),
        ("blocks:hidden/friction", "hidden truth"),
        ("blocks:weather", "no column 'weather'"),
    ],
)
def test_blocks_that_cannot_be_made_say_why(store: Store, spec: str, said: str) -> None:
    with pytest.raises(VisuotactileError, match=said):
        make_split(store, spec)
