"""A network over a clip, trained end to end: an encoder of each frame, and a sequence head.

The design of Yuan, Zhu, Owens, Srinivasan and Adelson 2017, "Shape-independent hardness estimation using deep
learning and a GelSight tactile sensor": a convolutional network on each of 5 frames, and an LSTM over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from visuotactile.datasets.clips import Clips, chosen_frames, contact_growth
from visuotactile.datasets.resize import square
from visuotactile.datasets.source import shared
from visuotactile.encoders.branch import BranchNetwork
from visuotactile.errors import ContractError
from visuotactile.estimation.estimator import Estimator, Floats, Known, Measured
from visuotactile.estimation.heads import Join, SequenceHead
from visuotactile.progress import track

AT_ONCE = 32
"""Clips of a pass."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Sequence head over the frames' features.

    Attributes:
        join: mean, gru, lstm or attention; see `heads.SequenceHead`.
        hidden: width of the sequence.
        dropout: share of the joined features left out in training.
    """

    join: Join = "lstm"
    hidden: int = 64
    dropout: float = 0.1


class ClipNetwork(nn.Module):
    """Number and expected deviation from recorded clips.

    Args:
        branch: encoder of frames, with a contract of clips of one stream.
        head: sequence head.
        radius: the sample's radius is a further input.

    Attributes:
        scale: mean and deviation of the numbers, then of the log radii, that it was trained on.

    Raises:
        ContractError: the branch does not take clips of one stream.
    """

    scale: Tensor

    def __init__(self, branch: BranchNetwork, head: Head, radius: bool = False) -> None:
        super().__init__()
        contract = branch.contract
        if contract.kind != "clip" or len(contract.streams) != 1:
            raise ContractError(
                f"the branch takes a {contract.kind} of {', '.join(contract.streams)}; expected clips of one "
                "stream: kind: clip, and frames: 5"
            )
        self.branch, self.settings, self.radius = branch, head, radius
        self.head = SequenceHead(
            branch.width, head.join, head.hidden, extra=int(radius), dropout=head.dropout
        )
        self.register_buffer("scale", torch.tensor([0.0, 1.0, 0.0, 1.0]))

    def set_scale(self, target: Floats, radius: Floats | None) -> None:
        """Standardise by the numbers [n] and radii [n] of the training."""
        found = [target.mean(), max(float(target.std()), 1e-6)]
        logs = np.zeros(2) if radius is None else np.log(radius)
        found += [logs.mean(), max(float(logs.std()), 1e-6) if radius is not None else 1.0]
        self.scale.copy_(torch.tensor(np.array(found, np.float32)))

    def forward(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Standardised number [B] and its expected deviation [B].

        Args:
            batch: clips and references under STREAM/PHASE, and `radius` [B] in metres if it is an input.
            generator: CPU generator of random crops and dropout, in training.
        """
        features = self.branch.look(batch, generator)
        features = features.unflatten(1, (self.branch.contract.frames, self.branch.width))
        extra = None
        if self.radius:
            extra = ((batch["radius"].log() - self.scale[2]) / self.scale[3])[:, None]
        number, deviation = self.head(features, extra, generator)
        return number, deviation

    def standard(self, target: Tensor) -> Tensor:
        """Standardised numbers [B]."""
        return (target - self.scale[0]) / self.scale[1]

    def description(self) -> dict[str, Any]:
        """Architecture as plain JSON values."""
        return {
            "branch": self.branch.description(),
            "head": asdict(self.settings),
            "radius": self.radius,
        }

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> ClipNetwork:
        """The network of a `description()`, with random weights."""
        branch = BranchNetwork.from_description(values["branch"])
        return cls(branch, Head(**values["head"]), bool(values["radius"]))


class EndToEnd(Estimator):
    """Estimator of a network that `visuotactile fit` trained on clips.

    `measure` gives uint8 [n, frames + 1, S, S, 3]: the chosen frames, and the reference last. Its intervals
    are calibrated on the samples held out of the training (split conformal).

    Args:
        network: `ClipNetwork`'s description.
    """

    kind: ClassVar[str] = "end to end"

    def __init__(self, network: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = ClipNetwork.from_description(network).requires_grad_(False).eval()

    def settings(self) -> dict[str, Any]:
        """See `Estimator`."""
        return {"network": self.network.description()}

    def measures(self) -> str:
        """See `Estimator`: the frames alone, whatever the weights."""
        contract = self.network.branch.contract
        return f"{self.kind} {contract.frames} {self.network.branch.side}"

    def measure(self, clips: Clips, *, show: bool = True) -> Measured:
        """See `Estimator`; 0 where a clip shows no contact, since pixels have no NaN."""
        frames, side = self.network.branch.contract.frames, self.network.branch.side
        found = np.zeros((len(clips), frames + 1, side, side, 3), np.uint8)
        for i in track(range(len(clips)), f"reading {len(clips)} clips", show=show):
            clip = clips[i]
            growth, touched = contact_growth(clip)
            if touched.any():
                chosen = clip.frames[chosen_frames(growth, touched, frames)]
                whole = np.concatenate([chosen, clip.reference[None]])
                found[i] = square(whole, side).numpy()
        return found

    def shown(self, measured: Measured) -> npt.NDArray[np.bool_]:
        """See `Estimator`."""
        return np.asarray(measured.any(axis=(1, 2, 3, 4)))

    def learn(
        self, measured: Measured, target: Floats, known: Known, units: npt.NDArray[Any], seed: int
    ) -> None:
        """Refuse: it takes a store, a schedule and checkpoints.

        Raises:
            ContractError: always.
        """
        raise ContractError(
            "a network is trained by `visuotactile fit --config hardness`, and exported as an estimator"
        )

    @torch.no_grad()
    def guess(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """See `Estimator`."""
        contract = self.network.branch.contract
        name = shared(contract.streams)
        parts = []
        for start in range(0, len(measured), AT_ONCE):
            some = torch.from_numpy(np.ascontiguousarray(measured[start : start + AT_ONCE]))
            batch = {f"{name}/{contract.phase}": some[:, :-1]}
            if contract.reference is not None:
                batch[f"{name}/{contract.reference}"] = some[:, -1]
            if known.radius is not None:
                batch["radius"] = torch.from_numpy(known.radius[start : start + AT_ONCE].astype(np.float32))
            parts.append(self.network(batch))
        number, deviation = (torch.cat(each).double().numpy() for each in zip(*parts, strict=True))
        mean, scale = self.network.scale[:2].tolist()
        return mean + scale * number, scale * deviation

    def state(self) -> dict[str, Tensor]:
        """See `Estimator`."""
        return dict(self.network.state_dict())

    def load(self, fitted: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """See `Estimator`."""
        self.network.load_state_dict(dict(state))
