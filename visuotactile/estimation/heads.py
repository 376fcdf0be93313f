"""Networks over a sequence of features: its mean, a GRU or LSTM, or attention, then a number and its
deviation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["mean", "gru", "lstm", "attention"]

LEAST = 1e-3
"""Smallest expected deviation, of standardised numbers; without it the likelihood has no bound."""


class SequenceHead(nn.Module):
    """Number and expected deviation from the features of a clip's frames, in the order of the contact's
    growth.

    Args:
        width: features of a frame, D. join: "mean" of the frames; the last state of a "gru" or "lstm" (Yuan
        et al. 2017 take an LSTM); or one
            query's "attention" over the frames and their order.
        hidden: width of the sequence.
        extra: further numbers of the clip, such as the sample's radius.
        dropout: share of the joined features left out in training.
    """

    def __init__(
        self, width: int, join: Join = "gru", hidden: int = 64, extra: int = 0, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.join, self.dropout = join, dropout
        self.sequence: nn.Module
        if join in ("gru", "lstm"):
            self.sequence = {"gru": nn.GRU, "lstm": nn.LSTM}[join](width, hidden, batch_first=True)
        else:
            self.sequence = nn.Linear(width, hidden)
        if join == "attention":
            self.attention = nn.MultiheadAttention(hidden, 4, batch_first=True)
            self.query = nn.Parameter(torch.zeros(1, 1, hidden))
            self.place = nn.Linear(1, hidden)
        self.out = nn.Sequential(nn.Linear(hidden + extra, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(
        self, features: Tensor, extra: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Number [B] and expected deviation [B].

        Args:
            features: float32 [B, T, D].
            extra: further numbers, float32 [B, extra]; None for none.
            generator: CPU generator of the dropout, in training; None drops nothing.
        """
        if self.join in ("gru", "lstm"):
            states, _ = self.sequence(features)
            joined = states[:, -1]
        elif self.join == "attention":
            order = torch.linspace(0, 1, features.shape[1], device=features.device)[:, None]
            seen = self.sequence(features) + self.place(order)
            joined = self.attention(self.query.expand(len(features), -1, -1), seen, seen)[0][:, 0]
        else:
            joined = self.sequence(features).mean(dim=1)
        if generator is not None and self.dropout:
            kept = torch.rand(joined.shape, generator=generator) >= self.dropout
            joined = joined * (kept.to(joined.device, joined.dtype) / (1 - self.dropout))
        if extra is not None:
            joined = torch.cat([joined, extra], dim=1)
        number, spread = self.out(joined).unbind(dim=1)
        return number, nn.functional.softplus(spread) + LEAST


def gaussian_loss(number: Tensor, deviation: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of normal errors, per clip, without its constant; a scalar.

    Weighted by the deviation (β-NLL with β = 1/2, Seitzer et al. 2022), or clips that look hard are hardly
    fitted.
    """
    loss = ((number - target) / deviation) ** 2 / 2 + deviation.log()
    return (loss * deviation.detach()).mean()
