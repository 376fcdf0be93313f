"""The data module of pretraining: a store, a fold of a split, and batches of uint8 images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from visuotactile.datasets.batches import (
    Batch,
    Draw,
    Resident,
    batch_loader,
    check_sampling,
    image_device,
    partners,
    train_loader,
)
from visuotactile.datasets.resize import square
from visuotactile.datasets.samples import Index, Samples, find_samples
from visuotactile.datasets.source import PARTNER, Source, shared
from visuotactile.datasets.splits import find_fold
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError

Positive = Literal["frame", "contact", "grasp"]
RESIZE_BATCH = 256
MONITOR_IMAGES = 2000  # enough for a stable kNN accuracy, few enough to encode in seconds


class SampleImages(Dataset[Batch]):
    """Images of samples, resized to a square, a whole batch at a time.

    A batch is a dictionary of tensors: images uint8 `[B, S, S, 3]`, or sounds int16 `[B, samples,
    microphones]`, under the keys of `datasets.source`, those of a positive that is another recording under
    `partner/…`; `sample`, `recording` and `label` int64 `[B]`.
    """

    def __init__(self, samples: Samples, side: int, resident: torch.device | None) -> None:
        """Load everything into the memory of `resident`, or leave it on disk if None."""
        self.samples, self.side = samples, side
        self.images: Tensor | None = None
        self.references: Tensor | None = None
        self._info = {
            "recording": torch.from_numpy(samples.recording),
            "label": torch.from_numpy(samples.label),
        }
        if resident is not None:
            self._load(resident)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def __getitems__(self, pairs: Index) -> Batch:
        """The batch of samples `pairs[:, 0]`, with partners `pairs[:, 1]` where they differ."""
        chosen, partner = pairs[:, 0], pairs[:, 1]
        batch = {"sample": torch.from_numpy(chosen.copy())}
        batch |= {name: values[batch["sample"]] for name, values in self._info.items()}
        batch |= self.pixels(chosen)
        if (chosen != partner).any():
            batch |= {PARTNER + name: value for name, value in self.pixels(partner).items()}
        return batch

    def pixels(self, chosen: Index) -> Batch:
        """Images of the chosen samples and, where there is a reference, its images."""
        if self.images is None:
            images, references = self._read(chosen)
        else:
            rows = torch.from_numpy(chosen.copy()).to(self.images.device)
            images = self.images[rows]
            references = None if self.references is None else self.references[self._touch[rows]]
        name = shared(self.samples.streams)
        found = {f"{name}/{self.samples.phase}": images}
        return found if references is None else found | {f"{name}/{self.samples.reference}": references}

    def blank(self) -> Iterator[tuple[str, int]]:
        """Phase and number of each sample whose image, or whose reference, is zero everywhere."""
        for start in range(0, len(self), RESIZE_BATCH):
            rows = np.arange(start, min(start + RESIZE_BATCH, len(self)))
            if self.images is None:
                pixels = [torch.from_numpy(some) for some in self.samples.read(rows) if some is not None]
            else:
                pixels = list(self.pixels(rows).values())
            phases = (self.samples.phase, self.samples.reference)
            for phase, images in zip((phase for phase in phases if phase), pixels, strict=True):
                empty = (images == 0).flatten(1).all(dim=1)
                yield from ((phase, start + n) for n in empty.nonzero().squeeze(1).tolist())

    def _read(self, chosen: Index) -> tuple[Tensor, Tensor | None]:
        images, references = self.samples.read(chosen)
        return square(images, self.side), None if references is None else square(references, self.side)

    def _load(self, device: torch.device) -> None:
        count = len(self.samples)
        one = square(self.samples.read(np.arange(1))[0], self.side)
        images = torch.empty((count, *one.shape[1:]), dtype=one.dtype)
        # All frames of a clip share one reference, which is kept once.
        _, first, touch = np.unique(self.samples.contact, return_index=True, return_inverse=True)
        for start in range(0, count, RESIZE_BATCH):
            rows = np.arange(start, min(start + RESIZE_BATCH, count))
            images[rows] = square(self.samples.read(rows)[0], self.side)
        self.images = images.to(device)
        self._touch = torch.from_numpy(touch.astype(np.int64)).to(device)
        if self.samples.reference is not None:
            parts = [self._read(part)[1] for part in np.array_split(first, -(-len(first) // RESIZE_BATCH))]
            self.references = torch.cat([part for part in parts if part is not None]).to(device)


class StoreData(pl.LightningDataModule):
    """Base of the data modules: a fold of a store, opened once, and batches of its training side.

    Args:
        store: folder of the store.
        batch_size: samples of each process in a step.
        split: split file; None for a training side of every trial.
        fold: number of the fold of the split.
        resident, workers: as for `batches.batch_loader`.
        seed: seed of the order of the batches.
    """

    def __init__(
        self,
        store: Path,
        batch_size: int,
        split: Path | None,
        fold: int,
        resident: Resident,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.store_path, self.batch_size = Path(store), batch_size
        self.split_path, self.fold = split, fold
        self.resident, self.workers, self.seed = resident, workers, seed

    @cached_property
    def store(self) -> Store:
        """The store."""
        return Store(self.store_path)

    @cached_property
    def _fold(self) -> tuple[Index, Index, str]:
        return find_fold(self.store, self.split_path, self.fold)

    @property
    def sides(self) -> tuple[Index, Index]:
        """Rows of the training side and of the test side."""
        return self._fold[:2]

    @property
    def split_hash(self) -> str:
        """Hash of the split; empty without one."""
        return self._fold[2]

    def origin(self) -> dict[str, Any]:
        """Store and fold, for the meta of what is exported."""
        return {
            "store": self.store.name,
            "fingerprint": self.store.fingerprint,
            "split_hash": self.split_hash,
            "fold": self.fold if self.split_hash else None,
        }

    def _train_loader(
        self, dataset: Dataset[Batch], groups: Index, draw: Draw | None = None
    ) -> DataLoader[Batch]:
        return train_loader(
            dataset,
            groups,
            self.batch_size,
            self.seed,
            draw=draw,
            resident=self.resident,
            workers=self.workers,
            trainer=self.trainer,
        )


class TactileData(StoreData):
    """Training images of a store for self-supervised pretraining; labels, if any, only feed the monitor.

    Args:
        store: folder that `visuotactile convert` made.
        reads: one name → source of the model's images. Each image, and each frame of a clip, is a sample. The
            command line takes it from the model.
        batch_size: samples of each process in a step.
        split: split file, of which only the training side of `fold` is read; None reads every trial.
        fold: number of the fold of the split.
        positive: source of a sample's second view: the same "frame", another frame of the same "contact"
            (touch and sensor), or of the same "grasp" (either finger).
        recording: unit whose samples are near-duplicates: "trial", or a column such as "object".
        label: column for the online kNN monitor, and for triplets by label.
        image_size: side to which images are resized once, on reading, instead of that of `reads`.
        resident: keep the images in "memory", on the training "device", or read each batch from "disk".
        workers: processes that read batches from disk; ignored when the images are resident.
        seed: seed of the order of the batches.
    """

    def __init__(
        self,
        store: Path,
        reads: Mapping[str, Source],
        batch_size: int = 200,
        split: Path | None = None,
        fold: int = 0,
        positive: Positive = "frame",
        recording: str = "trial",
        label: str | None = None,
        image_size: int | None = None,
        resident: Resident = "memory",
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(store, batch_size, split, fold, resident, workers, seed)
        if len(reads) != 1:
            raise DataError(
                f"reads has {', '.join(reads) or 'nothing'}; pretraining on one sense reads one source, and "
                "PairedData several"
            )
        (self.source,) = reads.values()
        self.side = image_size or self.source.side
        self.positive, self.recording, self.label = positive, recording, label
        self.samples: Samples | None = None

    def setup(self, stage: str | None = None) -> None:
        """Open the store, select the training trials, and load their images if resident."""
        if self.samples is not None:
            return
        check_sampling(self.trainer)
        self.samples = find_samples(
            self.store,
            self.source.streams,
            self.source.phase,
            self.source.reference,
            self.sides[0],
            recording=self.recording,
            label=self.label,
        )
        self.images = SampleImages(self.samples, self.side, image_device(self.resident, self.trainer))
        self.objects = self.store.objects[self.samples.trial]

    def description(self) -> dict[str, Any]:
        """Description of the training data, for the meta of an exported encoder."""
        assert self.samples is not None
        return {
            **self.origin(),
            "pretraining_objects": sorted(set(self.objects.tolist())),
            "pretraining_images": len(self.samples),
            "positive": self.positive,
        }

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of an epoch, or of the rest of it in a resumed run."""
        assert self.samples is not None
        return self._train_loader(self.images, self.samples.recording, self._draw_pairs)

    def _draw_pairs(self, rng: np.random.Generator) -> Index:
        """Samples with their positives [N, 2]."""
        assert self.samples is not None
        places = np.arange(len(self.samples))
        families = {"contact": self.samples.contact, "grasp": self.samples.trial}
        family = families.get(self.positive)
        return np.stack([places, places if family is None else partners(family, rng)], axis=1)

    def val_dataloader(self) -> DataLoader[Batch]:
        """One frame of each training touch, at most `MONITOR_IMAGES`, for the monitors; no test trials."""
        assert self.samples is not None
        frame = int(self.samples.frame.max()) // 2
        rows = np.flatnonzero(self.samples.frame == frame)
        if len(rows) > MONITOR_IMAGES:
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, MONITOR_IMAGES, replace=False))
        pairs = np.stack([rows, rows], axis=1)
        batches: list[Any] = np.array_split(pairs, -(-len(rows) // self.batch_size))
        return batch_loader(self.images, batches, self.resident, self.workers, self.trainer)
