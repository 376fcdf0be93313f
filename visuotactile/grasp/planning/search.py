"""Searches for the best action: at random, factored, by the cross-entropy method, along the gradient.

Every search is batched over robots and candidates, and draws the same random numbers for every robot, so that
results do not depend on the other robots.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace, every_pair
from visuotactile.grasp.planning.objectives import Candidates, Objective


@dataclass(frozen=True)
class Problem:
    """An optimisation over the actions of B robots.

    Attributes:
        score: actions [B, N, A] → probabilities [B, N, O], in the robots' present states.
        space: action space.
        outcomes: names of the O outcomes.
        objective: objective that ranks candidates.
        robots: B, the number of robots.
        grid: motions [B, M, …] and hands [B, N, …] → probabilities [B, M, N, O] of all their combinations;
            None where the predictor scores actions alone.
    """

    score: Callable[[Tensor], Tensor]
    space: ActionSpace
    outcomes: tuple[str, ...]
    objective: Objective
    robots: int
    grid: Callable[[Tensor, Tensor], Tensor] | None = None

    def evaluate(self, actions: Tensor) -> Ranked:
        """Score and rank actions [B, N, A].

        Raises:
            PlanError: the scores have another shape, or are not probabilities.
        """
        return self._ranked(actions, self.score(actions))

    def evaluate_grid(self, motions: Tensor, hands: Tensor) -> Ranked:
        """Score and rank every motion [B, M, …] with every hand [B, N, …], motion by motion.

        Raises:
            PlanError: as `evaluate`.
        """
        actions = every_pair(motions, hands)
        if self.grid is None:
            return self.evaluate(actions)
        return self._ranked(actions, self.grid(motions, hands).flatten(1, 2))

    def _ranked(self, actions: Tensor, probabilities: Tensor) -> Ranked:
        expected = (*actions.shape[:-1], len(self.outcomes))
        if probabilities.shape != expected:
            raise PlanError(
                f"the predictor scored {list(actions.shape)} actions as {list(probabilities.shape)}; "
                f"expected {list(expected)} for {', '.join(self.outcomes)}"
            )
        wrong = ~((probabilities >= 0) & (probabilities <= 1)).all(-1)  # NaN as well
        if wrong.any():
            raise PlanError(
                f"{int(wrong.sum())} of {wrong.numel()} candidates have a score that is not a probability; "
                "was the predictor trained to the end, and is its observation finite?"
            )
        candidates = Candidates(actions, probabilities, self.space, self.outcomes)
        return Ranked(candidates, self.objective.rank(candidates))


@dataclass(frozen=True)
class Ranked:
    """Candidates and their ranks float64 [B, N], the highest the best."""

    candidates: Candidates
    ranks: Tensor

    def top(self, k: int) -> Tensor:
        """The k best actions of each robot, [B, k, A], the best first."""
        order = self.ranks.topk(k, dim=1).indices
        actions = self.candidates.actions
        return actions.gather(1, order[..., None].expand(-1, -1, actions.shape[-1]))

    def __add__(self, other: Ranked) -> Ranked:
        """All candidates of both, these first."""
        mine, theirs = self.candidates, other.candidates
        both = Candidates(
            torch.cat([mine.actions, theirs.actions], 1),
            torch.cat([mine.probabilities, theirs.probabilities], 1),
            mine.space,
            mine.outcomes,
        )
        return Ranked(both, torch.cat([self.ranks, other.ranks], 1))


SMOOTHING = 0.5
"""Share of the last Gaussian's spread in the next one's (smoothed updating, Rubinstein and Kroese 2004).

With a constrained objective, the elites crowd against the constraint and the Gaussian collapses too early. On
functions with a known least sufficient value of one dimension, the error of 64×6×3 was 24 and 40 % of the
dimension's range without smoothing, 12 and 23 % with it, and that of 256×16×10 16 and 11 % without, 0.005 %
with it. The cost is on a narrow hill, of which 64×6×3 then reaches 0.61 of the height instead of 0.81 (192
random actions: 0.14).
"""

FIRST_STEP, LAST_STEP = 0.08, 0.0035
"""Lengths of a refinement's steps, relative to a dimension's range.

