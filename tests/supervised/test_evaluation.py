"""Evaluation of classifiers: unseen trials, the same occlusions for all, and valid intervals."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from classification_helpers import CLASSES, branches, pair, pair_store
from torch import Tensor, nn

from visuotactile.cli import main
from visuotactile.datasets.pairs import PairedData
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.writer import write_store
from visuotactile.errors import ContractError, DataError, OutputExistsError, SplitError, StoreError
from visuotactile.supervised import Classifier, ClassifierModule, load_classifier
from visuotactile.supervised.evaluation import Predictions, accuracy, evaluate
from visuotactile.supervised.export import export_classifier
from visuotactile.supervised.report import classify
from visuotactile.training.schedule import ADAMW_EXPONENTIAL

COMBINATIONS = (("sight", "touch"), ("sight",), ("touch",))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return pair_store(tmp_path_factory.mktemp("pairs") / "store")


@pytest.fixture(scope="module")
def split(store: Store) -> Path:
    return store.path.parent / "split.json"


@pytest.fixture(scope="module")
def folders(store: Store, split: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Path]:
    """Trained classifiers of both senses, and of each alone."""
    made = {}
    for modalities in COMBINATIONS:
        root = tmp_path_factory.mktemp("-".join(modalities))
        parts = {name: branches()[name] for name in modalities}
        model = ClassifierModule(parts, optimizer=replace(ADAMW_EXPONENTIAL, lr=3e-3, final_lr=1e-3))
        data = PairedData(
            store.path,
            model.reads,
            batch_size=16,
            split=split,
            group="object+part/x",
            label="object",
            held_out=0,
        )
        trainer = pl.Trainer(
            max_epochs=6,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=root,
            enable_checkpointing=False,
        )
        trainer.fit(model, data)
        trainer.save_checkpoint(root / "a.ckpt", weights_only=False)
        export_classifier(root / "a.ckpt", root / "classifier")
        made[modalities] = root / "classifier"
    return made


@pytest.fixture
def both(folders: dict[Any, Path]) -> Classifier:
    return load_classifier(folders["sight", "touch"])


def test_what_neither_sense_tells_alone_both_together_tell(
    folders: dict[Any, Path], store: Store, split: Path
) -> None:
    found = {at: accuracy(evaluate(load_classifier(folders[at]), store, split)) for at in COMBINATIONS}
    assert found["sight", "touch"]["value"] == 1.0
    for alone in (("sight",), ("touch",)):
        assert 0.4 <= found[alone]["value"] <= 0.7  # one of two, of each class


def test_only_the_test_side_is_asked_about(both: Classifier, store: Store, split: Path) -> None:
    tested = evaluate(both, store, split)
    assert [str(name) for name in store.names[tested.rows]] == [f"pair-{i}" for i in range(96, 144)]
    assert [tested.classes[n] for n in tested.labels] == store.objects[tested.rows].tolist()
    assert len(np.unique(tested.groups)) == 24
    np.testing.assert_allclose(tested.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_same_pictures_are_occluded_the_same_way_each_time(
    both: Classifier, store: Store, split: Path
) -> None:
    ways = [
        evaluate(both, store, split, occlude=("sight",), batch_size=size).probabilities
        for size in (64, 64, 5)
    ]
    assert np.array_equal(ways[0], ways[1])
    np.testing.assert_allclose(ways[0], ways[2], atol=1e-5)
    other = evaluate(both, store, split, occlude=("sight",), seed=1).probabilities
    assert not np.allclose(ways[0], other, atol=1e-3)


def seen_pictures(model: Classifier, store: Store, split: Path, occlude: tuple[str, ...]) -> Tensor:
    """The sight that reaches the network."""
    seen: list[Tensor] = []
    hook = model.networks()["sight"].backbone.register_forward_pre_hook(
        lambda _, images: seen.append(images[0].clone())
    )
    evaluate(model, store, split, occlude=occlude)
    hook.remove()
    return torch.cat(seen)


def test_every_classifier_is_asked_about_the_same_occlusions(
    folders: dict[Any, Path], store: Store, split: Path
) -> None:
    plain, first, second, touch = (
        seen_pictures(load_classifier(folders[at]), store, split, occlude)
        for at, occlude in (
            (("sight", "touch"), ()),
            (("sight", "touch"), ("sight",)),
            (("sight",), ("sight",)),
            (("sight", "touch"), ("touch",)),
        )
    )
    assert torch.equal(first, second)
    assert torch.equal(plain, touch)
    covered = (plain != first).flatten(1).float().mean(dim=1)
    # Nothing else has changed: what is covered is flat, and much of the picture is as it was.
    assert (covered > 0).float().mean() > 0.9
    assert 0.05 < covered.mean() < 0.6


def test_an_occluded_sight_tells_less_than_a_free_one(
    folders: dict[Any, Path], store: Store, split: Path
) -> None:
    sight = load_classifier(folders["sight",])
    free, covered = (evaluate(sight, store, split, occlude=at) for at in ((), ("sight",)))
    truth = np.arange(len(free.labels)), free.labels
    assert np.log(covered.probabilities[truth]).mean() < np.log(free.probabilities[truth]).mean()


def test_what_was_learned_from_is_not_tested_on(
    both: Classifier, store: Store, split: Path, tmp_path: Path
) -> None:
    with pytest.raises(SplitError, match="give its split"):
        evaluate(both, store)
    make_split(store, "random:90/54").save(tmp_path / "other.json")
    with pytest.raises(SplitError, match="not the split that this classifier was trained with"):
        evaluate(both, store, tmp_path / "other.json")
    both.meta["data"]["split_hash"] = ""
    with pytest.raises(SplitError, match="it was trained on every trial"):
        evaluate(both, store, split)


def another_store(path: Path, kinds: tuple[int, ...]) -> Store:
    chosen = [i for i in range(200, 240) if i % 4 in kinds]
    return write_store(
        path,
        lambda indices: (pair(chosen[i]) for i in indices),
        dataset="elsewhere",
        source="",
        settings={},
        names=[f"pair-{i}" for i in chosen],
        example=pair(chosen[0]),
    )


def test_labels_of_another_store_are_matched_by_name(both: Classifier, tmp_path: Path, split: Path) -> None:
    # Without the first class, the second is number 0 of this store and number 1 of the classifier.
    store = another_store(tmp_path / "store", (1, 3))
    tested = evaluate(both, store)
    assert len(tested.rows) == 20
    assert set(tested.labels.tolist()) == {1, 3}
    assert tested.right.mean() == 1.0
    with pytest.raises(SplitError, match="leave the split out"):
        evaluate(both, store, split)


def test_a_class_that_it_never_heard_of_and_a_modality_that_is_not_there_are_refused(
    folders: dict[Any, Path], tmp_path: Path
) -> None:
    store = another_store(tmp_path / "store", (0, 1))
    narrow = load_classifier(folders["touch",])
    narrow.classes = ("dark flat", "mug")
    with pytest.raises(
        ContractError, match=r"holds dark ribbed.*classes of this classifier are dark flat, mug"
    ):
        evaluate(narrow, store)
    with pytest.raises(
        ContractError, match="sight cannot be occluded: the inputs of this classifier are touch"
    ):
        evaluate(load_classifier(folders["touch",]), store, occlude=("sight",))
    narrow.meta["data"]["label"] = "hidden/friction"
    with pytest.raises(ContractError, match="hidden truth"):
        evaluate(narrow, store)


def test_a_store_without_the_modality_and_a_trial_without_it_are_refused_by_name(
    both: Classifier, tmp_path: Path
) -> None:
    def lacking(i: int, whole: bool) -> Any:
        trial = pair(i)
        if whole:
            trial.streams.pop("touch")  # type: ignore[attr-defined]
        elif i == 3:
            trial.streams["touch"]["during"][:] = 0
        return trial

    for whole, error, message in ((True, StoreError, "no touch/during"), (False, DataError, "pair-3")):
        store = write_store(
            tmp_path / str(whole),
            lambda indices, whole=whole: (lacking(i, whole) for i in indices),
            dataset="damaged",
            source="",
            settings={},
            names=[f"pair-{i}" for i in range(8)],
            example=lacking(0, whole),
        )
        with pytest.raises(error, match=message):
            evaluate(both, store)


def answers(right: list[int], groups: list[int]) -> Predictions:
    labels = np.zeros(len(right), np.int64)
    probabilities = np.array([[1, 0] if each else [0, 1] for each in right], np.float32)
    return Predictions(("a", "b"), np.arange(len(right)), np.array(groups), labels, probabilities)


def test_trials_of_one_pose_count_once() -> None:
    alone = accuracy(answers([1, 1, 1, 0] * 4, list(range(16))))
    copied = accuracy(answers([1, 1, 1, 0] * 16, [*range(16)] * 4))
    assert copied == alone | {"trials": 64}
    nothing = accuracy(answers([1], [0]), np.array([False]))
    assert nothing == {"value": None, "low": None, "high": None, "trials": 0, "poses": 0}


def test_the_command_writes_figures_confusions_and_every_prediction(
    folders: dict[Any, Path], store: Store, split: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["classify", str(folders["sight",]), "--store", str(store.path), "--split", str(split)]
    out = tmp_path / "report"
    assert main([*command, "--out", str(out), "--occlude", "sight", "--seed", "3"]) == 0
    assert "Accuracy" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    with open(out / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    right = np.mean([row["label"] == row["predicted"] for row in rows])
    assert report["accuracy"]["value"] == pytest.approx(right)
    assert report["accuracy"]["low"] < right < report["accuracy"]["high"]
    pairs = [(row["label"], row["predicted"]) for row in rows]
    assert report["confusion"] == [[pairs.count((a, b)) for b in CLASSES] for a in CLASSES]
    assert np.sum(report["confusion"]) == 48
    assert np.trace(report["confusion"]) == pytest.approx(48 * right)
    assert report["majority"] == 0.25
    assert report["occluded"] == ["sight"]
    assert set(report["by_class"]) == set(CLASSES)
    chances = [[float(row[f"p({name})"]) for name in CLASSES] for row in rows]
    assert [CLASSES[n] for n in np.argmax(chances, axis=1)] == [row["predicted"] for row in rows]
    text = (out / "report.md").read_text()
    assert "sight occluded" in text
    seen = "100% of the test objects were among the training objects."  # the split is by trial
    assert seen in text.partition("\n## ")[0]
    assert "| light ribbed |" in text
    assert main([*command, "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--overwrite"]) == 0
    assert json.loads((out / "report.json").read_text())["occluded"] == []


def test_a_report_that_is_not_whole_leaves_no_json(
    folders: dict[Any, Path], store: Store, tmp_path: Path
) -> None:
    with pytest.raises(SplitError):
        classify(folders["sight",], store.path, tmp_path / "report")
    assert not (tmp_path / "report").exists()
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text("{}")
    with pytest.raises(OutputExistsError):
        classify(folders["sight",], store.path, tmp_path / "report")


def test_evaluation_leaves_the_weights_as_they_were(both: Classifier, store: Store, split: Path) -> None:
    before = {key: value.clone() for key, value in both.state_dict().items()}
    frozen = evaluate(both, store, split)
    again = evaluate(both.train(), store, split)
    assert np.array_equal(frozen.probabilities, again.probabilities)
    assert all(torch.equal(value, before[key]) for key, value in both.state_dict().items())
    assert not any(isinstance(part, nn.BatchNorm2d) and part.training for part in both.modules())
