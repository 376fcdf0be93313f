"""Specifications of policies as plain values, from which any process can make one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.policy import Policy
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.gripper import BASELINES as GRIPPER_BASELINES
from visuotactile.grasp.planning.objectives import Constrained, Least, MostLikely, Objective
from visuotactile.grasp.planning.planner import Planner, PresetHand
from visuotactile.grasp.planning.policies import BASELINES as GENERAL_BASELINES
from visuotactile.grasp.planning.policies import PlannerPolicy
from visuotactile.grasp.planning.search import (
    CrossEntropy,
    FactoredSearch,
    GradientRefinement,
    RandomSearch,
    Search,
)
from visuotactile.grasp.predictor.ensemble import Ensemble
from visuotactile.grasp.predictor.file import loaded, predictor_hash
from visuotactile.grasp.predictor.network import Predictor

SearchName = Literal["refine", "factored", "cem", "random"]
SEARCHES: Mapping[SearchName, tuple[Search, str]] = {
    "refine": (GradientRefinement(), "random candidates, the best of them refined along the gradient"),
    "factored": (FactoredSearch(), "every motion with every hand, then the same near the best"),
    "cem": (CrossEntropy(), "the cross-entropy method"),
    "random": (RandomSearch(), "random candidates"),
}

PLANNER = "planner"
BASELINES = {**GENERAL_BASELINES, **GRIPPER_BASELINES}
KINDS = (PLANNER, *BASELINES)

LEAST = "least_"
"""Prefix of the objective that minimises one dimension of the action."""


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """Specification of a policy, as plain values.

    Args:
        kind: "planner", or the name of a baseline.
        predictors: folders of a planner's predictors, one or an ensemble; none for a baseline.
        objective: objective of a planner: the name of an outcome, whose probability is maximised; or
            least_DIMENSION, the least value of a dimension of the action with which the required outcomes are
            likely enough. By default the predictor's main outcome.
        required: outcomes that must be likelier than `above` before a planner lifts; by default the
            predictor's main outcome.
        search: search of a planner: "refine" (random, then the gradient), "factored", "cem" or "random".
        above: probability of each required outcome above which a planner lifts.
        preset: hand of a planner, by dimension, where no candidate satisfies its constraints; see
            `planner.PresetHand`. None leaves it to the objective.
        options: options of a baseline; defaults otherwise.
        streams: names of a planner's streams on the robot, where they differ; see `load_predictor`.

    Raises:
        PlanError: a planner has no predictor, or a name or a number is invalid.
    """

    kind: str
    predictors: tuple[str, ...] = ()
    objective: str = ""
    required: tuple[str, ...] = ()
    search: SearchName = "refine"
    above: float = 0.9
    preset: Mapping[str, float] | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    streams: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Check names and numbers."""
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("search", self.search, tuple(SEARCHES)),
        ):
            if value not in known:
                raise PlanError(f"a policy's {name} is {value!r}; expected one of {', '.join(known)}")
        if bool(self.predictors) != (self.kind == PLANNER):
            raise PlanError(
                f"a {self.kind} policy with {len(self.predictors)} predictors; a planner needs at least one, "
                "no other has any"
            )
        if not 0 <= self.above < 1:
            raise PlanError(f"a planner lifts above {self.above}; expected a probability, 0 to below 1")
        known_options = () if self.kind == PLANNER else BASELINES[self.kind].options
        unknown = [name for name in self.options if name not in known_options]
        if unknown:
            raise PlanError(
                f"a {self.kind} policy has no option {unknown[0]!r}; it has "
                f"{', '.join(known_options) or 'none'}"
            )

    def settings(self) -> dict[str, Any]:
        """Settings that its choices depend on; predictors by their hashes, independent of their folders."""
        if self.kind != PLANNER:
            return {"kind": self.kind, **BASELINES[self.kind].options, **self.options}
        kept = ("kind", "objective", "search", "above")
        given = {
            **({"required": list(self.required)} if self.required else {}),
            **({"preset": dict(self.preset)} if self.preset else {}),
            **({"streams": dict(self.streams)} if self.streams else {}),
        }
        known = {name: getattr(self, name) for name in kept}
        return {**known, **given, "hashes": [predictor_hash(Path(folder)) for folder in self.predictors]}

    def load(self, settings: Mapping[str, Any]) -> list[Predictor]:
        """Load the predictors; raises `EncoderError` if one has changed since `settings()`."""
        return [
            loaded(Path(folder), expected, tuple(sorted((self.streams or {}).items())))
            for folder, expected in zip(self.predictors, settings["hashes"], strict=True)
        ]

    def build(self, seed: int, settings: Mapping[str, Any], embodiment: Embodiment) -> Policy:
        """Make the policy, with a seeded generator.

        Args:
            seed: seed of the generator.
            settings: result of `settings()` at the start of the work.
            embodiment: embodiment of a baseline's robot; a planner's predictors have their own.

        Raises:
            EncoderError: a predictor is missing, or has changed.
            PlanError: the predictors differ in their outcomes, or do not predict that of the objective.
        """
        if self.kind == PLANNER:
            return self.build_planner(seed, settings)
        baseline = BASELINES[self.kind]
        generator = torch.Generator().manual_seed(seed)
        return baseline.make(embodiment, generator, **{**baseline.options, **self.options})

    def build_planner(self, seed: int, settings: Mapping[str, Any]) -> PlannerPolicy:
        """Make the policy of a planner; see `build`."""
        scores = Ensemble(self.load(settings))
        main = scores.outcomes[0]
        required = self.required or (main,)
        ranked = "" if self.objective.startswith(LEAST) else self.objective or main
        for name in (*required, *([ranked] if ranked else [])):
            if name not in scores.outcomes:
                raise PlanError(f"{name!r} is not predicted; expected one of {', '.join(scores.outcomes)}")
        if not ranked:
            ActionSpace.of(scores.embodiment).index(self.objective.removeprefix(LEAST))
        objective = self._objective(ranked, required)
        fallback = None if self.preset is None else PresetHand(main, self.preset)
        planner = Planner(scores, SEARCHES[self.search][0], objective, fallback)
        generator = torch.Generator().manual_seed(seed)
        return PlannerPolicy(planner, dict.fromkeys(required, self.above), generator)

    def _objective(self, ranked: str, required: tuple[str, ...]) -> Objective:
        found: Objective = MostLikely(ranked) if ranked else Least(self.objective.removeprefix(LEAST))
        for name in reversed(required):  # the first weighs most
            if name != ranked or self.preset is not None:
                found = Constrained(found, name, self.above)
        return found


def playable(embodiment: Embodiment) -> list[str]:
    """Names of the baselines whose inputs the robot observes."""
    observed = {vector.name for vector in embodiment.vectors}
    found = []
    for name in BASELINES:
        policy = PolicySpec(kind=name).build(0, {}, embodiment)
        with contextlib.suppress(PlanError):
            if observed.issuperset(getattr(policy, "inputs", ())):
                found.append(name)
    return found


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread: the last digit of its sums, and so a choice, depends on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
