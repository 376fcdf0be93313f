"""Embedding map on Weights & Biases: one picture and one table, offline unless the user has logged in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.training.tracking import PROJECT, wandb_mode


def publish_map(out: Path, report: dict[str, Any], pictures: NDArray[np.uint8]) -> Path:
    """Log map.png and a table with one line per point: its picture, its position in each map, its colours.

    Args:
        out: folder of the map; the run goes to its `wandb` folder, complete, so that it can be moved and
            uploaded later with `wandb sync`.
        report: content of map.json.
        pictures: uint8 [n, H, W, 3], one for each trial, all its modalities side by side.

    Returns:
        Folder of the run.
    """
    mode: Any = wandb_mode()
    import wandb

    out.mkdir(parents=True, exist_ok=True)
    places = [f"{panel['name']} {axis}" for panel in report["panels"] for axis in "xy"]
    with _staged_in(out):
        run = wandb.init(
            project=PROJECT,
            job_type="map",
            dir=str(out),
            mode=mode,
            config={key: report[key] for key in ("dataset", "fingerprint", "method", "seed", "provenance")},
            settings=wandb.Settings(console="off", silent=True),
        )
        modalities = report["modalities"]
        first = ["trial", *(["modality", "picture"] if modalities else ["touch"]), "object"]
        # The object may colour the map, and has a column already.
        colors = {color["name"]: color for color in report["colors"] if color["name"] not in first}
        table = wandb.Table(columns=[*first, *places, *colors])
        images = [wandb.Image(picture) for picture in pictures]
        for index, name in enumerate(report["names"]):
            points = [value for panel in report["panels"] for value in panel["points"][index]]
            shown = [_shown(color, index) for color in colors.values()]
            which = [modalities[report["modality"][index]]] if modalities else []
            image = images[report["picture"][index]]
            table.add_data(name, *which, image, report["objects"][index], *points, *shown)
        run.log({"map/picture": wandb.Image(str(out / "map.png")), "map/trials": table})
        folder = Path(run.dir).parent
        run.finish()
    return folder


def _shown(color: dict[str, Any], index: int) -> str | float | None:
    value = color["values"][index]
    return value if color["categories"] is None else str(color["categories"][int(value)])


@contextlib.contextmanager
def _staged_in(out: Path) -> Iterator[None]:
    """Stage a table's pictures beside the run; by default they would stay in the home folder."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str((out / "wandb").resolve())
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
