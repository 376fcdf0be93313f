"""`visuotactile demo`: trials → store → pretraining → frozen encoder → probe report → embedding map.

The trials are simulated grasps, or recordings if a folder is given. With the simulator it continues: grasps
and regrasps → predictor with the frozen touch encoder → planner that regrasps unseen objects.

`visuotactile demo gentle` shows gentle_grasping alone.

Every step is a printed command, skipped when its result exists, so that an interrupted demo continues.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from visuotactile import cli
from visuotactile.demo import configs
from visuotactile.errors import DataError, OutputExistsError
from visuotactile.files import read_json, write_json
from visuotactile.reports.terminal import print_line

SETTINGS = "demo.json"
CAMERA = 112
"""Height and width of the camera's image, in pixels."""

GRASPS = 600
REGRASPS = 600
OBJECTS = "easy"
EPISODES = 4
"""Episodes of each object and policy."""

GENTLE, GENTLE_CAMERA, GENTLE_STEPS = 400, 80, 600
"""Grasps of the toy, height and width of their pictures, and steps of the predictor's training."""
GENTLE_EPISODES, GENTLE_ABOVE = 20, 0.8
"""Episodes of each policy, and the probability of both outcomes above which the planner lifts: the paper's is
0.95, for a predictor from ten times as many samples."""
WORKERS = min(2, os.cpu_count() or 1)
LAST = Path("checkpoints") / "last.ckpt"


@dataclass(frozen=True)
class Plan:
    """Settings of the demo for one kind of data.

    Attributes:
        dataset: name of the dataset, or None for simulated grasps.
        target: outcome to predict.
        within: column within whose values the AUROC is also reported, or None.
        colors: columns of the map.
        epochs: epochs of pretraining.
        positive: origin of the second view.
        size: height and width to which recordings are resized.
    """

    dataset: str | None
    target: str
    within: str | None
    colors: tuple[str, ...]
    epochs: int
    positive: str
    size: tuple[int, int] | None


SIMULATED = Plan(
    dataset=None,
    target="success",
    within=None,
    colors=("success", "column/family", "pose/z"),
    epochs=8,
    positive="frame",
    size=None,
)
INCIPIENT_SLIP = Plan(
    dataset="incipient-slip",
    target="slip",
    within="session",
    colors=("slip", "session", "object"),
    epochs=3,
    positive="contact",
    size=(96, 128),
)


@dataclass(frozen=True)
class Step:
    """A command of the demo.

    Attributes:
        title: heading above it, or None for a continuation of the step before.
        words: the command, without `visuotactile`.
        result: file that marks it as done; None for a command that checks this itself.
    """

    title: str | None
    words: tuple[Any, ...]
    result: Path | None = None


def run(
    paper: Literal["gentle"] | None = None, *, out: Path, data: Path | None = None, seed: int = 0
) -> None:
    """Run the whole pipeline at a small scale: simulate, pretrain, probe, map and regrasp.

    Args:
        paper: one paper alone, gentle: grasp a squeaking toy with a hand of fingers, stably and gently.
        out: folder of the results.
        data: folder of incipient slip recordings; grasps are simulated unless it is given.
        seed: seed of the simulation, the training and the reports.

    Raises:
        DataError: `data` is not a folder of incipient slip recordings, or is given for `paper`.
        OutputExistsError: `out` holds a demo of other data, another seed or another paper.
    """
    console, out = Console(), Path(out)
    if paper is not None and data is not None:
        raise DataError(f"the demo {paper} is simulated and takes no data, but was given {data}")
    plan = SIMULATED if data is None else _plan_for(Path(data))
    settings = {"data": None if data is None else str(Path(data).resolve()), "seed": seed}
    _claim(out, settings if paper is None else {**settings, "paper": paper})
    if paper is not None:
        steps = [*_gentle(out, seed)]
    else:
        steps = [*_encoder(out, plan, data, seed), *(_regrasping(out, seed) if data is None else ())]
    titles = [step.title for step in steps if step.title]
    if data is None:
        console.print("No DATA was given: the grasps are simulated. No robot was involved.")
    for step in steps:
        if step.title:
            console.rule(f"{titles.index(step.title) + 1} of {len(titles)} · {step.title}")
        words = [str(word) for word in step.words]
        print_line(f"$ visuotactile {shlex.join(words)}")
        if step.result and step.result.exists():
            print_line(f"{step.result} exists already")
        else:
            cli.run(words)
    console.rule("done: open in a browser")
    for step in steps:
        page = step.result and step.result.with_suffix(".html")
        if page and page.exists():
            print_line(f"  {page.resolve()}")
    console.print(
        "A few minutes on a laptop show how the parts fit together, not how good an encoder can be; "
        "experiments/ has the measured comparison."
    )


