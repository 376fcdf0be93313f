"""The data module of clips: presses with a measured number, and frames that are drawn by contact growth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from visuotactile.datasets.batches import (
    Batch,
    Resident,
    batch_loader,
    check_sampling,
    image_device,
)
from visuotactile.datasets.clips import (
    FRAMES,
    Clip,
    Floats,
    StoreClips,
    chosen_frames,
    contact_growth,
    numbers,
)
from visuotactile.datasets.datamodule import StoreData
from visuotactile.datasets.resize import square
from visuotactile.datasets.samples import Index, group_numbers
from visuotactile.datasets.source import Source, shared
from visuotactile.datasets.splits import hold_out
from visuotactile.errors import DataError
from visuotactile.progress import track


class ClipData(StoreData):
    """Presses with a measured number, for training on clips.

    A batch is a dictionary of tensors: clips uint8 [B, T, S, S, 3] and references uint8 [B, S, S, 3] under
    the keys of `datasets.source`; `target` float32 [B], the number; `row` int64 [B], the trial's row in the
    store. Each epoch draws the frames of each clip anew, around equal steps of the contact's growth;
    held-out clips show the steps themselves.

    Args:
        store: folder made by `visuotactile convert` or `collect`.
        reads: one name → source of the model's clips; the command line takes it from the model.
        frames: frames of each clip; the command line takes it from the model.
        target: column of the number, such as log_modulus.
        batch_size: clips of each process in a step.
        split: split file, of which only the training side of `fold` is read; None reads every trial.
        fold: number of the fold of the split.
        group: columns, joined by +, whose values are the independent units, such as object.
        radius: column of the samples' radii [m], where the model takes them; a batch then has `radius` [B].
        held_out: share of the units held out to calibrate the stated intervals.
        resident: keep the frames in "memory", on the training "device", or read each batch from "disk".
        workers: processes that read batches from disk; ignored when the frames are resident.
        seed: seed of the order of the batches, of the drawn frames, and of the held-out units.
    """

    def __init__(
        self,
        store: Path,
        reads: Mapping[str, Source],
        frames: int = FRAMES,
        target: str = "log_modulus",
        batch_size: int = 16,
        split: Path | None = None,
        fold: int = 0,
        group: str = "object",
        radius: str | None = None,
        held_out: float = 0.2,
        resident: Resident = "memory",
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(store, batch_size, split, fold, resident, workers, seed)
        if len(reads) != 1:
            raise DataError(f"reads has {', '.join(reads) or 'nothing'}; expected one source of clips")
        (self.source,) = reads.values()
        self.frames, self.target, self.group, self.held_out = frames, target, group, held_out
        self.radius = radius
        self.rows: dict[str, Index] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the store, hold out units, and load the frames if resident.

        Raises:
            StoreError: a stream, phase or column is missing, or the stream has no clips.
            ContractError: a column is hidden truth of a simulator.
            DataError: the target is not a number of the store.
        """
        if self.rows:
            return
        check_sampling(self.trainer)
        values = numbers(self.store, self.target)
        units = group_numbers(self.store, self.group)
        train, held_out = hold_out(units, self.sides[0], self.held_out, self.seed, "units")
        self.rows = {"train": train, "held_out": held_out}
        self.values, self.units = values, units
        self.radii = None if self.radius is None else numbers(self.store, self.radius)
        self.images = _ClipImages(self, np.concatenate([train, held_out]))

    def description(self) -> dict[str, object]:
        """Description of the training data, for the meta of an exported estimator."""
        return {
            **self.origin(),
            "target": self.target,
            "group": self.group,
            "radius": self.radius,
            "training_objects": sorted(set(self.store.objects[self.rows["train"]].tolist())),
            "held_out_objects": sorted(set(self.store.objects[self.rows["held_out"]].tolist())),
            "training_examples": len(self.rows["train"]),
        }

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of an epoch, or of the rest of it in a resumed run."""
        rows = self.rows["train"]

        def draw(rng: np.random.Generator) -> Index:
            return np.concatenate([rows[:, None], self.images.draw(rows, rng)], axis=1)

        return self._train_loader(self.images, self.units[rows], draw)

    def val_dataloader(self) -> DataLoader[Batch] | list[Batch]:
        """The held-out clips, each once, in every process."""
        rows = self.rows["held_out"]
        if not len(rows):
            return []
        chosen = np.concatenate([rows[:, None], self.images.draw(rows, None)], axis=1)
        parts = np.array_split(chosen, -(-len(rows) // self.batch_size))
        return batch_loader(self.images, parts, self.resident, self.workers, self.trainer)


class _ClipImages(Dataset[Batch]):
    """Frames of clips, resized to squares, a whole batch at a time."""

    def __init__(self, data: ClipData, rows: Index) -> None:
        source, store = data.source, data.store
        self.clips = {
            stream: StoreClips(store, None, stream, source.phase, source.reference or source.phase)
            for stream in source.streams
        }
        self.source, self.frames, self.targets, self.radii = source, data.frames, data.values, data.radii
        self.growth: dict[int, tuple[Floats, npt.NDArray[np.bool_]]] = {}
        device = image_device(data.resident, data.trainer)
        self.kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for row in track(rows.tolist(), f"reading {len(rows)} clips"):
            clip = self._clip(row)
            self.growth[row] = contact_growth(clip)
            if device is not None:
                frames, bare = self._squares(clip)
                self.kept[row] = frames.to(device), bare.to(device)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.growth)

    def draw(self, rows: Index, rng: np.random.Generator | None) -> Index:
        """Frames [n, frames] of the clips in some rows."""
        return np.stack([chosen_frames(*self.growth[row], self.frames, rng) for row in rows.tolist()])

    def __getitems__(self, chosen: Index) -> Batch:
        """The batch of clips of rows `chosen[:, 0]` at the frames `chosen[:, 1:]`."""
        rows = chosen[:, 0].tolist()
        parts = [self.kept[row] if self.kept else self._squares(self._clip(row)) for row in rows]
        name = shared(self.source.streams)
        batch = {
            f"{name}/{self.source.phase}": torch.stack(
                [
                    frames[torch.from_numpy(each)]
                    for (frames, _), each in zip(parts, chosen[:, 1:], strict=True)
                ]
            ),
            "target": torch.from_numpy(self.targets[chosen[:, 0]].astype(np.float32)),
            "row": torch.from_numpy(chosen[:, 0].copy()),
        }
        if self.radii is not None:
            batch["radius"] = torch.from_numpy(self.radii[chosen[:, 0]].astype(np.float32))
        if self.source.reference is not None:
            batch[f"{name}/{self.source.reference}"] = torch.stack([bare for _, bare in parts])
        return batch

    def _clip(self, row: int) -> Clip:
        return self.clips[self.source.streams[0]][row]

    def _squares(self, clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
        return square(clip.frames, self.source.side), square(clip.reference[None], self.source.side)[0]
