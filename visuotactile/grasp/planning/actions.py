"""The action space of an embodiment: its dimensions with units and bounds, as rows of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visuotactile.datasets.embodiment import Dimension, Embodiment
from visuotactile.errors import PlanError


@dataclass(frozen=True)
class ActionSpace:
    """A box of actions, each a row of D numbers: the motion of the wrist, then the hand.

    Args:
        motion: dimensions that move the wrist; it stays if all are 0.
        hand: absolute dimensions of the hand.

    Raises:
        PlanError: there is no dimension, a name occurs twice, or bounds are too close for float32.
    """

    motion: tuple[Dimension, ...]
    hand: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        """Check names and bounds."""
        if not self.dimensions:
            raise PlanError("an action space without dimensions; expected at least one")
        if len(set(self.names)) != len(self):
            raise PlanError(f"the actions' dimensions are {', '.join(self.names)}; expected no name twice")
        lowest, highest = self.bounds()
        if (lowest > highest).any():
            raise PlanError(
                f"bounds {self.low} to {self.high} are too narrow for float32; fix that dimension"
            )

    @classmethod
    def of(cls, embodiment: Embodiment) -> ActionSpace:
        """Action space of an embodiment."""
        return cls(embodiment.motion, embodiment.hand)

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Dimensions, in the order of a row."""
        return (*self.motion, *self.hand)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(each.name for each in self.dimensions)

    @property
    def low(self) -> tuple[float, ...]:
        """Smallest value of each dimension."""
        return tuple(each.low for each in self.dimensions)

    @property
    def high(self) -> tuple[float, ...]:
        """Largest value of each dimension."""
        return tuple(each.high for each in self.dimensions)

    def __len__(self) -> int:
        """D, the number of dimensions."""
        return len(self.motion) + len(self.hand)

    def bounds(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Lowest and highest action, float32 [D] each, rounded inwards so that no action is out of bounds."""
        return _inwards(self.low, math.inf).to(device), _inwards(self.high, -math.inf).to(device)

    def index(self, name: str) -> int:
        """Index of a dimension in a row; raises `PlanError` if there is none of that name."""
        if name not in self.names:
            raise PlanError(f"an action has no {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` actions drawn uniformly, float32 [n, D], on the generator's device."""
        low, high = self.bounds(generator.device)
        share = torch.rand(n, len(self), generator=generator, device=generator.device)
        return self.clip(low + (high - low) * share)

    def clip(self, actions: Tensor) -> Tensor:
        """The nearest actions [..., D] within the bounds."""
        low, high = self.bounds(actions.device)
        return actions.clamp(low.to(actions.dtype), high.to(actions.dtype))

    def contains(self, actions: Tensor) -> Tensor:
        """True where `actions` [..., D] are within the bounds, bool [...]; NaN never is."""
        low, high = (
            torch.tensor(b, dtype=torch.float64, device=actions.device) for b in (self.low, self.high)
        )
        values = actions.double()
        return ((low <= values) & (values <= high)).all(-1)

    def check(self, actions: Tensor) -> None:
        """Raise `PlanError` for a wrong number of dimensions, and for the first number out of bounds."""
        if actions.ndim < 1 or actions.shape[-1] != len(self):
            raise PlanError(
                f"actions have shape {list(actions.shape)}; "
                f"expected [..., {len(self)}]: {', '.join(self.names)}"
            )
        wrong = (~self.contains(actions)).nonzero()
        if len(wrong):
            row = actions[tuple(wrong[0])].tolist()
            self.action(dict(zip(self.names, row, strict=True)))

    def action(self, values: Mapping[str, float]) -> Tensor:
        """One action from its numbers by name, float32 [D].

        Raises:
            PlanError: a name is missing or unknown, or its number is out of bounds.
        """
        if set(values) != set(self.names):
            raise PlanError(f"an action with {', '.join(values)}; expected {', '.join(self.names)}")
        for each in self.dimensions:
            if not each.low <= values[each.name] <= each.high:
                raise PlanError(
                    f"action {each.name} is {values[each.name]:.6g} {each.unit}; "
                    f"expected {each.low:.6g} to {each.high:.6g}"
                )
        return self.clip(torch.tensor([values[name] for name in self.names]))

    def named(self, action: Tensor) -> dict[str, float]:
        """The numbers of one action [D] by name."""
        self.check(action)
        return dict(zip(self.names, action.tolist(), strict=True))

    def stays(self, actions: Tensor) -> Tensor:
        """True where `actions` [..., D] do not move the wrist, whatever the hand does, bool [...]."""
        return (actions[..., : len(self.motion)] == 0).all(-1)

    def sweep(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """`n` actions that stay and cover the hand's bounds, float32 [n, D].

        One dimension is evenly spaced, both bounds included; several are covered by a Sobol sequence.

        Raises:
            PlanError: a motion of 0 is out of bounds.
        """
        low, high = self.bounds(device)
        actions = torch.zeros(n, len(self), device=device)
        first = len(self.motion)
        if len(self.hand) == 1:
            actions[:, first] = torch.linspace(float(low[first]), float(high[first]), n, device=device)
        elif self.hand and n:
            share = torch.quasirandom.SobolEngine(len(self.hand)).draw(n).to(device)
            actions[:, first:] = low[first:] + (high - low)[first:] * share
        actions = self.clip(actions)
        if not self.stays(actions).all():
            raise PlanError(
                f"a robot with motions from {self.low} to {self.high} cannot stay; search with sweep=0"
            )
        return actions


def every_pair(motions: Tensor, hands: Tensor) -> Tensor:
    """Actions [B, M · N, A] of every motion [B, M, …] with every hand [B, N, …], motion by motion."""
    many, each = motions.shape[1], hands.shape[1]
    return torch.cat([motions.repeat_interleave(each, 1), hands.repeat(1, many, 1)], dim=2)


def _inwards(values: Sequence[float], towards: float) -> Tensor:
    exact = torch.tensor(values, dtype=torch.float64, device="cpu")
    rounded = exact.float()
    outside = rounded.double() < exact if towards > 0 else rounded.double() > exact
    return torch.where(outside, torch.nextafter(rounded, torch.full_like(rounded, towards)), rounded)
