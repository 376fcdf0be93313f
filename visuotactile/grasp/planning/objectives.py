"""Objectives: the ranking of candidate actions.

An objective ranks candidates: `MostLikely("stable")` by an outcome's probability, `Least("closing")` by one
of the action's own numbers. `Constrained` puts a condition before any of them, and can itself be constrained;
the outermost condition weighs most:

    Constrained(MostLikely("stable"), "gentle", 0.8)                                gentle, then the most
    stable Constrained(Constrained(Least("closing"), "stable", 0.9), "gentle", 0.8)        gentle, stable,
    then least
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace


@dataclass(frozen=True)
class Candidates:
    """Actions for each of B robots, and what the predictor expects of each.

    Attributes:
        actions: float32 [B, N, A], in the order of `space.names`.
        probabilities: float32 [B, N, O], in the order of `outcomes`.
        space: of the actions.
        outcomes: names of the outcomes.
    """

    actions: Tensor
    probabilities: Tensor
    space: ActionSpace
    outcomes: tuple[str, ...]

    def dimension(self, name: str) -> Tensor:
        """One number of each action, [B, N]."""
        return self.actions[..., self.space.index(name)]

    def probability(self, outcome: str) -> Tensor:
        """The probability of one outcome, [B, N]; raises `PlanError` if it is not predicted."""
        if outcome not in self.outcomes:
            raise PlanError(f"{outcome!r} is not predicted; this predictor knows {', '.join(self.outcomes)}")
        return self.probabilities[..., self.outcomes.index(outcome)]


class Objective(Protocol):
    """Ranks candidates.

    A rank lies in [0, 1], so that objectives can stand inside one another, and has a gradient with respect
    to the actions wherever it does not jump, so that it can be climbed (see `search.GradientRefinement`).
    """

    def rank(self, candidates: Candidates) -> Tensor:
        """A number for each candidate, float64 [B, N]; the highest is the best."""
        ...

    def satisfied(self, candidates: Candidates) -> Tensor:
        """True where a candidate meets all constraints, bool [B, N]."""
        ...


class _Unconstrained:
    def satisfied(self, candidates: Candidates) -> Tensor:
        """Every candidate: there is no constraint."""
        return torch.ones(candidates.actions.shape[:-1], dtype=torch.bool, device=candidates.actions.device)


@dataclass(frozen=True)
class MostLikely(_Unconstrained):
    """The likeliest outcome (more_than_a_feeling, equation 1)."""

    outcome: str

    def rank(self, candidates: Candidates) -> Tensor:
        """The probability."""
        return candidates.probability(self.outcome).double()


@dataclass(frozen=True)
class Least(_Unconstrained):
    """The smallest value of one dimension of the action."""

    dimension: str

    def rank(self, candidates: Candidates) -> Tensor:
        """1 at the dimension's lower bound, 0 at its upper bound."""
        bounds = candidates.space.dimensions[candidates.space.index(self.dimension)]
        values = candidates.dimension(self.dimension).double()
        return ((bounds.high - values) / (bounds.high - bounds.low)).clamp(0, 1)


TIE = 1e-6
"""Share of the objective's range below which the constrained outcome decides.

Candidates that were clipped to a dimension's least value are equal, and the surest of them should win.
"""


@dataclass(frozen=True)
class Constrained:
    """Of the candidates whose outcome is likely enough the best, and if there are none the likeliest.

    Args:
        objective: ranks those that qualify.
        outcome: must be likely.
        above: candidates qualify with a probability above this one, in [0, 1).
    """

    objective: Objective
    outcome: str
    above: float = 0.9

    def __post_init__(self) -> None:
        """Refuse a threshold that no probability, or every one, passes."""
        if not 0 <= self.above < 1:
            raise PlanError(
                f"the probability of {self.outcome} must be above {self.above}; expected 0 to below 1"
            )

    def rank(self, candidates: Candidates) -> Tensor:
        """Those that qualify lie in [½, 1] in the objective's order, the others in [0, ½) by probability."""
        probability = candidates.probability(self.outcome).double()
        inner = (1 - TIE) * self.objective.rank(candidates) + TIE * probability
        return torch.where(self.qualifies(candidates), 1 + inner, probability) / 2

    def qualifies(self, candidates: Candidates) -> Tensor:
        """True where the outcome is likely enough, bool [B, N]."""
        # In float64, as Python compares the probability as a number.
        return candidates.probability(self.outcome).double() > self.above

    def satisfied(self, candidates: Candidates) -> Tensor:
        """Those that qualify, here and in what is constrained."""
        return self.qualifies(candidates) & self.objective.satisfied(candidates)
