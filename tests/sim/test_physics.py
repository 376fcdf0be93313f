"""Claims of the lab about the world: weight, friction, grip, fall, and their measurement by a pad."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np
import pytest
from grasp_helpers import solid

from visuotactile.sim.hands.parallel import GraspScene, GripperPose
from visuotactile.sim.objects.grasp_object import GRAVITY


def grip(scene: GraspScene, force: float, *, dx: float = 0, dy: float = 0, z: float | None = None) -> None:
    """Close around the middle of the object, or beside it, along the world's axes."""
    scene.place(0, 0, 0)
    height = scene.obj.rest_height if z is None else z
    scene.approach(GripperPose(dx, dy, height, 0))
    scene.close(force)


@pytest.mark.parametrize("friction", [0.2, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("shape", ["box", "cylinder", "prism", "capsule"])
def test_an_object_is_carried_from_the_force_that_balances_its_weight(shape: str, friction: float) -> None:
    scene = GraspScene(solid(shape, mass=0.3, friction=friction))
    critical = 0.3 * GRAVITY / (2 * friction)
    outcome = {}
    for share in (0.9, 1.1):
        grip(scene, share * critical)
        scene.lift(0.03)
        scene.hold(4)
        outcome[share] = scene.held
    assert outcome == {0.9: False, 1.1: True}


@pytest.mark.parametrize("shape", ["box", "cylinder", "prism", "capsule", "ellipsoid"])
def test_the_pads_shear_carries_the_weight(shape: str) -> None:
    scene = GraspScene(solid(shape, mass=0.35))
    grip(scene, 12, dy=0.004)
    scene.lift(0.05)
    left, right = scene.pads().values()
    assert left.shear[1] < 0
    assert right.shear[1] < 0
    assert left.shear[1] + right.shear[1] == pytest.approx(-0.35 * GRAVITY, rel=0.02)
    assert left.normal == pytest.approx(12, rel=0.05)
    assert right.normal == pytest.approx(left.normal, rel=0.02)
    # across, the pads hold each other: u points the other way on the other pad
    assert left.shear[0] == pytest.approx(right.shear[0], abs=0.1)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_grasp_beside_the_centre_of_mass_is_twisted_by_the_weight(side: int) -> None:
    scene = GraspScene(solid("beam", mass=0.1, friction=0.9))
    grip(scene, 20, dy=-side * 0.03)
    scene.lift(0.05)
    assert scene.held
    left, right = scene.pads().values()
    # the weight hangs at that side of y and turns it down: about −x for +y; the left pad looks along +x
    assert side * left.torsion < 0 < side * right.torsion
    moment = np.zeros(3)
    for pad in (left, right):
        u, v, n = pad.rotation.T
        force = pad.shear[0] * u + pad.shear[1] * v - pad.normal * n
        at = pad.position + pad.center[0] * u + pad.center[1] * v - scene.object_pose()[0]
        moment += np.cross(at, force) + pad.torsion * n
    # about its centre of mass the object is in balance, so the pads' moments cancel there
    np.testing.assert_allclose(moment, 0, atol=0.02 * 0.1 * GRAVITY * 0.03)


@pytest.mark.parametrize("shape", ["box", "cylinder", "prism", "capsule", "sphere", "ellipsoid"])
@pytest.mark.parametrize(("mass", "force"), [(0.02, 6.0), (0.45, 24.0)])
def test_a_held_object_creeps_less_than_a_millimetre_in_four_seconds(
    shape: str, mass: float, force: float
) -> None:
    scene = GraspScene(solid(shape, mass=mass, friction=0.5))
    grip(scene, force, z=scene.obj.rest_height + 0.004)
    scene.lift(0.05)
    before = scene.object_pose()[0]
    mujoco.mj_step(scene.model, scene.data, nstep=round(4 / scene.model.opt.timestep))
    assert np.abs(scene.object_pose()[0] - before).max() < 0.5e-3


def energy_and_momentum(scene: GraspScene) -> tuple[float, np.ndarray]:
    """Of the object: joules over the table, and kg m/s in the world."""
    obj, data = scene.obj, scene.data
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, data.qpos[9:13])
    turn = rotation.reshape(3, 3)
    arm = turn @ np.array(obj.com)
    spin = data.qvel[9:12]
    velocity = data.qvel[6:9] + np.cross(turn @ spin, arm)
    kinetic = 0.5 * obj.mass * velocity @ velocity + 0.5 * float(np.sum(np.array(obj.inertia) * spin**2))
    return kinetic + obj.mass * GRAVITY * float(data.qpos[8] + arm[2]), obj.mass * velocity


@pytest.mark.parametrize("shape", ["box", "prism", "ellipsoid"])
def test_a_falling_object_keeps_its_energy_and_never_gains_any(shape: str) -> None:
    scene = GraspScene(solid(shape, mass=0.25, com=(0.0, 0.0, -0.006)))
    scene.place(0, 0, 0)
    scene.data.qpos[0] = scene.data.act[0] = 1.0  # the hand stays out of it
    scene.data.qpos[8] += 0.25
    scene.data.qvel[6:] = 0.2, 0, 0, 2.0, 1.0, 3.0
    start, momentum = energy_and_momentum(scene)
    step = scene.model.opt.timestep
    flight = round(0.15 / step)
    energies = []
    for k in range(round(1.5 / step)):
        mujoco.mj_step(scene.model, scene.data)
        energy, now = energy_and_momentum(scene)
        energies.append(energy)
        if k < flight:
            fallen = np.array([0, 0, -0.25 * GRAVITY * (k + 1) * step])
            np.testing.assert_allclose(now - momentum, fallen, atol=0.01 * 0.25 * GRAVITY * flight * step)
    np.testing.assert_allclose(energies[:flight], start, rtol=0.01)
    assert max(energies) < 1.01 * start
    # nor in any later bounce: by 20 ms windows, as the contact keeps some energy for some milliseconds
    windows = [max(energies[k : k + 7]) for k in range(flight, len(energies) - 7, 7)]
    assert all(later < earlier + 0.01 * start for earlier, later in itertools.pairwise(windows))
    assert windows[-1] < 0.6 * start


def success(rng: np.random.Generator, force: float, heights: tuple[float, float], count: int = 40) -> float:
    """Share of random grasps of a tall box (centre of mass at 0.09 m, m·g / 2μ = 3.5 N) that hold."""
    scene = GraspScene(solid("tall", mass=0.25, friction=0.35))
    held = 0
    for _ in range(count):
        scene.place(0, 0, float(rng.uniform(-np.pi, np.pi)))
        x, y = rng.normal(0, 0.006, 2).tolist()
        yaw = float(rng.uniform(-np.pi, np.pi))
        scene.approach(GripperPose(x, y, float(rng.uniform(*heights)), yaw))
        scene.close(force)
        for move in (lambda: scene.lift(0.006), lambda: scene.lift(0.114), scene.shake, scene.hold):
            move()
        held += scene.held
    return held / count


def test_less_force_holds_less_often() -> None:
    rates = [success(np.random.default_rng(1), force, (0.085, 0.14)) for force in (3.2, 4.1, 12.0)]
    assert rates[0] + 0.2 < rates[1]
    assert rates[1] + 0.1 < rates[2]


def test_a_grasp_far_above_the_centre_of_mass_holds_less_often() -> None:
    near = success(np.random.default_rng(2), 4.0, (0.08, 0.10))
    high = success(np.random.default_rng(2), 4.0, (0.15, 0.18))
    assert high + 0.2 < near


def test_a_long_object_held_at_its_end_is_lost_more_easily_than_in_its_middle() -> None:
    scene = GraspScene(solid("beam", mass=0.2, friction=0.5))
    lost_below = {}
    for where in (0.0, 0.06):
        forces = (2.5, 4.0, 6.0, 9.0, 14.0, 20.0)
        held = []
        for force in forces:
            grip(scene, force, dy=where)
            scene.lift(0.1)
            scene.shake()
            scene.hold()
            held.append(scene.held)
        lost_below[where] = next((f for f, h in zip(forces, held, strict=True) if h), 99.0)
    assert lost_below[0.06] > lost_below[0.0]
