"""The model: who touches whom, with which friction, and where the pads are."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from grasp_helpers import PARTS, solid

from visuotactile.sim.contact import read_pad
from visuotactile.sim.hands.parallel import GraspScene, GripperPose
from visuotactile.sim.scene import OPENING, PAD_HALF, Appearance, build_model


def grasp(scene: GraspScene, force: float = 8.0, yaw: float = 0.0) -> GraspScene:
    scene.place(0, 0, 0)
    height = float(scene.object_pose()[0][2])
    scene.approach(GripperPose(0, 0, height, yaw))
    scene.close(force)
    return scene


def pairs(scene: GraspScene) -> dict[frozenset[str], float]:
    """Names of two geoms in contact → sliding friction between them."""
    contacts = scene.data.contact
    return {
        frozenset(scene.model.geom(int(g)).name for g in geoms): float(friction[0])
        for geoms, friction in zip(contacts.geom, contacts.friction, strict=True)
    }


def test_each_camera_and_each_gel_finds_its_geoms_in_their_groups() -> None:
    model = build_model(solid("box"), table_friction=0.6, pad_friction_scale=1.0)
    group = {model.geom(i).name: int(model.geom_group[i]) for i in range(model.ngeom)}
    assert group["table"] == 0
    assert {group[n] for n in ("palm", "flange", "housing_left", "bar_right")} == {1}
    assert group["pad_left"] == group["pad_right"] == 2
    assert group["object/0"] == 3
    assert all((name.startswith("sweep_")) == (g == 4) for name, g in group.items())


@pytest.mark.parametrize("friction", [0.2, 1.0])
def test_the_friction_under_a_pad_is_the_objects_and_on_the_table_the_tables(friction: float) -> None:
    scene = grasp(GraspScene(solid("box", friction=friction), table_friction=0.45))
    found = pairs(scene)
    assert found[frozenset(("pad_left", "object/0"))] == pytest.approx(friction)
    assert found[frozenset(("pad_right", "object/0"))] == pytest.approx(friction)
    assert found[frozenset(("table", "object/0"))] == pytest.approx(0.45)


def test_a_worn_gel_has_a_share_of_the_friction() -> None:
    scene = grasp(GraspScene(solid("box", friction=0.8), pad_friction_scale=0.5))
    assert pairs(scene)[frozenset(("pad_left", "object/0"))] == pytest.approx(0.4)


def test_what_is_soft_resists_a_twist_more() -> None:
    twist = {}
    for stiffness in (None, 1000.0):
        model = build_model(solid("box", stiffness=stiffness), table_friction=0.6, pad_friction_scale=1.0)
        twist[stiffness] = model.geom("pad_left").friction[1]
    assert twist[1000.0] == pytest.approx(2 * twist[None])


def test_fingers_closed_on_nothing_do_not_push_each_other_or_the_table() -> None:
    scene = GraspScene(solid("box"))
    scene.place(0, 0, 0)
    scene.approach(GripperPose(0.3, 0, 0, 0))
    scene.close(20)
    assert all("object/0" in pair for pair in pairs(scene))
    assert float(scene.data.qpos[4]) == pytest.approx(OPENING / 2, abs=1e-3)


@pytest.mark.parametrize("yaw", [0.0, 1.1, -2.5])
def test_pads_look_at_each_other_with_up_as_v(yaw: float) -> None:
    scene = GraspScene(solid("sphere"))
    scene.place(0, 0, 0)
    scene.approach(GripperPose(0.3, 0.1, 0.15, yaw))
    pads = scene.pads()
    for pad in pads.values():
        u, v, n = pad.rotation.T
        np.testing.assert_allclose(np.cross(u, v), n, atol=1e-12)
        np.testing.assert_allclose(v, [0, 0, 1], atol=1e-12)
    left, right = pads["left"], pads["right"]
    np.testing.assert_allclose(left.rotation[:, 2], [np.cos(yaw), np.sin(yaw), 0], atol=1e-12)
    np.testing.assert_allclose(right.position - left.position, OPENING * left.rotation[:, 2], atol=1e-9)
    np.testing.assert_allclose((left.position + right.position) / 2, [0.3, 0.1, 0.15], atol=1e-9)


def test_the_pads_box_is_the_gels_window() -> None:
    model = build_model(solid("box"), table_friction=0.6, pad_friction_scale=1.0)
    np.testing.assert_allclose(model.geom("pad_left").size[1:], PAD_HALF)


def test_only_contacts_of_the_pad_count_and_its_center_is_where_they_are() -> None:
    scene = GraspScene(solid("sphere", friction=1.0))
    scene.place(0, 0, 0)
    scene.approach(GripperPose(0, 0.004, 0.033, 0))
    scene.close(6)
    pad = scene.pads()["left"]
    # the ball's side is 4 mm behind and 3 mm below the middle of the window; u is the world's y
    np.testing.assert_allclose(pad.center, [-0.004, -0.003], atol=2e-4)
    palm = read_pad(scene.model, scene.data, scene.model.geom("palm").id, 1.0)
    assert palm.normal == 0
    assert not palm.shear.any()


def test_painting_changes_the_colours_and_nothing_else() -> None:
    scene = GraspScene(solid("box"))
    before = scene.model.geom_rgba.copy()
    colors = Appearance(table=(1, 0, 0), hand=(0, 1, 0), finger=(0, 0, 1), pad=(1, 1, 0))
    scene.paint(colors)
    color = {scene.model.geom(i).name: tuple(scene.model.geom_rgba[i][:3]) for i in range(scene.model.ngeom)}
    assert color["table"] == colors.table
    assert color["palm"] == color["flange"] == colors.hand
    assert color["bar_left"] == color["housing_right"] == colors.finger
    assert color["pad_right"] == colors.pad
    assert color["object/0"] == PARTS["box"].color
    scene.paint(Appearance())
    np.testing.assert_array_equal(scene.model.geom_rgba, before)


def test_the_open_hand_weighs_nothing_on_its_drives() -> None:
    scene = GraspScene(solid("box"))
    scene.place(0, 0, 0)
    scene.approach(GripperPose(0.2, 0, 0.2, 0.4))
    mujoco.mj_step(scene.model, scene.data, nstep=500)
    np.testing.assert_allclose(scene.data.qpos[:4], [0.2, 0, 0.2, 0.4], atol=1e-5)
