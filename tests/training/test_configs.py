"""Every shipped configuration runs, logs and exports, and its header names the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from shipped_configs import CONFIGS, ShippedRuns, logged
from training_methods import METHODS

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.encoders.frozen import load_encoder
from visuotactile.training.folder import BEST, LAST

SHIPPED = sorted(path for path in CONFIGS.glob("**/*.yaml") if not path.stem.endswith("predictor"))
"""Those of grasping are in tests/grasp/predictor."""


def method(config: Path) -> str:
    """Name of its method in `METHODS`."""
    if config.stem == "classifier":
        return "classifier"
    return "cross_modal" if config.stem.startswith("cross_modal") else config.stem


def test_there_is_a_configuration_of_every_method() -> None:
    elsewhere = {"cross_modal_intra", "cross_modal_queue", "predictor"}
    assert {method(config) for config in SHIPPED} == set(METHODS) - elsewhere


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_configuration_runs_logs_and_exports(
    config: Path, shipped: ShippedRuns, tmp_path: Path
) -> None:
    root = shipped(config)
    assert METHODS[method(config)].logged <= logged(root)
    assert (root / BEST).exists() == (method(config) == "classifier")
    if method(config) == "autoencoder":
        assert len(list((root / "reconstructions").glob("*.png"))) == 2
    assert main(["export", str(root / LAST), str(tmp_path / "exported")]) == 0
    (description,) = (tmp_path / "exported").glob("*.json")
    assert json.loads(description.read_text())["format"]
    name = config.relative_to(CONFIGS).with_suffix("").as_posix()
    assert f"fit --config {name} --data.store STORE" in config.read_text()


def test_a_run_takes_the_numbers_of_its_store_and_its_encoder_keeps_them(
    shipped: ShippedRuns, tmp_path: Path
) -> None:
    config = CONFIGS / "laptop" / "moco.yaml"
    assert "normalisation: store" in config.read_text()
    root = shipped(config)
    assert main(["export", str(root / LAST), str(tmp_path / "encoder")]) == 0
    contract = load_encoder(tmp_path / "encoder").contract
    asked = dataclasses.replace(contract, normalisation="store", mean=(), std=())
    assert contract == asked.measured(Store(shipped.noise).statistics)
    assert abs(contract.std[0] - 0.4) < 0.1, "noise, less noise"
