"""Sound of a closing hand: motors, impacts, what the object has to say about it, the room, and speech.

The microphone is on the hand (gentle_grasping, section III). What it hears follows from a `Trace` of the
physics; everything else is drawn from a generator. Sounds are stereo int16 at 44.1 kHz.

- Gears turn with the joints, and windings whine with the torque squared; near the greatest torque a drive
  chatters against its current limit, which is what a hand sounds like that squeezes nothing, or too hard.
- A finger that meets the other finger or the table rings bright, one that meets the object dull.
- An object has a `Voice`, which is silent below an onset: air pressed out of a toy sings in its reed; shells
  crack; crumpled paper crackles; fruit squelches. Damage is heard while it grows (the Kaiser effect of
  acoustic emission); every closing counts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from visuotactile.errors import SimulationError

Array = npt.NDArray[np.float64]
Wave = npt.NDArray[np.float32]
Mode = tuple[float, float, float]
"""A way to ring: hertz, seconds of decay, amplitude."""

RATE, CHUNK = 44_100, 1024
"""Samples per second, and in a chunk: recordings are whole chunks, as the authors' robot has them."""

CHUNKS, COMMAND = 129, 32
"""Chunks in the recording of a regrasp (2.995 s), and before the hand is told to close (0.74 s)."""

FIRST_CHUNKS, FIRST_COMMAND = 65, 16
"""The same for the first grasp (1.5 s), in which the hand closes from its minimum to its preset pose."""

TORQUE = 0.7
"""Greatest torque of a joint of the hand, N m."""

MOTOR_TURNS = 369.0
"""Turns of a motor for one of its joint."""

Kind = Literal["reed", "crack", "crackle", "squelch"]

LEAK = 0.15  # s in which the air that was pressed out of a toy leaks back
PITCH, PITCH_SPREAD = 1250.0, 40.0  # Hz of a reed at its onset
STRONGEST = 2.0  # of the excess over its onset, beyond which a reed sings no higher

RUSTLE = 0.04  # s by which a click of what crumples is late, on average

GEARS, WHINE, CHATTER = 0.008, 0.040, 1.0
HARD, SOFT = 0.018, 0.0012
LIMIT = 0.8  # of the greatest torque, beyond which a drive chatters …
STALLED = 0.5  # … if it turns slower than this, rad/s
GIVES = 0.03  # s in which a load must last to count: a shell is not cracked by a blow of some milliseconds
BRIGHT: tuple[Mode, ...] = ((1150.0, 0.010, 1.0), (2600.0, 0.006, 1.0), (4700.0, 0.004, 1.0))
DULL: tuple[Mode, ...] = ((190.0, 0.030, 1.0), (430.0, 0.015, 1.0))

FOURTH = 4  # speech is made at a fourth of the rate
HUM, HISS, RUMBLE = 0.003, 0.001, 0.004
SPEECH = (0.05, 0.3)
"""Loudest sample of somebody who talks nearby, of 1; the paper's threshold is 0.72."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """The sound that an object makes under too much force.

    Attributes:
        kind: "reed" sings while air is pressed out of it; the others sound when they are damaged: "crack" in
            a few blows, "crackle" in many, "squelch" in a wet burst.
        onset: below it the object is silent: metres of squeeze, summed over its gores and minus what leaked
            back, for a reed; newtons between the pads for the others.
        gain: loudness; at 1, twice the onset is as loud as a recording can be.
        modes: ways in which a crack or a crackle rings; of a reed, its pitch is `PITCH` times the first's
            amplitude.

    Raises:
        SimulationError: the kind is unknown, or a number is not positive.
    """

    kind: Kind
    onset: float
    gain: float = 1.0
    modes: tuple[Mode, ...] = ((1800.0, 0.004, 1.0), (4200.0, 0.002, 0.6))

    @property
    def bearable(self) -> float:
        """Excess over the onset that does no harm: a toy that only whispers is not squeaking."""
        return 0.4 if self.kind == "reed" else 0.0

    def __post_init__(self) -> None:
        """Check kind and numbers."""
        if self.kind not in get_args(Kind) or not (self.onset > 0 and self.gain > 0):
            raise SimulationError(
                f"a voice is {self.kind!r} with onset {self.onset} and gain {self.gain}; expected one of "
                f"{', '.join(get_args(Kind))}, and numbers above 0"
            )


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Physics of a closing hand, as far as it can be heard, at T even moments.

    Attributes:
        step: seconds between two moments.
        speed: float64 [T, 5], rad/s of the five joints that move.
        torque: float64 [T, 5], N m of their drives.
        squeeze: float64 [T], metres by which the object's gores are pressed in, summed.
        flow: float64 [T], metres per second, its rate.
        load: float64 [T], newtons with which the object's springs push a pad back.
        hard: float64 [T], newtons between the fingers, or of a finger on the table.
        soft: float64 [T], newtons of the hand on the object.
    """

    step: float
    speed: Array
    torque: Array
    squeeze: Array
    flow: Array
    load: Array
    hard: Array
    soft: Array

    def excess(self, voice: Voice) -> Array:
        """Excess over the voice's onset as a share of it, at least 0, [T]; the object sounds where it is
        above 0 (a reed), or rises to a new height (the others)."""
        return np.maximum(self._driving(voice) / voice.onset - 1, 0)

    def _driving(self, voice: Voice) -> Array:
        if voice.kind == "reed":
            return _leaky(self.flow * self.step, self.step / LEAK)
        return _leaky(self.load * (self.step / GIVES), self.step / GIVES)


