"""Labels that a robot makes by itself: the loudest sample that counts, and fingers that stay apart."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.datasets.grasp_labels import (
    CHUNK,
    LOUD,
    StabilityLabels,
    best_threshold,
    displacement,
    fingertip,
    gel_change,
    is_gentle,
    loudest,
)
from visuotactile.errors import DataError


def recording(**samples: int) -> np.ndarray:
    """129 quiet chunks; a sample at a chunk's first place for each chunk_NUMBER."""
    sound = np.zeros((129 * CHUNK, 2), np.int16)
    for name, value in samples.items():
        sound[int(name.removeprefix("chunk_")) * CHUNK, 1] = value
    return sound


def test_the_first_tenth_of_the_chunks_does_not_count() -> None:
    assert loudest(recording(chunk_12=30_000, chunk_13=1_000)) == 1_000
    assert loudest(recording(chunk_13=30_000)) == 30_000


def test_the_most_negative_sample_is_the_loudest() -> None:
    assert loudest(recording(chunk_50=-32_768, chunk_60=32_767)) == 32_768


def test_a_grasp_is_gentle_up_to_the_threshold() -> None:
    assert is_gentle(recording(chunk_50=LOUD))
    assert not is_gentle(recording(chunk_50=-LOUD - 1))


@pytest.mark.parametrize("sound", [np.zeros((9999, 2)), np.zeros(9999, np.int16), np.zeros((9, 2), np.int16)])
def test_what_is_no_recording_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected int16"):
        loudest(sound)


def test_fingertips_follow_planar_kinematics() -> None:
    straight = np.zeros(16)
    np.testing.assert_allclose(fingertip(straight, "middle"), [0.130, 0])
    bent = straight.copy()
    bent[14] = np.pi / 2
    np.testing.assert_allclose(fingertip(bent, "thumb"), [0, 0.1], atol=1e-12)
    bent[15] = np.pi / 2
    np.testing.assert_allclose(fingertip(bent, "thumb"), [-0.05, 0.05], atol=1e-12)
    np.testing.assert_allclose(displacement(straight, bent), [0, np.hypot(0.15, 0.05)], atol=1e-12)


def test_a_gel_that_gets_darker_has_changed() -> None:
    before = np.full((2, 4, 4, 3), 100, np.uint8)
    during = before.copy()
    during[1] -= 30
    np.testing.assert_array_equal(gel_change(before, during), [0, 30])


def test_the_threshold_parts_watched_grasps_as_well_as_can_be() -> None:
    assert best_threshold([1, 2, 3, 4, 5], [1, 1, 0, 0, 0]) == 2
    assert best_threshold([5, 3, 1, 4, 2], [0, 1, 1, 1, 0]) == 4


def lifts(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [count, 2] of fingers that were stopped by a thing, or closed on nothing."""
    held = rng.random(count) < 0.5
    return np.where(held, 0.080, 0.087)[:, None] + rng.normal(0, 0.002, (count, 2)), held


def test_a_judgement_from_few_watched_lifts_gets_better_while_collecting() -> None:
    rng = np.random.default_rng(0)
    watched, known = lifts(8, rng)
    moved, held = lifts(400, rng)
    refined, fixed = StabilityLabels(watched, known), StabilityLabels(watched, known)
    labels = np.concatenate([refined.label(moved[start : start + 50]) for start in range(0, 400, 50)])
    first = fixed.label(moved)
    assert np.mean(labels == held) > 0.95
    assert np.mean(labels == held) >= np.mean(first == held)


def test_both_outcomes_must_have_been_watched() -> None:
    with pytest.raises(DataError, match="of both kinds"):
        StabilityLabels([[0.08, 0.08], [0.09, 0.09]], [1, 1])
    with pytest.raises(DataError, match="2 displacements and 1"):
        StabilityLabels([[0.08, 0.08], [0.09, 0.09]], [1])
