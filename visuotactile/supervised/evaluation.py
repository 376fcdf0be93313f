"""Predictions of a classifier on held-out trials, and its accuracy with an interval."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.conditions import matching
from visuotactile.datasets.datamodule import SampleImages
from visuotactile.datasets.paired_images import PairedImages, check_paired
from visuotactile.datasets.samples import UNLABELLED, Index, class_labels, find_samples, group_numbers
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders.branch import recorded
from visuotactile.errors import ContractError, SplitError
from visuotactile.reports.intervals import wilson
from visuotactile.supervised.network import Classifier
from visuotactile.training.seeding import step_generator
from visuotactile.views import RandomViews, SightAugmentation

BATCH = 64
OCCLUSION = SightAugmentation(p_crop=0.0, p_occlusion=1.0)
"""Occlusion of every image, without other augmentations."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of a classifier on some trials.

    Attributes:
        classes: names of the classes, in the order of labels and columns of `probabilities`.
        rows: [n], rows of the store.
        groups: [n], pose id; trials with the same id show the same pose.
        labels: [n], true class.
        probabilities: float32 [n, classes].
    """

    classes: tuple[str, ...]
    rows: Index
    groups: Index
    labels: Index
    probabilities: npt.NDArray[np.float32]

    @property
    def predicted(self) -> Index:
        """[n], most likely class."""
        return self.probabilities.argmax(axis=1).astype(np.int64)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """[n], true where the prediction is correct."""
        return self.predicted == self.labels


def evaluate(
    classifier: Classifier,
    store: Store,
    split: Path | None = None,
    *,
    occlude: Sequence[str] = (),
    seed: int = 0,
    batch_size: int = BATCH,
) -> Predictions:
    """Classify the test side of the classifier's own split, or every trial of another store.

    Occlusions depend on (seed, trial) alone, so every classifier is tested on the same images. The
    classifier is left in evaluation mode.

    Args:
        classifier: from `load_classifier`; it runs on its device.
        store: the trials.
        split: split file used in training; None for a store that it was not trained on.
        occlude: names of the occluded modalities.
        seed: seed of the occlusions.
        batch_size: images per pass.

    Raises:
        SplitError: test trials may overlap with training trials.
        ContractError: the store's labels are not the classifier's classes, or a modality is unknown.
        StoreError: the store lacks a stream or phase of the input.
        DataError: a trial lacks a modality.
    """
    unknown = sorted(set(occlude) - set(classifier.branches))
    if unknown:
        raise ContractError(
            f"{', '.join(unknown)} cannot be occluded: the inputs of this classifier are "
            f"{', '.join(classifier.branches)}"
        )
    rows = unseen_rows(classifier, store, split)
    data = classifier.meta["data"]
    rows = rows[true_labels(classifier, store, rows) != UNLABELLED]
    if not len(rows):
        raise SplitError(f"{store.path}: none of the trials to test on has a {data['label']}")
    groups, labels = group_numbers(store, data["group"])[rows], true_labels(classifier, store, rows)
    contracts = {name: network.contract for name, network in classifier.networks().items()}
    covers = {name: RandomViews(contracts[name], OCCLUSION) for name in occlude}
    images = {
        name: SampleImages(find_samples(store, c.streams, c.phase, c.reference, rows), c.size, None)
        for name, c in contracts.items()
    }
    check_paired(images)
    classifier.eval()
    pairs = PairedImages(images, rows, groups, labels)
    chosen = pairs.middle(np.arange(len(rows)))
    parts = [
        _probabilities(classifier, pairs.__getitems__(some), covers, seed)
        for some in np.array_split(chosen, -(-len(rows) // batch_size))
    ]
    return Predictions(classifier.classes, rows, groups, labels, np.concatenate(parts))


def unseen_rows(classifier: Classifier, store: Store, split: Path | None) -> Index:
    """Rows [n] that the classifier was not trained on: the test side of its split, or all of another store.

    `data.where` of the training selects among them.

    Raises:
        SplitError: the classifier was, or may have been, trained on some of them, or none is left.
    """
    data = classifier.meta["data"]
    same = store.fingerprint == data["fingerprint"]
    if split is None:
        if same:
            raise SplitError(f"{store.path} is the store that this classifier was trained on; give its split")
        rows = np.arange(len(store))
    elif not same:
        raise SplitError(
            f"{store.path} is not the store that this classifier was trained on; leave the split out, and "
            "all of its trials are classified"
        )
    else:
        found = Split.load(split, store)
        if found.hash != data["split_hash"]:
            known = data["split_hash"][:12] or "none: it was trained on every trial"
            raise SplitError(
                f"{split} (hash {found.hash[:12]}) is not the split that this classifier was trained with "
                f"({known}); its training trials may be among the test trials of {split}"
            )
        rows = found.indices(store, data["fold"])[1]
    if data["where"]:
        where = [(column, value) for column, values in data["where"].items() for value in values]
        rows = np.intersect1d(rows, matching(store, where))
    if not len(rows):
        raise SplitError(f"{store.path}: no trial to test on is left by {data['where']}")
    return rows.astype(np.int64)


def true_labels(classifier: Classifier, store: Store, rows: Index) -> Index:
    """Class index [n] of each trial's label, by name; `UNLABELLED` where it was not recorded.

    Raises:
        ContractError: a trial's class is unknown to the classifier.
    """
    column = classifier.meta["data"]["label"]
    codes, values = class_labels(store, column)
    names = [str(value) for value in values.tolist()]
    place = {name: number for number, name in enumerate(classifier.classes)}
    strange = sorted({names[code] for code in codes[rows] if code != UNLABELLED} - set(place))
    if strange:
        raise ContractError(
            f"{column} of {store.path} holds {', '.join(strange)}; the classes of this classifier are "
            f"{', '.join(classifier.classes)}"
        )
    # The last place answers for `UNLABELLED`, -1.
    return np.array([*(place.get(name, UNLABELLED) for name in names), UNLABELLED], np.int64)[codes[rows]]


def accuracy(tested: Predictions, chosen: npt.NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Accuracy over all or the `chosen` trials, with Wilson's interval and the numbers of trials and poses.

    All trials of a pose count as one unit: exact where they are classified right or wrong together,
    conservative otherwise. The interval does not cover the variation between training seeds.
    """
    some = np.ones(len(tested.rows), np.bool_) if chosen is None else chosen
    if not some.any():
        return {"value": None, "low": None, "high": None, "trials": 0, "poses": 0}
    share, poses = float(tested.right[some].mean()), len(np.unique(tested.groups[some]))
    low, high = wilson(share, poses)
    return {"value": share, "low": low, "high": high, "trials": int(some.sum()), "poses": poses}


@torch.no_grad()
def _probabilities(
    classifier: Classifier, batch: Batch, covers: Mapping[str, RandomViews], seed: int
) -> npt.NDArray[np.float32]:
    device = classifier.linear.weight.device
    placed = {name: value.to(device) for name, value in batch.items()}
    inputs = classifier.prepared(placed)
    for name, cover in covers.items():
        image, reference = recorded(placed, cover.contract)
        for place, row in enumerate(batch["row"].tolist()):
            one = slice(place, place + 1)
            generator = step_generator(seed, row, zlib.crc32(name.encode()))
            below = None if reference is None else reference[one]
            (inputs[name][one],) = cover(image[one], below, generator)
    probabilities: Tensor = classifier(inputs).float().softmax(dim=1)
    return probabilities.cpu().numpy()
