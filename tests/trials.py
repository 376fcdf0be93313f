"""Comparison of trials."""

from __future__ import annotations

import numpy as np

from visuotactile.datasets.trial import Trial


def same(one: Trial, other: Trial) -> bool:
    """Name, table, and every stream at every phase are equal."""
    images = all(
        np.array_equal(array, other.streams[stream][phase])
        for stream, phases in one.streams.items()
        for phase, array in phases.items()
    )
    return images and one.table() == other.table() and one.name == other.name
