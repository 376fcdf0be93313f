"""The classifier folder: a whole round trip, and one clear error for whatever does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from classification_helpers import CLASSES, RESNET, TOUCH, branches, classifier, observe

from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.errors import EncoderError, OutputExistsError
from visuotactile.files import sha256_bytes
from visuotactile.supervised import Attention, Branch, Classifier, load_classifier
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


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "classifier"))


def rewrite(folder: Path, change: Any) -> None:
    """Change the description as someone would who also mends the hash."""
    path = folder / "classifier.json"
    description = json.loads(path.read_text())
    change(description)
    description.pop("hash")
    text = json.dumps(description, sort_keys=True)
    path.write_text(json.dumps(description | {"hash": sha256_bytes(text.encode())}))


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


def test_a_classifier_is_two_files_that_others_may_read(folder: Path) -> None:
    files = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert set(files) == {"classifier.json", "classifier.safetensors"}
    assert len(set(files.values())) == 1


@pytest.mark.parametrize("part", ["classifier.json", "classifier.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_whatever_is_missing_or_damaged_is_one_clear_error(copied: Path, part: str, damage: str) -> None:
    path = copied / part
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "altered":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(EncoderError, match="classifier"):
        load_classifier(copied)


def test_another_architecture_than_the_weights_have_is_refused(copied: Path) -> None:
    def convnext(description: dict[str, Any]) -> None:
        description["network"]["branches"]["sight"]["architecture"] = "test_convnext"

    rewrite(copied, convnext)
    with pytest.raises(EncoderError, match="differing key is"):
        load_classifier(copied)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["network"].pop("classes"),
        lambda d: d["network"].update(classes=["one"]),
        lambda d: d["network"].update(branches=3),
        lambda d: d["network"].update(branches={}),
        lambda d: d["network"].update(attention={"width": 16, "heads": 3}),
        lambda d: d["network"].update(attention={"depth": 2}),
        lambda d: d["network"]["branches"]["sight"].pop("frozen"),
        lambda d: d["network"]["branches"]["sight"]["contract"].update(phase="after"),
        lambda d: d["network"]["branches"].update({"../up": d["network"]["branches"].pop("sight")}),
        lambda d: d.update(format=99),
        lambda d: d.update(surplus=1),
    ],
)
def test_a_description_that_makes_no_sense_is_one_clear_error(copied: Path, change: Any) -> None:
    rewrite(copied, change)
    with pytest.raises(EncoderError):
        load_classifier(copied)


def test_an_edited_description_is_noticed(copied: Path) -> None:
    path = copied / "classifier.json"
    path.write_text(path.read_text().replace('"dark flat"', '"light flat"'))
    with pytest.raises(EncoderError, match="was edited"):
        load_classifier(copied)


def test_a_finished_classifier_is_replaced_only_when_told_to(copied: Path) -> None:
    network = classifier()
    with pytest.raises(OutputExistsError):
        save_classifier(copied, network, META)
    save_classifier(copied, network, META, overwrite=True)
    assert torch.equal(load_classifier(copied).classify(observe(2)), network.classify(observe(2)))
    assert [item.name for item in copied.parent.iterdir()] == [copied.name]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("the only copy")
    with pytest.raises(OutputExistsError, match="no classifier"):
        save_classifier(tmp_path, classifier(), META, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "the only copy"


def test_weights_that_diverged_and_words_that_are_no_json_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="cannot be written as JSON"):
        save_classifier(tmp_path / "classifier", classifier(), {"seed": object()})
    network = classifier()
    network.linear.bias.data[0] = float("nan")
    with pytest.raises(EncoderError, match="training diverged"):
        save_classifier(tmp_path / "classifier", network, META)
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_one_clear_error(folder: Path) -> None:
    with pytest.raises(EncoderError, match="try cpu"):
        load_classifier(folder, "cuda:99")
