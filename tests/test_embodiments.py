"""Conformance: what holds for every embodiment that trials are collected from and policies are played on.

Another one is a member of `MEMBERS`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from toy_hand import TOY_HAND, ToyGrasps
from trials import same

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.fill import fill
from visuotactile.datasets.policy import Choice, Observation
from visuotactile.datasets.readers import Reader
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError
from visuotactile.sim import GENTLE_GRASP, GRASP
from visuotactile.sim.gentle_grasps import GentleGrasps
from visuotactile.sim.grasps import Grasps


@dataclass(frozen=True)
class Member:
    """An embodiment.

    Attributes:
        env, options: the environment that plays it, small.
        reader: collects a few small trials of it, with a `Policy` or at random.
    """

    env: str
    reader: Callable[..., Reader]
    options: dict[str, Any] = field(default_factory=dict)


MEMBERS = {
    "parallel gripper": Member(
        GRASP,
        lambda policy=None: Grasps(trials=1, camera_size=32, policy=policy),
        {"objects": "easy", "camera_size": 32},
    ),
    "Allegro-like left hand": Member(
        GENTLE_GRASP,
        lambda policy=None: GentleGrasps(trials=1, camera_size=32, policy=policy),
        {"camera_size": 32},
    ),
    "toy hand": Member(TOY_HAND, lambda policy=None: ToyGrasps(trials=6, policy=policy)),
}


@pytest.fixture(scope="module", params=MEMBERS)
def member(request: pytest.FixtureRequest) -> Member:
    return MEMBERS[request.param]


@pytest.fixture(scope="module")
def env(member: Member) -> Iterator[gymnasium.Env[Any, Any]]:
    env = gymnasium.make(member.env, **member.options)
    yield env
    env.close()


@pytest.fixture(scope="module")
def embodiment(env: gymnasium.Env[Any, Any]) -> Embodiment:
    declared: Embodiment = env.unwrapped.embodiment
    return declared


@pytest.fixture(scope="module")
def reader(member: Member) -> Reader:
    return member.reader()


@pytest.fixture(scope="module")
def trials(reader: Reader) -> list[Trial]:
    return [reader.trial(i) for i in range(len(reader))]


@pytest.fixture(scope="module")
def store(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return fill(reader, tmp_path_factory.mktemp("embodiment") / "store", progress=False)


def middle(embodiment: Embodiment, *, lift: bool) -> np.ndarray[Any, Any]:
    """An action without motion that closes the hand half-way."""
    hand = [(dimension.low + dimension.high) / 2 for dimension in embodiment.hand]
    return np.array([*np.zeros(len(embodiment.motion)), *hand, 1 if lift else -1], np.float32)


def test_environment_passes_gymnasiums_checker(env: gymnasium.Env[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A planner works in metres, radians and newtons; RescaleAction gives [-1, 1].
        warnings.filterwarnings("ignore", message=".*symmetric and normalized")
        check_env(env.unwrapped, skip_render_check=True)


def test_actions_of_the_environment_are_the_declared_ones_and_a_lift(
    env: gymnasium.Env[Any, Any], embodiment: Embodiment
) -> None:
    box = env.action_space
    assert isinstance(box, spaces.Box)
    np.testing.assert_array_equal(box.low, np.float32([*(each.low for each in embodiment.action), -1]))
    np.testing.assert_array_equal(box.high, np.float32([*(each.high for each in embodiment.action), 1]))


def test_observations_are_the_declared_arrays(env: gymnasium.Env[Any, Any], embodiment: Embodiment) -> None:
    seen, info = env.reset(seed=1)
    later, *_ = env.step(middle(embodiment, lift=False))
    vectors = {vector.name: (np.float32, (len(vector),)) for vector in embodiment.vectors}
    streams = {
        name: (stream.dtype, stream.shapes[name.rpartition("/")[2]])
        for name, stream in embodiment.observations.items()
    }
    for observed in (seen, later):
        assert {name: (array.dtype, array.shape) for name, array in observed.items()} == vectors | streams
        assert env.observation_space.contains(observed)
    assert set(env.observation_space) == set(vectors | streams)
    assert isinstance(info["object"], str)
    assert "outcomes" not in info


def test_nothing_observed_shows_what_came_of_an_action(embodiment: Embodiment) -> None:
    assert embodiment.observations
    for name in embodiment.observations:
        assert embodiment.phases[name.rpartition("/")[2]] == "observation"


def test_a_lift_ends_the_episode_with_every_declared_outcome(
    env: gymnasium.Env[Any, Any], embodiment: Embodiment
) -> None:
    env.reset(seed=2)
    _, reward, terminated, _, info = env.step(middle(embodiment, lift=True))
    assert terminated
    assert tuple(info["outcomes"]) == embodiment.outcomes
    assert reward == float(info["outcomes"][embodiment.outcomes[0]])


def test_the_environment_is_the_same_for_the_same_seed(
    env: gymnasium.Env[Any, Any], embodiment: Embodiment
) -> None:
    def episode() -> tuple[dict[str, Any], dict[str, Any]]:
        env.reset(seed=3)
        observation, *_, info = env.step(middle(embodiment, lift=True))
        return observation, info

    (one, info), (other, other_info) = episode(), episode()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert info == other_info


def test_environments_that_take_turns_do_not_disturb_each_other(
    member: Member, env: gymnasium.Env[Any, Any], embodiment: Embodiment
) -> None:
    """A vector of environments in one process steps one after the other, often with the same object."""
    _, info = env.reset(seed=5)
    alone, *_ = env.step(middle(embodiment, lift=False))
    other = gymnasium.make(member.env, **member.options)
    env.reset(seed=5)
    other.reset(seed=6, options={"object": info["object"]})
    together, *_ = env.step(middle(embodiment, lift=False))
    other.close()
    assert all(np.array_equal(alone[name], together[name]) for name in alone)


def test_environments_run_side_by_side(member: Member, embodiment: Embodiment) -> None:
    envs = gymnasium.make_vec(member.env, num_envs=2, vectorization_mode="sync", **member.options)
    seen, _ = envs.reset(seed=0)
    assert all(len(array) == 2 for array in seen.values())
    _, rewards, terminated, _, info = envs.step(np.tile(middle(embodiment, lift=True), (2, 1)))
    assert terminated.all()
    np.testing.assert_array_equal(rewards, info["outcomes"][embodiment.outcomes[0]])
    envs.close()


def test_the_environment_refuses_what_the_hand_cannot_do(
    env: gymnasium.Env[Any, Any], embodiment: Embodiment
) -> None:
    for number, dimension in enumerate(embodiment.action):
        env.reset(seed=4)
        action = middle(embodiment, lift=False)
        action[number] = dimension.high + 1
        with pytest.raises(ContractError, match=f"action {dimension.name} is .*{dimension.unit}$"):
            env.unwrapped.step(action)
    with pytest.raises(ContractError, match=r"expected .*, lift"):
        env.unwrapped.step(action[:-1])


def test_a_trial_holds_what_is_declared(trials: list[Trial], embodiment: Embodiment) -> None:
    for trial in trials:
        embodiment.check_trial(trial)
        assert embodiment.check_action(trial.action) == trial.action
        assert set(trial.outcomes[name] for name in embodiment.outcomes) <= {0, 1}
        for vector in embodiment.vectors:
            for entry in vector.entries:
                assert entry.low <= trial.vectors[vector.name][entry.name] <= entry.high
    assert len({trial.name for trial in trials}) == len(trials)


def test_a_collection_is_the_same_for_the_same_seed(member: Member, trials: list[Trial]) -> None:
    again = member.reader()
    assert all(same(again.trial(i), trials[i]) for i in reversed(range(len(trials))))


class Spy:
    """A policy that draws at random, and keeps what it is given."""

    def __init__(self, embodiment: Embodiment) -> None:
        self.settings = {"name": "spy"}
        self.embodiment = embodiment
        self.seen: list[Observation] = []

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        self.seen.append(observation)
        return Choice(self.embodiment.sample_action(rng))


def test_a_collection_gives_a_policy_the_observations_of_the_environment(
    member: Member, env: gymnasium.Env[Any, Any], embodiment: Embodiment, trials: list[Trial]
) -> None:
    spy = Spy(embodiment)
    trial = member.reader(spy).trial(0)
    assert spy.seen
    assert all(env.observation_space.contains(observation) for observation in spy.seen)
    seen = spy.seen[-1]
    for name in embodiment.observations:
        stream, _, phase = name.rpartition("/")
        np.testing.assert_array_equal(seen[name], trial.streams[stream][phase])
    for vector in embodiment.vectors:
        np.testing.assert_allclose(seen[vector.name], [*trial.vectors[vector.name].values()], rtol=1e-6)
    assert trial.action == trials[0].action  # a random policy draws as the collection does without one


def test_a_store_carries_its_embodiment(store: Store, embodiment: Embodiment) -> None:
    assert store.embodiment == embodiment
    assert json.loads(json.dumps(embodiment.to_dict())) == embodiment.to_dict()
    assert store.vectors == tuple(vector.name for vector in embodiment.vectors)
    assert dict(store.phases) == dict(embodiment.phases)


def test_a_store_gives_phases_that_show_the_outcome_to_labelling_alone(
    store: Store, embodiment: Embodiment
) -> None:
    hidden = [(s, p) for s, p in store.specs if embodiment.phases[p] == "outcome"]
    assert hidden
    for stream, phase in store.specs:
        if (stream, phase) in hidden:
            with pytest.raises(ContractError, match="shows the outcome"):
                store.read(stream, phase, [0])
        store.read(stream, phase, [0], labelling=True)
