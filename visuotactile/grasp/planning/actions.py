"""What a robot can be asked to do: the dimensions of an action, their units and their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visuotactile.errors import PlanError

FORCE = "force"
"""The dimension that is no motion: how hard the fingers close, absolute."""


def _inwards(values: Sequence[float], towards: float) -> Tensor:
    exact = torch.tensor(values, dtype=torch.float64)
    rounded = exact.float()
    outside = rounded.double() < exact if towards > 0 else rounded.double() > exact
    return torch.where(outside, torch.nextafter(rounded, torch.full_like(rounded, towards)), rounded)


@dataclass(frozen=True)
class ActionSpace:
    """A box of actions, each a row of D numbers.

    Args:
        names: of the dimensions, in the order in which they stand in a row.
        units: of the same, such as "m", "rad", "N".
        low: the smallest value of each.
        high: the largest value of each.

    Raises:
        PlanError: lengths differ, a name stands twice, or a bound is not below the other or not finite.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check, and turn lists (as YAML and JSON give them) into tuples."""
        for field in ("names", "units", "low", "high"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        lengths = {field: len(getattr(self, field)) for field in ("names", "units", "low", "high")}
        if len(set(lengths.values())) != 1 or not self.names:
            raise PlanError(f"an action space has {lengths} entries; expected as many of each, at least one")
        if len(set(self.names)) != len(self.names):
            raise PlanError(f"the actions' dimensions are {', '.join(self.names)}; expected no name twice")
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise PlanError(
                    f"{name} is bounded by {low} and {high}; expected two finite numbers, low < high"
                )
        lowest, highest = self.bounds()
        if (lowest > highest).any():
            raise PlanError(
                f"bounds {self.low} to {self.high} are too narrow for float32; fix that dimension"
            )

    def __len__(self) -> int:
        """D, the number of dimensions."""
        return len(self.names)

    def bounds(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Lowest and highest action, float32 [D] each, rounded inwards so that no action is out of bounds."""
        return _inwards(self.low, math.inf).to(device), _inwards(self.high, -math.inf).to(device)

    def index(self, name: str) -> int:
        """Where the dimension stands in a row; raises `PlanError` if there is none of that name."""
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
        """Whether each of `actions` [..., D] is within the bounds, bool [...]; NaN never is."""
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
        for name, unit, low, high in zip(self.names, self.units, self.low, self.high, strict=True):
            if not low <= values[name] <= high:
                raise PlanError(
                    f"action {name} is {values[name]:.6g} {unit}; expected {low:.6g} to {high:.6g}"
                )
        return self.clip(torch.tensor([values[name] for name in self.names]))

    def named(self, action: Tensor) -> dict[str, float]:
        """The numbers of one action [D] by name."""
        self.check(action)
        return dict(zip(self.names, action.tolist(), strict=True))

    def stays(self, actions: Tensor) -> Tensor:
        """Whether each of `actions` [..., D] moves nothing: all is 0 but the force, bool [...]."""
        moves = [number for number, name in enumerate(self.names) if name != FORCE]
        return (actions[..., moves] == 0).all(-1)

    def sweep(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """`n` actions that stay in place, their force evenly over its bounds, float32 [n, D].

        Raises:
            PlanError: there is no force, or a motion of 0 is out of bounds.
        """
        column = self.index(FORCE)
        low, high = self.bounds(device)
        actions = torch.zeros(n, len(self), device=device)
        actions[:, column] = torch.linspace(float(low[column]), float(high[column]), n, device=device)
        actions = self.clip(actions)
        if not self.stays(actions).all():
            raise PlanError(
                f"a robot with motions from {self.low} to {self.high} cannot stay; search with sweep=0"
            )
        return actions


REGRASP = ActionSpace(
    names=("dx", "dy", "dz", "dyaw", "force"),
    units=("m", "m", "m", "rad", "N"),
    low=(-0.02, -0.02, -0.02, -math.radians(17), 4.0),
    high=(0.02, 0.02, 0.02, math.radians(17), 25.0),
)
"""The paper's regrasps (more_than_a_feeling, VI-B): motion in the world's axes, turn, absolute force."""
