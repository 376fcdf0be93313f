"""A branch of a model: the description of its input, and its network.

Batches and observations name each recording STREAM/PHASE, such as `tactile_left/during`: images uint8
[B, H, W, 3] (RGB), clips uint8 [B, T, H, W, 3], sound int16 [B, samples, channels]. `datasets.source`
explains keys that several streams share.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from visuotactile.datasets.resize import base_size
from visuotactile.datasets.source import shared
from visuotactile.encoders.backbone import Pretrained, create_backbone
from visuotactile.encoders.contract import InputContract, crop, prepare
from visuotactile.encoders.frozen import encoder_contract, load_encoder
from visuotactile.errors import ContractError, EncoderError

Drawn = dict[str, Tensor]
"""Random parameters of one view of each sample."""


class Augmentation(ABC):
    """Base class of the augmentations in `views`.

    Attributes:
        kinds: kinds of input that it suits.
    """

    kinds: ClassVar[tuple[str, ...]] = ("image",)

    def side(self, contract: InputContract) -> int:
        """Side to which images are resized on reading, so that they are not resampled twice."""
        return contract.size

    def check(self, contract: InputContract) -> None:  # noqa: B027  most suit every contract
        """Raise `ContractError` where the augmentation does not suit the contract."""

    @abstractmethod
    def draw(
        self, contract: InputContract, count: int, shape: tuple[int, int], generator: torch.Generator
    ) -> Drawn:
        """Parameters of one view of `count` images of `shape` (H, W), each `[count, …]` on the CPU."""

    @abstractmethod
    def views(
        self,
        contract: InputContract,
        images: Tensor,
        references: Tensor | None,
        drawn: Sequence[Drawn],
    ) -> list[Tensor]:
        """Normalised views float32 `[B, 3, size, size]` of uint8 `[B, H, W, 3]`, one for each of `drawn`."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Input and network of one branch of a model.

    The network is either trained with the rest of the model, from `contract` and `backbone`, or read from an
    encoder folder, which determines both. All streams share its weights.

    Attributes:
        contract: streams, phase, reference, size and normalisation of the input.
        backbone: timm's name of the architecture.
        pretrained: start from timm's weights (downloaded once), or from "imagenet" (an extra; no network).
        encoder: encoder folder made by `visuotactile export`; its network is frozen, and its contract holds.
        streams: streams to apply the encoder to; by default those of its contract.
        fine_tune: train the encoder's network with the rest of the model, starting from its weights.
        augmentation: augmentation of training views. None stands for the model's default: the contrastive
            recipe when an encoder is pretrained on one sense, none otherwise.

    Raises:
        ContractError: neither or both of `contract` and `encoder` are given, or a setting needs the other.
    """

    contract: InputContract | None = None
    backbone: str = "resnet50"
    pretrained: Pretrained = False
    encoder: Path | None = None
    streams: tuple[str, ...] = ()
    fine_tune: bool = False
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        object.__setattr__(self, "streams", tuple(self.streams))
        if (self.contract is None) == (self.encoder is None):
            raise ContractError(
                "a branch is trained (give its contract) or read from an encoder folder (give encoder); "
                f"found contract={self.contract}, encoder={self.encoder}"
            )
        if self.contract is not None and (self.streams or self.fine_tune):
            raise ContractError("streams and fine_tune go with an encoder; a contract names its streams")

    def input(self) -> InputContract:
        """Input of the network: the contract, or that of the encoder folder."""
        if self.contract is not None:
            return self.contract
        assert self.encoder is not None
        contract = encoder_contract(self.encoder)
        return dataclasses.replace(contract, streams=self.streams or contract.streams)

    def build(self, *, crop: bool = False) -> BranchNetwork:
        """The network, with random weights, timm's, or the encoder's.

        Args:
            crop: crop the images of a trained network; see `BranchNetwork.look`.
        """
        if self.encoder is not None:
            found = load_encoder(self.encoder)
            return BranchNetwork(
                found.backbone,
                found.architecture,
                found.width,
                dataclasses.replace(found.contract, streams=self.streams or found.contract.streams),
                frozen=not self.fine_tune,
                crop=crop and self.fine_tune,
                origin={"hash": found.hash, "contract": found.contract.to_dict(), "meta": found.meta},
            )
        assert self.contract is not None
        backbone, width = create_backbone(self.backbone, self.pretrained, self.contract.input_shape)
        return BranchNetwork(backbone, self.backbone, width, self.contract, crop=crop)

    def build_trained(self) -> BranchNetwork:
        """The network to be pretrained, with random weights or timm's.

        Raises:
            EncoderError: the branch names an encoder folder.
        """
        if self.encoder is not None:
            raise EncoderError(
                f"pretraining starts from random weights or timm's, found encoder={self.encoder}; give the "
                "branch a contract and a backbone"
            )
        return self.build()


class BranchNetwork(nn.Module):
    """The network of a branch, with its input contract.

    Attributes:
        backbone: maps prepared inputs to pooled features.
        architecture: timm's name of the backbone.
        width: D, the number of features of one input.
        contract: input of the network.
        frozen: the network is not trained; its batch norm stays in evaluation mode.
        crop: `look` crops its images.
        origin: hash, contract and meta of the encoder folder it was read from, or None.
    """

    def __init__(
        self,
        backbone: nn.Module,
        architecture: str,
        width: int,
        contract: InputContract,
        *,
        frozen: bool = False,
        crop: bool = False,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.architecture, self.width, self.contract = architecture, width, contract
        self.frozen, self.crop = frozen, crop and contract.kind != "sound"
        self.origin = None if origin is None else dict(origin)
        self.side = base_size(contract.size) if self.crop else contract.size
        self._whole = dataclasses.replace(contract, size=self.side)
        # Features of frozen encoders vary in scale: bring them to that of the trained branches.
        self.scale = nn.LayerNorm(width, elementwise_affine=False) if frozen else nn.Identity()
        self.train()

    @classmethod
    def from_description(cls, values: Mapping[str, Any]) -> Self:
        """The network of a `description()`, with random weights."""
        contract = InputContract.from_dict(values["contract"])
        backbone, width = create_backbone(values["architecture"], shape=contract.input_shape)
        settings = {name: values[name] for name in ("frozen", "crop", "origin")}
        return cls(backbone, values["architecture"], width, contract, **settings)

    def rename_streams(self, streams: Sequence[str]) -> None:
        """Look at streams of other names from now on."""
        self.contract = dataclasses.replace(self.contract, streams=tuple(streams))
        self._whole = dataclasses.replace(self._whole, streams=tuple(streams))

    def description(self) -> dict[str, Any]:
        """All but the weights, as plain JSON values."""
        return {
            "architecture": self.architecture,
            "contract": self.contract.to_dict(),
            "frozen": self.frozen,
            "crop": self.crop,
            "origin": self.origin,
        }

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, width] of prepared inputs float32 [B, C, H, W]; of clips [B, T, C, H, W], [B, T,
        width]."""
        features: Tensor = self.scale(self.backbone(x.flatten(0, -4)))
        return features.unflatten(0, x.shape[:-3])

    def tokens(self, x: Tensor) -> Tensor:
        """The last feature map [B, N, C]: positions of a ResNet row by row, patches of a ViT."""
        seen: Tensor = self.backbone.forward_features(x)  # type: ignore[operator]
        if seen.ndim == 3:
            return seen[:, getattr(self.backbone, "num_prefix_tokens", 0) :]
        if getattr(self.backbone, "output_fmt", "NCHW") == "NHWC":
            return seen.flatten(1, 2)
        return seen.flatten(2).transpose(1, 2)

    @torch.no_grad()
    def tokens_shape(self) -> tuple[int, int]:
        """(N, C) of `tokens`."""
        training = self.training
        self.eval()
        found = self.tokens(torch.zeros(1, *self.contract.input_shape))
        self.train(training)
        return found.shape[1], found.shape[2]

    @property
    def keys(self) -> tuple[str, ...]:
        """STREAM/PHASE of every recording that `look` takes."""
        return self.contract.keys

    @property
    def look_width(self) -> int:
        """Features of one observation: `width` for each stream and each frame of a clip."""
        return self.width * len(self.contract.streams) * max(1, self.contract.frames)

    def look(self, observation: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """Concatenated features [B, look_width] of the streams and frames of an observation.

        With `crop`, a square is cropped from the image resized to `side`, 224 of 256 as in the paper: at
        random where a generator is given, else the centre. A reference is cropped like its image.

        Args:
            observation: recordings under STREAM/PHASE, as `prepare` takes them.
            generator: CPU generator of random crops, in training.

        Raises:
            ContractError: a recording is missing, or does not fit the contract.
        """
        size = self.contract.size
        inputs = []
        for stream in self.contract.streams:
            x = prepare(self._whole, *recorded(observation, self.contract, stream))
            inputs.append(_random_or_middle(x, size, generator) if self.crop else x)
        # In one pass, so that batch norm sees all streams at once.
        features = self(torch.cat(inputs))
        return features.unflatten(0, (len(inputs), -1)).transpose(0, 1).flatten(1)


def recorded(
    observation: Mapping[str, Tensor], contract: InputContract, stream: str | None = None
) -> tuple[Tensor, Tensor | None]:
    """Image and reference (None without one) of a stream under a contract.

    Args:
        observation: recordings under STREAM/PHASE.
        contract: streams, phase and reference.
        stream: one of the contract's; None for a batch whose samples each show one of them, or for the first
            that was recorded.

    Raises:
        ContractError: the observation lacks one of them.
    """
    names = [stream] if stream else [*contract.streams, shared(contract.streams)]
    name = next((each for each in names if f"{each}/{contract.phase}" in observation), names[0])
    found = []
    for phase in (contract.phase, contract.reference):
        if phase is not None and f"{name}/{phase}" not in observation:
            raise ContractError(
                f"the observation lacks {name}/{phase}, which this network looks at; it has "
                f"{', '.join(sorted(observation)) or 'nothing'}"
            )
        found.append(None if phase is None else observation[f"{name}/{phase}"])
    image, reference = found
    assert image is not None
    return image, reference


def _random_or_middle(images: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    """A square [B, C, size, size] of each image [B, C, H, W]; of a clip [B, T, C, H, W] the same of each
    frame."""
    rooms = [side - size for side in images.shape[-2:]]
    if generator is None:
        top, left = (room // 2 for room in rooms)
        return images[..., top : top + size, left : left + size]
    tops, lefts = (
        torch.randint(room + 1, (len(images), 1), generator=generator).squeeze(1).to(images.device)
        for room in rooms
    )
    frames = 1 if images.ndim == 4 else images.shape[1]
    cut = crop(images.flatten(0, -4), tops.repeat_interleave(frames), lefts.repeat_interleave(frames), size)
    return cut.unflatten(0, images.shape[:-3])
