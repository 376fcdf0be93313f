"""The classifier: an encoder for each modality, their concatenated features, and a linear layer.

Figure 4 of Bronars and Sunil, "Self-supervised visuotactile representation learning for dexterous
manipulation". With one modality it is their ablation; with attention in between, their future work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from visuotactile.encoders.branch import BranchNetwork, recorded
from visuotactile.encoders.contract import prepare
from visuotactile.encoders.frozen import NAME
from visuotactile.errors import ContractError
from visuotactile.supervised.attention import Attention, CrossModalAttention


class Classifier(nn.Module):
    """Classifier of the images of one or several modalities.

    Attributes:
        branches: modality → its encoder.
        attention: cross-modal attention, or None where features are only concatenated.
        classes: names, in the order of the logits.
        meta: provenance of the weights.

    Raises:
        ContractError: a modality's name cannot be an attribute, or there are fewer than two distinct classes.
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
            shapes = {name: branch.tokens_shape() for name, branch in branches.items()}
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
        """Class probabilities [B, classes] of recorded images, on the classifier's device.

        Args:
            observation: images uint8 [B, H, W, 3] under STREAM/PHASE, such as touch/during, including
                references. Modalities may differ in size.

        Raises:
            ContractError: a modality is missing, or an image does not fit its contract.
        """
        device = self.linear.weight.device
        pixels = {name: value.to(device) for name, value in observation.items()}
        return self(self.prepared(pixels)).float().softmax(dim=1)

    def prepared(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Recorded images prepared for `forward`, float32 [B, 3, S, S] by modality, without augmentation."""
        return {
            name: prepare(branch.contract, *recorded(observation, branch.contract))
            for name, branch in self.networks().items()
        }

    def networks(self) -> dict[str, BranchNetwork]:
        """The encoders by modality."""
        return dict(self.branches.items())  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """Architecture as plain JSON values, enough to rebuild it without its weights."""
        return {
            "branches": {name: branch.description() for name, branch in self.networks().items()},
            "classes": list(self.classes),
            "attention": None if self.attention_settings is None else asdict(self.attention_settings),
        }
