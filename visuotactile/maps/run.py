"""`visuotactile map`: features of encoders in the plane, side by side, with the recording of each point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from visuotactile.datasets.splits import find_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import ContractError
from visuotactile.files import (
    atomic_path,
    cache_folder,
    provenance,
    refuse_overwrite,
    write_text,
    written_last,
)
from visuotactile.maps.clouds import clouds_of_encoders, clouds_of_spaces, of_spaces
from visuotactile.maps.embedding import (
    Color,
    Points,
    agreement,
    collapse,
    distinct,
    lay_out,
    read_color,
    reduce,
    trust,
)
from visuotactile.maps.figure import NONE, Panel, draw, palettes
from visuotactile.maps.publish import publish_map
from visuotactile.probes.rows import Row
from visuotactile.progress import working
from visuotactile.reports.intervals import json_number
from visuotactile.reports.page import data_uri, environment
from visuotactile.reports.pictures import side_by_side, trial_pictures
from visuotactile.reports.terminal import print_line
from visuotactile.retrieval.spaces import SpaceRow

FORMAT = 3
THUMBNAIL = 48


def embedding_map(
    encoders: Sequence[str | Path | Row] | Sequence[str | Path | SpaceRow],
    store: str | Path | Store,
    colors: Sequence[str],
    out: str | Path,
    *,
    method: Literal["tsne", "umap"] = "tsne",
    split: str | Path | None = None,
    fold: int = 0,
    max_points: int = 2000,
    wandb: bool = False,
    streams: Mapping[str, str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    cache: Path | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Draw the features of encoders in the plane.

    Writes map.html (recordings on hover), map.png (for a paper) and map.json into `out`.

    The same architecture with random weights, on the same input, is always drawn beside the encoders. In a
    map of joint spaces, each trial has a point for the unit vector of each modality, dark for touch and light
    for sight.

    Args:
        encoders: encoder folders, or LABEL=FOLDER; or folders of joint spaces with the same modalities. In
            Python also a `Row` or `SpaceRow`.
        store: store of the trials.
        colors: columns of the store that colour the points, hidden ones included; the first is shown first.
        out: folder of the map.
        method: layout; umap needs the extra of that name.
        split: split file, or a specification as of `split --by`, with seed 0, whose test side is drawn; by
            default all trials.
        fold: number of the fold whose test side is drawn.
        max_points: maximum number of points; beyond it, trials are sampled at random.
        wandb: log the picture and the table to W&B, offline unless logged in.
        streams: names of the networks' streams in the store, where they differ, such as tactile_left=finger.
        seed: seed of the sample of trials, of the layout and of the random weights.
        overwrite: replace an existing map.
        cache: folder of cached features; None for the user's cache folder.
        device: PyTorch device of the encoders.

    Returns:
        Content of map.json.

    Raises:
        OutputExistsError: `out` holds a map already.
        ContractError, StoreError, EncoderError, SplitError: the inputs do not fit together.
    """
    out = Path(out)
    refuse_overwrite(out / "map.json", overwrite)
    if not colors:
        raise ContractError("no column to colour by; give at least one, such as object")
    store = store if isinstance(store, Store) else Store(store)
    prepare = clouds_of_spaces if of_spaces(encoders) else clouds_of_encoders
    modalities, contracts, clouds = prepare(
        encoders, store, cache or cache_folder("features"), device, seed, StreamNames.given(streams)
    )
    trials = _choose(_test_side(store, split, fold), max_points // max(1, len(modalities)), seed)
    points = Points.of(len(trials), modalities)
    columns = [read_color(store, name, trials[points.trials]) for name in dict.fromkeys(colors)]
    objects = np.unique(store.objects[trials], return_inverse=True)[1].astype(np.int64)[points.trials]
    panels = []
    for cloud in clouds:
        features = cloud.features()[trials].reshape(len(points.trials), -1)
        # Each step is small: threads cost more than they bring, and one gives the same bytes everywhere.
        with working(f"{method} of {cloud.name}: {len(features)} points"), threadpool_limits(1):
            # Unit vectors share one scale; an encoder's features do not.
            reduced = reduce(features, standardise=not modalities)
            placed = lay_out(reduced, method, seed)
            scores = {color.name: agreement(reduced, color, objects, points) for color in columns}
            warning = collapse(cloud.name, features, len(distinct(reduced)[0]))
            panels.append(Panel(cloud.name, cloud.kind, placed, trust(reduced, placed), scores, warning))
        if warning is not None:
            print_line(warning)
    pictures = side_by_side([trial_pictures(store, each, trials, THUMBNAIL) for each in contracts])
    report = _report(store, trials, points, panels, columns, method, seed)
    report["split"] = None if split is None else {"name": str(split), "fold": fold}
    report["provenance"] = provenance(
        encoders=[str(each) if isinstance(each, str | Path) else each.name for each in encoders],
        store=str(store.path),
        colors=list(colors),
        out=str(out),
        method=method,
        split=None if split is None else str(split),
        fold=fold,
        max_points=max_points,
        streams=dict(streams or {}),
        seed=seed,
    )
    with written_last(out / "map.json", report):
        write_text(out / "map.html", _page(report, columns, pictures, store.name))
        with atomic_path(out / "map.png") as temporary:
            draw(panels, columns, points, method).savefig(temporary, format="png", dpi=200)
        if wandb:
            run = publish_map(out, report, pictures)
            print_line(f"W&B run: {run}")
    return report


def _test_side(store: Store, split: str | Path | None, fold: int) -> NDArray[np.int64]:
    if split is None:
        return np.arange(len(store))
    return find_split(store, split).indices(store, fold)[1]


def _choose(trials: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    if len(trials) <= most:
        return trials
    return np.sort(np.random.default_rng(seed).choice(trials, most, replace=False))


def _report(
    store: Store,
    trials: NDArray[np.int64],
    points: Points,
    panels: Sequence[Panel],
    columns: Sequence[Color],
    method: str,
    seed: int,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "dataset": store.name,
        "fingerprint": store.fingerprint,
        "method": method,
        "seed": seed,
        "shown": len(trials),
        "trials": len(store),
        "modalities": list(points.modalities),
        "picture": points.trials.tolist(),
        "modality": points.modality.tolist(),
        "names": store.names[trials][points.trials].tolist(),
        "objects": store.objects[trials][points.trials].tolist(),
        "colors": [
            {
                "name": color.name,
                "categories": None if color.categories is None else list(color.categories),
                "values": [json_number(value) for value in color.values.tolist()],
            }
            for color in columns
        ],
        "panels": [
            {
                "name": panel.name,
                "kind": panel.kind,
                "points": panel.points.round(4).tolist(),
                "trustworthiness": None if panel.trust is None else round(panel.trust, 4),
                "collapse": panel.collapse,
                "agreement": {
                    name: None
                    if each is None
                    else {
                        "kind": each.kind,
                        "value": each.value,
                        "chance": each.chance,
                        "others": each.others,
                    }
                    for name, each in panel.agreements.items()
                },
            }
            for panel in panels
        ],
    }


def _page(report: dict[str, Any], columns: Sequence[Color], pictures: NDArray[np.uint8], dataset: str) -> str:
    sheet, across = _sheet(pictures)
    payload = {
        **{key: report[key] for key in ("names", "objects", "modalities", "modality", "picture", "panels")},
        "colors": [
            {**shown, "palettes": palettes(color, max(1, len(report["modalities"])))}
            for shown, color in zip(report["colors"], columns, strict=True)
        ],
        "thumbnail": {
            "width": pictures.shape[2],
            "height": pictures.shape[1],
            "across": across,
            "count": len(pictures),
        },
    }
    template = environment("visuotactile.maps").get_template("map.html")
    return template.render(
        report=report, dataset=dataset, none=NONE, payload=payload, sheet=data_uri(sheet, "JPEG", quality=80)
    )


def _sheet(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """All pictures on one sheet (one file is smaller than thousands), and their number per row."""
    n, height, width, _ = pictures.shape
    across = max(1, math.ceil(math.sqrt(n * height / width)))
    down = math.ceil(n / across)
    padded = np.zeros((across * down, height, width, 3), np.uint8)
    padded[:n] = pictures
    sheet = (
        padded.reshape(down, across, height, width, 3)
        .swapaxes(1, 2)
        .reshape(down * height, across * width, 3)
    )
    return np.ascontiguousarray(sheet), across
