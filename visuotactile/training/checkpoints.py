"""Checkpoints of `visuotactile fit`: what they hold besides Lightning's part, and reading them safely."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visuotactile.errors import EncoderError, VisuotactileError, brief
from visuotactile.files import differences
from visuotactile.training.folder import BEST, LAST

UNEXPECTED = (
    *(LookupError, TypeError, AttributeError, ValueError, RuntimeError, ArithmeticError),
    *(AssertionError, RecursionError),
)
"""Errors of code that meets other values than it expects."""

WITH_TENSORS = ("gradients", "validated")
"""Parts of the entry below that hold tensors; all others hold plain values."""

CHECKPOINT_KEY = "visuotactile"
"""Entry of a checkpoint with everything that an export needs, as plain values and tensors; its `method` names
what was trained."""


def checkpoint_of(path: str | os.PathLike[str]) -> Path:
    """The checkpoint at a path; of a run's folder its best one, if the run keeps it, or else its last.

    Raises:
        EncoderError: the folder holds none, or the path is a URL.
    """
    given = _local(path)
    if not given.is_dir():
        return given
    for kept in (BEST, LAST):
        if (given / kept).is_file():
            return given / kept
    raise EncoderError(f"{given} holds no {LAST}; give the folder of a run that `visuotactile fit` has made")


def _local(path: str | os.PathLike[str]) -> Path:
    """The path; a URL is refused here, since as a `Path` it would no longer look like one."""
    if "://" in str(path):
        raise EncoderError(f"{path} is a URL; checkpoints are read from local files: download it first")
    return Path(path)


def load_values(path: str | os.PathLike[str]) -> Any:
    """Tensors, on the CPU, and plain values in a local file; nothing else is unpickled.

    Raises:
        EncoderError: the file does not exist, is damaged, or holds anything else.
    """
    path = _local(path)
    if not path.is_file():
        raise EncoderError(f"{path} does not exist; `visuotactile fit` writes checkpoints/last.ckpt")
    try:
        _check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        _check_tensors(content)
    except Exception as why:
        # A damaged file may raise anything. PyTorch's words on code in one are not repeated: they tell how to
        # let it run.
        reason = f"{why.strerror}; " if isinstance(why, OSError) and why.strerror else ""
        raise EncoderError(
            f"{path} is not a readable checkpoint: {reason}it is damaged, or holds other things than tensors "
            "and plain values, which are never unpickled; use another one or train again"
        ) from None
    return content


def _check_archive(path: Path) -> None:
    """Raise an error of any kind unless all parts are stored whole, with right checksums."""
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("PyTorch does not compress")
        if sum(member.file_size for member in members) > path.stat().st_size or file.testzip():
            raise ValueError("a part is damaged")  # PyTorch itself does not look


def _check_tensors(content: Any) -> None:
    """Raise `ValueError` if a tensor repeats its memory, and so claims more than the file holds."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, Tensor):
            if (
                value.layout != torch.strided
                or value.numel() * value.itemsize > value.untyped_storage().nbytes()
            ):
                raise ValueError("a tensor is sparse, or claims more than it holds")
        elif isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list | tuple | set):
            left.extend(value)


@contextlib.contextmanager
def damaged(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors on meeting other content than a checkpoint has into `EncoderError`."""
    try:
        yield
    except VisuotactileError:
        raise
    except UNEXPECTED as why:
        raise EncoderError(
            f"{path} is damaged ({brief(why)}); use another checkpoint, or train again"
        ) from None


def read_checkpoint(path: str | os.PathLike[str], *methods: str) -> dict[str, Any]:
    """Content of a checkpoint, with tensors on the CPU, as `load_values` reads it.

    Args:
        path: a `.ckpt` file.
        methods: those that are accepted; all if none is named.

    Raises:
        EncoderError: the file does not exist, is damaged, was not written by `visuotactile fit`, or is of
            another method.
    """
    content = load_values(path)
    described = content.get(CHECKPOINT_KEY) if isinstance(content, dict) else None
    if not isinstance(described, dict) or "method" not in described or "state_dict" not in content:
        raise EncoderError(f"{path} was not written by `visuotactile fit`: it does not name its method")
    plain = {name: value for name, value in described.items() if name not in WITH_TENSORS}
    if type(described["method"]) is not str or not _is_state(content["state_dict"]) or not _is_plain(plain):
        raise EncoderError(
            f"{path} is damaged: its description or its weights are of other types than `fit` writes; use "
            "another one or train again"
        )
    if methods and described["method"] not in methods:
        raise EncoderError(
            f"{path} was trained by {described['method']!r}, expected {' or '.join(map(repr, methods))}"
        )
    return content


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str | int) and _is_plain(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _is_state(state: Any) -> bool:
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    )


def weights_below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weights whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def check_continues(checkpoint: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Compare the identity of the run that wrote `checkpoint` with `mine`.

    Raises:
        EncoderError: they differ; the message names what, with both values.
    """
    found = checkpoint.get(CHECKPOINT_KEY, {})
    if different := differences({name: found.get(name) for name in mine}, mine):
        raise EncoderError(
            f"the checkpoint was trained with other settings: {different}; continue with the configuration "
            "beside the checkpoint, or train into another folder"
        )
