"""Figures of the experiment, from its saved results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.more_than_a_feeling.rows import Row
from experiments.more_than_a_feeling.sweeps import Sweep
from experiments.more_than_a_feeling.table1 import PAPER as PAPER_TABLE1
from experiments.more_than_a_feeling.table2 import PAPER as PAPER_TABLE2
from experiments.more_than_a_feeling.table2 import SEEING, SETS, least_force
from visuotactile.datasets.store import Store
from visuotactile.files import atomic_path
from visuotactile.grasp.predictor.examples import read_images, vectors
from visuotactile.grasp.predictor.file import load_predictor

OUR_COLOR, PAPER_COLOR, LAB_COLOR = "#2a6f97", "0.55", "#b3473c"
OTHER_COLORS = ("#2a6f97", "#b3473c", "#5a8f3c", "#8a5a9e", "#c98a1b", "0.55")
AT_ONCE = 128


def draw_table1(path: Path, content: Mapping[str, Any]) -> None:
    """Accuracy of each row with its interval, beside the paper's."""
    figures = content["figures"]["all"]["accuracy"]
    figure = Figure(figsize=(6.2, 2.6), layout="constrained")
    axes = figure.subplots()
    names = list(figures)
    for place, name in enumerate(names):
        _interval(axes, figures[name], place - 0.12, OUR_COLOR, "simulated, 95% over objects", scale=100)
        theirs, error = PAPER_TABLE1[name]
        axes.errorbar(
            theirs, place + 0.12, xerr=error, fmt="s", color=PAPER_COLOR, markersize=4, label="paper, real"
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy on unseen objects, %")
    _finish(figure, [axes], path)


def draw_table2(path: Path, content: Mapping[str, Any]) -> None:
    """Success of each policy on each set, beside the paper's."""
    names = list(content["sets"]["both"])
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for number, (which, axes) in enumerate(zip(SETS, panels, strict=True)):
        for place, name in enumerate(names):
            value = content["sets"][which][name]["success"]
            _interval(axes, value, place, OUR_COLOR, "simulated, 95% over objects", scale=100)
            if name in PAPER_TABLE2:
                theirs = PAPER_TABLE2[name][number]
                axes.plot(theirs, place + 0.25, "s", color=PAPER_COLOR, markersize=4, label="paper, real")
        axes.set_yticks(range(len(names)), names)
        axes.set(title=f"{which} set", xlabel="success, %", xlim=(0, 102))
    panels[0].invert_yaxis()
    _legend(figure, panels[0], loc="outside lower right", ncols=2)
    _finish(figure, panels, path, legend=False)


def draw_label_budget(path: Path, content: Mapping[str, Any], measure: str = "AUROC while holding") -> None:
    """Curve of each encoder over the labelled grasps."""
    total = content["labelled grasps in all"]
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    budgets = list(next(iter(content["figures"][measure].values())))
    places = {budget: (total if budget == "all" else int(budget)) for budget in budgets}
    for number, (encoder, found) in enumerate(content["figures"][measure].items()):
        x = [places[budget] * (1 + 0.03 * (number - 2)) for budget in found]
        _curve_with_intervals(axes, x, list(found.values()), number, encoder)
    axes.set(xscale="log", xlabel="labelled grasps", ylabel=f"{measure}, %")
    axes.set_xticks(list(places.values()), [f"{place:,}" for place in places.values()], minor=False)
    axes.minorticks_off()
    _finish(figure, [axes], path)


def draw_force(path: Path, found: Sweep) -> None:
    """Figure 4: success against force, where force is predicted to help most and least, and on average."""
    gain = found.predicted[:, -1] - found.predicted[:, 0]
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, which, state in ((panels[0], "most", gain.argmax()), (panels[1], "least", gain.argmin())):
        _curve(axes, found, int(state), f"expected to help {which}: {found.objects[state]}")
    _average(panels[2], found)
    for axes in panels:
        axes.set_xlabel("force while staying, N")
    panels[0].set_ylabel("success")
    _finish(figure, panels, path)


def draw_height(path: Path, found: Sweep) -> None:
    """Figure 7: predicted success against vertical motion, of one state and on average."""
    top = found.poses[:, 2]
    highest = int(np.argmax(top))
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    _curve(panels[0], found, highest, f"the highest grasp: {found.objects[highest]}", scale=1000)
    _average(panels[1], found, scale=1000)
    for axes in panels:
        axes.set_xlabel("motion before closing again, mm upwards")
    panels[0].set_ylabel("success")
    _finish(figure, panels, path)


def _curve(axes: Axes, found: Sweep, state: int, title: str, scale: float = 1) -> None:
    axes.plot(scale * found.values, found.predicted[state], color=OUR_COLOR, label="predicted")
    axes.plot(
        scale * found.values, found.held[state], "o", color=LAB_COLOR, markersize=4, label="lab: lifted"
    )
    axes.set_title(title, fontsize=9)


def _average(axes: Axes, found: Sweep, scale: float = 1) -> None:
    axes.plot(scale * found.values, found.predicted.mean(0), color=OUR_COLOR, label="predicted")
    axes.plot(scale * found.values, found.held.mean(0), "o-", color=LAB_COLOR, markersize=4, label="lab")
    axes.set_title(f"mean of {len(found.objects)} unseen grasps", fontsize=9)
    axes.set_ylim(-0.04, 1.04)


def draw_actions(path: Path, row: Row) -> None:
    """Figure 6: actions of the policy in successful episodes, regrasp by regrasp."""
    turns = [turn.action for record in row if record.success for turn in record.turns]
    moved = [action for action in turns if any(action[name] for name in action if name != "force")]
    shown = (
        ("dx", "dx, mm", 1000.0),
        ("dy", "dy, mm", 1000.0),
        ("dz", "dz, mm", 1000.0),
        ("dyaw", "dyaw, degrees", 180 / math.pi),
        ("force", "force, N", 1.0),
    )
    figure = Figure(figsize=(11, 2.3), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True)
    for axes, (name, label, scale) in zip(panels, shown, strict=True):
        axes.hist([scale * action[name] for action in moved], bins=12, color=OUR_COLOR)
        axes.set_xlabel(label)
    panels[0].set_ylabel(f"of {len(moved)} regrasps")
    _finish(figure, panels, path, legend=False)


def draw_least_force(path: Path, rows: Mapping[str, Row]) -> None:
    """Figure 8: forces of successful grasps, for the likeliest success and for the least force."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    panels = figure.subplots(1, len(SEEING), sharey=True)
    for axes, likely in zip(panels, SEEING, strict=True):
        least = least_force(likely)
        for name, what, color in ((likely, "likeliest", LAB_COLOR), (least, "least force", OUR_COLOR)):
            held = [record.action["force"] for record in rows[name] if record.success]
            label = f"{what}: {len(held)}/{len(rows[name])}, mean {np.mean(held):.1f} N"
            axes.hist(held, bins=21, range=(4, 25), alpha=0.6, color=color, label=label)
        axes.set(title=likely, xlabel="force of successful grasps, N")
    panels[0].set_ylabel("grasps")
    _finish(figure, panels, path, every=True)


@torch.no_grad()
def draw_downward(path: Path, predictor_folder: Path, store: Store, rows: npt.NDArray[np.int64]) -> None:
    """Figure 5: images for which a predictor without the pose predicts most and least from moving down."""
    predictor = load_predictor(predictor_folder)
    space = predictor.action_space
    gains = []
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        seen = {name: torch.from_numpy(read_images(store, name, some)) for name in predictor.images}
        where = vectors(store, predictor.embodiment.vectors, some)
        actions = torch.zeros(len(some), 2, len(space))
        actions[..., space.index("force")] = where["force"]
        actions[:, 1, space.index("dz")] = space.low[space.index("dz")]
        scores = predictor.score(predictor.encode(seen | where), actions)[..., 0]
        gains.append((scores[:, 1] - scores[:, 0]).numpy())
    gain = np.concatenate(gains)
    order = np.argsort(gain)
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    grid = figure.subplots(4, 6)
    for line, chosen in ((0, order[::-1][:6]), (2, order[:6])):
        for column, place in enumerate(chosen.tolist()):
            row = rows[place : place + 1]
            title = f"{store.objects[row[0]]}\n{gain[place]:+.2f}"
            grid[line][column].imshow(read_images(store, "rgb/during", row)[0])
            grid[line][column].set_title(title, fontsize=8)
            sides = [
                read_images(store, f"tactile_{side}/during", row)[0].astype(int)
                - read_images(store, f"tactile_{side}/before", row)[0]
                for side in ("left", "right")
            ]
            grid[line + 1][column].imshow(
                np.clip(128 + np.concatenate(sides, axis=1), 0, 255).astype(np.uint8)
            )
    for axes in grid.flat:
        axes.axis("off")
    figure.suptitle(
        "Expected gain of moving down 2 cm against staying: largest (above) and smallest (below); "
        "unseen objects, simulated",
        fontsize=9,
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _curve_with_intervals(
    axes: Axes, x: Sequence[float], values: Sequence[Mapping[str, float]], number: int, label: str
) -> None:
    """Curve of shares in percent over `x`, in the colour of the `number`-th."""
    y, low, high = (np.array([100 * each[key] for each in values]) for key in ("value", "low", "high"))
    color = OTHER_COLORS[number % len(OTHER_COLORS)]
    spans = [y - low, high - y]
    axes.errorbar(x, y, yerr=spans, fmt="o-", markersize=3.5, linewidth=1, color=color, label=label)


def _interval(
    axes: Axes, value: Mapping[str, float], place: float, color: str, label: str, scale: float
) -> None:
    middle, low, high = (scale * value[key] for key in ("value", "low", "high"))
    spans = [[middle - low], [high - middle]]
    axes.errorbar(middle, place, xerr=spans, fmt="o", color=color, markersize=4, label=label)


def _finish(
    figure: Figure, panels: Sequence[Axes], path: Path, legend: bool = True, every: bool = False
) -> None:
    for number, axes in enumerate(panels):
        axes.spines[["top", "right"]].set_visible(False)
        if legend and (every or not number):
            _legend(axes, axes)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def _legend(on: Figure | Axes, axes: Axes, **place: Any) -> None:
    """Legend of the distinct entries of `axes`, on them or on the whole figure."""
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    on.legend(unique.values(), unique.keys(), fontsize=7, frameon=False, **place)
