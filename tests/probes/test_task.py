from __future__ import annotations

import numpy as np
import pytest

from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.errors import ContractError, SplitError, StoreError
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
    assert task.tested_objects().sum() == 5


@pytest.mark.parametrize("target", ["hidden/mass", "mass", "object", "column/official", "nothing"])
def test_only_an_outcome_is_a_target(table, target):
    with pytest.raises(ContractError, match=r"not an outcome.*outcome/success"):
        make_task(table, target, "object:4", seeds=1)


def test_a_target_that_is_no_class_says_so(table):
    with pytest.raises(ContractError, match=r"outcome/force holds 0\.\d+.*whole numbers"):
        make_task(table, "force", "object:4", seeds=1)
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
