"""The cylinder around an object is where the object is, from one noisy depth image, in any laboratory."""

from __future__ import annotations

import numpy as np
import pytest
from sim_scenes import solid

from visuotactile.errors import SimulationError
from visuotactile.sim.hands.parallel import GraspScene
from visuotactile.sim.objects import make_object
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.kinect import measure
from visuotactile.sim.vision.locate import Cylinder, enclose, surface
from visuotactile.sim.vision.variation import Variation

OBJECTS = 25


def fit_cylinder(depth: np.ndarray, camera: Camera) -> Cylinder:
    """As an episode begins: the largest thing in view, enclosed."""
    return enclose(surface(depth, camera, whole=True), camera)


def fits(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Error of the centre, of the height and of the radius, m, for objects of random size and place."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(OBJECTS):
        a, b = rng.uniform(0.015, 0.04, 2)
        half = rng.uniform(0.02, 0.09)
        size, radius = {
            "cylinder": ((a, half), a),
            "box": ((a, b, half), float(np.hypot(a, b))),
            "ellipsoid": ((a, b, half / 2), max(a, b)),
            "sphere": ((a,), a),
        }[kind]
        x, y, yaw = rng.uniform([-0.08, -0.08, -np.pi], [0.08, 0.08, np.pi])
        camera = Camera(variation=Variation.draw(rng))
        found = fit_cylinder(measure(camera.depth(*solid(kind, size, x, y, yaw=yaw)), rng), camera)
        height = 2 * size[-1]
        rows.append((np.hypot(found.x - x, found.y - y), found.height - height, found.radius - radius))
    centre, height, radius = np.array(rows).T
    return centre, height, radius


@pytest.mark.parametrize(
    ("kind", "within"), [("cylinder", 0.006), ("sphere", 0.009), ("box", 0.01), ("ellipsoid", 0.01)]
)
def test_the_axis_is_found_within_millimetres(kind: str, within: float) -> None:
    centre, height, radius = fits(kind)
    assert centre.max() < within
    assert np.median(centre) < 0.004
    assert np.abs(height).max() < 0.004
    assert np.abs(radius).max() < 0.009


def test_it_is_not_drawn_to_the_side_from_which_it_looks() -> None:
    rng, camera = np.random.default_rng(1), Camera()
    for y in (-0.07, 0.0, 0.07):
        found = fit_cylinder(measure(camera.depth(*solid("cylinder", (0.035, 0.04), 0.03, y)), rng), camera)
        assert found.x == pytest.approx(0.03, abs=0.002)
        assert found.y == pytest.approx(y, abs=0.004)


def test_more_of_a_cylinder_makes_a_larger_one() -> None:
    rng, camera = np.random.default_rng(1), Camera()

    def fit(radius: float, half: float) -> Cylinder:
        return fit_cylinder(measure(camera.depth(*solid("cylinder", (radius, half))), rng), camera)

    assert fit(0.04, 0.04).radius > fit(0.03, 0.04).radius + 0.007
    assert fit(0.03, 0.06).height > fit(0.03, 0.04).height + 0.035


@pytest.mark.parametrize("name", ["mug-01", "bottle-02", "lemon-01", "soup-can", "rubber-duck", "hammer-01"])
def test_everyday_objects_are_found_under_the_waiting_hand(name: str) -> None:
    rng = np.random.default_rng(2)
    scene = GraspScene(make_object(name))
    for _ in range(3):
        x, y, yaw = rng.uniform([-0.06, -0.06, -np.pi], [0.06, 0.06, np.pi])
        scene.place(x, y, yaw)
        camera = Camera(variation=Variation.draw(rng))
        _, depth = camera.render(scene.model, scene.data, rng)
        found = fit_cylinder(depth, camera)
        assert np.hypot(found.x - x, found.y - y) < 0.015
        assert found.height == pytest.approx(scene.obj.height, abs=0.006)


def test_holes_and_strays_do_not_move_it() -> None:
    rng, camera = np.random.default_rng(3), Camera()
    depth = measure(camera.depth(*solid("cylinder", (0.035, 0.05), 0.02, 0.01)), rng)
    hurt = np.where(rng.random(depth.shape) < 0.05, 0, depth)
    stray = rng.random(depth.shape) < 0.002
    hurt[stray] = rng.uniform(0.6, 0.9, int(stray.sum()))
    found = fit_cylinder(hurt, camera)
    assert np.hypot(found.x - 0.02, found.y - 0.01) < 0.008
    assert found.height == pytest.approx(0.1, abs=0.006)


def test_nothing_on_the_table_is_an_error_that_says_so() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        camera = Camera(variation=Variation.draw(rng))
        with pytest.raises(SimulationError, match="no object is seen"):
            fit_cylinder(measure(camera.depth(*solid("sphere", (0.03,), 1.0)), rng), camera)


def test_a_hand_that_waits_above_is_no_object() -> None:
    camera = Camera()
    depth = camera.depth(*solid("sphere", (0.03,), 1.0, hand="waiting"))
    assert (np.abs(camera.points(depth)[..., 2] - 0.29) < 0.02).sum() > 500
    with pytest.raises(SimulationError, match="no object is seen"):
        fit_cylinder(depth, camera)


def test_depth_of_another_camera_is_refused() -> None:
    with pytest.raises(SimulationError, match="shape"):
        fit_cylinder(np.ones((100, 100), np.float32), Camera())
