"""The embodiment: declaration of the actions and observations of a robot, real or simulated.

Stores carry it, environments get their spaces from it, predictors and policies are built from it. They are
compared by name and unit, so that a policy never drives a robot with other conventions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from visuotactile.errors import ContractError, brief

if TYPE_CHECKING:
    from visuotactile.datasets.trial import Trial

Kind = Literal["image", "depth", "map", "sound"]
"""Kinds of streams: "image" uint8 [H, W, 3], or a clip [T, H, W, 3]; "depth" uint16 [H, W] in 0.1 mm; "map"
float32 [H, W] in its own unit; "sound" int16 [samples, channels]."""

DTYPES: Mapping[Kind, npt.DTypeLike] = {
    "image": np.uint8,
    "depth": np.uint16,
    "map": np.float32,
    "sound": np.int16,
}

Access = Literal["observation", "consequence", "outcome"]
"""Access to a phase. An "observation" is made before the action: policies and predictors see it. A
"consequence" follows the action without revealing the outcome: encoders may learn from it. An "outcome"
phase shows the outcome, or served to label one: it is for labelling alone."""

PHASES: Mapping[str, Access] = {
    "before": "observation",
    "during": "observation",
    "lift": "consequence",
    "after": "outcome",
}
"""Phases of every embodiment, in the order of time: no contact yet; the hand is closed and still; the first
millimetres of the lift; some seconds after the lift."""

TOLERANCE = 1e-6
"""Excess over a bound that is accepted, since float32 rounds."""

MOTIONS = {"dx": "m", "dy": "m", "dz": "m", "dyaw": "rad"}
"""Motions of the wrist and their units: shifts along the axes of the world, and a turn about its z axis."""

POSE = "pose"
"""Vector of the wrist's pose: some of `POSE_UNITS`, in the axes in which it moves."""

POSE_UNITS = {"x": "m", "y": "m", "z": "m", "yaw": "rad"}


