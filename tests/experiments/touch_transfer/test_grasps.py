"""The store of the real grasps, on a tiny folder in their layout."""

import csv

import numpy as np
import pytest
from PIL import Image

from experiments.touch_transfer.__main__ import contract_of
from experiments.touch_transfer.grasps import BARE, FIRST, LAST, grasps_store
from experiments.touch_transfer.tasks import GRASPS, TASKS
from visuotactile.datasets.splits import make_split
from visuotactile.errors import DataError

GREY = {"cup": 60, "ball": 120, "box": 180}


@pytest.fixture
def source(tmp_path):
    """Two grasps of each of three objects; each image is of one grey, lighter by one in each frame."""
    (tmp_path / "tactile").mkdir()
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["tactile", "rgb", "object", "grasp", "stable", "opening", "frame"])
        for thing, grey in GREY.items():
            for number in range(2):
                for frame in sorted({*BARE, FIRST, LAST}):
                    name = f"tactile/{thing}{number}_{frame}.png"
                    Image.new("RGB", (32, 24), (grey + frame,) * 3).save(tmp_path / name)
                    rows.writerow([name, "", thing, f"{thing}{number}", number, 40, frame])
    return tmp_path


def test_the_bare_gel_is_estimated_without_the_grasps_own_object(source, tmp_path):
    store = grasps_store(source, tmp_path / "store")
    assert len(store) == 6
    for row, thing in enumerate(store.objects.tolist()):
        before = store.read_first("tactile", "before", np.array([row]))
        others = [grey + frame for name, grey in GREY.items() if name != thing for frame in BARE]
        assert set(np.unique(before)) == {int(np.median(others))}
        assert int(store.read_first("tactile", "during", np.array([row])).max()) == GREY[thing] + FIRST
        assert int(store.read_first("tactile", "lift", np.array([row])).max()) == GREY[thing] + LAST


def test_every_task_of_the_grasps_finds_its_input_in_the_store(source, tmp_path):
    store = grasps_store(source, tmp_path / "store")
    for task in TASKS.values():
        if task.store == GRASPS:
            assert contract_of(task, store, 32).normalisation == "dataset"
            assert f"outcome/{task.target}" in store.columns
    split = make_split(store, "object:3")
    assert all(len({*store.objects[split.indices(store, fold)[1]]}) == 1 for fold in range(3))


def test_a_missing_frame_is_named(source, tmp_path):
    lines = (source / "labels.csv").read_text().splitlines()
    (source / "labels.csv").write_text("\n".join(line for line in lines if not line.endswith(f",{LAST}")))
    with pytest.raises(DataError, match=f"no frame {LAST} of grasp"):
        grasps_store(source, tmp_path / "store")
