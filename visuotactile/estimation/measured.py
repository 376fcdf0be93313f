"""Measured clips of a store, kept in the user's cache: an experiment measures each clip once."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np

from visuotactile.datasets.clips import StoreClips
from visuotactile.estimation.estimator import Estimator, Measured
from visuotactile.files import atomic_path, cache_folder, sha256_bytes
from visuotactile.progress import track

PART = 25
"""Clips of a file of the cache; after an interruption so many are measured again, at most."""

MEASURING = 1
"""Part of every name in the cache: raise it when a `measure` changes."""


def measured_clips(estimator: Estimator, clips: StoreClips, cache: Path | None = None) -> Measured:
    """Arrays of a store's clips [n, …]; NaN where a clip shows no contact.

    Args:
        estimator: measures them.
        clips: clips of a store.
        cache: folder of measured clips; by default the user's. A file's name is the content of the estimator
            and of the pixels, so that it is right wherever they lie now; a damaged file is measured again.
    """
    folder = cache or cache_folder("clips")
    starts = range(0, len(clips), PART)
    parts = []
    for start in track(starts, f"measuring {len(clips)} clips in parts of {PART}"):
        some = clips.part(range(start, min(start + PART, len(clips))))
        path = folder / f"{_key(estimator, some)}.npz"
        found = _read(path, len(some))
        if found is None:
            found = estimator.measure(some, show=False)
            with atomic_path(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, measured=found)
        parts.append(found)
    return np.concatenate(parts)


def _key(estimator: Estimator, clips: StoreClips) -> str:
    digest = hashlib.sha256()
    for i in range(len(clips)):
        clip = clips[i]
        digest.update(f"{clip.frames.shape} {clip.reference.shape}".encode())
        digest.update(np.ascontiguousarray(clip.frames).data)
        digest.update(np.ascontiguousarray(clip.reference).data)
    return sha256_bytes(estimator.measures().encode(), digest.digest(), bytes([MEASURING]))


def _read(path: Path, clips: int) -> Measured | None:
    """Kept arrays, or None where there are none that can be trusted."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found: Measured = file["measured"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as why:
        print(f"{path} is damaged ({why}); its clips are measured again", file=sys.stderr)
        return None
    return found if len(found) == clips else None
