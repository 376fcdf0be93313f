"""What a predictor says of recorded examples, and how far it can be believed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from visuotactile.datasets.store import Store
from visuotactile.grasp.predictor.examples import Index, columns, outcome_columns, read_images, vectors
from visuotactile.grasp.predictor.network import Predictor

BATCH = 64


@torch.no_grad()
def predict(
    predictor: Predictor, store: Store, rows: Index, batch_size: int = BATCH
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits, before calibration, and outcomes of some rows of a store: both [n, O]; −1 where unknown.

    It runs on the device where the predictor lies, in evaluation mode whatever the mode it is in.

    Raises:
        StoreError: the store lacks an image, a column or an outcome that the predictor was trained with.
        ContractError: an image cannot be what it looks at.
    """
    device = predictor.slope.device
    names = sorted({image for network in predictor.networks().values() for image in network.keys})
    where = vectors(store, rows, cylinder=predictor.cylinder)
    actions = columns(store, "action", predictor.action_space.names, rows)
    training = predictor.training
    predictor.eval()
    logits = np.empty((len(rows), len(predictor.outcomes)), np.float32)
    try:
        for start in range(0, len(rows), batch_size):
            some = slice(start, start + batch_size)
            observation = {
                name: torch.from_numpy(read_images(store, name, rows[some])).to(device) for name in names
            }
            observation |= {name: values[some].to(device) for name, values in where.items()}
            state = predictor.encode(observation)
            said = predictor.logits(state, actions[some, None].to(device))
            logits[some] = said[:, 0].float().cpu().numpy()
    finally:
        predictor.train(training)
    return logits, outcome_columns(store, predictor.outcomes, rows).numpy()
