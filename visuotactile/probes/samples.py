"""A handful of trials with the best encoder's answer: the surest right ones, and the surest wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.probes.evaluation import Evaluation
from visuotactile.probes.metrics import Predictions
from visuotactile.probes.rows import Row
from visuotactile.reports.pictures import data_uri, seen_pictures, side_by_side, trial_pictures

EACH = 4
HEIGHT = 120


def sample_trials(found: Evaluation, rows: Sequence[Row], report: dict[str, Any]) -> list[dict[str, Any]]:
    """Trials with their pictures: EACH right, then EACH wrong, each of another object while there are enough.

    They come from the headline's method and probe, its first encoder and seed.
    """
    name = found.methods[report["headline"]["method"]][0].name
    contracts = [contract for _, contract in next(row for row in rows if row.name == name).kind]
    answers = found.predictions[name, report["headline"]["probe"]][0]
    chosen = np.concatenate([_surest(answers, right=right) for right in (True, False)])
    trials = answers.trials[chosen]
    if not len(trials):
        return []
    store, classes = found.task.store, found.task.classes
    recorded = side_by_side([trial_pictures(store, each, trials, HEIGHT) for each in contracts])
    seen = side_by_side([seen_pictures(store, each, trials) for each in contracts])
    return [
        {
            "name": str(store.names[trial]),
            "object": str(store.objects[trial]),
            "label": str(classes[answers.labels[i]]),
            "predicted": str(classes[answers.predicted[i]]),
            "right": bool(answers.labels[i] == answers.predicted[i]),
            "recorded": data_uri(recorded[place], lossy=True),
            "seen": data_uri(seen[place], lossy=True),
        }
        for place, (i, trial) in enumerate(zip(chosen.tolist(), trials.tolist(), strict=True))
    ]


def _surest(answers: Predictions, *, right: bool) -> NDArray[np.int64]:
    """The surest answers [at most EACH] that are right, or wrong."""
    members = np.flatnonzero((answers.predicted == answers.labels) == right)
    surest = members[np.argsort(-answers.scores[members, answers.predicted[members]], kind="stable")]
    _, first = np.unique(answers.objects[surest], return_index=True)
    others = np.setdiff1d(np.arange(len(surest)), first)
    return surest[np.concatenate([np.sort(first), others])[:EACH]].astype(np.int64)
