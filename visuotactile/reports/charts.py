"""The report's charts as inline SVG, which scales, prints, and takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

from visuotactile.probes.estimators import title
from visuotactile.probes.rows import PRETRAINED

WIDTH = 860
LABELS = 210
RIGHT = 60
STEP = 15
Figure = dict[str, Any]


def _svg(width: float, height: float, description: str, parts: Iterable[str]) -> Markup:
    # The parts are made below, from numbers and escaped text only.
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(description)}">'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def shorten(text: str, letters: int) -> str:
    """At most so many letters, the end of a long name replaced by "…"."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round values from `low` to `high`, at most `most` of them."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / most))
    step = next(power * unit for unit in (1, 2, 5, 10, 20) if span / (power * unit) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def dots(
    lines: Sequence[tuple[str, str, dict[str, Figure]]],
    probes: Sequence[str],
    *,
    description: str,
    reference: float,
    reference_label: str,
    signed: bool = False,
    digits: int = 2,
) -> Markup:
    """Dot and whisker: for each line (name, kind, figure by probe) one dot with its interval per probe.

    `reference` is drawn as a vertical line: what nothing looks like.
    """
    ends = [reference]
    for _, _, figures in lines:
        for figure in figures.values():
            ends += [figure[key] for key in ("low", "value", "high") if figure[key] is not None]
    low, high = min(ends), max(ends)
    margin = 0.04 * max(high - low, 0.05)
    low, high = low - margin, high + margin
    left, right = LABELS, WIDTH - RIGHT

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    parts, y = [], 22.0
    sign = "+z" if signed else "z"
    for index, (name, kind, figures) in enumerate(lines):
        height = STEP * len(figures) + 14
        if index % 2 == 0:
            parts.append(f'<rect x="0" y="{y:.1f}" width="{WIDTH}" height="{height}" class="stripe"/>')
        weight = "strong" if kind == PRETRAINED else ""
        parts.append(
            f"<g>{_text(12, y + height / 2 + 4, shorten(name, 27), weight)}<title>{escape(name)}</title></g>"
        )
        for place, (probe, figure) in enumerate(figures.items()):
            if figure["value"] is None:
                continue
            colour = f"c{probes.index(probe) % 8}" if probe in probes else "c-none"
            at = y + 14 + STEP * place
            tip = f"{name}, {title(probe)}: {figure['value']:{sign}.3f}"
            if figure["low"] is not None:
                tip += f" [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"
                parts.append(
                    _line(across(figure["low"]), at, across(figure["high"]), at, f"whisker {colour}")
                )
            parts.append(
                f'<circle cx="{across(figure["value"]):.1f}" cy="{at:.1f}" r="5" class="dot {colour}">'
                f"<title>{escape(tip)}</title></circle>"
            )
            parts.append(_text(WIDTH - 6, at + 4, f"{figure['value']:{sign}.{digits}f}", "value", "end"))
        y += height
    grid = [_line(across(tick), 22, across(tick), y, "grid") for tick in ticks(low, high)]
    axis = [
        _text(across(tick), y + 18, f"{tick:{sign}g}" if tick else "0", "tick", "middle")
        for tick in ticks(low, high)
    ]
    zero = [
        _line(across(reference), 16, across(reference), y, "reference"),
        _text(across(reference), 12, reference_label, "tick", "middle"),
    ]
    stripes = [part for part in parts if part.startswith("<rect")]
    marks = [part for part in parts if not part.startswith("<rect")]
    return _svg(WIDTH, y + 28, description, [*stripes, *grid, *zero, *marks, *axis])


def curves(
    points: Sequence[dict[str, Any]], methods: Sequence[tuple[str, str]], *, description: str
) -> Markup:
    """AUROC over the share of labels (logarithmic): a line with its interval for each (method, kind)."""
    left, right, top, bottom = 56, WIDTH - LABELS, 14, 330
    shares = [point["share"] for point in points]
    first, last = math.log(min(shares)), math.log(max(shares))
    ends = [
        point["auroc"][name][key]
        for point in points
        for name, kind in methods
        # Intervals of the baselines are not drawn: three bands are as many as can be told apart.
        for key in (("low", "value", "high") if kind == PRETRAINED else ("value",))
        if point["auroc"][name][key] is not None
    ]
    low, high = min([0.5, *ends]) - 0.02, min(1.0, max([0.6, *ends]) + 0.02)

    def across(share: float) -> float:
        return left + (math.log(share) - first) / max(last - first, 1e-9) * (right - left)

    def down(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = []
    for tick in ticks(low, high, 7):
        parts += [
            _line(left, down(tick), right, down(tick), "grid"),
            _text(left - 8, down(tick) + 4, f"{tick:g}", "tick", "end"),
        ]
    parts += [
        _line(left, down(0.5), right, down(0.5), "reference"),
        _text(right - 4, down(0.5) + 14, "guessing", "tick", "end"),
    ]
    for point in points:
        x = across(point["share"])
        parts.append(_text(x, bottom + 20, f"{100 * point['share']:g}%", "tick", "middle"))
        parts.append(_text(x, bottom + 35, f"{point['trials']} labels", "faint", "middle"))
    ends_at = []
    for number, (name, kind) in enumerate(methods):
        found = [
            (across(p["share"]), p["auroc"][name]) for p in points if p["auroc"][name]["value"] is not None
        ]
        if not found:
            continue
        style = f"c{number % 8}" if kind == PRETRAINED else f"c{number % 8} baseline"
        band = [(x, f) for x, f in found if f["low"] is not None]
        outline = [f"{x:.1f},{down(f['high']):.1f}" for x, f in band]
        outline += [f"{x:.1f},{down(f['low']):.1f}" for x, f in reversed(band)]
        if kind == PRETRAINED and band:
            parts.append(f'<polygon points="{" ".join(outline)}" class="band {style}"/>')
        path = " ".join(f"{x:.1f},{down(f['value']):.1f}" for x, f in found)
        parts.append(f'<polyline points="{path}" class="curve {style}"/>')
        for x, figure in found:
            tip = f"{name}: {figure['value']:.3f}"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{down(figure["value"]):.1f}" r="4" class="dot {style}">'
                f"<title>{escape(tip)}</title></circle>"
            )
        ends_at.append((down(found[-1][1]["value"]), name, style))
    for (wanted, name, style), y in zip(
        sorted(ends_at), _apart([end[0] for end in sorted(ends_at)], 17), strict=True
    ):
        parts.append(_line(right + 6, wanted, right + 18, y, f"leader {style}"))
        parts.append(_text(right + 23, y + 4, shorten(name, 26), f"label {style}"))
    return _svg(WIDTH, bottom + 44, description, parts)


def _apart(places: Sequence[float], distance: float) -> list[float]:
    """Ascending places, moved so that none is closer than `distance` to the next, with the same mean."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + distance) if moved else place)
    shift = (sum(moved) - sum(places)) / max(len(places), 1)
    return [float(place - shift) for place in moved]
