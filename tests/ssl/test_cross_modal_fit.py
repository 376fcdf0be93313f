"""Cross-modal pretraining from the command line, and what the other commands make of its export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cross_modal_helpers import SIDES
from shipped_configs import CONFIGS, MODALITY, ShippedRuns, cross_modal

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.encoders import load_encoder, load_joint
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.probes.features import trial_features
from visuotactile.training.export import export
from visuotactile.training.folder import LAST

SHIPPED = sorted(CONFIGS.glob("**/cross_modal*.yaml"))
LAPTOP = CONFIGS / "laptop" / "cross_modal.yaml"


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_other_commands_take_what_is_exported(config: Path, shipped: ShippedRuns, tmp_path: Path) -> None:
    export(shipped(config) / LAST, tmp_path / "space")
    space, found = load_joint(tmp_path / "space"), Store(shipped.pairs)
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


def test_what_the_model_looks_at_is_what_the_data_module_reads(shipped: ShippedRuns, tmp_path: Path) -> None:
    sound = MODALITY | {
        "contract": {"streams": ["sound"], "phase": "during", "reference": None, "size": 28},
        "augmentation": None,
    }
    sight = MODALITY | {"contract": {"size": 40}}
    branches = {"sight": sight, "touch": MODALITY, "sound": sound}
    more = ("--model.init_args.queue_size=16", "--model.init_args.bn_splits=2")
    assert main(cross_modal(LAPTOP, shipped.pairs, tmp_path / "run", *more, branches=branches)) == 0
    export(tmp_path / "run" / LAST, tmp_path / "space")
    space = load_joint(tmp_path / "space")
    assert {name: encoder.contract.size for name, encoder in space.encoders.items()} == {
        "sight": 40,
        "touch": 32,
        "sound": 28,
    }
    assert space.encoders["sound"].contract == InputContract(streams=("sound",), reference=None, size=28)
    assert SIDES["sight"] != 40  # and none of them as it was recorded


def test_a_run_does_not_go_on_with_another_input(
    shipped: ShippedRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shipped(LAPTOP)
    smaller = "--model.init_args.branches.touch.contract.size=28"
    assert main(cross_modal(LAPTOP, shipped.pairs, root, smaller)) == 2
    assert "model.branches.touch.contract.size 32 → 28; continue" in capsys.readouterr().err


def test_a_modality_that_the_store_lacks_is_refused_in_one_sentence(
    shipped: ShippedRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = '--model.init_args.branches.touch.contract.streams=["nose"]'
    assert main(cross_modal(LAPTOP, shipped.pairs, tmp_path / "run", streams)) == 2
    assert "has no nose/during" in capsys.readouterr().err
