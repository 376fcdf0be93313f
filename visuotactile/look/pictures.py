"""Arrays as pictures inside a page: camera images, signed differences, maps of numbers, waveforms."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from matplotlib import colormaps
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]
"""Height and width in pixels."""

UNCHANGED = 128
"""The grey of a difference of zero."""

GAP, GAP_GREY = 3, 225
"""Pixels between the frames of a strip, and their grey, which shows on a light page and on a dark one."""

WAVE_WIDTH, LANE_HEIGHT, MOST_LANES = 180, 28, 8


def signed(values: npt.NDArray[np.floating[Any]], gain: float) -> Pixels:
    """Differences in levels, `[…]`, as grey levels: 128 is no change, brighter is more than before."""
    return np.clip(np.round(UNCHANGED + gain * values), 0, 255).astype(np.uint8)


def heat(values: npt.NDArray[Any], low: float, high: float, *, holes: bool) -> Pixels:
    """Numbers `[H, W]` from `low` to `high` as viridis colours `[H, W, 3]`; `holes` chequers what is 0."""
    place = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    picture = _viridis()[(np.clip(place, 0, 1) * 255).astype(np.uint8)]
    if holes:
        # No grey is in viridis, and a pattern also tells the hole from a colour in print.
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
    """`[H, W]` at a size that is no larger, each pixel one that was there: of masks and of holes there is
    no mean."""
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

    Each column of the picture spans from the least to the greatest of its samples, so that no peak is lost.
    """
    lanes = min(samples.shape[1], MOST_LANES)
    edges = np.linspace(0, len(samples), min(WAVE_WIDTH, len(samples)) + 1).astype(int)[:-1]
    x = np.arange(len(edges)) * WAVE_WIDTH / max(len(edges) - 1, 1)
    parts = []
    for lane in range(lanes):
        middle = LANE_HEIGHT * (lane + 0.5)
        wave = samples[:, lane].astype(np.float64) / max(reach, 1e-12)
        top, bottom = (way.reduceat(wave, edges) for way in (np.maximum, np.minimum))
        # A silent stretch is a line too.
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
