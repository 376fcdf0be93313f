"""Validation of weights against an architecture, and their hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from visuotactile.encoders.contract import InputContract
from visuotactile.errors import EncoderError
from visuotactile.files import sha256_bytes

Module = TypeVar("Module", bound=nn.Module)


def check_state(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], architecture: str, where: str
) -> None:
    """Raise `EncoderError` unless `state` has the keys, shapes and dtypes of `expected`, and no NaN."""
    check_shapes(state, expected, architecture, where)
    for key, values in state.items():
        if not torch.isfinite(values).all():
            raise EncoderError(
                f"{where} has NaN or infinity in {key!r}: training diverged, use an earlier checkpoint"
            )


def check_shapes(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], architecture: str, where: str
) -> None:
    """Raise `EncoderError` unless `state` has the keys, shapes and dtypes of `expected`."""
    for key in sorted(state.keys() | expected.keys()):
        found = _signature(state.get(key))
        wanted = _signature(expected.get(key))
        if found != wanted:
            raise EncoderError(
                f"{where} does not hold {architecture} weights: the first differing key is {key!r}, "
                f"{found} where {architecture} has {wanted}; name the architecture that was trained"
            )


def load_checked(module: nn.Module, state: Mapping[str, Tensor], architecture: str, where: str) -> None:
    """Load `state` into `module`; raise `EncoderError` unless `check_state` accepts it."""
    check_state(state, module.state_dict(), architecture, where)
    module.load_state_dict(state)


def build_checked(
    make: Callable[[], Module], state: Mapping[str, Tensor], architecture: str, where: str
) -> Module:
    """The module that `make` makes, with the weights `state`.

    They are compared on PyTorch's meta device, where a module takes no memory, before it is made: a damaged
    description may name any architecture of any size.

    Raises:
        EncoderError: the weights do not fit.
    """
    with torch.device("meta"):
        expected = make().state_dict()
    check_state(state, expected, architecture, where)
    module = make()
    module.load_state_dict(state)
    return module


def _signature(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def weights_hash(state: Mapping[str, Tensor], architecture: str, contract: InputContract) -> str:
    """SHA-256 over weights, architecture and contract: everything that determines the features."""
    return state_hash([architecture, contract.to_dict()], state)


def state_hash(about: Any, state: Mapping[str, Tensor]) -> str:
    """SHA-256 over a JSON value and over the names, shapes, types and bytes of weights."""
    parts = [json.dumps(about, sort_keys=True).encode()]
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        parts += [
            f"{key} {_signature(tensor)}".encode(),
            tensor.reshape(-1).view(torch.uint8).numpy().tobytes(),
        ]
    return sha256_bytes(*parts)
