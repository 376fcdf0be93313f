"""Checkpoints are read without trust."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from visuotactile.errors import EncoderError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, check_continues, read_checkpoint, weights_below
from visuotactile.training.export import EXPORTERS, export

CONTENT = {
    "state_dict": {"a.weight": torch.ones(2000), "b": torch.zeros(1)},
    CHECKPOINT_KEY: {"method": "moco"},
}


def test_a_checkpoint_is_read_and_its_weights_are_found_below_a_prefix(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "a.ckpt")
    content = read_checkpoint(tmp_path / "a.ckpt", "triplet", "moco")
    assert content[CHECKPOINT_KEY] == {"method": "moco"}
    assert list(weights_below(content["state_dict"], "a.")) == ["weight"]
    with pytest.raises(EncoderError, match=r"a\.ckpt was trained by 'moco', expected 'triplet'"):
        read_checkpoint(tmp_path / "a.ckpt", "triplet")


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing"])
def test_a_damaged_checkpoint_is_one_clear_error(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    if damage == "truncated":
        torch.save(CONTENT, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        torch.save({"state_dict": {}}, path)
    with pytest.raises(EncoderError, match=r"a\.ckpt"):
        export(path, tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


@pytest.mark.parametrize("method", ["os:system", "visuotactile.cli:main", "mine"])
def test_a_checkpoint_chooses_no_code_beyond_the_registered_exporters(method: str, tmp_path: Path) -> None:
    torch.save({**CONTENT, CHECKPOINT_KEY: {"method": method}}, tmp_path / "a.ckpt")
    with pytest.raises(EncoderError, match=f"'{method}', which this version cannot export; it exports moco"):
        export(tmp_path / "a.ckpt", tmp_path / "encoder")
    assert method not in EXPORTERS


def test_another_run_is_named_by_what_differs() -> None:
    check_continues({CHECKPOINT_KEY: {"method": "moco", "seed": 0, "step": 7}}, {"method": "moco", "seed": 0})
    with pytest.raises(EncoderError, match="other settings: method moco → triplet, seed null → 1; continue"):
        check_continues({CHECKPOINT_KEY: {"method": "moco"}}, {"method": "triplet", "seed": 1})
