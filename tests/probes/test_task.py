from __future__ import annotations

import numpy as np
import pytest

from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract, untrained_encoder
from visuotactile.errors import ContractError, SplitError, StoreError
from visuotactile.probes.rows import Row
from visuotactile.probes.run import probe
from visuotactile.probes.task import make_task


def test_no_object_is_learnt_from_and_tested_in_one_fold(table):
    task = make_task(table, "success", "object:4", seeds=3)
    for split in range(3):
        for train, test in task.folds(split):
            assert not set(task.objects[train]) & set(task.objects[test])
    assert task.shared_objects() == 0
    assert len({split.hash for split in task.splits}) == 3


def test_a_random_split_admits_that_objects_are_shared(table):
    assert make_task(table, "success", "random:100/50", seeds=1).shared_objects() == 1


def test_a_split_file_is_the_same_for_every_seed(table, tmp_path):
    split = make_split(table, "object:4", seed=9)
    split.save(tmp_path / "split.json")
    task = make_task(table, "success", tmp_path / "split.json", seeds=2)
    assert [each.hash for each in task.splits] == [split.hash] * 2


def test_a_split_by_column_is_one_split_whatever_the_seed(table):
    task = make_task(table, "success", "column:official", seeds=3, seed=4)
    assert len({split.hash for split in task.splits}) == 1
    assert task.seeds == (4, 5, 6)
    assert task.tested_units().sum() == 5


@pytest.mark.parametrize("target", ["hidden/mass", "mass", "session", "column/official", "nothing"])
def test_only_an_outcome_or_the_object_is_a_target(table, target):
    with pytest.raises(ContractError, match=r"not an outcome.*outcome/success.*object"):
        make_task(table, target, "object:4", seeds=1)


def test_a_target_that_never_changes_is_refused(table):
    with pytest.raises(ContractError, match="outcome/always is 1 in all 160 trials"):
        make_task(table, "always", "object:4", seeds=1)


def test_a_stratum_that_does_not_exist_is_named(table):
    with pytest.raises(StoreError, match="weather"):
        make_task(table, "success", "object:4", seeds=1, within="weather")


def test_a_training_side_with_one_class_is_refused(table, tmp_path):
    good = table.names[table.column("success") == 1].tolist()
    bad = table.names[table.column("success") == 0].tolist()
    split = Split("odd", "trial", (Fold(tuple(good[:20]), tuple(bad[:5] + good[20:])),), table.fingerprint, 0)
    split.save(tmp_path / "odd.json")
    with pytest.raises(SplitError, match=r"fold 0 of 'odd' holds one class"):
        make_task(table, "success", tmp_path / "odd.json", seeds=1)


def test_labels_are_numbered_by_class(table):
    task = make_task(table, "outcome/grade", "object:4", seeds=1)
    assert task.classes == (0, 1, 2)
    np.testing.assert_array_equal(task.labels, table.column("grade"))


def test_the_object_is_a_target_whose_units_are_the_trials(table):
    task = make_task(table, "object", "random:120/40", seeds=2)
    assert task.predicts_object
    assert task.classes == tuple(np.unique(table.objects))
    np.testing.assert_array_equal(np.array(task.classes)[task.labels], table.objects)
    assert (task.unit, len(np.unique(task.units))) == ("trial", 160)
    tested = set(np.concatenate([test for number in range(2) for _, test in task.folds(number)]))
    assert set(np.flatnonzero(task.tested_units())) == tested


def test_trials_that_agree_in_the_group_are_one_unit(table):
    task = make_task(table, "object", "random:120/40", seeds=1, group="object+grade")
    pairs = list(zip(table.objects, table.column("grade"), strict=True))
    assert task.unit == "object+grade"
    assert len(np.unique(task.units)) == len(set(pairs))
    assert all(
        (task.units[0] == unit) == (pairs[0] == pair) for unit, pair in zip(task.units, pairs, strict=True)
    )


def test_an_object_that_was_never_met_cannot_be_told(table):
    with pytest.raises(
        SplitError, match=r"tests 4 objects that its training side lacks, the first being 'o0"
    ):
        make_task(table, "object", "object:4", seeds=1)
    with pytest.raises(ContractError, match="cannot be the group"):
        make_task(table, "object", "random:120/40", seeds=1, group="object")


def paired(tmp_path, sessions=2, objects=("ball", "cube", "ring")):
    """Presses of three objects whose shape is the outcome: object and class coincide."""
    rng = np.random.default_rng(0)

    def trial(i):
        thing = objects[i % len(objects)]
        image = (40 * (i % len(objects)) + rng.integers(0, 90, (8, 8, 3))).astype(np.uint8)
        return Trial(
            name=f"t{i:02d}",
            object=thing,
            session=f"s{i // 3 % sessions}",
            streams={"finger": {"during": image}},
            outcomes={"shape": thing, "half": "a" if i % 6 < 3 else "b"},
        )

    return write_store(
        tmp_path / f"paired-{sessions}",
        lambda indices: (trial(i) for i in indices),
        dataset="paired",
        source="",
        settings={},
        names=[f"t{i:02d}" for i in range(36)],
        example=trial(0),
    )


def test_where_classes_are_the_units_a_smaller_unit_is_resampled(tmp_path):
    store = paired(tmp_path)
    task = make_task(store, "shape", "blocks:object:3", seeds=1)
    assert (task.unit, task.instead_of, len(np.unique(task.units))) == ("object+session", "object", 6)
    alone = make_task(paired(tmp_path, sessions=1), "shape", "blocks:object:3", seeds=1)
    assert (alone.unit, alone.instead_of, len(np.unique(alone.units))) == ("trial", "object", 36)
    other = make_task(store, "half", "object:3", seeds=1)
    assert (other.unit, other.instead_of) == ("object", None)


def test_a_stratum_that_a_fold_tests_alone_repeats_the_auroc(tmp_path):
    store = paired(tmp_path)
    assert make_task(store, "half", "object:3", seeds=2, within="object").within_repeats
    assert not make_task(store, "half", "blocks:object:3", seeds=2, within="object").within_repeats
    assert not make_task(store, "half", "object:3", seeds=2).within_repeats
    assert not make_task(store, "shape", "object:3", seeds=1).compares


def test_a_report_says_what_repeats_and_what_was_resampled(tmp_path):
    store, contract = paired(tmp_path), InputContract(streams=("finger",), reference=None, size=8)
    encoder = untrained_encoder("resnet10t", contract, 0)
    settings = {"probes": ["linear"], "budgets": (), "seeds": 1}
    report = probe(
        [Row("mine", encoder)], store, "half", "object:3", tmp_path / "a", within="object", **settings
    )
    assert (
        "Every fold tests one object only, so the AUROC within object repeats" in report["headline"]["text"]
    )
    figures = report["methods"][0]["figures"]
    assert figures["auroc"]["linear"]["value"] == figures["auroc_within"]["linear"]["value"]
    report = probe([Row("mine", encoder)], store, "shape", "blocks:object:3", tmp_path / "b", **settings)
    assert "the intervals resample values of object+session instead" in report["headline"]["text"]
    assert report["methods"][0]["figures"]["auroc"]["linear"]["low"] is not None
    report = probe([Row("mine", encoder)], store, "shape", "object:3", tmp_path / "c", **settings)
    assert "No fold tests two classes, so there is no AUROC" in report["headline"]["text"]
