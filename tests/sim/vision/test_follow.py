"""An object is found again after a hand has moved it, from what is seen of it beside the hand."""

from __future__ import annotations

import numpy as np
import pytest
from sim_scenes import solid

from visuotactile.errors import SimulationError
from visuotactile.sim.grasps import Grasps
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.follow import AHEAD, Follower
from visuotactile.sim.vision.kinect import measure
from visuotactile.sim.vision.locate import Cylinder
from visuotactile.sim.vision.variation import Variation

SIZES = {"box": (0.035, 0.02, 0.05), "ellipsoid": (0.035, 0.022, 0.03), "cylinder": (0.03, 0.05)}


class Scenes:
    """Depth images of one solid in one laboratory."""

    def __init__(self, kind: str, seed: int, hand: str = "none") -> None:
        self.kind, self.hand = kind, hand
        self.rng = np.random.default_rng(seed)
        self.camera = Camera(variation=Variation.draw(self.rng))

    def depth(self, x: float, y: float, yaw: float, hand: str = "none") -> np.ndarray:
        return measure(
            self.camera.depth(*solid(self.kind, SIZES[self.kind], x, y, yaw=yaw, hand=hand)), self.rng
        )

    def hand_depth(self) -> np.ndarray:
        return self.camera.hand_depth(*solid(self.kind, SIZES[self.kind], hand=self.hand))

    def nowhere(self) -> np.ndarray:
        return np.full(self.camera.shape, np.inf, np.float32)


def moved(before: Cylinder, after: Cylinder) -> tuple[float, float]:
    return after.x - before.x, after.y - before.y


@pytest.mark.parametrize("kind", list(SIZES))
@pytest.mark.parametrize("seed", range(4))
def test_it_moves_with_the_object(kind: str, seed: int) -> None:
    scenes = Scenes(kind, seed)
    follower = Follower(scenes.depth(0.01, -0.02, 0.3), scenes.camera)
    first = follower.cylinder
    found = follower.follow(scenes.depth(0.03, 0.0, 0.3), scenes.nowhere())
    assert moved(first, found) == pytest.approx((0.02, 0.02), abs=0.002)
    assert (found.radius, found.height) == (first.radius, first.height)
    back = follower.follow(scenes.depth(0.01, -0.02, 0.3), scenes.nowhere())
    assert moved(first, back) == pytest.approx((0, 0), abs=0.0015)


@pytest.mark.parametrize("seed", range(4))
def test_it_turns_with_the_object(seed: int) -> None:
    scenes = Scenes("box", seed)
    follower = Follower(scenes.depth(0.0, 0.0, 0.2), scenes.camera)
    first = follower.cylinder
    found = follower.follow(scenes.depth(0.015, 0.01, 0.5), scenes.nowhere())
    # The first fit's axis is not quite the box's, and turns about it.
    assert moved(first, found) == pytest.approx((0.015, 0.01), abs=0.004)


@pytest.mark.parametrize("kind", list(SIZES))
@pytest.mark.parametrize("seed", range(3))
def test_it_is_found_though_a_hand_hides_half_of_it_and_more(kind: str, seed: int) -> None:
    scenes = Scenes(kind, seed, hand="in front")
    follower = Follower(scenes.depth(0.0, 0.01, 0.4), scenes.camera)
    first = follower.cylinder
    seen = scenes.depth(0.04, 0.0, 0.4, hand="in front")
    found = follower.follow(seen, scenes.hand_depth())
    assert moved(first, found) == pytest.approx((0.04, -0.01), abs=0.01)


def test_without_knowing_the_hand_it_would_be_taken_for_the_object() -> None:
    scenes = Scenes("cylinder", 0, hand="in front")
    follower = Follower(scenes.depth(0.0, 0.01, 0.0), scenes.camera)
    first = follower.cylinder
    seen = scenes.depth(0.0, 0.01, 0.0, hand="in front")
    x, y = moved(first, follower.follow(seen, scenes.nowhere()))
    assert np.hypot(x, y) > 0.01


