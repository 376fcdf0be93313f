"""`visuotactile demo`: trials → store → pretraining → frozen encoder → probe report → embedding map.

The trials are simulated grasps, or recordings where a folder is given.

Every step is the command of the same name with small settings, and is skipped when its result is there, so
that an interrupted demo goes on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from visuotactile.errors import DataError, OutputExistsError
from visuotactile.files import read_json, write_json

SETTINGS = "demo.json"
SPREAD = 0.05  # standard deviation of a tactile difference: 0.046 on the recordings, 0.049 simulated
GRASPS = 600


@dataclass(frozen=True)
class Plan:
    """How the demo treats one kind of data.

    Attributes:
        dataset: the reader's name, or None for simulated grasps.
        target: outcome to predict.
        split: what the probes test on.
        within: column within which ranking is also reported, or None.
        colors: columns of the map.
        size: side of the encoder's input.
        epochs: of pretraining.
        positive: where the second view comes from.
        convert_size: height and width that recordings are reduced to.
    """

    dataset: str | None
    target: str
    split: str
    within: str | None
    colors: tuple[str, ...]
    size: int
    epochs: int
    positive: str
    convert_size: tuple[int, int] | None


SIMULATED = Plan(
    dataset=None,
    target="success",
    split="object:5",
    within=None,
    colors=("success", "column/family", "pose/z"),
    size=48,
    epochs=8,
    positive="frame",
    convert_size=None,
)
INCIPIENT_SLIP = Plan(
    dataset="incipient-slip",
    target="slip",
    split="object:5",
    within="session",
    colors=("slip", "session", "object"),
    size=48,
    epochs=3,
    positive="contact",
    convert_size=(96, 128),
)


def run(out: Path, data: Path | None = None, seed: int = 0) -> None:
    """Run the demo into the folder `out`, on the recordings in `data` or on simulated grasps.

    Raises:
        DataError: `data` is no folder of recordings that the demo knows.
        OutputExistsError: `out` holds a demo of other data or another seed.
    """
    from visuotactile.datasets.convert import convert
    from visuotactile.look import look
    from visuotactile.probes.map import embedding_map
    from visuotactile.probes.run import probe
    from visuotactile.sim.collect import collect
    from visuotactile.ssl.export import export_checkpoint
    from visuotactile.training import LAST
    from visuotactile.training import main as train

    console, out = Console(), Path(out)
    plan = SIMULATED if data is None else _plan_for(Path(data))
    settings = {"data": None if data is None else str(Path(data).resolve()), "seed": seed}
    _claim(out, settings)

    store, run_folder, encoder = out / "store", out / "pretraining", out / "encoder"
    if plan.dataset is None:
        console.rule(f"1 of 5 · {GRASPS} simulated grasps to a store")
        console.print("No DATA was given: these grasps are simulated. No robot was involved.")
        workers = min(2, os.cpu_count() or 1)
        collect("grasp", store, trials=GRASPS, scheme="single", camera_size=112, workers=workers, seed=seed)
    else:
        console.rule("1 of 5 · recordings to a store")
        convert(plan.dataset, data, store, size=plan.convert_size)
    sheet = out / "trials.html"
    if not sheet.exists():
        look(store, sheet, seed=seed)

    console.rule("2 of 5 · pretraining without labels (MoCo v2, small)")
    if not (encoder / "encoder.json").exists():
        train(["fit", "--config", str(_config(out, plan, store, run_folder, seed))])
    console.rule("3 of 5 · the frozen encoder")
    if not (encoder / "encoder.json").exists():
        export_checkpoint(run_folder / LAST, encoder)
    console.print(f"{encoder}: encoder.safetensors and encoder.json")

    console.rule("4 of 5 · what simple classifiers read out of it")
    cache = out / "features"
    if not (out / "report" / "report.json").exists():
        probe(
            [encoder],
            store,
            plan.target,
            plan.split,
            out / "report",
            probes=("knn", "linear"),
            budgets=(0.1, 0.33, 1.0),
            seeds=1,
            within=plan.within,
            cache=cache,
            seed=seed,
        )
    console.rule("5 of 5 · a map of its features")
    if not (out / "map" / "map.json").exists():
        embedding_map([encoder], store, plan.colors, out / "map", cache=cache, seed=seed)

    console.rule("done: open in a browser")
    for page in (sheet, out / "report" / "report.html", out / "map" / "map.html"):
        console.print(f"  {page.resolve()}", soft_wrap=True)
    console.print(
        "A few minutes on a laptop show how the parts fit together, not how good an encoder can be; "
        "experiments/ has the measured comparison."
    )


def _plan_for(data: Path) -> Plan:
    if any(data.glob("base_data_for_*/*/*/camera_0.avi")):
        return INCIPIENT_SLIP
    raise DataError(
        f"{data} holds no recordings that the demo knows (base_data_for_*/OBJECT/TRIAL/camera_0.avi); for "
        "other data use convert, fit, export, probe and map: the README shows each"
    )


def _claim(out: Path, settings: dict[str, Any]) -> None:
    path = out / SETTINGS
    if not path.exists():
        if out.is_dir() and any(out.iterdir()):
            raise OutputExistsError(
                f"{out} is not empty and holds no demo; give another --out (OUT=… with make)"
            )
        write_json(path, settings)
    elif read_json(path, OutputExistsError) != settings:
        raise OutputExistsError(
            f"{out} holds the demo of other data or another seed ({path.read_text().strip()}); "
            "give another --out (OUT=… with make), or delete it"
        )


def _config(out: Path, plan: Plan, store: Path, run_folder: Path, seed: int) -> Path:
    """The configuration of the pretraining, as a file that `visuotactile fit --config` takes."""
    config = {
        "model": {
            "class_path": "visuotactile.ssl.MoCo",
            "init_args": {
                "backbone": "resnet18",
                "contract": {
                    "streams": ["tactile_left", "tactile_right"],
                    "phase": "during",
                    "reference": "before",
                    "size": plan.size,
                    "normalisation": "dataset",
                    "mean": [0.0] * 3,
                    "std": [SPREAD] * 3,
                },
                # Without colour jitter, which would teach the encoder to overlook how firm a contact is.
                "augmentation": {"p_jitter": 0.0, "p_gray": 0.0},
                "optimizer": {"name": "sgd", "lr": 0.03, "final_lr": 1e-6},
                "queue_size": 2048,
                "key_momentum": 0.99,
                "temperature": 0.1,
                "bn_splits": 8,
                "seed": seed,
            },
        },
        "data": {
            "class_path": "visuotactile.datasets.datamodule.TactileData",
            "init_args": {
                "store": str(store),
                "batch_size": 64,
                "positive": plan.positive,
                "label": plan.target,
                "seed": seed,
            },
        },
        "trainer": {
            "max_epochs": plan.epochs,
            "default_root_dir": str(run_folder),
            "log_every_n_steps": 5,
            "enable_model_summary": False,
        },
    }
    path = out / "pretraining.yaml"
    write_json(path, config)  # JSON is YAML too
    return path
