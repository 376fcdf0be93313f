"""A picture of a planner's candidates and their scores."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from visuotactile.grasp.planning.objectives import Candidates
from visuotactile.grasp.planning.planner import Decision
from visuotactile.reports.page import data_uri

Floats = npt.NDArray[np.float64]

GREY = "#868d95"
"""Of lines and letters: to be read on a light page and on a dark one."""

CHOSEN, STAYS = "#e0442e", "#e07b1f"
SHOWN = 12_000
"""Candidates drawn at most, at random: more would hide one another."""

MILLIMETRES = 1000

OUTLINE = [withStroke(linewidth=2.4, foreground="white")]
STYLE: Any = {
    "font.size": 6.5,
    "axes.titlesize": 6.5,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
}


@dataclass(frozen=True)
class Picture:
    """An image inside a page.

    Attributes:
        title: a word or two.
        source: its `data:` address.
        width, height: pixels.
    """

    title: str
    source: str
    width: int
    height: int


def inline(title: str, picture: Image.Image, kind: str, **options: Any) -> Picture:
    """An image as part of a page, in a format of Pillow's with its options."""
    return Picture(title, data_uri(picture, kind, **options), picture.width, picture.height)


def draw_scores(decision: Decision, above: Mapping[str, float]) -> Picture:
    """The candidates of a decision for one robot: the probability of each outcome over the hand, and over the
    motions, and the first two outcomes over each other.

    Dots are motions, the line is staying with another hand, the cross is what was chosen, and the dotted line
    is the probability `above` which the policy lifts, for the outcomes that it requires.
    """
    found, chosen = _some(decision.candidates), decision.chosen
    rows = len(found.outcomes)
    motion = {each.name: each for each in found.space.motion}
    columns = 2 if {"dx", "dy"} <= set(motion) else 1
    with mpl.rc_context(STYLE):
        several = rows > 1
        figure = Figure(
            figsize=(1.85 * columns, 1.62 * (rows + several)),
            dpi=150,
            layout="constrained",
            facecolor="none",
        )
        panels = figure.subplots(rows + several, columns, squeeze=False)
        if several:
            plane, *empty = panels[-1]
            _plane(plane, found, chosen, above)
            for axes in empty:
                axes.axis("off")
        for name, (left, *right) in zip(found.outcomes, panels, strict=False):
            p = found.probability(name)[0].numpy()
            mine = float(chosen.probability(name)[0, 0])
            _over_hand(left, found, p)
            if name in above:
                left.axhline(above[name], color=GREY, linewidth=0.7, linestyle=":")
            _cross(left, float(_closing(chosen)[0]), mine)
            left.set(xlabel=_hand_label(found), ylabel=f"probability of {name}", ylim=(-0.03, 1.03))
            if right:
                _over_table(right[0], found, p)
                _cross(
                    right[0], *(MILLIMETRES * float(chosen.dimension(axis)[0, 0]) for axis in ("dx", "dy"))
                )
        for axes in panels.flat:
            axes.set_facecolor("none")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGBA")
    return inline("candidates", image.quantize(96, Image.Quantize.FASTOCTREE), "PNG", optimize=True)


def _some(found: Candidates) -> Candidates:
    """At most `SHOWN` of the candidates, the same for the same number."""
    count = found.actions.shape[1]
    if count <= SHOWN:
        return found
    places = np.sort(np.random.default_rng(0).permutation(count)[:SHOWN])
    return replace(found, actions=found.actions[:, places], probabilities=found.probabilities[:, places])


def _plane(axes: Axes, found: Candidates, chosen: Candidates, above: Mapping[str, float]) -> None:
    """One outcome's probability over another's, with the thresholds: what a planner may choose among."""
    names = found.outcomes[:2]
    x, y = (found.probability(name)[0].numpy() for name in names)
    stays = found.space.stays(found.actions)[0].numpy()
    for where, colour, label in ((~stays, GREY, "moves"), (stays, STAYS, "stays")):
        axes.scatter(x[where], y[where], 1.2, color=colour, linewidths=0, label=label)
    for name, line in zip(names, (axes.axvline, axes.axhline), strict=True):
        if name in above:
            line(above[name], color=GREY, linewidth=0.7, linestyle=":")
    _cross(axes, *(float(chosen.probability(name)[0, 0]) for name in names))
    axes.set(
        xlabel=f"probability of {names[0]}",
        ylabel=f"probability of {names[1]}",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
    )
    axes.legend(markerscale=4, frameon=False, handletextpad=0.2, loc="lower left")


def _over_hand(axes: Axes, found: Candidates, p: Floats) -> None:
    """Probability over the hand; motions coloured by their height."""
    hand, stays = _closing(found), found.space.stays(found.actions)[0].numpy()
    heights: dict[str, Any] = {"color": GREY}
    if "dz" in found.space.names:
        bounds = found.space.dimensions[found.space.index("dz")]
        reach = MILLIMETRES * max(abs(bounds.low), abs(bounds.high))
        dz = MILLIMETRES * found.dimension("dz")[0].numpy()
        heights = {"c": dz[~stays], "cmap": "coolwarm", "vmin": -reach, "vmax": reach}
    dots = axes.scatter(hand[~stays], p[~stays], 1.2, linewidths=0, **heights)
    if "c" in heights:
        axes.figure.colorbar(dots, ax=axes, pad=0.02, aspect=30).ax.set_title("dz, mm", pad=4)
    if len(found.space.hand) == 1:
        order = np.argsort(hand[stays])
        axes.plot(hand[stays][order], p[stays][order], color="black", linewidth=1.2, path_effects=OUTLINE)
    else:
        axes.scatter(hand[stays], p[stays], 1.2, color="black", linewidths=0)


def _over_table(axes: Axes, found: Candidates, p: Floats) -> None:
    """The motions over the table, coloured by their probability, the best on top."""
    dx, dy = (MILLIMETRES * found.dimension(name)[0].numpy() for name in ("dx", "dy"))
    order = np.argsort(p)
    dots = axes.scatter(dx[order], dy[order], 1.6, p[order], cmap="viridis", vmin=0, vmax=1, linewidths=0)
    axes.figure.colorbar(dots, ax=axes, pad=0.02, aspect=30).ax.set_title("probability", pad=4)
    axes.set(xlabel="dx, mm", ylabel="dy, mm", aspect="equal")


def _closing(found: Candidates) -> Floats:
    """The hand of each candidate as one number [N]: its only dimension, or its share of the ranges, in %."""
    hand = found.actions[0, :, len(found.space.motion) :].double().numpy()
    if hand.shape[1] == 1:
        return np.asarray(hand[:, 0])
    low, high = (np.array([getattr(each, end) for each in found.space.hand]) for end in ("low", "high"))
    return np.asarray(100 * ((hand - low) / (high - low)).sum(1) / max(1, hand.shape[1]))


def _hand_label(found: Candidates) -> str:
    if len(found.space.hand) != 1:
        return "hand, % of its range"
    (only,) = found.space.hand
    return f"{only.name}, {only.unit}"


def _cross(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "+", color=CHOSEN, markersize=9, markeredgewidth=1.6, zorder=5, clip_on=False)
