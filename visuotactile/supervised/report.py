"""Report of `visuotactile classify`: a classifier's accuracy and confusion matrix."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from visuotactile.datasets.store import Store
from visuotactile.encoders.streams import StreamNames
from visuotactile.files import provenance, refuse_overwrite, write_text, written_last
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.leaks import pretraining_saw
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.supervised.classifier_file import load_classifier
from visuotactile.supervised.evaluation import Predictions, accuracy, evaluate
from visuotactile.supervised.network import Classifier

FORMAT = 1


def classify(
    classifier: str | Path,
    store: str | Path,
    out: str | Path,
    *,
    split: Path | None = None,
    occlude: Sequence[str] = (),
    streams: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure a classifier on trials that it was not trained on.

    Writes report.json, report.md and predictions.csv into `out`.

    Args:
        classifier: folder of the classifier, made by `visuotactile export`.
        store: store of the trials.
        out: folder of the report.
        split: split file of the training, whose test side is classified; by default every trial of a store
            that the classifier was not trained on.
        occlude: modalities to occlude, such as sight.
        streams: names of the networks' streams in the store, where they differ, such as tactile_left=finger.
        seed: seed of the occlusions.
        device: PyTorch device of the classifier.
        overwrite: replace an existing report.

    Returns:
        Content of report.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        EncoderError, SplitError, ContractError, StoreError: the inputs do not fit together.
    """
    out = Path(out)
    refuse_overwrite(out / "report.json", overwrite)
    network, trials = load_classifier(classifier, device), Store(store)
    if streams:
        StreamNames.given(streams).networks(network.networks().values(), trials)
    tested = evaluate(network, trials, split, occlude=occlude, seed=seed)
    counts = confusion_matrix(tested.labels, tested.predicted, labels=range(len(tested.classes)))
    report = {
        "format": FORMAT,
        "classifier": str(classifier),
        **network.description(),
        "trained_on": network.meta["data"],
        "seed": network.meta["seed"],
        "store": str(trials.path),
        "dataset": trials.name,
        "fingerprint": trials.fingerprint,
        "split_hash": network.meta["data"]["split_hash"] if split else "",
        "occluded": sorted(occlude),
        "accuracy": accuracy(tested),
        "seen": _seen(network, trials.objects[tested.rows]),
        "majority": float(counts.sum(axis=1).max() / counts.sum()),
        "by_class": {name: accuracy(tested, tested.labels == n) for n, name in enumerate(tested.classes)},
        "confusion": counts.tolist(),
        "provenance": provenance(
            classifier=str(classifier),
            store=str(store),
            split=None if split is None else str(split),
            occlude=sorted(occlude),
            streams=dict(streams or {}),
            seed=seed,
        ),
    }
    with written_last(out / "report.json", report):
        write_text(out / "predictions.csv", _predictions(tested, trials))
        write_text(out / "report.md", markdown(report))
    print(headline(report))
    return report


def headline(report: dict[str, Any]) -> str:
    """The accuracy in one sentence."""
    found = report["accuracy"]
    covered = f", {' and '.join(report['occluded'])} occluded" if report["occluded"] else ""
    return (
        f"Accuracy {_percent(found)} from {' and '.join(report['branches'])}{covered}: {found['trials']} "
        f"trials in {found['poses']} poses of {report['dataset']}; the largest class alone "
        f"{report['majority']:.1%}. {' '.join(report['seen'])}"
    )


def _seen(network: Classifier, objects: npt.NDArray[np.str_]) -> list[str]:
    """Sentences on the share of tested objects [n] seen in training or in an encoder's pretraining."""
    tested = np.unique(objects)

    def share(known: Sequence[str] | None) -> float | None:
        return None if known is None else float(np.isin(tested, list(known)).mean())

    trained = share(network.meta["data"].get("pretraining_objects"))
    known = "an unrecorded share" if trained is None else f"{trained:.0%}" if trained else "None"
    lines = [f"{known[0].upper()}{known[1:]} of the test objects were among the training objects."]
    for name, branch in network.networks().items():
        if branch.origin is not None:
            saw = share(branch.origin["meta"].get("pretraining_objects"))
            lines.append(pretraining_saw(f"encoder of {name}", saw))
    return lines


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    classes = report["classes"]
    looks = [
        f"{name}: {'frozen ' if each['frozen'] else ''}{each['architecture']}, {each['contract']['size']} px"
        for name, each in report["branches"].items()
    ]
    joined = ", with cross-modal attention" if report["attention"] else ", concatenated"
    parts = [
        f"# Classifying {one_line(report['trained_on']['label'])} in {one_line(report['dataset'])}",
        one_line(headline(report)),
        f"{one_line('; '.join(looks))}{joined if len(looks) > 1 else ''}. Training seed {report['seed']}.",
        "Intervals are Wilson's, 95%, over poses; they do not cover the variation between training seeds.",
        "## Accuracy by class",
        table(
            ["class", "trials", "accuracy"],
            [
                [name, str(found["trials"]), _percent(found) if found["trials"] else "none tested"]
                for name, found in report["by_class"].items()
            ],
        ),
        "## Confusion matrix",
        "Number of trials by true class (row) and predicted class (column).",
        table(
            ["", *classes],
            [[name, *(str(n) for n in row)] for name, row in zip(classes, report["confusion"], strict=True)],
        ),
        *made_with(report["provenance"]),
    ]
    return "\n\n".join(parts) + "\n"


def _predictions(tested: Predictions, store: Store) -> str:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["trial", "pose", "label", "predicted", *(f"p({name})" for name in tested.classes)])
    for row, pose, label, predicted, chances in zip(
        tested.rows, tested.groups, tested.labels, tested.predicted, tested.probabilities, strict=True
    ):
        names = tested.classes[label], tested.classes[predicted]
        table.writerow([store.names[row], pose, *names, *(f"{chance:.6f}" for chance in chances)])
    return lines.getvalue()


def _percent(found: dict[str, Any]) -> str:
    return format_figure(found, 1, scale=100, unit="%")
