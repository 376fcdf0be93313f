"""The kinds of folders that commands make, told by the file in which each describes itself."""

from __future__ import annotations

import os
from pathlib import Path

KINDS = {
    "store.json": "store",
    "store.part.json": "unfinished store",
    "encoder.json": "encoder",
    "joint.json": "joint space",
    "classifier.json": "classifier",
    "predictor.json": "predictor",
    "estimator.json": "estimator",
    "run.json": "run",
}
"""File → kind of the folder that holds it."""


def kind_of(folder: str | os.PathLike[str]) -> str | None:
    """Kind of a folder; None for any other."""
    return next((kind for file, kind in KINDS.items() if (Path(folder) / file).is_file()), None)
