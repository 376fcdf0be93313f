"""Policies by name: how to make one in any process, from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import REGRASP, ActionSpace
from visuotactile.grasp.planning.objectives import Constrained, Least, MostLikely, Objective
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.policies import (
    CylinderFitting,
    FirstGrasp,
    PlannerPolicy,
    Policy,
    RandomRegrasp,
)
from visuotactile.grasp.planning.search import CrossEntropy, GradientRefinement, RandomSearch, Search
from visuotactile.grasp.predictor.ensemble import Ensemble
from visuotactile.grasp.predictor.loaded import loaded, predictor_hash
from visuotactile.grasp.predictor.network import Predictor

Kind = Literal["planner", "cylinder", "random", "first"]
ObjectiveName = Literal["success", "least_force"]
SearchName = Literal["refine", "cem", "random"]
KINDS: tuple[Kind, ...] = ("planner", "random", "cylinder", "first")
OBJECTIVES: tuple[ObjectiveName, ...] = ("success", "least_force")
SEARCHES: Mapping[SearchName, Search] = {
    "refine": GradientRefinement(),
    "cem": CrossEntropy(),
    "random": RandomSearch(),
}

OUTCOME = "success"


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """How to make a policy in any process, as plain values.

    Args:
        kind: "planner", "cylinder" (fitting), "random" (one regrasp) or "first" (the first grasp as it is).
        predictors: the folders of what a planner plans over, one or an ensemble; none for the others.
        objective: of a planner: the likeliest success, or the least force with success above `above`.
        search: of a planner: "refine" (random, then the gradient), "cem" or "random".
        above: a planner lifts when success is likelier than this.
        force: newtons of cylinder fitting.

    Raises:
        PlanError: a planner without a predictor, or a name or a number that cannot be.
    """

    kind: Kind
    predictors: tuple[str, ...] = ()
    objective: ObjectiveName = "success"
    search: SearchName = "refine"
    above: float = 0.9
    force: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what could not be made."""
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("objective", self.objective, OBJECTIVES),
            ("search", self.search, tuple(SEARCHES)),
        ):
            if value not in known:
                raise PlanError(f"a policy's {name} is {value!r}; expected one of {', '.join(known)}")
        if bool(self.predictors) != (self.kind == "planner"):
            raise PlanError(
                f"a {self.kind} policy with {len(self.predictors)} predictors; a planner needs at least one, "
                "no other has any"
            )
        if not 0 <= self.above < 1:
            raise PlanError(f"a planner lifts above {self.above}; expected a probability, 0 to below 1")

    def settings(self) -> dict[str, Any]:
        """What its choices depend on: its predictors by their hashes, wherever they lie."""
        if self.kind == "planner":
            kept = ("kind", "objective", "search", "above")
            known = {name: getattr(self, name) for name in kept}
            return {**known, "hashes": [predictor_hash(Path(folder)) for folder in self.predictors]}
        return {"kind": self.kind} | ({"force": self.force} if self.kind == "cylinder" else {})

    def load(self, settings: Mapping[str, Any]) -> list[Predictor]:
        """Its predictors, as they were when `settings()` was asked; `EncoderError` if one has changed."""
        return [
            loaded(Path(folder), expected)
            for folder, expected in zip(self.predictors, settings["hashes"], strict=True)
        ]

    def build(self, seed: int, settings: Mapping[str, Any]) -> tuple[Policy, ActionSpace]:
        """The policy, its generator seeded, and what it may choose from.

        Args:
            seed: of the generator.
            settings: what `settings()` gave when the work began.

        Raises:
            EncoderError: the folder of a predictor holds none, or another one by now.
            PlanError: the predictors do not predict the same.
        """
        generator = torch.Generator().manual_seed(seed)
        if self.predictors:
            scores = Ensemble(self.load(settings))
            objective: Objective = MostLikely(OUTCOME)
            if self.objective == "least_force":
                objective = Constrained(Least("force"), OUTCOME, self.above)
            planner = Planner(scores, SEARCHES[self.search], objective)
            return PlannerPolicy(planner, generator, self.above, OUTCOME), scores.action_space
        others: dict[Kind, Policy] = {
            "cylinder": CylinderFitting(self.force),
            "random": RandomRegrasp(generator),
            "first": FirstGrasp(),
        }
        return others[self.kind], REGRASP
