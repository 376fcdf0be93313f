"""The catalogue: what is in it stands, can be grasped, and is the same everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import mujoco
import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.sim import rays
from visuotactile.sim.objects import GraspObject, make_object, object_names
from visuotactile.sim.objects.catalogue import CRITICAL_FORCE
from visuotactile.sim.objects.grasp_object import GRAVITY
from visuotactile.sim.objects.mjcf import OBJECT_GROUP, add_object

SETS = ("train", "easy", "hard")
OBJECTS = {name: make_object(name) for which in SETS for name in object_names(which)}
OPENING, PAD_HALF_WIDTH = 0.090, 0.012  # m, of the gripper


@cache
def on_a_table(obj: GraspObject) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.002
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    contact = {"condim": 4, "friction": [0.6, 0.005, 0.0001], "solref": [0.01, 1]}
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], **contact)
    add_object(spec, obj, contact=contact)
    return spec.compile()


def span(
    model: mujoco.MjModel, data: mujoco.MjData, yaw: float, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Reach of the object to either side [heights] along the hand's x, within a finger's width."""
    across = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    along = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    offsets = np.linspace(-PAD_HALF_WIDTH, PAD_HALF_WIDTH, 5)
    targets = heights[:, None, None] * [0, 0, 1] + offsets[None, :, None] * along
    reached = []
    for side in (1, -1):
        # From afar, so that the rays are nearly parallel.
        origin = side * 5.0 * across + [0, 0, float(heights.mean())]
        way = targets.reshape(-1, 3) - origin
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        hits = rays.cast(model, data, origin, way, (OBJECT_GROUP,))
        depth = np.where(hits.geom >= 0, side * (origin + hits.distance[:, None] * way) @ across, -np.inf)
        reached.append(depth.reshape(len(heights), -1).max(axis=1))
    return reached[0], reached[1]


def test_there_are_hundreds_of_training_objects_and_eleven_in_either_test_set() -> None:
    assert len(object_names("train")) >= 300
    assert len(object_names("easy")) == len(object_names("hard")) == 11
    assert len(OBJECTS) == sum(len(object_names(which)) for which in SETS)


def test_no_test_object_is_of_a_training_family() -> None:
    seen = {make_object(name).family for name in object_names("train")}
    assert len(seen) > 30
    assert not seen & {make_object(name).family for which in ("easy", "hard") for name in object_names(which)}


def test_everything_is_as_heavy_and_as_large_as_what_a_hand_lifts() -> None:
    for obj in OBJECTS.values():
        assert 0.010 <= obj.mass <= 0.500, obj.name
        assert 0.03 <= obj.height <= 0.18, obj.name
        assert obj.radius <= 0.06, obj.name
        assert 0.15 - 1e-9 <= obj.friction <= 1.3, obj.name


@pytest.mark.parametrize("which", SETS)
def test_the_force_at_which_objects_slip_is_spread_over_the_range_of_their_set(which: str) -> None:
    objects = [OBJECTS[name] for name in object_names(which)]
    forces = np.array([obj.mass * GRAVITY / (2 * obj.friction) for obj in objects])  # m·g = 2μF
    low, high = CRITICAL_FORCE[which]
    assert forces.max() <= high  # gripping forces go up to 25 N: every object can be held
    assert (forces >= low).mean() > 0.5
    assert forces.max() > 2.5 * forces.min()


def test_training_objects_differ_in_weight_and_friction_by_a_factor_of_four() -> None:
    objects = [make_object(name) for name in object_names("train")]
    for values in ([obj.mass for obj in objects], [obj.friction for obj in objects]):
        low, high = np.quantile(values, [0.03, 0.97])
        assert high > 4 * low


def test_everything_fits_between_the_fingers_in_some_direction() -> None:
    for obj in OBJECTS.values():
        model = on_a_table(obj)
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        heights = np.linspace(obj.rest_height, obj.height - 0.001, 6)
        spans = (span(model, data, float(yaw), heights) for yaw in np.arange(12) * np.pi / 12)
        # The pads meet the middle; what is above must pass between the fingers that come down.
        assert any(
            0 < right[0] + left[0] < 0.075 and max(right.max(), left.max()) < OPENING / 2
            for right, left in spans
        ), obj.name


def test_everything_stands_still_where_it_is_put() -> None:
    for obj in OBJECTS.values():
        model = on_a_table(obj)
        data = mujoco.MjData(model)
        mujoco.mj_step(model, data, nstep=250)
        moved = float(np.linalg.norm(data.qpos[:3] - [0, 0, obj.rest_height]))
        tilt = 2 * np.degrees(np.arccos(min(1.0, abs(float(data.qpos[3])))))
        assert moved < 0.002, f"{obj.name} moved by {moved * 1e3:.1f} mm"
        assert tilt < 2, f"{obj.name} leans by {tilt:.1f}°"


def test_everything_stands_again_after_a_nudge() -> None:
    for obj in OBJECTS.values():
        model = on_a_table(obj)
        data = mujoco.MjData(model)
        for axis in ((1.0, 0.0, 0.0), (-0.5, 0.87, 0.0), (-0.5, -0.87, 0.0)):
            mujoco.mj_resetData(model, data)
            mujoco.mju_axisAngle2Quat(data.qpos[3:7], np.array(axis), np.radians(2.0))
            data.qpos[2] += 0.001
            mujoco.mj_step(model, data, nstep=400)
            tilt = 2 * np.arccos(np.clip(np.hypot(data.qpos[3], data.qpos[6]), 0, 1))
            assert np.degrees(tilt) < 1, f"{obj.name} leans by {np.degrees(tilt):.1f}° after a nudge"


