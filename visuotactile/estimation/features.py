"""Frozen features of a few frames, and a regression on them: ridge, GRU or attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from visuotactile.datasets.clips import FRAMES, Clips, chosen_frames, contact_growth
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.frozen import FrozenEncoder
from visuotactile.errors import ContractError
from visuotactile.estimation.estimator import Estimator, Floats, Known, Measured
from visuotactile.estimation.heads import SequenceHead, gaussian_loss
from visuotactile.estimation.ridge import fit_ridge
from visuotactile.progress import track

Head = Literal["ridge", "gru", "attention"]

COMPONENTS = 64
"""Principal components of a frame's features that a GRU or attention sees."""
FLAT = 0.01
"""Least spread of a feature, relative to the widest one: features that hardly vary hold mostly noise."""

EPOCHS, BATCH, RATE, DECAY = 60, 32, 2e-3, 1e-2


class FrozenFeatures(Estimator):
    """Regression on a frozen encoder's features of frames chosen by contact growth.

    `measure` gives float32 [n, frames, D].

    Args:
        encoder: frozen encoder of images; its contract says what it takes, whatever the stream's name.
        head: "ridge" on the features of all frames side by side; or a "gru" or "attention" over them.
        frames: frames of each clip.
        radius: the sample's radius is a further input.

    Raises:
        ContractError: the encoder does not take images.
    """

    kind: ClassVar[str] = "frozen features"

    def __init__(
        self, encoder: FrozenEncoder, head: Head = "ridge", frames: int = FRAMES, radius: bool = False
    ) -> None:
        super().__init__()
        if encoder.contract.kind != "image":
            raise ContractError(f"the encoder takes a {encoder.contract.kind}; expected one of images")
        self.encoder, self.head, self.frames, self.radius = encoder, head, frames, radius
        self._weights: dict[str, Tensor] = {}

    def settings(self) -> dict[str, Any]:
        """See `Estimator`."""
        return {"head": self.head, "frames": self.frames, "radius": self.radius}

    def measures(self) -> str:
        """See `Estimator`: whatever the head."""
        return f"{self.kind} {self.frames} {self.encoder.hash}"

    def fresh(self) -> FrozenFeatures:
        """See `Estimator`."""
        return type(self)(self.encoder, **self.settings())

    def measure(self, clips: Clips, *, show: bool = True) -> Measured:
        """See `Estimator`."""
        found = np.full((len(clips), self.frames, self.encoder.width), np.nan, np.float32)
        for i in track(range(len(clips)), f"features of {len(clips)} clips", show=show):
            clip = clips[i]
            growth, touched = contact_growth(clip)
            if not touched.any():
                continue
            chosen = clip.frames[chosen_frames(growth, touched, self.frames)]
            references = None
            if self.encoder.contract.reference is not None:
                references = np.repeat(clip.reference[None], len(chosen), axis=0)
            found[i] = self.encoder.encode(chosen, references)
        return found

    def learn(
        self, measured: Measured, target: Floats, known: Known, units: npt.NDArray[Any], seed: int
    ) -> None:
        """See `Estimator`."""
        radius = known.radius
        if self.radius != (radius is not None):
            raise ContractError(
                f"radius={self.radius}, but the radii are {'unknown' if radius is None else 'given'}"
            )
        frames = measured.astype(np.float64)
        mean, spread = frames.mean(axis=(0, 1)), frames.std(axis=(0, 1))
        weights = {"mean": mean, "spread": np.maximum(spread, FLAT * max(float(spread.max()), 1e-12))}
        weights |= {"low": frames.min(axis=(0, 1)), "high": frames.max(axis=(0, 1))}
        weights |= {"target": np.array([target.mean(), max(float(target.std()), 1e-9)])}
        if radius is not None:
            logs = np.log(radius)
            weights["radius"] = np.array([logs.mean(), max(float(logs.std()), 1e-9)])
        self._weights = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}
        x, extra = self._inputs(measured, radius)
        y = (target - weights["target"][0]) / weights["target"][1]
        if self.head == "ridge":
            flat = _beside(x, extra)
            found, intercept = fit_ridge(flat, y, units, seed)
            error = y - flat @ found - intercept
            self._weights |= {"ridge": torch.from_numpy(found), "intercept": torch.tensor([intercept])}
            self._weights["deviation"] = torch.tensor([max(float(error.std()), 1e-6)])
            return
        _, _, axes = np.linalg.svd(x.reshape(-1, x.shape[2]) / np.sqrt(x.shape[0] * x.shape[1]), False)
        self._weights["axes"] = torch.from_numpy(axes[:COMPONENTS].T.copy())
        self._train(x, extra, y, seed)

    def guess(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """See `Estimator`."""
        x, extra = self._inputs(measured, known.radius)
        mean, scale = self._weights["target"].tolist()
        if self.head == "ridge":
            flat = _beside(x, extra)
            number = flat @ self._weights["ridge"].numpy() + float(self._weights["intercept"])
            deviation = np.full(len(number), float(self._weights["deviation"]))
        else:
            head = self._network(extra)
            head.load_state_dict(_below(self._weights))
            with torch.no_grad():
                found = head.eval()(*self._tensors(x, extra))
            number, deviation = (each.double().numpy() for each in found)
        return mean + scale * number, scale * deviation

    def state(self) -> dict[str, Tensor]:
        """See `Estimator`."""
        return dict(self._weights)

    def load(self, fitted: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """See `Estimator`."""
        self._weights = dict(state)

    def _inputs(self, measured: Measured, radius: Floats | None) -> tuple[Floats, Floats | None]:
        """Standardised features [n, T, D], within the range that was learnt from, and log radii [n, 1]."""
        within = measured.astype(np.float64).clip(self._weights["low"].numpy(), self._weights["high"].numpy())
        x = (within - self._weights["mean"].numpy()) / self._weights["spread"].numpy()
        if radius is None:
            return x, None
        mean, spread = self._weights["radius"].tolist()
        return x, ((np.log(radius) - mean) / spread)[:, None]

    def _tensors(self, x: Floats, extra: Floats | None) -> tuple[Tensor, Tensor | None]:
        reduced = torch.from_numpy(x) @ self._weights["axes"]
        scaled = reduced / reduced.new_tensor(np.sqrt(x.shape[2] / reduced.shape[2]))
        return scaled.float(), None if extra is None else torch.from_numpy(extra).float()

    def _network(self, extra: Floats | None) -> SequenceHead:
        width = self._weights["axes"].shape[1]
        join: Literal["gru", "attention"] = "gru" if self.head == "gru" else "attention"
        return SequenceHead(width, join, extra=0 if extra is None else extra.shape[1])

    def _train(self, x: Floats, extra: Floats | None, y: Floats, seed: int) -> None:
        inputs, more = self._tensors(x, extra)
        wanted = torch.from_numpy(y).float()
        generator = torch.Generator().manual_seed(seed)
        with seeded(seed):
            head = self._network(extra).train()
            optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
            steps = EPOCHS * -(-len(y) // BATCH)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
            for _ in range(EPOCHS):
                for chosen in torch.randperm(len(y)).split(BATCH):
                    number, deviation = head(
                        inputs[chosen], None if more is None else more[chosen], generator
                    )
                    loss = gaussian_loss(number, deviation, wanted[chosen])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
        self._weights |= {f"head.{name}": value for name, value in head.state_dict().items()}


def _beside(x: Floats, extra: Floats | None) -> Floats:
    """Features of all frames side by side [n, T·D], and the further numbers, which weigh as much as a
    frame."""
    flat = x.reshape(len(x), -1) / np.sqrt(x.shape[1] * x.shape[2])
    return flat if extra is None else np.concatenate([flat, extra], axis=1)


def _below(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[5:]: value for name, value in weights.items() if name.startswith("head.")}
