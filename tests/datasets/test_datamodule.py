"""The data module: one picture however it is read, and no test trial anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ssl_helpers import KEYS, noise_store, reads

from visuotactile.datasets.datamodule import TactileData
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.errors import DataError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """12 trials of noise."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store")


def data_of(store: Store, **settings: Any) -> TactileData:
    data = TactileData(store.path, **{"reads": reads(), "batch_size": 8, **settings})
    data.setup()
    return data


@pytest.mark.parametrize("workers", [0, 2])
def test_resident_images_equal_those_read_from_disk(store: Store, workers: int) -> None:
    resident = data_of(store, positive="contact")
    on_disk = data_of(store, positive="contact", resident="disk", workers=workers)
    for fast, slow in zip(resident.train_dataloader(), on_disk.train_dataloader(), strict=True):
        assert (
            fast.keys()
            == slow.keys()
            >= {
                *KEYS,
                *(f"partner/{key}" for key in KEYS),
            }
        )
        assert all(torch.equal(fast[key], slow[key]) for key in fast)


def test_an_image_of_the_encoders_size_is_resized_as_its_evaluation_view_is(store: Store) -> None:
    data = data_of(store, image_size=32)
    batch = next(iter(data.train_dataloader()))
    contract = InputContract(
        streams=("tactile_left",), size=32, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1)
    )
    assert data.samples is not None
    images, references = data.samples.read(batch["sample"].numpy())
    assert references is not None
    exact = prepare(contract, torch.from_numpy(images), torch.from_numpy(references))
    ours = prepare(contract, *(batch[key] for key in KEYS))
    assert (exact - ours).abs().max() < 1.01 / 255  # both images were rounded to whole grey levels


def test_pretraining_on_a_fold_never_reads_its_test_trials(store: Store, tmp_path: Path) -> None:
    split = make_split(store, "object:3")
    split.save(tmp_path / "split.json")
    data = data_of(store, split=tmp_path / "split.json", fold=1, label="success")
    train, test = split.indices(store, 1)
    assert data.samples is not None
    assert set(data.samples.trial.tolist()) == set(train.tolist())
    assert not set(data.description()["pretraining_objects"]) & set(store.objects[test].tolist())
    monitored = np.concatenate([batch["sample"] for batch in data.val_dataloader()])
    assert not set(data.samples.trial[monitored].tolist()) & set(test.tolist())


def test_pretraining_on_one_sense_reads_one_source(store: Store) -> None:
    for several in ({}, {**reads(), "other": reads("tactile_right")["encoder"]}):
        with pytest.raises(DataError, match="reads one source"):
            data_of(store, reads=several)


def test_the_monitor_sees_one_frame_of_each_touch(store: Store) -> None:
    data = data_of(store, reads=reads("tactile_left", "tactile_right"))
    assert data.samples is not None
    seen = np.concatenate([batch["sample"] for batch in data.val_dataloader()])
    assert sorted(data.samples.contact[seen].tolist()) == list(range(24))
