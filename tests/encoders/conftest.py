"""A small encoder folder that each test may spoil."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from visuotactile.encoders import InputContract, save_encoder, untrained_encoder

ARCHITECTURE = "resnet10t"
META = {"method": "moco", "store": "some/store", "pretraining_objects": ["cup", "ball"], "seed": 3}


@pytest.fixture(scope="session")
def contract():
    """The tactile difference of one finger, at 32 pixels."""
    return InputContract(streams=("tactile_left",), size=32)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory, contract):
    """A saved encoder; not to be changed."""
    folder = tmp_path_factory.mktemp("encoders") / "pristine"
    save_encoder(
        folder, untrained_encoder(ARCHITECTURE, contract, seed=0).backbone, ARCHITECTURE, contract, META
    )
    return folder


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    """A copy of the saved encoder, to be spoilt."""
    return Path(shutil.copytree(pristine, tmp_path / "encoder"))


@pytest.fixture(scope="session")
def images():
    """Seven pairs of random images (during, before), uint8 [7, 24, 30, 3]."""
    pair = np.random.default_rng(0).integers(0, 256, (2, 7, 24, 30, 3), np.uint8)
    return pair[0], pair[1]
