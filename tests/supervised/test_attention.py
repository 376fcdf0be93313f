"""Cross-modal attention against a naive loop, and what it must not depend on."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.errors import ContractError
from visuotactile.supervised.attention import Attention, CrossModalAttention

SHAPES = {"sight": (9, 20), "touch": (4, 12)}
WIDTH, HEADS = 16, 4


def attention(shapes: dict[str, tuple[int, int]] = SHAPES) -> CrossModalAttention:
    torch.manual_seed(0)
    made = CrossModalAttention(shapes, Attention(width=WIDTH, heads=HEADS))
    for parameter in made.parameters():  # at the start embeddings are small and norms are plain
        nn.init.normal_(parameter, std=0.5)
    return made.double()


def tokens(shapes: dict[str, tuple[int, int]] = SHAPES, batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(batch, *shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def naive_heads(layer: nn.MultiheadAttention, own: Tensor, others: Tensor) -> Tensor:
    """One query, one head, one key at a time."""
    batch, queries, width = own.shape
    deep = width // layer.num_heads
    query, key, value = (
        partial(F.linear, weight=weight, bias=bias)
        for weight, bias in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
    )
    mixed = torch.zeros(batch, queries, width, dtype=own.dtype)
    for b in range(batch):
        for i in range(queries):
            for head in range(layer.num_heads):
                part = slice(head * deep, (head + 1) * deep)
                q = query(own[b, i])[part]
                scores = [float(q @ key(other)[part]) / math.sqrt(deep) for other in others[b]]
                weights = [math.exp(score) for score in scores]
                for weight, other in zip(weights, others[b], strict=True):
                    mixed[b, i, part] += weight / sum(weights) * value(other)[part]
    return layer.out_proj(mixed)


def normalised(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (x.var(-1, correction=0, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias


@torch.no_grad()
def test_the_whole_block_equals_its_description_written_out() -> None:
    model, seen = attention(), tokens()
    embedded = {}
    for name, x in seen.items():
        norm, project = model.project[name]
        projected = normalised(norm, x) @ project.weight.T + project.bias
        embedded[name] = projected + model.position[name] + model.modality[name]
    for name, other in (("sight", "touch"), ("touch", "sight")):
        block = model.blocks[name]
        own = embedded[name]
        others = normalised(block.norm_others, embedded[other])
        own = own + naive_heads(block.attention, normalised(block.norm_own, own), others)
        own = own + block.hidden(normalised(block.norm_hidden, own))
        expected = normalised(model.norm[name], own).mean(dim=1)
        torch.testing.assert_close(model(seen)[name], expected)


@torch.no_grad()
def test_a_modality_that_is_permuted_with_its_positions_shows_the_same() -> None:
    model, seen = attention(), tokens()
    before = model(seen)
    order = torch.randperm(4, generator=torch.Generator().manual_seed(2))
    seen["touch"] = seen["touch"][:, order]
    moved = model(seen)
    assert not torch.allclose(before["sight"], moved["sight"])  # where something is felt matters
    model.position["touch"].copy_(model.position["touch"][order])
    after = model(seen)
    for name in SHAPES:
        torch.testing.assert_close(after[name], before[name])


@torch.no_grad()
def test_each_modality_looks_at_every_other_and_no_trial_at_another() -> None:
    shapes = {**SHAPES, "sound": (5, 7)}
    model, seen = attention(shapes), tokens(shapes)
    before = model(seen)
    assert {name: x.shape for name, x in before.items()} == dict.fromkeys(shapes, (3, WIDTH))
    for changed in shapes:
        other = {name: x.clone() for name, x in seen.items()}
        other[changed][0] += 1.0 + torch.arange(shapes[changed][1])  # a norm would hide a mere shift
        after = model(other)
        for name in shapes:
            assert not torch.allclose(after[name][0], before[name][0])
            torch.testing.assert_close(after[name][1:], before[name][1:])


@torch.no_grad()
def test_tokens_that_say_the_same_are_told_apart_by_modality_and_place() -> None:
    model = attention({"sight": (4, 12), "touch": (4, 12)})
    same = torch.ones(1, 4, 12, dtype=torch.float64)
    for name in ("sight", "touch"):
        model.project[name].load_state_dict(model.project["sight"].state_dict())
        model.blocks[name].load_state_dict(model.blocks["sight"].state_dict())
        model.norm[name].load_state_dict(model.norm["sight"].state_dict())
    found = model({"sight": same, "touch": same})
    assert not torch.allclose(found["sight"], found["touch"])
    for table in (model.position, model.modality):
        table["touch"].copy_(table["sight"])
    found = model({"sight": same, "touch": same})
    torch.testing.assert_close(found["sight"], found["touch"])


def test_attention_of_one_modality_is_refused() -> None:
    with pytest.raises(ContractError, match="two modalities, found sight"):
        CrossModalAttention({"sight": (4, 12)}, Attention())


@pytest.mark.parametrize(("width", "heads"), [(10, 4), (8, 0), (0, 1)])
def test_heads_that_do_not_share_the_width_are_refused(width: int, heads: int) -> None:
    with pytest.raises(ContractError, match="share the width"):
        Attention(width=width, heads=heads)
