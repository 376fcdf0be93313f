"""Searches for the best action: at random, by the cross-entropy method, along the gradient.

Every search works on all robots and all candidates at once, and draws the same random numbers for every
robot: its result for one does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.objectives import Candidates, Objective


@dataclass(frozen=True)
class Problem:
    """An optimisation over the actions of B robots.

    Attributes:
        score: actions [B, N, A] → probabilities [B, N, O], in the robots' present states.
        space: of the actions.
        outcomes: names of the O outcomes.
        objective: ranks candidates.
        robots: B.
    """

    score: Callable[[Tensor], Tensor]
    space: ActionSpace
    outcomes: tuple[str, ...]
    objective: Objective
    robots: int

    def evaluate(self, actions: Tensor) -> Ranked:
        """Score and rank actions [B, N, A].

        Raises:
            PlanError: the scores have another shape, or are not probabilities.
        """
        probabilities = self.score(actions)
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

Where an objective is constrained, the elites crowd against the constraint and the Gaussian closes too early.
On functions whose least sufficient value of one dimension is known, 64×6×3 missed it by 24 and 40 % of the
dimension's range without, 12 and 23 % with smoothing, and 256×16×10 by 16 and 11 % without, 0.005 % with. The
price is on a narrow hill, of which 64×6×3 then reaches 0.61 of the height instead of 0.81 (192 random
actions: 0.14).
"""

FIRST_STEP, LAST_STEP = 0.08, 0.0035
"""Lengths of a refinement's steps, a dimension's range being 1.

They sum to 0.4 over 15 steps, further than it is from the best of 5,000 random actions to the top of its
hill, and end below what a hand can tell apart. On the same functions the value found from there is within
0.05 % of the range of the least.
"""


class Search(Protocol):
    """Looks for the action that an objective ranks highest; returns every candidate that it scored."""

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Search, with the generator's randomness and on its device."""
        ...


@dataclass(frozen=True)
class RandomSearch:
    """Actions drawn uniformly, and some that stay in place and sweep the hand (more_than_a_feeling, VI-B).

    Staying is worth its own candidates: it keeps a contact that moving would give up, and no random action
    stays.

    Args:
        samples: how many are drawn.
        sweep: how many stay in place, their hands spread over the bounds.
    """

    samples: int = 4900
    sweep: int = 100

    def __post_init__(self) -> None:
        """Refuse to search among nothing."""
        if self.samples < 0 or self.sweep < 0 or self.samples + self.sweep < 1:
            raise PlanError(
                f"samples={self.samples}, sweep={self.sweep}; expected at least one candidate in all"
            )

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Score them all at once."""
        actions = _spread(problem.space, self.samples, self.sweep, generator)
        return problem.evaluate(actions.expand(problem.robots, -1, -1))


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy method, with the sizes of hand_eye_coordination (4.2) by default.

    The first round is drawn over the whole action space. Each later one is drawn from a Gaussian, independent
    in each dimension, about the mean of the elites of the round before, and clipped to the bounds; its spread
    is theirs, smoothed. The best action of all rounds counts. The default sizes are a controller's: quick,
    and good near a single peak. Where there are several, or a constraint, give it more samples.

    Args:
        samples: candidates in each round.
        elites: how many of them the next Gaussian is fitted to.
        iterations: rounds.
        sweep: how many of the first round's candidates stay in place, their hands spread over the bounds.
    """

    samples: int = 64
    elites: int = 6
    iterations: int = 3
    sweep: int = 8

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be."""
        if not 1 <= self.elites <= self.samples or self.iterations < 1 or not 0 <= self.sweep <= self.samples:
            raise PlanError(
                f"samples={self.samples}, elites={self.elites}, iterations={self.iterations}, "
                f"sweep={self.sweep}; expected 1 ≤ elites ≤ samples, iterations ≥ 1 and sweep ≤ samples"
            )

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Round after round."""
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

    The steps are of a given length in units of the box of actions, shrinking geometrically, along the
    gradient of the objective's rank; what a bound forbids is left out of the direction and clipped. A rank
    that jumps where a constraint begins to hold has a gradient on either side: towards the constraint where
    it is broken, along the objective where it holds. Following whichever applies is the switching subgradient
    method (Polyak 1967), which needs neither a penalty nor a softened threshold. Steps may pass the best
    point, so all are kept as candidates, and the result is never worse than the start.

    Args:
        start: the search whose candidates are refined.
        best: how many of them.
        steps: how many steps each takes.
    """

    start: Search = field(default_factory=RandomSearch)
    best: int = 16
    steps: int = 15

    def __post_init__(self) -> None:
        """Refuse steps that lead nowhere."""
        if self.best < 1 or self.steps < 1:
            raise PlanError(f"best={self.best}, steps={self.steps}; expected at least 1 of both")

    def __call__(self, problem: Problem, generator: torch.Generator) -> Ranked:
        """Search, then climb."""
        found = self.start(problem, generator)
        low, high = problem.space.bounds(generator.device)
        actions = found.top(min(self.best, found.ranks.shape[1]))
        decay = (LAST_STEP / FIRST_STEP) ** (1 / max(1, self.steps - 1))
        for step in range(self.steps):
            here, slope = _with_slope(problem, actions)
            found = found + here if step else found  # the first are among them already
            slope = slope * (high - low)
            blocked = ((actions <= low) & (slope < 0)) | ((actions >= high) & (slope > 0))
            slope = slope.masked_fill(blocked, 0)
            # A probability near 0 or 1 has a tiny slope that still points the way; where there is none, stay.
            direction = slope / slope.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(slope.dtype).tiny)
            shift = FIRST_STEP * decay**step * direction * (high - low)
            actions = problem.space.clip((actions + shift).to(actions.dtype))
        return found + problem.evaluate(actions)


def _spread(space: ActionSpace, samples: int, sweep: int, generator: torch.Generator) -> Tensor:
    """Actions all over the space, then those that stay, [N, A]."""
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
