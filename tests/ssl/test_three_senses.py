"""Touch, sight and sound in one space, from the recordings to retrieval and a map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visuotactile.cli import main
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import load_joint
from visuotactile.encoders.contract import InputContract
from visuotactile.errors import ContractError
from visuotactile.files import write_json
from visuotactile.maps.run import embedding_map
from visuotactile.retrieval.run import retrieve

RATE, SAMPLES, SIDE, TRIALS = 8_000, 3_000, 32, 72
FRAMES = 1 + SAMPLES // 441


def trial(i: int) -> Trial:
    """One number, told by the redness of sight, the place of an imprint, and the pitch of a tone."""
    rng = np.random.default_rng(i)
    number = rng.uniform()
    sight = rng.integers(0, 40, (SIDE, SIDE, 3), dtype=np.uint8)
    sight[..., 0] += np.uint8(200 * number)
    before = rng.integers(90, 110, (SIDE, SIDE, 3), dtype=np.uint8)
    touch, row = before.copy(), int(number * (SIDE - 6))
    touch[row : row + 6] += np.uint8(100)
    pitch = 300 * 10**number
    tone = 8_000 * np.sin(2 * np.pi * pitch * np.arange(SAMPLES) / RATE) + rng.normal(0, 300, SAMPLES)
    return Trial(
        name=f"trial-{i:03d}",
        streams={
            "rgb": {"during": sight},
            "tactile_thumb": {"before": before, "during": touch},
            "sound": {"during": tone.astype(np.int16)[:, None]},
        },
        object=f"object-{i % 8}",
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_store(
        tmp_path_factory.mktemp("senses") / "store",
        lambda indices: (trial(i) for i in indices),
        dataset="three senses",
        source="",
        settings={},
        names=[f"trial-{i:03d}" for i in range(TRIALS)],
        example=trial(0),
    )


@pytest.fixture(scope="module")
def space(store: Store) -> Path:
    """The joint space that `fit` and `export` make of them."""
    root = store.path.parent
    plain = {"phase": "during", "reference": None, "size": SIDE}
    fixed = {"normalisation": "dataset", "std": [0.3] * 3, "mean": [0.3] * 3}
    heard = {"kind": "sound", "rate": RATE, "microphones": 1, "size": FRAMES}
    heard |= {"normalisation": "dataset", "mean": [-5.0], "std": [5.0]}
    contracts: dict[str, dict[str, Any]] = {
        "sight": plain | fixed | {"streams": ["rgb"]},
        "touch": plain | fixed | {"streams": ["tactile_thumb"], "reference": "before", "mean": [0.0] * 3},
        "sound": plain | heard | {"streams": ["sound"]},
    }
    branches: dict[str, dict[str, Any]] = {
        name: {"backbone": "test_resnet", "contract": contract} for name, contract in contracts.items()
    }
    branches["sound"]["augmentation"] = {
        "class_path": "visuotactile.views.SoundAugmentation",
        "init_args": {"bands": 0.05},
    }
    make_split(store, "random:56/16").save(root / "split.json")
    optimizer = {"name": "adamw", "schedule": "cosine", "lr": 3e-3, "final_lr": 1e-5}
    write_json(
        root / "run.json",
        {
            "model": {
                "class_path": "visuotactile.ssl.CrossModal",
                "init_args": {"branches": branches, "dimension": 16, "optimizer": optimizer},
            },
            "data": {
                "class_path": "visuotactile.datasets.PairedData",
                "init_args": {
                    "store": str(store.path),
                    "split": str(root / "split.json"),
                    "batch_size": 24,
                    "held_out": 0.0,
                },
            },
            "trainer": {
                "max_epochs": 20,
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "default_root_dir": str(root / "run"),
            },
        },
    )
    assert main(["fit", f"--config={root / 'run.json'}"]) == 0
    assert main(["export", str(root / "run/checkpoints/last.ckpt"), str(root / "space")]) == 0
    return root / "space"


def test_each_sense_finds_the_others(
    store: Store, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = store.path.parent / "split.json"
    monkeypatch.setattr("visuotactile.retrieval.evaluation.UNTRAINED_DRAWS", 2)
    retrieve([space], store, split, tmp_path / "found", cache=tmp_path / "cache")
    report = json.loads((tmp_path / "found/retrieval.json").read_text())
    figures = report["methods"][0]["figures"]["recall@5"]["all"]
    for one, other in (("touch", "sound"), ("sound", "sight"), ("sight", "touch")):
        figure = figures[f"{one} → {other}"]
        assert figure["value"] > 1.4 * figure["chance"]
    assert list((tmp_path / "found").glob("*.html"))


def test_a_map_shows_all_three(store: Store, space: Path, tmp_path: Path) -> None:
    report = embedding_map([space], store, ["object"], tmp_path / "map", cache=tmp_path / "cache")
    assert (tmp_path / "map/map.png").stat().st_size > 1000
    assert {"sight", "touch", "sound"} <= set(str(report).replace("'", " ").split())


def test_a_frozen_encoder_of_sound_takes_recordings_and_nothing_else(store: Store, space: Path) -> None:
    encoder = load_joint(space).encoder("sound")
    sound = store.read("sound", "during", np.arange(3))
    assert encoder.contract == InputContract(
        streams=("sound",),
        reference=None,
        size=FRAMES,
        normalisation="dataset",
        mean=(-5.0,),
        std=(5.0,),
        kind="sound",
        rate=RATE,
        microphones=1,
    )
    features = encoder.encode(sound)
    assert features.shape == (3, encoder.width)
    np.testing.assert_allclose(encoder.encode(sound[1:2])[0], features[1], atol=1e-5)
    for wrong in (sound.astype(np.float32), sound.astype(np.uint8)):
        with pytest.raises(ContractError, match="expected int16"):
            encoder.encode(wrong)
    with pytest.raises(ContractError, match="record as long as for training"):
        encoder.encode(sound[:, :2_000])
