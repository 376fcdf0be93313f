"""Choosing the next grasp: a predictor, a search over actions, and an objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.objectives import Candidates, MostLikely, Objective
from visuotactile.grasp.planning.search import Problem, RandomSearch, Search


class Scores(Protocol):
    """Whatever can be planned over: `predictor.Predictor`, or any model of the same two steps."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What is predicted."""
        ...

    @property
    def action_space(self) -> ActionSpace:
        """What can be asked of the robot."""
        ...

    def encode(self, observation: Mapping[str, Tensor]) -> Any:
        """Everything about B robots' present states, from tensors [B, …]; asked once for each decision."""
        ...

    def score(self, state: Any, actions: Tensor) -> Tensor:
        """Probabilities [B, N, O] of the outcomes of actions [B, N, A]."""
        ...


@dataclass(frozen=True)
class Decision:
    """What was chosen for each of B robots, and from what.

    Attributes:
        action: float32 [B, A].
        probabilities: [B, O], of the outcomes, should the action be taken.
        stays: bool [B]; whether the fingers stay where they are and only the force changes.
        candidates: all that was scored, N for each robot.
        ranks: float64 [B, N], what the objective made of them.
    """

    action: Tensor
    probabilities: Tensor
    stays: Tensor
    candidates: Candidates
    ranks: Tensor

    def probability(self, outcome: str) -> Tensor:
        """The probability of one outcome, [B]; raises `PlanError` if it is not predicted."""
        return self.chosen.probability(outcome)[:, 0]

    def moving(self) -> Decision:
        """The best of the candidates that move, for each robot; where none does, as it was decided."""
        still = self.candidates.space.stays(self.candidates.actions)
        best = self.ranks.masked_fill(still, -1).argmax(1)
        robot = torch.arange(len(best), device=best.device)
        moves = ~still[robot, best]
        action = torch.where(moves[:, None], self.candidates.actions[robot, best], self.action)
        expected = self.candidates.probabilities[robot, best]
        probabilities = torch.where(moves[:, None], expected, self.probabilities)
        return replace(self, action=action, probabilities=probabilities, stays=self.stays & ~moves)

    @property
    def chosen(self) -> Candidates:
        """The chosen actions alone, as candidates with N = 1."""
        space, outcomes = self.candidates.space, self.candidates.outcomes
        return Candidates(self.action[:, None], self.probabilities[:, None], space, outcomes)


@dataclass(frozen=True)
class Planner:
    """Chooses the action that a predictor expects most of.

    Args:
        scores: a predictor, in evaluation mode.
        search: how candidates are found; the paper's 4,900 + 100 by default.
        objective: what is best; the likeliest success by default.

    Raises:
        PlanError: the predictor is in training mode, in which its answers depend on the other robots'.
    """

    scores: Scores
    search: Search = field(default_factory=RandomSearch)
    objective: Objective = field(default_factory=MostLikely)

    def __post_init__(self) -> None:
        """Refuse a predictor that would still learn."""
        if isinstance(self.scores, nn.Module) and self.scores.training:
            raise PlanError("the predictor is in training mode; call its eval() before planning with it")

    @torch.no_grad()
    def decide(self, observation: Mapping[str, Tensor], generator: torch.Generator) -> Decision:
        """Encode the states once, search, and take each robot's best candidate (of equals the first).

        Args:
            observation: tensors [B, …] on the generator's device, one entry for each robot.
            generator: of the candidates; the same seed gives the same decision.

        Raises:
            PlanError: the tensors are of different numbers of robots, or what was scored makes no sense.
        """
        counts = {name: len(value) for name, value in observation.items()}
        if len(set(counts.values())) != 1:
            raise PlanError(f"the observation is of {counts} robots; expected the same number in each tensor")
        space, outcomes = self.scores.action_space, self.scores.outcomes
        state = self.scores.encode(observation)
        problem = Problem(
            score=lambda actions: self.scores.score(state, actions),
            space=space,
            outcomes=outcomes,
            objective=self.objective,
            robots=next(iter(counts.values())),
        )
        found = self.search(problem, generator)
        best, robot = found.ranks.argmax(1), torch.arange(problem.robots, device=found.ranks.device)
        action = found.candidates.actions[robot, best]
        probabilities = found.candidates.probabilities[robot, best]
        return Decision(action, probabilities, space.stays(action), found.candidates, found.ranks)
