"""Ensembles of predictors.

A planner maximises over thousands of actions, and so tends to choose one for which the network is
overconfident. Networks of other seeds seldom share such an error, which averaging reduces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.errors import PlanError
from visuotactile.grasp.predictor.network import Predictor, State


class Ensemble(nn.Module):
    """The mean of several predictors' calibrated probabilities.

    It replaces a predictor in planning. A mean of calibrated probabilities tends to be underconfident. Paper:
    deep ensembles, Lakshminarayanan et al., 2017.

    Args:
        members: at least one predictor, all of the same outcomes and actions; inputs may differ.

    Raises:
        PlanError: there is no member, or members differ in their outcomes, actions or vectors of one name.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        super().__init__()
        if not members:
            raise PlanError("an ensemble of no predictors; expected at least one")
        first = members[0]
        known = {vector.name: vector for vector in first.embodiment.vectors}
        for number, other in enumerate(members[1:], start=2):
            for what in ("outcomes", "action_space"):
                ours, theirs = getattr(first, what), getattr(other, what)
                if ours != theirs:
                    raise PlanError(
                        f"predictor {number} of an ensemble has {what.replace('_', ' ')} {theirs}, the first "
                        f"one {ours}; expected the same"
                    )
            for vector in other.observed:
                if known.get(vector.name) != vector:
                    raise PlanError(
                        f"predictor {number} of an ensemble takes {vector}; that of the first one is "
                        f"{known.get(vector.name, 'not there')}; expected the same"
                    )
        self.embodiment: Embodiment = first.embodiment
        self.outcomes: tuple[str, ...] = first.outcomes
        self.members = nn.ModuleList(members)
        self.training = any(member.training for member in members)

    def __len__(self) -> int:
        """Number of predictors."""
        return len(self.members)

    def __iter__(self) -> Iterator[Predictor]:
        """The predictors, in their order."""
        for member in self.members:
            assert isinstance(member, Predictor)
            yield member

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the required observations of all members."""
        return tuple(dict.fromkeys(name for member in self for name in member.inputs))

    def encode(self, observation: Mapping[str, Tensor]) -> list[State]:
        """Encode the state for each predictor; see `Predictor.encode`."""
        return [member.encode(observation) for member in self]

    def score(self, states: Sequence[State], actions: Tensor) -> Tensor:
        """Mean probabilities [B, N, O] of the outcomes of actions [B, N, A], in their own units."""
        scores = [member.score(state, actions) for member, state in zip(self, states, strict=True)]
        return torch.stack(scores).mean(0)

    def score_grid(self, states: Sequence[State], motions: Tensor, hands: Tensor) -> Tensor:
        """Mean probabilities [B, M, N, O] of every motion with every hand; see `Predictor.score_grid`."""
        scores = [
            member.score_grid(state, motions, hands) for member, state in zip(self, states, strict=True)
        ]
        return torch.stack(scores).mean(0)
