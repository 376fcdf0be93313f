"""Labels of gentle_grasping that a robot makes by itself: gentleness by ear or by touch, stability by its
fingers.

Nakahara and Calandra, "Learning Gentle Grasping Using Vision, Sound, and Touch", section V. They serve
recordings and the simulated lab alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError

Array = npt.NDArray[np.float64]

CHUNK = 1024
"""Samples in which the robot's code reads its microphone."""

LOUD = 23_500
"""Loudest sample of a gentle regrasp, of 32,768; set by hand in the authors' trials."""

IGNORED = 0.1
"""Share of the chunks at the beginning that do not count: the arm has just stopped."""

LINKS = {"middle": (0.055, 0.040, 0.035), "thumb": (0.050, 0.050)}
"""Metres, the links of the two fingers in the plane in which they meet."""

PLANE_JOINTS = {"middle": (5, 6, 7), "thumb": (14, 15)}
"""Joints of the 16 that bend them."""


def loudest(sound: npt.NDArray[np.int16]) -> int:
    """Loudest sample of a recording int16 [samples, channels], without its first tenth of chunks.

    Raises:
        DataError: the sound is not int16, or shorter than two chunks.
    """
    if sound.dtype != np.int16 or sound.ndim != 2 or len(sound) < 2 * CHUNK:
        raise DataError(
            f"a sound is {sound.dtype} {sound.shape}; expected int16 [samples, channels], at least two "
            f"chunks of {CHUNK} samples"
        )
    chunks = len(sound) // CHUNK
    counted = sound[(int(chunks * IGNORED) + 1) * CHUNK : chunks * CHUNK]
    # as int32: abs(int16(-32768)) is negative
    return int(max(int(counted.max()), -int(counted.min())))


def is_gentle(sound: npt.NDArray[np.int16], threshold: int = LOUD) -> bool:
    """True if no sample that counts is louder than the threshold."""
    return loudest(sound) <= threshold


def gel_change(before: npt.NDArray[np.uint8], during: npt.NDArray[np.uint8]) -> Array:
    """Mean change of a pad's picture, in grey levels [N], between frames [N, H, W, 3].

    The deformation of the gel grows with the force on it, so that a threshold on it labels gentleness without
    a sound (the paper: any measurable function of gentleness will do).
    """
    # widened first, since a difference of unsigned numbers wraps
    change = np.abs(during.astype(np.int16) - before.astype(np.int16))
    return np.asarray(change.mean(axis=(1, 2, 3)))


def best_threshold(values: npt.ArrayLike, gentle: npt.ArrayLike) -> float:
    """The value up to which most of some watched grasps were gentle; the lowest of equally good ones.

    Args:
        values: measure of each, [N], such as `gel_change` of both pads, summed.
        gentle: 1 where it was gentle, [N].
    """
    measured = np.asarray(values, np.float64)
    wanted = np.asarray(gentle, bool)
    edges = np.sort(measured)
    right = [float(np.mean((measured <= edge) == wanted)) for edge in edges]
    return float(edges[int(np.argmax(right))])


def fingertip(joints: npt.ArrayLike, finger: str) -> Array:
    """Place of a fingertip in its finger's plane, metres [..., 2], from all 16 joint angles [..., 16]."""
    angles = np.cumsum(np.asarray(joints, np.float64)[..., list(PLANE_JOINTS[finger])], axis=-1)
    links = np.array(LINKS[finger])
    return np.stack([(links * np.cos(angles)).sum(-1), (links * np.sin(angles)).sum(-1)], axis=-1)


def displacement(before: npt.ArrayLike, after: npt.ArrayLike) -> Array:
    """Displacement of middle fingertip and thumb, metres [..., 2], between joint angles [..., 16]."""
    moved = [fingertip(after, finger) - fingertip(before, finger) for finger in LINKS]
    return np.stack([np.linalg.norm(each, axis=-1) for each in moved], axis=-1)


class StabilityLabels:
    """The robot's own judgement of a lift: a logistic regression on the displacement of both fingertips.

    Fingers that hold something stay apart. It is trained on some lifts that a person has watched, and refined
    while collecting on all that it has labelled since, as the paper does. Where the targets of the fingers
    differ from lift to lift, their displacement tells how far the fingers would have gone.

    Args:
        watched: displacements of those lifts, metres [N, K]: of both fingertips, and of their targets if
            these are to count.
        stable: 1 where the object was held, [N].

    Raises:
        DataError: the two differ in length, or only one outcome was watched.
    """

    def __init__(self, watched: npt.ArrayLike, stable: npt.ArrayLike) -> None:
        self._moved = np.asarray(watched, np.float64)
        self._stable = np.asarray(stable, np.float64).ravel()
        if len(self._moved) != len(self._stable) or len(set(self._stable.tolist())) != 2:
            raise DataError(
                f"{len(self._moved)} displacements and {len(self._stable)} outcomes "
                f"({sorted(set(self._stable.tolist()))}); expected as many, of both kinds"
            )
        self._fit()

    def label(self, moved: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """True where the object is taken to be held, [N], from displacements [N, K]; learns from them."""
        moved = np.asarray(moved, np.float64)
        found: npt.NDArray[np.bool_] = self._model.predict(1e3 * moved) > 0
        self._moved = np.concatenate([self._moved, moved])
        self._stable = np.concatenate([self._stable, found])
        self._fit()
        return found

    def _fit(self) -> None:
        from sklearn.linear_model import LogisticRegression

        self._model = LogisticRegression(C=100.0, max_iter=500).fit(1e3 * self._moved, self._stable)
