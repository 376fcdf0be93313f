"""Depth is geometry, light falls as it should, and the shortcuts that make pictures quick change no pixel."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import numpy.typing as npt
import pytest
from sim_scenes import solid

from visuotactile.sim.hands.parallel import GraspScene, GripperPose
from visuotactile.sim.objects import make_object
from visuotactile.sim.rays import cast
from visuotactile.sim.vision import film
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.light import Solids, Wide
from visuotactile.sim.vision.variation import Table, Variation
from visuotactile.sim.vision.window import Window

FAR_AWAY = ("sphere", (0.02,), 3.0, 0.0)
QUIET = Variation(noise=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every ray, and develop every pixel."""

    def everywhere(self: Solids, origins: Wide, rays: Wide, own: object = None) -> tuple[Wide, Wide]:
        mask = np.ones((*rays.shape[:-2], rays.shape[-1]), bool)
        return mask, mask

    monkeypatch.setattr(Solids, "near", everywhere)
    monkeypatch.setattr(Camera, "_boxes", lambda self, corners: np.ones(self.shape, bool))
    monkeypatch.setattr(Window, "grown", lambda self, margin, shape: Window(0, shape[0], 0, shape[1]))


@pytest.fixture(params=["nominal", "drawn"])
def camera(request: pytest.FixtureRequest) -> Camera:
    return Camera(variation=Variation() if request.param == "nominal" else Variation.draw(rng(5)))


def test_the_table_is_a_plane_at_zero_and_the_wall_one_at_its_distance(camera: Camera) -> None:
    points = camera.points(camera.depth(*solid(*FAR_AWAY)))
    on_table = np.abs(points[..., 2]) < 1e-5
    on_wall = np.abs(points[..., 1] - camera.variation.wall_y) < 1e-5
    assert (on_table | on_wall).all()
    assert on_table.mean() > 0.4
    assert on_wall.any()
    assert (points[..., 2] > -1e-5).all()
    assert (points[..., 1] < camera.variation.wall_y + 1e-5).all()


def test_depth_is_what_rays_through_every_pixel_meet(camera: Camera) -> None:
    """Also guards the boxes outside of which no ray is sent."""
    scene = solid("ellipsoid", (0.03, 0.05, 0.04), 0.05, -0.06, yaw=0.7, hand="above")
    depth = camera.depth(*scene)
    steps = (camera.points(np.ones(camera.shape)) - camera.position).reshape(-1, 3)
    length = np.linalg.norm(steps, axis=1)
    hits = cast(*scene, camera.position, steps / length[:, None], (0, 1, 3))
    naive = (hits.distance / length).reshape(camera.shape)
    before_the_wall = camera.points(depth)[..., 1] < camera.variation.wall_y - 1e-4
    np.testing.assert_allclose(depth[before_the_wall], naive[before_the_wall], atol=1e-6)


def test_a_spheres_depth_agrees_with_its_equation(camera: Camera) -> None:
    center, radius = np.array([0.03, -0.02, 0.05]), 0.05
    depth = camera.depth(*solid("sphere", (radius,), *center[:2])).astype(float)
    steps = camera.points(np.ones(camera.shape)) - camera.position
    away = camera.position - center
    a, b, c = (steps**2).sum(-1), 2 * steps @ away, away @ away - radius**2
    inside = b * b - 4 * a * c
    met = inside > 0
    np.testing.assert_allclose(depth[met], (-b[met] - np.sqrt(inside[met])) / (2 * a[met]), atol=1e-6)
    assert met.sum() > 1000
    on_sphere = np.abs(np.linalg.norm(camera.points(depth) - center, axis=-1) - radius) < 1e-5
    np.testing.assert_array_equal(on_sphere[met], True)


def test_projection_undoes_deprojection(camera: Camera) -> None:
    depth = rng().uniform(0.5, 2, camera.shape)
    places, again = camera.project(camera.points(depth))
    rows, columns = np.mgrid[: camera.shape[0], : camera.shape[1]]
    np.testing.assert_allclose(places, np.stack([rows, columns], axis=-1), atol=1e-9)
    np.testing.assert_allclose(again, depth, atol=1e-12)


def test_right_is_right_up_is_up_and_far_is_far() -> None:
    places, depth = Camera().project(np.array([[0, 0, 0.1], [0.05, 0, 0.1], [0, 0, 0.15], [0, 0.05, 0.1]]))
    assert places[1, 1] > places[0, 1]
    assert places[2, 0] < places[0, 0]
    assert depth[3] > depth[0]


