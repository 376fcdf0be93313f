"""The hand of fingers: kinematics as published, force from position, and the rules of a trial."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from visuotactile.errors import ContractError, SimulationError
from visuotactile.sim.finger_lab import FingerLab, laboratory
from visuotactile.sim.hands.fingers import (
    ACTIVE,
    BEFORE,
    HEIGHTS,
    JOINTS,
    LEAST,
    PRESET,
    PRESS,
    SPREAD,
    FingerScene,
    WristPose,
)
from visuotactile.sim.objects.fragile import make_fragile
from visuotactile.sim.sound import TORQUE

MIDDLE = WristPose(0.0, 0.0, 0.015, 0.0)


@pytest.fixture(scope="module")
def scene() -> FingerScene:
    return FingerScene(make_fragile("toy"))


def gap(scene: FingerScene, joints: np.ndarray) -> float:
    """Distance of the pads' faces in the plane of the fingers, m; below 0 they would cross."""
    model, data = scene.model, scene.data
    mujoco.mj_resetData(model, data)
    for number, angle in zip(ACTIVE, joints, strict=True):
        data.qpos[model.joint(f"joint_{number}").qposadr[0]] = angle
    mujoco.mj_kinematics(model, data)
    middle, thumb = (data.site(f"tip_{finger}").xpos for finger in ("middle", "thumb"))
    assert abs(middle[1] - thumb[1]) < 0.004  # they meet in one plane
    return float(middle[0] - thumb[0])


@pytest.mark.parametrize(("pose", "apart"), [(LEAST, 65), (PRESET, 33), (LEAST + SPREAD, -31), (BEFORE, 160)])
def test_pads_are_as_far_apart_as_the_published_kinematics_say(
    scene: FingerScene, pose: np.ndarray, apart: float
) -> None:
    assert 1e3 * gap(scene, pose) == pytest.approx(apart, abs=2)


def squeezed(scene: FingerScene, share: float) -> tuple[float, float, float]:
    """Position error (m), force on a pad (N) and greatest torque (N m) of a centred grasp of the toy."""
    scene.place(0, 0, 0, lying=False)
    scene.approach(MIDDLE)
    scene.close(LEAST + share * SPREAD, PRESS)
    force = np.mean([pad.normal for pad in scene.pads().values()])
    return scene.position_error(), float(force), float(np.abs(scene.data.actuator_force[4:]).max())


def test_force_is_linear_in_the_position_error_until_the_torque_saturates(scene: FingerScene) -> None:
    error, force, torque = np.array([squeezed(scene, share) for share in (0.2, 0.35, 0.5, 0.65, 1.0)]).T
    assert (torque[:4] < TORQUE).all()
    assert torque[4] == pytest.approx(TORQUE, rel=1e-3)
    slope, start = np.polyfit(error[:4], force[:4], 1)
    np.testing.assert_allclose(slope * error[:4] + start, force[:4], atol=0.06)
    assert force[4] < 0.75 * (slope * error[4] + start)


def test_harder_grasps_hold_and_the_least_pose_lifts_nothing(scene: FingerScene) -> None:
    held = []
    for share in (0.0, 0.4, 0.6):
        squeezed(scene, share)
        scene.lift()
        held.append(scene.held)
    assert held == [False, True, True]


def test_eleven_joints_stay_where_they_are(scene: FingerScene) -> None:
    squeezed(scene, 0.5)
    still = [number for number in range(JOINTS) if number not in ACTIVE]
    np.testing.assert_array_equal(scene.observed()[still], scene.commanded()[still])
    assert (np.abs(scene.observed() - scene.commanded())[list(ACTIVE)] > 1e-3).any()


def test_the_open_hand_reaches_every_height_without_jamming_on_the_table(scene: FingerScene) -> None:
    scene.place(0.2, 0, 0, lying=False)
    for z in HEIGHTS:
        scene.approach(WristPose(0, 0, z, 0))
        scene.close(BEFORE, 0.3)
        assert scene.position_error() < 1e-3


def test_a_thing_that_only_stands_is_not_laid_down() -> None:
    scene = FingerScene(make_fragile("tomato-01"))
    with pytest.raises(SimulationError, match="tomato-01 does not lie"):
        scene.place(0, 0, 0, lying=True)


def begun(seed: int, *, rendered: bool = False) -> FingerLab:
    lab = FingerLab(laboratory(0), np.random.default_rng(seed), camera_size=32, rendered=rendered, scenes={})
    lab.begin("toy", lying=False)
    return lab


def test_pictures_change_nothing_about_a_trial() -> None:
    seen, unseen = begun(3, rendered=True), begun(3)
    action = seen.embodiment.sample_action(np.random.default_rng(0))
    for lab in (seen, unseen):
        lab.observe()
        lab.regrasp(action)
    assert seen.lift() == unseen.lift()
    assert seen.measurements() == unseen.measurements()
    np.testing.assert_array_equal(seen.sound, unseen.sound)


def test_the_wrist_stays_between_its_heights() -> None:
    lab = begun(1)
    down = {**lab.embodiment.stay(lab.embodiment.sample_hand(lab.rng)), "dz": -0.01}
    for _ in range(3):
        lab.regrasp(down, lifts=False)
    assert lab.pose.z == pytest.approx(HEIGHTS[0])
    with pytest.raises(ContractError, match="dz"):
        lab.regrasp({**down, "dz": -0.02})


def test_the_sound_of_a_grasp_that_is_lifted_is_kept_from_the_policy() -> None:
    lab = begun(2)
    stay = lab.embodiment.stay(lab.embodiment.sample_hand(lab.rng))
    first = lab.first
    lab.regrasp(stay, lifts=False)
    again = lab.first
    assert not np.array_equal(first, again)
    lab.regrasp(stay)
    assert lab.first is again
