"""The command that researchers run: kills, several processes, a second start, clear errors."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from processes import command
from shipped_configs import CONFIGS, one_encoder
from ssl_helpers import CONVNEXT, RESNET, noise_store
from wandb_helpers import config, history, records

from visuotactile.cli import main
from visuotactile.training.folder import LAST

MOCO, AUTOENCODER = CONFIGS / "moco.yaml", CONFIGS / "autoencoder.yaml"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 samples on both sensors, 36 on one."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store").path


def final_weights(root: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(root / LAST, weights_only=True)["state_dict"]
    return weights


def saved_at(root: Path) -> int:
    last = root / LAST
    return last.stat().st_mtime_ns if last.exists() else 0


def test_a_killed_fit_run_again_ends_where_an_uninterrupted_one_does(store: Path, tmp_path: Path) -> None:
    def argv(root: Path) -> list[str]:
        return one_encoder(MOCO, store, root, "--trainer.max_epochs=12", "--model.init_args.bn_splits=2")

    # In a process like those that are killed: the last digit of a sum depends on its process's threads.
    whole_run = command(argv(tmp_path / "whole"))
    whole_run.join()
    assert whole_run.exitcode == 0
    root, rng, kills = tmp_path / "killed", random.Random(0), 0
    while True:
        before = saved_at(root)
        process = command(argv(root))
        while process.is_alive() and saved_at(root) == before:
            time.sleep(0.01)  # kill only after progress, or slow machines would never arrive
        time.sleep(rng.uniform(0, 0.3))
        if process.is_alive() and kills < 4:
            process.kill()
            kills += 1
        process.join()
        assert process.exitcode in (0, -9)
        final_weights(root)  # whatever the moment, the last checkpoint is whole
        if process.exitcode == 0:
            break
    assert kills > 0
    whole, killed = final_weights(tmp_path / "whole"), final_weights(root)
    assert [key for key in whole if not torch.equal(whole[key], killed[key])] == []


def test_a_fit_that_is_told_to_terminate_saves_and_does_not_look_finished(
    store: Path, tmp_path: Path
) -> None:
    process = command(one_encoder(AUTOENCODER, store, tmp_path, "--trainer.max_epochs=100000"))
    while not saved_at(tmp_path):
        assert process.is_alive()
        time.sleep(0.05)
    process.terminate()
    process.join()
    assert process.exitcode == 130
    final_weights(tmp_path)


def test_a_scheduler_that_terminates_every_process_gets_a_checkpoint_and_no_traceback(
    store: Path, tmp_path: Path
) -> None:
    """As SLURM does, with workers that read from disk: they leave the saving to the main process."""
    settings = ("--trainer.max_epochs=100000", "--data.resident=disk", "--data.workers=2")
    with open(tmp_path / "output", "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "visuotactile", *one_encoder(AUTOENCODER, store, tmp_path, *settings)],
            start_new_session=True,
            stdout=output,
            stderr=output,
        )
    while not saved_at(tmp_path):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    final_weights(tmp_path)
    assert "Traceback" not in (tmp_path / "output").read_text()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left


def test_a_run_that_diverges_ends_in_a_sentence_and_leaves_the_last_finite_checkpoint(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--data.batch_size=8", "--model.init_args.bn_splits=2")
    argv = one_encoder(MOCO, store, tmp_path, *few, "--trainer.max_epochs=1")
    assert main(argv) == 0
    good = (tmp_path / LAST).read_bytes()
    capsys.readouterr()
    assert main([*argv, "--trainer.max_epochs=9", "--trainer.callbacks=stopping.Poison"]) == 2
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert "the run diverged: the loss of step" in error
    assert "is nan (last finite loss" in error
    assert "learning rate 0.0" in error
    assert (tmp_path / LAST).read_bytes() == good


def test_two_processes_that_diverge_end_together(store: Path, tmp_path: Path) -> None:
    """Though the loss of only one of them is NaN at first."""
    ddp = ("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=9", "--data.batch_size=8")
    poison = ("--trainer.callbacks=stopping.PoisonOne", "--trainer.precision=32-true")
    argv = one_encoder(AUTOENCODER, store, tmp_path, *ddp, *poison, backbone=CONVNEXT)
    done = subprocess.run(
        [sys.executable, "-m", "visuotactile", *argv],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "the run diverged: the loss of step 1 is nan" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / LAST).exists()


def test_a_finished_run_started_again_changes_nothing_and_goes_on_when_it_is_given_more(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = one_encoder(AUTOENCODER, store, tmp_path, "--trainer.max_epochs=1")
    assert main(argv) == 0
    assert "continuing from" not in capsys.readouterr().out
    first = final_weights(tmp_path)
    assert main(argv) == 0
    assert "continuing from" in capsys.readouterr().out
    second = final_weights(tmp_path)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert main([*argv, "--trainer.max_epochs=2"]) == 0
    third = final_weights(tmp_path)
    assert any(not torch.equal(first[key], third[key]) for key in first)
    # Another input is another run.
    assert main([*argv, "--model.init_args.branch.contract.size=28"]) == 2
    assert "other settings: model.branch.contract.size 32 → 28; continue" in capsys.readouterr().err


def test_two_processes_under_lightning_equal_one_on_the_joined_batch(store: Path, tmp_path: Path) -> None:
    """Through the command line: sampler, views, gradient averaging and queue, not only the loss."""

    def argv(root: Path, *more: str) -> list[str]:
        settings = (
            "--trainer.max_epochs=2",
            "--model.init_args.bn_splits=1",
            "--trainer.limit_val_batches=0",
            "--trainer.precision=32-true",
        )
        return one_encoder(MOCO, store, root, *settings, *more, backbone=CONVNEXT)

    assert main(argv(tmp_path / "alone", "--data.batch_size=8")) == 0
    ddp = ("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=4")
    done = subprocess.run(
        [sys.executable, "-m", "visuotactile", *argv(tmp_path / "together", *ddp)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    alone, together = final_weights(tmp_path / "alone"), final_weights(tmp_path / "together")
    assert alone["queue.recordings"].max() >= 0
    for key, value in alone.items():
        torch.testing.assert_close(
            together[key], value, atol=2e-4, rtol=2e-3, msg=lambda m, key=key: f"{key}: {m}"
        )


def test_a_wandb_run_is_silent_offline_for_who_has_not_logged_in_and_all_in_the_runs_folder(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody's login
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "run"
    argv = one_encoder(AUTOENCODER, store, root, "--trainer.logger=WandbLogger")
    capfd.readouterr()
    assert main([*argv, "--trainer.max_epochs=1"]) == 0
    assert main([*argv, "--trainer.max_epochs=2"]) == 0
    printed = capfd.readouterr()
    assert "wandb:" not in printed.out + printed.err
    assert [each.name for each in tmp_path.iterdir() if each.name[0] != "."] == ["run"]
    held = {each.name for each in root.iterdir()}
    assert {"config.yaml", "metrics.csv", "checkpoints", "run.json", "wandb"} <= held
    assert list(root.glob("wandb/offline-run-*/files/media/images/reconstructions*.png"))
    first, second = sorted(root.glob("wandb/offline-run-*/run-*.wandb"))
    assert first.name == second.name, "a resumed run has the same id"
    assert {record.run.project for record in records(first) if record.run.run_id} == {"visuotactile"}
    assert config(first)["model.branch.backbone"] == RESNET
    assert config(second)["max_epochs"] == 2
    steps = [row["trainer/global_step"] for log in (first, second) for row in history(log) if "loss" in row]
    assert steps == list(range(2 * len(steps) // 2))


def test_validate_measures_the_last_checkpoint_of_the_folder_and_refuses_without_one(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = one_encoder(AUTOENCODER, store, tmp_path, "--trainer.max_epochs=3")
    argv = ["validate", *fit[1:]]
    assert main(argv) == 2
    assert f"there is no {tmp_path / LAST} to validate; name a checkpoint" in capsys.readouterr().err
    assert main(fit) == 0
    with open(tmp_path / "metrics.csv", newline="") as file:
        last = [row for row in csv.DictReader(file) if row["val_effective_rank"]][-1]
    capsys.readouterr()
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert f"validating {tmp_path / LAST}, of step " in out
    assert last["val_effective_rank"][:6] in out
    # Weights, not the run, are measured: other data are allowed.
    assert main([*argv, "--data.batch_size=4", f"--ckpt_path={tmp_path / LAST}"]) == 0


def test_a_damaged_last_checkpoint_is_named(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / LAST).parent.mkdir()
    (tmp_path / LAST).write_bytes(b"PK half of it")
    assert main(one_encoder(MOCO, store, tmp_path)) == 2
    assert "last.ckpt is not a readable checkpoint" in capsys.readouterr().err


def test_a_model_that_asks_for_after_frames_is_refused_in_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(one_encoder(MOCO, store, tmp_path, "--model.init_args.branch.contract.phase=after")) == 2
    assert capsys.readouterr().err.endswith("use one of before, during, lift instead\n")