@pytest.mark.parametrize("azimuth", [-2.6, -0.5, 0.0, 2.8])
def test_a_box_throws_its_shadow_away_from_the_lamp(azimuth: float) -> None:
    lamp = (0.9 * np.cos(azimuth), 0.9 * np.sin(azimuth), 1.1)
    camera = Camera(variation=replace(QUIET, lamp=lamp))
    scene = solid("box", (0.02, 0.02, 0.04))
    lit, shaded = (camera.render(*s, rng())[0].astype(float).mean(-1) for s in (solid(*FAR_AWAY), scene))
    points = camera.points(camera.depth(*scene))
    on_table = np.abs(points[..., 2]) < 1e-4
    darker = np.where(on_table, lit - shaded, 0).clip(15, None) - 15
    x, y = (darker[..., None] * points[..., :2]).sum((0, 1)) / darker.sum()
    shadow = np.array([x, y]) / np.hypot(x, y)
    assert shadow @ [np.cos(azimuth), np.sin(azimuth)] < -0.9
    # A lamp at this height throws the shadow of the top as far as the law of the lever has it.
    tip = 0.08 * 0.9 / (1.1 - 0.08) + 0.02
    assert (points[..., :2][darker > 10] @ shadow).max() == pytest.approx(tip, abs=0.02)


def test_the_shadow_is_where_a_ray_to_the_lamp_is_blocked() -> None:
    """Guards the half resolution and the cones outside of which no ray is sent."""
    camera = Camera(variation=replace(QUIET, ambient=0.0, table=Table(kind="plain")))
    scene = solid("cylinder", (0.03, 0.06), hand="above")
    picture = camera.render(*scene, rng())[0].mean(-1)
    points = camera.points(camera.depth(*scene)).reshape(-1, 3)
    on_table = np.flatnonzero(np.abs(points[:, 2]) < 1e-5)
    blocked = []
    for i in on_table:
        ray = np.asarray(camera.variation.lamp) - points[i]
        start = points[i] + 1e-4 * ray
        hits = cast(*scene, start, ray[None] / np.linalg.norm(ray), (1, 3))
        blocked.append(hits.geom[0] >= 0)
    dark = picture.ravel()[on_table] < 60
    assert 0.01 < np.mean(blocked) < 0.3
    assert np.mean(dark == np.array(blocked)) > 0.98


def test_the_side_that_faces_the_lamp_is_brighter() -> None:
    for x in (-1.0, 1.0):
        camera = Camera(variation=replace(QUIET, lamp=(x, -0.3, 0.8)))
        picture = camera.render(*solid("sphere", (0.05,)), rng())[0].astype(float).sum(-1)
        rows, columns = np.rint(camera.project(np.array([[-0.03, -0.02, 0.06], [0.03, -0.02, 0.06]]))[0]).T
        left, right = picture[rows.astype(int), columns.astype(int)]
        assert (right - left) * x > 60


