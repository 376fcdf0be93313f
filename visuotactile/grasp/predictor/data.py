"""The data module of the predictor: state–action pairs of a store, with their outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader

from visuotactile.datasets.batches import Resident, batch_loader, check_sampling, image_device
from visuotactile.datasets.datamodule import StoreData
from visuotactile.datasets.source import Source
from visuotactile.datasets.splits import hold_out
from visuotactile.errors import DataError
from visuotactile.grasp.predictor.examples import (
    Batch,
    GraspExamples,
    Index,
    known_outcome,
    store_embodiment,
)

EVALUATION_BATCH = 64


class GraspData(StoreData):
    """Examples of a store of grasps, for training, validation and calibration of a predictor.

    The test side of the split is never read. Some objects of the training side are held out: the network's
    logits on them validate and calibrate it.

    Args:
        store: folder made by `visuotactile collect grasp` or `convert`.
        reads: branch → source of its images, of all its streams. The command line takes this and `outcomes`
            from the model.
        outcomes: names of the outcomes; by default all that the store's embodiment declares.
        batch_size: examples of each process in a step; by default the paper's.
        split: split file, of which only the training side of `fold` is used; None uses every trial.
        fold: number of the fold of the split.
        held_out: share of the units to hold out, at least one; 0 for none. They are drawn so that their rate
            of the first outcome is near that of the others, since the calibration fits it. Or names of the
            units.
        unit: column whose trials stay together when some are held out, and are spread over an epoch:
            "object" or, where there is but one object, the "grasp" that several trials share.
        resident: keep the images in "memory", on the training "device", or read each batch from "disk".
        workers: processes that read batches from disk; ignored when the images are resident.
        seed: seed of the held-out objects and of the order of the batches.

    Attributes:
        embodiment: embodiment of the store.
        rows: "train", "held_out" and "test" → rows of the store; "test" is empty without a split.
    """

    def __init__(
        self,
        store: Path,
        reads: Mapping[str, Source],
        outcomes: Sequence[str] = (),
        batch_size: int = 16,
        split: Path | None = None,
        fold: int = 0,
        held_out: float | Sequence[str] = 0.1,
        unit: str = "object",
        resident: Resident = "memory",
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(store, batch_size, split, fold, resident, workers, seed)
        if isinstance(held_out, float | int) and not 0 <= held_out < 1:
            raise DataError(f"held_out is {held_out}; expected a share of the units, such as 0.1")
        self.reads, self.outcomes, self.held_out = dict(reads), tuple(outcomes), held_out
        self.unit = unit
        self.rows: dict[str, Index] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the store, hold objects out, and load the images if resident."""
        if self.rows:
            return
        check_sampling(self.trainer)
        self.embodiment = store_embodiment(self.store)
        self.outcomes = self.outcomes or self.embodiment.outcomes
        learned, test = self.sides
        train, held_out = self._hold_out(learned)
        self.rows = {"train": train, "held_out": held_out, "test": test}
        where = image_device(self.resident, self.trainer)
        sides: dict[str, int] = {}
        for source in self.reads.values():
            for key in source.separate_keys:
                sides[key] = max(source.side, sides.get(key, 0))
        self.examples = {
            side: GraspExamples(self.store, self.rows[side], sides, self.outcomes, where)
            for side in ("train", "held_out")
        }

    @property
    def units(self) -> npt.NDArray[Any]:
        """Unit of every trial of the store, as text."""
        return self.store.recorded(self.unit).astype(str)

    def _hold_out(self, learned: Index) -> tuple[Index, Index]:
        units = self.units
        if isinstance(self.held_out, float | int):
            success = known_outcome(self.store, self.outcomes[0])
            return hold_out(units, learned, self.held_out, self.seed, what=f"{self.unit}s", balance=success)
        missing = sorted(set(self.held_out) - set(units[learned].tolist()))
        if missing:
            raise DataError(
                f"held_out names {', '.join(missing)}; expected {self.unit}s that {self.store_path} has"
                + (" on the training side of the split" if self.split_path else "")
            )
        held = np.isin(units[learned], list(self.held_out))
        if held.all():
            raise DataError(
                f"held_out names every {self.unit} of {self.store_path}; leave some to learn from"
            )
        return learned[~held], learned[held]

    def description(self) -> dict[str, Any]:
        """Description of the training data, for the predictor's meta."""
        names = {side: sorted(set(self.store.objects[rows].tolist())) for side, rows in self.rows.items()}
        return {
            **self.origin(),
            "training_objects": names["train"],
            "held_out_objects": names["held_out"],
            "training_examples": len(self.rows["train"]),
        }

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of an epoch, or of the rest of it in a resumed run."""
        units = np.unique(self.units[self.rows["train"]], return_inverse=True)[1].astype(np.int64)
        return self._train_loader(self.examples["train"], units)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Examples of the held-out objects, each once, in every process."""
        places = np.arange(len(self.rows["held_out"]))
        if not len(places):
            return []
        parts = np.array_split(places, -(-len(places) // EVALUATION_BATCH))
        return batch_loader(self.examples["held_out"], parts, self.resident, self.workers, self.trainer)
