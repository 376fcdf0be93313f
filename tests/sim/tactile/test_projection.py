"""The projection of a geom is what MuJoCo's rays meet, and lies the right way round in the picture."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from tactile_helpers import SPHERE_RADIUS, flat_unit, imprint, pad_at, scene

from visuotactile.errors import SimulationError
from visuotactile.sim.rays import cast
from visuotactile.sim.scene import PAD_HALF
from visuotactile.sim.tactile import TactileSensor
from visuotactile.sim.tactile.projection import Projection

ROCK = np.random.default_rng(5).normal(size=(40, 3)) * (0.012, 0.010, 0.011)
MESH = '<asset><mesh name="rock" vertex="' + " ".join(f"{x:.6f}" for x in ROCK.ravel()) + '"/></asset>'
TURNED = 'group="3" quat="0.8 0.3 -0.4 0.33" pos="0.03 0.002 -0.001"'
STANDING = 'group="3" pos="0.03 0.002 -0.001"'
SENSOR = TactileSensor(flat_unit())


@pytest.mark.parametrize("placed", [TURNED, STANDING])
@pytest.mark.parametrize(
    "shape",
    [
        'type="sphere" size="0.011"',
        'type="ellipsoid" size="0.008 0.012 0.005"',
        'type="capsule" size="0.004 0.007"',
        'type="cylinder" size="0.006 0.008"',
        'type="box" size="0.006 0.004 0.009"',
        'type="mesh" mesh="rock"',
    ],
)
def test_every_geom_is_met_where_mujocos_rays_meet_it(shape: str, placed: str) -> None:
    model, data, _ = scene(f"<geom {shape} {placed}/>", around=MESH)
    pad = pad_at((0.0, 0.0, 0.0))
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-PAD_HALF[0], PAD_HALF[0], 300), rng.uniform(-PAD_HALF[1], PAD_HALF[1], 300)
    gap = Projection(model, data, 0, pad).gap(u, v)
    for at_u, at_v, met in zip(u, v, gap, strict=True):
        start = pad.position + at_u * pad.rotation[:, 0] + at_v * pad.rotation[:, 1]
        expected = cast(model, data, start, pad.rotation[None, :, 2], (3,)).distance[0]
        if expected < 0 or not np.isfinite(met):
            assert expected < 0, "MuJoCo's ray met it, ours did not"
            assert not np.isfinite(met), "ours met it, MuJoCo's ray did not"
        else:
            assert met == pytest.approx(expected, abs=1e-6)
    assert 30 < np.isfinite(gap).sum() < 300 or "sphere" in shape or "mesh" in shape


def test_leaving_out_far_faces_changes_nothing() -> None:
    model, data, _ = scene(f'<geom type="mesh" mesh="rock" {TURNED}/>', around=MESH)
    geom = Projection(model, data, 0, pad_at((0.0, 0.0, 0.0)))
    u, v = (a.ravel() for a in np.meshgrid(SENSOR.grid.coarse_u[10:20], SENSOR.grid.coarse_v[12:20]))
    fine_u, fine_v = (a.ravel() for a in np.meshgrid(SENSOR.grid.u[40:80], SENSOR.grid.v[48:80]))
    narrowed = geom.narrowed(u, v)
    assert len(narrowed._entries) < len(geom._entries)
    np.testing.assert_allclose(narrowed.gap(fine_u, fine_v), geom.gap(fine_u, fine_v), rtol=1e-12)


@pytest.mark.parametrize("yaw", [0.0, np.pi, 0.7])
def test_what_is_right_of_the_pad_is_right_in_the_picture_and_what_is_above_is_above(yaw: float) -> None:
    pad = pad_at((0.0, 0.0, 0.0), yaw=yaw)
    x, y, z = pad.rotation @ np.array([0.006, 0.004, SPHERE_RADIUS])
    geom = f'<geom type="sphere" size="{SPHERE_RADIUS}" pos="{x} {y} {z}" group="3"/>'
    depth = imprint(SENSOR, geom, pad)
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    pixel = SENSOR.grid.pixel
    assert column == pytest.approx(79.5 + 0.006 / pixel, abs=1)
    assert row == pytest.approx(59.5 - 0.004 / pixel, abs=1)


def test_only_the_object_is_seen() -> None:
    alone = f'<geom type="sphere" size="{SPHERE_RADIUS}" group="3"/>'
    finger = '<geom type="box" size="0.002 0.02 0.02" pos="-0.014 0 0" group="1"/>'
    pad = pad_at((-SPHERE_RADIUS, 0.0, 0.0))
    np.testing.assert_array_equal(imprint(SENSOR, alone + finger, pad), imprint(SENSOR, alone, pad))


def test_what_reaches_past_the_finger_is_not_pressed_in() -> None:
    beside = '<geom type="box" size="0.02 0.001 0.02" pos="0 0.010 0" group="3"/>'
    sphere = f'<geom type="sphere" size="{SPHERE_RADIUS}" group="3"/>'
    pad = pad_at((-SPHERE_RADIUS, 0.0, 0.0))
    np.testing.assert_allclose(
        imprint(SENSOR, sphere + beside, pad), imprint(SENSOR, sphere, pad), atol=1e-12
    )


def test_many_small_parts_and_one_large_part_agree() -> None:
    # A box cut into 24 boxes is the same box: no seam, nothing met twice.
    whole = '<geom type="box" size="0.01 0.006 0.004" group="3" euler="0 0 8"/>'
    model, data, body = scene(whole)
    cut = "".join(
        f'<geom type="box" size="0.01 0.001 0.001" pos="0 {y} {z}" group="3"/>'
        for y in np.arange(-0.005, 0.006, 0.002)
        for z in np.arange(-0.003, 0.004, 0.002)
    )
    pad = pad_at((-0.0105, 0.0, 0.0), yaw=np.radians(-8.0))
    straight = imprint(SENSOR, '<geom type="box" size="0.01 0.006 0.004" group="3"/>', pad)
    np.testing.assert_allclose(imprint(SENSOR, cut, pad), straight, atol=1e-9)
    assert SENSOR.indentation(model, data, pad_at((-0.0105, 0.0, 0.0)), None, body, None).max() > 0


def test_a_geom_that_no_gripper_holds_is_refused_by_name() -> None:
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom name="floor" type="plane" size="1 1 1" group="3"/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    with pytest.raises(SimulationError, match=r"floor.*mjGEOM_PLANE"):
        Projection(model, data, 0, pad_at((0.0, 0.0, 0.0)))
