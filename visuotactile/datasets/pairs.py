"""Data module of several modalities: sight and touch of one moment, or of one pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from visuotactile.datasets.batches import (
    Batch,
    Resident,
    batch_loader,
    check_sampling,
    image_device,
)
from visuotactile.datasets.conditions import matching
from visuotactile.datasets.datamodule import SampleImages, StoreData
from visuotactile.datasets.paired_images import PairedImages, check_paired
from visuotactile.datasets.samples import UNLABELLED, Index, class_labels, find_samples, group_numbers
from visuotactile.datasets.source import Source
from visuotactile.datasets.splits import hold_out
from visuotactile.errors import DataError


class PairedData(StoreData):
    """Trials of a store through several modalities, for cross-modal pretraining and for classification.

    A batch is a dictionary of tensors: for each modality images uint8 `[B, S, S, 3]` of its side S, or sounds
    int16 `[B, samples, microphones]`, under the keys of `datasets.source`, row b of all from the same trial.
    Each sample is drawn from one stream of each modality and one frame of a clip, at the same share of the
    clip in every modality, so that pairs were recorded together. Also int64 `[B]`: `row`, the trial's row in
    the store; `group`, shared by trials that are not each other's negatives, the same in every batch and
    process; `label`, the class, or -1.

    Args:
        store: folder made by `visuotactile convert` or `collect`.
        reads: modality → source of its images; the command line takes it from the model.
        batch_size: samples of each process in a step.
        split: split file, of which only the training side of `fold` is read; None reads every trial.
        fold: number of the fold of the split.
        where: column → values; only trials with one of these values in each of the columns are read. The
            released grasps of `collect grasp`, whose fingers touch nothing, are left out by
            `{example: [regrasp, stay]}`.
        group: columns, joined by +, such as "object+part/y+part/yaw": trials that agree in all of them show
            the same pose. None makes each trial a group. Numbers agree only when equal, so measured poses
            make poor groups.
        label: column whose values become classes; for classification, and for the monitors.
        held_out: share of the training side's groups held out for the monitors.
        resident: keep the images in "memory", on the training "device", or read each batch from "disk".
        workers: processes that read batches from disk; ignored when the images are resident.
        seed: seed of the batch order, of the drawn streams and frames, and of the held-out groups.

    Attributes (after `setup`):
        rows: "train" and "held_out" → rows of the store.
        classes: values of the labels; empty without `label`.
        labels: "train" and "held_out" → number of each row's class, or -1.
    """

    def __init__(
        self,
        store: Path,
        reads: Mapping[str, Source],
        batch_size: int = 64,
        split: Path | None = None,
        fold: int = 0,
        where: Mapping[str, Sequence[str]] | None = None,
        group: str | None = None,
        label: str | None = None,
        held_out: float = 0.1,
        resident: Resident = "memory",
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(store, batch_size, split, fold, resident, workers, seed)
        if not 0 <= held_out < 1:
            raise DataError(f"held_out is {held_out}; expected a share of the groups, such as 0.1")
        if not reads or not all(name.isidentifier() for name in reads):
            raise DataError(f"modalities are named {list(reads)}; expected words such as sight, touch")
        keys = [key for source in reads.values() for key in source.keys]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise DataError(
                f"{', '.join(twice)} is read by more than one of {', '.join(reads)}; let one modality look "
                "at it, as a batch has it once"
            )
        self.reads, self.where = dict(reads), dict(where or {})
        self.group, self.label, self.held_out = group, label, held_out
        self.classes: tuple[str, ...] = ()
        self.rows: dict[str, Index] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the store, select the trials, and load their images if resident.

        Raises:
            StoreError: a stream, phase or column is missing, or no trial has the values of `where`.
            DataError: a trial lacks a modality; the error names it.
        """
        if self.rows:
            return
        check_sampling(self.trainer)
        store, rows = self.store, self.sides[0]
        if self.where:
            asked = [(column, value) for column, values in self.where.items() for value in values]
            rows = np.intersect1d(rows, matching(store, asked))
        groups = group_numbers(store, self.group)
        labels = np.full(len(store), UNLABELLED)
        if self.label is not None:
            labels, values = class_labels(store, self.label)
            self.classes = tuple(str(value) for value in values.tolist())
        images = {
            name: SampleImages(
                find_samples(store, each.streams, each.phase, each.reference, rows),
                each.side,
                image_device(self.resident, self.trainer),
            )
            for name, each in self.reads.items()
        }
        check_paired(images)
        self.groups = groups[rows]
        self.images = PairedImages(images, rows, self.groups, labels[rows])
        train, held_out = hold_out(self.groups, np.arange(len(rows)), self.held_out, self.seed, "groups")
        self._places = {"train": train, "held_out": held_out}
        self.rows = {side: rows[chosen] for side, chosen in self._places.items()}
        self.labels = {side: labels[chosen] for side, chosen in self.rows.items()}

    def description(self) -> dict[str, Any]:
        """Description of the training data, for the meta of an exported encoder."""
        return {
            **self.origin(),
            "pretraining_objects": sorted(set(self.store.objects[self.rows["train"]].tolist())),
            "pretraining_images": len(self.rows["train"]),
            "where": {column: list(values) for column, values in self.where.items()},
            "group": self.group,
            "held_out": self.held_out,
        }

    @property
    def train_groups(self) -> Index:
        """Group of each training pair `[N]`."""
        return self.groups[self._places["train"]]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of an epoch, or of the rest of it in a resumed run."""
        places = self._places["train"]
        return self._train_loader(self.images, self.train_groups, lambda rng: self.images.draw(places, rng))

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """The held-out pairs, each once, in every process: first stream, middle frame."""
        places = self._places["held_out"]
        if not len(places):
            return []
        chosen = self.images.middle(places)
        parts = np.array_split(chosen, -(-len(chosen) // self.batch_size))
        return batch_loader(self.images, parts, self.resident, self.workers, self.trainer)
