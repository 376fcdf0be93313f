"""Trials that lack a number, or whose outcome is a word: what every part that reads them makes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.samples import UNLABELLED, class_labels
from visuotactile.datasets.splits import Fold, Split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract, save_encoder, untrained_encoder
from visuotactile.errors import DataError, SplitError
from visuotactile.grasp.predictor.examples import columns, outcome_columns
from visuotactile.look.sheet import look
from visuotactile.maps.run import embedding_map
from visuotactile.probes.run import probe
from visuotactile.probes.task import make_task
from visuotactile.supervised.module import ClassifierModule

SHAPES = ("ball_logo", "cube", "")
COUNT = 48


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """48 trials of eight objects: some have no shape, success, force or weight."""
    rng = np.random.default_rng(0)

    def trial(i: int) -> Trial:
        shape = SHAPES[i % 3]
        bright = 60 if shape == "cube" else 0
        return Trial(
            name=f"t{i:02d}",
            object=f"o{i % 8}",
            session="monday",
            streams={
                "finger": {"during": (bright + rng.integers(0, 150, (8, 8, 3))).astype(np.uint8)},
            },
            outcomes={"shape": shape, "success": math.nan if i % 6 == 5 else float(i % 2)},
            action={"force": math.nan if i == 7 else float(i)},
            columns={"weight": math.nan if i % 4 == 3 else i / 7},
            gaps=True,
        )

    names = [f"t{i:02d}" for i in range(COUNT)]
    return write_store(
        tmp_path_factory.mktemp("stores") / "gaps",
        lambda indices: (trial(i) for i in indices),
        dataset="gaps",
        source="",
        settings={},
        names=names,
        example=trial(0),
    )


def test_a_store_keeps_words_and_gaps_and_its_fingerprint(gaps):
    again = Store(gaps.path)
    assert again.column("shape").tolist() == [SHAPES[i % 3] for i in range(COUNT)]
    assert np.flatnonzero(np.isnan(again.column("success"))).tolist() == list(range(5, COUNT, 6))
    assert again.fingerprint == gaps.fingerprint


def test_only_a_recording_may_have_gaps(make_plain):
    """A simulator's NaN is a mistake, never a gap."""
    with pytest.raises(DataError, match="outcome success is nan, expected a finite number"):
        make_plain(outcomes={"success": math.nan})
    with pytest.raises(DataError, match="outcome shape is empty"):
        make_plain(outcomes={"shape": ""})
    with pytest.raises(DataError, match="expected a finite number"):
        make_plain(action={"force": math.inf}, gaps=True)
    with pytest.raises(DataError, match="action force is 'strong', expected a finite number"):
        make_plain(action={"force": "strong"}, gaps=True)


@pytest.fixture
def make_plain() -> Callable[..., Trial]:
    def make(**fields) -> Trial:
        streams = {"finger": {"during": np.zeros((4, 4, 3), np.uint8)}}
        return Trial(**({"name": "a", "object": "o", "streams": streams} | fields))

    return make


def test_a_trial_without_a_label_has_none(gaps):
    labels, values = class_labels(gaps, "shape")
    assert values.tolist() == ["ball_logo", "cube"]
    assert labels[:6].tolist() == [0, 1, UNLABELLED] * 2
    assert class_labels(gaps, "success")[0][5] == UNLABELLED


