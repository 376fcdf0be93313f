import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.calandra_raw import CalandraRaw
from visuotactile.errors import DataError

WriteRaw = Callable[..., None]


def test_each_phase_is_the_frame_nearest_to_its_moment(tmp_path: Path, write_raw: WriteRaw) -> None:
    write_raw(tmp_path / "day 1/grasp.hdf5")
    trial = CalandraRaw(tmp_path).trial(0)
    nearest = {"before": 0, "during": 2, "lift": 4, "after": 7}
    for stream in ("rgb", "tactile_left", "tactile_right", "depth"):
        images = trial.streams[stream]
        assert {phase: int(image.flat[0]) for phase, image in images.items()} == nearest
        assert images["during"].shape == ((10, 12) if stream == "depth" else (10, 12, 3))
    assert trial.streams["depth"]["during"].dtype == np.uint16
    assert trial.name == "day 1/grasp"
    assert trial.action == {"force": 12.0}
    assert trial.vectors == {"pose": {"x": 0.5, "y": -0.1, "z": 0.2, "yaw": 0.7}}
    assert trial.outcomes == {"success": 1.0}


def test_frames_are_found_when_time_stamps_are_out_of_order(tmp_path: Path, write_raw: WriteRaw) -> None:
    write_raw(tmp_path / "a.h5", timestamp=107.0 - np.arange(8))
    images = CalandraRaw(tmp_path).trial(0).streams["rgb"]
    assert [int(image.flat[0]) for image in images.values()] == [7, 5, 3, 0]


def test_raw_grasps_become_a_store_with_mended_names(tmp_path: Path, write_raw: WriteRaw) -> None:
    write_raw(tmp_path / "raw/a.h5", "metal_cylinder")
    write_raw(tmp_path / "raw/b.h5", np.bytes_(b"metal_cyl"))
    store = convert("calandra2017-raw", tmp_path / "raw", tmp_path / "store", size=(5, 6), progress=False)
    assert store.objects.tolist() == ["metal_cylinder"] * 2
    assert store.specs[("tactile_left", "lift")].shape == (5, 6, 3)
    assert store.specs[("depth", "lift")].shape == (10, 12)
    assert store.column("force").tolist() == [12, 12]


@pytest.mark.parametrize("length", [np.float32, np.float64])
def test_depth_in_metres_is_kept_as_float32(tmp_path: Path, write_raw: WriteRaw, length: Any) -> None:
    write_raw(tmp_path / "a.h5", depth_image_KinectA=np.full((8, 10, 12), 0.75, length))
    assert CalandraRaw(tmp_path, crop_rgb=True).trial(0).streams["depth"]["lift"].dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timestamp": None}, "no 'timestamp'"),
        ({"timestamp": np.full(8, np.nan)}, "timestamp"),
        ({"timestamp": np.zeros(0)}, "timestamp is empty"),
        ({"timestamp": 100.0 + np.arange(12)}, "has 8 frames, but there are 12 time stamps"),
        ({"time_post2_grasping": 111.0}, r"time_post2_grasping is 4\.0 s away"),
        ({"time_at_grasping": np.nan}, "time_at_grasping"),
        ({"set_gripping_force": np.array([np.inf])}, "set_gripping_force"),
        ({"set_gripping_force": "strong"}, "set_gripping_force"),
        ({"location_of_EE_at_grasping": np.zeros(4)}, "expected 3 numbers"),
        ({"is_gripping": 3}, "expected 0 or 1"),
        ({"GelSightA_image": np.zeros((8, 4, 4, 3))}, "expected uint8"),
        ({"GelSightB_image": np.zeros((8, 4, 4), np.uint8)}, "expected uint8"),
        ({"depth_image_KinectA": np.zeros((8, 4, 4, 3), np.uint8)}, "expected uint16 or float"),
        ({"depth_image_KinectA": np.full((8, 4, 4), np.nan, np.float32)}, "NaN"),
    ],
)
def test_a_spoilt_recording_is_one_clear_error(
    tmp_path: Path, write_raw: WriteRaw, changes: dict[str, Any], said: str
) -> None:
    write_raw(tmp_path / "a.h5", **changes)
    with pytest.raises(DataError, match=said):
        CalandraRaw(tmp_path).trial(0)


@pytest.mark.parametrize("name", [None, 3, np.void(b"\x80\x04."), np.bytes_(b"\x80\x04"), "", "x" * 5000])
def test_a_name_that_is_no_plain_text_is_refused(tmp_path: Path, write_raw: WriteRaw, name: Any) -> None:
    write_raw(tmp_path / "a.h5", name=name)
    with pytest.raises(DataError, match="object_name"):
        CalandraRaw(tmp_path)


def test_text_of_variable_length_is_read_without_trusting_its_heap(
    tmp_path: Path, write_raw: WriteRaw
) -> None:
    path = tmp_path / "a.h5"
    write_raw(path, "Würfel, groß")
    with h5py.File(path, "r+") as file:
        for i in range(20):  # more texts in the same heap
            file[f"more {i}"] = "x" * i
    assert CalandraRaw(tmp_path).trial(0).object == "Würfel, groß"
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    for place in range(heap, heap + 64):
        for value in (0, 255):
            spoilt = data.copy()
            spoilt[place] = value
            path.write_bytes(spoilt)
            with contextlib.suppress(DataError):
                CalandraRaw(tmp_path)
