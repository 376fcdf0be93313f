"""A run of an experiment: made once, kept, never mistaken for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rounds_helpers import write_config
from ssl_helpers import noise_store

from visuotactile.configs import find
from visuotactile.encoders import load_encoder
from visuotactile.errors import DataError, UsageError
from visuotactile.files import read_json
from visuotactile.training.folder import LAST
from visuotactile.training.runs import Run, fit

MOCO = find("laptop/moco")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One epoch of MoCo on noise."""
    work = tmp_path_factory.mktemp("runs")
    return Run(
        folder=work / "moco",
        config=MOCO,
        changes={
            "model.init_args.branch.backbone": "test_resnet",
            "model.init_args.branch.contract.size": 32,
            "model.init_args.bn_splits": 2,
            "model.init_args.queue_size": 16,
            "data.init_args.store": str(noise_store(work / "store").path),
            "data.init_args.image_size": 36,
            "data.init_args.batch_size": 4,
            "trainer.max_epochs": 1,
            "trainer.log_every_n_steps": 1,
        },
    )


def test_a_run_is_trained_exported_and_afterwards_kept(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    encoder = load_encoder(fit(run))
    assert encoder.contract.size == 32
    assert (run.folder / LAST).exists()
    assert "training" in capfd.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    assert fit(run) == run.exported
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before
    assert capfd.readouterr().out == ""


def test_a_folder_of_other_settings_is_refused_and_left_alone(run: Run) -> None:
    fit(run)
    before = (run.folder / "config.json").read_bytes()
    with pytest.raises(DataError, match=r"other settings: trainer\.max_epochs 1 → 2; remove"):
        fit(replace(run, changes={**run.changes, "trainer.max_epochs": 2}))
    assert (run.folder / "config.json").read_bytes() == before


def test_what_failed_says_where_to_look_and_is_not_exported(run: Run, tmp_path: Path) -> None:
    broken = replace(
        run,
        folder=tmp_path / "broken",
        changes={**run.changes, "data.init_args.store": str(tmp_path / "none")},
    )
    with pytest.raises(DataError, match=r"the training of .*broken failed; .*fit\.log says why"):
        fit(broken)
    assert str(tmp_path / "none") in (broken.folder / "fit.log").read_text()
    assert not broken.exported.exists()


def test_the_configuration_has_the_changes_and_only_the_branches_asked_for(tmp_path: Path) -> None:
    config = write_config(tmp_path / "both.yaml")
    frozen = {"encoder": "runs/moco/exported"}
    run = Run(
        folder=tmp_path / "run",
        config=config,
        changes={"trainer.max_steps": 7, "model.init_args.optimizer.drops": (3, 5)},
        branches={"camera": {}, "touch": frozen},
    )
    found, given = run.configuration(), read_json(config, DataError)
    branches = found["model"]["init_args"]["branches"]
    assert branches == {"camera": given["model"]["init_args"]["branches"]["camera"], "touch": frozen}
    assert found["trainer"]["max_steps"] == 7
    assert found["model"]["init_args"]["optimizer"] == {"drops": [3, 5]}
    assert found["trainer"]["default_root_dir"] == str(tmp_path / "run")
    assert found["data"] == given["data"]
    only = replace(run, branches={"camera": {}}).configuration()
    assert list(only["model"]["init_args"]["branches"]) == ["camera"]
    with pytest.raises(DataError, match=r"has no branch 'sound'; it has camera, touch"):
        replace(run, branches={"sound": {}}).configuration()


@pytest.mark.parametrize("text", ["model: [", "just words"])
def test_a_configuration_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.yaml"
    with pytest.raises(UsageError, match=r"config\.yaml does not exist, and no shipped configuration"):
        Run(folder=tmp_path / "run", config=config).configuration()
    config.write_text(text)
    with pytest.raises(DataError, match=r"config\.yaml cannot be read as a configuration"):
        Run(folder=tmp_path / "run", config=config).configuration()
