"""The lab as Gymnasium environments."""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from visuotactile.datasets.spaces import LIFT
from visuotactile.errors import ContractError, SimulationError
from visuotactile.sim import GRASP
from visuotactile.sim.envs import GraspEnv
from visuotactile.sim.session import Session

STAY_AND_LIFT = np.array([0, 0, 0, 0, 20, 1], np.float32)


@pytest.fixture
def env() -> Iterator[gymnasium.Env]:
    env = gymnasium.make(GRASP, objects="easy", camera_size=48, render_mode="rgb_array")
    yield env
    env.close()


def test_the_environment_passes_gymnasiums_checker(env: gymnasium.Env) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A planner works in metres and newtons; who wants [-1, 1] wraps it in RescaleAction.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized")
        check_env(env.unwrapped)


def test_the_same_seed_and_actions_give_the_same_episode(env: gymnasium.Env) -> None:
    def episode() -> list[object]:
        first, info = env.reset(seed=4)
        moved = np.array([0.01, 0, -0.01, 0.1, 12, -1], np.float32)
        second, *_ = env.step(moved)
        *_, last = env.step(STAY_AND_LIFT)
        return [first, second, info["object"], info["hidden"], last["outcomes"]]

    one, other = episode(), episode()
    for mine, theirs in zip(one[:2], other[:2], strict=True):
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    assert one[2:] == other[2:]


def test_a_lift_ends_the_episode_and_its_reward_is_the_outcome(env: gymnasium.Env) -> None:
    rewards = []
    for seed in range(6):
        _, info = env.reset(seed=seed)
        assert "outcomes" not in info
        _, reward, terminated, truncated, info = env.step(STAY_AND_LIFT)
        assert terminated
        assert not truncated
        assert info["outcomes"] == {"success": bool(reward)}
        rewards.append(reward)
    assert set(rewards) <= {0.0, 1.0}
    with pytest.raises(SimulationError, match="call reset"):
        env.step(STAY_AND_LIFT)


def test_what_the_lift_showed_is_not_in_the_last_observation(env: gymnasium.Env) -> None:
    env.reset(seed=0)
    env.unwrapped._lab.lift = lambda: True
    still, *_ = env.step(STAY_AND_LIFT)
    env.reset(seed=0)
    lifted, *_ = env.step(STAY_AND_LIFT)
    assert all(np.array_equal(still[key], lifted[key]) for key in still)


def test_hidden_truth_is_in_info_only(env: gymnasium.Env) -> None:
    seen, info = env.reset(seed=0)
    assert {"mass", "friction"} <= set(info["hidden"])
    assert not any("mass" in key or "friction" in key for key in seen)
    assert set(seen) == set(env.observation_space)


def test_an_episode_of_regrasps_alone_is_cut_off(env: gymnasium.Env) -> None:
    env.reset(seed=0)
    for step in range(10):
        *_, terminated, truncated, _ = env.step(np.array([0, 0, 0, 0, 5 + step, -1], np.float32))
        assert not terminated
    assert truncated


def test_an_action_out_of_range_names_what_is_wrong() -> None:
    env = GraspEnv(camera_size=48)
    with pytest.raises(SimulationError, match="call reset"):
        env.step(STAY_AND_LIFT)
    env.reset(seed=0)
    with pytest.raises(ContractError, match=r"dx is 0\.5"):
        env.step(np.array([0.5, 0, 0, 0, 10, -1], np.float32))
    with pytest.raises(ContractError, match="dx, dy, dz, dyaw, force, lift"):
        env.step(np.zeros(5, np.float32))


def test_an_action_that_moves_nothing_does_not_open_the_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    env = GraspEnv(camera_size=48)
    env.reset(seed=0)
    monkeypatch.setattr(env._lab, "release", lambda: opened.append("opened"))
    env.step(np.array([0, 0, 0, 0, 12, -1], np.float32))
    assert opened == []
    env.step(np.array([0, 0, 0.01, 0, 12, -1], np.float32))
    assert opened == ["opened"]


def test_the_ranges_are_the_papers() -> None:
    box = GraspEnv(camera_size=48).action_space
    reach = [0.02, 0.02, 0.02, np.deg2rad(17)]
    np.testing.assert_allclose(box.low, [*np.negative(reach), 4, -1], rtol=1e-6)
    np.testing.assert_allclose(box.high, [*reach, 25, 1], rtol=1e-6)


def test_an_episode_can_ask_for_one_object() -> None:
    env = GraspEnv(camera_size=48)
    name = env.objects[3]
    assert env.reset(seed=0, options={"object": name})[1]["object"] == name


def test_the_robot_takes_the_object_to_be_where_its_calibration_says_all_session_long() -> None:
    for hand_eye in (0.0, 0.02):
        env = GraspEnv(camera_size=48, hand_eye=hand_eye)
        seen, _ = env.reset(seed=3)
        lab = env._lab
        assert lab is not None
        off = np.array(lab.session.hand_eye)
        assert (np.abs(off) > 0).all() == (hand_eye > 0)
        for _ in range(2):
            true = lab._follower.cylinder
            np.testing.assert_allclose(seen["cylinder"][:2], np.array([true.x, true.y]) + off, atol=1e-6)
            np.testing.assert_allclose(seen["cylinder"][2:], [true.radius, true.height], atol=1e-6)
            seen, *_ = env.step(np.array([0.01, 0, 0, 0, 12, -1], np.float32))


def test_what_calibration_leaves_is_five_millimetres_and_changes_nothing_else() -> None:
    sessions = [Session.draw(0, number) for number in range(400)]
    off = np.array([session.hand_eye for session in sessions])
    assert np.sqrt((off**2).sum(axis=1).mean()) == pytest.approx(0.005, rel=0.06)
    assert np.abs(off.mean(axis=0)).max() < 0.0006
    exact = Session.draw(0, 7, hand_eye=0.0)
    assert exact == dataclasses.replace(sessions[7], hand_eye=(0.0, 0.0))
    for wrong in (-0.001, 0.06, float("nan")):
        with pytest.raises(SimulationError, match="hand_eye is"):
            GraspEnv(camera_size=48, hand_eye=wrong)


def test_the_documented_actions_are_the_declared_ones() -> None:
    rows = re.findall(
        r"\| \d +\| (\w+) +\| ([-.\d]+) +\| ([-.\d]+) +\| (\w*) +\|", inspect.getdoc(GraspEnv) or ""
    )
    declared = [*GraspEnv(camera_size=48).embodiment.action, LIFT]
    assert [(name, unit) for name, _, _, unit in rows] == [(each.name, each.unit) for each in declared]
    bounds = [(float(low), float(high)) for _, low, high, _ in rows]
    np.testing.assert_allclose(bounds, [(each.low, each.high) for each in declared], atol=5e-5)
