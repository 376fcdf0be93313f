"""`visuotactile estimate hardness`: the hardness of what was pressed in a user's own clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visuotactile.datasets.clips import Clip, ReadClips, contact_growth, read_clip
from visuotactile.errors import ContractError, DataError
from visuotactile.estimation.estimator import LEVEL, Estimates, Estimator, Known
from visuotactile.estimation.file import load_estimator
from visuotactile.estimation.page import Card, page
from visuotactile.estimation.scales import is_modulus, readings, spoken
from visuotactile.files import provenance, refuse_overwrite, write_text
from visuotactile.progress import track
from visuotactile.reports.terminal import print_line, print_table


def hardness(
    model: str | Path,
    clips: Sequence[str | Path],
    *,
    radius_mm: float | None = None,
    sensor: str | None = None,
    reference: Path | None = None,
    level: float = LEVEL,
    out: Path | None = None,
    overwrite: bool = False,
) -> list[dict[str, Any]]:
    """Estimate how hard a pressed sample is, from a clip of the press.

    Args:
        model: folder of the estimator.
        clips: folders of frames in the order of their numbers, or videos; each begins with the bare gel.
        radius_mm: radius of the sample's surface in millimetres, if it is known.
        sensor: name of the sensor unit, as in the training store, if it is known.
        reference: image of the bare gel, for clips that begin in contact.
        level: share of new samples that the stated intervals hold.
        out: HTML page to write, with each clip, the fit over its contact, and the estimate.
        overwrite: replace an existing page.

    Returns:
        For each clip `clip`, `value`, `low` and `high` of log10 modulus [Pa], and `readings` on each scale.

    Raises:
        DataError: a clip cannot be read, or shows no contact.
        ContractError: the estimator estimates something else, or needs to know the radius or not to know it.
        EncoderError: the estimator is damaged.
        OutputExistsError: `out` exists.
    """
    if out is not None:
        refuse_overwrite(out, overwrite)
    if radius_mm is not None and not 0 < radius_mm < 1000:
        raise ContractError(f"radius_mm is {radius_mm:g}; expected millimetres, such as 12")
    estimator = load_estimator(model)
    target = estimator.meta.get("data", {}).get("target", "")
    if not is_modulus(target):
        raise ContractError(
            f"{model} estimates {target or 'an unnamed number'}; expected log_modulus, hardness"
        )
    read = [_touching(path, reference) for path in track(clips, f"reading {len(clips)} clips")]
    known = Known(
        radius=None if radius_mm is None else np.full(len(read), radius_mm * 1e-3),
        sensor=None if sensor is None else np.full(len(read), sensor),
    )
    measured = estimator.measure(ReadClips(read))
    found = estimator.predict(measured, known, level=level)
    results = [_result(read[i].name, found, i) for i in range(len(read))]
    _print(results, estimator, level, radius_mm)
    if out is not None:
        cards = [
            Card.of(read[i], measured[i], results[i], estimator, known.only(np.array([i])))
            for i in range(len(read))
        ]
        made = provenance(
            model=str(model),
            clips=[str(path) for path in clips],
            radius_mm=radius_mm,
            sensor=sensor,
            level=level,
        )
        write_text(out, page(cards, estimator, level, radius_mm, made))
    return results


def _touching(path: str | Path, reference: Path | None) -> Clip:
    clip = read_clip(path, reference)
    _, touched = contact_growth(clip)
    if not touched.any():
        raise DataError(f"{path} shows no contact: nothing changes against the bare gel; press harder")
    return clip


def _result(name: str, found: Estimates, i: int) -> dict[str, Any]:
    value, low, high = (float(each[i]) for each in (found.value, found.low, found.high))
    return {"clip": name, "value": value, "low": low, "high": high, "readings": readings(value, low, high)}


def _print(
    results: list[dict[str, Any]], estimator: Estimator, level: float, radius_mm: float | None
) -> None:
    told = "unknown" if radius_mm is None else f"{radius_mm:g} mm"
    print_table(
        f"Hardness by {estimator.kind}, radius {told}, intervals of {level:.0%}",
        ["clip", "Shore 00", "Shore A", "MPa"],
        [
            [
                each["clip"],
                *(spoken(each["readings"]).get(name, "–") for name in ("Shore 00", "Shore A", "MPa")),
            ]
            for each in results
        ],
    )
    low, high = estimator.span
    beyond = [each["clip"] for each in results if not low <= each["value"] <= high]
    if beyond:
        print_line(f"{', '.join(beyond)}: beyond the samples that the estimator was fitted to.")
