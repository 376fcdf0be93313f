"""The classifier folder: a whole round trip, and one clear error for whatever does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from classification_helpers import CLASSES, RESNET, TOUCH, branches, observe

from visuotactile.encoders.branch import Branch
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.supervised import Attention, Classifier, load_classifier
from visuotactile.supervised.classifier_file import save_classifier

META = {"seed": 0, "data": {"label": "object", "fingerprint": "abc"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with attention and a frozen touch."""
    root = tmp_path_factory.mktemp("classifier")
    encoder = untrained_encoder(RESNET, TOUCH, seed=5)
    save_encoder(root / "encoder", encoder.backbone, RESNET, TOUCH, {"method": "moco"})
    parts = {"sight": branches()["sight"], "touch": Branch(encoder=root / "encoder")}
    torch.manual_seed(0)
    network = Classifier(
        {name: part.build() for name, part in parts.items()}, CLASSES, Attention(width=16, heads=2)
    ).eval()
    save_classifier(root / "classifier", network, META)
    torch.save(network.classify(observe(3)), root / "said.pt")
    shutil.rmtree(root / "encoder")  # the folder needs nothing else
    return root / "classifier"


def test_a_loaded_classifier_says_what_the_saved_one_said(folder: Path) -> None:
    network = load_classifier(folder)
    assert torch.equal(network.classify(observe(3)), torch.load(folder.parent / "said.pt"))
    assert not any(part.training for part in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    assert network.classes == CLASSES
    assert network.meta["data"] == META["data"]
    assert {"python", "torch", "visuotactile"} <= set(network.meta["versions"])
    assert network.networks()["touch"].origin["meta"] == {"method": "moco"} | {
        "versions": network.networks()["touch"].origin["meta"]["versions"]
    }