def test_a_probe_predicts_words_and_leaves_unlabelled_trials_out(gaps, tmp_path):
    task = make_task(gaps, "shape", "object:4", seeds=1)
    assert task.classes == ("ball_logo", "cube")
    used = np.concatenate([np.concatenate(sides) for sides in task.folds(0)])
    assert (task.labels[used] != UNLABELLED).all()
    assert sorted({test for _, side in task.folds(0) for test in side.tolist()}) == [
        i for i in range(COUNT) if i % 3 != 2
    ]
    contract = InputContract(streams=("finger",), reference=None, size=8, normalisation="dataset",
                             mean=(0.4,) * 3, std=(0.3,) * 3)  # fmt: skip
    encoder = untrained_encoder("resnet10t", contract, 0)
    save_encoder(tmp_path / "encoder", encoder.backbone, "resnet10t", contract, {"method": "mine"})
    report = probe(
        [tmp_path / "encoder"], gaps, "shape", "object:4", tmp_path / "report", probes=["linear"],
        budgets=(), seeds=1,
    )  # fmt: skip
    assert report["task"]["classes"] == {"ball_logo": 16, "cube": 16}
    assert report["task"]["units"]["trials"] == 32
    assert any("16 trials without outcome/shape are left out" in note for note in report["notes"])
    raw = next(method for method in report["methods"] if method["kind"] == "raw pixels")
    assert raw["figures"]["auroc"]["linear"]["value"] > 0.9  # cubes are brighter


def test_a_fold_that_tests_unlabelled_trials_only_is_refused(gaps, tmp_path):
    test = [name for i, name in enumerate(gaps.names.tolist()) if i % 3 == 2]
    train = [name for name in gaps.names.tolist() if name not in test]
    Split("mine", "trial", (Fold(tuple(train), tuple(test)),), gaps.fingerprint, 0).save(tmp_path / "s.json")
    with pytest.raises(SplitError, match="tests no trial whose outcome/shape was recorded"):
        make_task(gaps, "shape", tmp_path / "s.json", seeds=1)


def test_a_predictor_is_told_which_number_is_missing(gaps):
    rows = np.arange(COUNT)
    assert outcome_columns(gaps, ("success",), rows)[5].tolist() == [-1.0]
    with pytest.raises(DataError, match=r"action/force of t07 .* was not recorded"):
        columns(gaps, "action", ["force"], rows)
    assert columns(gaps, "action", ["force"], rows[:7]).shape == (7, 1)
    with pytest.raises(DataError, match=r"outcome/shape .* is in words"):
        outcome_columns(gaps, ("shape",), rows)


def test_a_classifier_says_how_to_leave_unlabelled_trials_out(monkeypatch):
    labels = {"train": np.array([0, 1, UNLABELLED]), "held_out": np.array([0])}
    data = SimpleNamespace(label="shape", classes=("ball_logo", "cube"), labels=labels)
    monkeypatch.setattr(ClassifierModule, "data", data)
    module = ClassifierModule.__new__(ClassifierModule)
    with pytest.raises(DataError, match=r"1 of the trials have no shape.*\{shape: \[ball_logo, cube\]\}"):
        module.check_learnable()


def test_an_empty_value_selects_the_trials_that_have_none(gaps):
    assert matching(gaps, [("shape", "")]).tolist() == list(range(2, COUNT, 3))
    assert matching(gaps, [("success", "")]).tolist() == list(range(5, COUNT, 6))
    assert matching(gaps, [("success", "0"), ("success", "1")]).tolist() == [
        i for i in range(COUNT) if i % 6 != 5
    ]


def test_a_sheet_shows_words_and_gaps(gaps, tmp_path):
    text = look(gaps, tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "shape ball_logo" in text
    assert "success –" in text
    assert ">nan" not in text
    assert " nan" not in text


def test_a_map_is_coloured_by_words_and_shows_gaps(gaps, tmp_path):
    contract = InputContract(streams=("finger",), reference=None, size=8)
    encoder = untrained_encoder("resnet10t", contract, 0)
    save_encoder(tmp_path / "encoder", encoder.backbone, "resnet10t", contract, {"method": "mine"})
    embedding_map([tmp_path / "encoder"], gaps, ["shape", "success", "weight"], tmp_path / "map")
    report = json.loads((tmp_path / "map/map.json").read_text(), parse_constant=pytest.fail)
    shape, success, weight = report["colors"]
    assert shape["categories"] == ["(none)", "ball_logo", "cube"]
    assert success["categories"] == ["0", "1", "(none)"]
    assert weight["categories"] is None
    assert [i for i, value in enumerate(weight["values"]) if value is None] == list(range(3, COUNT, 4))
    assert report["panels"][0]["agreement"]["weight"]["kind"] == "correlation"
