"""Objectives: the ranking of candidate actions.

An objective ranks candidates: `MostLikely("stable")` by an outcome's probability, `Least("closing")` by a
dimension of the action. `Constrained` adds a condition to any of them, and can itself be constrained; the
outermost condition has the highest priority:

    Constrained(MostLikely("stable"), "gentle", 0.8)                             gentle, then most stable
    Constrained(Constrained(Least("closing"), "stable", 0.9), "gentle", 0.8)     gentle, stable, then least
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
    """Actions for each of B robots, and the predicted probabilities of their outcomes.

    Attributes:
        actions: float32 [B, N, A], in the order of `space.names`.
        probabilities: float32 [B, N, O], in the order of `outcomes`.
        space: action space.
        outcomes: names of the outcomes.
    """

    actions: Tensor
    probabilities: Tensor
    space: ActionSpace
    outcomes: tuple[str, ...]

    def dimension(self, name: str) -> Tensor:
        """Values of one dimension of the actions, [B, N]."""
        return self.actions[..., self.space.index(name)]

    def probability(self, outcome: str) -> Tensor:
        """The probability of one outcome, [B, N]; raises `PlanError` if it is not predicted."""
        if outcome not in self.outcomes:
            raise PlanError(f"{outcome!r} is not predicted; this predictor knows {', '.join(self.outcomes)}")
        return self.probabilities[..., self.outcomes.index(outcome)]


class Objective(Protocol):
    """Ranks candidates.

    Ranks are in [0, 1], so that objectives can be nested, and differentiable with respect to the actions
    except at jumps, for `search.GradientRefinement`.
    """

    def rank(self, candidates: Candidates) -> Tensor:
        """Rank of each candidate, float64 [B, N]; the highest is the best."""
        ...

    def satisfied(self, candidates: Candidates) -> Tensor:
        """True where a candidate meets all constraints, bool [B, N]."""
        ...


class _Unconstrained:
    def satisfied(self, candidates: Candidates) -> Tensor:
        """True for every candidate, without constraints."""
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
"""Share of the objective's range below which the constrained outcome breaks ties.

Of candidates clipped to a dimension's least value, the likeliest should win.
"""


@dataclass(frozen=True)
class Constrained:
    """The best candidate whose outcome is likely enough, or the likeliest if there is none.

    Args:
        objective: objective among the qualifying candidates.
        outcome: name of the constrained outcome.
        above: probability above which candidates qualify, in [0, 1).
    """

    objective: Objective
    outcome: str
    above: float = 0.9

    def __post_init__(self) -> None:
        """Check the threshold."""
        if not 0 <= self.above < 1:
            raise PlanError(
                f"the probability of {self.outcome} must be above {self.above}; expected 0 to below 1"
            )

    def rank(self, candidates: Candidates) -> Tensor:
        """Rank qualifying candidates in [½, 1] by the objective, the others in [0, ½) by probability."""
        probability = candidates.probability(self.outcome).double()
        inner = (1 - TIE) * self.objective.rank(candidates) + TIE * probability
        return torch.where(self.qualifies(candidates), 1 + inner, probability) / 2

    def qualifies(self, candidates: Candidates) -> Tensor:
        """True where the outcome is likely enough, bool [B, N]."""
        # In float64, like Python's comparison with a single probability.
        return candidates.probability(self.outcome).double() > self.above

    def satisfied(self, candidates: Candidates) -> Tensor:
        """True where a candidate meets this and all inner constraints, bool [B, N]."""
        return self.qualifies(candidates) & self.objective.satisfied(candidates)
