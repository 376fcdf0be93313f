"""Images of trials through several modalities, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.utils.data import Dataset

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.datamodule import SampleImages
from visuotactile.datasets.samples import Index
from visuotactile.errors import DataError

NAMED = 5  # unpaired trials that an error lists by name


class PairedImages(Dataset[Batch]):
    """Dataset of trials through several modalities, with the batches that `PairedData` describes.

    An index is int64 `[B, 1 + modalities]`: the trial's position in `rows`, then a sample of each modality,
    which is one of its streams and frames of that trial.
    """

    def __init__(self, images: Mapping[str, SampleImages], rows: Index, group: Index, label: Index) -> None:
        """
        Args:
            images: modality → the samples of `rows`, as `find_samples` orders them.
            rows, group, label: [N], row in the store, group and label of each trial.
        """
        self.images, self.rows = dict(images), rows
        self._table = {
            name: torch.tensor(values, dtype=torch.int64)  # a copy: a column of a store cannot be written
            for name, values in (("row", rows), ("group", group), ("label", label))
        }
        self._shape = [
            (len(each.samples.streams), int(each.samples.frame.max()) + 1) for each in images.values()
        ]

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.rows)

    def __getitems__(self, chosen: Index) -> Batch:
        """The batch of the trials and samples in `chosen` `[B, 1 + modalities]`."""
        places = torch.from_numpy(chosen[:, 0].copy())
        batch = {name: values[places] for name, values in self._table.items()}
        for column, images in enumerate(self.images.values(), start=1):
            batch |= images.pixels(chosen[:, column])
        return batch

    def draw(self, places: Index, rng: np.random.Generator) -> Index:
        """Index of the trials at `places`, each with a random stream and frame of every modality.

        The frames of one trial are at the same share of each modality's clip: in clips recorded together,
        they show the same moment.
        """
        moment = rng.random(len(places))
        streams = [rng.integers(streams, size=len(places)) for streams, _ in self._shape]
        return self._samples(places, streams, moment)

    def middle(self, places: Index) -> Index:
        """Index of the trials at `places`, each with the first stream and middle frame of every modality."""
        first = np.zeros(len(places), np.int64)
        return self._samples(places, [first] * len(self._shape), np.full(len(places), 0.5))

    def _samples(self, places: Index, streams: list[Index], moment: np.ndarray) -> Index:
        columns = [places]
        for stream, (count, frames) in zip(streams, self._shape, strict=True):
            columns.append((places * count + stream) * frames + (moment * frames).astype(np.int64))
        return np.stack(columns, axis=1)


def check_paired(images: Mapping[str, SampleImages]) -> None:
    """Raise `DataError`, naming the trials, if an image or a reference of a modality is missing.

    All trials of a store have the same arrays, and one that was not recorded is zero everywhere: it would be
    learned as the match of the other modality's image.
    """
    missing: dict[str, list[str]] = {}
    for each in images.values():
        samples = each.samples
        for phase, number in each.blank():
            trial = str(samples.store.names[samples.trial[number]])
            where = f"{samples.streams[samples.stream[number]]}/{phase}"
            if where not in missing.setdefault(trial, []):
                missing[trial].append(where)
    if missing:
        store = next(iter(images.values())).samples.store
        listed = "; ".join(f"{trial} ({', '.join(lacks)})" for trial, lacks in list(missing.items())[:NAMED])
        more = f"; and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise DataError(
            f"{store.path} has {len(missing)} unpaired trials, in which an image is zero everywhere, the "
            f"mark of one that was not recorded: {listed}{more}; leave them out with data.where or a split, "
            "or convert the recordings without them"
        )
