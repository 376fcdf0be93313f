"""The command that researchers run: every shipped configuration, kills, two processes, clear errors."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from ssl_helpers import CONVNEXT, RESNET, noise_store

from visuotactile.cli import main
from visuotactile.training.fit import LAST

CONFIGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs" / "ssl").glob("**/*.yaml")
    if not path.stem.startswith("cross_modal")  # test_cross_modal_fit.py runs them
)
SMALL = [
    "--model.init_args.branch.contract.size=32",
    "--data.batch_size=16",
    "--data.resident=memory",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 samples on both sensors, 36 on one."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store").path


def arguments(config: Path, store: Path, root: Path, *more: str, backbone: str = RESNET) -> list[str]:
    return [
        "fit",
        f"--config={config}",
        f"--data.store={store}",
        f"--trainer.default_root_dir={root}",
        f"--model.init_args.branch.backbone={backbone}",
        *SMALL,
        *more,
    ]


def final_weights(root: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(root / LAST, weights_only=True)["state_dict"]
    return weights


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_configuration_runs_and_logs(config: Path, store: Path, tmp_path: Path) -> None:
    more = ("--data.label=success", "--trainer.max_epochs=2", "--trainer.log_every_n_steps=1")
    assert main(arguments(config, store, tmp_path, *more)) == 0
    assert (tmp_path / LAST).exists()
    (log,) = tmp_path.glob("logs/*/metrics.csv")
    with open(log, newline="") as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    assert {"loss", "lr", "feature_spread", "effective_rank", "val_knn_balanced_accuracy"} <= logged
    assert (
        f"fit --config {config.relative_to(config.parents[2 + (config.parent.name != 'ssl')])}"
        in config.read_text()
    )
    if config.stem == "autoencoder":
        assert len(list((tmp_path / "reconstructions").glob("*.png"))) == 2


def test_a_killed_fit_run_again_ends_where_an_uninterrupted_one_does(store: Path, tmp_path: Path) -> None:
    def command(root: Path) -> list[str]:
        more = ("--trainer.max_epochs=12", "--model.init_args.bn_splits=2")
        fit = arguments(CONFIGS[0].parent / "moco.yaml", store, root, *more)
        return [sys.executable, "-m", "visuotactile", *fit]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command(tmp_path / "whole"), check=True, env=environment, capture_output=True)
    root, rng, kills = tmp_path / "killed", random.Random(0), 0
    while True:
        process = subprocess.Popen(
            command(root), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = _stamp(root)
        while process.poll() is None and _stamp(root) == before:
            time.sleep(0.01)  # kill only after progress, or slow machines would never arrive
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None and kills < 4:
            process.kill()
            kills += 1
        assert process.wait() in (0, -9)
        final_weights(root)  # whatever the moment, the last checkpoint is whole
        if process.returncode == 0:
            break
    assert kills > 0
    whole, killed = final_weights(tmp_path / "whole"), final_weights(root)
    assert [key for key in whole if not torch.equal(whole[key], killed[key])] == []


def _stamp(root: Path) -> int:
    last = root / LAST
    return last.stat().st_mtime_ns if last.exists() else 0


def test_a_fit_that_is_told_to_terminate_saves_and_does_not_look_finished(
    store: Path, tmp_path: Path
) -> None:
    config = CONFIGS[0].parent / "autoencoder.yaml"
    command = [sys.executable, "-m", "visuotactile"]
    command += arguments(config, store, tmp_path, "--trainer.max_epochs=100000")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not _stamp(tmp_path):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 130
    final_weights(tmp_path)


def test_a_wandb_run_is_offline_for_who_has_not_logged_in_and_holds_the_reconstructions(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody's login
    config = CONFIGS[0].parent / "autoencoder.yaml"
    wandb = ("--trainer.logger=WandbLogger", f"--trainer.logger.save_dir={tmp_path}")
    assert main(arguments(config, store, tmp_path, *wandb, "--trainer.max_epochs=1")) == 0
    assert list(tmp_path.glob("wandb/offline-run-*/files/media/images/reconstructions*.png"))


def test_a_finished_run_started_again_changes_nothing(store: Path, tmp_path: Path) -> None:
    command = arguments(CONFIGS[0].parent / "autoencoder.yaml", store, tmp_path, "--trainer.max_epochs=1")
    assert main(command) == 0
    first = final_weights(tmp_path)
    assert main(command) == 0
    second = final_weights(tmp_path)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_two_processes_under_lightning_equal_one_on_the_joined_batch(store: Path, tmp_path: Path) -> None:
    """Through the command line: sampler, views, gradient averaging and queue, not only the loss."""
    config = CONFIGS[0].parent / "moco.yaml"

    def fit(root: Path, *more: str) -> dict[str, torch.Tensor]:
        settings = (
            "--trainer.max_epochs=2",
            "--model.init_args.bn_splits=1",
            "--trainer.limit_val_batches=0",
            "--trainer.precision=32-true",
        )
        command = arguments(config, store, root, *settings, *more, backbone=CONVNEXT)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "visuotactile", *command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return final_weights(root)

    alone = fit(tmp_path / "alone", "--data.batch_size=8")
    ddp = ("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=4")
    together = fit(tmp_path / "together", *ddp)
    assert alone["queue.recordings"].max() >= 0
    for key, value in alone.items():
        torch.testing.assert_close(
            together[key], value, atol=2e-4, rtol=2e-3, msg=lambda m, key=key: f"{key}: {m}"
        )


def test_a_damaged_last_checkpoint_is_named(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAST).parent.mkdir()
    (tmp_path / LAST).write_bytes(b"PK half of it")
    assert main(arguments(CONFIGS[0].parent / "moco.yaml", store, tmp_path)) == 2
    assert "last.ckpt is not a readable checkpoint" in capsys.readouterr().err


def test_a_model_that_asks_for_after_frames_is_refused_in_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CONFIGS[0].parent / "moco.yaml"
    assert main([*arguments(config, store, tmp_path), "--model.init_args.branch.contract.phase=after"]) == 2
    assert capsys.readouterr().err.endswith("use one of before, during, lift instead\n")
