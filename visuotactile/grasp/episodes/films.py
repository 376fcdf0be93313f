"""Films of episodes: images, tactile differences, candidates' scores and choice of each turn."""

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

from visuotactile.datasets.embodiment import Dimension, Embodiment
from visuotactile.datasets.policy import Observation
from visuotactile.grasp.episodes.closed_loop import Stage, predicted
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.episodes.robot import Episode, Step
from visuotactile.grasp.episodes.score_picture import Picture, draw_scores, inline
from visuotactile.grasp.planning.policies import PlannedChoice
from visuotactile.grasp.planning.policy_spec import PolicySpec
from visuotactile.look.panels import N_FFT
from visuotactile.look.pictures import spectrogram
from visuotactile.reports.page import sound_uri

Pixels = npt.NDArray[np.uint8]

TOUCH = "tactile"
"""Prefix of streams that are shown as a difference."""

LARGEST = 224
"""Pixels of an image's longer side on the page."""


@dataclass(frozen=True)
class Sound:
    """A recording: its spectrogram, and the `data:` address of what is played."""

    picture: Picture
    source: str


@dataclass(frozen=True)
class Frame:
    """One turn of a film.

    Attributes:
        seen: camera images.
        felt: tactile differences.
        heard: sounds.
        scores: picture of the candidates' scores; None without a planner.
        candidates: number of candidates.
        motion, hand: formatted numbers of the chosen action, by dimension.
        vectors: formatted observation: vector → entry → text.
        predicted: probability of each outcome after the action; None without a planner.
        stays, lifted: the wrist stays; a lift followed.
    """

    seen: tuple[Picture, ...]
    felt: tuple[Picture, ...]
    heard: tuple[Sound, ...]
    scores: Picture | None
    candidates: int
    motion: Mapping[str, str]
    hand: Mapping[str, str]
    vectors: Mapping[str, Mapping[str, str]]
    predicted: Mapping[str, float] | None
    stays: bool
    lifted: bool


@dataclass(frozen=True)
class Film:
    """An episode, replayed.

    Attributes:
        record: original record of the episode.
        frames: frame of each turn.
        others: success of the other policies in the same episode, by name.
        ending: pictures of the lift, where the environment shows it; tactile ones are differences.
        ending_heard: sounds from which an outcome was labelled.
    """

    record: Record
    frames: tuple[Frame, ...]
    others: Mapping[str, bool]
    ending: tuple[Picture, ...] = ()
    ending_heard: tuple[Sound, ...] = ()


def choose(records: Sequence[Record], count: int) -> list[Record]:
    """Select episodes: successes and failures in turn, planners in turn, over as many objects as possible.

    A hash of their names breaks ties, so that nobody picks by eye. Without a planner, any policy is shown.
    """
    left = [record for record in records if record.predicted is not None] or list(records)
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
    """Replay the chosen episodes, with pictures.

    Args:
        stage: stage of the episodes.
        records: all episodes.
        chosen: episodes to show.

    Returns:
        Films of the episodes that came out as recorded (an environment need not be deterministic), and the
        number of grey levels of touch that is full black or white.
    """
    played = [(record, *stage.run(*record.key, aftermath=True)) for record in chosen]
    same = [(record, episode) for record, again, episode in played if again == record]
    reach = _reach((episode for _, episode in same), stage.embodiment)
    return [
        Film(
            record,
            tuple(
                _frame(step, reach, stage.embodiment, stage.policies[record.policy]) for step in episode.steps
            ),
            {
                other.policy: other.success
                for other in records
                if (other.object, other.trial) == (record.object, record.trial)
                and other.policy != record.policy
            },
            ending=tuple(
                _photo(name, image)
                for name, image in episode.aftermath.items()
                if image.dtype == np.uint8 and image.ndim == 3 and not name.startswith(TOUCH)
            ),
            ending_heard=_sounds(episode.aftermath, stage.embodiment),
        )
        for record, episode in same
    ], reach


