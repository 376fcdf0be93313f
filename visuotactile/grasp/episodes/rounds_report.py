"""The results of the rounds of a collection: success rates, and how well they were predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import sigmoid
from visuotactile.grasp.predictor.examples import UNLABELLED, predict
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.grasp.predictor.reliability import calibration_error
from visuotactile.probes.metrics import Metric, Predictions, accuracy, auroc, balanced_accuracy
from visuotactile.reports.intervals import draw_units, estimate, format_figure
from visuotactile.reports.markdown import made_with, table

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Answers = tuple[Floats, Floats, npt.NDArray[np.str_]]
"""A predictor's calibrated probabilities [n, O] of examples, their outcomes [n, O] and objects [n]."""

NOTES = """\
*Successes*: lifts with that outcome. In later rounds after a regrasp by the predictor of the round before,
but for the share ε; no predictor has learnt from a held-out object.

*AUROC*, in % (chance is 50). First round's: of this round's predictor on the first round's examples, the same
in every row. This round's, before: of the predictor that chose the regrasps, on their outcomes; after: of
this round's predictor, on the same.

*Balanced accuracy*, in % (chance is 50), and *calibration error*: of this round's predictor, on the examples
of all rounds up to this one. Its calibration, two numbers, was fitted on them."""


def measure(
    predictor: Predictor, before: Predictor | None, collected: Sequence[Store], seed: int
) -> dict[str, Any]:
    """The row of the last round of `collected`, as JSON values.

    Every figure of a predictor is of the objects held out of its training, with its calibration; an outcome
    is expected above one half. The calibration was fitted on these objects' grasps of all rounds up to its
    own, so the only ones that are new to it too are those of "own_before".

    Args:
        predictor: of this round.
        before: that of the round before, which chose this round's regrasps; None if they were random.
        collected: what each round up to this one collected.
        seed: of the intervals, 95% from drawing the objects again.
    """
    own, data = collected[-1], predictor.meta["data"]
    grasps = np.arange(len(own))
    if "column/grasp" in own.columns:  # several examples may be of one grasp
        grasps = np.unique(own.column("column/grasp"), return_index=True)[1].astype(np.int64)
    held_out = [np.flatnonzero(np.isin(store.objects, data["held_out_objects"])) for store in collected]
    unseen = np.intersect1d(grasps, held_out[-1])
    answers = {
        "first": _answers(predictor, collected[:1], held_out[:1]),
        "own": _answers(predictor, [own], held_out[-1:]),
        "all": _answers(predictor, collected, held_out),
    }
    if before is not None:
        answers["own_before"] = _answers(before, [own], held_out[-1:])
    return {
        "round": len(collected) - 1,
        "dataset": own.name,
        "policy": own.index["settings"]["policy"],
        "grasps": len(grasps),
        "held_out_grasps": len(unseen),
        "training_examples": data["training_examples"],
        "held_out_objects": data["held_out_objects"],
        "outcomes": {
            outcome: {
                "success": _success(own, outcome, grasps, seed),
                "held_out_success": _success(own, outcome, unseen, seed),
                **{name: _predicted(of, number, seed) for name, of in answers.items()},
            }
            for number, outcome in enumerate(predictor.outcomes)
        },
    }


def write_report(out: Path, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Write rounds.json and rounds.md into `out`."""
    write_json(out / "rounds.json", {"rounds": list(rows), **provenance(**settings)})
    held_out = len(rows[0]["held_out_objects"])
    parts = [
        f"# Rounds of {rows[0]['dataset'].replace('-', ' ')}",
        f"Objects: {settings['objects']}. {held_out} of them are held out in every round: no predictor "
        "learns from their grasps. Intervals are 95%, over objects.",
    ]
    for outcome in rows[0]["outcomes"]:
        collected, learnt = [], []
        for row in rows:
            number, found = row["round"], row["outcomes"][outcome]
            before = found.get("own_before", {"auroc": None})
            by = f"by predictor {number - 1}, ε {row['policy']['epsilon']:g}" if number else "at random"
            unseen = f"{_percent(found['held_out_success'])} of {row['held_out_grasps']:,}"
            collected.append([str(number), by, f"{row['grasps']:,}", _percent(found["success"]), unseen])
            order = [_percent(part["auroc"]) for part in (found["first"], before, found["own"])]
            right, error = _percent(found["all"]["balanced_accuracy"]), found["all"]["calibration_error"]
            written = "–" if error is None else f"{error:.3f}"
            learnt.append([str(number), f"{row['training_examples']:,}", *order, right, written])
        head = [
            "predictor",
            "examples",
            "AUROC: first round's",
            "this round's, before",
            "this round's, after",
        ]
        parts += [
            f"## Grasps: {outcome}",
            table(
                ["round", "regrasps chosen", "grasps", "successes, %", "held-out objects: successes, %"],
                collected,
            ),
            f"## Predictors, on held-out objects: {outcome}",
            table([*head, "balanced accuracy", "calibration error"], learnt),
        ]
    write_text(out / "rounds.md", "\n\n".join([*parts, NOTES, *made_with(provenance())]) + "\n")


def _answers(predictor: Predictor, stores: Sequence[Store], rows: Sequence[Rows]) -> Answers:
    parts = [predict(predictor, store, some) for store, some in zip(stores, rows, strict=True)]
    logits, labels = (np.concatenate([part[i] for part in parts]).astype(np.float64) for i in (0, 1))
    p = [
        sigmoid(logits[:, number], float(predictor.slope[number]), float(predictor.intercept[number]))
        for number in range(len(predictor.outcomes))
    ]
    objects = np.concatenate([store.objects[some] for store, some in zip(stores, rows, strict=True)])
    return np.stack(p, axis=1), labels, objects


def _predicted(answers: Answers, number: int, seed: int) -> dict[str, Any]:
    """Measures of one outcome where it was recorded; None where there are no examples."""
    recorded = answers[1][:, number] != UNLABELLED
    p, labels = (part[recorded, number] for part in answers[:2])
    if not len(labels):
        return {"examples": 0, "auroc": None, "balanced_accuracy": None, "calibration_error": None}
    objects = answers[2][recorded]
    return {
        "examples": len(labels),
        "auroc": _interval(auroc, labels, p, objects, seed),
        "balanced_accuracy": _interval(balanced_accuracy, labels, p, objects, seed),
        "calibration_error": calibration_error(p, labels),
    }


def _success(store: Store, outcome: str, rows: Rows, seed: int) -> dict[str, float | None] | None:
    values = store.column(f"outcome/{outcome}")[rows]
    rows, values = rows[values != UNLABELLED], values[values != UNLABELLED]
    return _interval(accuracy, np.ones(len(rows)), values, store.objects[rows], seed) if len(rows) else None


def _interval(
    metric: Metric, labels: npt.ArrayLike, p: npt.ArrayLike, objects: npt.NDArray[np.str_], seed: int
) -> dict[str, float | None]:
    """A metric of probabilities and its interval; None where there is one class, or one object, only."""
    _, owner = np.unique(objects, return_inverse=True)
    score = np.asarray(p, np.float64)
    found = Predictions(
        trials=np.arange(len(owner)),
        labels=np.asarray(labels, np.int64),
        predicted=(score > 0.5).astype(np.int64),
        scores=np.stack([1 - score, score], axis=1),
        objects=owner.astype(np.int64),
        folds=np.zeros(len(owner), np.int64),
    )
    return estimate(metric, [found], draw_units(np.ones(owner.max() + 1, bool), seed)).figure()


def _percent(figure: Mapping[str, float | None] | None) -> str:
    return format_figure(figure, 1, scale=100)
