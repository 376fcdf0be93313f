"""Pictures of a panel: camera images, signed differences, maps of numbers, waveforms."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from matplotlib import colormaps
from PIL import Image

from visuotactile.datasets.store import Store
from visuotactile.look.panels import Array, Kind, Panel, Size, read, shrunk
from visuotactile.look.scales import Scales
from visuotactile.reports.page import data_uri, sound_uri

Pixels = npt.NDArray[np.uint8]

UNCHANGED = 128
"""The grey of a difference of zero."""

GAP, GAP_GREY = 3, 225
"""Pixels between the frames of a strip, and their grey, which shows on a light page and on a dark one."""

SPECTROGRAM = (64, 150)
"""Height and maximum width of a spectrogram, in pixels."""
LOUDNESS = (-12.0, 6.0)
"""Logarithms of the mel power that are darkest and brightest: a room at night, and a squeak into the
microphone."""

WAVE_WIDTH, LANE_HEIGHT, MOST_LANES = 180, 28, 8

LOSSY, LOSSLESS = 70_000, 135_000
"""Characters of the page for one trial's pictures, so that a sheet of 24 trials stays below 6 MB. The number
of pixels depends on the sensor: lossless differences are mostly noise, at about a byte per pixel."""

PHOTO: dict[str, Any] = {"kind": "JPEG", "quality": 85}
COMPUTED: dict[str, Any] = {"kind": "WEBP", "lossless": True, "method": 0}
"""A lossless difference of two noisy images is mostly noise, which no encoder compresses well: WebP's fastest
setting came within 2% of its slowest, in a twentieth of the time, and 4% below PNG."""

PLAYED, PACE = 24, 120
"""Most frames of a clip that plays, and milliseconds of each."""

TRIED = 3
"""Number of trials drawn to measure the size of their pictures."""


def signed(values: npt.NDArray[np.floating[Any]], gain: float) -> Pixels:
    """Differences in levels, `[…]`, as grey levels: 128 is no change, brighter is more than before."""
    return np.clip(np.round(UNCHANGED + gain * values), 0, 255).astype(np.uint8)


def heat(values: npt.NDArray[Any], low: float, high: float, *, holes: bool) -> Pixels:
    """Numbers `[H, W]` from `low` to `high` as viridis colours `[H, W, 3]`; `holes` chequers zeros."""
    place = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    picture = _viridis()[(np.clip(place, 0, 1) * 255).astype(np.uint8)]
    if holes:
        # Viridis has no grey, and a pattern also stands out from colours in print.
        y, x = np.indices(values.shape) // 3
        board = np.where((x + y) % 2, 150, 205).astype(np.uint8)[..., None]
        picture = np.where((values == 0)[..., None], board, picture)
    return picture


@functools.cache
def _viridis() -> Pixels:
    colours: Pixels = colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    return colours


def ramp() -> str:
    """The colours of `heat` from low to high, as the stops of a CSS gradient."""
    return ", ".join("#" + bytes(_viridis()[stop].tolist()).hex() for stop in range(0, 256, 51))


def shrink(image: Pixels, size: Size) -> Pixels:
    """An image `[H, W]` or `[H, W, 3]` at a size that is no larger, antialiased."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))


def shrink_numbers(values: npt.NDArray[Any], size: Size) -> npt.NDArray[np.float32]:
    """Numbers `[H, W]` or `[H, W, C]` at a size that is no larger, averaged without rounding."""
    values = values.astype(np.float32)
    if values.shape[:2] == size:
        return values
    if values.ndim == 3:
        return np.stack([shrink_numbers(values[..., c], size) for c in range(values.shape[-1])], axis=-1)
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BOX))


def pick(values: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """`[H, W]` at a size that is no larger, by nearest neighbour: masks and holes have no mean."""
    y, x = (((np.arange(n) + 0.5) * full / n).astype(int) for n, full in zip(size, values.shape, strict=True))
    return values[np.ix_(y, x)]


def strip(frames: Iterable[Pixels]) -> Pixels:
    """Images of one height, side by side."""
    pieces: list[Pixels] = []
    for frame in frames:
        if pieces:
            pieces.append(np.full((len(frame), GAP, *frame.shape[2:]), GAP_GREY, np.uint8))
        pieces.append(frame)
    return np.concatenate(pieces, axis=1)


def waveform(samples: npt.NDArray[Any], reach: float, description: str) -> Markup:
    """Samples `[n, channels]` as an SVG: one lane for each of the first channels, from -reach to reach.

    Each column of the picture spans from the minimum to the maximum of its samples, so that no peak is lost.
    """
    lanes = min(samples.shape[1], MOST_LANES)
    edges = np.linspace(0, len(samples), min(WAVE_WIDTH, len(samples)) + 1).astype(int)[:-1]
    x = np.arange(len(edges)) * WAVE_WIDTH / max(len(edges) - 1, 1)
    parts = []
    for lane in range(lanes):
        middle = LANE_HEIGHT * (lane + 0.5)
        wave = samples[:, lane].astype(np.float64) / max(reach, 1e-12)
        top, bottom = (way.reduceat(wave, edges) for way in (np.maximum, np.minimum))
        # Silence is drawn as a line.
        outline = np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]])
        outline[:, 1] = middle - outline[:, 1] * (LANE_HEIGHT / 2 - 2)
        points = " ".join(f"{a:.4g},{b:.4g}" for a, b in outline.tolist())
        parts.append(
            f'<line x1="0" x2="{WAVE_WIDTH}" y1="{middle:g}" y2="{middle:g}"/><polygon points="{points}"/>'
        )
    return Markup(
        f'<svg viewBox="0 0 {WAVE_WIDTH} {LANE_HEIGHT * lanes}" height="{LANE_HEIGHT * lanes}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(description)}">'
        + "".join(parts)
        + "</svg>"
    )


