"""Embedding map as a figure for a paper, and the colours that figure and page share."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from visuotactile.maps.embedding import Agreement, Color, Points

# Okabe and Ito's colours, distinguishable for colour-blind readers, in an order that also prints well.
FEW = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7f00", "#7a5195")
GRADIENT = "viridis"
NONE = "#cccccc"
"""Colour of a point whose trial has no number."""
LONGEST_LEGEND = 24
# How much black the darkest modality is mixed with, and how much white the lightest.
DARKEN, LIGHTEN = 0.25, 0.5


@dataclass(frozen=True)
class Panel:
    """Map of one encoder: points [n, 2] in [-1, 1], its scores, and what is wrong with its features."""

    name: str
    kind: str
    points: NDArray[np.float64]
    trust: float | None
    agreements: dict[str, Agreement | None]
    collapse: str | None


def palette(categories: int) -> list[str]:
    """One colour for each category; neighbours in the list differ in hue and in lightness."""
    if categories <= len(FEW):
        return list(FEW[:categories])
    # Steps of the golden ratio around the wheel keep any few colours in a row far apart.
    hues = [(0.58 + index * 0.618034) % 1 for index in range(categories)]
    shades = [(0.42, 0.75), (0.60, 0.62), (0.50, 0.45)]
    colours = [colorsys.hls_to_rgb(hue, *shades[index % 3]) for index, hue in enumerate(hues)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in colours]


def gradient() -> list[str]:
    """Colours of a numeric column, from its minimum to its maximum."""
    return [to_hex(colormaps[GRADIENT](step / 31)) for step in range(32)]


def palettes(color: Color, modalities: int) -> list[list[str]]:
    """Colours of a column for each modality, from the darkest to the lightest; unchanged for one."""
    plain = gradient() if color.categories is None else palette(len(color.categories))
    if modalities == 1:
        return [plain]
    steps = np.linspace(-DARKEN, LIGHTEN, modalities)
    return [[_shade(colour, float(step)) for colour in plain] for step in steps]


def _shade(colour: str, step: float) -> str:
    """Mix a colour with black for steps below 0 and with white above."""
    red, green, blue = ((1 - abs(step)) * part + max(step, 0) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def draw(panels: Sequence[Panel], columns: Sequence[Color], points: Points, method: str) -> Figure:
    """Draw rows by colour and columns by encoder, with one legend or colour bar at the end of each row."""
    side = 2.7
    figure = Figure((side * len(panels) + 1.7, (side + 0.5) * len(columns)), layout="constrained")
    axes = figure.subplots(len(columns), len(panels), squeeze=False)
    size = float(np.clip(4000 / max(len(panels[0].points), 1), 3, 22))
    for row, color in zip(axes, columns, strict=True):
        for place, (axis, panel) in enumerate(zip(row, panels, strict=True)):
            agreed = ("cross-modal " if points.modalities else "") + _written(panel.agreements[color.name])
            if panel.trust is None:
                agreed = "identical features"
            axis.set_title(f"{panel.name}\n{agreed}", fontsize=8, parse_math=False)
            axis.set(xticks=[], yticks=[], aspect="equal", xlim=(-1.07, 1.07), ylim=(-1.07, 1.07))
            for spine in axis.spines.values():
                spine.set_color("#cccccc")
            if place == 0:
                axis.set_ylabel(color.name, fontsize=9, parse_math=False)
            style: dict[str, Any] = {"s": size, "linewidths": 0.25, "edgecolors": "white"}
            x, y = panel.points.T
            shades = palettes(color, max(1, len(points.modalities)))
            if color.categories is None:
                known = color.values[~np.isnan(color.values)]
                scale = Normalize(*((float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)))
                placed = np.asarray(scale(np.nan_to_num(color.values))) * (len(shades[0]) - 1)
                places = np.where(np.isnan(color.values), -1, placed.round()).astype(int)
                drawn = ScalarMappable(scale, GRADIENT)
            else:
                places = color.values.astype(int)
            axis.scatter(
                x,
                y,
                c=[shades[m][k] if k >= 0 else NONE for m, k in zip(points.modality, places, strict=True)],
                **style,
            )
            if place == len(panels) - 1 and color.categories is not None:
                # An "_" in front would hide a name from the legend.
                for shade, name in zip(palettes(color, 1)[0], color.categories, strict=True):
                    axis.scatter([], [], c=shade, s=18, label=f"\u200b{name}")
        if color.categories is None:
            figure.colorbar(drawn, ax=list(row), fraction=0.05, pad=0.01).ax.tick_params(labelsize=7)
        elif len(color.categories) <= LONGEST_LEGEND:
            legend = row[-1].legend(
                loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=6.5, frameon=False, handletextpad=0.1
            )
            for text in legend.get_texts():
                text.set_parse_math(False)
    title = {"tsne": "t-SNE", "umap": "UMAP"}[method]
    shown = f"{title} of {len(np.unique(points.trials)):,} trials"
    if points.modalities:
        shown += f", dark to light: {', '.join(points.modalities)}"
    figure.supxlabel(shown, fontsize=7, color="#777777", parse_math=False)
    return figure


def _written(agreed: Agreement | None) -> str:
    """Agreement as text: "purity 0.71 (chance 0.53)"."""
    if agreed is None:
        return "–"
    if agreed.kind == "correlation":
        return f"neighbour correlation {agreed.value:.2f}"
    return f"neighbour purity {agreed.value:.2f} (chance {agreed.chance:.2f})"
