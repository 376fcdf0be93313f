"""Gentle grasping, as its authors publish it: one folder for each of 1,500 grasps of a squeaking toy.

Layout (Nakahara and Calandra, "Learning Gentle Grasping Using Vision, Sound, and Touch"):

    collected_data/data_YYYY_MM_DD_HHMMSS/
        camera_rgb_T.png, touch_thumb_T.png, touch_middle_T.png      T = 0, 1, 12, 2, 3
        camera_depth_T.png                                           in colours of a map, not in metres
        action0_hand.npy, action1_hand.npy                           [16] radians
        action1_regrasp_pose.npy                                     [4] dx, dy, dz in mm, yaw in degrees
        hand_obs_before.npy, hand_obs_after.npy                      [16] radians
        record_s2.wav                                                stereo int16, 129 chunks of 1,024 samples
        labels.npy, labels_supervised.npy                            [stable, gentle]

The pictures follow the robot's time line: 0 before any contact; 1 in the first grasp; 12 at the minimum pose,
when that was let go; 2 in the regrasp, while the sound is recorded; 3 in the air.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile

from visuotactile.datasets.embodiment import Access, Dimension, Embodiment, Stream, Vector, streams_of
from visuotactile.datasets.image_file import read_image
from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError, brief

Labels = Literal["supervised", "automatic"]
LABELS: Mapping[Labels, str] = {"supervised": "labels_supervised.npy", "automatic": "labels.npy"}

EXAMPLES: Mapping[str, str] = {"regrasp": "1", "released": "12", "stay": "2"}
"""State–action pair → picture of its state. The first two have the regrasp's action; in the last, which was
observed during the regrasp, the wrist stays and the hand keeps its pose."""

BEFORE, AFTER = "0", "3"
STREAMS = {"rgb": "camera_rgb", "tactile_thumb": "touch_thumb", "tactile_middle": "touch_middle"}
DEPTH = {"depth_colours": "camera_depth"}

JOINTS = 16
ACTIVE = {5: (1.45, 1.75), 6: (0.0, 0.3), 7: (0.0, 0.3), 14: (0.2, 0.5), 15: (0.0, 0.3)}
"""Joint that moves → its bounds, radians; the lower ones are the minimum pose. Joints are ordered index,
middle (4–7), ring finger, thumb (12–15). The other eleven are fixed, so an action leaves them out."""

REACH, TURN = 0.010, math.radians(15)
RATE = 44_100
SAMPLES = 129 * 1024  # of a recording of 3 s, which ends with its last whole chunk: not 132,300
_FOLDER = re.compile(r"data_(\d{4}_\d{2}_\d{2})_\d{6}")
_LARGEST_ARRAY = 4096  # bytes of a .npy file of at most 16 numbers
_LARGEST_SOUND = 2**22  # bytes, eight times what the samples take


class GentleGrasping:
    """Reader of the authors' folders, searched recursively. Each grasp gives three trials, the `EXAMPLES`.

    Streams rgb, tactile_thumb and tactile_middle at before, during and after, and sound at regrasp, from
    which gentleness was labelled: it is no input of any model. Action: dx, dy, dz (metres), dyaw (radians)
    and the five joints that move. Vector `joints`, the 16 angles commanded in the state. Outcomes: stable,
    gentle.
    Columns: grasp, example, and whatever labels and angles were recorded. There is one object, the toy, so
    split by grasp (unit:grasp:5): the three trials of a grasp share its outcomes.
    """

    name: ClassVar[str] = "gentle-grasping"
    description: ClassVar[str] = (
        "grasps of a squeaking toy by a hand with two DIGITs, with sound (1,500 grasps)"
    )

    def __init__(
        self, source: str | os.PathLike[str] | None, labels: Labels = "supervised", depth: bool = False
    ) -> None:
        """
        Args:
            source: folder that holds data_YYYY_MM_DD_HHMMSS.
            labels: "supervised", corrected by hand, or "automatic", as the robot made them; the others become
                columns.
            depth: read the coloured pictures of depth too, as the stream depth_colours.

        Raises:
            DataError: there is no grasp, or an option is unknown.
        """
        if source is None:
            raise DataError("gentle-grasping needs the folder that holds data_YYYY_MM_DD_HHMMSS")
        if labels not in LABELS:
            raise DataError(f"labels is {labels!r}; expected {' or '.join(LABELS)}")
        if not isinstance(depth, bool):
            raise DataError(f"depth is {depth!r}, expected true or false")
        root = Path(source)
        self.settings: Mapping[str, Any] = {"labels": labels, "depth": depth}
        self._streams = {**STREAMS, **(DEPTH if depth else {})}
        self._folders = sorted(
            folder for folder in root.rglob("data_*") if folder.is_dir() and _FOLDER.fullmatch(folder.name)
        )
        if not self._folders:
            raise DataError(
                f"{root} holds no folder data_YYYY_MM_DD_HHMMSS; expected one for each grasp, as in "
                "collected_data"
            )
        self.names = tuple(
            f"{folder.relative_to(root).as_posix()}/{example}"
            for folder in self._folders
            for example in EXAMPLES
        )

    @cached_property
    def embodiment(self) -> Embodiment:
        """The authors' robot: an Allegro left hand on an arm, two DIGITs, a camera and a microphone."""
        phases: dict[str, Access] = {
            "before": "observation",
            "during": "observation",
            "regrasp": "outcome",
            "after": "outcome",
        }
        pictures = [stream for stream in streams_of(self.trial(0)) if stream.kind == "image"]
        return Embodiment(
            name="Allegro left hand of gentle grasping",
            motion=(
                *(Dimension(name, "m", -REACH, REACH) for name in ("dx", "dy", "dz")),
                Dimension("dyaw", "rad", -TURN, TURN),
            ),
            hand=tuple(Dimension(f"joint_{joint}", "rad", *bounds) for joint, bounds in ACTIVE.items()),
            vectors=(
                Vector("joints", tuple(Dimension(f"joint_{n}", "rad", -2.0, 2.0) for n in range(JOINTS))),
            ),
            streams=(*pictures, Stream("sound", "sound", {"regrasp": (SAMPLES, 2)}, RATE)),
            phases=phases,
            outcomes=("stable", "gentle"),
        )

    def __len__(self) -> int:
        """Number of trials, three of which share a grasp."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Read one state–action pair of a grasp."""
        grasp, place = divmod(i, len(EXAMPLES))
        folder, example = self._folders[grasp], list(EXAMPLES)[place]
        moments = {"before": BEFORE, "during": EXAMPLES[example], "after": AFTER}
        first, then = (_numbers(folder / f"action{step}_hand.npy", JOINTS) for step in range(2))
        least = first.copy()
        for joint, (low, _) in ACTIVE.items():
            least[joint] = low
        state = {"regrasp": first, "released": least, "stay": then}[example]
        labels = {
            f"{which}_{outcome}": value
            for which, file in LABELS.items()
            for outcome, value in zip(("stable", "gentle"), _labels(folder / file), strict=True)
        }
        chosen = f"{self.settings['labels']}_"
        angles = {
            f"hand_{when}_{joint}": angle
            for when in ("before", "after")
            for joint, angle in enumerate(_numbers(folder / f"hand_obs_{when}.npy", JOINTS).tolist())
        }
        match = _FOLDER.fullmatch(folder.name)
        return Trial(
            name=self.names[i],
            streams={
                **{
                    stream: {
                        phase: read_image(folder / f"{file}_{moment}.png", str(folder))
                        for phase, moment in moments.items()
                    }
                    for stream, file in self._streams.items()
                },
                "sound": {"regrasp": _sound(folder / "record_s2.wav")},
            },
            object="toy",
            session=match[1] if match else "",
            sensor="DIGIT",
            outcomes={
                name.removeprefix(chosen): value for name, value in labels.items() if name.startswith(chosen)
            },
            action={
                **(_motion(folder) if example != "stay" else dict.fromkeys(("dx", "dy", "dz", "dyaw"), 0.0)),
                **{f"joint_{joint}": float(then[joint]) for joint in ACTIVE},
            },
            vectors={"joints": {f"joint_{joint}": angle for joint, angle in enumerate(state.tolist())}},
            columns={
                "grasp": float(grasp),
                "example": example,
                **{name: value for name, value in labels.items() if not name.startswith(chosen)},
                **angles,
            },
        )


