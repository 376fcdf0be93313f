"""A picture of what a planner made of its candidates."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from visuotactile.grasp.planning.actions import FORCE
from visuotactile.grasp.planning.planner import Decision
from visuotactile.grasp.planning.policy_spec import OUTCOME
from visuotactile.reports.page import data_uri

GREY = "#868d95"
"""Of lines and letters: to be read on a light page and on a dark one."""

CHOSEN = "#e0442e"
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


def draw_scores(decision: Decision, above: float) -> Picture:
    """The candidates of a decision for one robot: probability of success over force, and over the motions.

    Dots are motions, the line is staying with another force, the cross is what was chosen, and the dotted
    line is the probability `above` which it lifts.
    """
    found, chosen = decision.candidates, decision.chosen
    p = found.probability(OUTCOME)[0].numpy()
    stays = found.space.stays(found.actions)[0].numpy()
    force = found.dimension(FORCE)[0].numpy()
    dx, dy, dz = (MILLIMETRES * found.dimension(name)[0].numpy() for name in ("dx", "dy", "dz"))
    reach = MILLIMETRES * max(
        abs(bounds[found.space.index("dz")]) for bounds in (found.space.low, found.space.high)
    )
    mine = {name: float(chosen.dimension(name)[0, 0]) for name in (FORCE, "dx", "dy")}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.7, 1.62), dpi=150, layout="constrained", facecolor="none")
        left, right = figure.subplots(1, 2)
        dots = left.scatter(
            force[~stays], p[~stays], 1.2, dz[~stays], cmap="coolwarm", vmin=-reach, vmax=reach, linewidths=0
        )
        figure.colorbar(dots, ax=left, pad=0.02, aspect=30).ax.set_title("dz, mm", pad=4)
        order = np.argsort(force[stays])
        left.plot(force[stays][order], p[stays][order], color="black", linewidth=1.2, path_effects=OUTLINE)
        left.axhline(above, color=GREY, linewidth=0.7, linestyle=":")
        _cross(left, mine[FORCE], float(chosen.probability(OUTCOME)[0, 0]))
        left.set(xlabel="force, N", ylabel="probability of success", ylim=(-0.03, 1.03))
        order = np.argsort(p)  # the best on top
        dots = right.scatter(
            dx[order], dy[order], 1.6, p[order], cmap="viridis", vmin=0, vmax=1, linewidths=0
        )
        figure.colorbar(dots, ax=right, pad=0.02, aspect=30).ax.set_title("probability", pad=4)
        _cross(right, MILLIMETRES * mine["dx"], MILLIMETRES * mine["dy"])
        right.set(xlabel="dx, mm", ylabel="dy, mm", aspect="equal")
        for axes in (left, right):
            axes.set_facecolor("none")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGBA")
    return inline("candidates", image.quantize(96, Image.Quantize.FASTOCTREE), "PNG", optimize=True)


def _cross(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "+", color=CHOSEN, markersize=9, markeredgewidth=1.6, zorder=5, clip_on=False)
