"""Training of the experiment's predictors, and their predictions on unseen objects."""

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
from visuotactile.training.folder import LAST
from visuotactile.training.runs import Run, fit


@dataclass(frozen=True)
class Part:
    """One predictor to train, and its examples.

    Attributes:
        run: training run.
        store: store of the training examples.
        split: split whose training side of `fold` is trained on, and whose test side is predicted; or None.
        fold: fold of the split.
        tested: predict the test side; False for tuning.
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
        """File of the predictions on the test side."""
        return self.run.folder / "tested.npz"


@dataclass(frozen=True)
class Predicted:
    """Predictions of a network.

    Attributes:
        rows: [n] rows of the store.
        logits: [n] logit of success, before calibration.
        labels: [n] 0 or 1.
    """

    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    def save(self, file: Path) -> None:
        """Write the predictions to `file`."""
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, rows=self.rows, logits=self.logits, labels=self.labels)

    @classmethod
    def load(cls, file: Path) -> Predicted:
        """Read predictions written by `save`."""
        with np.load(file) as found:
            return cls(found["rows"], found["logits"], found["labels"])


def fit_and_test(part: Part, threads: int = 1) -> None:
    """Train, export and test the predictor, unless that is done."""
    fit(part.run, threads)
    if not part.tested or part.split is None or part.answers.exists():
        return
    store = Store(part.store)
    rows = Split.load(part.split, store).indices(store, part.fold)[1].astype(np.int64)
    logits, labels = predict(load_predictor(part.predictor), store, rows)
    Predicted(rows, logits[:, 0].astype(np.float64), labels[:, 0].astype(np.int64)).save(part.answers)


def tested(part: Part) -> Predicted:
    """Predictions of a finished part on its test objects, in the store's order."""
    return Predicted.load(part.answers)


def held_out(part: Part) -> Predicted:
    """Predictions of a finished part on the training objects that were held out of its training."""
    validated = read_checkpoint(part.run.folder / LAST)[CHECKPOINT_KEY]["validated"]
    store = Store(part.store)
    rows = np.arange(len(store))
    if part.split is not None:
        rows = Split.load(part.split, store).indices(store, part.fold)[0]
    rows = rows[np.isin(store.objects[rows], held_out_objects(part))].astype(np.int64)
    return Predicted(
        rows,
        validated["logits"][:, 0].numpy().astype(np.float64),
        validated["outcomes"][:, 0].numpy().astype(np.int64),
    )


def held_out_objects(part: Part) -> list[str]:
    """Names of the training objects held out of a finished part's training, which calibrate it."""
    names: list[str] = load_predictor(part.predictor).meta["data"]["held_out_objects"]
    return names
