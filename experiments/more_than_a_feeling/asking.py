"""A predictor of the experiment: trained, and asked about objects that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.files import atomic_path
from visuotactile.grasp.predictor.examples import predict
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint
from visuotactile.training.fit import LAST
from visuotactile.training.runs import Run, fit


@dataclass(frozen=True)
class Part:
    """One predictor to train, and its examples.

    Attributes:
        run: its training.
        store: of the training examples.
        split: only the training side of `fold` is learnt from, and the test side is predicted; or None.
        fold: of the split.
        tested: whether the test side is predicted; tuning never asks.
    """

    run: Run
    store: Path
    split: Path | None = None
    fold: int = 0
    tested: bool = True

    @property
    def predictor(self) -> Path:
        """Folder of the calibrated predictor."""
        return self.run.exported

    @property
    def answers(self) -> Path:
        """File of what it said of the test side."""
        return self.run.folder / "tested.npz"


@dataclass(frozen=True)
class Said:
    """What a network said of examples.

    Attributes:
        rows: [n] in the store.
        logits: [n] of success, before calibration.
        labels: [n] 0 or 1.
    """

    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    def save(self, file: Path) -> None:
        """Keep it in `file`."""
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, rows=self.rows, logits=self.logits, labels=self.labels)

    @classmethod
    def load(cls, file: Path) -> Said:
        """What `save` kept."""
        with np.load(file) as found:
            return cls(found["rows"], found["logits"], found["labels"])


def fit_and_ask(part: Part, threads: int = 1) -> None:
    """Train and export the predictor and ask it about its test side, where that is not done yet."""
    fit(part.run, threads)
    if not part.tested or part.split is None or part.answers.exists():
        return
    store = Store(part.store)
    rows = Split.load(part.split, store).indices(store, part.fold)[1].astype(np.int64)
    logits, labels = predict(load_predictor(part.predictor), store, rows)
    Said(rows, logits[:, 0].astype(np.float64), labels[:, 0].astype(np.int64)).save(part.answers)


def tested(part: Part) -> Said:
    """What the finished part said of its test objects, in the store's order."""
    return Said.load(part.answers)


def held_out(part: Part) -> Said:
    """What the finished part said of the training objects that were held out of its training."""
    said = read_checkpoint(part.run.folder / LAST)[CHECKPOINT_KEY]["validated"]
    store = Store(part.store)
    rows = np.arange(len(store))
    if part.split is not None:
        rows = Split.load(part.split, store).indices(store, part.fold)[0]
    rows = rows[np.isin(store.objects[rows], held_out_objects(part))].astype(np.int64)
    return Said(
        rows, said["logits"][:, 0].numpy().astype(np.float64), said["outcomes"][:, 0].numpy().astype(np.int64)
    )


def held_out_objects(part: Part) -> list[str]:
    """Names of the training objects that the finished part never learnt from: they calibrate it."""
    names: list[str] = load_predictor(part.predictor).meta["data"]["held_out_objects"]
    return names
