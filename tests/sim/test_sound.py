"""Sound of a closing hand: silence below an onset, and labels that follow from force and not from talk."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from visuotactile.datasets.grasp_labels import LOUD, loudest
from visuotactile.errors import SimulationError
from visuotactile.sim.hands.fingers import LEAST, PRESS, SPREAD, FingerScene, WristPose
from visuotactile.sim.objects.fragile import make_fragile
from visuotactile.sim.sound import CHUNK, CHUNKS, TORQUE, Kind, Microphone, Trace, Voice

STEP, MOMENTS = 0.006, 150


def trace(**changes: np.ndarray) -> Trace:
    """A hand that does nothing, but for `changes`."""
    quiet = {name: np.zeros(MOMENTS) for name in ("squeeze", "flow", "load", "hard", "soft")}
    five = {name: np.zeros((MOMENTS, 5)) for name in ("speed", "torque")}
    return Trace(step=STEP, **{**quiet, **five, **changes})


def ramp(top: float) -> np.ndarray:
    """From 0 to `top` in a tenth of a second, and on."""
    return top * np.minimum(np.arange(MOMENTS) * STEP / 0.1, 1)


MICROPHONE = Microphone()


def heard(trace: Trace, voice: Voice, *, seed: int = 0, speech: float = 0.0) -> np.ndarray:
    return MICROPHONE.hear(trace, voice, np.random.default_rng(seed), speech=speech)


def voice(kind: Kind) -> Voice:
    return Voice(kind=kind, onset=0.005 if kind == "reed" else 2.0)


def squeezed(kind: Kind, share: float) -> Trace:
    """A squeeze of this share of the voice's onset."""
    top = share * voice(kind).onset
    # air that is pressed out in a tenth of a second leaks back meanwhile
    return trace(flow=np.gradient(ramp(1.4 * top), STEP)) if kind == "reed" else trace(load=ramp(top))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_thing_is_silent_below_its_onset_and_loud_well_above(kind: Kind) -> None:
    silent, loud = heard(trace(), voice(kind)), heard(squeezed(kind, 2.0), voice(kind))
    np.testing.assert_array_equal(heard(squeezed(kind, 0.9), voice(kind)), silent)
    assert loudest(silent) < LOUD / 10
    assert loudest(loud) > LOUD


@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind != "reed"])
def test_damage_is_heard_while_it_grows_and_not_while_it_lasts(kind: Kind) -> None:
    sound = heard(squeezed(kind, 2.0), voice(kind)).astype(int)
    late = sound[-CHUNK * 40 :]
    assert np.abs(late).max() < LOUD / 10


def test_speech_alone_never_labels_a_grasp_loud() -> None:
    peaks = [loudest(heard(trace(), voice("reed"), seed=seed, speech=1.0)) for seed in range(60)]
    assert max(peaks) < 0.5 * LOUD
    assert max(peaks) > 0.3 * LOUD  # it is there


def test_drives_that_squeeze_nothing_with_all_their_torque_are_loud() -> None:
    def stalled(share: float) -> int:
        return loudest(heard(trace(torque=np.full((MOMENTS, 5), share * TORQUE)), voice("reed")))

    assert stalled(0.5) < LOUD / 2
    assert stalled(1.0) > LOUD


def test_a_recording_is_stereo_of_whole_chunks_and_clipped() -> None:
    sound = heard(squeezed("crack", 9.0), Voice(kind="crack", onset=2.0, gain=50.0))
    assert (sound.dtype, sound.shape) == (np.int16, (CHUNKS * CHUNK, 2))
    assert np.abs(sound.astype(int)).max() == 32767


def test_the_same_generator_gives_the_same_bytes() -> None:
    one, other, third = (
        heard(squeezed("squelch", 1.5), voice("squelch"), seed=seed, speech=0.5) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, third)


def test_the_toy_squeaks_above_a_compression_and_not_below() -> None:
    toy = make_fragile("toy")
    scene = FingerScene(toy)
    peaks, excess = [], []
    for share in (0.2, 0.3, 0.65, 0.8):
        scene.place(0, 0, 0, lying=False)
        scene.approach(WristPose(0, 0, 0.015, 0))
        closed = scene.close_heard(LEAST + share * SPREAD, PRESS)
        peaks.append(loudest(heard(closed, toy.voice)))
        excess.append(float(closed.excess(toy.voice).max()))
    assert excess[:1] == [0]
    assert excess == sorted(excess[:3]) + excess[3:]
    assert max(peaks[:2]) < LOUD < min(peaks[2:])


def test_a_voice_needs_a_known_kind_and_an_onset() -> None:
    with pytest.raises(SimulationError, match="'moan'"):
        Voice(kind="moan", onset=1.0)  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match="onset 0"):
        Voice(kind="reed", onset=0.0)
