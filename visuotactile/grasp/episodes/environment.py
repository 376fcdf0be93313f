"""Gymnasium environments for policies: found by id, opened, and checked.

An environment needs the interface of `robot.EnvRobot`, `reset(options={"object": NAME})` to choose the object
and, for named sets of objects, a keyword `objects` and an attribute `objects` that lists the names.
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
from visuotactile.errors import PlanError, brief
from visuotactile.grasp.embodiments import check_embodiment
from visuotactile.grasp.episodes.robot import env_embodiment

SIMULATED_LAB = "visuotactile"
"""Namespace of the ids of our lab."""

AnyEnv = gymnasium.Env[Any, Any]


def find(env: str) -> EnvSpec:
    """The specification of a registered environment, which unlike the id can be sent to another process.

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
            f"there is no environment {env!r} ({brief(why)}); expected an id such as visuotactile/Grasp-v0, "
            "or MODULE:ID, where importing MODULE registers it"
        ) from None


@contextlib.contextmanager
def opened(spec: EnvSpec, options: Mapping[str, Any]) -> Iterator[AnyEnv]:
    """Open an environment for the block; raises `PlanError` if it does not accept the options."""
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
    """Names of the objects in an environment's set.

    Raises:
        PlanError: the environment has no such list, or the set is empty.
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
    """Check that a policy can be played in an environment.

    Args:
        spec: specification of the environment.
        env: the environment.
        policy: the policy; it has an `embodiment` and `inputs`, or accepts any robot.
        by: name of the policy, for the message.
        outcomes: predicted outcomes, which the environment must report.

    Raises:
        PlanError: the environment lacks something; the message names it.
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
