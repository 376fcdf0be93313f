"""What makes one candidate action better than another.

An objective ranks candidates: `MostLikely()` by an outcome's probability, `Least("force")` by one of the
action's own numbers. `Constrained` puts a condition before any of them, and can itself be constrained; the
outermost condition weighs most:

    Constrained(MostLikely(), outcome="gentle", above=0.8)       gentle enough, and of those the surest
    Constrained(LEAST_FORCE, outcome="gentle", above=0.8)        gentle enough, sure enough, least force
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
        space: what the actions' numbers are.
        outcomes: what the probabilities are of.
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


@dataclass(frozen=True)
class MostLikely:
    """The likeliest outcome (more_than_a_feeling, equation 1)."""

    outcome: str = "success"

    def rank(self, candidates: Candidates) -> Tensor:
        """The probability."""
        return candidates.probability(self.outcome).double()


@dataclass(frozen=True)
class Least:
    """The smallest value of one dimension of the action, such as the force."""

    dimension: str = "force"

    def rank(self, candidates: Candidates) -> Tensor:
        """1 at the dimension's lower bound, 0 at its upper bound."""
        column = candidates.space.index(self.dimension)
        low, high = candidates.space.low[column], candidates.space.high[column]
        return ((high - candidates.dimension(self.dimension).double()) / (high - low)).clamp(0, 1)


TIE = 1e-6
"""Share of the objective's range below which the constrained outcome decides: 0.02 mN of the paper's force.

Candidates that were clipped to the least force are equal, and the surest of them should win.
"""


@dataclass(frozen=True)
class Constrained:
    """Of the candidates whose outcome is likely enough the best, and if there are none the likeliest.

    `Constrained(Least("force"), "success", 0.9)` is the paper's minimum force (more_than_a_feeling, VI-D).

    Args:
        objective: ranks those that qualify.
        outcome: what must be likely.
        above: candidates qualify with a probability above this one, in [0, 1).
    """

    objective: Objective
    outcome: str = "success"
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
        """Whether the outcome is likely enough, bool [B, N]."""
        # In float64, as whoever reads the probability as a Python number will compare it.
        return candidates.probability(self.outcome).double() > self.above


LEAST_FORCE = Constrained(Least("force"), outcome="success", above=0.9)
"""The least force with which success is above 0.9, else the likeliest success (more_than_a_feeling, VI-D)."""
