"""The classifier: an encoder for each modality, what they say side by side, and a linear layer.

Figure 4 of Bronars and Sunil, "Self-supervised visuotactile representation learning for dexterous
manipulation". With one modality it is their ablation; with attention in between, their future work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import NAME, load_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.supervised.attention import Attention, CrossModalAttention
from visuotactile.views import Augmentation


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One modality: which images it consists of, and the encoder that looks at them.

    Either an encoder that is trained with the rest, from `contract` and `backbone`, or a folder that
    `visuotactile export` made, which brings both.

    Attributes:
        contract: which streams, at which phase, minus which reference, how large and on what scale.
        backbone: any of timm's names.
        pretrained: start from timm's weights (needs a network).
        encoder: folder of a frozen encoder; its own contract holds.
        fine_tune: only start from the encoder's weights, and train them with the rest.
        augmentation: how what it is trained on differs from what was recorded; None for not at all.

    Raises:
        ContractError: neither or both of `contract` and `encoder`.
    """

    contract: InputContract | None = None
    backbone: str = "resnet50"
    pretrained: bool = False
    encoder: Path | None = None
    fine_tune: bool = False
    augmentation: Augmentation | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if (self.contract is None) == (self.encoder is None):
            raise ContractError(
                "a modality's encoder is trained (give its contract) or exported before (give its folder): "
                f"found contract={self.contract}, encoder={self.encoder}"
            )
        if self.fine_tune and self.encoder is None:
            raise ContractError("fine_tune goes with encoder: the folder whose weights to start from")

    def build(self) -> BranchNetwork:
        """The encoder: with new weights, timm's, or the folder's."""
        if self.encoder is not None:
            found = load_encoder(self.encoder)
            origin = {"hash": found.hash, "meta": found.meta}
            return BranchNetwork(
                found.backbone, found.architecture, found.contract, not self.fine_tune, origin
            )
        assert self.contract is not None
        backbone, _ = create_backbone(self.backbone, self.pretrained, self.contract.size)
        return BranchNetwork(backbone, self.backbone, self.contract)


