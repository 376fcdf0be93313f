"""`visuotactile demo`: trials → store → pretraining → frozen encoder → probe report → embedding map.

The trials are simulated grasps, or recordings where a folder is given. With the simulator it goes on: grasps
and regrasps → predictor that feels through the frozen encoder → planner that regrasps unseen objects.

Every step is the command of the same name with small settings, and is skipped when its result is there, so
that an interrupted demo goes on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from visuotactile.demo import configs
from visuotactile.errors import DataError, OutputExistsError
from visuotactile.files import read_json, write_json

SETTINGS = "demo.json"
CAMERA = 112  # pixels
GRASPS = 600
REGRASPS = 600
EPISODES = 4
"""Of each of the 11 easy objects and each policy."""


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
    """Run everything, small: simulate, pretrain, probe, map and regrasp.

    Args:
        out: folder of the results.
        data: folder of incipient slip recordings; grasps are simulated unless it is given.
        seed: seed of the simulation, the training and the reports.

    Raises:
        DataError: `data` is no folder of recordings that the demo knows.
        OutputExistsError: `out` holds a demo of other data or another seed.
    """
    from visuotactile.datasets.convert import convert
    from visuotactile.look import look
    from visuotactile.maps.map import embedding_map
    from visuotactile.probes.run import probe
    from visuotactile.sim.collect import collect
    from visuotactile.ssl.export import export_encoder
    from visuotactile.training.fit import LAST
    from visuotactile.training.fit import main as train

    console, out = Console(), Path(out)
    plan = SIMULATED if data is None else _plan_for(Path(data))
    steps = 5 if plan.dataset else 8
    workers = min(2, os.cpu_count() or 1)
    settings = {"data": None if data is None else str(Path(data).resolve()), "seed": seed}
    _claim(out, settings)

    store, run_folder, encoder = out / "store", out / "pretraining", out / "encoder"
    if plan.dataset is None:
        console.rule(f"1 of {steps} · {GRASPS} simulated grasps to a store")
        console.print("No DATA was given: these grasps are simulated. No robot was involved.")
        collect(
            "grasp", store, trials=GRASPS, scheme="single", camera_size=CAMERA, workers=workers, seed=seed
        )
    else:
        console.rule(f"1 of {steps} · recordings to a store")
        convert(plan.dataset, data, store, size=plan.convert_size)
    sheet = out / "trials.html"
    if not sheet.exists():
        look(store, sheet, seed=seed)

    console.rule(f"2 of {steps} · pretraining without labels (MoCo v2, small)")
    if not (encoder / "encoder.json").exists():
        config = configs.pretraining(
            store, run_folder, plan.target, plan.size, plan.epochs, plan.positive, seed
        )
        train(["fit", "--config", str(_written(out / "pretraining.yaml", config))])
    console.rule(f"3 of {steps} · the frozen encoder")
    if not (encoder / "encoder.json").exists():
        export_encoder(run_folder / LAST, encoder)
    console.print(f"{encoder}: encoder.safetensors and encoder.json")

    console.rule(f"4 of {steps} · what simple classifiers read out of it")
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
    console.rule(f"5 of {steps} · a map of its features")
    if not (out / "map" / "map.json").exists():
        embedding_map([encoder], store, plan.colors, out / "map", cache=cache, seed=seed)

    pages = [sheet, out / "report" / "report.html", out / "map" / "map.html"]
    if plan.dataset is None:
        pages.append(_regrasp(console, out, encoder, workers, seed))

    console.rule("done: open in a browser")
    for page in pages:
        console.print(f"  {page.resolve()}", soft_wrap=True)
    console.print(
        "A few minutes on a laptop show how the parts fit together, not how good an encoder can be; "
        "experiments/ has the measured comparison."
    )


def _regrasp(console: Console, out: Path, encoder: Path, workers: int, seed: int) -> Path:
    """From grasps and regrasps to a planner in closed loop; the page of what it did."""
    import visuotactile.sim  # noqa: F401  registers the environment
    from visuotactile.grasp.episodes.regrasp import regrasp
    from visuotactile.grasp.predictor.export import export_predictor
    from visuotactile.sim.collect import collect
    from visuotactile.training.fit import LAST
    from visuotactile.training.fit import main as train

    store, run_folder, predictor, report = (
        out / name for name in ("regrasps", "training", "predictor", "regrasping")
    )
    console.rule(f"6 of 8 · {REGRASPS} simulated grasps, each moved once at random, and what came of it")
    collect("grasp", store, trials=REGRASPS, camera_size=CAMERA, workers=workers, seed=seed + 1)
    console.rule("7 of 8 · learning which action will hold, through the frozen encoder")
    if not (predictor / "predictor.json").exists():
        config = configs.predictor(store, encoder, run_folder, seed)
        train(["fit", "--config", str(_written(out / "predictor.yaml", config))])
        export_predictor(run_folder / LAST, predictor)
    console.rule("8 of 8 · regrasping objects that it has never met (simulated)")
    if not (report / "report.json").exists():
        regrasp(
            [f"planner={predictor}"],
            "visuotactile/Grasp-v0",
            "easy",
            report,
            trials=EPISODES,
            policies=("planner", "first", "random"),
            max_regrasps=5,
            films=4,
            camera_size=CAMERA,
            workers=workers,
            seed=seed,
        )
    return report / "report.html"


def _plan_for(data: Path) -> Plan:
    if any(data.glob("base_data_for_*/*/*/camera_0.avi")):
        return INCIPIENT_SLIP
    raise DataError(
        f"{data} holds no recordings that the demo knows (base_data_for_*/OBJECT/TRIAL/camera_0.avi); for "
        "other data use convert, fit, export, probe and map: the README shows each"
    )


def _written(path: Path, config: dict[str, Any]) -> Path:
    write_json(path, config)  # JSON is YAML too
    return path


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
