"""Artefact folders: the layout of an encoder, a joint space, a classifier or a predictor on disk.

FOLDER/NAME.safetensors     the weights
FOLDER/NAME.json            format, entries of its kind, meta, SHA-256 of the weights, hash of all of these
FOLDER/encoders/BRANCH/     an encoder folder for each frozen encoder inside

A folder is written atomically. Reading validates everything, cheap checks first: size and hash of the
description, hash of the weights, and the shapes in their header, before a network is built.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from visuotactile.encoders.weights import check_shapes, check_state
from visuotactile.errors import EncoderError, OutputExistsError, VisuotactileError, brief
from visuotactile.files import (
    atomic_folder,
    atomic_path,
    provenance,
    read_json,
    refuse_overwrite,
    sha256_bytes,
    sha256_file,
    write_json,
)

ENCODERS = "encoders"
_NAMES = ("pretraining_objects", "training_objects", "held_out_objects")
_TEXTS = ("method", "store", "fingerprint", "split_hash")
_NUMBERS = ("seed", "step", "pretraining_images", "training_examples")


@dataclass(frozen=True, kw_only=True)
class ArtefactFolder:
    """One kind of artefact folder.

    Attributes:
        name: of its two files, such as "encoder" for encoder.safetensors and encoder.json.
        kind: with its article, for errors: "an encoder".
        format: written into the description; no other is read.
        entries: name → type of the kind's own entries in the description.
        source: command that makes one, for errors.
        others: further entries that a folder to be replaced may hold.
    """

    name: str
    kind: str
    format: int
    entries: Mapping[str, type]
    source: str = "`visuotactile export` makes one"
    others: tuple[str, ...] = ()

    @property
    def weights(self) -> str:
        """Name of the file of weights."""
        return f"{self.name}.safetensors"

    @property
    def description(self) -> str:
        """Name of the description file."""
        return f"{self.name}.json"

    def lies_at(self, folder: str | os.PathLike[str]) -> bool:
        """True if the folder has a description of this kind."""
        return (Path(folder) / self.description).is_file()

    def write(
        self,
        folder: str | os.PathLike[str],
        state: Mapping[str, Tensor],
        entries: Mapping[str, Any],
        meta: Mapping[str, Any],
        *,
        overwrite: bool = False,
        inside: Callable[[Path], None] = lambda folder: None,
    ) -> None:
        """Write a folder atomically.

        Args:
            folder: folder to make.
            state: weights, on any device; they are copied.
            entries: the kind's own entries of the description, as plain JSON values.
            meta: provenance of the weights, as plain JSON values; versions are added.
            overwrite: replace a folder of this kind.
            inside: callback that writes further content, given the folder's temporary path.

        Raises:
            OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
            EncoderError: a weight is NaN or infinite, or `meta` is not JSON or has an entry of a wrong type.
        """
        folder = Path(folder)
        self._refuse_replacing(folder, overwrite)
        kept = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
        check_state(kept, kept, self.name, f"the {self.name}")
        meta = {"versions": provenance()["versions"], **copy.deepcopy(dict(meta))}
        _check_meta(meta, f"the {self.name}'s meta")
        with atomic_folder(folder) as temporary:
            inside(temporary)
            with atomic_path(temporary / self.weights) as path:
                save_file(kept, path)
            described = {
                "format": self.format,
                **entries,
                "meta": meta,
                "weights_sha256": sha256_file(temporary / self.weights),
            }
            try:
                write_json(temporary / self.description, described | {"hash": _hash(described)})
            except (TypeError, ValueError) as why:
                raise EncoderError(
                    f"meta cannot be written as JSON ({brief(why)}); give plain values"
                ) from None

    def read(self, folder: str | os.PathLike[str]) -> dict[str, Any]:
        """The checked description of a folder; its `hash` stands for everything in the folder.

        Raises:
            EncoderError: it is missing, edited, damaged or of another format.
        """
        path = Path(folder) / self.description
        if not path.is_file():
            raise EncoderError(f"{folder} is not {self.kind}: it has no {self.description}; {self.source}")
        described = read_json(path, EncoderError)
        if described.get("format") != self.format:
            raise EncoderError(
                f"{path} has format {described.get('format')!r}; this version reads {self.format}: export "
                "the checkpoint again"
            )
        types = {"format": int, **self.entries, "meta": dict, "weights_sha256": str, "hash": str}
        if set(described) != set(types):
            raise EncoderError(
                f"{path} lacks {sorted(set(types) - set(described))} and has unknown "
                f"{sorted(set(described) - set(types))}; export the checkpoint again"
            )
        for name, kind in types.items():
            if type(described[name]) is not kind:
                raise EncoderError(
                    f"{path}: {name} is a {type(described[name]).__name__}, expected a {kind.__name__}; "
                    "export the checkpoint again"
                )
        if described["hash"] != _hash({name: described[name] for name in types if name != "hash"}):
            raise EncoderError(f"{path} was edited: its hash does not fit; export the checkpoint again")
        _check_meta(described["meta"], f"{path}: meta")
        return described

    def read_weights(
        self,
        folder: str | os.PathLike[str],
        described: Mapping[str, Any],
        expected: Callable[[], Mapping[str, Tensor]],
    ) -> dict[str, Tensor]:
        """The weights of a folder, on the CPU.

        Args:
            folder: the artefact folder.
            described: result of `read`.
            expected: makes a state dict with the expected keys, shapes and dtypes. It is called on PyTorch's
                meta device, where tensors take no memory.

        Raises:
            EncoderError: they are missing, damaged, not finite, or do not match the description.
        """
        path = Path(folder) / self.weights
        if not path.is_file():
            raise EncoderError(f"{path} is missing; copy the whole folder again")
        if sha256_file(path) != described["weights_sha256"]:
            raise EncoderError(
                f"{path} ({path.stat().st_size:,} bytes) is not the file that {self.description} was written "
                "with: it is truncated, damaged or from another folder; copy the whole folder again"
            )
        with understood(Path(folder) / self.description, self.kind), torch.device("meta"):
            wanted = expected()
        architecture = described.get("architecture", f"this {self.name}'s")
        try:
            check_shapes(_header(path), wanted, architecture, str(path))
            state = load_file(path)
        except (SafetensorError, OSError, RuntimeError, TypeError) as why:
            raise EncoderError(f"{path} is not a safetensors file ({brief(why)}); export it again") from None
        check_state(state, wanted, architecture, str(path))
        return state

    def _refuse_replacing(self, folder: Path, overwrite: bool) -> None:
        refuse_overwrite(folder, overwrite)
        ours = {self.weights, self.description, *self.others}
        if folder.exists() and (not folder.is_dir() or {item.name for item in folder.iterdir()} - ours):
            raise OutputExistsError(
                f"{folder} holds more than {self.kind}; it is not replaced, choose another folder"
            )


@contextlib.contextmanager
def understood(where: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Turn errors of building from a description into `EncoderError`."""
    try:
        yield
    except VisuotactileError as why:
        raise EncoderError(str(why) if str(where) in str(why) else f"{where}: {why}") from None
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, OverflowError) as why:
        raise EncoderError(f"{where} does not describe {kind} of this version ({brief(why)})") from None


