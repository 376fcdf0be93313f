"""A run's folder belongs to one configuration and one store, and to one `fit` at a time."""

from __future__ import annotations

import csv
import errno
import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from shipped_configs import CONFIGS, one_encoder
from ssl_helpers import noise_store

from visuotactile.cli import main
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.training.folder import LAST, LOCK, RECORD

MOCO = CONFIGS / "moco.yaml"
Fit = Callable[..., int]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores and a split of the first, `other` a copy of it, and the folder `run` of two epochs."""
    folder = tmp_path_factory.mktemp("work")
    split = make_split(noise_store(folder / "store"), "object:4")
    split.save(folder / "split.json")
    noise_store(folder / "more", trials=14)
    shutil.copytree(folder / "store", folder / "moved")
    assert main(arguments(folder, folder / "run")) == 0
    return folder


def arguments(work: Path, root: Path, *more: str) -> list[str]:
    """Fold 0 of the split for two epochs, unless `more` says otherwise."""
    settings = (
        "--trainer.max_epochs=2",
        "--trainer.precision=32-true",
        "--trainer.limit_val_batches=0",
        "--model.init_args.bn_splits=1",
        f"--data.split={work / 'split.json'}",
    )
    return one_encoder(MOCO, work / "store", root, *settings, *more)


@pytest.fixture
def fit(work: Path, tmp_path: Path) -> Fit:
    """`fit` with changed settings into a copy of the run, of which it must not change the checkpoint."""
    shutil.copytree(work / "run", tmp_path / "run")
    return lambda *more: main(arguments(work, tmp_path / "run", *more))


CHANGES = {
    "model.temperature 0.07 → 0.2": "--model.init_args.temperature=0.2",
    "model.optimizer.lr 0.01 → 0.3": "--model.init_args.optimizer.lr=0.3",
    "data.batch_size 16 → 8": "--data.batch_size=8",
    "data.fold 0 → 1": "--data.fold=1",
    "data.recording trial → object": "--data.recording=object",
    "trainer.accumulate_grad_batches 1 → 2": "--trainer.accumulate_grad_batches=2",
    "trainer.precision 32-true → bf16-mixed": "--trainer.precision=bf16-mixed",
    "trainer.limit_train_batches 1.0 → 1 batches": "--trainer.limit_train_batches=1",
    "trainer.gradient_clip_val null → 1.0": "--trainer.gradient_clip_val=1.0",
    "seed_everything 0 → 3": "--seed_everything=3",
}


@pytest.mark.parametrize("place", ["in the folder", "named"])
@pytest.mark.parametrize(("message", "change"), CHANGES.items())
def test_a_run_of_other_settings_is_refused_by_name(
    message: str,
    change: str,
    place: str,
    fit: Fit,
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [f"--ckpt_path={work / 'run' / LAST}"] if place == "named" else []
    if named:
        shutil.rmtree(tmp_path / "run")
    assert fit("--trainer.max_epochs=4", change, *named) == 2
    error = capsys.readouterr().err
    assert f"is of a run with other settings: {message}; continue with the old ones, or give" in error
    if not named:
        assert (tmp_path / "run" / LAST).read_bytes() == (work / "run" / LAST).read_bytes()
        assert (tmp_path / "run" / RECORD).read_bytes() == (work / "run" / RECORD).read_bytes()


def test_another_augmentation_or_store_or_split_is_refused_by_name(
    fit: Fit, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "changed.json"
    crops = {"class_path": "visuotactile.views.ContrastiveAugmentation", "init_args": {"p_gray": 0.9}}
    changed.write_text(json.dumps({"model": {"init_args": {"branch": {"augmentation": crops}}}}))
    assert fit(f"--config={changed}") == 2
    assert "model.branch.augmentation" in capsys.readouterr().err
    make_split(Store(work / "more"), "object:4").save(tmp_path / "more.json")
    assert fit(f"--data.store={work / 'more'}", f"--data.split={tmp_path / 'more.json'}") == 2
    assert "other settings: data.store fingerprint" in capsys.readouterr().err
    make_split(Store(work / "store"), "object:4", seed=5).save(tmp_path / "seed.json")
    assert fit(f"--data.split={tmp_path / 'seed.json'}") == 2
    assert "other settings: data.split hash" in capsys.readouterr().err


def test_what_changes_no_result_and_a_moved_store_are_another_runs_as_well(
    fit: Fit, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = (
        "--data.resident=disk",
        "--data.workers=1",
        "--trainer.log_every_n_steps=2",
        "--trainer.callbacks=stopping.Watch",
    )
    assert fit(*more, f"--data.store={work / 'moved'}") == 0
    found = capsys.readouterr().out
    assert f"{LAST}, at step " in found
    assert "max_epochs" not in found


def test_a_longer_run_says_so_and_logs_the_rate_of_its_new_length(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = torch.load(tmp_path / "run" / LAST, weights_only=True)["global_step"]
    assert fit("--trainer.max_epochs=4") == 0
    assert (
        "max_epochs 2 → 4; the learning rate follows the schedule of the new length"
        in capsys.readouterr().out
    )
    with open(tmp_path / "run" / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [str(step) for step in range(2 * done)], "one file, no step twice"
    rates = [float(row["lr"]) for row in rows[done:]]
    assert rates[0] == pytest.approx(0.005, rel=1e-3)  # half a period of the cosine is over
    assert sorted(rates, reverse=True) == rates


def test_a_checkpoint_that_tells_no_settings_is_refused(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(tmp_path / "run" / LAST, weights_only=True)
    del content["visuotactile settings"]
    torch.save(content, tmp_path / "run" / LAST)
    assert fit() == 2
    assert "last.ckpt does not tell the settings of its run" in capsys.readouterr().err


def test_a_folder_whose_run_never_saved_anything_is_free(work: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    assert main(arguments(work, root, "--data.batch_size=5000")) == 2  # more than there are
    assert main(arguments(work, root, "--trainer.max_epochs=1")) == 0


def test_a_second_fit_in_a_folder_is_told_so_and_leftovers_of_saves_are_swept(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = (tmp_path / "run" / LAST).with_name(".last.ckpt.x1.part")
    part.write_bytes(b"half")
    with open(tmp_path / "run" / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert fit() == 2
        assert f"another fit is training in {tmp_path / 'run'}; wait for it" in capsys.readouterr().err
        assert part.exists()
    assert fit() == 0
    assert not part.exists()


def test_a_folder_that_cannot_be_written_to_is_named(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(arguments(work, tmp_path / "file" / "run")) == 2
    assert "cannot be written to (Not a directory); give another --trainer" in capsys.readouterr().err


def test_a_file_system_without_locks_is_named_and_used(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert fit() == 0
    assert "cannot be locked; take care that no other" in capsys.readouterr().out
