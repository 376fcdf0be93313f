"""Log-mel pictures against a naive transform, and as the input of a network."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from visuotactile.encoders import Branch, InputContract, prepare
from visuotactile.encoders.sound import FLOOR, HOP, LOUDEST, MELS, N_FFT, log_mel, mel_matrix
from visuotactile.errors import ContractError

RATE, SAMPLES = 44_100, 9_000
FRAMES = 1 + SAMPLES // HOP
HEARD = InputContract(
    streams=("microphone",), reference=None, size=FRAMES, kind="sound", rate=RATE, microphones=2
)


def recording(count: int = 2, samples: int = SAMPLES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-20_000, 20_000, (count, samples, 2), generator=generator, dtype=torch.int16)


def naive(sound: np.ndarray) -> np.ndarray:
    """One window, one bin and one mel band at a time, of one channel [samples]; [64, frames]."""
    wave = np.pad(sound / LOUDEST, N_FFT // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    hertz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = [700 * (10 ** (top * n / (MELS + 1) / 2595) - 1) for n in range(MELS + 2)]
    picture = np.empty((MELS, 1 + len(sound) // HOP))
    for frame in range(picture.shape[1]):
        power = np.abs(np.fft.rfft(window * wave[frame * HOP : frame * HOP + N_FFT])) ** 2
        for mel, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
            weight = [max(0.0, min((f - low) / (middle - low), (high - f) / (high - middle))) for f in hertz]
            picture[mel, frame] = np.log(np.dot(weight, power) + FLOOR)
    return picture


def test_a_picture_equals_the_naive_transform() -> None:
    sound = recording()
    found = log_mel(sound, RATE)
    assert found.shape == (2, 2, MELS, FRAMES)
    for clip, channel in ((0, 0), (1, 1)):
        expected = naive(sound[clip, :, channel].numpy())
        np.testing.assert_allclose(found[clip, channel], expected, atol=1e-3)


def test_three_seconds_are_300_frames() -> None:
    assert log_mel(torch.zeros(1, 132_096, 2, dtype=torch.int16), RATE).shape == (1, 2, 64, 300)


def test_a_tone_lights_up_the_band_that_holds_it() -> None:
    time = torch.arange(SAMPLES) / RATE
    tone = (10_000 * torch.sin(2 * torch.pi * 3_000 * time)).to(torch.int16)[None, :, None]
    loudest = log_mel(tone, RATE)[0, 0, :, FRAMES // 2].argmax()
    assert mel_matrix(RATE)[loudest, round(3_000 * N_FFT / RATE)] > 0.3


def test_a_network_takes_the_picture_of_every_microphone() -> None:
    network = Branch(contract=HEARD, backbone="test_resnet").build(crop=True).eval()
    sound = recording(3)
    features = network.look({"microphone/during": sound})
    assert features.shape == (3, network.look_width)
    deaf = sound.clone()
    deaf[:, :, 1] = 0
    assert not torch.allclose(network.look({"microphone/during": deaf}), features)
    assert InputContract.from_dict(HEARD.to_dict()) == HEARD


@pytest.mark.parametrize(
    "sound",
    [recording(1, SAMPLES - HOP), recording()[:, :, :1], recording().float(), recording()[:, :, :, None]],
)
def test_another_sound_than_the_contracts_is_refused(sound: torch.Tensor) -> None:
    with pytest.raises(ContractError, match="expected"):
        prepare(HEARD, sound)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"microphones": 0},
        {"frames": 3},
        {"reference": "before"},
        {"kind": "smell"},
        {"kind": "image"},
    ],
)
def test_a_sound_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        dataclasses.replace(HEARD, **wrong)