def test_the_centre_of_mass_is_inside_and_in_some_objects_off_the_middle() -> None:
    off = 0
    for obj in OBJECTS.values():
        axes = np.eye(3)
        upper = np.max([part.reach(axes) for part in obj.parts], axis=0)
        lower = -np.max([part.reach(-axes) for part in obj.parts], axis=0)
        np.testing.assert_allclose(upper, -lower, atol=1e-12)
        np.testing.assert_allclose(upper[2], obj.rest_height, rtol=1e-12)
        assert (lower < obj.com).all(), obj.name
        assert (obj.com < upper).all(), obj.name
        off += bool(np.hypot(*obj.com[:2]) > 0.004)
    assert off > 15


def test_moments_of_inertia_are_those_of_a_body() -> None:
    for obj in OBJECTS.values():
        a, b, c = sorted(obj.inertia)
        assert a > 0, obj.name
        assert a + b > c, obj.name
        assert c < obj.mass * (obj.height / 2 + obj.radius) ** 2, obj.name


def test_some_objects_give_way_and_about_half_have_relief() -> None:
    soft = [obj for obj in OBJECTS.values() if obj.stiffness is not None]
    assert 0.08 < len(soft) / len(OBJECTS) < 0.15
    assert all(800 <= obj.stiffness <= 8000 for obj in soft if obj.stiffness)
    assert 0.4 < np.mean([obj.relief is not None for obj in OBJECTS.values()]) < 0.7
    kinds = {obj.relief.kind for obj in OBJECTS.values() if obj.relief}
    assert len(kinds) >= 9


def test_two_variations_of_a_family_differ() -> None:
    families: dict[str, set[tuple[float, float, float]]] = {}
    for name in object_names("train"):
        obj = make_object(name)
        families.setdefault(obj.family, set()).add((obj.height, obj.mass, obj.friction))
    assert all(len(found) >= 2 for found in families.values())


def test_an_object_follows_from_its_name_alone() -> None:
    code = (
        "from visuotactile.sim.objects import make_object\n"
        "for name in ('stone-03', 'vase-02'):\n"
        "    obj = make_object(name); print(repr((obj.mass, obj.com, obj.relief, obj.parts[0].pos)))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    hammer = make_object("hammer-02")
    np.testing.assert_allclose(hammer.mass, PINNED["mass"], rtol=1e-9)
    np.testing.assert_allclose(hammer.friction, PINNED["friction"], rtol=1e-9)
    np.testing.assert_allclose(hammer.com, PINNED["com"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(hammer.height, PINNED["height"], rtol=1e-9)


PINNED = {
    "mass": 0.46649891342221395,
    "friction": 0.8238953090395342,
    "com": (0.0, 0.0030923124453158947, -0.03504719081591213),
    "height": 0.0988010571986236,
}


def test_the_body_in_the_model_weighs_what_the_object_weighs() -> None:
    for name in ("hammer-01", "stone-02", "mug-01"):
        obj = make_object(name)
        model = on_a_table(obj)
        body = model.body("object")
        np.testing.assert_allclose(body.mass, obj.mass)
        np.testing.assert_allclose(body.ipos, obj.com)
        # MuJoCo sorts nothing when the axes are the body's own.
        np.testing.assert_allclose(body.inertia, obj.inertia)
        assert model.ngeom == 1 + len(obj.parts)
        assert (model.geom_group[1:] == OBJECT_GROUP).all()
        np.testing.assert_allclose(model.geom_rgba[1, :3], obj.parts[0].color, atol=1e-6)


def test_two_objects_stand_in_one_model_each_where_it_was_put() -> None:
    spec = mujoco.MjSpec()
    for name, x in (("vase-01", -0.1), ("stone-01", 0.1)):
        add_object(spec, make_object(name), name=name, pos=(x, 0.0, 0.2), quat=(0.0, 0.0, 0.0, 1.0))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    np.testing.assert_allclose(data.body("vase-01").xpos, (-0.1, 0, 0.2))
    np.testing.assert_allclose(data.body("stone-01").xpos, (0.1, 0, 0.2))
    assert {model.geom(g).name.split("/")[0] for g in range(model.ngeom)} == {"vase-01", "stone-01"}


def test_names_joined_by_commas_are_a_set_too() -> None:
    assert object_names("mug-03, padlock") == ("mug-03", "padlock")


@pytest.mark.parametrize("wrong", ["hamer-02", "hammer-99"])
def test_an_unknown_name_is_met_with_near_ones(wrong: str) -> None:
    with pytest.raises(DataError, match=f"no object '{wrong}'.*did you mean hammer-0"):
        make_object(wrong)
    with pytest.raises(DataError, match=f"'{wrong}'.*did you mean hammer-0"):
        object_names(f"mug-01,{wrong}")


def test_what_is_like_nothing_is_told_where_to_look_and_a_repeated_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"object_names\('train'\) lists them"):
        make_object("###")
    with pytest.raises(DataError, match="train, easy, hard, or names joined by commas"):
        object_names("")
    with pytest.raises(DataError, match="did you mean easy"):
        object_names("eazy")
    with pytest.raises(DataError, match="give each once"):
        object_names("mug-01,mug-01")