@pytest.mark.parametrize("hand", ["none", "above", "in front"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shortcuts_change_no_pixel(seed: int, hand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes and cones only leave out rays that meet nothing."""
    variation = replace(Variation.draw(rng(seed)), noise=0.0)
    scene = solid("box", (0.02, 0.035, 0.05), 0.04, -0.03, yaw=seed, hand=hand)
    quick, quick_depth = Camera((96, 120), variation).render(*scene, rng())
    without_shortcuts(monkeypatch)
    naive, naive_depth = Camera((96, 120), variation).render(*scene, rng())
    np.testing.assert_array_equal(quick, naive)
    np.testing.assert_array_equal(quick_depth, naive_depth)


def test_a_real_grasp_looks_the_same_without_the_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = GraspScene(make_object("mug-01"))
    scene.place(0.02, -0.01, 0.5)
    scene.approach(GripperPose(0.02, -0.01, 0.05, 0.8))
    quick, _ = Camera(variation=QUIET).render(scene.model, scene.data, rng())
    without_shortcuts(monkeypatch)
    np.testing.assert_array_equal(quick, Camera(variation=QUIET).render(scene.model, scene.data, rng())[0])


def test_a_solid_without_bounds_is_drawn() -> None:
    """A plane in the hand's group has no box and no sphere."""
    model, data = solid("sphere", (0.03,))
    model.geom_group[0] = 1
    camera = Camera(variation=QUIET)
    assert np.isfinite(camera.depth(model, data)).all()
    assert camera.render(model, data, rng())[0].std() > 0


def test_the_same_seed_gives_the_same_bytes() -> None:
    scene = solid("cylinder", (0.03, 0.05), hand="above")
    variation = Variation.draw(rng(3))
    pictures = [Camera(variation=variation).render(*scene, rng(seed)) for seed in (7, 7, 8)]
    for same in (0, 1):
        assert pictures[0][same].tobytes() == pictures[1][same].tobytes()
        assert pictures[0][same].tobytes() != pictures[2][same].tobytes()


def test_a_picture_leaves_no_trace_in_the_next() -> None:
    camera, scene = Camera(variation=QUIET), solid("cylinder", (0.03, 0.05), hand="above")
    first, _ = camera.render(*scene, rng())
    camera.render(*solid("box", (0.05, 0.02, 0.03), 0.05, 0.0), rng())
    np.testing.assert_array_equal(camera.render(*scene, rng())[0], first)


def test_noise_is_as_strong_as_it_says_and_around_zero() -> None:
    scene = solid(*FAR_AWAY)
    quiet, noisy = (
        Camera(variation=replace(QUIET, noise=noise)).render(*scene, rng())[0].astype(float)
        for noise in (0.0, 0.015)
    )
    assert (noisy - quiet).std() == pytest.approx(0.015 * 255, rel=0.05)
    assert (noisy - quiet).mean() == pytest.approx(0, abs=0.05)


def test_a_camera_sees_what_has_moved_since_its_last_picture() -> None:
    """It keeps what it saw, so as not to send its rays twice at the same state."""
    camera, (model, data) = Camera(variation=QUIET), solid("box", (0.03, 0.02, 0.04))
    first = camera.depth(model, data)
    np.testing.assert_array_equal(camera.depth(model, data), first)
    data.geom_xpos[1] += (0.001, 0, 0)
    moved = camera.depth(model, data)
    assert (moved != first).any()
    np.testing.assert_array_equal(moved, Camera(variation=QUIET).depth(model, data))


def test_variations_make_different_pictures() -> None:
    scene = solid("cylinder", (0.03, 0.05))
    generator = rng()
    pictures = [
        Camera((56, 56), Variation.draw(generator)).render(*scene, rng())[0].astype(float) for _ in range(12)
    ]
    for i, one in enumerate(pictures):
        assert 15 < one.mean() < 240
        assert all(np.abs(one - other).mean() > 5 for other in pictures[:i])


def test_the_hand_hides_what_is_behind_it() -> None:
    camera = Camera(variation=QUIET)
    target = np.array([0.0, 0.0, 0.03])
    (row, column), depth = camera.project(target)
    at = round(float(row)), round(float(column))
    for hand, hidden in (("none", False), ("above", False), ("in front", True)):
        scene = solid("sphere", (0.03,), hand=hand)
        red, _, blue = camera.render(*scene, rng())[0][at].astype(int)
        assert (blue > red) == hidden
        assert (camera.depth(*scene)[at] < depth - 0.1) == hidden


def test_an_object_out_of_view_changes_nothing() -> None:
    camera = Camera(variation=QUIET)
    empty = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom type='plane' size='1 1 1'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(empty)
    mujoco.mj_kinematics(empty, data)
    for place in ((3.0, 0.0), (0.0, -2.0)):  # beside, and behind the camera
        scene = solid("sphere", (0.02,), *place)
        np.testing.assert_array_equal(camera.render(empty, data, rng())[0], camera.render(*scene, rng())[0])


def test_an_object_has_the_colour_of_its_geom() -> None:
    camera = Camera(variation=QUIET)
    row, column = np.rint(camera.project(np.array([0.0, -0.03, 0.03]))[0]).astype(int)
    for channel in range(3):
        rgb = tuple(0.8 if i == channel else 0.2 for i in range(3))
        picture = camera.render(*solid("box", (0.03, 0.03, 0.03), rgb=rgb), rng())[0]
        assert picture[row, column].argmax() == channel


def test_edges_are_nearer_to_a_finer_picture_than_unmixed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(QUIET, wall=(0.9, 0.9, 0.9), table=Table(kind="plain", color=(0.9, 0.9, 0.9)))
    scene = solid("box", (0.03, 0.03, 0.05), rgb=(0.05, 0.05, 0.05), yaw=0.4)
    monkeypatch.setattr(film, "_SPILL", np.float32(0))

    def light(rows: int) -> npt.NDArray[np.float64]:
        picture = Camera((rows, rows), plain).render(*scene, rng())[0] / 255
        return -np.log1p(-(picture**2)) / 1.6

    finer = light(480).reshape(96, 5, 96, 5, 3).mean((1, 3))
    mixed = light(96)
    monkeypatch.setattr(Camera, "_smooth", lambda *args: None)
    rough = light(96)
    edge = (mixed != rough).any(-1)
    assert 40 < edge.sum() < 400
    assert np.abs(mixed - finer)[edge].mean() < 0.5 * np.abs(rough - finer)[edge].mean()


@pytest.mark.parametrize("shape", [(32, 32), (61, 83), (120, 160)])
def test_pictures_have_any_shape(shape: tuple[int, int]) -> None:
    rgb, depth = Camera(shape).render(*solid("sphere", (0.03,)), rng())
    assert rgb.shape == (*shape, 3)
    assert rgb.dtype == np.uint8
    assert depth.shape == shape
    assert depth.dtype == np.float32
