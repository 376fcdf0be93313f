"""Accuracies of the classifiers, their paired differences and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from experiments.visuotactile_representation.intervals import Figure, difference, figure, percent
from experiments.visuotactile_representation.presets import RESNET, VIT
from visuotactile.probes.metrics import Floats, Metric, Predictions, accuracy
from visuotactile.reports.intervals import Estimate, draw_units, estimate, wilson
from visuotactile.reports.markdown import table

SENSES: Mapping[str, tuple[str, ...]] = {
    "vision": ("sight",),
    "touch": ("touch",),
    "both": ("sight", "touch"),
}
PLAIN, OCCLUDED = "plain", "occluded"
CONFUSED = ("aux", "stud")
"""The paper: "the two classes that created the most confusion"."""


@dataclass(frozen=True)
class Kind:
    """One kind of classifier.

    Attributes:
        senses: a key of `SENSES`.
        backbone: ResNet or ViT.
        attention: cross-modal attention before the linear layer.
        trained: PLAIN, or OCCLUDED sight.
    """

    senses: str
    backbone: str
    attention: bool = False
    trained: str = PLAIN


Tested = dict[tuple[Kind, str], list[Predictions]]
"""(kind, PLAIN or OCCLUDED test images) → predictions of each seed."""


def summarise(tested: Tested, classes: Sequence[str]) -> dict[str, Any]:
    """Accuracies, paired differences and the confusion matrix."""
    first = next(iter(tested.values()))[0]
    counts = draw_units(np.ones(int(first.drawn.max()) + 1, bool), seed=0)
    found = {key: [estimate(accuracy, [each], counts) for each in own] for key, own in tested.items()}
    ours = tested[Kind("both", RESNET), PLAIN]
    pairs = [estimate(_more_confused(classes), [each], counts) for each in ours]
    return {
        "pairs": len(first.trials),
        "poses": counts.shape[1],
        "classes": list(classes),
        "accuracy": [
            {
                "senses": kind.senses,
                "backbone": kind.backbone,
                "attention": kind.attention,
                "trained": kind.trained,
                "tested": test,
                **_accuracy(own, counts.shape[1]),
            }
            for (kind, test), own in found.items()
        ],
        "differences": _differences(found),
        "confusion": _confusion(ours, len(classes)),
        f"{' and '.join(CONFUSED)} minus the next pair, share of pairs": figure(pairs),
    }


def _accuracy(own: Sequence[Estimate], poses: int) -> Figure:
    """Mean over seeds, with Wilson's interval over poses, since a bootstrap's vanishes close to 1."""
    found = figure(own)
    low, high = wilson(found["value"], poses)
    return {**found, "low": low, "high": high}


def _differences(found: Mapping[tuple[Kind, str], Sequence[Estimate]]) -> dict[str, Figure]:
    differences = {}
    for (kind, test), own in found.items():
        for text, other in _compared(kind):
            if (other, test) in found:
                place = f"trained {kind.trained}, tested {test}"
                differences[f"{text}, {place}"] = difference(own, found[other, test])
    return differences


def _compared(kind: Kind) -> list[tuple[str, Kind]]:
    """Comparisons with this kind: name of the difference, and the other kind."""
    senses, backbone, trained = kind.senses, kind.backbone, kind.trained
    if kind.attention:
        return [(f"attention − concatenation, {backbone}", Kind(senses, backbone, trained=trained))]
    pairs = []
    if senses == "both":
        pairs += [
            (f"both − {other}, {backbone}", Kind(other, backbone, trained=trained))
            for other in ("vision", "touch")
        ]
    if senses == "touch":
        pairs.append((f"touch − vision, {backbone}", Kind("vision", backbone, trained=trained)))
    if backbone == VIT:
        pairs.append((f"ViT − ResNet, {senses}", Kind(senses, RESNET, trained=trained)))
    return pairs


def _confusion(tested: Sequence[Predictions], classes: int) -> list[list[float]]:
    """Confusion matrix [true class][predicted class], in shares of the true class, mean over seeds."""
    labels, predicted = (
        np.concatenate([getattr(each, key) for each in tested]) for key in ("labels", "predicted")
    )
    found = confusion_matrix(labels, predicted, labels=range(classes), normalize="true")
    shares: list[list[float]] = found.round(4).tolist()
    return shares


def _more_confused(classes: Sequence[str]) -> Metric:
    """Confusion of the paper's two classes minus that of the most confused other pair."""
    pairs = [(a, b) for a in range(len(classes)) for b in range(a)]
    theirs = {place for place, name in enumerate(classes) if name in CONFUSED}

    def metric(found: Predictions, weights: Floats) -> Floats:
        def share(pair: tuple[int, int]) -> Floats:
            a, b = pair
            taken = ((found.labels == a) & (found.predicted == b)) | (
                (found.labels == b) & (found.predicted == a)
            )
            return np.asarray(weights @ taken.astype(np.float64) / weights.sum(1))

        ours = [share(pair) for pair in pairs if set(pair) == theirs]
        others = [share(pair) for pair in pairs if set(pair) != theirs]
        return np.asarray(ours[0] - np.max(others, axis=0))

    return metric


def lines(content: Mapping[str, Any]) -> list[str]:
    """classification.md."""
    lines = [
        "# Which connector is it? Figure 7, in simulation",
        "",
        f"{content['pairs']} simulated pairs at {content['poses']} perturbed poses, {content['seeds']} "
        "training seed(s). Accuracy, %: mean over seeds [95%, Wilson's, over poses] ± standard "
        "deviation over seeds.",
        "",
    ]
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for each in content["accuracy"]:
        joined = "" if each["senses"] != "both" else "attention" if each["attention"] else "concatenation"
        key = each["senses"], each["backbone"], joined, each["trained"]
        rows.setdefault(key, {})[each["tested"]] = percent(each)
    lines += [
        table(
            ["", "encoder", "joined by", "trained", "tested plain", "tested occluded"],
            [[*key, cells[PLAIN], cells[OCCLUDED]] for key, cells in rows.items()],
        ),
        "",
        "## Differences",
        "",
        "Percentage points, on the same poses; the interval is over poses and, if there are several, seeds.",
        "",
        table(
            ["", "difference"],
            [[name, percent(found, signed=True)] for name, found in content["differences"].items()],
        ),
    ]
    return [*lines, ""]
