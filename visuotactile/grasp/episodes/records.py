"""Records of finished episodes, and their file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visuotactile.errors import OutputExistsError, PlanError, brief
from visuotactile.files import differences, parse_json, write_text

FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn of an episode.

    Attributes:
        vectors: observed vectors, by entry, in the units of the embodiment.
        action: chosen action, by dimension.
        predicted: the planner's calibrated probability of each outcome after it; None without a planner.
    """

    vectors: Mapping[str, tuple[float, ...]]
    action: Mapping[str, float]
    predicted: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished episode.

    Attributes:
        policy, object, trial: identity of the episode.
        seed: seed of the environment's reset.
        session: the environment's session (time and sensors); empty if it has none.
        outcomes: outcomes of the lift, 1 or 0, by name; the main one first.
        regrasps: number of times that the hand was opened and moved.
        forced: the policy did not choose the lift, but no regrasp was left.
        turns: all turns; the last was lifted.
    """

    policy: str
    object: str
    trial: int
    seed: int
    session: str
    outcomes: Mapping[str, float]
    regrasps: int
    forced: bool
    turns: tuple[Turn, ...]

    @property
    def key(self) -> tuple[str, int, str]:
        """Identity of the episode."""
        return self.object, self.trial, self.policy

    @property
    def success(self) -> bool:
        """The main outcome."""
        return bool(next(iter(self.outcomes.values())))

    @property
    def action(self) -> Mapping[str, float]:
        """The last action, whose grasp was lifted."""
        return self.turns[-1].action

    @property
    def predicted(self) -> Mapping[str, float] | None:
        """The planner's probability of each outcome of the lift; None without a planner."""
        return self.turns[-1].predicted

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """The record of a `to_dict()`.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the values are those of no record.
        """
        turns = tuple(
            Turn(
                vectors={name: tuple(map(_number, of)) for name, of in turn["vectors"].items()},
                action=_numbers(turn["action"]),
                predicted=None if turn["predicted"] is None else _numbers(turn["predicted"]),
            )
            for turn in values["turns"]
        )
        outcomes = _numbers(values["outcomes"])
        if not turns or not outcomes:
            raise ValueError("an episode has a turn and an outcome")
        for name, kind in (("policy", str), ("object", str), ("session", str), ("forced", bool)):
            if type(values[name]) is not kind:
                raise TypeError(f"{name} is a {type(values[name]).__name__}, expected a {kind.__name__}")
        for name in ("trial", "seed", "regrasps"):
            if type(values[name]) is not int or values[name] < 0:
                raise ValueError(f"{name} is {values[name]!r:.40}, expected a whole number")
        return cls(**{**values, "turns": turns, "outcomes": outcomes})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r:.40} is no number")
    found: float = value
    return found


class EpisodeFile:
    """A file of JSON lines: the settings, then one finished episode after another.

    A line that a power cut truncated is removed when the file is opened.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any], overwrite: bool = False) -> None:
        """
        Args:
            path: file, made if missing; None keeps the episodes in memory only.
            settings: all settings of the episodes, as plain JSON values.
            overwrite: replace episodes of other settings.

        Raises:
            OutputExistsError: the file holds episodes of other settings, and `overwrite` is False.
            PlanError: it holds something else.
        """
        self.path, self.records = path, list[Record]()
        if path is None:
            return
        settings = json.loads(json.dumps({"format": FORMAT, **settings}))
        if not path.exists():
            self._begin(path, settings)
        if not path.is_file():
            raise PlanError(f"{path} is no file; remove it to begin anew")
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            first, *lines = [parse_json(line) for line in whole.splitlines()]
            found = first["settings"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise PlanError(f"{path} holds no episodes, or damaged ones; remove it to begin anew") from None
        if not isinstance(found, dict):
            raise PlanError(f"{path} holds no episodes, or damaged ones; remove it to begin anew")
        different = differences(found, settings)
        if different and overwrite:
            self._begin(path, settings)
            return
        if different:
            raise OutputExistsError(
                f"{path} was begun with other settings: {different}; give another --out, or --overwrite to "
                "begin anew"
            )
        try:
            self.records = [Record.from_dict(line) for line in lines]
        except (KeyError, TypeError, AttributeError, ValueError) as why:
            raise PlanError(
                f"{path} holds damaged episodes ({brief(why)}); remove it to begin anew"
            ) from None
        if len(whole) < len(content):
            os.truncate(path, len(whole))

    @staticmethod
    def _begin(path: Path, settings: Mapping[str, Any]) -> None:
        write_text(path, json.dumps({"settings": settings}) + "\n")

    def append(self, record: Record) -> None:
        """Write a record to disk."""
        self.records.append(record)
        if self.path is None:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record.to_dict(), allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
