"""The planner: choice of the next grasp by a predictor, a search over actions, and an objective."""

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
    """Model for planning: `predictor.Predictor`, or another one with the same steps."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot whose actions are scored."""
        ...

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the predicted outcomes, the main one first."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the required observations: images STREAM/PHASE and vectors."""
        ...

    def encode(self, observation: Mapping[str, Tensor]) -> Any:
        """Encode the states of B robots, from tensors [B, …]; called once for each decision."""
        ...

    def score(self, state: Any, actions: Tensor) -> Tensor:
        """Probabilities [B, N, O] of the outcomes of actions [B, N, A]."""
        ...

    def score_grid(self, state: Any, motions: Tensor, hands: Tensor) -> Tensor:
        """Probabilities [B, M, N, O] of motions [B, M, …] with hands [B, N, …]."""
        ...


@dataclass(frozen=True)
class Decision:
    """Choice for each of B robots, and its candidates.

    Attributes:
        action: float32 [B, A], chosen action.
        probabilities: [B, O], predicted probabilities of its outcomes.
        candidates: all scored candidates, N for each robot.
        ranks: float64 [B, N], ranks by the objective.
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
        """The best of the moving candidates, for each robot; unchanged where none moves."""
        still = self.candidates.space.stays(self.candidates.actions)
        return self.of(self.ranks.masked_fill(still, -1).argmax(1), ~still.all(1))

    def of(self, place: Tensor, where: Tensor) -> Decision:
        """Decision for the candidates at `place` [B] instead, for the robots `where` bool [B]."""
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
    """The moving candidate with the likeliest outcome, with a preset hand.

    It is the fallback of gentle_grasping's planner: if no candidate is good enough, the hand moves to the
    likeliest stable grasp, and closes as in the first grasp.

    Args:
        outcome: name of the outcome to maximise.
        hand: value of each dimension of the hand, by name.
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
    """Chooses the best action by a predictor and an objective.

    Args:
        scores: predictor, in evaluation mode.
        search: search for candidates; by default the paper's 4,900 + 100.
        objective: by default the likeliest main outcome.
        fallback: choice for robots without a candidate that satisfies the objective's constraints. None
            leaves it to the objective, which takes the likeliest to satisfy its outermost constraint.

    Raises:
        PlanError: the predictor is in training mode, where predictions depend on the other robots of a batch.
    """

    scores: Scores
    search: Search = field(default_factory=RandomSearch)
    objective: Objective | None = None
    fallback: PresetHand | None = None

    def __post_init__(self) -> None:
        """Check that the predictor is in evaluation mode."""
        if isinstance(self.scores, nn.Module) and self.scores.training:
            raise PlanError("the predictor is in training mode; call its eval() before planning with it")

    @torch.no_grad()
    def decide(self, observation: Mapping[str, Tensor], generator: torch.Generator) -> Decision:
        """Encode the states once, search, and take each robot's best candidate (the first of equals).

        Args:
            observation: tensors [B, …] on the generator's device, one entry for each robot.
            generator: generator of the candidates; the same seed gives the same decision.

        Raises:
            PlanError: the tensors have different numbers of robots, or a score is invalid.
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
            grid=lambda motions, hands: self.scores.score_grid(state, motions, hands),
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
