"""Charts as inline SVG, which scales, prints, and takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt
from markupsafe import Markup, escape

from visuotactile.reports.intervals import Figure

WIDTH = 860
LABELS = 210
RIGHT = 60
STEP = 15


class Line(NamedTuple):
    """One line of a chart: its name, whether it stands out from the baselines, and its figures by key."""

    name: str
    strong: bool
    figures: Mapping[Any, Figure]


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
    lines: Sequence[Line],
    series: Mapping[str, str],
    *,
    description: str,
    reference: float,
    reference_label: str,
    signed: bool = False,
    digits: int = 2,
) -> Markup:
    """Dot-and-whisker chart: for each line, one dot with its interval per figure.

    Args:
        lines: from top to bottom.
        series: title of each key of the lines' figures, in the order of the colours; other keys have none.
        description: alternative text.
        reference: value of the vertical line, such as chance.
        reference_label: of that line.
        signed: write a plus, too.
        digits: decimals of the values.
    """
    ends = [reference]
    for line in lines:
        for figure in line.figures.values():
            ends += [figure[key] for key in ("low", "value", "high") if figure[key] is not None]
    low, high = min(ends), max(ends)
    margin = 0.04 * max(high - low, 0.05)
    low, high = low - margin, high + margin
    left, right = LABELS, WIDTH - RIGHT

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    places = list(series)
    parts, y = [], 22.0
    sign = "+z" if signed else "z"
    for index, (name, strong, figures) in enumerate(lines):
        height = STEP * len(figures) + 14
        if index % 2 == 0:
            parts.append(f'<rect x="0" y="{y:.1f}" width="{WIDTH}" height="{height}" class="stripe"/>')
        weight = "strong" if strong else ""
        parts.append(
            f"<g>{_text(12, y + height / 2 + 4, shorten(name, 27), weight)}<title>{escape(name)}</title></g>"
        )
        for place, (key, figure) in enumerate(figures.items()):
            if figure["value"] is None:
                continue
            colour = f"c{places.index(key) % 8}" if key in series else "c-none"
            at = y + 14 + STEP * place
            tip = f"{name}{f', {series[key]}' if key in series else ''}: {figure['value']:{sign}.3f}"
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
    lines: Sequence[Line],
    ticks_below: Mapping[float, tuple[str, str]],
    *,
    description: str,
    reference: float,
    reference_label: str,
) -> Markup:
    """Curves of a figure of at most 1 over a logarithmic axis, each with its interval as a band.

    Args:
        lines: each with a figure for places on the axis; of the baselines, no interval is drawn: three bands
            are as many as can be told apart.
        ticks_below: place on the axis → its label, and a second one below.
        description: alternative text.
        reference: value of the horizontal line, such as chance.
        reference_label: of that line.
    """
    left, right, top, bottom = 56, WIDTH - LABELS, 14, 330
    first, last = math.log(min(ticks_below)), math.log(max(ticks_below))
    ends = [
        figure[key]
        for line in lines
        for figure in line.figures.values()
        for key in (("low", "value", "high") if line.strong else ("value",))
        if figure[key] is not None
    ]
    low, high = min([reference, *ends]) - 0.02, min(1.0, max([reference + 0.1, *ends]) + 0.02)

    def across(place: float) -> float:
        return left + (math.log(place) - first) / max(last - first, 1e-9) * (right - left)

    def down(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = []
    for tick in ticks(low, high, 7):
        parts += [
            _line(left, down(tick), right, down(tick), "grid"),
            _text(left - 8, down(tick) + 4, f"{tick:g}", "tick", "end"),
        ]
    parts += [
        _line(left, down(reference), right, down(reference), "reference"),
        _text(right - 4, down(reference) + 14, reference_label, "tick", "end"),
    ]
    for place, (label, below) in ticks_below.items():
        parts.append(_text(across(place), bottom + 20, label, "tick", "middle"))
        parts.append(_text(across(place), bottom + 35, below, "faint", "middle"))
    ends_at = []
    for number, (name, strong, figures) in enumerate(lines):
        found = [(across(place), each) for place, each in figures.items() if each["value"] is not None]
        if not found:
            continue
        style = f"c{number % 8}" if strong else f"c{number % 8} baseline"
        band = [(x, f) for x, f in found if f["low"] is not None]
        outline = [f"{x:.1f},{down(f['high']):.1f}" for x, f in band]
        outline += [f"{x:.1f},{down(f['low']):.1f}" for x, f in reversed(band)]
        if strong and band:
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


class Series(NamedTuple):
    """Points or a line of a plot: name, places, colour by its number, and optional intervals of y.

    Attributes:
        name: for the legend; "" for none.
        x, y: [n].
        colour: number of the colour.
        line: join the points, and draw none.
        low, high: [n] ends of each point's interval, or of a band around the line; None for none.
        tips: [n] texts shown over the points; empty for none.
        dashed: dash the line.
    """

    name: str
    x: Sequence[float] | npt.NDArray[Any]
    y: Sequence[float] | npt.NDArray[Any]
    colour: int = 0
    line: bool = False
    low: Sequence[float] | npt.NDArray[Any] | None = None
    high: Sequence[float] | npt.NDArray[Any] | None = None
    tips: Sequence[str] = ()
    dashed: bool = False


def plot(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    description: str,
    height: float = 340,
    origin: bool = False,
) -> Markup:
    """Points and lines over two linear axes.

    Args:
        series: drawn in their order; lines are clipped to the range of the points, if there are any.
        x_label: name and unit of the horizontal axis.
        y_label: of the vertical one; "" leaves out its ticks.
        description: alternative text.
        height: of the chart, where its width is `WIDTH`.
        origin: let both axes begin at 0.
    """
    spread = [each for each in series if not each.line] or series
    x0, x1 = _range([each.x for each in spread], 0.04, origin)
    parts_of_y = [part for each in spread for part in (each.y, each.low, each.high) if part is not None]
    y0, y1 = _range(parts_of_y, 0.06, origin)
    left, right, top, bottom = 64, WIDTH - 14, 24, height - 44

    def across(value: float) -> float:
        return left + (value - x0) / (x1 - x0) * (right - left)

    def down(value: float) -> float:
        return bottom - (value - y0) / (y1 - y0) * (bottom - top)

    def shown(x: float, y: float) -> str:
        return f"{across(x):.1f},{down(min(max(y, y0), y1)):.1f}"

    parts = []
    for tick in ticks(y0, y1, 6) if y_label else ():
        parts += [
            _line(left, down(tick), right, down(tick), "grid"),
            _text(left - 8, down(tick) + 4, f"{tick:g}", "tick", "end"),
        ]
    parts += [_text(across(tick), bottom + 18, f"{tick:g}", "tick", "middle") for tick in ticks(x0, x1)]
    parts.append(_text((left + right) / 2, bottom + 38, x_label, "tick", "middle"))
    parts.append(_text(left - 50, 12, y_label, "tick"))
    for each in series:
        style = f"c{each.colour % 8}" + (" baseline" if each.dashed else "")
        if each.line:
            if each.low is not None and each.high is not None:
                ends = [list(zip(each.x, end, strict=True)) for end in (each.high, each.low)]
                outline = [shown(x, y) for x, y in [*ends[0], *reversed(ends[1])] if x0 <= x <= x1]
                parts.append(f'<polygon points="{" ".join(outline)}" class="band {style}"/>')
            inside = [(x, y) for x, y in zip(each.x, each.y, strict=True) if x0 <= x <= x1 and y0 <= y <= y1]
            parts.append(
                f'<polyline points="{" ".join(shown(x, y) for x, y in inside)}" class="curve {style}"/>'
            )
            if each.name and inside:
                x, y = inside[-1]
                parts.append(_text(across(x) - 4, down(y) - 8, each.name, f"label {style}", "end"))
            continue
        for number, (x, y) in enumerate(zip(each.x, each.y, strict=True)):
            if each.low is not None and each.high is not None:
                low, high = down(each.low[number]), down(each.high[number])
                parts.append(_line(across(x), low, across(x), high, f"whisker {style}"))
            tip = f"<title>{escape(each.tips[number])}</title>" if each.tips else ""
            parts.append(
                f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="4" class="dot {style}">{tip}</circle>'
            )
    return _svg(WIDTH, height, description, parts)


def _range(
    values: Iterable[Sequence[float] | npt.NDArray[Any]], margin: float, origin: bool
) -> tuple[float, float]:
    """Ends of an axis that holds all values, with a margin on both sides."""
    numbers = [float(value) for each in values for value in each]
    low, high = min([*numbers, 0.0] if origin else numbers), max(numbers)
    room = margin * (high - low or 1)
    return low if origin else low - room, high + room


def _apart(places: Sequence[float], distance: float) -> list[float]:
    """Ascending places, moved so that none is closer than `distance` to the next, with the same mean."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + distance) if moved else place)
    shift = (sum(moved) - sum(places)) / max(len(places), 1)
    return [float(place - shift) for place in moved]
