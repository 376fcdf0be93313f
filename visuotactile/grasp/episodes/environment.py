"""Environments of Gymnasium that a policy can be played in: found by id, opened, and asked what they have.

What is needed is the interface of `robot.EnvRobot` and two things more: `reset(options={"object": NAME})`
chooses the object, and, where a set of objects is named, a keyword `objects` and an attribute `objects` that
lists the names in it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from visuotactile.errors import PlanError
from visuotactile.grasp.episodes.robot import ENV_ACTION
from visuotactile.grasp.planning.actions import FORCE, ActionSpace
from visuotactile.grasp.predictor.network import CYLINDER, POSE

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
    """Whether it is our simulated lab."""
    return spec.namespace == SIMULATED_LAB


def object_names(spec: EnvSpec, options: Mapping[str, Any], objects: str) -> tuple[str, ...]:
    """The names in a set of objects, as the environment has it.

    Raises:
        PlanError: it does not say, or the set is empty.
    """
    with opened(spec, {**options, "objects": objects}) as env:
        names = getattr(env.unwrapped, "objects", None)
    if names is None or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise PlanError(f"the environment {spec.id} has no list `objects` of the names in {objects!r}")
    if not names:
        raise PlanError(f"there is no object in {objects!r}; name a set or objects of {spec.id}")
    return tuple(names)


def check_environment(
    spec: EnvSpec, env: AnyEnv, *, actions: ActionSpace, images: tuple[str, ...], cylinder: bool, by: str
) -> None:
    """Refuse an environment in which a policy cannot be played.

    Args:
        spec: of the environment.
        env: the environment.
        actions: what the policy may choose.
        images: those that it looks at, STREAM/PHASE.
        cylinder: whether it wants one fitted.
        by: the policy's name, for the message.

    Raises:
        PlanError: what is missing, by name.
    """
    seen = env.observation_space
    if not isinstance(seen, spaces.Dict):
        raise PlanError(f"{spec.id} is observed as {seen}; expected a Dict with pose, force and images")
    vectors = {"pose": len(POSE) - 1, FORCE: 1} | ({"cylinder": len(CYLINDER)} if cylinder else {})
    for name, size in vectors.items():
        if name not in seen.spaces or seen[name].shape != (size,):
            raise PlanError(f"policy {by!r} needs {name} [{size}], which {spec.id} does not have{_has(seen)}")
    for name in images:
        space = seen.spaces.get(name)
        if space is None:
            raise PlanError(f"policy {by!r} looks at {name}, which {spec.id} does not have{_has(seen)}")
        if space.dtype != np.uint8 or space.shape is None or len(space.shape) != 3 or space.shape[2] != 3:
            raise PlanError(
                f"policy {by!r} looks at {name}, in {spec.id} {space.dtype} {space.shape}; "
                "expected uint8 [H, W, 3]"
            )
    if actions.names != ENV_ACTION[:-1]:
        raise PlanError(
            f"policy {by!r} chooses {', '.join(actions.names)}; expected {', '.join(ENV_ACTION[:-1])}"
        )
    allowed = env.action_space
    if not isinstance(allowed, spaces.Box) or allowed.shape != (len(ENV_ACTION),):
        raise PlanError(f"{spec.id} takes {allowed}; expected a Box of {len(ENV_ACTION)}: {ENV_ACTION}")
    low, high = (bound.numpy() for bound in actions.bounds())
    for name, a, b, least, most in zip(actions.names, low, high, allowed.low, allowed.high, strict=False):
        if a < least - 1e-6 or b > most + 1e-6:
            raise PlanError(
                f"policy {by!r} may choose {name} from {a:.4g} to {b:.4g}, {spec.id} allows {least:.4g} to "
                f"{most:.4g}"
            )


def _has(seen: spaces.Dict) -> str:
    return f"; it has {', '.join(sorted(seen.spaces))}"
