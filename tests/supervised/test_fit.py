"""The command that trains a classifier: every shipped configuration, and what their headers say to append."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from classification_helpers import CLASSES, RESNET, TOUCH, pair_store

from visuotactile.cli import main
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.supervised import Classifier, load_classifier
from visuotactile.supervised.module import BEST

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "classification").glob("*.yaml"))
BOTH, LAPTOP = CONFIGS
SMALL = {"backbone": RESNET, "pretrained": False}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pair_store(tmp_path_factory.mktemp("pairs") / "store").path


def command(config: Path, store: Path, root: Path, *more: str) -> list[str]:
    """What `fit` is asked, with networks and images small enough for a test."""
    touch = {"reference": "before", "size": 48, "mean": [0.0] * 3}
    branches = {
        "sight": {**SMALL, "contract": {"size": 32}},
        "touch": {**SMALL, "contract": touch},
    }
    small = root.with_suffix(".json")
    small.write_text(json.dumps({"model": {"init_args": {"branches": branches}}}))
    quiet = ("max_steps=4", "log_every_n_steps=1", "precision=32-true", "accelerator=cpu")
    return [
        f"--config={config}",
        f"--config={small}",
        f"--data.store={store}",
        f"--data.split={store.parent / 'split.json'}",
        "--data.group=object+part/x",
        "--data.batch_size=48",
        *(f"--trainer.{setting}" for setting in quiet),
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        f"--trainer.default_root_dir={root}",
        *more,
    ]


def exported(root: Path) -> Classifier:
    """The classifier that the export command makes of the best epoch."""
    assert main(["export", str(root / BEST), str(root / "classifier")]) == 0
    return load_classifier(root / "classifier")


@pytest.fixture(scope="module")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the laptop's configuration, with pairs held out."""
    root = tmp_path_factory.mktemp("runs") / "laptop"
    assert main(["fit", *command(LAPTOP, store, root, "--data.held_out=0.3")]) == 0
    return root


def test_a_run_logs_and_what_it_leaves_is_exported_and_measured(
    trained: Path, store: Path, tmp_path: Path
) -> None:
    (log,) = trained.glob("logs/*/metrics.csv")
    with open(log, newline="") as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    assert {"loss", "lr", "epoch_loss", "val_loss", "val_accuracy"} <= logged
    network = exported(trained)
    assert set(network.networks()) == {"sight", "touch"}
    assert network.classes == CLASSES
    assert network.meta["data"]["label"] == "object"
    asked = ["classify", str(trained / "classifier"), "--store", str(store)]
    out = ["--split", str(store.parent / "split.json"), "--out", str(tmp_path / "report")]
    assert main([*asked, *out, "--occlude", "sight"]) == 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["accuracy"]["trials"] == 48


def test_the_configuration_of_the_papers_size_runs(store: Path, tmp_path: Path) -> None:
    assert main(["fit", *command(BOTH, store, tmp_path / "run")]) == 0
    assert (tmp_path / "run" / BEST).is_file()
    for config in CONFIGS:
        assert f"fit --config configs/classification/{config.name} --data.store STORE" in config.read_text()


def appended(name: str) -> list[str]:
    """What the header of both.yaml says to append for a variant; a ViT is one small enough for a test."""
    lines = BOTH.read_text().splitlines()
    header = "\n".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    (found,) = re.findall(rf"^{name}: ((?:.*\\\n)*.*)$", header, re.MULTILINE)
    return shlex.split(found.replace("\\\n", " ").replace("vit_base_patch16_224", "test_vit"))


def test_one_modality_alone_and_a_vit_and_attention_and_occlusion_are_arguments(
    store: Path, tmp_path: Path
) -> None:
    networks = {}
    for name in ("sight alone", "touch alone", "ViT-B/16", "attention", "occlusion"):
        root = tmp_path / name.replace("/", "")
        assert main(["fit", *command(LAPTOP, store, root, *appended(name))]) == 0, name
        networks[name] = exported(root)
    assert [*networks["sight alone"].branches] == ["sight"]
    assert [*networks["touch alone"].branches] == ["touch"]
    assert {n.architecture for n in networks["ViT-B/16"].networks().values()} == {"test_vit"}
    assert [n.attention is not None for n in networks.values()] == [False, False, False, True, False]
    (config,) = (tmp_path / "occlusion").glob("logs/*/config.yaml")
    assert "p_occlusion: 1" in config.read_text()
    (config,) = (tmp_path / "sight alone").glob("logs/*/config.yaml")
    assert "p_occlusion" not in config.read_text()


@pytest.mark.parametrize("fine_tune", [False, True])
def test_an_exported_encoder_is_put_in_on_the_command_line(
    fine_tune: bool, store: Path, tmp_path: Path
) -> None:
    encoder = untrained_encoder(RESNET, TOUCH, seed=4)
    save_encoder(tmp_path / "encoder", encoder.backbone, RESNET, TOUCH, {})
    touch = {"contract": None, "encoder": str(tmp_path / "encoder"), "fine_tune": fine_tune}
    branches = f"--model.init_args.branches={json.dumps({'sight': {}, 'touch': touch})}"
    assert main(["fit", *command(LAPTOP, store, tmp_path / "run", branches)]) == 0
    found = exported(tmp_path / "run").networks()["touch"]
    assert found.frozen is not fine_tune
    assert found.origin is not None
    assert found.origin["hash"] == encoder.hash
    same = all(
        torch.equal(value, encoder.backbone.state_dict()[key])
        for key, value in found.backbone.state_dict().items()
    )
    assert same is not fine_tune


def test_validate_measures_the_pairs_that_are_held_out(
    trained: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(LAPTOP, store, trained, "--data.held_out=0.3", f"--ckpt_path={trained / BEST}")
    assert main(["validate", *asked]) == 0
    assert "val_accuracy" in capsys.readouterr().out


def test_options_for_another_kind_of_checkpoint_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["export", str(trained / BEST), str(tmp_path / "classifier")]
    assert main([*asked, "--onnx"]) == 2
    assert "trained by 'classifier', whose export has no --onnx" in capsys.readouterr().err
    assert main([*asked, "--calibration", "platt"]) == 2
    assert "whose export has no --calibration" in capsys.readouterr().err
    assert not (tmp_path / "classifier").exists()
