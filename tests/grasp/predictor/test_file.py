"""The predictor folder: a whole round trip, and one clear error for whatever does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from predictor_helpers import RESNET, actions, both, grasp_store, observe, predictor

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.grasp.predictor.calibration import Calibration, platt, sigmoid
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.examples import predict
from visuotactile.grasp.predictor.export import export_predictor
from visuotactile.grasp.predictor.file import load_predictor, save_predictor
from visuotactile.grasp.predictor.module import PredictorModule

CALIBRATION = Calibration("platt", (2.0, 0.5), (0.1, -0.3), (90, 60), 5)
META = {"seed": 0, "data": {"training_objects": ["mug"]}}


def encoder_folder(folder: Path, seed: int, architecture: str = RESNET) -> Path:
    contract = InputContract(streams=("tactile_left",), size=32)
    backbone = untrained_encoder(architecture, contract, seed).backbone
    save_encoder(folder, backbone, architecture, contract, {"method": "none", "seed": seed})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor of two outcomes, with a trained camera and frozen touch."""
    root = tmp_path_factory.mktemp("predictor")
    encoder = encoder_folder(root / "encoder", seed=1)
    branches = {
        "camera": both()["camera"],
        "touch": Branch(encoder=encoder, streams=("tactile_left", "tactile_right")),
    }
    network = predictor(branches=branches, outcomes=("success", "gentle"))
    save_predictor(root / "predictor", network, CALIBRATION, META)
    torch.save(scores(network), root / "scores.pt")
    shutil.rmtree(encoder)  # the folder needs nothing else
    return root / "predictor"


@torch.no_grad()
def scores(network: Any) -> torch.Tensor:
    return network.score(network.encode(observe(3)), actions(3, 40))


def test_a_loaded_predictor_gives_the_scores_that_were_saved(folder: Path) -> None:
    network = load_predictor(folder)
    assert torch.equal(scores(network), torch.load(folder.parent / "scores.pt"))
    assert not any(part.training for part in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    assert network.outcomes == ("success", "gentle")
    assert network.meta["data"] == META["data"]
    assert network.meta["calibration"]["slope"] == [2.0, 0.5]
    assert {"python", "torch", "visuotactile"} <= set(network.meta["versions"])


def test_a_frozen_encoder_that_looks_at_the_lift_is_refused(tmp_path: Path) -> None:
    contract = InputContract(streams=("tactile_left",), phase="lift", size=32)
    save_encoder(tmp_path / "lift", untrained_encoder(RESNET, contract, 0).backbone, RESNET, contract, {})
    with pytest.raises(ContractError, match="'lift' comes after the action"):
        predictor(branches={"touch": Branch(encoder=tmp_path / "lift")})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A checkpoint of a run with frozen touch, validated at its end."""
    root = tmp_path_factory.mktemp("run")
    store = grasp_store(root / "store", trials=64)
    encoder = encoder_folder(root / "encoder", seed=1)
    branches = {"camera": both()["camera"], "touch": Branch(encoder=encoder)}
    module = PredictorModule(branches, ["success"], width=48)
    data = GraspData(store.path, module.reads, module.outcomes, held_out=0.5)
    trainer = pl.Trainer(
        max_steps=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        check_val_every_n_epoch=None,
        val_check_interval=2,
    )
    trainer.fit(module, data)
    trainer.save_checkpoint(root / "last.ckpt")
    shutil.rmtree(encoder)
    return root / "last.ckpt", store


def test_an_exported_predictor_is_the_network_that_was_trained_calibrated_on_what_was_held_out(
    trained: tuple[Path, Store], tmp_path: Path
) -> None:
    checkpoint, store = trained
    exported = export_predictor(checkpoint, tmp_path / "predictor")
    held_out = exported.meta["data"]["held_out_objects"]
    assert len(held_out) == 2
    assert not set(held_out) & set(exported.meta["data"]["training_objects"])
    rows = np.flatnonzero(np.isin(store.objects, held_out))
    logits, labels = predict(exported, store, rows)
    slope, intercept = platt(logits[:, 0], labels[:, 0])
    found = exported.meta["calibration"]
    # Probabilities, since after four steps all logits are alike, and rounding moves the slope between them.
    said = sigmoid(found["slope"][0] * logits + found["intercept"][0])
    assert np.allclose(said, sigmoid(slope * logits + intercept), atol=0.01)
    assert np.ptp(said) > 0.05
    assert found["examples"] == [32]
    raw = export_predictor(checkpoint, tmp_path / "raw", calibration="none")
    assert raw.slope.tolist() == [1.0]
    assert np.array_equal(predict(raw, store, rows)[0], logits)


def test_the_export_command_knows_a_predictor_from_an_encoder(
    trained: tuple[Path, Store], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(trained[0]), str(tmp_path / "predictor")]
    assert main([*command, "--onnx"]) == 2
    assert "trained by 'grasp outcome predictor', whose export has no --onnx" in capsys.readouterr().err
    assert main([*command, "--calibration", "temperature"]) == 0
    assert load_predictor(tmp_path / "predictor").meta["calibration"]["method"] == "temperature"


def test_a_checkpoint_that_was_not_validated_where_it_was_saved_is_not_calibrated(
    trained: tuple[Path, Store], tmp_path: Path
) -> None:
    content = torch.load(trained[0], weights_only=True)
    for validated, message in (
        (None, "never"),
        (content["visuotactile"]["validated"] | {"step": 2}, "step 2"),
    ):
        content["visuotactile"]["validated"] = validated
        torch.save(content, tmp_path / "stale.ckpt")
        with pytest.raises(EncoderError, match=f"{message}.*--calibration none"):
            export_predictor(tmp_path / "stale.ckpt", tmp_path / "predictor")
    export_predictor(tmp_path / "stale.ckpt", tmp_path / "predictor", calibration="none")
