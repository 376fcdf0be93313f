"""State–action pairs of a store as they were recorded, and what of a store may be given to a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from visuotactile.datasets.datamodule import square
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, DataError
from visuotactile.grasp.predictor.network import CYLINDER, POSE
from visuotactile.grasp.predictor.phases import check_phase

Batch = dict[str, Tensor]
Index = npt.NDArray[np.int64]

UNLABELLED = -1.0
"""An outcome that was not recorded: a store has no NaN. The loss and every measure leave it out."""

READ_AT_ONCE = 256


class GraspExamples(Dataset[Batch]):
    """Rows of a store, a whole batch at a time.

    A batch has images uint8 [B, S, S, 3] under STREAM/PHASE; `pose` float32 [B, 5]; `action` float32 [B, A];
    `outcome` float32 [B, O], 1, 0, or `UNLABELLED`; `row` int64 [B], which rows of the store they are.
    """

    def __init__(
        self,
        store: Store,
        rows: Index,
        images: Mapping[str, int],
        outcomes: Sequence[str],
        actions: Sequence[str],
        resident: torch.device | None,
        cylinder: bool = False,
    ) -> None:
        """
        Args:
            store: where the examples lie.
            rows: [N], which of them.
            images: STREAM/PHASE → side, in pixels, of the square that it is resized to.
            outcomes, actions: names of the columns.
            resident: the device whose memory keeps the images, or None to read each batch from disk.
            cylinder: whether a batch has `cylinder` float32 [B, 4] too.

        Raises:
            ContractError: an image lies after the action, or an outcome is hidden truth.
            DataError: an outcome is neither 1 nor 0 nor `UNLABELLED`.
        """
        self.store, self.rows, self.sides = store, rows, dict(images)
        for name in images:
            check_phase(name.rpartition("/")[2])
        self.table = {
            **vectors(store, rows, cylinder=cylinder),
            "action": columns(store, "action", actions, rows),
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
    """Images STREAM/PHASE of some rows as they were recorded: uint8 [n, H, W, 3].

    Raises:
        ContractError: the phase lies after the action.
        DataError: they are not single RGB images.
    """
    stream, _, phase = name.rpartition("/")
    check_phase(phase)
    images: npt.NDArray[np.uint8] = store.read(stream, phase, rows)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise DataError(
            f"{name} of {store.path} is {images.dtype} {images.shape[1:]}; "
            "expected RGB images, uint8 [H, W, 3]"
        )
    return images


def vectors(store: Store, rows: Index, *, cylinder: bool) -> Batch:
    """What a predictor is given beside images: `pose` float32 [n, 5] and, if wanted, `cylinder` [n, 4]."""
    pose = [columns(store, "pose", POSE[:-1], rows), columns(store, "force", POSE[-1:], rows)]
    found = {"pose": torch.cat(pose, 1)}
    if cylinder:
        found["cylinder"] = columns(store, "cylinder", CYLINDER, rows)
    return found


def columns(store: Store, group: str, names: Sequence[str], rows: Index) -> Tensor:
    """Columns GROUP/NAME of some rows side by side, float32 [n, names]."""
    values = [np.asarray(store.column(f"{group}/{name}"), np.float32)[rows] for name in names]
    return torch.from_numpy(np.stack(values, axis=1))


def known_outcome(store: Store, name: str) -> npt.NDArray[np.float64]:
    """An outcome of every trial [trials], NaN where it was not recorded; raises as `outcome_columns` does."""
    values = outcome_columns(store, [name], np.arange(len(store)))[:, 0].double().numpy()
    return np.where(values == UNLABELLED, np.nan, values)


def outcome_columns(store: Store, names: Sequence[str], rows: Index) -> Tensor:
    """Outcomes of some rows, float32 [n, O]: 1, 0 or `UNLABELLED`; any other number raises `DataError`."""
    for name in names:
        if name.startswith("hidden/"):
            raise ContractError(f"{name} is hidden truth of the simulator; choose a recorded outcome")
    values = columns(store, "outcome", names, rows)
    wrong = ~torch.isin(values, torch.tensor([0.0, 1.0, UNLABELLED]))
    if wrong.any():
        row, column = wrong.nonzero()[0].tolist()
        raise DataError(
            f"outcome {names[column]} of {store.names[rows[row]]} in {store.path} is "
            f"{values[row, column]:g}; expected 1, 0, or -1 where it was not recorded"
        )
    return values
