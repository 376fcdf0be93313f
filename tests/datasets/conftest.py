"""Tiny recordings in exactly the layouts of the public datasets."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.io import wavfile

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store

Picture = npt.NDArray[np.uint8]


def _picture(rng: np.random.Generator, *shape: int) -> Picture:
    return rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    """A small trial, a function of its number, any field of which may be replaced."""

    def make(i: int = 0, **changes: Any) -> Trial:
        rng = np.random.default_rng(i)
        fields: dict[str, Any] = {
            "name": f"trial-{i:03d}",
            "streams": {
                "tactile_left": {
                    "before": _picture(rng, 4, 6, 3),
                    "during": _picture(rng, 3, 4, 6, 3),
                    "after": _picture(rng, 4, 6, 3),
                },
                "depth": {"during": rng.random((4, 6), dtype=np.float32)},
                "audio": {"lift": rng.integers(-9, 9, (11, 2), dtype=np.int16)},
            },
            "object": f"object {'äbcd'[i % 4]}",
            "session": f"day {i % 3}",
            "sensor": "gel",
            "outcomes": {"success": float(i % 2)},
            "action": {"force": rng.random()},
            "hidden": {"friction": rng.random()},
            "columns": {"official_split": "test" if i % 4 == 3 else "train", "weight": float(i)},
        }
        return Trial(**(fields | changes))

    return make


@pytest.fixture
def make_store(make_trial: Callable[..., Trial], tmp_path: Path) -> Callable[..., Store]:
    """A store of `count` such trials."""

    def make(count: int = 10, name: str = "store", shard_trials: int = 4, **changes: Any) -> Store:
        trials = [make_trial(i, **changes) for i in range(count)]
        return write_store(
            tmp_path / name,
            lambda indices: (trials[i] for i in indices),
            dataset="made up",
            source="",
            settings={},
            names=[trial.name for trial in trials],
            example=trials[0],
            shard_trials=shard_trials,
        )

    return make


@pytest.fixture(scope="session")
def write_calandra() -> Callable[..., None]:
    """The release's layout: one shard with one trial for each object name."""

    def write(path: Path, objects: Sequence[str], shape: tuple[int, int, int] = (12, 16, 3)) -> None:
        rng = np.random.default_rng(len(objects))
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            data = file.create_group("data")
            data.attrs["TITLE"] = np.bytes_(f"list:{len(objects)}")
            for i, name in enumerate(objects):
                group = data.create_group(f"i{i}")
                group.attrs["is_gripping"] = np.int64(i % 2)
                group.attrs["object_name"] = np.bytes_(name.encode())
                for stream in ("kinectA_rgb", "gelsightA", "gelsightB"):
                    for phase in ("before", "during", "after"):
                        image = _picture(rng, *shape)
                        group.create_dataset(f"{stream}_{phase}", data=image, compression="gzip")

    return write


