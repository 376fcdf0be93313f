"""The command line of cross-modal pretraining: every shipped configuration, and what export makes of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cross_modal_helpers import RESNET, SIDES, pair_store

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.encoders import load_encoder, load_joint
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.probes.features import trial_features
from visuotactile.training.export import export
from visuotactile.training.fit import LAST

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "ssl").glob("**/cross_modal*.yaml"))
LAPTOP = next(path for path in CONFIGS if path.parent.name == "laptop" and path.stem == "cross_modal")
BRANCH = {"backbone": RESNET, "pretrained": False, "contract": {"size": 32}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pair_store(tmp_path_factory.mktemp("pairs") / "store", trials=60).path


def fit(config: Path, store: Path, root: Path, *more: str, branches: Any = None) -> int:
    """Run the command with networks and images small enough for a test."""
    changes = {"model": {"init_args": {"branches": branches or {"sight": BRANCH, "touch": BRANCH}}}}
    small = root.with_suffix(".json")
    small.write_text(json.dumps(changes))
    settings = ("max_steps=2", "log_every_n_steps=1", "precision=32-true", "accelerator=cpu")
    quiet = ("enable_progress_bar=false", "enable_model_summary=false")
    return main(
        [
            "fit",
            f"--config={config}",
            f"--config={small}",
            f"--data.store={store}",
            "--data.batch_size=16",
            f"--trainer.default_root_dir={root}",
            *(f"--trainer.{setting}" for setting in (*settings, *quiet)),
            *more,
        ]
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_configuration_runs_logs_and_exports(config: Path, store: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    assert fit(config, store, root, "--trainer.limit_train_batches=2", "--trainer.max_epochs=1") == 0
    (log,) = root.glob("logs/*/metrics.csv")
    with open(log, newline="") as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    measures = {"feature_spread", "effective_rank"}
    monitors = {f"{side}_{name}" for side in ("sight", "touch") for name in measures}
    assert {"loss", "lr", "temperature", "val_retrieval", "val_retrieval_chance"} <= logged
    assert monitors | {f"val_{name}" for name in monitors} <= logged

    assert main(["export", str(root / LAST), str(tmp_path / "space")]) == 0
    space, found = load_joint(tmp_path / "space"), Store(store)
    assert space.modalities == ("sight", "touch")
    assert space.meta["method"] == "cross_modal"
    assert set(space.meta["pretraining_objects"]) <= set(found.objects.tolist())
    for name in space.modalities:
        contract = space.encoders[name].contract
        images = found.read(contract.streams[0], contract.phase, [0, 1, 2])
        reference = (
            None if contract.reference is None else found.read(contract.streams[0], "before", [0, 1, 2])
        )
        np.testing.assert_allclose(np.linalg.norm(space.embed(name, images, reference), axis=1), 1, atol=1e-5)
        # Probes and maps begin with its features, and the grasp predictor with a branch of it.
        encoder = load_encoder(tmp_path / "space" / "encoders" / name)
        assert trial_features(encoder, found, cache=tmp_path / "cache").shape == (len(found), encoder.width)
        assert Branch(encoder=tmp_path / "space" / "encoders" / name).build().frozen
    place = config.relative_to(config.parents[2 + (config.parent.name != "ssl")])
    assert f"fit --config {place} --data.store STORE" in config.read_text()


def test_what_the_model_looks_at_is_what_the_data_module_reads(store: Path, tmp_path: Path) -> None:
    sound = BRANCH | {
        "contract": {"streams": ["sound"], "phase": "during", "reference": None, "size": 28},
        "augmentation": None,
    }
    sight = BRANCH | {"contract": {"size": 40}}
    branches = {"sight": sight, "touch": BRANCH, "sound": sound}
    more = ("--model.init_args.queue_size=16", "--model.init_args.bn_splits=2")
    assert fit(LAPTOP, store, tmp_path / "run", *more, branches=branches) == 0
    export(tmp_path / "run" / LAST, tmp_path / "space")
    space = load_joint(tmp_path / "space")
    assert {name: encoder.contract.size for name, encoder in space.encoders.items()} == {
        "sight": 40,
        "touch": 32,
        "sound": 28,
    }
    assert space.encoders["sound"].contract == InputContract(streams=("sound",), reference=None, size=28)
    assert SIDES["sight"] != 40  # and none of them as it was recorded


def test_a_finished_run_started_again_continues_from_its_own_checkpoint(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(LAPTOP, store, tmp_path / "run") == 0
    assert fit(LAPTOP, store, tmp_path / "run", "--trainer.max_steps=3") == 0
    assert "continuing from" in capsys.readouterr().out
    # Now without the tactile branch's own size: another input is another run.
    assert fit(LAPTOP, store, tmp_path / "run", "--model.init_args.branches.touch.contract.size=28") == 2
    assert "the checkpoint was trained with modalities" in capsys.readouterr().err


def test_an_export_of_the_wrong_kind_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(LAPTOP, store, tmp_path / "run") == 0
    last = str(tmp_path / "run" / LAST)
    assert main(["export", last, str(tmp_path / "space"), "--calibration", "platt"]) == 2
    assert "trained by 'cross_modal', whose export has no --calibration" in capsys.readouterr().err
    assert not (tmp_path / "space").exists()


def test_a_modality_that_the_store_lacks_is_refused_in_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = '--model.init_args.branches.touch.contract.streams=["nose"]'
    assert fit(LAPTOP, store, tmp_path / "run", streams) == 2
    assert "has no nose/during" in capsys.readouterr().err
