"""Attention from each modality's tokens to the others', before the features are concatenated.

The future work of Bronars and Sunil, "Self-supervised visuotactile representation learning for dexterous
manipulation": cross-modal attention between the encoders and the linear layer of a classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visuotactile.errors import ContractError

EXPANSION = 4  # of the feed-forward layer, as in the original transformer
EMBEDDING_STD = 0.02  # of position and modality embeddings at initialisation, as in ViT


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Size of the attention.

    Attributes:
        width: number of features of a projected token, and of each modality.
        heads: number of attention heads.

    Raises:
        ContractError: the heads do not divide the width.
    """

    width: int = 256
    heads: int = 4

    def __post_init__(self) -> None:
        """Check that the heads share the width evenly."""
        if self.heads < 1 or self.width < 1 or self.width % self.heads:
            raise ContractError(
                f"attention of width {self.width} with {self.heads} heads; expected heads that share the "
                "width evenly"
            )


class CrossModalBlock(nn.Module):
    """Pre-norm transformer block that attends to the other modalities only."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_own, self.norm_others, self.norm_hidden = (nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.hidden = nn.Sequential(
            nn.Linear(width, EXPANSION * width), nn.GELU(), nn.Linear(EXPANSION * width, width)
        )

    def forward(self, own: Tensor, others: Tensor) -> Tensor:
        """Tokens [B, N, W] after attending to `others` [B, M, W]."""
        seen = self.norm_others(others)
        own = own + self.attention(self.norm_own(own), seen, seen, need_weights=False)[0]
        hidden: Tensor = self.hidden(self.norm_hidden(own))
        return own + hidden


class CrossModalAttention(nn.Module):
    """Attention of each modality's tokens to all others, followed by average pooling.

    Each token is projected to one width; learned embeddings of its position and modality are added.

    Args:
        shapes: modality → (tokens N, channels C) of its encoder's last feature map.
        settings: width and heads.

    Raises:
        ContractError: there are fewer than two modalities.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, int]], settings: Attention) -> None:
        super().__init__()
        if len(shapes) < 2:
            raise ContractError(
                f"cross-modal attention needs two modalities, found {', '.join(shapes) or 'none'}; "
                "leave attention out, or add the other"
            )
        width = settings.width
        # Feature maps of ViTs are normalised, those of ResNets are not: bring both to one scale.
        self.project = nn.ModuleDict(
            {name: nn.Sequential(nn.LayerNorm(c), nn.Linear(c, width)) for name, (_, c) in shapes.items()}
        )
        self.position = nn.ParameterDict({name: _embedding(n, width) for name, (n, _) in shapes.items()})
        self.modality = nn.ParameterDict({name: _embedding(width) for name in shapes})
        self.blocks = nn.ModuleDict({name: CrossModalBlock(width, settings.heads) for name in shapes})
        self.norm = nn.ModuleDict({name: nn.LayerNorm(width) for name in shapes})

    def forward(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Features [B, width] of each modality, from its tokens [B, N, C]."""
        embedded = {
            name: layer(tokens[name]) + self.position[name] + self.modality[name]
            for name, layer in self.project.items()
        }
        pooled = {}
        for name, own in embedded.items():
            others = torch.cat([x for other, x in embedded.items() if other != name], dim=1)
            pooled[name] = self.norm[name](self.blocks[name](own, others)).mean(dim=1)
        return pooled


def _embedding(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * EMBEDDING_STD)