@pytest.fixture(scope="session")
def write_raw() -> Callable[..., None]:
    """One raw grasp: image k of each stream is filled with k, and was taken k seconds after 100."""

    def write(path: Path, name: str = "cup", **changes: Any) -> None:
        ramp = np.arange(8, dtype=np.uint8)
        colour = np.broadcast_to(ramp[:, None, None, None], (8, 10, 12, 3))
        fields: dict[str, Any] = {
            "color_image_KinectA": colour,
            "GelSightA_image": colour,
            "GelSightB_image": colour,
            "depth_image_KinectA": colour[..., 0].astype(np.uint16),
            "timestamp": 100.0 + np.arange(8),
            "time_pre_grasping": 100.2,
            "time_at_grasping": 102.4,
            "time_post1_grasping": 103.6,
            "time_post2_grasping": 107.3,
            "location_of_EE_at_grasping": np.array([0.5, -0.1, 0.2]),
            "angle_of_EE_at_grasping": np.array([0.7]),
            "set_gripping_force": np.array([12.0]),
            "is_gripping": 1,
            "object_name": name,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            for key, value in (fields | changes).items():
                if value is not None:
                    file[key] = value

    return write


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., None]:
    """A video of a marker grid; frame k is as bright as 40 + 4·k."""

    def write(path: Path, frames: int = 30, pitch: int = 32, shape: tuple[int, int] = (240, 320)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        v, u = np.mgrid[0 : shape[0], 0 : shape[1]]
        far = np.hypot((u % pitch) - pitch / 2, (v % pitch) - pitch / 2) > 5
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width = shape
            stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
            for k in range(frames):
                grey = (far * (40 + 4 * k)).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return write


@pytest.fixture(scope="session")
def write_slips(write_clip: Callable[..., None]) -> Callable[..., None]:
    """The incipient slip layout: experiments given as 'training/mug/3' → marker pitch."""

    def write(root: Path, experiments: Mapping[str, int], frames: int = 30) -> None:
        for place, pitch in experiments.items():
            split, name, number = place.split("/")
            folder = root / f"base_data_for_{split}" / name / f"exp_num_{number}"
            for camera in (0, 2):
                write_clip(folder / f"camera_{camera}.avi", frames, pitch)
            if int(number) % 2:
                (folder / "slip.txt").touch()

    return write


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., None]:
    """A folder of images with a trials.csv; `changes` maps (row, column) to another cell."""

    def write(root: Path, trials: int = 3, changes: Mapping[tuple[int, str], str] | None = None) -> None:
        rng = np.random.default_rng(0)
        (root / "images").mkdir(parents=True, exist_ok=True)
        rows = []
        for i in range(trials):
            row = {"name": f"grasp {i}", "object": "mug", "session": "monday", "sensor": "DIGIT 1"}
            for phase, ending in (("before", "png"), ("during", "jpg")):
                row[f"tactile_left/{phase}"] = f"images/{i}-{phase}.{ending}"
                Image.fromarray(_picture(rng, 8, 9, 3)).save(root / f"images/{i}-{phase}.{ending}")
            row |= {
                "outcome/success": str(i % 2),
                "action/force": "3.5",
                "pose/yaw": "-1e-1",
                "note": "ünsure",
            }
            rows.append(row)
        for (line, column), cell in (changes or {}).items():
            rows[line][column] = cell
        with (root / "trials.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return write


@pytest.fixture(scope="session")
def write_gentle() -> Callable[..., Path]:
    """The authors' layout of gentle grasping: one folder of a grasp, any of whose arrays may be replaced."""

    def write(root: Path, name: str = "data_2024_05_17_101500", **arrays: Any) -> Path:
        folder = root / "collected_data" / name
        folder.mkdir(parents=True)
        for number, moment in enumerate((0, 1, 12, 2, 3)):
            for file, shape in (("camera_rgb", (6, 8)), ("camera_depth", (6, 8)), ("touch", (8, 6))):
                for finger in ("_thumb", "_middle") if file == "touch" else ("",):
                    picture = np.full((*shape, 3), 200 - 10 * number - (finger == "_middle"), np.uint8)
                    Image.fromarray(picture).save(folder / f"{file}{finger}_{moment}.png")
        hand = np.array([-0.5, 1, 0, 0, -0.25, 1.6, 0, 0, 0, 1, 0, 0, 1.45, 0.1, 0.35, 0])
        regrasp = hand.copy()
        regrasp[[5, 6, 7, 14, 15]] = 1.7, 0.1, 0.2, 0.4, 0.3
        known: dict[str, Any] = {
            "action0_hand": hand,
            "action1_hand": regrasp,
            "action0_arm": np.zeros(7),
            "action1_arm": np.zeros(7),
            "action1_regrasp_pose": np.array([10.0, -5.0, 2.5, -15.0]),
            "hand_obs_before": hand - 0.01,
            "hand_obs_after": regrasp - 0.02,
            "labels": np.array([1, 0]),
            "labels_supervised": np.array([1, 1]),
        }
        for key, values in (known | arrays).items():
            if key != "sound":
                np.save(folder / f"{key}.npy", values)
        sound = arrays.get("sound", np.full((132_096, 2), -32768, np.int16))
        wavfile.write(folder / "record_s2.wav", 44_100, sound)
        return folder

    return write
