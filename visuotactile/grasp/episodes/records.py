"""One finished episode, and the file that keeps them so that what was played is not played again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visuotactile.errors import OutputExistsError, PlanError
from visuotactile.files import write_text


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn of an episode.

    Attributes:
        pose: x, y, z, yaw and force that were observed: metres, radians, newtons.
        action: what was chosen then, by name.
        claimed: the planner's calibrated probability of success after it; None without a planner.
    """

    pose: tuple[float, ...]
    action: Mapping[str, float]
    claimed: float | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished episode.

    Attributes:
        policy, object, trial: which it is.
        seed: with which the environment was reset.
        session: the environment's word for when and with which sensors; empty if it has none.
        success: whether the object was held to the end.
        regrasps: how often the fingers were opened and moved.
        force: newtons at the lift.
        claimed: the planner's probability of success at the lift; None without a planner.
        wanted: whether the policy wanted that lift; if not, no regrasp was left.
        turns: every turn, the last one lifted.
    """

    policy: str
    object: str
    trial: int
    seed: int
    session: str
    success: bool
    regrasps: int
    force: float
    claimed: float | None
    wanted: bool
    turns: tuple[Turn, ...]

    @property
    def key(self) -> tuple[str, int, str]:
        """Which episode it is."""
        return self.object, self.trial, self.policy

    @property
    def first_pose(self) -> tuple[float, ...]:
        """The first grasp, before any choice: x, y, z, yaw, force."""
        return self.turns[0].pose

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON values."""
        turns = [{**asdict(turn), "pose": list(turn.pose)} for turn in self.turns]
        return {**asdict(self), "turns": turns}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """What `to_dict` gave."""
        turns = tuple(Turn(**{**turn, "pose": tuple(turn["pose"])}) for turn in values["turns"])
        return cls(**{**values, "turns": turns})


class EpisodeFile:
    """A file of JSON lines: the settings, then one finished episode after another.

    A line counts when it is whole: one that a power cut broke off is cut away when the file is opened.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any], overwrite: bool = False) -> None:
        """
        Args:
            path: made if it is not there; None keeps the episodes in memory only.
            settings: everything that the episodes depend on, as plain JSON values.
            overwrite: begin anew where it holds episodes of other settings.

        Raises:
            OutputExistsError: the file holds episodes of other settings, and `overwrite` is False.
            PlanError: it holds something else.
        """
        self.path, self.records = path, list[Record]()
        if path is None:
            return
        settings = json.loads(json.dumps(settings))
        if not path.exists():
            self._begin(path, settings)
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            first, *lines = [json.loads(line) for line in whole.splitlines()]
            found = first["settings"]
        except (ValueError, KeyError, TypeError):
            raise PlanError(f"{path} holds no episodes, or damaged ones; remove it to begin anew") from None
        if found != settings and overwrite:
            self._begin(path, settings)
            return
        if found != settings:
            raise OutputExistsError(
                f"{path} was begun with other settings ({_difference(found, settings)}); give another --out, "
                "or --overwrite to begin anew"
            )
        try:
            self.records = [Record.from_dict(line) for line in lines]
        except (KeyError, TypeError):
            raise PlanError(f"{path} holds damaged episodes; remove it to begin anew") from None
        if len(whole) < len(content):
            os.truncate(path, len(whole))

    @staticmethod
    def _begin(path: Path, settings: Mapping[str, Any]) -> None:
        write_text(path, json.dumps({"settings": settings}) + "\n")

    def append(self, record: Record) -> None:
        """Write one more, to the disk."""
        self.records.append(record)
        if self.path is None:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record.to_dict(), allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _difference(found: Any, expected: Mapping[str, Any]) -> str:
    if not isinstance(found, dict):
        return "of another version"
    changed = [name for name in {**found, **expected} if found.get(name) != expected.get(name)]
    return "; ".join(
        f"{name}: {_short(found.get(name))}, now {_short(expected.get(name))}" for name in changed
    )


def _short(value: Any, most: int = 120) -> str:
    text = json.dumps(value)
    return text if len(text) <= most else f"{text[:most]}…"
