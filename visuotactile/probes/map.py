"""`visuotactile map`: encoders' features on a plane, side by side, with the touch behind each point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from visuotactile.datasets.store import Store
from visuotactile.encoders import FrozenEncoder, untrained_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.files import atomic_path, provenance, refuse_overwrite, write_json, write_text
from visuotactile.probes.embedding import Color, agreement, lay_out, read_color, reduce, trust
from visuotactile.probes.features import trial_features
from visuotactile.probes.map_figure import Panel, draw, gradient, palette
from visuotactile.probes.page import environment
from visuotactile.probes.pictures import data_uri, trial_pictures
from visuotactile.probes.publish import publish_map
from visuotactile.probes.rows import UNTRAINED, Row, describe, load_rows
from visuotactile.probes.run import default_cache

FORMAT = 1
THUMBNAIL = 48


def embedding_map(
    encoders: Sequence[str | Path | Row],
    store: str | Path | Store,
    colors: Sequence[str],
    out: str | Path,
    *,
    method: str = "tsne",
    max_points: int = 2000,
    wandb: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    cache: Path | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Write map.html (hover shows the touch), map.png (for a paper) and map.json into `out`.

    An untrained encoder of the same architecture and contract always stands beside the given ones.

    Args:
        encoders: folders, LABEL=FOLDER, or rows; each with one encoder.
        store: the trials.
        colors: columns of the store, hidden ones included; the first is shown first.
        out: folder of the map.
        method: "tsne", or "umap" where that extra is installed.
        max_points: trials drawn at random where there are more.
        wandb: also log picture and table to W&B, offline unless logged in.
        seed: of the draw of trials, of the layout and of the untrained encoder.
        overwrite: replace a map that is there.
        cache: folder for features; None takes the user's cache.
        device: where encoders run.

    Returns:
        the content of map.json.

    Raises:
        OutputExistsError: `out` holds a map already.
        ContractError, StoreError, EncoderError: something does not fit; the message says what to do.
    """
    out = Path(out)
    refuse_overwrite(out / "map.json", overwrite)
    if not colors:
        raise ContractError("give at least one column to colour by, such as object")
    store = store if isinstance(store, Store) else Store(store)
    trials = _choose(len(store), max_points, seed)
    columns = [read_color(store, name, trials) for name in dict.fromkeys(colors)]
    objects = np.unique(store.objects[trials], return_inverse=True)[1].astype(np.int64)
    panels = []
    console = Console(stderr=True)
    given = _encoders(load_rows(encoders, device), seed)
    for name, encoder in given:
        features = trial_features(encoder, store, cache=cache or default_cache(), name=name)[trials]
        with console.status(f"{method} of {name}: {len(trials)} points"):
            reduced = reduce(features)
            points = lay_out(reduced, method, seed)
            scores = {color.name: agreement(reduced, color, objects) for color in columns}
            kind = str(encoder.meta.get("method", ""))
            panels.append(Panel(name, kind, points, trust(reduced, points), scores))
    pictures = trial_pictures(store, given[0][1].contract, trials, THUMBNAIL)
    report = _report(store, trials, panels, columns, method, seed)
    report["provenance"] = provenance(
        encoders=[str(source) if not isinstance(source, Row) else source.name for source in encoders],
        store=str(store.path),
        colors=list(colors),
        out=str(out),
        method=method,
        max_points=max_points,
        seed=seed,
    )
    (out / "map.json").unlink(missing_ok=True)
    write_text(out / "map.html", _page(report, columns, pictures, store.name))
    with atomic_path(out / "map.png") as temporary:
        draw(panels, columns, method).savefig(temporary, format="png", dpi=200)
    if wandb:
        run = publish_map(out, report, pictures)
        console.print(f"W&B run: {run}", markup=False, highlight=False, soft_wrap=True)
    write_json(out / "map.json", report)
    Console().print(f"Map: {out / 'map.html'}", markup=False, highlight=False, soft_wrap=True)
    return report


def _choose(trials: int, most: int, seed: int) -> NDArray[np.int64]:
    if trials <= most:
        return np.arange(trials)
    return np.sort(np.random.default_rng(seed).choice(trials, most, replace=False)).astype(np.int64)


def _encoders(rows: Sequence[Row], seed: int) -> list[tuple[str, FrozenEncoder]]:
    found: list[tuple[str, FrozenEncoder]] = []
    for row in rows:
        if not isinstance(row.encoders, FrozenEncoder):
            raise EncoderError(
                f"{row.name} holds one encoder per fold; a map shows one encoder, so name one of them"
            )
        found.append((row.name, row.encoders))
    kinds = list(dict.fromkeys((encoder.architecture, encoder.contract) for _, encoder in found))
    device = next(found[0][1].parameters()).device
    for kind in kinds:
        name = UNTRAINED if len(kinds) == 1 else f"{UNTRAINED} · {describe(*kind)}"
        found.append((name, untrained_encoder(*kind, seed).to(device)))
    return found


def _report(
    store: Store,
    trials: NDArray[np.int64],
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
        "names": store.names[trials].tolist(),
        "objects": store.objects[trials].tolist(),
        "colors": [
            {
                "name": color.name,
                "categories": None if color.categories is None else list(color.categories),
                "values": [round(value, 6) for value in color.values.tolist()],
            }
            for color in columns
        ],
        "panels": [
            {
                "name": panel.name,
                "kind": panel.kind,
                "points": panel.points.round(4).tolist(),
                "trustworthiness": round(panel.trust, 4),
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
        "names": report["names"],
        "objects": report["objects"],
        "colors": [
            {**shown, "palette": palette(len(color.categories)) if color.categories else gradient()}
            for shown, color in zip(report["colors"], columns, strict=True)
        ],
        "panels": report["panels"],
        "thumbnail": {
            "width": pictures.shape[2],
            "height": pictures.shape[1],
            "across": across,
            "count": len(pictures),
        },
    }
    template = environment().get_template("map.html")
    return template.render(report=report, dataset=dataset, payload=payload, sheet=data_uri(sheet, lossy=True))


def _sheet(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """All pictures on one sheet (one file is smaller than thousands), and how many lie in a row."""
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
