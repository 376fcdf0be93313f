"""The experiment on hardness: its splits leave out what they say, its rules judge, and it all runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.hardness import __main__ as parts
from experiments.hardness import budgets, claims, oracle, predictions, report
from experiments.hardness.experiment import BALLS, SHAPES, Experiment
from experiments.hardness.presets import AUTOENCODER, PRESETS, UNTRAINED
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.mechanics.hertz import combined_modulus
from visuotactile.sim.hardness.samples import GEL_MODULUS


def _untrained(experiment: Experiment, method: str, store: str) -> Path:
    """An encoder in place of a pretrained one, whose training is tested elsewhere."""
    folder = experiment.work / "encoders" / store / method
    if not folder.exists():
        contract = InputContract(
            streams=("tactile",),
            phase="during",
            reference="before",
            size=32,
            normalisation="dataset",
            mean=(0.0,) * 3,
            std=(0.05,) * 3,
        )
        made = untrained_encoder("test_resnet", contract, seed=1)
        save_encoder(folder, made.backbone, made.architecture, contract, made.meta)
    return folder


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    preset = dataclasses.replace(
        PRESETS["smoke"],
        balls=36,
        shapes=39,
        frames=3,
        units=2,
        encoders=(AUTOENCODER, UNTRAINED),
        budgets=(10, None),
        oracle=1,
    )
    folder = tmp_path_factory.mktemp("hardness")
    return Experiment(preset, folder / "work", folder / "results", 1)


@pytest.mark.parametrize("split", parts.SPLITS)
def test_every_press_is_tested_once_and_shares_nothing_with_the_training_side(
    experiment: Experiment, split: str
) -> None:
    store = experiment.balls
    made = predictions.folds(store, split, 3)
    assert sorted(np.concatenate([test for _, test in made]).tolist()) == list(range(len(store)))
    for train, test in made:
        assert not set(train) & set(test)
        if split != predictions.FORCE:
            column = store.objects if split == "sample" else store.column(predictions.COLUMNS[split])
            assert not set(column[train]) & set(column[test])
        else:
            force = store.column("hidden/force_peak")
            inside = (force[train] > force[test].min()) & (force[train] < force[test].max())
            assert not inside.any()


def test_unseen_families_are_tested_one_at_a_time_and_hemispheres_never(experiment: Experiment) -> None:
    family = experiment.shapes.column("column/family")
    made = predictions.folds(experiment.shapes, "family", 2)
    assert sorted(str(family[test][0]) for _, test in made) == ["corner", "cylinder", "edge", "flat", "fruit"]
    for train, test in made:
        assert len(set(family[test])) == 1
        assert "hemisphere" in family[train]


def test_encoders_learn_from_the_other_store_without_a_sample_that_is_tested(experiment: Experiment) -> None:
    for store, other in ((BALLS, SHAPES), (SHAPES, BALLS)):
        seen = experiment._unlabelled(store)
        there, here = experiment.store(other), experiment.store(store)
        tested = here.objects
        if store == SHAPES:  # hemispheres are pressed there too, and never tested
            tested = tested[here.column("column/family") != "hemisphere"]
        assert not set(there.objects[seen]) & set(tested)
        assert not set(there.column("sensor")) & set(here.column("sensor"))


def test_labelled_presses_are_of_the_training_side_and_grow_with_the_budget(experiment: Experiment) -> None:
    few, every = (budgets.labelled(experiment.balls, budget, 0) for budget in (10, None))
    for (some, test), (rest, same) in zip(few, every, strict=True):
        assert len(some) == 10
        assert set(some) < set(rest)
        assert np.array_equal(test, same)
        assert not set(experiment.balls.objects[rest]) & set(experiment.balls.objects[test])


def test_rules_judge_by_intervals() -> None:
    judge = claims.at_most(4).judge
    assert [judge(3, 2, 4), judge(3, 2, 5), judge(6, 5, 7)] == [
        claims.HELD,
        claims.UNDECIDED,
        claims.NOT_HELD,
    ]
    assert claims.BELOW.judge(-1, -2, 0.1) == claims.UNDECIDED
    assert [claims.within(85, 95).judge(value, 0, 100) for value in (84, 90)] == [
        claims.NOT_HELD,
        claims.HELD,
    ]


def test_the_oracle_without_radius_knows_more_than_the_mean_and_pictures_more_than_it(
    experiment: Experiment,
) -> None:
    found = oracle.run(experiment)
    assert found["guessing the mean"] > found["exact R/E*, radius unknown"] > 5
    assert found["noise, gain known"] <= found["noise, gain of a new unit"] < 4


def test_the_oracle_is_exact_where_one_radius_is_possible_and_between_where_several_are() -> None:
    modulus = np.array([1e5, 1e6])
    compliance = 0.01 / combined_modulus(modulus, GEL_MODULUS)
    span = (4.5, 6.5)
    exact = oracle.without_radius(compliance, np.array([0.01]), span)
    np.testing.assert_allclose(exact, np.log10(modulus))
    either = oracle.without_radius(compliance[:1], np.array([0.01, 0.02]), span)
    softer_and_smaller = oracle.without_radius(compliance[:1], np.array([0.02]), span)
    assert exact[0] < either[0] < softer_and_smaller[0]


def test_the_parts_run_and_their_claims_are_judged(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Experiment, "_pretrained", _untrained)
    monkeypatch.setattr(parts, "SPLITS", ("sample",))
    for part in parts.PARTS.values():
        part(experiment)
    report.write_claims(experiment.results)
    written = {path.name for path in experiment.results.iterdir()}
    assert {"splits.md", "shapes.md", "budgets.md", "oracle.md", "claims.md", "splits.png"} <= written
    judged = json.loads((experiment.results / "claims.json").read_text())["claims"]
    verdicts = {each["row"]: each["verdict"] for each in judged if each["figure"]}
    # the estimator's physics are the lab's, so that a handful of presses is enough
    known = claims.key("sample", claims.MECHANICS, claims.KNOWN)
    assert verdicts[known] != claims.NOT_RUN
    rows = json.loads((experiment.results / "splits.json").read_text())["rows"]
    assert rows[known]["figures"]["rmse_share"]["value"] < 0.08

    kept = {path: path.stat().st_mtime_ns for path in (experiment.work / "predicted").rglob("*.npz")}
    parts.splits(experiment)  # again, from what is kept
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
