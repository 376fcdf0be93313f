"""Log-mel spectrograms of sound for image backbones: torchaudio's numbers without torchaudio."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

MELS, N_FFT, HOP = 64, 1024, 441
"""Mel bands, and window and hop in samples: those of gentle_grasping, which records at 44.1 kHz."""

FLOOR = 1e-6  # added to the power before the logarithm
LOUDEST = 32768  # of int16


def log_mel(sound: Tensor, rate: int) -> Tensor:
    """Logarithm of the mel power spectrogram.

    Args:
        sound: int16 [B, samples, channels].
        rate: sampling rate [Hz].

    Returns:
        float32 [B, channels, 64, frames], frames = 1 + samples // 441.
    """
    wave = sound.transpose(1, 2).float() / LOUDEST  # [B, channels, samples]
    spectrum = torch.stft(
        wave.flatten(0, 1),
        N_FFT,
        HOP,
        window=torch.hann_window(N_FFT, device=wave.device),
        return_complex=True,
    )
    power = spectrum.abs().square()  # [B · channels, bins, frames]
    mel = (mel_matrix(rate).to(wave.device) @ power).add_(FLOOR).log_()
    return mel.unflatten(0, wave.shape[:2])


@functools.lru_cache(maxsize=4)
def mel_matrix(rate: int) -> Tensor:
    """Triangular filters [64, bins], evenly spaced on the HTK mel scale up to half the rate."""
    top = 2595 * torch.log10(torch.tensor(1 + rate / 2 / 700, dtype=torch.float64))
    mels = torch.linspace(0, float(top), MELS + 2, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)  # Hz
    bins = torch.linspace(0, rate / 2, N_FFT // 2 + 1, dtype=torch.float64)
    low, middle, high = (corners[start : start + MELS, None] for start in range(3))
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0).float()
