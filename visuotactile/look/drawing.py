"""A panel of one trial as a picture, with the words that go with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from visuotactile.datasets.store import Store
from visuotactile.look import pictures
from visuotactile.look.panels import Array, Kind, Panel, read, shrunk
from visuotactile.look.scales import Scales
from visuotactile.reports.page import data_uri

LOSSY, LOSSLESS = 70_000, 135_000
"""Characters of the page for one trial's pictures, so that a sheet of 24 trials stays below 6 MB. How many
pixels that is depends on the sensor: lossless differences are mostly noise, at about a byte a pixel."""

PHOTO: dict[str, Any] = {"kind": "JPEG", "quality": 85}
COMPUTED: dict[str, Any] = {"kind": "WEBP", "lossless": True, "method": 0}
"""A lossless difference of two noisy images is mostly noise, which no encoder compresses well: WebP's fastest
setting came within 2% of its slowest, in a twentieth of the time, and 4% below PNG."""

TRIED = 3
"""Trials that are drawn to learn how large they come out."""


@dataclass(frozen=True)
class Picture:
    """A panel of one trial: an image's address or an SVG or neither, and what to say of it."""

    title: str
    alt: str
    kind: Kind
    note: str = ""
    source: str = ""
    svg: Markup | None = None
    width: int = 0
    height: int = 0


def fit(store: Store, panels: list[Panel], trials: Sequence[int], scales: Scales) -> list[Panel]:
    """The panels, made smaller where the trials' pictures would make the page too large to send."""
    tried = trials[:: max(1, len(trials) // TRIED)][:TRIED]
    # Twice, since the first share is off where noise, and so what a pixel takes, changes with the size.
    for _ in range(2):
        used = {True: 0.0, False: 0.0}
        for panel in panels:
            found = [len(draw(store, panel, trial, scales).source) for trial in tried]
            used[panel.kind == "photo"] += sum(found) / len(found)
        shares = {
            lossy: math.sqrt(room / max(used[lossy], 1)) for lossy, room in ((True, LOSSY), (False, LOSSLESS))
        }
        panels = [shrunk(panel, min(1.0, shares[panel.kind == "photo"])) for panel in panels]
    return panels


def draw(store: Store, panel: Panel, trial: int, scales: Scales) -> Picture:
    """The panel of one trial."""
    stream = panel.key[0]
    alt = f"{stream}, {panel.title}, of {store.names[trial]}"
    if panel.kind == "array":
        shape = " × ".join(map(str, panel.spec.shape))
        return Picture(panel.title, alt, "array", note=f"{panel.spec.dtype} {shape}: not drawn")
    found = read(store, panel, trial)
    if panel.kind == "signal":
        peak = float(np.abs(found.astype(np.float64)).max())
        note = f"{found.shape[0]:,} samples × {found.shape[1]}, peak {peak:,.4g}"
        if found.shape[1] > pictures.MOST_LANES:
            note += f"; the first {pictures.MOST_LANES} channels"
        svg = pictures.waveform(found, scales.ranges[stream][1], f"{alt}: {note}")
        return Picture(panel.title, alt, "signal", note=note, svg=svg)
    frames = [_coloured(plane, panel, scales) for plane in found]
    image = pictures.strip(frames)
    return Picture(
        panel.title,
        alt if panel.kind != "difference" else f"{alt}; grey is no change",
        panel.kind,
        note=_counted(panel),
        source=data_uri(image, **(PHOTO if panel.kind == "photo" else COMPUTED)),
        width=image.shape[1],
        height=image.shape[0],
    )


def _coloured(plane: Array, panel: Panel, scales: Scales) -> pictures.Pixels:
    stream = panel.key[0]
    if panel.kind == "difference":
        return pictures.signed(pictures.shrink_numbers(plane, panel.size), scales.gain)
    if panel.kind == "photo":
        return pictures.shrink(plane, panel.size)
    there = pictures.pick(plane, panel.size)
    if panel.kind == "mask":
        return np.where(there > 0, 255, 0).astype(np.uint8)
    return pictures.heat(there, *scales.ranges[stream], holes=stream in scales.holes)


def _counted(panel: Panel) -> str:
    """How many frames or channels are drawn, and of how many."""
    if not panel.unit:
        return ""
    drawn = len(panel.planes)
    if drawn == panel.of:
        return f"{drawn} {panel.unit}{'' if drawn == 1 else 's'}"
    return f"{drawn} of {panel.of} frames"