def test_a_hand_behind_it_hides_nothing() -> None:
    scenes = Scenes("box", 1)
    depth = scenes.depth(0.0, 0.0, 0.0)
    behind = np.where(depth > 0, depth + 2 * AHEAD, np.inf).astype(np.float32)
    follower, other = (Follower(depth, scenes.camera) for _ in range(2))
    seen = scenes.depth(0.02, 0.01, 0.0)
    behind = np.maximum(behind, np.where(seen > 0, seen + 2 * AHEAD, np.inf)).astype(np.float32)
    assert follower.follow(seen, behind) == other.follow(seen, scenes.nowhere())


def test_what_is_hidden_stays_where_it_was_seen_last() -> None:
    scenes = Scenes("cylinder", 2)
    follower = Follower(scenes.depth(0.0, 0.0, 0.0), scenes.camera)
    here = follower.follow(scenes.depth(0.01, 0.0, 0.0), scenes.nowhere())
    everywhere = np.zeros(scenes.camera.shape, np.float32)
    assert follower.follow(scenes.depth(0.05, 0.05, 0.0), everywhere) == here


def test_what_fell_over_is_looked_at_anew() -> None:
    camera, rng = Camera(), np.random.default_rng(0)
    standing = measure(camera.depth(*solid("box", (0.012, 0.012, 0.07))), rng)
    lying = measure(camera.depth(*solid("box", (0.07, 0.012, 0.012), 0.06, 0.0)), rng)
    follower = Follower(standing, camera)
    assert follower.cylinder.height == pytest.approx(0.14, abs=0.01)
    found = follower.follow(lying, np.full(camera.shape, np.inf, np.float32))
    assert found.height == pytest.approx(0.024, abs=0.01)
    assert (found.x, found.y) == pytest.approx((0.06, 0.0), abs=0.01)


def test_an_empty_table_is_an_error_at_the_start() -> None:
    camera, rng = Camera(), np.random.default_rng(0)
    with pytest.raises(SimulationError, match="no object is seen"):
        Follower(measure(camera.depth(*solid("sphere", (0.03,), 1.0)), rng), camera)


def test_a_picture_of_another_size_is_refused_and_not_taken_for_nothing_in_view() -> None:
    scenes = Scenes("cylinder", 0)
    follower = Follower(scenes.depth(0.0, 0.0, 0.0), scenes.camera)
    for depth, hand in (
        (np.ones((10, 10), np.float32), scenes.nowhere()),
        (scenes.depth(0.0, 0.0, 0.0), np.ones((10, 10), np.float32)),
    ):
        with pytest.raises(SimulationError, match=r"expected the camera's, \(224, 224\)"):
            follower.follow(depth, hand)


def test_the_hand_is_drawn_as_if_it_stood_alone() -> None:
    camera = Camera()
    alone = camera.hand_depth(*solid("sphere", (0.03,), 1.0, hand="in front"))
    behind = camera.hand_depth(*solid("box", (0.05, 0.01, 0.2), 0.0, -0.3, hand="in front"))
    np.testing.assert_array_equal(alone, behind)
    seen = camera.depth(*solid("sphere", (0.03,), 1.0, hand="in front"))
    there = np.isfinite(alone)
    assert 200 < there.sum() < 0.2 * there.size
    np.testing.assert_allclose(seen[there], alone[there], atol=1e-6)


def test_in_the_lab_it_knows_where_grasps_have_pushed_the_object() -> None:
    """The object's middle, in millimetres from where the robot believes it: before, and after a grasp."""
    stale, now = [], []
    grasps = Grasps(30, camera_size=32)
    for number in range(30):
        lab = grasps.lab(number)
        lab.begin(grasps.object_of(number))
        where, turn = lab.scene.object_pose()
        if abs(np.arccos(np.clip(1 - 2 * (turn[1] ** 2 + turn[2] ** 2), -1, 1))) > 0.3:
            continue  # it lies: its frame is no longer above its middle
        lab.release()
        before, first = lab.found, lab._follower._first.cylinder
        lab.move(lab.embodiment.sample_action(lab.rng))
        lab.close({"force": 12.0})
        after, _ = lab.scene.object_pose()
        pushed = after[:2] - where[:2]
        stale.append(float(np.hypot(*pushed)))
        now.append(float(np.hypot(lab.found.x - before.x - pushed[0], lab.found.y - before.y - pushed[1])))
        assert (first.radius, first.height) == (before.radius, before.height)
    assert np.median(stale) > 0.003
    assert np.median(now) < 0.002
