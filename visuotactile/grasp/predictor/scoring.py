"""The predictor's last layers over thousands of candidates, nearly as fast as the bare matrix products.

The numbers equal those of the plain layers, whose overhead is memory: with 5,000 candidates each hidden layer
allocates 20 MB, which the system fills with zeros every time. Here two buffers in a core's cache serve the
candidates piece by piece.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PIECE = 1024
"""Rows of a piece. Up to 2,500 are as fast; 512 are 5 % slower (small products), 5,000 12 % (memory)."""


@torch.no_grad()
def logits_in_pieces(
    actions: Tensor,
    first_weight: Tensor,
    first_bias: Tensor,
    second: nn.Linear,
    fusion_weight: Tensor,
    fusion: Tensor,
    last: nn.Linear,
) -> Tensor:
    """last(relu(fusion + fusion_weight · relu(second(relu(first_bias + actions · first_weight))))).

    Args:
        actions: [B, N, A].
        first_weight: [B, A, H], the first action layer in the state of each of the B robots.
        first_bias: [B, H].
        second: H to H.
        fusion_weight: [H, H], the action's part of the fusion layer.
        fusion: [B, H], the state's part of it, with its bias.
        last: H to O.

    Returns:
        [B, N, O], without a gradient.
    """
    robots, count, _ = actions.shape
    logits = actions.new_empty(robots, count, last.out_features)
    if not logits.numel():
        return logits
    together = max(1, PIECE // count)  # robots in a piece, where they have few candidates each
    rows = min(robots, together) * min(count, PIECE)
    ours, theirs = (actions.new_empty(rows, second.out_features) for _ in range(2))
    for robot in range(0, robots, together):
        some = slice(robot, robot + together)
        for start in range(0, count, PIECE):
            piece = actions[some, start : start + PIECE]
            size = piece.shape[0] * piece.shape[1]
            hidden, other = ours[:size], theirs[:size]
            by_robot = hidden.view(*piece.shape[:2], -1)
            torch.baddbmm(first_bias[some, None], piece, first_weight[some], out=by_robot).relu_()
            torch.addmm(second.bias, hidden, second.weight.T, out=other).relu_()
            torch.mm(other, fusion_weight.T, out=hidden)
            by_robot.add_(fusion[some, None]).relu_()
            into = logits[some, start : start + PIECE].view(size, -1)
            torch.addmm(last.bias, hidden, last.weight.T, out=into)
    return logits
