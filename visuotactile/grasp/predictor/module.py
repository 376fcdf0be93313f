"""Training of the predictor: binary cross-entropy over outcomes, on the paper's schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, brier_score_loss
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.resize import base_size
from visuotactile.datasets.source import Source
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch
from visuotactile.errors import DataError
from visuotactile.grasp.predictor.calibration import sigmoid
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.examples import Batch, known_outcome, read_images
from visuotactile.grasp.predictor.network import METHOD, WIDTH, Predictor
from visuotactile.grasp.predictor.reliability import calibration_error
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import ADAMW_STEPS, OptimizerConfig

ENCODE_AT_ONCE = 256


class PredictorModule(TrainingModule):
    """Predictor of grasp outcomes from sight, touch and action (more_than_a_feeling, IV-A).

    The embodiment of the store defines actions and observations, so the network is built when the run
    begins. Frozen encoders encode each uncropped image once, before the first step. The checkpoint holds the
    last validation's logits, on which an export calibrates the predictor.
    """

    method = METHOD
    predictor: Predictor

    def __init__(
        self,
        branches: dict[str, Branch],
        outcomes: Sequence[str] = (),
        vectors: Sequence[str] | None = None,
        action: bool = True,
        width: int = WIDTH,
        separate: bool = False,
        dropout: float = 0.0,
        optimizer: OptimizerConfig = ADAMW_STEPS,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branches: name → input and network.
            outcomes: predicted outcomes, columns outcome/NAME of the store; by default all that its
                embodiment declares.
            vectors: observed vectors that are inputs; by default those that are not located; see `Predictor`.
            action: False for a network without the action as input (last row of the paper's Table I).
            width: width of the action layers and the fusion layer.
            separate: an action network each for motion and hand (gentle_grasping), instead of one for both.
            dropout: share of hidden units dropped in training; 0.25 in gentle_grasping.
            optimizer: optimiser and schedule; the paper's by default.
            seed: seed of the weights and crops.
        """
        super().__init__(optimizer, seed)
        self.branches, self.outcomes, self.action, self.width = branches, tuple(outcomes), action, width
        self.separate, self.dropout = separate, dropout
        self.vectors = None if vectors is None else tuple(vectors)
        self._frozen: dict[str, Tensor] = {}
        self._held_out: list[tuple[Tensor, Tensor, Tensor]] = []
        self._validated: dict[str, Any] | None = None

    @property
    def reads(self) -> dict[str, Source]:
        """Source of each trained branch's images."""
        inputs = {
            name: branch.input()
            for name, branch in self.branches.items()
            if branch.encoder is None or branch.fine_tune
        }
        return {name: contract.source(base_size(contract.size)) for name, contract in inputs.items()}

    def check_learnable(self) -> None:
        """An outcome that is 1 in some trials and 0 in others is needed."""
        data, rows = self.data, self.data.rows["train"]
        found = {name: np.unique(known_outcome(data.store, name)[rows]) for name in data.outcomes}
        known = {name: values[~np.isnan(values)].tolist() for name, values in found.items()}
        if not any(len(values) > 1 for values in known.values()):
            listed = ", ".join(
                f"{name} is {f'always {values[0]:g}' if values else 'not recorded'}"
                for name, values in known.items()
            )
            raise DataError(
                f"no outcome varies over the {len(rows)} training examples ({listed}); expected both 0 "
                "and 1: record more grasps, or name other outcomes"
            )

    def configure_model(self) -> None:
        """Build the network for the embodiment of the store, unless it exists."""
        if not hasattr(self, "predictor"):
            self.build(self.data.embodiment)

    def build(self, embodiment: Embodiment) -> Predictor:
        """Build the network for an embodiment, with the weights of the seed."""
        with seeded(self.seed):
            self.predictor = Predictor(
                self.branches,
                embodiment,
                self.outcomes,
                self.vectors,
                action=self.action,
                width=self.width,
                separate=self.separate,
                dropout=self.dropout,
            )
        return self.predictor

    def loss(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Cross-entropy over the recorded outcomes, a scalar, and the logits [B, O]."""
        rows = batch["row"]
        features = {name: values[rows.to(values.device)] for name, values in self._frozen.items()}
        state = self.predictor.encode(batch, generator, features)
        logits = self.predictor.logits(state, batch["action"][:, None], generator)[:, 0].float()
        return masked_cross_entropy(logits, batch["outcome"]), logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss and the learning rate."""
        loss, _ = self.loss(batch, self.generator(self.batches_done, self.global_rank))
        self.log_step(loss, len(batch["outcome"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the logits of the held-out objects."""
        _, logits = self.loss(batch, None)
        self._held_out.append((logits, batch["outcome"], batch["row"]))

    def on_validation_epoch_end(self) -> None:
        """Log loss, accuracy, balanced accuracy, Brier score and calibration error of each outcome."""
        logits, outcomes, rows = (torch.cat(part).cpu() for part in zip(*self._held_out, strict=True))
        self._held_out.clear()
        self.log("val_loss", masked_cross_entropy(logits, outcomes), prog_bar=True)
        for number, name in enumerate(self.predictor.outcomes):
            seen = outcomes[:, number] >= 0
            if seen.any():
                p, y = sigmoid(logits[seen, number].numpy()), outcomes[seen, number].numpy()
                self.log(f"val_{name}_accuracy", float(np.mean((p > 0.5) == (y == 1))), prog_bar=True)
                self.log(f"val_{name}_balanced_accuracy", balanced_accuracy_score(y, p > 0.5))
                self.log(f"val_{name}_brier", brier_score_loss(y, p))
                self.log(f"val_{name}_calibration_error", calibration_error(p, y))
        if self.trainer.sanity_checking:  # of a batch or two
            return
        objects = self.data.units[rows.numpy()].tolist()
        self._validated = {
            "step": self.global_step,
            "logits": logits,
            "outcomes": outcomes,
            "objects": objects,
        }

    @property
    def validation_is_due(self) -> bool:
        """True if objects are held out and the last validation was of earlier weights."""
        fresh = self._validated is not None and self._validated["step"] == self.global_step
        return bool(len(self.data.rows["held_out"])) and not fresh

    def on_fit_start(self) -> None:
        """Compute the features of frozen encoders."""
        self._look_frozen()

    def on_validation_start(self) -> None:
        """Compute the features of frozen encoders, for a validation without a fit."""
        super().on_validation_start()
        self._look_frozen()

    @property
    def data(self) -> GraspData:
        """The run's data module."""
        return self.data_module(GraspData)

    def network_identity(self) -> dict[str, Any]:
        """Embodiment, branches, outcomes, vectors and sizes."""
        return {"network": self.predictor.description()}

    def checkpoint_entries(self) -> dict[str, Any]:
        """The training data, and the last validation's logits."""
        return {"data": self.data.description(), "validated": self._validated}

    def restore(self, entries: Mapping[str, Any]) -> None:
        """Restore the last validation."""
        self._validated = entries["validated"]

    @torch.no_grad()
    def _look_frozen(self) -> None:
        data = self.data
        frozen = {name: network for name, network in self.predictor.networks().items() if network.frozen}
        if self._frozen or not frozen:
            return
        rows = np.concatenate([data.rows["train"], data.rows["held_out"]])
        names = sorted({image for network in frozen.values() for image in network.keys})
        self._frozen = {
            name: torch.zeros(len(data.store), network.look_width, device=self.device)
            for name, network in frozen.items()
        }
        for start in range(0, len(rows), ENCODE_AT_ONCE):
            some = rows[start : start + ENCODE_AT_ONCE]
            seen = {
                name: torch.from_numpy(read_images(data.store, name, some)).to(self.device) for name in names
            }
            for name, network in frozen.items():
                self._frozen[name][torch.from_numpy(some).to(self.device)] = network.look(seen)


def masked_cross_entropy(logits: Tensor, outcomes: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the recorded of outcomes [B, O]; 0 if none was recorded."""
    recorded = outcomes >= 0
    each = F.binary_cross_entropy_with_logits(logits, outcomes.clamp_min(0), reduction="none")
    return (each * recorded).sum() / recorded.sum().clamp_min(1)
