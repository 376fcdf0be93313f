"""Small pictures of trials: the recording, and the image that an encoder sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from visuotactile.datasets.store import Store
from visuotactile.encoders import InputContract, prepare
from visuotactile.encoders.sound import FLOOR, log_mel

Pixels = NDArray[np.uint8]

RULE = 2
BATCH = 256
"""Trials read at once."""


def trial_pictures(store: Store, contract: InputContract, trials: NDArray[np.int64], height: int) -> Pixels:
    """Recorded images: the contract's streams side by side, of a clip the middle frame, of a sound its
    spectrogram.

    Returns:
        uint8 [n, height, W, 3].
    """
    batches = []
    for start in range(0, len(trials), BATCH):
        chosen = trials[start : start + BATCH]
        rows = [_recorded(store, contract, stream, chosen) for stream in contract.streams]
        batches.append(
            np.stack(
                [
                    np.concatenate([_resize(fingers[i], height) for fingers in rows], axis=1)
                    for i in range(len(chosen))
                ]
            )
        )
    return np.concatenate(batches)


def seen_pictures(store: Store, contract: InputContract, trials: NDArray[np.int64]) -> Pixels:
    """Images that the encoder sees: prepared by its contract, stretched to the visible range.

    Returns:
        uint8 [n, size, streams·size, 3].
    """
    fingers = []
    for stream in contract.streams:
        image = torch.from_numpy(_middle(store, stream, contract.phase, trials))
        reference = None
        if contract.reference is not None:
            reference = torch.from_numpy(store.read_first(stream, contract.reference, trials))
        prepared = prepare(contract, image, reference)
        if contract.kind == "sound":  # the microphones' mean in grey, low tones below
            prepared = prepared.mean(1, keepdim=True).flip(2).expand(-1, 3, -1, -1)
        fingers.append(prepared.permute(0, 2, 3, 1).numpy())
    joined = np.concatenate(fingers, axis=2)
    low, high = np.quantile(joined, [0.005, 0.995], axis=(1, 2, 3), keepdims=True)
    scaled = (joined - low) / np.maximum(high - low, 1e-6)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def side_by_side(pictures: Sequence[Pixels]) -> Pixels:
    """Pictures uint8 [n, H, W, 3] of each trial in one, all as high as the highest, with a rule between."""
    height = max(each.shape[1] for each in pictures)
    alike = [
        each if each.shape[1] == height else np.stack([_resize(image, height) for image in each])
        for each in pictures
    ]
    # Dark pictures on a dark page would run into one another.
    rule = np.full((len(alike[0]), height, RULE, 3), 128, np.uint8)
    return np.concatenate([part for each in alike for part in (rule, each)][1:], axis=2)


def _recorded(store: Store, contract: InputContract, stream: str, trials: NDArray[np.int64]) -> Pixels:
    if contract.kind == "sound":
        return spectrograms(store.read(stream, contract.phase, trials), contract.rate)
    return _middle(store, stream, contract.phase, trials)


def spectrograms(sounds: NDArray[np.int16], rate: int) -> Pixels:
    """Log-mel spectrograms uint8 [n, 64, frames, 3] of sounds int16 [n, samples, microphones].

    The microphones' mean in grey, low tones below; black is silence, white full scale, alike for all sounds.
    """
    levels = log_mel(torch.from_numpy(np.require(sounds, requirements=["C", "W"])), rate).mean(1).flip(1)
    low = float(np.log(FLOOR))
    grey = ((levels - low) / (LOUDEST_LEVEL - low)).clamp(0, 1) * 255
    return np.repeat(grey.byte().numpy()[..., None], 3, axis=3)


LOUDEST_LEVEL = 11.0
"""Logarithm of the mel power of a sine at full scale in its band, about."""


def _middle(store: Store, stream: str, phase: str, trials: NDArray[np.int64]) -> Pixels:
    clips = store.read_clips(stream, phase, trials)
    return np.ascontiguousarray(clips[:, clips.shape[1] // 2])


def _resize(image: Pixels, height: int) -> Pixels:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    )
