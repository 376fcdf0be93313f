"""A hand of three joints with two outcomes and a sound, from its grasps to a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_helpers import Page, outside
from toy_hand import EMBODIMENT, JOINTS, SETS, TOY_HAND, ToyGrasps

import visuotactile.sim  # noqa: F401  registers the environment of another robot
from visuotactile.cli import main
from visuotactile.datasets.fill import fill
from visuotactile.datasets.store import Store
from visuotactile.errors import PlanError
from visuotactile.files import write_json
from visuotactile.grasp.episodes.collecting import EpsilonGreedy
from visuotactile.grasp.episodes.regrasp import regrasp
from visuotactile.grasp.predictor.examples import predict
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.training.folder import LAST

CAMERA = {
    "streams": ["camera"],
    "phase": "between",
    "reference": None,
    "size": 16,
    "normalisation": "dataset",
    "mean": [0.2] * 3,
    "std": [0.3] * 3,
}
HELD_OUT = ("toy-3", "toy-6")


def config(path: Path, store: Path, **model: Any) -> Path:
    """A configuration of `fit` that takes a second."""
    write_json(
        path,
        {
            "model": {
                "class_path": "visuotactile.grasp.PredictorModule",
                "init_args": {
                    "branches": {"camera": {"backbone": "test_resnet", "contract": CAMERA}},
                    "width": 64,
                    "separate": True,
                    "optimizer": {"name": "adamw", "lr": 3e-3, "schedule": "steps", "drops": [240]},
                    **model,
                },
            },
            "data": {
                "class_path": "visuotactile.grasp.GraspData",
                "init_args": {"store": str(store), "batch_size": 16, "held_out": list(HELD_OUT)},
            },
            "trainer": {
                "max_steps": 300,
                "val_check_interval": 300,
                "check_val_every_n_epoch": None,
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "default_root_dir": str(path.with_suffix("")),
            },
        },
    )
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Grasps with random regrasps."""
    return fill(ToyGrasps(600), tmp_path_factory.mktemp("toy") / "grasps", progress=False)


@pytest.fixture(scope="module")
def folder(store: Store) -> Path:
    """The predictor that `fit` and `export` make of them."""
    root = store.path.parent
    assert main(["fit", f"--config={config(root / 'run.yaml', store.path)}"]) == 0
    assert main(["export", str(root / "run" / LAST), str(root / "predictor")]) == 0
    return root / "predictor"


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return load_predictor(folder)


def test_the_predictor_knows_the_hand_and_both_outcomes_from_the_store(
    predictor: Predictor, store: Store
) -> None:
    assert predictor.embodiment == store.embodiment == EMBODIMENT
    assert predictor.outcomes == ("stable", "gentle")
    assert predictor.action_space.names == ("dx", "dy", "joint_0", "joint_1", "joint_2")
    assert predictor.inputs == ("camera/between", "pose", "joints")
    assert len(predictor.meta["calibration"]["slope"]) == 2
    assert predictor.meta["calibration"]["examples"] == [150, 150]


def test_both_outcomes_of_things_that_were_held_out_are_predicted(predictor: Predictor, store: Store) -> None:
    rows = np.flatnonzero(np.isin(store.objects, HELD_OUT))
    logits, labels = predict(predictor, store, rows)
    for number in range(2):
        said = logits[:, number]
        positive, negative = said[labels[:, number] == 1], said[labels[:, number] == 0]
        assert (positive[:, None] > negative).mean() > 0.7  # AUROC


@pytest.fixture(scope="module")
def made(folder: Path) -> tuple[dict[str, Any], Path]:
    """The report of a planner that wants both outcomes, beside what any robot can play."""
    out = folder.parent / "report"
    hand = dict.fromkeys((joint.name for joint in JOINTS), 0.45)
    report = regrasp(
        [f"planner={folder}"],
        TOY_HAND,
        "shelf",
        out,
        trials=4,
        required=("stable", "gentle"),
        preset=hand,
        above=0.6,
        search="factored",
        max_regrasps=3,
        films=2,
        progress=False,
    )
    return report, out


def test_the_planner_grasps_better_than_chance(made: tuple[dict[str, Any], Path]) -> None:
    report, _ = made
    ours, chance, first = report["policies"]
    assert [ours["name"], chance["name"], first["name"]] == ["planner", "random regrasp", "first grasp"]

    def both(policy: str) -> float:
        own = [record["outcomes"] for record in report["episodes"] if record["policy"] == policy]
        assert len(own) == 4 * len(SETS["shelf"])
        return float(np.mean([each["stable"] and each["gentle"] for each in own]))

    assert both("planner") > both("random regrasp") + 0.2
    assert ours["gentle"]["value"] > first["gentle"]["value"] + 0.1


def test_the_report_tells_both_outcomes(made: tuple[dict[str, Any], Path]) -> None:
    report, out = made
    assert report["outcomes"] == ["stable", "gentle"]
    assert [(each["policy"], each["outcome"]) for each in report["calibration"]] == [
        ("planner", "stable"),
        ("planner", "gentle"),
    ]
    for policy in report["policies"]:
        assert set(policy) >= {"stable", "gentle", "regrasps", "joint_0", "joint_2_held"}
    records = [record for record in report["episodes"] if record["policy"] == "planner"]
    assert all(set(record["turns"][-1]["predicted"]) == {"stable", "gentle"} for record in records)
    assert all(set(record["turns"][0]["vectors"]) == {"pose", "joints"} for record in records)
    text = (out / "report.html").read_text()
    assert outside(text) == []
    words = " ".join(Page(text).text)
    markdown = (out / "report.md").read_text()
    for word in ("Stable, %", "Gentle, %", "joint_1"):
        assert word in words + markdown
    for word in ("force", "cylinder", "gripper", "finger", " N "):
        assert word not in markdown.partition("## Made with")[0].replace("forced", "")
        assert word not in json.dumps(report["measures"])


def test_its_planner_collects_on_policy(folder: Path, store: Store, tmp_path: Path) -> None:
    planner = EpsilonGreedy(folder, epsilon=0.1)
    more = fill(ToyGrasps(64, policy=planner, seed=1), tmp_path / "more", progress=False)
    assert more.embodiment == EMBODIMENT
    rates = [each.column("outcome/stable").mean() for each in (store, more)]
    assert rates[1] > rates[0] + 0.05


def test_a_phase_from_which_an_outcome_was_labelled_is_no_input(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for phase in ("closing", "after"):
        branches = {"camera": {"backbone": "test_resnet", "contract": {**CAMERA, "phase": phase}}}
        path = config(tmp_path / f"{phase}.yaml", store.path, branches=branches)
        assert main(["fit", f"--config={path}"]) == 2
        assert repr(phase) in capsys.readouterr().err


def test_another_robot_is_refused_by_the_name_of_what_it_lacks(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"needs joint_0, which visuotactile/Grasp-v0 lacks; it has dx, dy"):
        regrasp([str(folder)], "visuotactile/Grasp-v0", "golf-ball", tmp_path, camera_size=32, progress=False)