def _encoder(out: Path, plan: Plan, data: Path | None, seed: int) -> Iterator[Step]:
    """Steps from recordings, or simulated grasps, to an encoder and its reports."""
    store, training, encoder = out / "store", out / "pretraining", out / "encoder"
    seeded = ("--seed", seed)
    if plan.dataset is None:
        made = (
            "--trials",
            GRASPS,
            "--scheme",
            "single",
            "--camera-size",
            CAMERA,
            "--workers",
            WORKERS,
            *seeded,
        )
        yield Step(f"{GRASPS} simulated grasps to a store", ("collect", "grasp", "--store", store, *made))
    else:
        size = ("--size", *plan.size) if plan.size else ()
        yield Step("recordings to a store", ("convert", plan.dataset, data, store, *size))
    sheet = out / "trials.html"
    yield Step(None, ("look", store, "--out", sheet, *seeded), sheet)

    config = _written(
        out / "pretraining.yaml",
        configs.pretraining(store, training, plan.target, plan.epochs, plan.positive, seed),
    )
    finished = encoder / "encoder.json"
    yield Step("pretraining without labels (MoCo v2, small)", ("fit", "--config", config), finished)
    yield Step("the frozen encoder", ("export", training / LAST, encoder), finished)

    cache, report = ("--cache", out / "features"), out / "report"
    what = ("--store", store, "--target", plan.target, "--split", "object:5", "--out", report)
    small = ("--probes", "knn", "linear", "--budgets", 0.1, 0.33, 1, "--seeds", 1)
    within = ("--within", plan.within) if plan.within else ()
    yield Step(
        "how well simple classifiers predict from its features",
        ("probe", encoder, *what, *small, *within, *cache, *seeded),
        report / "report.json",
    )
    drawn = ("--store", store, "--colors", *plan.colors, "--out", out / "map")
    yield Step("a map of its features", ("map", encoder, *drawn, *cache, *seeded), out / "map" / "map.json")


def _regrasping(out: Path, seed: int) -> Iterator[Step]:
    """Steps from grasps and regrasps to a planner in closed loop."""
    store, training, predictor, report = (
        out / name for name in ("regrasps", "training", "predictor", "regrasping")
    )
    made = ("--trials", REGRASPS, "--camera-size", CAMERA, "--workers", WORKERS, "--seed", seed + 1)
    yield Step(
        f"{REGRASPS} simulated grasps, each moved once at random, and their outcomes",
        ("collect", "grasp", "--store", store, *made),
    )
    config = _written(out / "predictor.yaml", configs.predictor(store, out / "encoder", training, seed))
    finished = predictor / "predictor.json"
    yield Step(
        "learning which action will hold, through the frozen encoder", ("fit", "--config", config), finished
    )
    yield Step(None, ("export", training / LAST, predictor), finished)
    played = ("--env", "visuotactile/Grasp-v0", "--objects", OBJECTS, "--out", report, "--trials", EPISODES)
    small = ("--policies", "planner", "first", "random", "--max-regrasps", 5, "--films", 4)
    yield Step(
        "regrasping unseen objects (simulated)",
        (
            "regrasp",
            f"planner={predictor}",
            *played,
            *small,
            "--camera-size",
            CAMERA,
            "--workers",
            WORKERS,
            "--seed",
            seed,
        ),
        report / "report.json",
    )


def _gentle(out: Path, seed: int) -> Iterator[Step]:
    """Steps from grasps of a squeaking toy to a planner that lifts it without a squeak (gentle_grasping)."""
    from visuotactile.sim.hands.fingers import HAND, PRESET  # the simulator takes a second to import

    store, training, predictor, report = (
        out / name for name in ("grasps", "training", "predictor", "gentle_grasping")
    )
    seeded, size = ("--seed", seed), ("--camera-size", GENTLE_CAMERA)
    yield Step(
        f"{GENTLE} simulated grasps of a squeaking toy, heard by a microphone",
        ("collect", "gentle", "--store", store, "--trials", GENTLE, *size, "--workers", WORKERS, *seeded),
    )
    sheet = out / "trials.html"
    yield Step(None, ("look", store, "--out", sheet, "--trials", 12, *seeded), sheet)
    steps = ("--trainer.max_steps", GENTLE_STEPS, "--trainer.val_check_interval", GENTLE_STEPS)
    where = ("--data.store", store, "--trainer.default_root_dir", training)
    quiet = ("--trainer.enable_model_summary", "false")
    seeds = ("--model.seed", seed, "--data.seed", seed)
    finished = predictor / "predictor.json"
    yield Step(
        "learning which grasp will be stable, and which gentle",
        ("fit", "--config", "laptop/gentle_predictor", *where, *steps, *seeds, *quiet),
        finished,
    )
    yield Step(None, ("export", training / LAST, predictor), finished)
    # where no candidate is likely to be stable and gentle, the next regrasp is at the preset pose
    preset = [f"{joint.name}={angle:g}" for joint, angle in zip(HAND, PRESET, strict=True)]
    aim = ("--required", "stable", "gentle", "--above", GENTLE_ABOVE, "--preset", *preset)
    played = ("--objects", "toy", "--trials", GENTLE_EPISODES, "--max-regrasps", 3, "--films", 4)
    yield Step(
        "regrasping the toy, stably and gently (simulated)",
        (
            "regrasp",
            f"planner={predictor}",
            *("--env", "visuotactile/GentleGrasp-v0", "--out", report, *played, *size),
            *("--policies", "planner", "first", "random", "--search", "factored", *aim),
            *("--workers", WORKERS, *seeded),
        ),
        report / "report.json",
    )


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
