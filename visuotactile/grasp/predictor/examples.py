"""State–action pairs of a store, and a predictor's logits on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from visuotactile.datasets.embodiment import Embodiment, Vector
from visuotactile.datasets.resize import square
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, DataError
from visuotactile.grasp.embodiments import check_embodiment
from visuotactile.grasp.predictor.network import Predictor, check_input

Batch = dict[str, Tensor]
Index = npt.NDArray[np.int64]

UNLABELLED = -1.0
"""Value of an outcome that was not recorded; loss and metrics ignore it."""

READ_AT_ONCE = 256
BATCH = 64


def store_embodiment(store: Store) -> Embodiment:
    """The embodiment of a store; raises `DataError` if it has none, or one without actions."""
    if store.embodiment is None:
        raise DataError(
            f"{store.path} declares no embodiment, so the bounds of its actions are unknown; "
            "collect or convert it again, a folder of your own with an embodiment.json (docs/data.md)"
        )
    if not store.embodiment.action:
        raise DataError(
            f"{store.path} is of {store.embodiment.name}, which declares no action; a predictor needs grasps "
            "whose actions were recorded"
        )
    return store.embodiment


class GraspExamples(Dataset[Batch]):
    """Rows of a store, a whole batch at a time.

    A batch has images uint8 [B, S, S, 3] under STREAM/PHASE; each vector of the store's embodiment float32
    [B, entries] by name; `action` float32 [B, A]; `outcome` float32 [B, O], 1, 0, or `UNLABELLED`; `row`
    int64 [B], the examples' rows in the store.
    """

    def __init__(
        self,
        store: Store,
        rows: Index,
        images: Mapping[str, int],
        outcomes: Sequence[str],
        resident: torch.device | None,
    ) -> None:
        """
        Args:
            store: source of the examples.
            rows: [N], rows of the examples.
            images: STREAM/PHASE → side in pixels to which the image is resized.
            outcomes: names of the outcomes.
            resident: device that holds the images, or None to read each batch from disk.

        Raises:
            ContractError: an image is recorded after the action, or an outcome is hidden truth.
            DataError: an outcome is neither 1 nor 0 nor `UNLABELLED`.
        """
        self.store, self.rows, self.sides = store, rows, dict(images)
        embodiment = store_embodiment(store)
        for name in images:
            check_input(name, embodiment)
        self.table = {
            **vectors(store, embodiment.vectors, rows),
            "action": actions(store, embodiment, rows),
            "outcome": outcome_columns(store, outcomes, rows),
            "row": torch.from_numpy(rows),
        }
        self.images: Batch | None = None
        if resident is not None:
            self.images = {name: self._load(name, resident) for name in images}

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.rows)

    def __getitems__(self, places: Index) -> Batch:
        """The batch of the examples at `places` [B]."""
        chosen = torch.from_numpy(np.asarray(places, np.int64))
        batch = {name: values[chosen] for name, values in self.table.items()}
        if self.images is None:
            rows = self.rows[chosen.numpy()]
            return batch | {
                name: read_square(self.store, name, rows, side) for name, side in self.sides.items()
            }
        return batch | {name: images[chosen.to(images.device)] for name, images in self.images.items()}

    def _load(self, name: str, device: torch.device) -> Tensor:
        side = self.sides[name]
        images = torch.empty((len(self), side, side, 3), dtype=torch.uint8, device=device)
        for start in range(0, len(self), READ_AT_ONCE):
            rows = self.rows[start : start + READ_AT_ONCE]
            images[start : start + len(rows)] = read_square(self.store, name, rows, side)
        return images


def read_square(store: Store, name: str, rows: Index, side: int) -> Tensor:
    """Images STREAM/PHASE of some rows, resized: uint8 [n, side, side, 3]."""
    return square(read_images(store, name, rows), side)


def read_images(store: Store, name: str, rows: Index) -> npt.NDArray[np.uint8]:
    """Recorded images STREAM/PHASE of some rows: uint8 [n, H, W, 3].

    Raises:
        ContractError: the phase is after the action.
        DataError: they are not single RGB images.
    """
    check_input(name, store_embodiment(store))
    stream, _, phase = name.rpartition("/")
    images: npt.NDArray[np.uint8] = store.read(stream, phase, rows)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise DataError(
            f"{name} of {store.path} is {images.dtype} {images.shape[1:]}; "
            "expected RGB images, uint8 [H, W, 3]"
        )
    return images


def vectors(store: Store, wanted: Iterable[Vector], rows: Index) -> Batch:
    """Vectors of some rows by name, float32 [n, entries]."""
    return {vector.name: columns(store, vector.name, vector.names, rows) for vector in wanted}


def actions(store: Store, embodiment: Embodiment, rows: Index) -> Tensor:
    """Actions of some rows, float32 [n, A] in the order of the embodiment."""
    return columns(store, "action", [each.name for each in embodiment.action], rows)


def columns(store: Store, group: str, names: Sequence[str], rows: Index) -> Tensor:
    """Columns GROUP/NAME of some rows side by side, float32 [n, names].

    Raises:
        DataError: a row has no number there.
    """
    found = _columns(store, group, names, rows)
    if found.isnan().any():
        row, column = found.isnan().nonzero()[0].tolist()
        raise DataError(
            f"{group}/{names[column]} of {store.names[rows[row]]} in {store.path} was not recorded; a "
            "predictor needs it of every trial: convert those that have it to a store of their own"
        )
    return found


def _columns(store: Store, group: str, names: Sequence[str], rows: Index) -> Tensor:
    found = [store.recorded(f"{group}/{name}")[rows] for name in names]
    for name, values in zip(names, found, strict=True):
        if values.dtype.kind == "U":
            raise DataError(f"{group}/{name} of {store.path} is in words; a predictor takes numbers")
    return torch.from_numpy(np.stack([np.asarray(values, np.float32) for values in found], axis=1))


def known_outcome(store: Store, name: str) -> npt.NDArray[np.float64]:
    """An outcome of every trial [trials], NaN if not recorded; raises the errors of `outcome_columns`."""
    values = outcome_columns(store, [name], np.arange(len(store)))[:, 0].double().numpy()
    return np.where(values == UNLABELLED, np.nan, values)


def outcome_columns(store: Store, names: Sequence[str], rows: Index) -> Tensor:
    """Outcomes of some rows, float32 [n, O]: 1, 0 or `UNLABELLED`; any other number raises `DataError`."""
    for name in names:
        if name.startswith("hidden/"):
            raise ContractError(f"{name} is hidden truth of the simulator; choose a recorded outcome")
    values = _columns(store, "outcome", names, rows).nan_to_num(UNLABELLED)
    wrong = ~torch.isin(values, torch.tensor([0.0, 1.0, UNLABELLED]))
    if wrong.any():
        row, column = wrong.nonzero()[0].tolist()
        raise DataError(
            f"outcome {names[column]} of {store.names[rows[row]]} in {store.path} is "
            f"{values[row, column]:g}; expected 1, 0, or -1 or nothing where it was not recorded"
        )
    return values


@torch.no_grad()
def predict(
    predictor: Predictor, store: Store, rows: Index, batch_size: int = BATCH
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits, before calibration, and outcomes of some rows of a store: both [n, O]; −1 where unknown.

    It runs on the predictor's device, always in evaluation mode.

    Raises:
        PlanError: the store's embodiment lacks an input or a dimension of the predictor, or has another unit.
        StoreError: the store lacks an outcome.
        ContractError: an image does not fit the predictor.
    """
    check_embodiment(
        predictor.embodiment, store_embodiment(store), predictor.inputs, "the predictor", str(store.path)
    )
    device = predictor.slope.device
    where = vectors(store, predictor.observed, rows)
    tried = actions(store, predictor.embodiment, rows)
    training = predictor.training
    predictor.eval()
    logits = np.empty((len(rows), len(predictor.outcomes)), np.float32)
    try:
        for start in range(0, len(rows), batch_size):
            some = slice(start, start + batch_size)
            observation = {
                name: torch.from_numpy(read_images(store, name, rows[some])).to(device)
                for name in predictor.images
            }
            observation |= {name: values[some].to(device) for name, values in where.items()}
            state = predictor.encode(observation)
            found = predictor.logits(state, tried[some, None].to(device))
            logits[some] = found[:, 0].float().cpu().numpy()
    finally:
        predictor.train(training)
    return logits, outcome_columns(store, predictor.outcomes, rows).numpy()