def _leaky(inflow: Array, lost: float) -> Array:
    """Content of a vessel that gains `inflow` [T] and loses a share of what it holds at every moment."""
    return np.asarray(lfilter([1.0], [1.0, lost - 1.0], inflow))


class Microphone:
    """Hears traces. It holds wave tables, the windings' tones and the room, and nothing that changes."""

    def hear(
        self,
        trace: Trace,
        voice: Voice,
        rng: np.random.Generator,
        *,
        chunks: int = CHUNKS,
        command: int = COMMAND,
        speech: float = 0.3,
    ) -> npt.NDArray[np.int16]:
        """The recording, int16 [chunks · 1024, 2], of a hand that is told to close after `command` chunks.

        Args:
            trace: physics from the command on; beyond its end everything stays as it was.
            voice: of the object.
            rng: draws the room, the speech and each sound's own accidents.
            chunks: length of the recording.
            command: chunks before the first moment of `trace`.
            speech: probability that somebody talks nearby.
        """
        start, count = command * CHUNK, chunks * CHUNK
        spell = self._spell(trace, count - start)
        heard = self._hand(trace, spell, start)
        heard += self._blows(trace, len(heard), rng)
        song = self._voice(trace, voice, spell, rng)
        heard[: len(song)] += song
        left, right = self._room(count, rng)
        if rng.random() < speech:
            talk = rng.uniform(*SPEECH) * self._talk(count, rng)
            left, right = left + talk, right + talk
        left[start:] += np.float32(rng.uniform(0.92, 1.0)) * heard
        right[start + 7 :] += np.float32(rng.uniform(0.80, 0.95)) * heard[:-7]
        both = np.stack([left, right], axis=1)
        np.clip(both, -1, 1, out=both)
        both *= 32767
        return both.astype(np.int16)

    def _spell(self, trace: Trace, left: int) -> _Spell:
        """The samples of the trace: each moment lies between two of its rows."""
        return _Spell(trace.step, len(trace.load), left)

    def _hand(self, trace: Trace, spell: _Spell, start: int) -> Wave:
        """Gears, windings and chatter of the five drives, from the command to the recording's end."""
        heard = np.zeros(spell.left, np.float32)
        speed, torque = np.abs(trace.speed), np.abs(trace.torque) / TORQUE
        moving = np.flatnonzero((speed > 0.05).any(axis=1))
        until = spell.until(int(moving[-1]) + 2 if len(moving) else 0)
        noisy = np.clip((torque - LIMIT) / (1 - LIMIT), 0, 1) * np.clip(1 - speed / STALLED, 0, 1)
        chatter = np.zeros(spell.left, np.float32)
        for joint in range(5):
            if until:
                turns = np.cumsum(spell.up(speed[:, joint], until), dtype=np.float64)
                turns *= MOTOR_TURNS / RATE
                pull = spell.up(speed[:, joint] * (0.3 + TORQUE * torque[:, joint]), until)
                heard[:until] += np.float32(GEARS) * pull * _GEAR(turns + joint)
            whine = (WHINE * torque[:, joint] ** 2).astype(np.float32)
            heard += spell.held(whine) * self._windings[joint][start : start + spell.left]
            if noisy[:, joint].any():
                chatter = np.maximum(chatter, spell.held(noisy[:, joint]))
        if chatter.any():
            heard += np.float32(CHATTER) * chatter * self._rattle[: spell.left]
        return heard

    def _blows(self, trace: Trace, count: int, rng: np.random.Generator) -> Wave:
        """Impacts on fingers and table, and on the object."""
        heard = np.zeros(count, np.float32)
        for force, gain, modes in ((trace.hard, HARD, BRIGHT), (trace.soft, SOFT, DULL)):
            rise = np.maximum(np.diff(force, prepend=0.0), 0)
            where = np.flatnonzero(rise > 0.05)
            if len(where):
                at = ((where + rng.uniform(0, 1, len(where))) * trace.step * RATE).astype(int)
                _strike(heard, at, gain * rise[where], modes)
        return heard

    def _voice(self, trace: Trace, voice: Voice, spell: _Spell, rng: np.random.Generator) -> Wave:
        """The object's own sound from the command on, as long as the trace and what rings after it."""
        excess = trace.excess(voice)
        lucky, pitch = rng.lognormal(0, 0.1), rng.normal(0, PITCH_SPREAD)  # drawn in any case
        clicks = np.random.default_rng(int(rng.integers(2**63)))
        if not excess.any():
            return np.zeros(0, np.float32)
        if voice.kind == "reed":
            over = spell.up(excess, spell.samples)
            hertz = voice.modes[0][2] * (PITCH + pitch) * (1 + 0.25 * np.minimum(over, STRONGEST))
            song = _REED(np.cumsum(hertz, dtype=np.float64) * (2 * np.pi / RATE))
            return np.asarray(voice.gain * lucky * np.tanh(1.3 * over**0.7) * song, np.float32)
        # Only damage beyond what there was already can be heard.
        worst = np.maximum.accumulate(excess)
        fresh = np.diff(worst, prepend=0.0)
        heard = np.zeros(min(spell.left, spell.samples + int(0.2 * RATE)), np.float32)
        if voice.kind == "squelch":
            burst = lfilter([0.25], [1, -0.75], clicks.normal(0, 1, spell.samples).astype(np.float32))
            wet = lfilter([1.0], [1, -np.exp(-1 / (0.03 * RATE))], spell.up(fresh, spell.samples))
            loud = np.tanh(wet * (4.0 / (0.03 * RATE)) / trace.step * 0.02)
            bubbles = 0.6 + 0.4 * np.sin(2 * np.pi * np.cumsum(40 + 25 * burst) / RATE)
            heard[: spell.samples] += (1.25 * voice.gain * lucky * loud * bubbles * burst).astype(np.float32)
            return heard
        crossed = 1 if voice.kind == "crack" else 10
        steps = np.floor(np.sqrt(worst) * 2 * crossed).astype(int)
        where = np.repeat(np.arange(len(worst)), np.diff(steps, prepend=0))
        if voice.kind == "crack" and fresh.any():
            where = np.append(np.flatnonzero(fresh)[0], where)  # it always cracks where it first gives way
        late = clicks.uniform(0, 1, len(where)) * trace.step
        if voice.kind == "crack":
            size = clicks.lognormal(0, 0.25, len(where))
        else:  # paper goes on for a while, mostly quietly
            late += clicks.exponential(RUSTLE, len(where))
            size = 0.45 + clicks.pareto(2.5, len(where))
        at = ((where * trace.step + late) * RATE).astype(int)
        _strike(heard, at, voice.gain * lucky * size, voice.modes)
        return np.tanh(heard)

    def _room(self, count: int, rng: np.random.Generator) -> tuple[Wave, Wave]:
        """The room's noise and hum in both ears."""
        first, second = rng.integers(0, len(self._noise) - count, 2).tolist()
        left = self._noise[first : first + count] + self._hum[:count]
        return left, left + self._noise[second : second + count]

    def _talk(self, count: int, rng: np.random.Generator) -> Wave:
        """A voice next door: a buzz through three formants, in syllables; its loudest sample is 1."""
        # speech ends well below 5 kHz
        t = np.arange(-(-count // FOURTH)) / (RATE / FOURTH)
        sway = 2 * np.pi * rng.uniform(0.5, 2) * t + rng.uniform(0, 6)
        pitch = rng.uniform(90, 220) * (1 + 0.08 * np.sin(sway))
        buzz = np.diff(np.floor(np.cumsum(pitch) * (FOURTH / RATE)), prepend=0.0)
        voice = np.zeros(len(t))
        for hertz, decay, gain in ((550, 0.006, 1.0), (1500, 0.004, 0.5), (2500, 0.003, 0.25)):
            voice += gain * _ring(buzz, hertz * rng.uniform(0.8, 1.25), decay, RATE / FOURTH)
        rhythm = 2 * np.pi * rng.uniform(2.5, 4.5) * t + rng.uniform(0, 6)
        voice *= np.maximum(np.sin(rhythm), 0) ** 0.7
        voice = (voice / max(1e-9, float(np.abs(voice).max()))).astype(np.float32)
        rise = np.diff(voice, append=voice[-1:]) / np.float32(FOURTH)
        steps = np.arange(FOURTH, dtype=np.float32)
        return np.asarray((voice[:, None] + rise[:, None] * steps).ravel()[:count])

    @cached_property
    def _windings(self) -> list[Wave]:
        """A tone for each drive, as long as a recording."""
        t = np.arange(CHUNKS * CHUNK) / RATE
        wobble = 2 * np.pi * 7 * t
        return [
            np.sin(2 * np.pi * (1500 + 170 * joint) * t + 3 * np.sin(wobble + joint)).astype(np.float32)
            for joint in range(5)
        ]

    @cached_property
    def _rattle(self) -> Wave:
        """A drive at its limit, as long as a recording: it lets go and takes hold some 90 times a second."""
        rng = np.random.default_rng(2)
        count = CHUNKS * CHUNK
        hits = np.zeros(count)
        at = np.cumsum(rng.uniform(0.007, 0.016, 400))
        hits[(at[at < count / RATE] * RATE).astype(int)] = 1.0
        wave = np.sum([_ring(hits, hertz, decay) for hertz, decay, _ in BRIGHT], axis=0)
        return np.asarray(wave / np.quantile(np.abs(wave), 0.9995), np.float32)

    @cached_property
    def _hum(self) -> Wave:
        t = np.arange(CHUNKS * CHUNK) / RATE
        return np.asarray(HUM * np.sin(2 * np.pi * 100 * t), np.float32)

    @cached_property
    def _noise(self) -> Wave:
        """Some seconds of a room: rumble and hiss."""
        noise = np.random.default_rng(0).normal(0, 1, 4 * CHUNKS * CHUNK).astype(np.float32)
        rumble = lfilter([0.18], [1, -0.94], noise).astype(np.float32)
        return np.asarray(RUMBLE * rumble + HISS * noise[::-1], np.float32)


class _Spell:
    """Upsampling of a trace: its rows are `step` seconds apart, and begin at the first of `left` samples."""

    def __init__(self, step: float, rows: int, left: int) -> None:
        self.left, self._per_row = left, step * RATE
        self.samples = min(left, int((rows - 1) * self._per_row))
        place = np.arange(self.samples) / self._per_row
        self._row = place.astype(np.intp)
        self._share = (place - self._row).astype(np.float32)

    def until(self, row: int) -> int:
        """Number of the samples before a row."""
        return min(self.samples, int(row * self._per_row))

    def up(self, values: Array | Wave, until: int) -> Wave:
        """The first `until` samples of what has `values` [T] at the rows, linear between them."""
        values = values.astype(np.float32)
        rise = np.diff(values, append=values[-1:])
        row = self._row[:until]
        found: Wave = rise[row]
        found *= self._share[:until]
        found += values[row]
        return found

    def held(self, values: Array | Wave) -> Wave:
        """All samples to the recording's end, at which everything is as the last row has it."""
        found = np.full(self.left, values[-1], np.float32)
        found[: self.samples] = self.up(values, self.samples)
        return found


def _wave_table(harmonics: dict[int, float], size: int = 8192) -> Callable[[Array], Wave]:
    """A periodic function of the phase, looked up: several times as fast as its sines."""
    x = 2 * np.pi * np.arange(size) / size
    table = np.sum([a * np.sin(k * x + k) for k, a in harmonics.items()], axis=0).astype(np.float32)

    def wave(phase: Array) -> Wave:
        found: Wave = table.take((phase * (size / (2 * np.pi))).astype(np.int64) & (size - 1))
        return found

    return wave


_GEAR = _wave_table({1: 1.0, 2: 0.5, 6: 0.3})
_REED = _wave_table({1: 1.0, 2: 0.6, 3: 0.45, 5: 0.25})


def _strike(heard: Wave, at: npt.NDArray[np.int_], size: Array, modes: Sequence[Mode]) -> None:
    """Add what rings in `modes` after blows of `size` [N] at the samples `at` [N], in place."""
    inside = at < len(heard)
    at, size = at[inside], size[inside]
    if not len(at):
        return
    first = int(at.min())
    longest = max(decay for _, decay, _ in modes)
    last = min(len(heard), int(at.max()) + int(8 * longest * RATE) + 1)
    hits = np.zeros(last - first)
    np.add.at(hits, at - first, size)
    for hertz, decay, gain in modes:
        heard[first:last] += (gain * _ring(hits, hertz, decay)).astype(np.float32)


def _ring(hits: Array, hertz: float, decay: float, rate: float = RATE) -> Array:
    """Answer of a damped resonance to blows: a sine of amplitude 1 that decays, for each."""
    r, w = np.exp(-1 / (decay * rate)), 2 * np.pi * hertz / rate
    return np.asarray(lfilter([np.sin(w)], [1, -2 * r * np.cos(w), r * r], hits))