def _frame(step: Step, reach: float, embodiment: Embodiment, policy: PolicySpec) -> Frame:
    seen, felt = _pictures(step.observation, reach, embodiment)
    choice, action, scores, candidates = step.choice, step.choice.action, None, 0
    if isinstance(choice, PlannedChoice):
        found = choice.decision.candidates
        required = policy.required or found.outcomes[:1]
        scores = draw_scores(choice.decision, dict.fromkeys(required, policy.above))
        candidates = found.actions.shape[1]
    return Frame(
        seen=seen,
        felt=felt,
        heard=_sounds(step.observation, embodiment),
        scores=scores,
        candidates=candidates,
        motion={each.name: written(each, action[each.name], signed=True) for each in embodiment.motion},
        hand={each.name: written(each, action[each.name]) for each in embodiment.hand},
        vectors={
            vector.name: {
                entry.name: written(entry, value)
                for entry, value in zip(vector.entries, step.observation[vector.name].tolist(), strict=True)
            }
            for vector in embodiment.vectors
            if not vector.located
        },
        predicted=predicted(choice),
        stays=step.stays,
        lifted=step.lifted,
    )


def written(dimension: Dimension, value: float, signed: bool = False) -> str:
    """Format a number in millimetres, degrees, or its own unit."""
    sign = "+" if signed else ""
    if dimension.unit == "m":
        text = f"{1000 * value:{sign}.0f} mm"
    elif dimension.unit == "rad":
        text = f"{math.degrees(value):{sign}.0f}°"
    else:
        text = f"{value:{sign}.1f} {dimension.unit}".rstrip()
    return text.replace("-", "−")


def _pictures(
    observation: Observation, reach: float, embodiment: Embodiment
) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    seen, felt = [], []
    for stream, phases in _images(embodiment).items():
        if stream.startswith(TOUCH):
            change = _change(observation, stream, phases)
            shown = np.clip(np.round(128 + 127 / reach * change), 0, 255).astype(np.uint8)
            felt.append(_photo(stream, shown))
        else:
            seen.append(_photo(stream, observation[f"{stream}/{phases[-1]}"]))
    return tuple(seen), tuple(felt)


def _sounds(streams: Observation, embodiment: Embodiment) -> tuple[Sound, ...]:
    """The sounds among streams at STREAM/PHASE that last long enough for a spectrogram."""
    rates = {stream.name: stream.rate for stream in embodiment.streams if stream.kind == "sound"}
    found = []
    for name, sound in streams.items():
        rate = rates.get(name.rpartition("/")[0], 0.0)
        if rate > 0 and len(sound) >= N_FFT:
            drawn = Image.fromarray(spectrogram(sound, rate))
            picture = inline(name, drawn, "WEBP", lossless=True, method=0)
            found.append(Sound(picture, sound_uri(sound, round(rate))))
    return tuple(found)


def _images(embodiment: Embodiment) -> dict[str, list[str]]:
    """Stream of images → phases at which a policy sees it, in the order of time."""
    found: dict[str, list[str]] = {}
    for name, stream in embodiment.observations.items():
        phase = name.rpartition("/")[2]
        if stream.kind == "image" and len(stream.shapes[phase]) == 3:
            found.setdefault(stream.name, []).append(phase)
    return found


def _change(observation: Observation, stream: str, phases: Sequence[str]) -> npt.NDArray[np.int16]:
    """The last phase minus the first."""
    first, last = (observation[f"{stream}/{phase}"] for phase in (phases[0], phases[-1]))
    return last.astype(np.int16) - first


def _reach(episodes: Iterable[Episode], embodiment: Embodiment) -> float:
    """Change of touch that few pixels exceed, shared by all films."""
    changes = [
        float(np.quantile(np.abs(_change(step.observation, stream, phases)), 0.999))
        for episode in episodes
        for step in episode.steps
        for stream, phases in _images(embodiment).items()
        if stream.startswith(TOUCH)
    ]
    return float(max(8.0, math.ceil(np.quantile(changes, 0.9)))) if changes else 8.0


def _photo(title: str, image: Pixels) -> Picture:
    picture = Image.fromarray(image)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return inline(title, picture, "JPEG", quality=85)
