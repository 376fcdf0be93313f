"""One feature vector per trial, from a frozen encoder of single images.

Every image of the contract's streams and phase is encoded. A clip is described by the mean and the standard
deviation of its frames' features, a single image by its features alone; the streams (fingers) are averaged.
On the incipient-slip recordings, averaging the fingers beats concatenating their features: there are half as
many weights to fit, and which finger is which carries no information.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from visuotactile.datasets.store import Store
from visuotactile.encoders import InputContract, prepare
from visuotactile.encoders.contract import signed_pixels
from visuotactile.errors import EncoderError, brief
from visuotactile.files import atomic_path, sha256_bytes
from visuotactile.progress import track

# Part of every cache key: raise it when the pooling below changes.
POOLING = 1
# Images read and encoded at once.
BATCH = 256
RAW_SIZE = 32
RIM = 2


class ImageEncoder(Protocol):
    """Frozen encoder of single images, such as `FrozenEncoder` and `RawPixels`."""

    contract: InputContract
    hash: str

    def encode(
        self, images: NDArray[Any], references: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """Images uint8 [N, H, W, 3] (and references alike, if the contract has any) to features [N, D]."""


class RawPixels:
    """Baseline without an encoder: the prepared image or spectrogram itself, at 32×32, as 3,072 features."""

    def __init__(self, contract: InputContract) -> None:
        self.contract = contract if contract.kind == "sound" else replace(contract, size=RAW_SIZE)
        self.hash = sha256_bytes(b"raw pixels", repr(self.contract).encode())

    def encode(
        self, images: NDArray[Any], references: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        image = torch.from_numpy(images)
        reference = None if references is None else torch.from_numpy(references)
        picture = prepare(self.contract, image, reference)
        if self.contract.kind == "sound":  # whose size is its length
            picture = F.adaptive_avg_pool2d(picture, RAW_SIZE)
        pixels: NDArray[np.float32] = picture.flatten(1).numpy()
        return pixels


class Rim:
    """Nuisance: the border of the prepared image at 32×32, two pixels wide, where contact matters least."""

    def __init__(self, contract: InputContract) -> None:
        self._whole = RawPixels(contract)
        self.contract = self._whole.contract
        self.hash = sha256_bytes(b"rim", self._whole.hash.encode())
        inside = np.zeros((RAW_SIZE, RAW_SIZE), bool)
        inside[RIM:-RIM, RIM:-RIM] = True
        self._border = np.tile(~inside.ravel(), self.contract.input_shape[0])

    def encode(
        self, images: NDArray[np.uint8], references: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        border: NDArray[np.float32] = self._whole.encode(images, references)[:, self._border]
        return border


class MeanColour:
    """Nuisance: the mean of each channel, before any normalisation."""

    def __init__(self, contract: InputContract) -> None:
        self.contract = contract
        self.hash = sha256_bytes(b"mean colour", repr(contract).encode())

    def encode(
        self, images: NDArray[np.uint8], references: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        image = torch.from_numpy(images)
        reference = None if references is None else torch.from_numpy(references)
        means: NDArray[np.float32] = signed_pixels(self.contract, image, reference).mean(dim=(2, 3)).numpy()
        return means


def trial_features(
    encoder: ImageEncoder, store: Store, *, cache: Path | None, name: str = "encoder"
) -> NDArray[np.float32]:
    """The features of every trial of the store.

    Args:
        encoder: frozen.
        store: holds the streams and phases of the encoder's contract.
        cache: folder where features are kept, or None. The key is the content of the encoder and of the
            pixels, so a file found there is right wherever encoder and store lie now; one that
            is damaged is made again.
        name: name of the encoder in the progress bar.

    Returns:
        float32 [trials, D']; D' = D for single images, 2·D for clips (means, then standard deviations).

    Raises:
        EncoderError: the encoder gives NaN or infinity.
        StoreError: the store lacks a stream or phase of the contract.
    """
    path = None if cache is None else Path(cache) / f"{_key(encoder, store)}.npz"
    if path is not None and (kept := _read(path, len(store))) is not None:
        return kept
    features = _encode(encoder, store, name)
    if not np.isfinite(features).all():
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise EncoderError(
            f"{name} gives NaN or infinity for {len(bad)} of {len(store)} trials, the first being "
            f"{store.names[bad[0]]!r}; its training diverged: use an earlier checkpoint"
        )
    if path is not None:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, features=features)
    return features


def _encode(encoder: ImageEncoder, store: Store, name: str) -> NDArray[np.float32]:
    contract = encoder.contract
    streams: list[NDArray[np.float32]] = []
    for stream in contract.streams:
        pooled = []
        for trials in track(_batches(store, stream, contract.phase), f"features of {name}, {stream}"):
            clips = store.read_clips(stream, contract.phase, trials)
            n, frames = clips.shape[:2]
            references = None
            if contract.reference is not None:
                references = store.read_first(stream, contract.reference, trials)
            if contract.kind == "clip":
                pooled.append(_pool(encoder.encode(clips, references)))
                continue
            if references is not None:
                references = np.repeat(references, frames, axis=0)
            encoded = encoder.encode(clips.reshape(n * frames, *clips.shape[2:]), references)
            pooled.append(_pool(encoded.reshape(n, frames, -1)))
        streams.append(np.concatenate(pooled))
    averaged: NDArray[np.float64] = np.mean(np.stack(streams), axis=0, dtype=np.float64)
    return averaged.astype(np.float32)


def _pool(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, T, D] to [n, D] for T = 1, else to [n, 2·D]."""
    if features.shape[1] == 1:
        return features[:, 0]
    wide = features.astype(np.float64)
    return np.concatenate([wide.mean(axis=1), wide.std(axis=1)], axis=1).astype(np.float32)


def _batches(store: Store, stream: str, phase: str) -> list[NDArray[np.int64]]:
    spec = store.specs.get((stream, phase))
    frames = spec.shape[0] if spec is not None and len(spec.shape) == 4 else 1
    step = max(1, BATCH // frames)
    return [np.arange(start, min(start + step, len(store))) for start in range(0, len(store), step)]


def _key(encoder: ImageEncoder, store: Store) -> str:
    contract = encoder.contract
    phases = (contract.phase,) if contract.reference is None else (contract.phase, contract.reference)
    pixels = _pixels(store, contract.streams, phases)
    return sha256_bytes(encoder.hash.encode(), store.fingerprint.encode(), pixels.encode(), bytes([POOLING]))


@functools.lru_cache(maxsize=8)
def _pixels(store: Store, streams: tuple[str, ...], phases: tuple[str, ...]) -> str:
    """A hash over the pixels themselves.

    The store's fingerprint covers its table, which stays the same when a recording is rendered or
    converted anew. Hashing costs a small part of encoding, once per process and contract.
    """
    digest = hashlib.sha256()
    for stream in streams:
        for phase in phases:
            for trials in _batches(store, stream, phase):
                digest.update(np.ascontiguousarray(store.read(stream, phase, trials)).data)
    return digest.hexdigest()


def _read(path: Path, trials: int) -> NDArray[np.float32] | None:
    """Cached features, or None where there are none that can be trusted (each array carries a checksum)."""
    if not path.exists():
        return None
    try:
        features = _checked(path, trials)
    except Exception as why:  # a damaged file may raise anything
        print(f"{path} is damaged ({brief(why)}); its features are computed again", file=sys.stderr)
        if path.is_dir():  # nothing that could be replaced
            shutil.rmtree(path)
        return None
    return features


def _checked(path: Path, trials: int) -> NDArray[np.float32]:
    """Cached features; raises an error of any kind if they are damaged."""
    if not path.is_file():
        raise ValueError("it is no file")
    with zipfile.ZipFile(path) as file:
        member = file.getinfo("features.npy")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > path.stat().st_size:
            raise ValueError("it claims more than it holds")
    with np.load(path, allow_pickle=False) as arrays:
        features: NDArray[np.float32] = arrays["features"]
    if features.dtype != np.float32 or features.ndim != 2 or len(features) != trials:
        raise ValueError(f"it holds {features.dtype} {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("it holds NaN or infinity")
    return features