def spectrogram(sound: npt.NDArray[np.int16], rate: float) -> Pixels:
    """Log-mel spectrogram of a recording [samples, channels], averaged over its channels; low is below."""
    import torch  # takes a second, which stores without sound are spared

    from visuotactile.encoders.sound import log_mel

    mel = log_mel(torch.from_numpy(np.ascontiguousarray(sound[None])), round(rate))[0].mean(dim=0)
    rows = shrink_numbers(mel.numpy()[::-1], (mel.shape[0], min(SPECTROGRAM[1], mel.shape[1])))
    return heat(rows, *LOUDNESS, holes=False)


@dataclass(frozen=True)
class Picture:
    """A panel of one trial: the `data:` address of an image, an SVG or neither, and its captions.

    `sound` and `film` are the `data:` addresses of what is to be played, or "".
    """

    title: str
    alt: str
    kind: Kind
    note: str = ""
    source: str = ""
    svg: Markup | None = None
    sound: str = ""
    film: str = ""
    width: int = 0
    height: int = 0


def fit(store: Store, panels: list[Panel], trials: Sequence[int], scales: Scales) -> list[Panel]:
    """Shrink the panels where the trials' pictures would make the page too large to send."""
    tried = trials[:: max(1, len(trials) // TRIED)][:TRIED]
    # Twice, since noise, and so the bytes per pixel, changes with the size.
    for _ in range(2):
        used = {True: 0.0, False: 0.0}
        for panel in panels:
            drawn = [draw(store, panel, trial, scales) for trial in tried]
            found = [len(each.source) + len(each.film) for each in drawn]
            used[panel.kind == "photo"] += sum(found) / len(found)
        shares = {
            lossy: math.sqrt(room / max(used[lossy], 1)) for lossy, room in ((True, LOSSY), (False, LOSSLESS))
        }
        panels = [shrunk(panel, min(1.0, shares[panel.kind == "photo"])) for panel in panels]
    return panels


def draw(store: Store, panel: Panel, trial: int, scales: Scales) -> Picture:
    """Draw the panel of one trial."""
    stream = panel.key[0]
    alt = f"{stream}, {panel.title}, of {store.names[trial]}"
    if panel.kind == "array":
        shape = " × ".join(map(str, panel.spec.shape))
        return Picture(panel.title, alt, "array", note=f"{panel.spec.dtype} {shape}: not drawn")
    found = read(store, panel, trial)
    if panel.kind == "signal":
        peak = float(np.abs(found.astype(np.float64)).max())
        note = f"{found.shape[0]:,} samples × {found.shape[1]}, peak {peak:,.4g}"
        if found.shape[1] > MOST_LANES:
            note += f"; the first {MOST_LANES} channels"
        svg = waveform(found, scales.ranges[stream][1], f"{alt}: {note}")
        return Picture(panel.title, alt, "signal", note=note, svg=svg)
    if panel.kind == "sound":
        peak = int(np.abs(found.astype(np.int32)).max())
        return Picture(
            panel.title,
            f"{alt}: spectrogram",
            "sound",
            note=f"{len(found) / panel.rate:.1f} s, loudest {peak:,}",
            source=data_uri(spectrogram(found, panel.rate), **COMPUTED),
            sound=sound_uri(found, int(panel.rate)),
            width=SPECTROGRAM[1],
            height=SPECTROGRAM[0],
        )
    frames = [_coloured(plane, panel, scales) for plane in found]
    image = strip(frames)
    return Picture(
        panel.title,
        alt if panel.kind != "difference" else f"{alt}; grey is no change",
        panel.kind,
        note=_counted(panel),
        source=data_uri(image, **(PHOTO if panel.kind == "photo" else COMPUTED)),
        film=_film(store, panel, trial) if panel.kind == "photo" and panel.unit == "frame" else "",
        width=image.shape[1],
        height=image.shape[0],
    )


def _film(store: Store, panel: Panel, trial: int) -> str:
    """A clip that plays, as an address: all of its frames, or `PLAYED` evenly spaced ones."""
    places = np.linspace(0, panel.of - 1, min(PLAYED, panel.of)).round().astype(int)
    frames = read(store, dataclasses.replace(panel, planes=tuple(places.tolist())), trial)
    images = [Image.fromarray(shrink(frame, panel.size)) for frame in frames]
    return data_uri(
        images[0], "WEBP", save_all=True, append_images=images[1:], duration=PACE, loop=0, quality=60
    )


def _coloured(plane: Array, panel: Panel, scales: Scales) -> Pixels:
    stream = panel.key[0]
    if panel.kind == "difference":
        return signed(shrink_numbers(plane, panel.size), scales.gain)
    if panel.kind == "photo":
        return shrink(plane, panel.size)
    there = pick(plane, panel.size)
    if panel.kind == "mask":
        return np.where(there > 0, 255, 0).astype(np.uint8)
    return heat(there, *scales.ranges[stream], holes=stream in scales.holes)


def _counted(panel: Panel) -> str:
    """Number of frames or channels drawn, and of all."""
    if not panel.unit:
        return ""
    drawn = len(panel.planes)
    if drawn == panel.of:
        return f"{drawn} {panel.unit}{'' if drawn == 1 else 's'}"
    return f"{drawn} of {panel.of} frames"
