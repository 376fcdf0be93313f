"""Small pictures of trials, and pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from visuotactile.datasets.store import Store
from visuotactile.encoders import InputContract, prepare
from visuotactile.probes.features import BATCH, read_images, read_references

Pixels = NDArray[np.uint8]

RULE = 2


def trial_pictures(store: Store, contract: InputContract, trials: NDArray[np.int64], height: int) -> Pixels:
    """What was recorded: the contract's streams side by side, of a clip the middle frame.

    Returns:
        uint8 [n, height, W, 3].
    """
    batches = []
    for start in range(0, len(trials), BATCH):
        chosen = trials[start : start + BATCH]
        rows = [_middle(store, stream, contract.phase, chosen) for stream in contract.streams]
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
    """What the encoder sees of it: the prepared images, stretched to the visible range.

    Returns:
        uint8 [n, size, streams·size, 3].
    """
    fingers = []
    for stream in contract.streams:
        image = torch.from_numpy(_middle(store, stream, contract.phase, trials))
        reference = None
        if contract.reference is not None:
            reference = torch.from_numpy(read_references(store, stream, contract.reference, trials))
        fingers.append(prepare(contract, image, reference).permute(0, 2, 3, 1).numpy())
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


def data_uri(image: Pixels, *, lossy: bool = False) -> str:
    """An image uint8 [H, W, 3] as a `data:` address, PNG or (where many are needed) JPEG."""
    buffer = io.BytesIO()
    kind, options = ("JPEG", {"quality": 80}) if lossy else ("PNG", {"optimize": True})
    Image.fromarray(image).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _middle(store: Store, stream: str, phase: str, trials: NDArray[np.int64]) -> Pixels:
    clips = read_images(store, stream, phase, trials)
    return np.ascontiguousarray(clips[:, clips.shape[1] // 2])


def _resize(image: Pixels, height: int) -> Pixels:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    )
