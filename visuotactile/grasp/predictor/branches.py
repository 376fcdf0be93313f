"""What a predictor looks at: branches of images, each trained end to end or a frozen encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visuotactile.datasets.datamodule import base_size
from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder
from visuotactile.errors import ContractError

INPUT_PHASES = ("before", "during")
"""Moments that lie before the action. The first millimetres of lifting come after it."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One kind of image and the network that looks at it. Streams of one branch share its weights.

    Either a network that is trained with the rest, from `contract` and `backbone`, or a frozen `encoder`,
    which brings both.

    Attributes:
        contract: which streams, at which phase, minus which reference, how large and on what scale.
        backbone: any of timm's names.
        pretrained: start from timm's weights (needs a network).
        encoder: folder of a frozen encoder; its own contract holds.
        streams: sensors that the encoder looks at; those of its contract by default.
        fine_tune: only start from the encoder's weights, and train them with the rest.

    Raises:
        ContractError: neither or both of `contract` and `encoder`, or a phase that comes after the action.
    """

    contract: InputContract | None = None
    backbone: str = "resnet50"
    pretrained: bool = False
    encoder: Path | None = None
    streams: tuple[str, ...] = ()
    fine_tune: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        object.__setattr__(self, "streams", tuple(self.streams))
        if (self.contract is None) == (self.encoder is None):
            raise ContractError(
                "a branch is trained (give its contract) or a frozen encoder (give its folder): "
                f"found contract={self.contract}, encoder={self.encoder}"
            )
        if self.contract is not None:
            if self.streams or self.fine_tune:
                raise ContractError("streams and fine_tune go with an encoder; a contract names its streams")
            check_inputs(self.contract)

    def build(self) -> BranchNetwork:
        """The branch's network: with new weights, or the encoder's."""
        if self.encoder is not None:
            frozen = BranchNetwork.of_encoder(load_encoder(self.encoder), self.streams)
            return frozen.thawed() if self.fine_tune else frozen
        assert self.contract is not None
        backbone, width = create_backbone(self.backbone, self.pretrained, self.contract.size)
        return BranchNetwork(backbone, self.backbone, width, self.contract)


class BranchNetwork(nn.Module):
    """Images of a branch's streams to one vector, the streams' features side by side.

    Attributes:
        network: float32 [B, 3, S, S] to [B, D]; the same weights for every stream.
        architecture: timm's name of it.
        contract: what it looks at.
        width: streams × D.
        frozen: whether it is an encoder that no longer learns.
    """

    def __init__(self, network: nn.Module, architecture: str, width: int, contract: InputContract) -> None:
        super().__init__()
        check_inputs(contract)
        self.network, self.architecture, self.contract = network, architecture, contract
        self.width = width * len(contract.streams)
        self.frozen = isinstance(network, FrozenEncoder)
        # Features of a frozen encoder are of any size: they are brought to that of the others.
        self.scale = nn.LayerNorm(width, elementwise_affine=False) if self.frozen else nn.Identity()

    @classmethod
    def of_encoder(cls, encoder: FrozenEncoder, streams: Sequence[str] = ()) -> BranchNetwork:
        """A frozen encoder that looks at `streams`, by default those of its contract."""
        contract = encoder.contract
        if streams:
            contract = dataclasses.replace(contract, streams=tuple(streams))
        return cls(encoder, encoder.architecture, encoder.width, contract)

    def thawed(self) -> BranchNetwork:
        """The network of a frozen encoder, to be trained from where it is."""
        assert isinstance(self.network, FrozenEncoder)
        network = self.network.backbone.requires_grad_(True)
        return BranchNetwork(network, self.architecture, self.network.width, self.contract)

    def description(self) -> dict[str, Any]:
        """What it is, as plain JSON values: enough to build it again, the weights apart."""
        described: dict[str, Any] = {"architecture": self.architecture, "contract": self.contract.to_dict()}
        if isinstance(self.network, FrozenEncoder):
            encoder = self.network
            described["encoder"] = {
                "hash": encoder.hash,
                "contract": encoder.contract.to_dict(),
                "meta": encoder.meta,
            }
        return described

    @property
    def images(self) -> tuple[str, ...]:
        """STREAM/PHASE of every image that it looks at."""
        phases = (self.contract.phase, self.contract.reference)
        return tuple(f"{stream}/{phase}" for stream in self.contract.streams for phase in phases if phase)

    @property
    def side(self) -> int:
        """Side of the square, in pixels, that images are resized to before anything is cut out of it."""
        return self.contract.size if self.frozen else base_size(self.contract.size)

    def forward(self, observation: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """Features [B, width] of images uint8 [B, H, W, 3] under STREAM/PHASE.

        A trained network sees a square cut out of the image, 224 of 256 as in the paper or alike at other
        sizes: at random where a generator is given (which changes neither colour nor orientation), else the
        middle. A frozen encoder sees the whole image. What was cut out of one moment is cut out of its
        reference as well.
        """
        if self.frozen:
            images = [self._prepared(observation, stream) for stream in self.contract.streams]
        else:
            images = [
                crop(self._prepared(observation, stream), self.contract.size, generator)
                for stream in self.contract.streams
            ]
        count = len(images[0])
        # In one pass, so that batch norm sees all the sensors at once.
        features = self.scale(self.network(torch.cat(images)))
        return features.unflatten(0, (len(images), count)).transpose(0, 1).flatten(1)

    def _prepared(self, observation: Mapping[str, Tensor], stream: str) -> Tensor:
        contract = self.contract
        reference = None if contract.reference is None else _image(observation, stream, contract.reference)
        whole = dataclasses.replace(contract, size=self.side)
        return prepare(whole, _image(observation, stream, contract.phase), reference)


def crop(images: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    """A square [B, C, size, size] of each image [B, C, H, W]: at random, or the middle if not."""
    height, width = images.shape[-2:]
    if generator is None:
        top, left = (height - size) // 2, (width - size) // 2
        return images[..., top : top + size, left : left + size]
    count = len(images)
    tops, lefts = (
        torch.randint(room - size + 1, (count, 1), generator=generator).to(images.device)
        for room in (height, width)
    )
    along = torch.arange(size, device=images.device)
    rows, columns = (tops + along)[:, :, None], (lefts + along)[:, None, :]
    which = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2)


def check_inputs(contract: InputContract) -> None:
    """Raise `ContractError` if a predictor would see what only comes after its action."""
    for phase in (contract.phase, contract.reference):
        if phase is not None:
            check_phase(phase)


def check_phase(phase: str) -> None:
    """Raise `ContractError` if the phase comes after the action whose outcome is predicted."""
    if phase not in INPUT_PHASES:
        raise ContractError(
            f"phase {phase!r} comes after the action whose outcome is predicted; "
            f"a predictor may look at {' and '.join(INPUT_PHASES)}"
        )


def _image(observation: Mapping[str, Any], stream: str, phase: str) -> Tensor:
    name = f"{stream}/{phase}"
    if name not in observation:
        raise ContractError(
            f"the observation lacks {name}, which this predictor looks at; it has "
            f"{', '.join(sorted(observation)) or 'nothing'}"
        )
    image: Tensor = observation[name]
    return image