def _motion(folder: Path) -> dict[str, float]:
    """The regrasp's motion, in metres and radians."""
    dx, dy, dz, yaw = _numbers(folder / "action1_regrasp_pose.npy", 4).tolist()
    return {"dx": dx / 1000, "dy": dy / 1000, "dz": dz / 1000, "dyaw": math.radians(yaw)}


def _numbers(path: Path, count: int) -> npt.NDArray[np.float64]:
    """`count` finite numbers of a .npy file, which is never unpickled."""
    size = _size(path)
    if size > _LARGEST_ARRAY:
        raise DataError(f"{path} has {size} bytes; expected {count} numbers")
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as why:  # a damaged file may raise anything
        raise DataError(
            f"{path} cannot be read ({brief(why)}); expected {count} numbers in NumPy's format"
        ) from None
    if not isinstance(values, np.ndarray) or values.size != count or values.dtype.kind not in "uifb":
        raise DataError(
            f"{path} holds {getattr(values, 'dtype', 'an archive')} {getattr(values, 'shape', '')}; "
            f"expected {count} numbers"
        )
    flat = values.astype(np.float64).reshape(-1)
    if not np.isfinite(flat).all():
        raise DataError(f"{path} holds NaN or infinity")
    return flat


def _labels(path: Path) -> tuple[float, float]:
    stable, gentle = _numbers(path, 2).tolist()
    if {stable, gentle} - {0.0, 1.0}:
        raise DataError(f"{path} holds {stable:g} and {gentle:g}; expected 0 or 1, stable and gentle")
    return stable, gentle


def _sound(path: Path) -> npt.NDArray[np.int16]:
    size = _size(path)
    if size > _LARGEST_SOUND:
        raise DataError(f"{path} has {size} bytes, too many for {SAMPLES} samples; fetch it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about chunks that are not sound
            rate, sound = wavfile.read(path)
    except Exception as why:  # a damaged file may raise anything
        raise DataError(f"{path} cannot be read as a recording ({brief(why)}); fetch it again") from None
    if rate != RATE or sound.dtype != np.int16 or sound.shape != (SAMPLES, 2):
        raise DataError(
            f"{path} is {sound.dtype} {sound.shape} at {rate} Hz; expected int16 {(SAMPLES, 2)} at {RATE} "
            "Hz, 129 chunks of 1,024 samples"
        )
    return np.asarray(sound, np.int16)


def _size(path: Path) -> int:
    """Bytes of a file; raises `DataError` for anything else, such as a pipe, which would never end."""
    if not path.is_file():
        raise DataError(f"{path} is missing, or is no file; fetch it again")
    return path.stat().st_size
