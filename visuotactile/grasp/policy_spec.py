"""Policies by name: how to make one in any process, from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from visuotactile.errors import PlanError
from visuotactile.grasp.actions import REGRASP, ActionSpace
from visuotactile.grasp.loaded import loaded, predictor_hash
from visuotactile.grasp.objectives import Constrained, Least, MostLikely, Objective
from visuotactile.grasp.planner import Planner
from visuotactile.grasp.policies import CylinderFitting, FirstGrasp, PlannerPolicy, Policy, RandomRegrasp
from visuotactile.grasp.search import CrossEntropy, GradientRefinement, RandomSearch, Search

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
        predictor: the folder of what a planner plans over; None for the others.
        objective: of a planner: the likeliest success, or the least force with success above `above`.
        search: of a planner: "refine" (random, then the gradient), "cem" or "random".
        above: a planner lifts when success is likelier than this.
        force: newtons of cylinder fitting.

    Raises:
        PlanError: a planner without a predictor, or a name or a number that cannot be.
    """

    kind: Kind
    predictor: str | None = None
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
        if (self.predictor is not None) != (self.kind == "planner"):
            raise PlanError(
                f"a {self.kind} policy with predictor {self.predictor}; a planner needs one, no other has one"
            )
        if not 0 <= self.above < 1:
            raise PlanError(f"a planner lifts above {self.above}; expected a probability, 0 to below 1")

    def settings(self) -> dict[str, Any]:
        """What its choices depend on: the predictor by its hash, wherever it lies."""
        if self.kind == "planner":
            assert self.predictor is not None
            kept = ("kind", "objective", "search", "above")
            known = {name: getattr(self, name) for name in kept}
            return {**known, "hash": predictor_hash(Path(self.predictor))}
        return {"kind": self.kind} | ({"force": self.force} if self.kind == "cylinder" else {})

    def build(self, seed: int, settings: Mapping[str, Any]) -> tuple[Policy, ActionSpace]:
        """The policy, its generator seeded, and what it may choose from.

        Args:
            seed: of the generator.
            settings: what `settings()` gave when the work began.

        Raises:
            EncoderError: the folder of the predictor holds none, or another one by now.
        """
        generator = torch.Generator().manual_seed(seed)
        if self.predictor is not None:
            predictor = loaded(Path(self.predictor), settings["hash"])
            objective: Objective = MostLikely(OUTCOME)
            if self.objective == "least_force":
                objective = Constrained(Least("force"), OUTCOME, self.above)
            planner = Planner(predictor, SEARCHES[self.search], objective)
            return PlannerPolicy(planner, generator, self.above, OUTCOME), predictor.action_space
        others: dict[Kind, Policy] = {
            "cylinder": CylinderFitting(self.force),
            "random": RandomRegrasp(generator),
            "first": FirstGrasp(),
        }
        return others[self.kind], REGRASP
