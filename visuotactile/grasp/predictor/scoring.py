"""The predictor's last layers over thousands of candidates, nearly as fast as the bare matrix products.

The numbers equal those of the plain layers, whose overhead is memory: with 5,000 candidates each hidden layer
allocates 20 MB, which the system fills with zeros every time. Here buffers in a core's cache serve the
candidates piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PIECE = 1024
"""Rows of a piece. Up to 2,500 are as fast; 512 are 5 % slower (small products), 5,000 12 % (memory)."""

GRID_PIECE = 256
"""Pairs of a piece of a grid: its 1 MB at a width of 1,024 stays in a core's cache."""


@dataclass(frozen=True)
class ActionLayers:
    """An action network in the state of each of B robots.

    Attributes:
        weight: [B, A, H], first layer.
        bias: [B, H].
        second: H to H.
        fusion: [H, H], its part of the fusion layer.
    """

    weight: Tensor
    bias: Tensor
    second: nn.Linear
    fusion: Tensor


@torch.no_grad()
def logits_in_pieces(
    inputs: Sequence[Tensor], layers: Sequence[ActionLayers], fusion: Tensor, last: nn.Linear
) -> Tensor:
    """last(relu(fusion + the sum over action networks of fusion · relu(second(relu(first(inputs)))))).

    Args:
        inputs: for each action network [B, N, A], its part of the actions.
        layers: the action networks.
        fusion: [B, H], the state's part of the fusion layer, with its bias.
        last: H to O.

    Returns:
        [B, N, O], without a gradient.
    """
    robots, count, _ = inputs[0].shape
    logits = fusion.new_empty(robots, count, last.out_features)
    if not logits.numel():
        return logits
    together = max(1, PIECE // count)  # robots in a piece, where they have few candidates each
    rows = min(robots, together) * min(count, PIECE)
    buffers = [fusion.new_empty(rows, last.in_features) for _ in range(2 if len(layers) == 1 else 3)]
    for robot in range(0, robots, together):
        some = slice(robot, robot + together)
        for start in range(0, count, PIECE):
            part = slice(start, start + PIECE)
            shape = inputs[0][some, part].shape[:2]
            size = shape[0] * shape[1]
            ours, theirs, *more = (buffer[:size] for buffer in buffers)
            for place, (numbers, each) in enumerate(zip(inputs, layers, strict=True)):
                hidden = more[0] if place else ours
                by_robot = hidden.view(*shape, -1)
                torch.baddbmm(
                    each.bias[some, None], numbers[some, part], each.weight[some], out=by_robot
                ).relu_()
                torch.addmm(each.second.bias, hidden, each.second.weight.T, out=theirs).relu_()
                torch.mm(theirs, each.fusion.T, out=hidden)
                if place:
                    ours.add_(hidden)
            ours.view(*shape, -1).add_(fusion[some, None]).relu_()
            into = logits[some, part].view(size, -1)
            torch.addmm(last.bias, ours, last.weight.T, out=into)
    return logits


@torch.no_grad()
def grid_in_pieces(
    inputs: Sequence[Tensor], layers: Sequence[ActionLayers], fusion: Tensor, last: nn.Linear
) -> Tensor:
    """Logits of every combination of two action networks' inputs.

    Args:
        inputs: [B, M, A] of the first network, and [B, N, A] of the second.
        layers: the two action networks.
        fusion: [B, H], the state's part of the fusion layer, with its bias.
        last: H to O.

    Returns:
        [B, M, N, O], without a gradient.
    """
    one, other = (_parts(numbers, each) for numbers, each in zip(inputs, layers, strict=True))
    one = one + fusion[:, None]
    robots, many, width = one.shape
    count, outcomes = other.shape[1], last.out_features
    logits = fusion.new_empty(robots, many, outcomes, count)
    buffer = fusion.new_empty(min(count, GRID_PIECE), width)
    # relu(a + b) = max(a, −b) + b, so that w · relu(a + b) = w · max(a, −b) + w · b: one pass over the pairs
    # instead of two, and the last product is made once for each of the first network's inputs.
    minus, rest = -one, last(one)[..., None]
    for robot in range(robots):
        for start in range(0, count, GRID_PIECE):
            part = other[robot, start : start + GRID_PIECE]
            hidden = buffer[: len(part)]
            for place in range(many):
                torch.maximum(part, minus[robot, place], out=hidden)
                logits[robot, place, :, start : start + GRID_PIECE] = last.weight @ hidden.T
    return logits.add_(rest).transpose(2, 3)


def _parts(numbers: Tensor, layers: ActionLayers) -> Tensor:
    """An action network's part of the fusion layer, [B, N, H]."""
    hidden = torch.baddbmm(layers.bias[:, None], numbers, layers.weight).relu_()
    return layers.second(hidden).relu_() @ layers.fusion.T
