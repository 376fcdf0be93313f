"""A predictor in whichever process asks for it: told by its hash, read once, computing on one thread."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import torch

from visuotactile.errors import EncoderError
from visuotactile.grasp.predictor.file import PREDICTOR, load_predictor
from visuotactile.grasp.predictor.network import Predictor


def predictor_hash(folder: Path) -> str:
    """The hash in a predictor's description: of everything about it. `EncoderError` where there is none."""
    return str(PREDICTOR.read(folder)["hash"])


@functools.lru_cache(maxsize=16)
def loaded(folder: Path, expected: str) -> Predictor:
    """The predictor of that hash; `EncoderError` if the folder holds another one by now."""
    predictor = load_predictor(folder)
    if predictor_hash(folder) != expected:
        raise EncoderError(
            f"{folder} holds another predictor than when this began; put the first one back, or begin anew"
        )
    return predictor


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch's sums depend on its number of threads in their last digit, and that can turn a choice."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