They sum to 0.4 over 15 steps, more than the distance from the best of 5,000 random actions to its local
maximum, and end below the precision of a hand. On the same functions the error of the least value is then
below 0.05 % of the range.
"""


class Search(Protocol):
    """Search for the action that an objective ranks highest; returns every scored candidate."""

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Search, with the generator's random numbers and on its device."""
        ...


@dataclass(frozen=True)
class RandomSearch:
    """Uniformly random actions, and some that stay and sweep the hand (more_than_a_feeling, VI-B).

    Staying needs its own candidates: it keeps the contact, and no random action stays.

    Args:
        samples: number of random actions.
        sweep: number of actions that stay, with hands spread over the bounds.
    """

    samples: int = 4900
    sweep: int = 100

    def __post_init__(self) -> None:
        """Check the number of candidates."""
        if self.samples < 0 or self.sweep < 0 or self.samples + self.sweep < 1:
            raise PlanError(
                f"samples={self.samples}, sweep={self.sweep}; expected at least one candidate in all"
            )

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Score them all at once."""
        actions = _spread(problem.space, self.samples, self.sweep, generator)
        return problem.evaluate(actions.expand(problem.robots, -1, -1))


@dataclass(frozen=True)
class FactoredSearch:
    """Every motion of the wrist with every pose of the hand, then the same near the best of them.

    A predictor with separate action networks scores a grid of motions × hands for little more than its edges
    cost (`Predictor.score_grid`). Such a grid has fewer different motions than as many independent draws,
    and finds less; three narrower grids around the best more than make up for it. Staying is one of the
    motions of every grid, and the best action so far is in it, so no round loses what was found.

    Over twelve random networks, the best stability of 200² and three rounds of 142² candidates was higher
    than that of 100,000 independent draws (`benchmarks/planner.py`).

    Args:
        first: motions, and hands, of the first round.
        later: motions, and hands, of each later round.
        rounds: number of later rounds.
    """

    first: int = 200
    later: int = 142
    rounds: int = 3

    def __post_init__(self) -> None:
        """Check the sizes."""
        if min(self.first, self.later) < 2 or self.rounds < 0:  # staying, and a motion
            raise PlanError(
                f"first={self.first}, later={self.later}, rounds={self.rounds}; expected 2 or more motions "
                "and hands in a round, and no negative number of rounds"
            )

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Run the rounds.

        Raises:
            PlanError: the wrist or the hand has no dimension, so there is nothing to combine.
        """
        space, motions = problem.space, len(problem.space.motion)
        if not space.motion or not space.hand:
            raise PlanError(
                f"an action has {motions} motions and {len(space.hand)} dimensions of a hand; the factored "
                "search combines both, so take another"
            )
        low, high = space.bounds(generator.device)
        actions = space.sample(self.first, generator)
        actions[0, :motions] = 0
        together = actions.expand(problem.robots, -1, -1)
        found = problem.evaluate_grid(together[..., :motions], together[..., motions:])
        for number in range(self.rounds):
            best = found.top(1)
            noise = torch.randn(self.later, len(space), generator=generator, device=generator.device)
            spread = FIRST_SPREAD * NARROWER**number
            near = space.clip(best + spread * (high - low) * noise)
            near[:, 0], still = best[:, 0], torch.zeros_like(near[:, :1, :motions])
            found = found + problem.evaluate_grid(
                torch.cat([near[:, :-1, :motions], still], 1), near[..., motions:]
            )
        return found