@dataclass(frozen=True)
class Dimension:
    """A number with a name, a unit and bounds.

    Attributes:
        name: such as "dx", "force", "joint_5".
        unit: such as "m", "rad", "N"; "" for none.
        low: smallest value.
        high: largest value, above `low`.

    Raises:
        ContractError: the name is empty, a bound is not finite, or `low` is not below `high`.
    """

    name: str
    unit: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check name and bounds."""
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
        name: key of the vector in an observation, float32 [entries].
        entries: declaration of each number.
        located: the vector is a place in the axes of the pose: `x`, `y`, and `z` (middle) or `height` (top)
            over the table. A predictor transforms these to the wrist's frame.
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
        """Number of entries."""
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
        kind: kind of the recordings.
        shapes: phase → shape of one recording, such as (224, 224, 3).
        rate: sampling rate of sound, or frame rate of a clip [Hz]; 0 for single images.

    Raises:
        ContractError: the kind is unknown, or a shape does not fit it.
    """

    name: str
    kind: Kind
    shapes: Mapping[str, tuple[int, ...]]
    rate: float = 0.0

    def __post_init__(self) -> None:
        """Turn lists, as JSON has them, into tuples, and check."""
        object.__setattr__(self, "shapes", {phase: tuple(shape) for phase, shape in self.shapes.items()})
        if self.kind not in get_args(Kind):
            raise ContractError(f"{self.name} is of kind {self.kind!r}; expected {', '.join(get_args(Kind))}")
        for phase, shape in self.shapes.items():
            if not (3 <= len(shape) <= 4 and shape[-1] == 3 if self.kind == "image" else len(shape) == 2):
                raise ContractError(
                    f"{self.name}/{phase} has shape {shape}, which is none of kind {self.kind!r}; expected "
                    f"{'[H, W, 3] or [T, H, W, 3]' if self.kind == 'image' else 'two numbers'}"
                )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the arrays."""
        return np.dtype(DTYPES[self.kind])


@dataclass(frozen=True, kw_only=True)
class Embodiment:
    """The declaration of a robot, or of a rig that only records.

    Attributes:
        name: of the robot, such as "parallel gripper".
        motion: dimensions of an action that move the wrist, some of `MOTIONS`; all 0 where it stays.
        hand: absolute dimensions of an action for the hand: a force, or joint angles.
        vectors: vectors observed beside the streams; among them `POSE`, where the wrist's pose is known.
        streams: streams of images, touch and sound.
        phases: moments of recording, in the order of time, each with its `Access`.
        outcomes: names of the binary outcomes, the main one first.

    Raises:
        ContractError: a name occurs twice; a motion or an entry of the pose is unknown or in another unit; a
            stream is recorded at an undeclared phase; or one of `PHASES` has another access.
    """

    name: str
    motion: tuple[Dimension, ...] = ()
    hand: tuple[Dimension, ...] = ()
    vectors: tuple[Vector, ...] = ()
    streams: tuple[Stream, ...] = ()
    phases: Mapping[str, Access] = field(default_factory=lambda: dict(PHASES))
    outcomes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check names, units and phases."""
        for name in ("motion", "hand", "vectors", "streams", "outcomes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "phases", dict(self.phases))
        _distinct("dimensions of an action", [dimension.name for dimension in self.action])
        _distinct("vectors", [vector.name for vector in self.vectors])
        _distinct("streams", [stream.name for stream in self.streams])
        _distinct("outcomes", self.outcomes)
        self._check_units("moves its wrist by", self.motion, MOTIONS)
        for vector in self.vectors:
            if vector.name == POSE:
                self._check_units("has a pose with", vector.entries, POSE_UNITS)
        for phase, access in self.phases.items():
            if access not in get_args(Access) or PHASES.get(phase, access) != access:
                raise ContractError(
                    f"{self.name} declares the phase {phase!r} as {access!r}; expected "
                    f"{PHASES.get(phase) or ', '.join(get_args(Access))}"
                )
        for stream in self.streams:
            for phase in stream.shapes:
                check_phase(phase, f"{self.name}: {stream.name}", self.phases)

    @property
    def action(self) -> tuple[Dimension, ...]:
        """All dimensions of an action, `motion` first."""
        return (*self.motion, *self.hand)

    @property
    def observations(self) -> dict[str, Stream]:
        """STREAM/PHASE → stream, of all streams that a policy observes."""
        return {
            f"{stream.name}/{phase}": stream
            for stream in self.streams
            for phase in self.phases
            if phase in stream.shapes and self.phases[phase] == "observation"
        }

    def vector(self, name: str) -> Vector:
        """The vector of that name; raises `ContractError` if there is none."""
        for vector in self.vectors:
            if vector.name == name:
                return vector
        raise ContractError(
            f"{self.name} observes no vector {name!r}; it observes "
            f"{', '.join(vector.name for vector in self.vectors) or 'none'}"
        )

    def check_action(self, action: Mapping[str, float]) -> dict[str, float]:
        """The numbers of an action by name, in the declared order.

        Raises:
            ContractError: a name is missing or unknown, or a number is out of bounds.
        """
        names = [dimension.name for dimension in self.action]
        if set(action) != set(names):
            raise ContractError(
                f"an action of {self.name} has {', '.join(action) or 'no numbers'}; "
                f"expected {', '.join(names)}"
            )
        for dimension in self.action:
            value = action[dimension.name]
            if not dimension.low - TOLERANCE <= value <= dimension.high + TOLERANCE:  # refuses NaN as well
                raise ContractError(
                    f"action {dimension.name} is {value:g}; {self.name} takes {dimension.low:.4g} to "
                    f"{dimension.high:.4g} {dimension.unit}".rstrip()
                )
        return {name: float(action[name]) for name in names}

    def sample_action(self, rng: np.random.Generator) -> dict[str, float]:
        """An action drawn uniformly within the bounds."""
        return _sample(self.action, rng)

    def sample_hand(self, rng: np.random.Generator) -> dict[str, float]:
        """The hand's part of an action, drawn uniformly within the bounds."""
        return _sample(self.hand, rng)

    def stay(self, hand: Mapping[str, float]) -> dict[str, float]:
        """The action without motion that closes to the given dimensions of the hand."""
        return {**dict.fromkeys((dimension.name for dimension in self.motion), 0.0), **hand}

    def stays(self, action: Mapping[str, float]) -> bool:
        """True if the action does not move the wrist."""
        return not any(action[dimension.name] for dimension in self.motion)

    def check_trial(self, trial: Trial) -> None:
        """Raise `ContractError`, naming the first difference, unless the trial matches the declaration.

        Further outcomes, such as a measured hardness, are allowed.
        """
        declared = {
            **{
                f"stream {stream.name}/{phase}": f"{stream.dtype} {shape}"
                for stream in self.streams
                for phase, shape in stream.shapes.items()
            },
            **{
                f"number {vector.name}/{entry}": "present"
                for vector in self.vectors
                for entry in vector.names
            },
            **{f"number action/{dimension.name}": "present" for dimension in self.action},
            **{f"number outcome/{name}": "present" for name in self.outcomes},
        }
        found = {
            **{
                f"stream {stream}/{phase}": f"{array.dtype} {array.shape}"
                for stream, phases in trial.streams.items()
                for phase, array in phases.items()
            },
            **{
                f"number {group}/{key}": "present"
                for group, values in {**trial.vectors, "action": trial.action}.items()
                for key in values
            },
            **{f"number outcome/{name}": "present" for name in trial.outcomes if name in self.outcomes},
        }
        name = first_difference(declared, found)
        if name:
            raise ContractError(
                f"trial {trial.name!r}: {name} is {found.get(name, 'absent')}, but "
                f"{declared.get(name, 'absent')} in the declaration of {self.name}"
            )

    def difference(self, other: Embodiment) -> str:
        """First difference from another embodiment, such as "dx is -0.02 to 0.02 m, not …"; "" if equal."""
        mine, theirs = self._parts(), other._parts()
        name = first_difference(mine, theirs)
        return name and f"{name} is {theirs.get(name, 'absent')}, not {mine.get(name, 'absent')}"

    def _parts(self) -> dict[str, str]:
        """Declared parts by name, in words."""
        numbers = {
            "motion": self.motion,
            "hand": self.hand,
            **{
                f"{'located ' * vector.located}vector {vector.name}:": vector.entries
                for vector in self.vectors
            },
        }
        return {
            "the name": repr(self.name),
            **{
                f"{group} {each.name}": f"{each.low:g} to {each.high:g} {each.unit}".rstrip()
                for group, dimensions in numbers.items()
                for each in dimensions
            },
            **{
                f"stream {stream.name}/{phase}": f"{stream.kind} {shape} at {stream.rate:g} Hz"
                for stream in self.streams
                for phase, shape in stream.shapes.items()
            },
            **{f"phase {phase}": access for phase, access in self.phases.items()},
            "the list of outcomes": ", ".join(self.outcomes) or "empty",
        }

    def _check_units(self, what: str, dimensions: Sequence[Dimension], units: Mapping[str, str]) -> None:
        for dimension in dimensions:
            if units.get(dimension.name) != dimension.unit:
                raise ContractError(
                    f"{self.name} {what} {dimension.name} in {dimension.unit!r}; expected some of "
                    f"{', '.join(f'{name} in {unit!r}' for name, unit in units.items())}"
                )

    def to_dict(self) -> dict[str, Any]:
        """The embodiment as plain JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`; raises `ContractError` where an entry is missing or of another type."""
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
            raise ContractError(f"this is no embodiment ({brief(why)}); make it again") from None


def check_phase(phase: str, where: str, phases: Mapping[str, Access] = PHASES) -> None:
    """Raise `ContractError` unless `phase` is one of `phases`."""
    if phase not in phases:
        raise ContractError(f"{where}: unknown phase {phase!r}; expected one of {', '.join(phases)}")


def streams_of(trial: Trial, rate: float = 0.0) -> tuple[Stream, ...]:
    """Streams of a trial, for a dataset whose shapes are known only from its recordings.

    Raises:
        ContractError: an array fits none of the kinds.
    """
    kinds = {np.dtype(dtype): kind for kind, dtype in DTYPES.items()}
    return tuple(
        Stream(
            name,
            kinds[next(iter(phases.values())).dtype],
            {phase: array.shape for phase, array in phases.items()},
            rate,
        )
        for name, phases in trial.streams.items()
    )


def first_difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """The first name under which two mappings hold different texts; "" if there is none."""
    return next((name for name in [*one, *other] if one.get(name) != other.get(name)), "")


def _sample(dimensions: Sequence[Dimension], rng: np.random.Generator) -> dict[str, float]:
    return {each.name: float(rng.uniform(each.low, each.high)) for each in dimensions}


def _distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ContractError(f"{what}: {', '.join(names)}; expected no name twice")
