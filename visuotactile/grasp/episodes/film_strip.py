"""Films of episodes: what was seen and felt, what the planner made of each candidate, and what it chose."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from visuotactile.grasp.episodes.closed_loop import Stage
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.episodes.robot import Episode, Step
from visuotactile.grasp.episodes.score_picture import Picture, draw_scores, inline
from visuotactile.grasp.planning.actions import FORCE
from visuotactile.grasp.planning.policies import Observation
from visuotactile.grasp.planning.policy_spec import OUTCOME

Pixels = npt.NDArray[np.uint8]

TOUCH = "tactile"
"""How the name of a stream that is shown as a difference begins."""

LARGEST = 224
"""Pixels of an image's longer side on the page."""


@dataclass(frozen=True)
class Frame:
    """One turn of a film.

    Attributes:
        seen: the camera's image and the like.
        felt: tactile differences.
        scores: of the candidates; None where nothing was planned.
        candidates: how many there were.
        action: the chosen one's numbers as people read them, by name.
        pose: the same of the hand before.
        claimed: the probability of success after it; None where nothing was planned.
        stays, lifted: whether only the force changed, and whether a lift followed.
    """

    seen: tuple[Picture, ...]
    felt: tuple[Picture, ...]
    scores: Picture | None
    candidates: int
    action: Mapping[str, str]
    pose: Mapping[str, str]
    claimed: float | None
    stays: bool
    lifted: bool


@dataclass(frozen=True)
class Film:
    """An episode, replayed.

    Attributes:
        record: what was written down when it was played.
        frames: one for each turn.
        others: whether the other policies held the object in the same episode, by name.
    """

    record: Record
    frames: tuple[Frame, ...]
    others: Mapping[str, bool]


def choose(records: Sequence[Record], count: int) -> list[Record]:
    """Episodes to show: held and dropped in turn, each planner in turn, over as many objects as there are.

    Which of those that are alike is decided by their names' hash, so by nobody who has seen them. Without a
    planner, any policy.
    """
    left = [record for record in records if record.claimed is not None] or list(records)
    names = list(dict.fromkeys(record.policy for record in left))
    shown: Counter[str] = Counter()
    chosen: list[Record] = []
    while left and len(chosen) < count:
        held, name = len(chosen) % 2 == 0, names[len(chosen) // 2 % len(names)]

        def order(record: Record, held: bool = held, name: str = name) -> tuple[Any, ...]:
            digest = hashlib.sha256(f"{record.object}/{record.trial}".encode()).hexdigest()
            return record.success != held, record.policy != name, shown[record.object], digest

        best = min(left, key=order)
        left.remove(best)
        shown[best.object] += 1
        chosen.append(best)
    return chosen


def replay(stage: Stage, records: Sequence[Record], chosen: Iterable[Record]) -> tuple[list[Film], float]:
    """Play the chosen episodes again, and take pictures.

    Args:
        stage: where they were played.
        records: all episodes.
        chosen: those to show.

    Returns:
        the films of those that came out as they had been written down; an environment need not repeat
        itself, and what is shown must be what counted. And how many grey levels of touch are full black or
        white.
    """
    played = [(record, *stage.run(*record.key)) for record in chosen]
    same = [(record, episode) for record, again, episode in played if again == record]
    reach = _reach(episode for _, episode in same)
    return [
        Film(
            record,
            tuple(_frame(step, reach, stage.policies[record.policy].above) for step in episode.steps),
            {
                other.policy: other.success
                for other in records
                if (other.object, other.trial) == (record.object, record.trial)
                and other.policy != record.policy
            },
        )
        for record, episode in same
    ], reach


def _frame(step: Step, reach: float, above: float) -> Frame:
    seen, felt = _pictures(step.observation, reach)
    decision = step.choice.decision
    here = dict(zip(("x", "y", "z", "yaw", FORCE), step.observation["pose"].tolist(), strict=True))
    return Frame(
        seen=seen,
        felt=felt,
        scores=None if decision is None else draw_scores(decision, above),
        candidates=0 if decision is None else decision.candidates.actions.shape[1],
        action={
            name: written(name, value, signed=name != FORCE) for name, value in step.choice.action.items()
        },
        pose={name: written(name, value) for name, value in here.items()},
        claimed=None if decision is None else float(decision.probability(OUTCOME).item()),
        stays=step.choice.stays,
        lifted=step.lifted,
    )


def written(name: str, value: float, signed: bool = False) -> str:
    """A number of an action or a pose as people read it: millimetres, degrees, newtons."""
    sign = "+" if signed else ""
    if name == FORCE:
        return f"{value:.1f} N"
    if name.endswith("yaw"):
        return f"{math.degrees(value):{sign}.0f}°".replace("-", "−")
    return f"{1000 * value:{sign}.0f} mm".replace("-", "−")


def _pictures(observation: Observation, reach: float) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    seen, felt = [], []
    for name, image in observation.items():
        stream, _, phase = name.partition("/")
        if phase != "during" or image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            continue
        if stream.startswith(TOUCH):
            change = _change(observation, stream)
            if change is not None:
                shown = np.clip(np.round(128 + 127 / reach * change), 0, 255).astype(np.uint8)
                felt.append(_photo(stream, shown))
        else:
            seen.append(_photo(stream, image))
    return tuple(seen), tuple(felt)


def _change(observation: Observation, stream: str) -> npt.NDArray[np.int16] | None:
    before, during = (observation.get(f"{stream}/{phase}") for phase in ("before", "during"))
    if before is None or during is None or before.shape != during.shape:
        return None
    return during.astype(np.int16) - before


def _reach(episodes: Iterable[Episode]) -> float:
    """The change of touch that few pixels pass, one for all films, so that they can be compared."""
    changes = [
        float(np.quantile(np.abs(change), 0.999))
        for episode in episodes
        for step in episode.steps
        for stream in {name.partition("/")[0] for name in step.observation}
        if stream.startswith(TOUCH) and (change := _change(step.observation, stream)) is not None
    ]
    return float(max(8.0, math.ceil(np.quantile(changes, 0.9)))) if changes else 8.0


def _photo(title: str, image: Pixels) -> Picture:
    picture = Image.fromarray(image)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return inline(title, picture, "JPEG", quality=85)