@contextlib.contextmanager
def on_device(device: str | torch.device) -> Iterator[None]:
    """Turn errors of moving to `device` into `EncoderError`."""
    try:
        if torch.device(device).type == "meta":
            raise RuntimeError("it computes nothing")
        yield
    except (RuntimeError, AssertionError) as why:
        raise EncoderError(f"device {str(device)!r} cannot be used here ({brief(why)}); try cpu") from None


def _header(path: Path) -> dict[str, Tensor]:
    """The weights in a safetensors file as tensors on the meta device: names, shapes and dtypes alone."""
    with safe_open(path, "pt") as file:
        parts = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  no mapping
        return {
            key: torch.empty(
                part.get_shape(), dtype=_DTYPES.get(part.get_dtype(), torch.complex128), device="meta"
            )
            for key, part in parts.items()
        }


_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Safetensors' names of the dtypes that our networks have."""


def _hash(described: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(described, sort_keys=True).encode())


def _check_meta(meta: Mapping[str, Any], where: str) -> None:
    """Raise `EncoderError` if an entry about the training data has a wrong type."""
    kinds: dict[str, tuple[Callable[[Any], bool], str]] = (
        dict.fromkeys(_NAMES, (_is_names, "a list of names"))
        | dict.fromkeys(_TEXTS, (lambda value: type(value) is str, "text"))
        | dict.fromkeys(_NUMBERS, (lambda value: type(value) is int, "a whole number"))
        | {"fold": (lambda value: value is None or type(value) is int, "a whole number or null")}
        | {"where": (_is_conditions, "an object of columns and lists of their values")}
        | {"group": (lambda value: value is None or type(value) is str, "text or null")}
        | {"data": (lambda value: isinstance(value, Mapping), "an object")}
        | {"adaptations": (_are_objects, "a list of objects")}
    )
    for name, (fits, expected) in kinds.items():
        if name in meta and not fits(meta[name]):
            raise EncoderError(f"{where}: {name} is {str(meta[name])[:60]!r}, expected {expected}")
    if meta.get("split_hash") and meta.get("fold") is None:
        raise EncoderError(f"{where} names a split but no fold of it")
    if "data" in meta:
        _check_meta(meta["data"], f"{where}: data")
    for each in meta.get("adaptations", ()):
        _check_meta(each, f"{where}: adaptations")


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(name) is str for name in value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, Mapping) for each in value)


def _is_conditions(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(values, list | tuple)
        and values
        and all(isinstance(each, str | int | float) for each in values)
        for values in value.values()
    )
