"""The embodiment: what a robot, real or simulated, declares that it can do and sense.

Stores carry it, environments get their spaces from it, predictors and policies are built from it. They are
compared by name and unit, so that a policy never drives a robot that means something else by a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from visuotactile.errors import ContractError

Kind = Literal["image", "clip", "depth", "sound"]

MOTIONS = {"dx": "m", "dy": "m", "dz": "m", "dyaw": "rad"}
"""Motions of the wrist and their units: shifts along the axes of the world, and a turn about its z axis."""

POSE = "pose"
"""The vector that says where the wrist is: some of `POSE_UNITS`, in the axes in which it moves."""

POSE_UNITS = {"x": "m", "y": "m", "z": "m", "yaw": "rad"}


@dataclass(frozen=True)
class Dimension:
    """A number with a name, a unit and bounds.

    Attributes:
        name: such as "dx", "force", "joint_5".
        unit: such as "m", "rad", "N"; "" of a number without one.
        low: smallest value.
        high: largest value, above `low`.

    Raises:
        ContractError: there is no name, or a bound is not finite or not below the other.
    """

    name: str
    unit: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse what bounds nothing."""
        if not self.name.isidentifier():
            raise ContractError(f"a dimension is called {self.name!r}; expected a name such as 'dx'")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ContractError(
                f"{self.name} is bounded by {self.low} and {self.high}; expected two finite numbers, "
                "low < high"
            )


@dataclass(frozen=True)
class Vector:
    """Numbers that are observed together, such as the pose of the wrist or the angles of the joints.

    Attributes:
        name: under which an observation has it, float32 [entries].
        entries: what each number is.
        located: whether it says where something stands, in the axes of the pose: `x`, `y`, and as `z` or
            `height` how high its middle or its top is over the table. A predictor takes these seen from the
            wrist.
    """

    name: str
    entries: tuple[Dimension, ...]
    located: bool = False

    def __post_init__(self) -> None:
        """Refuse a vector without a name, without entries, or with two of one name."""
        object.__setattr__(self, "entries", tuple(self.entries))
        if not self.name.isidentifier():
            raise ContractError(f"a vector is called {self.name!r}; expected a name such as 'joints'")
        _distinct(f"entries of the vector {self.name}", [entry.name for entry in self.entries])

    def __len__(self) -> int:
        """How many numbers."""
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries, in their order."""
        return tuple(entry.name for entry in self.entries)


@dataclass(frozen=True)
class Stream:
    """One sensor's recordings.

    Attributes:
        name: such as "rgb" or "tactile_left".
        kind: "image" uint8 [H, W, 3], "clip" uint8 [T, H, W, 3], "depth" uint16 [H, W] in 0.1 mm, or "sound"
            int16 [samples, channels].
        shape: of one recording.
        phases: at which it is recorded.
        rate: samples of sound or frames of a clip in a second; 0 for the others.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    phases: tuple[str, ...]
    rate: float = 0.0

    def __post_init__(self) -> None:
        """Turn lists, as JSON has them, into tuples."""
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "phases", tuple(self.phases))
        _distinct(f"phases of {self.name}", self.phases)


@dataclass(frozen=True, kw_only=True)
class Embodiment:
    """What a robot declares.

    Attributes:
        name: of the robot, such as "parallel gripper".
        motion: dimensions of an action that move the wrist, some of `MOTIONS`; all 0 where it stays.
        hand: dimensions of an action that the hand takes as they are: a force, or angles of joints.
        vectors: what is observed beside the streams; one of them, `POSE`, where the robot moves.
        streams: what is seen, felt and heard.
        phases: name of a phase → whether a model may look at it. One that may not shows the outcome, or is
            what an outcome was labelled from.
        outcomes: names of what is recorded as 1 or 0, the main one first.

    Raises:
        ContractError: a name stands twice, a motion is none of `MOTIONS` or in another unit, or a stream is
            recorded at a phase that is not declared.
    """

    name: str
    motion: tuple[Dimension, ...]
    hand: tuple[Dimension, ...]
    vectors: tuple[Vector, ...]
    streams: tuple[Stream, ...]
    phases: Mapping[str, bool]
    outcomes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        for field in ("motion", "hand", "vectors", "streams", "outcomes"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "phases", dict(self.phases))
        _distinct("dimensions of an action", [dimension.name for dimension in self.action])
        _distinct("vectors", [vector.name for vector in self.vectors])
        _distinct("streams", [stream.name for stream in self.streams])
        _distinct("outcomes", self.outcomes)
        for dimension in self.motion:
            if MOTIONS.get(dimension.name) != dimension.unit:
                raise ContractError(
                    f"{self.name} moves its wrist by {dimension.name} in {dimension.unit!r}; expected some "
                    f"of {', '.join(f'{name} in {unit!r}' for name, unit in MOTIONS.items())}"
                )
        for stream in self.streams:
            for phase in stream.phases:
                if phase not in self.phases:
                    raise ContractError(
                        f"{stream.name} is recorded at {phase!r}; {self.name} declares the phases "
                        f"{', '.join(self.phases)}"
                    )

    @property
    def action(self) -> tuple[Dimension, ...]:
        """All dimensions of an action, `motion` first."""
        return (*self.motion, *self.hand)

    def vector(self, name: str) -> Vector:
        """The vector of that name; raises `ContractError` if there is none."""
        for vector in self.vectors:
            if vector.name == name:
                return vector
        raise ContractError(
            f"{self.name} observes no vector {name!r}; it observes "
            f"{', '.join(vector.name for vector in self.vectors)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave; raises `ContractError` where something is missing or of another type."""
        try:
            return cls(
                name=values["name"],
                motion=tuple(Dimension(**each) for each in values["motion"]),
                hand=tuple(Dimension(**each) for each in values["hand"]),
                vectors=tuple(
                    Vector(
                        each["name"],
                        tuple(Dimension(**entry) for entry in each["entries"]),
                        each["located"],
                    )
                    for each in values["vectors"]
                ),
                streams=tuple(Stream(**each) for each in values["streams"]),
                phases=values["phases"],
                outcomes=tuple(values["outcomes"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as why:
            raise ContractError(f"this is no embodiment ({why!r}); make it again") from None


def _distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ContractError(f"{what}: {', '.join(names)}; expected no name twice")