FIRST_SPREAD, NARROWER = 0.15, 0.4
"""Deviation of the first grid around the best, relative to a dimension's range; factor of each next one."""


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy method, with the sizes of hand_eye_coordination (4.2) by default.

    The first round is drawn uniformly. Each later one is drawn from a Gaussian, independent in each
    dimension, with the mean and the smoothed spread of the last round's elites, and clipped to the bounds.
    The best action of all rounds counts. The default sizes are a controller's: fast, and good near a single
    peak. With several peaks, or a constraint, give it more samples.

    Args:
        samples: number of candidates in each round.
        elites: number of candidates to which the next Gaussian is fitted.
        iterations: number of rounds.
        sweep: number of the first round's candidates that stay, with hands spread over the bounds.
    """

    samples: int = 64
    elites: int = 6
    iterations: int = 3
    sweep: int = 8

    def __post_init__(self) -> None:
        """Check the sizes."""
        if not 1 <= self.elites <= self.samples or self.iterations < 1 or not 0 <= self.sweep <= self.samples:
            raise PlanError(
                f"samples={self.samples}, elites={self.elites}, iterations={self.iterations}, "
                f"sweep={self.sweep}; expected 1 ≤ elites ≤ samples, iterations ≥ 1 and sweep ≤ samples"
            )

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Run the rounds."""
        space = problem.space
        actions = _spread(space, self.samples - self.sweep, self.sweep, generator)
        found = latest = problem.evaluate(actions.expand(problem.robots, -1, -1))
        low, high = space.bounds(generator.device)
        spread = (high - low) / math.sqrt(12)  # of the uniform distribution
        for _ in range(self.iterations - 1):
            elites = latest.top(self.elites)
            mean, theirs = elites.mean(1, keepdim=True), elites.std(1, correction=0, keepdim=True)
            spread = SMOOTHING * spread + (1 - SMOOTHING) * theirs
            noise = torch.randn(self.samples, len(space), generator=generator, device=generator.device)
            latest = problem.evaluate(space.clip(mean + spread * noise))
            found = found + latest
        return found


@dataclass(frozen=True)
class GradientRefinement:
    """Projected gradient ascent from the best candidates of another search.

    Steps along the gradient of the objective's rank have fixed lengths, relative to the bounds, which shrink
    geometrically; the direction is projected at the bounds, and the step clipped. A rank that jumps at a
    constraint has a gradient on either side: towards the constraint where it is violated, along the objective
    where it holds. This is the switching subgradient method (Polyak 1967), which needs neither a penalty nor
    a softened threshold. Steps may overshoot, so all are kept as candidates, and the result is never worse
    than the start.

    Args:
        start: search whose candidates are refined.
        best: number of refined candidates.
        steps: number of steps of each.
    """

    start: Search = field(default_factory=RandomSearch)
    best: int = 16
    steps: int = 15

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.best < 1 or self.steps < 1:
            raise PlanError(f"best={self.best}, steps={self.steps}; expected at least 1 of both")

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Run the search, then refine."""
        found = self.start(problem, generator)
        low, high = problem.space.bounds(generator.device)
        actions = found.top(min(self.best, found.ranks.shape[1]))
        decay = (LAST_STEP / FIRST_STEP) ** (1 / max(1, self.steps - 1))
        for step in range(self.steps):
            here, slope = _with_slope(problem, actions)
            found = found + here if step else found  # the starting points are already included
            slope = slope * (high - low)
            blocked = ((actions <= low) & (slope < 0)) | ((actions >= high) & (slope > 0))
            slope = slope.masked_fill(blocked, 0)
            # A tiny slope, as near a probability of 0 or 1, still gives a direction; without a slope, stay.
            direction = slope / slope.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(slope.dtype).tiny)
            shift = FIRST_STEP * decay**step * direction * (high - low)
            actions = problem.space.clip((actions + shift).to(actions.dtype))
        return found + problem.evaluate(actions)


def _spread(space: ActionSpace, samples: int, sweep: int, generator: torch.Generator) -> Tensor:
    """Random actions, then those that stay, [N, A]."""
    drawn = space.sample(samples, generator)
    return torch.cat([drawn, space.sweep(sweep, generator.device)]) if sweep else drawn


def _with_slope(problem: Problem, actions: Tensor) -> tuple[Ranked, Tensor]:
    """The result of `evaluate`, and the ranks' gradient with respect to each action, float64 [B, K, A]."""
    with torch.enable_grad():
        leaf = actions.detach().requires_grad_()
        found = problem.evaluate(leaf)
        if not found.ranks.requires_grad:
            raise PlanError(
                "the predictor's scores have no gradient; refine those of one that is differentiable"
            )
        (slope,) = torch.autograd.grad(found.ranks.sum(), leaf)
    if not slope.isfinite().all():
        raise PlanError("the gradient of the predictor's scores is not finite; search without gradients")
    probabilities = found.candidates.probabilities.detach()
    kept = Candidates(leaf.detach(), probabilities, problem.space, problem.outcomes)
    return Ranked(kept, found.ranks.detach()), slope.double()
