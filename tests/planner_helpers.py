"""Functions of an action that are known by heart, to plan over in the place of a predictor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.grasp.planning.actions import ActionSpace, every_pair
from visuotactile.grasp.planning.objectives import MostLikely, Objective
from visuotactile.grasp.planning.search import Problem
from visuotactile.sim.hands.parallel import declaration

GRIPPER = declaration(64)
REGRASP = ActionSpace.of(GRIPPER)
LOW, HIGH = REGRASP.bounds()

Function = Callable[[Tensor], Tensor]
"""Shares of the way from each lower to each upper bound [B, N, A] → probabilities [B, N] or [B, N, O]."""


def share(actions: Tensor) -> Tensor:
    """Actions with their bounds at 0 and 1."""
    return (actions - LOW) / (HIGH - LOW)


def bump(peak: Sequence[float], width: float, height: float = 1.0) -> Function:
    """A round hill: `height` at `peak` [A], in shares of the bounds."""
    return lambda x: height * torch.exp(-((x - torch.tensor(peak)) ** 2).sum(-1) / (2 * width**2))


def problem(
    function: Function,
    objective: Objective | None = None,
    outcomes: tuple[str, ...] = ("success",),
    robots: int = 1,
) -> Problem:
    """A problem over regrasps."""
    return Problem(_score(function, outcomes), REGRASP, outcomes, objective or MostLikely("success"), robots)


def _score(function: Function, outcomes: tuple[str, ...]) -> Callable[[Tensor], Tensor]:
    def score(actions: Tensor) -> Tensor:
        return function(share(actions)).reshape(*actions.shape[:-1], len(outcomes))

    return score


class Known:
    """Plannable: one function for all robots, or one that depends on `observation["where"]` [B, A].

    `encoded` and `scored` count how often it was asked.
    """

    inputs: tuple[str, ...] = ()

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        outcomes: tuple[str, ...] = ("success",),
        embodiment: Embodiment = GRIPPER,
    ) -> None:
        self.function, self.outcomes, self.embodiment = function, outcomes, embodiment
        self.encoded, self.scored = 0, 0

    def encode(self, observation: Mapping[str, Tensor]) -> Any:
        """First argument of the function, [B, 1, A]."""
        self.encoded += 1
        return observation["where"][:, None]

    def score(self, state: Any, actions: Tensor) -> Tensor:
        """The function's values."""
        self.scored += actions.shape[1]
        values = self.function(state, share(actions))
        return values.reshape(*actions.shape[:-1], len(self.outcomes))

    def score_grid(self, state: Any, motions: Tensor, hands: Tensor) -> Tensor:
        """The function's values of every motion with every hand."""
        values = self.score(state, every_pair(motions, hands))
        return values.unflatten(1, (motions.shape[1], hands.shape[1]))


def hill_at(where: Tensor, x: Tensor) -> Tensor:
    """For `Known`: a wide hill of height 1 wherever each robot has it."""
    return torch.exp(-((x - where) ** 2).sum(-1) / (2 * 0.4**2))
