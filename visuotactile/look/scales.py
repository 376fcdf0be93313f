"""Scales shared by all trials of a sheet, so that their pictures can be compared."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.look.panels import Array, Panel, is_colour, read

GAINS = (16.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5)
UNCLIPPED = 0.99
"""Share of the differences' pixels that the gain does not clip."""

VALUES_A_PLANE = 4096


@dataclass(frozen=True)
class Scales:
    """Scales shared by the pictures of all trials.

    Attributes:
        gain: grey levels for a difference of one level.
        ranges: minimum and maximum of each map's or signal's stream.
        holes: streams of maps in which 0 marks a missing measurement.
    """

    gain: float
    ranges: dict[str, tuple[float, float]]
    holes: frozenset[str]


def measure(store: Store, panels: list[Panel], trials: Iterable[int]) -> tuple[list[Panel], Scales]:
    """Measure the scales of these trials; also return the panels, with masks separated from grey images."""
    counts = np.zeros(256, np.int64)
    values: dict[str, list[Array]] = defaultdict(list)
    zero, negative = set(), set()
    binary = {panel.key for panel in panels if panel.kind == "photo" and not is_colour(panel)}
    for trial in trials:
        for panel in panels:
            stream = panel.key[0]
            if panel.kind == "difference":
                counts += np.bincount(np.abs(read(store, panel, trial)).ravel(), minlength=256)
            elif panel.kind == "signal":
                values[stream].append(np.abs(read(store, panel, trial).astype(np.float64)).max(axis=0))
            elif panel.kind == "map":
                found = read(store, panel, trial).ravel()
                zero |= {stream} if (found == 0).any() else set()
                negative |= {stream} if found.min() < 0 else set()
                values[stream].append(found[:: max(1, len(found) // VALUES_A_PLANE)].astype(np.float64))
            elif panel.key in binary and not _is_mask(read(store, panel, trial)):
                binary.remove(panel.key)
    ranges, holes = {}, zero - negative
    for panel in panels:
        stream = panel.key[0]
        if panel.kind == "signal":
            reach = float(np.concatenate(values[stream]).max())
            ranges[stream] = (-reach, reach)
        elif panel.kind == "map" and stream not in ranges:
            joined = np.concatenate(values[stream])
            there = joined[joined != 0] if stream in holes else joined
            # Stray pixels do not count, but an object that fills little of a depth image does.
            low, high = np.quantile(there, [0.001, 0.999]) if len(there) else (0.0, 1.0)
            ranges[stream] = (float(low), float(high))
    masks = {stream for stream, _ in binary}
    kept = [
        dataclasses.replace(panel, kind="mask") if panel.key in binary else panel
        for panel in panels
        if not (panel.kind == "difference" and panel.key[0] in masks)
    ]
    return kept, Scales(_gain(counts), ranges, frozenset(holes))


def _is_mask(planes: Array) -> bool:
    present = set(np.unique(planes).tolist())
    return present <= {0, 1} or present <= {0, 255}


def _gain(counts: npt.NDArray[np.int64]) -> float:
    """The largest gain that clips almost none of the differences, counted by size."""
    if not counts.any():
        return 1.0
    reach = int(np.searchsorted(np.cumsum(counts), UNCLIPPED * counts.sum()))
    return next((gain for gain in GAINS if gain * reach <= 127), GAINS[-1])
