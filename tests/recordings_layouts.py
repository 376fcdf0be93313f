"""Tiny recordings in exactly the layouts of the public datasets, and of a folder of one's own."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import wavfile


def picture(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.uint8]:
    """Noise."""
    return rng.integers(0, 256, shape, dtype=np.uint8)


def write_calandra(path: Path, objects: Sequence[str], shape: tuple[int, int, int] = (12, 16, 3)) -> None:
    """The release's layout: one shard with one trial for each object name."""
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
                    image = picture(rng, *shape)
                    group.create_dataset(f"{stream}_{phase}", data=image, compression="gzip")


def write_raw(path: Path, name: str = "cup", **changes: Any) -> None:
    """One raw grasp: image k of each stream is filled with k, and was taken k seconds after 100."""
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


def write_clip(path: Path, frames: int = 30, pitch: int = 32, shape: tuple[int, int] = (240, 320)) -> None:
    """A video of a marker grid; frame k is as bright as 40 + 4·k."""
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


def write_slips(root: Path, experiments: Mapping[str, int], frames: int = 30) -> None:
    """The incipient slip layout: experiments given as 'training/mug/3' → marker pitch."""
    for place, pitch in experiments.items():
        split, name, number = place.split("/")
        folder = root / f"base_data_for_{split}" / name / f"exp_num_{number}"
        for camera in (0, 2):
            write_clip(folder / f"camera_{camera}.avi", frames, pitch)
        if int(number) % 2:
            (folder / "slip.txt").touch()


def write_folder(root: Path, trials: int = 3, changes: Mapping[tuple[int, str], str] | None = None) -> None:
    """A folder of images with a trials.csv; `changes` maps (row, column) to another cell."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(trials):
        row = {"name": f"grasp {i}", "object": "mug", "session": "monday", "sensor": "DIGIT 1"}
        for phase, ending in (("before", "png"), ("during", "jpg")):
            row[f"tactile_left/{phase}"] = f"images/{i}-{phase}.{ending}"
            Image.fromarray(picture(rng, 8, 9, 3)).save(root / f"images/{i}-{phase}.{ending}")
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


def write_gentle(root: Path, name: str = "data_2024_05_17_101500", **arrays: Any) -> Path:
    """The authors' layout of gentle grasping: one folder of a grasp, any of whose arrays may be replaced."""
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
