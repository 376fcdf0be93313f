"""Choosing the next grasp: a predictor, a search over actions, and an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.objectives import Candidates, MostLikely, Objective
from visuotactile.grasp.planning.search import Problem, RandomSearch, Search


class Scores(Protocol):
    """A model that can be planned over: `predictor.Predictor`, or any other of the same two steps."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot whose actions are scored."""
        ...

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes that are predicted, the main one first."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the observation must hold: images STREAM/PHASE and vectors."""
        ...

    def encode(self, observation: Mapping[str, Tensor]) -> Any:
        """Everything about B robots' present states, from tensors [B, …]; called once for each decision."""
        ...

    def score(self, state: Any, actions: Tensor) -> Tensor:
        """Probabilities [B, N, O] of the outcomes of actions [B, N, A]."""
        ...


@dataclass(frozen=True)
class Decision:
    """The choice for each of B robots, and what it was chosen from.

    Attributes:
        action: float32 [B, A].
        probabilities: [B, O], of the outcomes, should the action be taken.
        candidates: all that was scored, N for each robot.
        ranks: float64 [B, N], by the objective.
    """

    action: Tensor
    probabilities: Tensor
    candidates: Candidates
    ranks: Tensor

    @property
    def stays(self) -> Tensor:
        """True where the wrist does not move and only the hand changes, bool [B]."""
        return self.candidates.space.stays(self.action)

    def probability(self, outcome: str) -> Tensor:
        """The probability of one outcome, [B]; raises `PlanError` if it is not predicted."""
        return self.chosen.probability(outcome)[:, 0]

    def moving(self) -> Decision:
        """The best of the candidates that move, for each robot; where none does, as it was decided."""
        still = self.candidates.space.stays(self.candidates.actions)
        return self.of(self.ranks.masked_fill(still, -1).argmax(1), ~still.all(1))

    def of(self, place: Tensor, where: Tensor) -> Decision:
        """The candidates at `place` [B] instead, for the robots `where` bool [B]."""
        robot = torch.arange(len(place), device=place.device)
        action = torch.where(where[:, None], self.candidates.actions[robot, place], self.action)
        expected = self.candidates.probabilities[robot, place]
        probabilities = torch.where(where[:, None], expected, self.probabilities)
        return replace(self, action=action, probabilities=probabilities)

    @property
    def chosen(self) -> Candidates:
        """The chosen actions alone, as candidates with N = 1."""
        space, outcomes = self.candidates.space, self.candidates.outcomes
        return Candidates(self.action[:, None], self.probabilities[:, None], space, outcomes)


@dataclass(frozen=True)
class PresetHand:
    """Of the candidates that move the one with the likeliest outcome, the hand closed as it is set here.

    The fallback of gentle_grasping's planner: nothing is good enough here, so the hand moves on to where the
    grasp is most likely to be stable, and closes there as it did at first.

    Args:
        outcome: the likeliest of which is moved to.
        hand: every dimension of the hand by name.
    """

    outcome: str
    hand: Mapping[str, float]

    def __call__(
        self, decision: Decision, score: Callable[[Tensor], Tensor], unsatisfied: Tensor
    ) -> Decision:
        """The decision with another action for the robots `unsatisfied` bool [B], scored again.

        Raises:
            PlanError: the hand has other dimensions, or is out of its bounds.
        """
        candidates = decision.candidates
        space = candidates.space
        ActionSpace((), space.hand).action(self.hand)
        still = space.stays(candidates.actions)
        likely = candidates.probability(self.outcome).masked_fill(still, -1).argmax(1)
        chosen = decision.of(likely, unsatisfied & ~still.all(1))
        action = chosen.action.clone()
        for name, value in self.hand.items():
            action[unsatisfied, space.index(name)] = value
        action = space.clip(action)
        again = torch.where(unsatisfied[:, None], score(action[:, None])[:, 0], chosen.probabilities)
        return replace(chosen, action=action, probabilities=again)


@dataclass(frozen=True)
class Planner:
    """Chooses the action that a predictor expects most of.

    Args:
        scores: a predictor, in evaluation mode.
        search: how candidates are found; the paper's 4,900 + 100 by default.
        objective: the likeliest main outcome by default.
        fallback: for robots none of whose candidates satisfies the objective's constraints. None leaves it to
            the objective, which then takes the likeliest to satisfy its outermost constraint.

    Raises:
        PlanError: the predictor is in training mode, in which its answers depend on the other robots'.
    """

    scores: Scores
    search: Search = field(default_factory=RandomSearch)
    objective: Objective | None = None
    fallback: PresetHand | None = None

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
        space, outcomes = ActionSpace.of(self.scores.embodiment), self.scores.outcomes
        objective = self.objective or MostLikely(outcomes[0])
        state = self.scores.encode(observation)
        problem = Problem(
            score=lambda actions: self.scores.score(state, actions),
            space=space,
            outcomes=outcomes,
            objective=objective,
            robots=next(iter(counts.values())),
        )
        found = self.search(problem, generator)
        best, robot = found.ranks.argmax(1), torch.arange(problem.robots, device=found.ranks.device)
        action = found.candidates.actions[robot, best]
        probabilities = found.candidates.probabilities[robot, best]
        decision = Decision(action, probabilities, found.candidates, found.ranks)
        if self.fallback is None:
            return decision
        unsatisfied = ~objective.satisfied(found.candidates).any(1)
        return self.fallback(decision, problem.score, unsatisfied) if unsatisfied.any() else decision
