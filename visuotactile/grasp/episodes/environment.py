"""Environments of Gymnasium that a policy can be played in: found by id, opened, and checked.

An environment needs the interface of `robot.EnvRobot` and two things more: `reset(options={"object": NAME})`
chooses the object, and, where a set of objects is named, a keyword `objects` and an attribute `objects` that
lists the names in it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.policy import Policy
from visuotactile.errors import PlanError
from visuotactile.grasp.embodiments import check_embodiment
from visuotactile.grasp.episodes.robot import env_embodiment

SIMULATED_LAB = "visuotactile"
"""The namespace of the ids of our own lab."""

AnyEnv = gymnasium.Env[Any, Any]


def find(env: str) -> EnvSpec:
    """The specification of a registered environment; it can be sent to another process, as the id cannot.

    Raises:
        PlanError: nothing of that id is registered, or the module named before a colon cannot be imported.
    """
    module, _, name = env.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (gymnasium.error.Error, ImportError, ValueError) as why:
        raise PlanError(
            f"there is no environment {env!r} ({why}); expected an id such as visuotactile/Grasp-v0, or "
            "MODULE:ID, where importing MODULE registers it"
        ) from None


@contextlib.contextmanager
def opened(spec: EnvSpec, options: Mapping[str, Any]) -> Iterator[AnyEnv]:
    """An environment for as long as the block lasts; raises `PlanError` if it does not take the options."""
    try:
        env = gymnasium.make(spec, disable_env_checker=True, **options)
    except TypeError as why:
        raise PlanError(
            f"the environment {spec.id} cannot be made with {', '.join(options) or 'no options'}: {why}"
        ) from None
    try:
        yield env
    finally:
        env.close()


def is_simulated(spec: EnvSpec) -> bool:
    """True if the environment is our simulated lab."""
    return spec.namespace == SIMULATED_LAB


def object_names(spec: EnvSpec, options: Mapping[str, Any], objects: str) -> tuple[str, ...]:
    """The names in a set of objects, as the environment has it.

    Raises:
        PlanError: it has no such list, or the set is empty.
    """
    with opened(spec, {**options, "objects": objects}) as env:
        names = getattr(env.unwrapped, "objects", None)
    if names is None or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise PlanError(f"the environment {spec.id} has no list `objects` of the names in {objects!r}")
    if not names:
        raise PlanError(f"there is no object in {objects!r}; name a set or objects of {spec.id}")
    return tuple(names)


def check_environment(
    spec: EnvSpec, env: AnyEnv, policy: Policy, by: str, outcomes: Sequence[str] = ()
) -> None:
    """Refuse an environment in which a policy cannot be played.

    Args:
        spec: of the environment.
        env: the environment.
        policy: to be played; it has an `embodiment` and names its `inputs`, or takes whatever robot there is.
        by: the policy's name, for the message.
        outcomes: predicted ones, which the environment must report.

    Raises:
        PlanError: what is missing, by name.
    """
    theirs = env_embodiment(env)
    seen, allowed = env.observation_space, env.action_space
    if not isinstance(seen, spaces.Dict):
        raise PlanError(f"{spec.id} is observed as {seen}; expected a Dict with vectors and images")
    size = len(theirs.action) + 1
    if not isinstance(allowed, spaces.Box) or allowed.shape != (size,):
        names = ", ".join(each.name for each in theirs.action)
        raise PlanError(f"{spec.id} takes {allowed}; expected a Box of {size}: {names}, lift")
    ours: Embodiment = getattr(policy, "embodiment", theirs)
    inputs: tuple[str, ...] = getattr(policy, "inputs", ())
    check_embodiment(ours, theirs, inputs, f"policy {by!r}", spec.id, within=True)
    for name in inputs:
        if name not in seen.spaces:
            raise PlanError(
                f"policy {by!r} needs {name}, which {spec.id} declares and does not show; it shows "
                f"{', '.join(sorted(seen.spaces))}"
            )
    missing = [name for name in outcomes if name not in theirs.outcomes]
    if missing:
        raise PlanError(
            f"policy {by!r} predicts {missing[0]}, which {spec.id} does not report; it reports "
            f"{', '.join(theirs.outcomes) or 'nothing'}"
        )
