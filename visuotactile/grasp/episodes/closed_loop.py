"""Several policies in the same episodes of an environment: same object, same session, same first grasp.

    import visuotactile.sim  # registers the simulated lab
    records = play(
        "visuotactile/Grasp-v0",
        {
            "touch": PolicySpec(kind="planner", predictors=("runs/touch",)),
            "random": PolicySpec(kind="random"),
        },
        objects=["easy-box", "easy-cup"],
        trials=10,
    )

One episode is one (object, trial, policy). The seed with which the environment is reset comes from (seed,
object, trial) alone, so that policies are compared pairwise; a policy's own random numbers begin with it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.policy import Choice
from visuotactile.errors import PlanError, VisuotactileError
from visuotactile.grasp.episodes.environment import check_environment, find, opened
from visuotactile.grasp.episodes.records import EpisodeFile, Record, Turn
from visuotactile.grasp.episodes.robot import (
    MAX_REGRASPS,
    EnvRobot,
    Episode,
    env_embodiment,
    run_episode,
)
from visuotactile.grasp.planning.policies import PlannedChoice, PlannerPolicy
from visuotactile.grasp.planning.policy_spec import PolicySpec, one_thread
from visuotactile.parallel import parallel
from visuotactile.progress import ProgressBar

__all__ = ["EPISODES", "PolicySpec", "Record", "Stage", "Turn", "episode_seed", "play"]

EPISODES = "episodes.jsonl"
"""The file of finished episodes in a folder."""


def play(
    env: str,
    policies: Mapping[str, PolicySpec],
    objects: Sequence[str],
    trials: int,
    *,
    seed: int = 0,
    max_regrasps: int = MAX_REGRASPS,
    workers: int = 1,
    env_options: Mapping[str, Any] | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Record]:
    """Play every policy in the same episodes; returns the records by object, trial and policy, in this order.

    Args:
        env: id of a Gymnasium environment; `environment` lists its requirements.
        policies: policies by name.
        objects: names of objects for `reset(options={"object": NAME})`.
        trials: number of episodes of each object and policy.
        seed: seed from which that of each (object, trial) follows.
        max_regrasps: maximum number of choices in an episode; after the last, the hand lifts.
        workers: number of parallel episodes, through joblib's current backend, which does not affect records.
        env_options: keyword arguments of the environment.
        out: folder of finished episodes, from which a killed run continues. None keeps nothing.
        overwrite: replace episodes of other settings in `out`.
        progress: show a progress bar.

    Raises:
        PlanError: the environment is unknown, or a policy cannot be played in it.
        OutputExistsError: `out` holds episodes of other settings, and `overwrite` is False.
        EncoderError: a predictor cannot be read.
    """
    if not policies or not objects or trials < 1 or workers == 0:
        raise PlanError(
            f"{len(policies)} policies, {len(objects)} objects, {trials} trials, {workers} workers; expected "
            "at least one of each"
        )
    if len(set(objects)) < len(objects):
        raise PlanError(f"objects are {', '.join(objects)}; expected no name twice")
    stage = Stage.of(env, policies, seed=seed, max_regrasps=max_regrasps, env_options=env_options)
    settings = {"objects": list(objects), "trials": trials, **stage.described()}
    file = EpisodeFile(None if out is None else Path(out) / EPISODES, settings, overwrite)
    done = {record.key for record in file.records}
    keys = [(thing, trial, name) for thing in objects for trial in range(trials) for name in policies]
    jobs = [key for key in keys if key not in done]
    with ProgressBar(show=progress) as bar:
        task = bar.add_task("episodes", total=len(keys), completed=len(done), visible=bool(jobs))
        for record in _played(stage, jobs, workers):
            file.append(record)
            bar.advance(task)
    found = {record.key: record for record in file.records}
    return [found[key] for key in keys]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An environment, and the policies that are played in it.

    Attributes:
        spec, options: specification and keyword arguments of the environment.
        max_regrasps: maximum number of choices in an episode.
        seed: seed of the episodes.
        policies: policies by name.
        settings: settings of each policy at the start of the work.
        embodiment: embodiment of the environment.
    """

    spec: EnvSpec
    options: Mapping[str, Any]
    max_regrasps: int
    seed: int
    policies: Mapping[str, PolicySpec]
    settings: Mapping[str, Mapping[str, Any]]
    embodiment: Embodiment

    @classmethod
    def of(
        cls,
        env: str,
        policies: Mapping[str, PolicySpec],
        *,
        seed: int,
        max_regrasps: int,
        env_options: Mapping[str, Any] | None,
    ) -> Stage:
        """Open an environment, and check all policies in it; raises the errors of `play`."""
        found, options = find(env), dict(env_options or {})
        steps = found.max_episode_steps
        if max_regrasps < 1 or (steps is not None and max_regrasps > steps):
            raise PlanError(
                f"max_regrasps is {max_regrasps}; expected at least 1"
                + (f" and at most {steps}, the steps of an episode of {found.id}" if steps else "")
            )
        settings = {name: policy.settings() for name, policy in policies.items()}
        with opened(found, options) as made:
            embodiment = env_embodiment(made)
            for name, spec in policies.items():
                policy = spec.build(0, settings[name], embodiment)
                outcomes = policy.planner.scores.outcomes if isinstance(policy, PlannerPolicy) else ()
                check_environment(found, made, policy, name, outcomes)
        return cls(
            spec=found,
            options=options,
            max_regrasps=max_regrasps,
            seed=seed,
            policies=policies,
            settings=settings,
            embodiment=embodiment,
        )

    def described(self) -> dict[str, Any]:
        """All settings of the episodes, as plain JSON values."""
        return {
            "env": self.spec.id,
            "env_options": dict(self.options),
            "max_regrasps": self.max_regrasps,
            "seed": self.seed,
            "policies": {name: dict(values) for name, values in self.settings.items()},
        }

    def run(self, thing: str, trial: int, name: str, *, aftermath: bool = False) -> tuple[Record, Episode]:
        """Play one episode on one thread, so that its numbers are the same in every process.

        Args:
            thing: the object.
            trial: its number.
            name: of the policy.
            aftermath: keep what shows the outcomes, where the environment has a method `aftermath`.

        Raises:
            VisuotactileError: something went wrong; the message names the episode.
        """
        number = episode_seed(self.seed, thing, trial)
        try:
            with one_thread(), opened(self.spec, self.options) as env:
                robot = EnvRobot(env)
                policy = self.policies[name].build(number, self.settings[name], self.embodiment)
                info = robot.reset(seed=number, options={"object": thing})
                if info.get("object", thing) != thing:
                    raise PlanError(
                        f"reset(options={{'object': {thing!r}}}) of {self.spec.id} gave {info['object']!r}; "
                        "expected an environment in which it chooses the object"
                    )
                rng = np.random.default_rng(number)
                episode = run_episode(robot, policy, self.max_regrasps, rng)
                if aftermath and hasattr(env.unwrapped, "aftermath"):
                    episode = replace(episode, aftermath=env.unwrapped.aftermath())
        except VisuotactileError as why:
            raise type(why)(f"{thing}, trial {trial}, policy {name!r}: {why}") from None
        vectors = [vector.name for vector in self.embodiment.vectors]
        turns = tuple(
            Turn(
                vectors={each: tuple(step.observation[each].tolist()) for each in vectors},
                action=dict(step.choice.action),
                predicted=predicted(step.choice),
            )
            for step in episode.steps
        )
        record = Record(
            policy=name,
            object=thing,
            trial=trial,
            seed=number,
            session=str(info.get("session", "")),
            outcomes=episode.outcomes,
            regrasps=episode.regrasps,
            forced=not episode.steps[-1].choice.lift,
            turns=turns,
        )
        return record, episode


