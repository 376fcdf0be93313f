"""What came of each round of a collection: how often the grasps held, and how well that was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import sigmoid
from visuotactile.grasp.predictor.evaluation import predict
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.grasp.predictor.reliability import calibration_error
from visuotactile.probes.metrics import (
    Metric,
    Predictions,
    accuracy,
    auroc,
    balanced_accuracy,
    estimate,
)
from visuotactile.reports.intervals import draw_units, format_figure
from visuotactile.reports.markdown import table

Rows = npt.NDArray[np.int64]
OUTCOME = "success"

NOTES = """\
*Held*: simulated lifts after which the object was still in the hand. In later rounds after a regrasp by the
predictor of the round before, but for the share ε; no predictor has learnt from a held-out object.

*AUROC*, in % (chance is 50). First round's: of this round's predictor on the first round's examples, the same
in every row. This round's, before: of the predictor that chose the regrasps, on what came of them; after: of
this round's predictor, on the same.

*Balanced accuracy*, in % (chance is 50), and *calibration error*: of this round's predictor, on the examples
of all rounds up to this one. Its calibration, two numbers, was fitted on them."""


def measure(
    predictor: Predictor, before: Predictor | None, collected: Sequence[Store], seed: int
) -> dict[str, Any]:
    """The row of the last round of `collected`, as JSON values.

    Every figure of a predictor is of the objects held out of its training, with its calibration; a grasp is
    expected to hold above one half. The calibration was fitted on these objects' grasps of all rounds up to
    its own, so the only ones that are new to it too are those of "own_before".

    Args:
        predictor: of this round.
        before: that of the round before, which chose this round's regrasps; None if they were random.
        collected: what each round up to this one collected.
        seed: of the intervals, 95% from drawing the objects again.
    """
    own, data = collected[-1], predictor.meta["data"]
    _, grasps = np.unique(own.column("column/grasp"), return_index=True)
    held_out = [np.flatnonzero(np.isin(store.objects, data["held_out_objects"])) for store in collected]
    row = {
        "round": len(collected) - 1,
        "policy": own.index["settings"]["policy"],
        "grasps": len(grasps),
        "success": _success(own, grasps, seed),
        "held_out_grasps": len(np.intersect1d(grasps, held_out[-1])),
        "held_out_success": _success(own, np.intersect1d(grasps, held_out[-1]), seed),
        "training_examples": data["training_examples"],
        "held_out_objects": data["held_out_objects"],
        "first": _predicted(predictor, collected[:1], held_out[:1], seed),
        "own": _predicted(predictor, [own], held_out[-1:], seed),
        "all": _predicted(predictor, collected, held_out, seed),
    }
    if before is not None:
        row["own_before"] = _predicted(before, [own], held_out[-1:], seed)
    return row


def write_report(out: Path, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Write rounds.json and rounds.md into `out`."""
    write_json(out / "rounds.json", {"rounds": list(rows), **provenance(**settings)})
    collected, learnt = [], []
    for row in rows:
        number, before = row["round"], row.get("own_before", {"auroc": None})
        by = f"by predictor {number - 1}, ε {row['policy']['epsilon']:g}" if number else "at random"
        unseen = f"{_percent(row['held_out_success'])} of {row['held_out_grasps']:,}"
        collected.append([str(number), by, f"{row['grasps']:,}", _percent(row["success"]), unseen])
        order = [_percent(part["auroc"]) for part in (row["first"], before, row["own"])]
        right, error = _percent(row["all"]["balanced_accuracy"]), row["all"]["calibration_error"]
        learnt.append([str(number), f"{row['training_examples']:,}", *order, right, f"{error:.3f}"])
    held_out = len(rows[0]["held_out_objects"])
    parts = [
        "# Rounds of simulated grasps",
        f"Objects: {settings['objects']}. {held_out} of them are held out in every round: no predictor "
        "learns from their grasps. Intervals are 95%, over objects.",
        "## What was collected",
        table(["round", "regrasps chosen", "grasps", "held, %", "held-out objects: held, %"], collected),
        "## What was learnt: of held-out objects",
        table(
            [
                *(
                    "predictor",
                    "examples",
                    "AUROC: first round's",
                    "this round's, before",
                    "this round's, after",
                ),
                *("balanced accuracy", "calibration error"),
            ],
            learnt,
        ),
        NOTES,
    ]
    write_text(out / "rounds.md", "\n\n".join(parts) + "\n")


def _predicted(
    predictor: Predictor, stores: Sequence[Store], rows: Sequence[Rows], seed: int
) -> dict[str, Any]:
    """How well the outcomes of some rows of some stores are predicted; None where there are none."""
    number = predictor.outcomes.index(OUTCOME)
    parts = [predict(predictor, store, some) for store, some in zip(stores, rows, strict=True)]
    logits, labels = (np.concatenate([part[i][:, number] for part in parts]) for i in (0, 1))
    if not len(labels):
        return {"examples": 0, "auroc": None, "balanced_accuracy": None, "calibration_error": None}
    p = sigmoid(logits, float(predictor.slope[number]), float(predictor.intercept[number]))
    objects = np.concatenate([store.objects[some] for store, some in zip(stores, rows, strict=True)])
    return {
        "examples": len(labels),
        "auroc": _interval(auroc, labels, p, objects, seed),
        "balanced_accuracy": _interval(balanced_accuracy, labels, p, objects, seed),
        "calibration_error": calibration_error(p, labels),
    }


def _success(store: Store, rows: Rows, seed: int) -> dict[str, float | None] | None:
    held = store.column(f"outcome/{OUTCOME}")[rows]
    return _interval(accuracy, np.ones(len(rows)), held, store.objects[rows], seed) if len(rows) else None


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
