"""Policies and the closed loop, on a robot that writes down what it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from planner_helpers import GRIPPER, REGRASP, Known
from torch import Tensor

from visuotactile.datasets.embodiment import Dimension, Stream
from visuotactile.datasets.policy import Choice, Observation
from visuotactile.datasets.spaces import action_space, observation_space
from visuotactile.errors import PlanError
from visuotactile.grasp.episodes.robot import EnvRobot, Episode, run_episode
from visuotactile.grasp.planning.gripper import LEAST_FORCE, CylinderFitting, GripperRobot
from visuotactile.grasp.planning.objectives import MostLikely
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.policies import FirstGrasp, PlannedChoice, PlannerPolicy, RandomRegrasp
from visuotactile.grasp.planning.search import RandomSearch
from visuotactile.sim import GRASP

Told = list[tuple[Any, ...]]


class FakeRobot:
    """A gripper of four methods in free space that always holds on; `told` has every call in order."""

    def __init__(self, x: float = 0.0, y: float = 0.0, z: float = 0.03) -> None:
        self.pose = np.array([x, y, z, 0.0, 8.0], np.float32)
        self.told: Told = []

    def observe(self) -> Observation:
        self.told.append(("observe",))
        seen = {"pose": self.pose.copy(), "where": np.full(5, 0.5, np.float32)}
        return {**seen, "cylinder": np.array([0.05, -0.01, 0.02, 0.08], np.float32)}

    def move(self, *, dx: float, dy: float, dz: float, dyaw: float) -> None:
        self.told.append(("move", dx, dy, dz, dyaw))
        self.pose[:4] += np.array([dx, dy, dz, dyaw], np.float32)

    def grip(self, force: float) -> None:
        self.told.append(("grip", force))
        self.pose[4] = force

    def lift(self) -> bool:
        self.told.append(("lift",))
        return True

    @property
    def calls(self) -> list[str]:
        return [name for name, *_ in self.told]


def growing(*values: float) -> Callable[[Tensor, Tensor], Tensor]:
    """For `Known`: every action succeeds with one of `values`, the next one in each decision."""
    left = iter(values)
    return lambda where, x: torch.full(x.shape[:-1], next(left)) + 0 * where.sum()


def policy(*values: float, above: float | None = None) -> PlannerPolicy:
    planner = Planner(Known(growing(*values)), RandomSearch(20, 0))
    return PlannerPolicy(planner, None if above is None else {"success": above})


def drive(robot: FakeRobot, policy: Any, **settings: Any) -> Episode:
    """An episode of a robot of four methods."""
    return run_episode(GripperRobot(robot, GRIPPER), policy, **settings)


REGRASPED = ["observe", "move", "grip"]


def test_it_regrasps_until_success_is_likely_enough_and_then_lifts() -> None:
    robot = FakeRobot()
    episode = drive(robot, policy(0.3, 0.9, 0.91, 0.99), max_regrasps=8)
    # 0.9 itself does not pass 0.9, and nobody looks again after the grasp that does.
    assert robot.calls == [*REGRASPED * 3, "lift"]
    assert [step.lifted for step in episode.steps] == [False, False, True]
    assert episode.regrasps == 3
    assert episode.outcomes == {"success": 1.0}


def test_another_threshold_is_kept_to() -> None:
    assert len(drive(FakeRobot(), policy(0.5, 0.7, 0.8, above=0.6)).steps) == 2


def test_after_the_last_regrasp_it_lifts_whatever_it_expects() -> None:
    robot = FakeRobot()
    episode = drive(robot, policy(*[0.2] * 4), max_regrasps=4)
    assert robot.calls == [*REGRASPED * 4, "lift"]
    assert [step.choice.lift for step in episode.steps] == [False] * 4
    assert [step.lifted for step in episode.steps] == [False, False, False, True]


def test_the_robot_is_told_exactly_what_was_decided() -> None:
    robot = FakeRobot()
    episode = drive(robot, policy(0.2, 0.95))
    moves = [told for told in robot.told if told[0] in ("move", "grip")]
    expected: Told = []
    for step in episode.steps:
        assert isinstance(step.choice, PlannedChoice)
        *motion, force = step.choice.decision.action[0].tolist()
        assert list(step.choice.action.values()) == [*motion, force]
        expected += [("move", *motion), ("grip", force)]
    assert moves == expected
    assert episode.action["force"] == expected[-1][1]


def test_each_decision_is_made_from_what_the_last_one_brought_about() -> None:
    episode = drive(FakeRobot(), policy(0.1, 0.1, 0.95))
    for before, after in zip(episode.steps, episode.steps[1:], strict=False):
        moved = after.observation["pose"] - before.observation["pose"]
        assert moved.shape == (4,)
        wanted = before.choice.action
        assert moved == pytest.approx([wanted[n] for n in ("dx", "dy", "dz", "dyaw")], abs=1e-6)
        assert after.observation["force"][0] == pytest.approx(wanted["force"])


def test_a_choice_to_stay_changes_the_force_without_opening_the_fingers() -> None:
    def only_staying_holds(where: Tensor, x: Tensor) -> Tensor:
        still = (x[..., :4] - 0.5).abs().amax(-1) < 1e-6
        return torch.where(still, 0.95, 0.1)

    robot = FakeRobot()
    planner = Planner(Known(only_staying_holds), RandomSearch(50, 10), LEAST_FORCE)
    episode = drive(robot, PlannerPolicy(planner))
    assert robot.told == [("observe",), ("grip", 4.0), ("lift",)]
    assert episode.regrasps == 0
    assert episode.steps[0].stays


def test_an_unsure_hand_moves_on_where_staying_looks_best_but_for_the_last_grasp() -> None:
    def staying_is_best_and_not_enough(where: Tensor, x: Tensor) -> Tensor:
        still = (x[..., :4] - 0.5).abs().amax(-1) < 1e-6
        return torch.where(still, 0.85, 0.2 + 0.5 * x[..., 0])

    robot = FakeRobot()
    planner = Planner(Known(staying_is_best_and_not_enough), RandomSearch(50, 10))
    episode = drive(robot, PlannerPolicy(planner), max_regrasps=3)
    assert robot.calls == [*REGRASPED * 2, "observe", "grip", "lift"]
    assert [step.stays for step in episode.steps] == [False, False, True]
    assert not any(step.choice.lift for step in episode.steps)
    first = episode.steps[0].choice
    assert isinstance(first, PlannedChoice)
    decision = first.decision
    assert not decision.stays.item()
    moving = ~decision.candidates.space.stays(decision.candidates.actions[0])
    assert decision.probability("success").item() == decision.candidates.probabilities[0, moving, 0].max()


def test_where_only_staying_can_be_chosen_an_unsure_hand_stays() -> None:
    planner = Planner(Known(growing(0.3, 0.4)), RandomSearch(0, 5))
    episode = drive(FakeRobot(), PlannerPolicy(planner), max_regrasps=2)
    assert episode.regrasps == 0


def test_the_same_seed_gives_the_same_episode() -> None:
    one, other = FakeRobot(), FakeRobot()
    for robot in (one, other):
        drive(robot, policy(0.1, 0.2, 0.95))
    assert one.told == other.told


def test_cylinder_fitting_comes_to_the_centre_in_steps_that_the_robot_can_make() -> None:
    robot = FakeRobot(x=0.0, y=0.0, z=0.03)
    episode = drive(robot, CylinderFitting(GRIPPER))
    assert robot.calls == [*REGRASPED * 3, "lift"]  # 50 mm to go, 20 mm at a time
    assert robot.pose[:3] == pytest.approx([0.05, -0.01, 0.04], abs=1e-6)
    assert {step.choice.action["force"] for step in episode.steps} == {10.0}
    assert {step.choice.action["dyaw"] for step in episode.steps} == {0.0}


def test_cylinder_fitting_without_a_cylinder_says_what_to_do() -> None:
    with pytest.raises(PlanError, match=r"lacks cylinder \[4\]: x, y, radius, height"):
        CylinderFitting(GRIPPER)({"pose": np.zeros(4, np.float32)}, np.random.default_rng(0))


def test_a_random_regrasp_is_one_within_bounds_and_another_each_time() -> None:
    chance, rng = RandomRegrasp(GRIPPER), np.random.default_rng(0)
    choices = [chance({}, rng) for _ in range(50)]
    assert all(choice.lift for choice in choices)
    actions = torch.stack([REGRASP.action(choice.action) for choice in choices])
    assert len(actions.unique(dim=0)) == 50


def test_the_first_grasp_is_lifted_as_it_is() -> None:
    robot = FakeRobot()
    assert drive(robot, FirstGrasp(GRIPPER)).action["force"] == 8
    assert robot.told == [("observe",), ("grip", 8.0), ("lift",)]
    robot.pose[4] = 3.99  # what a force sensor says may lie just out of what can be asked for
    assert drive(robot, FirstGrasp(GRIPPER)).action["force"] == 4


def reckless(observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
    return Choice({"dx": 0.5, "dy": 0, "dz": 0, "dyaw": 0, "force": 10})


def test_the_hand_is_kept_only_where_it_is_observed() -> None:
    blind = dataclasses.replace(GRIPPER, vectors=GRIPPER.vectors[:1])
    with pytest.raises(PlanError, match="force of the hand is not observed"):
        FirstGrasp(blind)({"pose": np.zeros(4, np.float32)}, np.random.default_rng(0))


def test_it_lifts_when_each_required_outcome_is_likely_enough() -> None:
    def two(where: Tensor, x: Tensor) -> Tensor:
        return torch.stack([0.97 + 0 * x[..., 0], 0.5 + 0.4 * x[..., 0]], -1) + 0 * where.sum()

    planner = Planner(Known(two, ("stable", "gentle")), RandomSearch(200, 0), MostLikely("gentle"))
    for least, lifts in ((0.8, True), (0.95, False)):
        choice = PlannerPolicy(planner, {"stable": 0.95, "gentle": least})(
            {"where": np.full(5, 0.5, np.float32)}, np.random.default_rng(0)
        )
        assert choice.lift is lifts


def test_an_arm_that_does_not_tell_its_force_is_refused() -> None:
    robot = FakeRobot()
    robot.pose = robot.pose[:4]
    with pytest.raises(PlanError, match="gives a pose of 4 numbers and no force"):
        drive(robot, CylinderFitting(GRIPPER))


def test_four_methods_drive_a_gripper_alone() -> None:
    fingers = dataclasses.replace(GRIPPER, hand=(Dimension("joint", "rad", 0, 1),))
    with pytest.raises(PlanError, match="the hand of parallel gripper has joint; four methods drive"):
        GripperRobot(FakeRobot(), fingers)


def test_a_robot_never_hears_of_an_action_out_of_bounds() -> None:
    robot = FakeRobot()
    with pytest.raises(PlanError, match=r"dx is 0\.5 m; expected -0\.02 to 0\.02"):
        drive(robot, reckless)
    assert robot.calls == ["observe"]
    with pytest.raises(PlanError, match="max_regrasps is 0"):
        drive(robot, FirstGrasp(GRIPPER), max_regrasps=0)


# Environments


class Shelf(gymnasium.Env[dict[str, Any], Any]):
    """Holds what is lifted with at least 10 N within a centimetre of x = 0.03; writes down its actions."""

    embodiment = dataclasses.replace(
        GRIPPER, streams=(Stream("tactile_left", "image", {"during": (4, 4, 3)}),)
    )
    observation_space: Any = observation_space(embodiment)
    action_space: Any = action_space(embodiment)

    def __init__(self, steps: int = 10, ends: bool = True) -> None:
        self.steps, self.ends = steps, ends
        self.actions: list[list[float]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.actions.clear()
        self.pose, self.force = np.zeros(4), 6.0
        return self._seen(), {"object": "mug", "seed": seed}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.actions.append(action.tolist())
        self.pose, self.force = self.pose + action[:4], float(action[4])
        lifted = bool(action[5] > 0)
        held = lifted and abs(self.pose[0] - 0.03) < 0.01 and self.force >= 10
        over = len(self.actions) >= self.steps
        return self._seen(), float(held), lifted and self.ends, over, {"outcomes": {"success": held}}

    def _seen(self) -> dict[str, Any]:
        gel = np.full((4, 4, 3), len(self.actions), np.uint8)
        pose, force = self.pose.astype(np.float32), np.array([self.force], np.float32)
        cylinder = np.array([0.03, 0.0, 0.02, 0.02], np.float32)
        return {"tactile_left/during": gel, "pose": pose, "force": force, "cylinder": cylinder}


class Script:
    """Chooses what is written."""

    def __init__(self, *choices: tuple[float, float, bool]) -> None:
        self.left = list(choices)
        self.seen: list[Observation] = []

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        self.seen.append(observation)
        dx, force, lift = self.left.pop(0)
        return Choice({"dx": dx, "dy": 0.0, "dz": 0.0, "dyaw": 0.0, "force": force}, lift)


def rounded(actions: list[list[float]]) -> list[list[float]]:
    return [[round(value, 4) for value in action] for action in actions]


def test_an_environment_is_driven_a_whole_regrasp_at_a_time_and_the_lift_is_part_of_the_last() -> None:
    env = Shelf()
    robot = EnvRobot(env)
    assert robot.reset(seed=3)["seed"] == 3
    script = Script((0.02, 5.0, False), (0.0, 9.0, False), (0.01, 12.0, True))
    assert run_episode(robot, script).outcomes == {"success": 1.0}
    assert rounded(env.actions) == [
        [0.02, 0, 0, 0, 5, -1],
        [0, 0, 0, 0, 9, -1],
        [0.01, 0, 0, 0, 12, 1],
    ]
    assert [int(seen["tactile_left/during"].max()) for seen in script.seen] == [0, 1, 2]
    last = script.seen[-1]
    assert last["pose"] == pytest.approx([0.02, 0, 0, 0])
    assert last["force"] == pytest.approx([9])
    assert last["pose"].dtype == np.float32
    assert last["cylinder"] == pytest.approx([0.03, 0, 0.02, 0.02])


def test_the_simulated_lab_is_driven_like_any_other_environment() -> None:
    env = gymnasium.make(GRASP, objects="easy", camera_size=32)
    robot = EnvRobot(env)
    robot.reset(seed=5)
    first = robot.observe()
    assert first["pose"].shape == (4,)
    fitted = run_episode(robot, CylinderFitting(robot.embodiment))
    last = fitted.steps[-1]
    x, y, _, height = last.observation["cylinder"]
    assert last.choice.lift
    reached = last.observation["pose"][:3] + [last.choice.action[name] for name in ("dx", "dy", "dz")]
    assert reached == pytest.approx([x, y, height / 2], abs=1e-5)

    robot.reset(seed=5)
    assert np.array_equal(robot.observe()["pose"], first["pose"])
    untouched = run_episode(robot, FirstGrasp(robot.embodiment))
    assert untouched.action["force"] == pytest.approx(first["force"][0])
    env.close()


def test_what_drops_is_no_success() -> None:
    for choice in ((0.02, 9.0, True), (-0.02, 20.0, True)):
        robot = EnvRobot(Shelf())
        robot.reset()
        assert run_episode(robot, Script(choice)).outcomes == {"success": 0.0}


def test_a_planner_drives_an_environment_through_the_same_policy() -> None:
    robot = EnvRobot(Shelf())
    robot.reset()

    class Reads:
        """Knows the shelf."""

        outcomes, embodiment, inputs = ("success",), GRIPPER, ("tactile_left/during", "pose")

        def encode(self, observation: dict[str, Tensor]) -> Tensor:
            assert observation["tactile_left/during"].dtype == torch.uint8
            return observation["pose"][:, None, :1]

        def score(self, x: Tensor, actions: Tensor) -> Tensor:
            near = (x[..., 0] + actions[..., 0] - 0.03).abs()
            return torch.sigmoid(500 * (0.008 - near) + 9 * (actions[..., 4] - 11).clamp(max=0))[..., None]

    episode = run_episode(robot, PlannerPolicy(Planner(Reads(), RandomSearch(300, 10), LEAST_FORCE)))
    assert episode.outcomes == {"success": 1.0}
    assert episode.regrasps == 2  # 30 mm to go, at most 20 mm at a time


def test_all_steps_of_an_environment_can_be_used() -> None:
    env = Shelf(steps=3)
    robot = EnvRobot(env)
    robot.reset()
    run_episode(robot, Script(*[(0.01, 12.0, False)] * 3), max_regrasps=3)
    assert [action[5] for action in env.actions] == [-1, -1, 1]


def test_an_episode_cut_off_before_its_lift_says_what_to_do() -> None:
    robot = EnvRobot(Shelf(steps=2))
    robot.reset()
    with pytest.raises(PlanError, match="no more regrasps than it allows steps"):
        run_episode(robot, Script(*[(0.01, 12.0, False)] * 3), max_regrasps=3)


def test_an_environment_robot_by_hand() -> None:
    env = Shelf()
    robot = EnvRobot(env)
    robot.reset()
    still = {"dx": 0.0, "dy": 0.0, "dz": 0.0, "dyaw": 0.0}
    robot.act({**still, "dx": 0.015, "dyaw": 0.1, "force": 7.0})
    assert env.actions == []
    robot.act({**still, "force": 11.0})  # the first action is carried out, then the second
    assert robot.observe()["force"] == 11
    assert robot.lift() == {"success": 0.0}
    assert rounded(env.actions) == [
        [0.015, 0, 0, 0.1, 7, -1],
        [0, 0, 0, 0, 11, -1],
        [0, 0, 0, 0, 11, 1],
    ]


def test_an_environment_that_declares_nothing_or_hides_an_outcome_is_refused() -> None:
    with pytest.raises(PlanError, match="CartPole-v1 declares no embodiment"):
        EnvRobot(gymnasium.make("CartPole-v1"))
    env = Shelf()
    env.embodiment = dataclasses.replace(Shelf.embodiment, outcomes=("success", "gentle"))
    robot = EnvRobot(env)
    robot.reset()
    with pytest.raises(PlanError, match=r"lacks 'gentle', which its embodiment declares; it has success"):
        robot.lift()


def test_an_environment_robot_that_was_not_reset_says_so() -> None:
    robot = EnvRobot(Shelf())
    for call in (robot.observe, robot.lift, lambda: robot.act({})):
        with pytest.raises(PlanError, match=r"call reset\(\)"):
            call()
    robot.reset()
    robot.lift()
    with pytest.raises(PlanError, match=r"call reset\(\)"):
        robot.observe()


def test_an_environment_that_goes_on_after_a_lift_is_refused() -> None:
    robot = EnvRobot(Shelf(ends=False))
    robot.reset()
    with pytest.raises(PlanError, match="went on after a lift"):
        robot.lift()
