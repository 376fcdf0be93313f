"""From the authors' recordings to a predictor of two outcomes, by the shipped configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from predictor_helpers import RESNET
from scipy.io import wavfile

from visuotactile.cli import main
from visuotactile.configs import FOLDER
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.search import FactoredSearch
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.training.folder import LAST

CONFIGS = sorted(FOLDER.glob("**/gentle_predictor.yaml"))
GRASPS = 12


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grasps of noise in the authors' layout."""
    root = tmp_path_factory.mktemp("gentle")
    rng = np.random.default_rng(0)
    for number in range(GRASPS):
        folder = root / "collected_data" / f"data_2024_05_17_10{number:02d}00"
        folder.mkdir(parents=True)
        for moment in (0, 1, 12, 2, 3):
            for name in ("camera_rgb", "touch_thumb", "touch_middle"):
                pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}_{moment}.png")
        hand = np.array([-0.5, 1, 0, 0, -0.25, 1.6, 0.1, 0, 0, 1, 0, 0, 1.45, 0.1, 0.35, 0])
        for name in ("action0_hand", "action1_hand", "hand_obs_before", "hand_obs_after"):
            np.save(folder / f"{name}.npy", hand)
        np.save(folder / "action1_regrasp_pose.npy", rng.uniform(-10, 10, 4))
        for name in ("labels", "labels_supervised"):
            np.save(folder / f"{name}.npy", [number % 2, number // 2 % 2])
        wavfile.write(folder / "record_s2.wav", 44_100, np.zeros((132_096, 2), np.int16))
    return root


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.parent.name)
def test_the_authors_recordings_become_a_planner_of_stable_and_gentle_grasps(
    recordings: Path, config: Path, tmp_path: Path
) -> None:
    store, root = recordings / "store", tmp_path / "run"
    if not store.exists():
        assert main(["convert", "gentle-grasping", str(recordings), str(store), "--no-progress"]) == 0
    small = {"backbone": RESNET, "pretrained": False, "contract": {"size": 32}}
    names = ("camera", "touch") if config.parent.name == "laptop" else ("camera", "thumb", "middle")
    changes: dict[str, Any] = {"model": {"init_args": {"branches": dict.fromkeys(names, small), "width": 32}}}
    (tmp_path / "small.json").write_text(json.dumps(changes))
    steps = ("max_steps=4", "val_check_interval=2", "check_val_every_n_epoch=null", "log_every_n_steps=1")
    quiet = ("accelerator=cpu", "enable_progress_bar=false", "enable_model_summary=false")
    settings = (*steps, *quiet, "precision=32-true", f"default_root_dir={root}")
    files = (f"--config={config}", f"--config={tmp_path / 'small.json'}", f"--data.store={store}")
    assert main(["fit", *files, *(f"--trainer.{each}" for each in settings)]) == 0
    assert main(["export", str(root / LAST), str(tmp_path / "predictor")]) == 0
    predictor = load_predictor(tmp_path / "predictor")
    assert predictor.outcomes == ("stable", "gentle")
    assert (predictor.separate, predictor.dropout) == (True, 0.25)
    assert not any(name.startswith("sound") for name in predictor.inputs)
    assert predictor.meta["calibration"]["objects"] == 1  # of 12 grasps, with all its three pairs
    assert predictor.meta["calibration"]["examples"] == [3, 3]
    seen = {name: torch.randint(256, (1, 12, 12, 3), dtype=torch.uint8) for name in predictor.images}
    decision = Planner(predictor, FactoredSearch(8, 6)).decide(seen, torch.Generator().manual_seed(0))
    assert decision.probabilities.shape == (1, 2)
    assert len(decision.candidates.space.hand) == 5
