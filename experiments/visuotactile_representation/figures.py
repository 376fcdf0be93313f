"""Figures of the experiment, each from its part's results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.visuotactile_representation.grasps import MEASURE
from experiments.visuotactile_representation.queues import IN_BATCH, QUEUE
from experiments.visuotactile_representation.queues import MEASURE as RECALL
from visuotactile.files import atomic_path
from visuotactile.maps.embedding import Color
from visuotactile.maps.figure import palette, palettes

Content = Mapping[str, Any]
COLORS = ("#2a6f97", "#b3473c", "#5a8f3c", "#8a5a9e", "#c98a1b", "0.55")
PAPER_BEST = 95.3
"""Accuracy of both modalities with ResNets, %: the only one that the paper gives as a number."""


def draw_classification(folder: Path, content: Content) -> None:
    """Figure 7, with occlusion beside it, and Figure 8."""
    figure = Figure(figsize=(9.2, 3.3), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, test in zip(panels, ("plain", "occluded"), strict=True):
        rows = [each for each in content["accuracy"] if each["tested"] == test and each["trained"] == test]
        if test == "occluded":  # compares training without and with occlusions
            behind = {(row["senses"], row["backbone"], row["attention"]) for row in rows}
            rows += [
                each
                for each in content["accuracy"]
                if each["tested"] == test
                and each["trained"] == "plain"
                and (each["senses"], each["backbone"], each["attention"]) in behind
            ]
        _accuracies(axes, rows)
        axes.set_title(f"tested {'as recorded' if test == 'plain' else 'with sight occluded'}", fontsize=9)
    panels[0].axhline(
        PAPER_BEST, color="0.6", linewidth=0.8, linestyle=":", label="paper's best (both, ResNet)"
    )
    panels[0].set_ylabel("accuracy on perturbed poses, %")
    _finish(figure, panels, folder / "figure7.png")
    _draw_confusion(folder / "figure8.png", content)


def _accuracies(axes: Axes, rows: Sequence[Content]) -> None:
    kinds = list(dict.fromkeys((each["senses"], each["attention"]) for each in rows))
    lines = list(dict.fromkeys((each["backbone"], each["trained"]) for each in rows))
    backbones = list(dict.fromkeys(backbone for backbone, _ in lines))
    for number, (backbone, trained) in enumerate(lines):
        for each in rows:
            if (each["backbone"], each["trained"]) != (backbone, trained):
                continue
            place = kinds.index((each["senses"], each["attention"])) + 0.16 * (number - (len(lines) - 1) / 2)
            label = f"{backbone}, trained {'occluded' if trained == 'occluded' else 'as recorded'}"
            color = COLORS[backbones.index(backbone)]
            hollow = trained != each["tested"]
            _interval(axes, place, each, color, label, scale=100, hollow=hollow)
    names = [senses + ("\nattention" if attention else "") for senses, attention in kinds]
    axes.set_xticks(range(len(kinds)), names)
    axes.set_xlim(-0.5, len(kinds) - 0.5)


def _draw_confusion(path: Path, content: Content) -> None:
    """Figure 8: confusion matrix, in shares of the true class."""
    shares, classes = np.array(content["confusion"]), content["classes"]
    figure = Figure(figsize=(3.4, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        color = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{100 * shares[row, column]:.1f}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="taken for", ylabel="connector")
    axes.set_title("both, ResNet: % of each connector", fontsize=9)
    _save(figure, path)


def draw_joint(folder: Path, content: Content) -> None:
    """Figure 9, and the measures behind its reading."""
    _draw_map(folder / "figure9.png", content["map"], list(content["figures"]))
    figure = Figure(figsize=(11.5, 3.4), layout="constrained")
    panels = figure.subplots(1, 4, sharey=True)
    names = list(content["figures"])
    for axes, measure in zip(panels, ("recall@10", "uniformity", "purity", "rand"), strict=True):
        for number, column in enumerate(content["figures"][names[0]][measure]):
            for place, name in enumerate(names):
                found = content["figures"][name][measure][column]
                where = place + 0.18 * (number - 1)
                _interval(axes, where, found, COLORS[number], column, across=True)
                if found["chance"] is not None:
                    axes.plot(found["chance"], where, "|", color="0.4", markersize=7, label="chance")
        axes.set_xlabel({"rand": "adjusted Rand index", "purity": "cluster purity"}.get(measure, measure))
        axes.set_yticks(range(len(names)), names, fontsize=8)
    panels[0].invert_yaxis()
    _finish(figure, panels, folder / "joint.png", each=True)


def _draw_map(path: Path, shown: Content, names: Sequence[str]) -> None:
    """Four t-SNE panels: colours are objects, dark is touch, light is sight."""
    color = next(each for each in shown["colors"] if each["name"] == "object")
    values = np.array(color["values"], np.int64)
    shades = palettes(
        Color("object", values.astype(float), tuple(color["categories"])), len(shown["modalities"])
    )
    colors = [shades[m][k] for m, k in zip(shown["modality"], values, strict=True)]
    panels = [each for name in names for each in shown["panels"] if each["name"] == name][:4]
    figure = Figure(figsize=(7.6, 7.2), layout="constrained")
    for axes, panel in zip(figure.subplots(2, 2).flat, panels, strict=True):
        x, y = np.array(panel["points"]).T
        axes.scatter(x, y, c=colors, s=7, linewidths=0.15, edgecolors="white")
        agreed = panel["agreement"]["object"]
        agreement = (
            ""
            if agreed is None
            else f"\nneighbours in the other modality of the same object: {agreed['value']:.2f}"
        )
        axes.set_title(panel["name"] + agreement, fontsize=8)
        axes.set(xticks=[], yticks=[], aspect="equal")
    plain = palette(len(color["categories"]))
    handles = [
        axes.scatter([], [], c=shade, s=20, label=name)
        for shade, name in zip(plain, color["categories"], strict=True)
    ]
    order = ", ".join(shown["modalities"])
    title = f"t-SNE of {len(set(shown['picture'])):,} simulated pairs; dark to light: {order}"
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(plain),
        frameon=False,
        fontsize=8,
        title=title,
        title_fontsize=8,
    )
    _save(figure, path)


def draw_queue(folder: Path, content: Content) -> None:
    """Recall@10 over batch size, in both directions."""
    ways = list(next(iter(content["queue − in-batch"].values())))
    figure = Figure(figsize=(7.6, 3), layout="constrained")
    panels = figure.subplots(1, len(ways), sharey=True, squeeze=False)[0]
    for axes, way in zip(panels, ways, strict=True):
        for number, kind in enumerate((IN_BATCH, QUEUE)):
            places = [place + 0.06 * (2 * number - 1) for place in range(len(content["batches"]))]
            found = [content[RECALL][kind][str(batch)][way] for batch in content["batches"]]
            axes.plot(places, [each["value"] for each in found], color=COLORS[number], linewidth=0.8)
            for place, each in zip(places, found, strict=True):
                _interval(axes, place, each, COLORS[number], kind)
        axes.axhline(content["chance"], color="0.6", linewidth=0.8, linestyle=":", label="chance")
        axes.set_xticks(range(len(content["batches"])), [str(batch) for batch in content["batches"]])
        axes.set_xlabel("batch")
        axes.set_title(way, fontsize=9)
    panels[0].set_ylabel(RECALL)
    _finish(figure, panels, folder / "queue.png")


def draw_grasps(folder: Path, content: Content) -> None:
    """AUROC of success and accuracy of the family on unseen objects, by target and encoder."""
    names = list(dict.fromkeys(name for own in content["figures"].values() for name in own))
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes, (target, measure) in zip(panels, MEASURE.items(), strict=True):
        own = {name: found for name, found in content["figures"].items() if name.startswith(target)}
        _questions(axes, own, names)
        axes.set_ylabel(f"{'AUROC' if measure == 'auroc' else measure} on unseen objects, %")
    panels[0].axhline(50, color="0.6", linewidth=0.8, linestyle=":", label="chance")
    _finish(figure, panels, folder / "grasps.png")


def _questions(axes: Axes, found: Content, names: Sequence[str]) -> None:
    for place, own in enumerate(found.values()):
        for number, name in enumerate(names):
            if name in own:
                where = place + 0.14 * (number - (len(names) - 1) / 2)
                _interval(axes, where, own[name], COLORS[number], name, scale=100)
    axes.set_xticks(range(len(found)), [question.replace(", ", "\n") for question in found], fontsize=8)


def _interval(
    axes: Axes,
    place: float,
    found: Content,
    color: str,
    label: str,
    scale: float = 1,
    across: bool = False,
    hollow: bool = False,
) -> None:
    """Draw a figure with its 95% interval, vertical over a category or horizontal in a row."""
    if found["value"] is None:
        return
    value = scale * found["value"]
    low, high = (value if found[end] is None else scale * found[end] for end in ("low", "high"))
    spans = [[max(0.0, value - low)], [max(0.0, high - value)]]
    style: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 3.5, "label": label}
    style["markerfacecolor"] = "white" if hollow else color
    if across:
        axes.errorbar(value, place, xerr=spans, **style)
    else:
        axes.errorbar(place, value, yerr=spans, **style)


def _finish(figure: Figure, panels: Iterable[Axes], path: Path, each: bool = False) -> None:
    """Save with one legend below all panels, or with one above `each`."""
    unique: dict[str, Any] = {}
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        own = dict(zip(labels, handles, strict=True))
        unique |= own
        if each:
            axes.legend(
                own.values(),
                list(own),
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
                ncols=2,
                fontsize=6.5,
                frameon=False,
            )
    if not each:
        figure.legend(
            unique.values(),
            list(unique),
            loc="outside lower center",
            ncols=len(unique),
            fontsize=7,
            frameon=False,
        )
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