class BranchNetwork(nn.Module):
    """The encoder of one modality, which says what it sees as one vector or as tokens.

    Attributes:
        architecture: timm's name of the backbone.
        contract: what it looks at.
        frozen: whether it no longer learns, batch norm included.
        origin: hash and description of the exported encoder that it is or started from, or None.
        width: D, of the vector.
        tokens_shape: (N, C), of the tokens.
    """

    def __init__(
        self,
        backbone: nn.Module,
        architecture: str,
        contract: InputContract,
        frozen: bool = False,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.architecture, self.contract, self.frozen = architecture, contract, frozen
        self.origin = None if origin is None else dict(origin)
        self.width, self.tokens_shape = self._shapes()
        # Features of a frozen encoder are of any size: they are brought to that of the others.
        self.scale = nn.LayerNorm(self.width, elementwise_affine=False) if frozen else nn.Identity()
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switch the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Prepared images float32 [B, 3, S, S] to what the backbone pools from them, [B, width]."""
        features: Tensor = self.scale(self.backbone(x))
        return features

    def tokens(self, x: Tensor) -> Tensor:
        """The last feature map [B, N, C]: positions of a ResNet row by row, patches of a ViT."""
        seen: Tensor = self.backbone.forward_features(x)  # type: ignore[operator]
        if seen.ndim == 3:
            return seen[:, getattr(self.backbone, "num_prefix_tokens", 0) :]
        if getattr(self.backbone, "output_fmt", "NCHW") == "NHWC":
            return seen.flatten(1, 2)
        return seen.flatten(2).transpose(1, 2)

    def description(self) -> dict[str, Any]:
        """What it is, as plain JSON values: enough to build it again, the weights apart."""
        return {
            "architecture": self.architecture,
            "contract": self.contract.to_dict(),
            "frozen": self.frozen,
            "origin": self.origin,
        }

    def _shapes(self) -> tuple[int, tuple[int, int]]:
        size = self.contract.size
        self.backbone.eval()
        try:
            with torch.no_grad():
                image = torch.zeros(1, 3, size, size)
                features, tokens = self.backbone(image), self.tokens(image)
        except (RuntimeError, AssertionError, ValueError) as why:
            raise EncoderError(
                f"{self.architecture} cannot see images of {size}×{size} pixels ({why}); "
                "choose another size or architecture"
            ) from None
        return features.shape[-1], (tokens.shape[1], tokens.shape[2])


class Classifier(nn.Module):
    """Which class the images of one moment show, from one or several modalities.

    Attributes:
        branches: modality → its encoder.
        attention: where the modalities look at each other, or None where they are only put side by side.
        classes: names, in the order of the logits.
        meta: where the weights come from.
    """

    def __init__(
        self,
        branches: Mapping[str, BranchNetwork],
        classes: Sequence[str],
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        wrong = [name for name in branches if not NAME.fullmatch(name) or hasattr(nn.ModuleDict, name)]
        if wrong or not branches:
            raise ContractError(
                f"modalities are called {list(branches)}; give at least one, in letters, digits and _, such "
                "as sight, and no name that PyTorch keeps for itself, such as 'type'"
            )
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ContractError(f"classes are {list(classes)}; a classifier needs at least two, distinct")
        self.branches = nn.ModuleDict(branches)
        self.classes = tuple(classes)
        self.attention_settings = attention
        self.attention: CrossModalAttention | None = None
        width = sum(branch.width for branch in branches.values())
        if attention is not None:
            shapes = {name: branch.tokens_shape for name, branch in branches.items()}
            self.attention = CrossModalAttention(shapes, attention)
            width = attention.width * len(branches)
        self.linear = nn.Linear(width, len(classes))
        self.meta: dict[str, Any] = {}

    def forward(self, images: Mapping[str, Tensor]) -> Tensor:
        """Logits [B, classes] of prepared images float32 [B, 3, S, S] under each modality's name."""
        if self.attention is None:
            seen = {name: branch(images[name]) for name, branch in self.networks().items()}
        else:
            seen = self.attention(
                {name: branch.tokens(images[name]) for name, branch in self.networks().items()}
            )
        logits: Tensor = self.linear(torch.cat([seen[name] for name in self.branches], dim=1))
        return logits

    @torch.no_grad()
    def classify(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Probabilities [B, classes] of recorded images, on the device where the classifier lies.

        Args:
            observation: uint8 [B, H, W, 3] under MODALITY/image and, where the contract subtracts a
                reference, under MODALITY/reference. Modalities may differ in size.

        Raises:
            ContractError: a modality is missing, or an image cannot be what it looks at.
        """
        device = self.linear.weight.device
        pixels = {name: value.to(device) for name, value in observation.items()}
        return self(self.prepared(pixels)).float().softmax(dim=1)

    def prepared(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Recorded images to those that `forward` takes, without any augmentation."""
        return {
            name: prepare(branch.contract, *pixels_of(observation, name, branch.contract))
            for name, branch in self.networks().items()
        }

    def networks(self) -> dict[str, BranchNetwork]:
        """The encoders by modality."""
        return dict(self.branches.items())  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """What it is, as plain JSON values: enough to build it again, the weights apart."""
        return {
            "branches": {name: branch.description() for name, branch in self.networks().items()},
            "classes": list(self.classes),
            "attention": None if self.attention_settings is None else asdict(self.attention_settings),
        }


def pixels_of(
    observation: Mapping[str, Tensor], name: str, contract: InputContract
) -> tuple[Tensor, Tensor | None]:
    """Image and reference (None without one) of modality `name`.

    Raises:
        ContractError: they are not among what was observed.
    """
    wanted = [f"{name}/image"] + ([f"{name}/reference"] if contract.reference else [])
    for key in wanted:
        if key not in observation:
            raise ContractError(
                f"{key} is missing, which this classifier looks at; found "
                f"{', '.join(sorted(observation)) or 'nothing'}. Give it, or take a classifier of the others"
            )
    return observation[wanted[0]], observation[wanted[1]] if contract.reference else None
