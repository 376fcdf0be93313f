"""`visuotactile estimate evaluate`: errors of estimators on clips that they were not fitted to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError
from visuotactile.estimation.estimator import LEVEL, Estimator
from visuotactile.estimation.file import load_estimator
from visuotactile.estimation.report import headline, markdown, page
from visuotactile.estimation.scales import SCALES, is_modulus
from visuotactile.estimation.task import Presses, measure_presses, unseen_rows
from visuotactile.files import provenance, refuse_overwrite, write_text, written_last
from visuotactile.reports.intervals import DRAWS, Floats, draw_units
from visuotactile.reports.regression import Numbers, calibration, error_by, figures
from visuotactile.reports.terminal import print_line

FORMAT = 1
LEVELS = (0.5, 0.8, 0.9, 0.95)
CONDITIONS = ("radius", "force_peak", "duration", "family", "texture", "motion", "angle", "sensor")
"""Columns by which errors are shown, where the store has them: hidden truth among them, which is only
looked at."""
MOST_GROUPS = 16
"""Most values of a column of text by which errors are shown."""


def evaluate(
    models: Sequence[str | Path],
    store: str | Path,
    out: str | Path,
    *,
    split: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure estimators on clips that they were not fitted to.

    An estimator that answers with and without the radius has a row for each. Writes report.json, report.md,
    report.html and predictions.csv into `out`.

    Args:
        models: folders of estimators of one number.
        store: store of the clips.
        out: folder of the report.
        split: split file of the fits, whose test side is estimated; by default every clip of a store that the
            estimators were not fitted to.
        seed: seed of the bootstrap.
        overwrite: replace an existing report.

    Returns:
        Content of report.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        ContractError, StoreError, SplitError, DataError, EncoderError: the inputs do not fit together.
    """
    out = Path(out)
    refuse_overwrite(out / "report.json", overwrite)
    presses = Store(store)
    rows: list[Row] = []
    for model in models:
        rows += _rows(Path(model), load_estimator(model), presses, split)
    targets = sorted({row.target for row in rows})
    if len(targets) > 1:
        raise ContractError(f"the estimators estimate {' and '.join(targets)}; compare those of one number")
    values = np.asarray(presses.recorded(targets[0]), np.float64)
    span = float(values.max() - values.min())
    report: dict[str, Any] = {
        "format": FORMAT,
        "store": str(presses.path),
        "dataset": presses.name,
        "fingerprint": presses.fingerprint,
        "target": targets[0],
        "span": [float(values.min()), float(values.max())],
        "modulus": is_modulus(targets[0]),
        "level": LEVEL,
        "draws": DRAWS,
        "estimators": [_figures(row, presses, span, seed) for row in rows],
        "provenance": provenance(
            models=[str(model) for model in models],
            store=str(store),
            split=None if split is None else str(split),
            seed=seed,
        ),
    }
    with written_last(out / "report.json", report):
        write_text(out / "predictions.csv", _predictions(rows, presses))
        write_text(out / "report.md", markdown(report))
        write_text(out / "report.html", page(report))
    print_line(headline(report))
    return report


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the report: an estimator that was, or was not, told the radius.

    Attributes:
        name: of the row.
        estimator: the estimator.
        target: column of the number.
        radius: the radius was given.
        presses: measured presses of the test side.
        at: level → predictions with intervals of that level.
    """

    name: str
    estimator: Estimator
    target: str
    radius: bool
    presses: Presses
    at: dict[float, Numbers]


def _rows(model: Path, estimator: Estimator, store: Store, split: Path | None) -> list[Row]:
    data = estimator.meta["data"]
    column = data["radius"]
    found = measure_presses(
        estimator,
        store,
        unseen_rows(estimator.meta, store, split),
        target=data["target"],
        group=data["group"],
        radius=column,
    )
    rows = []
    for radius in sorted(estimator.scores, reverse=True):
        known = found.known if radius else found.known.without_radius()
        told = f", radius {'known' if radius else 'unknown'}" if len(estimator.scores) > 1 or radius else ""
        at = {}
        for level in LEVELS:
            estimates = estimator.predict(found.measured, known, level=level)
            at[level] = Numbers(
                truth=found.target,
                predicted=estimates.value,
                drawn=found.units,
                low=estimates.low,
                high=estimates.high,
            )
        rows.append(
            Row(
                name=f"{model.name}{told}",
                estimator=estimator,
                target=data["target"],
                radius=radius,
                presses=found,
                at=at,
            )
        )
    return rows


def _figures(row: Row, store: Store, span: float, seed: int) -> dict[str, Any]:
    found = row.at[LEVEL]
    tested = np.zeros(int(row.presses.units.max()) + 1, bool)
    tested[row.presses.units] = True
    counts = draw_units(tested, seed)
    trained = set(row.estimator.meta["data"].get("training_objects", ()))
    objects = np.unique(store.objects[row.presses.rows])
    return {
        "name": row.name,
        "kind": row.estimator.kind,
        "radius": row.radius,
        "clips": len(found),
        "units": int(tested.sum()),
        "blank": row.presses.blank,
        "seen_objects": float(np.isin(objects, list(trained)).mean()),
        "figures": figures([found], counts, span),
        "scales": _scales(found, counts) if is_modulus(row.target) else {},
        "calibration": calibration({level: [each] for level, each in row.at.items()}, counts),
        "conditions": {
            name: error_by([found], [values], counts, span)
            for name, values in _conditions(row, store).items()
        },
        "points": [
            [round(float(value), 5) for value in point]
            for point in zip(found.truth, found.predicted, found.low, found.high, strict=True)  # type: ignore[arg-type]
        ],
    }


def _scales(found: Numbers, counts: Floats) -> dict[str, Any]:
    """Figures on each Shore scale, over the clips whose true reading is on the scale."""
    told = {}
    for name, scale in SCALES.items():
        chosen = found.only((scale(found.truth) > 0) & (scale(found.truth) < 100))
        if len(chosen):
            reading = chosen.on(scale)
            told[name] = {"clips": len(chosen), "figures": figures([reading], counts, 100.0)}
    return told


def _conditions(row: Row, store: Store) -> dict[str, npt.NDArray[Any]]:
    """Conditions by which errors are shown → their values [n]."""
    found: dict[str, npt.NDArray[Any]] = {row.target.rpartition("/")[2]: row.presses.target}
    names = {each.rpartition("/")[2]: each for each in store.columns}
    for name in CONDITIONS:
        if name not in names:
            continue
        values = store.column(names[name])[row.presses.rows]
        distinct = len(np.unique(values))
        if distinct > 1 and (values.dtype.kind != "U" or distinct <= MOST_GROUPS):
            found[name] = values
    return found


def _predictions(rows: Sequence[Row], store: Store) -> str:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["estimator", "trial", "object", "true", "estimated", "low", "high"])
    for row in rows:
        found = row.at[LEVEL]
        assert found.low is not None
        assert found.high is not None
        for i, place in enumerate(row.presses.rows.tolist()):
            numbers = (found.truth[i], found.predicted[i], found.low[i], found.high[i])
            names = row.name, store.names[place], store.objects[place]
            table.writerow([*names, *(f"{value:.6f}" for value in numbers)])
    return lines.getvalue()
