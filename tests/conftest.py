"""Settings of all tests, and the stores, encoders and runs that they share."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shipped_configs import ShippedRuns

from visuotactile.datasets.convert import convert
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract, save_encoder, untrained_encoder
from visuotactile.encoders.joint import JointSpace, load_joint, projection_head, save_joint

ARCHITECTURE = "resnet10t"

# Networks this small gain nothing from threads, which multiply their CPU time instead.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of processes that tests start


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Features are kept for this run of the tests, and not in the home of whoever runs them."""
    home = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """48 simulated presses of twelve shapes."""
    return convert(
        "shapes",
        None,
        tmp_path_factory.mktemp("stores") / "shapes",
        size=(32, 40),
        options={"per_shape": 4},
        progress=False,
    )


@pytest.fixture(scope="session")
def contract() -> InputContract:
    """Both fingers' tactile differences."""
    return InputContract(streams=("tactile_left", "tactile_right"), size=32)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory, store: Store, contract: InputContract) -> list[Path]:
    """Two "pretrainings" of one method, which saw half of the objects."""
    seen = np.unique(store.objects)[:6].tolist()
    folders = []
    for seed in (11, 12):
        encoder = untrained_encoder(ARCHITECTURE, contract, seed)
        folder = tmp_path_factory.getbasetemp() / "encoders" / f"moco-{seed}"
        meta = {"method": "moco", "seed": seed, "pretraining_objects": seen}
        save_encoder(folder, encoder.backbone, ARCHITECTURE, contract, meta)
        folders.append(folder)
    return folders


@pytest.fixture(scope="session")
def joint_folder(tmp_path_factory: pytest.TempPathFactory, contract: InputContract) -> Path:
    """A joint space whose "sight" is the other finger, pretrained on another store, so to speak."""
    folder = tmp_path_factory.getbasetemp() / "joint" / "cross"
    encoders = {
        name: untrained_encoder(ARCHITECTURE, replace(contract, streams=(stream,)), seed)
        for seed, (name, stream) in enumerate({"sight": "tactile_right", "touch": "tactile_left"}.items())
    }
    heads = {name: projection_head(encoder.width, 16) for name, encoder in encoders.items()}
    meta = {"method": "cross_modal", "seed": 0, "fingerprint": "another", "pretraining_objects": []}
    save_joint(folder, JointSpace(encoders, heads, 0.07, meta))
    return folder


@pytest.fixture(scope="session")
def joint(joint_folder: Path) -> JointSpace:
    """The same, loaded."""
    return load_joint(joint_folder)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """160 trials with tiny images: 16 objects, in two sessions that differ in how often they succeed."""
    rng = np.random.default_rng(0)

    def trial(i: int) -> Trial:
        thing = i % 16
        return Trial(
            name=f"t{i:03d}",
            object=f"o{thing:02d}",
            session=f"s{thing % 2}",
            streams={"finger": {"during": rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)}},
            outcomes={
                "success": float(rng.random() < (0.3, 0.7)[thing % 2]),
                "grade": float(rng.integers(3)),
                "force": float(rng.random()),
                "always": 1.0,
            },
            hidden={"mass": float(thing)},
            columns={"official": "test" if thing < 5 else "train"},
        )

    return write_store(
        tmp_path_factory.mktemp("stores") / "table",
        lambda indices: (trial(i) for i in indices),
        dataset="table",
        source="made up",
        settings={},
        names=[f"t{i:03d}" for i in range(160)],
        example=trial(0),
    )


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> ShippedRuns:
    """Shipped configuration → folder of its run with a tiny network, made when it is first asked for."""
    return ShippedRuns(tmp_path_factory.mktemp("shipped"))