def episode_seed(seed: int, thing: str, trial: int) -> int:
    """Seed of one (object, trial), independent of other objects and trials."""
    digest = hashlib.sha256(f"{seed}/{trial}/{thing}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def predicted(choice: Choice) -> dict[str, float] | None:
    """A planner's predicted probability of each outcome of its choice; None for other policies."""
    if not isinstance(choice, PlannedChoice):
        return None
    outcomes = choice.decision.candidates.outcomes
    return dict(zip(outcomes, choice.decision.probabilities[0].tolist(), strict=True))


def _played(stage: Stage, keys: Sequence[tuple[str, int, str]], workers: int) -> Iterator[Record]:
    if workers == 1:
        for key in keys:
            yield _record(stage, *key)
        return
    for found in parallel(workers, _attempt, [(stage, *key) for key in keys]):
        if isinstance(found, VisuotactileError):
            raise found
        yield found


def _record(stage: Stage, thing: str, trial: int, name: str) -> Record:
    return stage.run(thing, trial, name)[0]


def _attempt(stage: Stage, thing: str, trial: int, name: str) -> Record | VisuotactileError:
    """The record, or the error, which would overtake earlier records if raised in a worker."""
    try:
        return _record(stage, thing, trial, name)
    except VisuotactileError as why:
        return why
