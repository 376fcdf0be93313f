"""Trials and the stores that hold them, readers of public datasets, splits, and batches for training.

Names are imported on first use, so that code without PyTorch does not wait for it. The functions `convert`
and `join` share their names with modules: `from visuotactile.datasets.convert import convert`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visuotactile.datasets.batches import GroupedBatchSampler
    from visuotactile.datasets.datamodule import TactileData
    from visuotactile.datasets.embodiment import Dimension, Embodiment, Stream, Vector
    from visuotactile.datasets.pairs import PairedData
    from visuotactile.datasets.readers import Reader, open_reader
    from visuotactile.datasets.samples import Samples, find_samples
    from visuotactile.datasets.splits import Split, find_split, make_split
    from visuotactile.datasets.store import Store
    from visuotactile.datasets.trial import Trial
    from visuotactile.datasets.writer import write_store

__all__ = [
    "Dimension",
    "Embodiment",
    "GroupedBatchSampler",
    "PairedData",
    "Reader",
    "Samples",
    "Split",
    "Store",
    "Stream",
    "TactileData",
    "Trial",
    "Vector",
    "find_samples",
    "find_split",
    "make_split",
    "open_reader",
    "write_store",
]

_MODULES = {
    "batches": ("GroupedBatchSampler",),
    "datamodule": ("TactileData",),
    "embodiment": ("Dimension", "Embodiment", "Stream", "Vector"),
    "pairs": ("PairedData",),
    "readers": ("Reader", "open_reader"),
    "samples": ("Samples", "find_samples"),
    "splits": ("Split", "find_split", "make_split"),
    "store": ("Store",),
    "trial": ("Trial",),
    "writer": ("write_store",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
