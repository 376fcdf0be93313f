"""`visuotactile classify`: from a classifier folder to its accuracy and confusions on disk."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visuotactile.datasets.store import Store
from visuotactile.files import provenance, refuse_overwrite, write_json, write_text
from visuotactile.supervised.classifier_file import load_classifier
from visuotactile.supervised.evaluation import Predictions, accuracy, confusion, evaluate

FORMAT = 1


def classify(
    classifier: str | Path,
    store: str | Path,
    out: str | Path,
    *,
    split: Path | None = None,
    occlude: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure a classifier; write report.json, report.md and predictions.csv into `out`.

    Args:
        classifier: a folder that `visuotactile export` made.
        store: the trials.
        out: folder of the report.
        split: the file that it was trained with, whose test side is classified; None for a store that it was
            not trained on, every trial of which is.
        occlude: modalities that are seen with something in front of them.
        seed: of the occlusions.
        device: where it runs.
        overwrite: replace a report that is there.

    Returns:
        the content of report.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        EncoderError, SplitError, ContractError, StoreError: something does not fit; the message says what.
    """
    out = Path(out)
    refuse_overwrite(out / "report.json", overwrite)
    network, trials = load_classifier(classifier, device), Store(store)
    tested = evaluate(network, trials, split, occlude=occlude, seed=seed)
    counts = np.bincount(tested.labels, minlength=len(tested.classes))
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
        "majority": float(counts.max() / counts.sum()),
        "by_class": {name: accuracy(tested, tested.labels == n) for n, name in enumerate(tested.classes)},
        "confusion": confusion(tested).tolist(),
        "provenance": provenance(
            classifier=str(classifier),
            store=str(store),
            split=None if split is None else str(split),
            occlude=sorted(occlude),
            seed=seed,
        ),
    }
    # The JSON is written last: where it lies, the report is whole.
    (out / "report.json").unlink(missing_ok=True)
    write_text(out / "predictions.csv", _predictions(tested, trials))
    write_text(out / "report.md", markdown(report))
    write_json(out / "report.json", report)
    print(headline(report))
    print(f"Report: {out / 'report.md'}")
    return report


def headline(report: dict[str, Any]) -> str:
    """The accuracy in one sentence."""
    found = report["accuracy"]
    covered = f", {' and '.join(report['occluded'])} occluded" if report["occluded"] else ""
    return (
        f"Accuracy {_percent(found)} from {' and '.join(report['branches'])}{covered}: {found['trials']} "
        f"trials in {found['poses']} poses of {report['dataset']}; the largest class alone "
        f"{report['majority']:.1%}."
    )


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    classes = report["classes"]
    looks = [
        f"{name}: {'frozen ' if each['frozen'] else ''}{each['architecture']}, {each['contract']['size']} px"
        for name, each in report["branches"].items()
    ]
    joined = ", with cross-modal attention" if report["attention"] else ", side by side"
    parts = [
        f"# Classifying {_line(report['trained_on']['label'])} in {_line(report['dataset'])}",
        _line(headline(report)),
        f"{_line('; '.join(looks))}{joined if len(looks) > 1 else ''}. Training seed {report['seed']}.",
        "Intervals are Wilson's, 95%, over poses; they do not hold what another training seed would change.",
        "## By class",
        _table(
            ["class", "trials", "told right"],
            [
                [name, str(found["trials"]), _percent(found) if found["trials"] else "none tested"]
                for name, found in report["by_class"].items()
            ],
        ),
        "## Confusion",
        "How many trials of each class (row) were taken for each (column).",
        _table(
            ["", *classes],
            [[name, *(str(n) for n in row)] for name, row in zip(classes, report["confusion"], strict=True)],
        ),
        "## Made with",
        "    " + " ".join(report["provenance"]["command"].split()),
        ", ".join(f"{name} {version}" for name, version in report["provenance"]["versions"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _predictions(tested: Predictions, store: Store) -> str:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["trial", "pose", "label", "predicted", *(f"p({name})" for name in tested.classes)])
    for row, pose, label, said, chances in zip(
        tested.rows, tested.groups, tested.labels, tested.predicted, tested.probabilities, strict=True
    ):
        names = tested.classes[label], tested.classes[said]
        table.writerow([store.names[row], pose, *names, *(f"{chance:.6f}" for chance in chances)])
    return lines.getvalue()


def _percent(found: dict[str, Any]) -> str:
    return f"{found['value']:.1%} [{found['low']:.1%}, {found['high']:.1%}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(
        "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _line(text: str) -> str:
    """Text on one line in which neither HTML nor Markdown takes effect."""
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "\\`"), ("\n", " ")):
        text = text.replace(letter, safe)
    return text
