"""The command that trains a predictor: every shipped configuration, and the rows of the paper's Table I."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from predictor_helpers import RESNET, actions, grasp_store, observe

from visuotactile.cli import main
from visuotactile.configs import FOLDER
from visuotactile.datasets.splits import make_split
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.grasp.predictor.module import PredictorModule
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint
from visuotactile.training.folder import LAST
from visuotactile.training.metrics import METRICS

CONFIGS = sorted(FOLDER.glob("**/predictor.yaml"))
LAPTOP = next(path for path in CONFIGS if path.parent.name == "laptop")
SMALL = {"backbone": RESNET, "pretrained": False, "contract": {"size": 32}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grasps, with a split by object beside them."""
    root = tmp_path_factory.mktemp("grasps")
    make_split(grasp_store(root / "store", trials=96), "object:3").save(root / "split.json")
    return root / "store"


def fit(config: Path, store: Path, root: Path, *more: str) -> int:
    """Run the command with networks and images small enough for a test."""
    changes = {"model": {"init_args": {"branches": {"camera": SMALL, "touch": SMALL}, "width": 32}}}
    small = root.with_suffix(".json")
    small.write_text(json.dumps(changes))
    steps = ("max_steps=4", "val_check_interval=2", "log_every_n_steps=1", "precision=32-true")
    quiet = ("accelerator=cpu", "enable_progress_bar=false", "enable_model_summary=false")
    return main(
        [
            "fit",
            f"--config={config}",
            f"--config={small}",
            f"--data.store={store}",
            f"--data.split={store.parent / 'split.json'}",
            f"--trainer.default_root_dir={root}",
            *(f"--trainer.{setting}" for setting in (*steps, *quiet)),
            *more,
        ]
    )


def exported(root: Path) -> Predictor:
    """The predictor that the export command makes of the run."""
    assert main(["export", str(root / LAST), str(root / "predictor")]) == 0
    return load_predictor(root / "predictor")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_configuration_runs_logs_and_exports(config: Path, store: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    assert fit(config, store, root) == 0
    with open(root / METRICS, newline="") as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    measures = {"accuracy", "balanced_accuracy", "brier", "calibration_error"}
    assert {"loss", "lr", "val_loss", *(f"val_success_{name}" for name in measures)} <= logged
    network = exported(root)
    assert set(network.networks()) == {"camera", "touch"}
    assert network.meta["calibration"]["method"] == "platt"
    scores = network.score(network.encode(observe(2)), actions(2, 7))
    assert scores.shape == (2, 7, 1)
    name = config.relative_to(FOLDER).with_suffix("")
    assert f"fit --config {name} --data.store STORE" in config.read_text()


@pytest.mark.parametrize(
    ("kept", "needed"),
    [("camera", {"rgb/during"}), ("touch", {"tactile_left/during", "tactile_right/before"})],
)
def test_a_modality_is_left_out_on_the_command_line(
    kept: str, needed: set[str], store: Path, tmp_path: Path
) -> None:
    branches = f'--model.init_args.branches={{"{kept}": {{}}}}'
    assert fit(LAPTOP, store, tmp_path / "run", branches) == 0
    network = exported(tmp_path / "run")
    assert set(network.networks()) == {kept}
    assert needed <= set(network.networks()[kept].keys)


def test_the_action_is_left_out_on_the_command_line(store: Path, tmp_path: Path) -> None:
    assert fit(LAPTOP, store, tmp_path / "run", "--model.init_args.action=false") == 0
    network = exported(tmp_path / "run")
    scores = network.score(network.encode(observe(1)), actions(1, 7))
    assert torch.equal(scores, scores[:, :1].expand(1, 7, 1))


def test_a_frozen_encoder_is_put_in_on_the_command_line(store: Path, tmp_path: Path) -> None:
    contract = InputContract(streams=("tactile_left", "tactile_right"), size=40)
    encoder = untrained_encoder(RESNET, contract, seed=4)
    save_encoder(tmp_path / "encoder", encoder.backbone, RESNET, contract, {})
    touch = {"contract": None, "encoder": str(tmp_path / "encoder")}
    branches = f"--model.init_args.branches={json.dumps({'camera': {}, 'touch': touch})}"
    assert fit(LAPTOP, store, tmp_path / "run", branches) == 0
    found = exported(tmp_path / "run").networks()["touch"]
    assert found.frozen
    assert found.contract.size == 40
    assert found.description()["origin"]["hash"] == encoder.hash


def test_an_input_that_comes_after_the_action_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for phase in ("lift", "after"):
        found = fit(
            LAPTOP, store, tmp_path / "run", f"--model.init_args.branches.touch.contract.phase={phase}"
        )
        assert found == 2
        assert f"error: phase '{phase}'" in capsys.readouterr().err


def test_a_run_stopped_in_its_last_validation_is_validated_when_it_is_run_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "run"
    finish = PredictorModule.on_validation_epoch_end

    def stops(module: PredictorModule) -> None:
        if module.global_step == 4:
            raise RuntimeError("stopped")
        finish(module)

    monkeypatch.setattr(PredictorModule, "on_validation_epoch_end", stops)
    with pytest.raises(RuntimeError, match="stopped"):
        fit(LAPTOP, store, root)
    monkeypatch.undo()
    stopped = read_checkpoint(root / LAST)
    assert stopped["global_step"] == 4
    assert stopped[CHECKPOINT_KEY]["validated"]["step"] == 2
    assert fit(LAPTOP, store, root) == 0
    assert exported(root).meta["step"] == 4


def test_where_the_object_stands_is_added_on_the_command_line(store: Path, tmp_path: Path) -> None:
    assert fit(LAPTOP, store, tmp_path / "run", "--model.init_args.vectors=[pose,cylinder]") == 0
    network = exported(tmp_path / "run")
    assert [vector.name for vector in network.vectors] == ["pose", "cylinder"]
    assert network.meta["calibration"]["examples"][0] > 0
