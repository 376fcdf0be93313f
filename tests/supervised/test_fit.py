"""The command that trains a classifier, and what the header of its configuration says to append."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from classification_helpers import CLASSES, RESNET, TOUCH
from shipped_configs import CONFIGS, ShippedRuns, classification

from visuotactile.cli import main
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.supervised import Classifier, load_classifier
from visuotactile.training.folder import BEST

BOTH, LAPTOP = CONFIGS / "classifier.yaml", CONFIGS / "laptop" / "classifier.yaml"


def exported(root: Path, folder: Path) -> Classifier:
    """The classifier that the export command makes of the best epoch."""
    assert main(["export", str(root / BEST), str(folder)]) == 0
    return load_classifier(folder)


def test_what_a_run_leaves_is_exported_and_measured(shipped: ShippedRuns, tmp_path: Path) -> None:
    trained, store = shipped(LAPTOP), shipped.classes
    network = exported(trained, tmp_path / "classifier")
    assert set(network.networks()) == {"sight", "touch"}
    assert network.classes == CLASSES
    assert network.meta["data"]["label"] == "object"
    asked = ["classify", str(tmp_path / "classifier"), "--store", str(store)]
    out = ["--split", str(store.parent / "split.json"), "--out", str(tmp_path / "report")]
    assert main([*asked, *out, "--occlude", "sight"]) == 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["accuracy"]["trials"] == 48


def appended(name: str) -> list[str]:
    """Options that the header of both.yaml appends for a variant, with a ViT small enough for a test."""
    lines = BOTH.read_text().splitlines()
    header = "\n".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    (found,) = re.findall(rf"^{name}: ((?:.*\\\n)*.*)$", header, re.MULTILINE)
    return shlex.split(found.replace("\\\n", " ").replace("vit_base_patch16_224", "test_vit"))


def test_one_modality_alone_and_a_vit_and_attention_and_occlusion_are_arguments(
    shipped: ShippedRuns, tmp_path: Path
) -> None:
    networks = {}
    for name in ("sight alone", "touch alone", "ViT-B/16", "attention", "occlusion"):
        root = tmp_path / name.replace("/", "")
        assert main(classification(LAPTOP, shipped.classes, root, *appended(name))) == 0, name
        networks[name] = exported(root, root / "classifier")
    assert [*networks["sight alone"].branches] == ["sight"]
    assert [*networks["touch alone"].branches] == ["touch"]
    assert {n.architecture for n in networks["ViT-B/16"].networks().values()} == {"test_vit"}
    assert [n.attention is not None for n in networks.values()] == [False, False, False, True, False]
    assert "p_occlusion: 1" in (tmp_path / "occlusion" / "config.yaml").read_text()
    assert "p_occlusion" not in (tmp_path / "sight alone" / "config.yaml").read_text()


@pytest.mark.parametrize("fine_tune", [False, True])
def test_an_exported_encoder_is_put_in_on_the_command_line(
    fine_tune: bool, shipped: ShippedRuns, tmp_path: Path
) -> None:
    encoder = untrained_encoder(RESNET, TOUCH, seed=4)
    save_encoder(tmp_path / "encoder", encoder.backbone, RESNET, TOUCH, {})
    touch = {"contract": None, "encoder": str(tmp_path / "encoder"), "fine_tune": fine_tune}
    branches = f"--model.init_args.branches={json.dumps({'sight': {}, 'touch': touch})}"
    assert main(classification(LAPTOP, shipped.classes, tmp_path / "run", branches)) == 0
    found = exported(tmp_path / "run", tmp_path / "classifier").networks()["touch"]
    assert found.frozen is not fine_tune
    assert found.origin is not None
    assert found.origin["hash"] == encoder.hash
    same = all(
        torch.equal(value, encoder.backbone.state_dict()[key])
        for key, value in found.backbone.state_dict().items()
    )
    assert same is not fine_tune


def test_validate_measures_the_pairs_that_are_held_out(
    shipped: ShippedRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = f"--ckpt_path={shipped(LAPTOP) / BEST}"
    _, *argv = classification(LAPTOP, shipped.classes, tmp_path / "run", "--data.held_out=0.3", best)
    assert main(["validate", *argv]) == 0
    assert "val_accuracy" in capsys.readouterr().out


def test_options_for_another_kind_of_checkpoint_are_refused(
    shipped: ShippedRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["export", str(shipped(LAPTOP) / BEST), str(tmp_path / "classifier")]
    assert main([*asked, "--onnx"]) == 2
    assert "trained by 'classifier', whose export has no --onnx" in capsys.readouterr().err
    assert main([*asked, "--calibration", "platt"]) == 2
    assert "whose export has no --calibration" in capsys.readouterr().err
    assert not (tmp_path / "classifier").exists()
