"""Atomic writing, and reading with clear errors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import Any

from visuotactile.errors import OutputExistsError, VisuotactileError

LARGEST_JSON = 2**28
"""Bytes, more than the split of a million trials."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path that replaces `path` when the block succeeds, and is removed when it fails.

    The temporary file is in the same folder, so that the rename is atomic, and is flushed to disk before it,
    so that a power cut leaves either the old file or the new one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder that replaces `path` when the block succeeds, and is removed when it fails.

    An existing `path` is set aside first, and removed when the new folder is in its place.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(path, "part")
    temporary.mkdir()
    try:
        yield temporary
        _put_in_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    # A non-empty folder cannot be replaced in one step.
    old = folder.rename(_sibling(folder, "old"))
    try:
        temporary.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _sibling(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.{suffix}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON to `path`, atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str], error: type[VisuotactileError]) -> dict[str, Any]:
    """Read a JSON object from `path`; raises `error` if it is missing, too large or invalid."""
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise error(
                f"{path} has {path.stat().st_size:,} bytes, more than any JSON of ours; make it again"
            )
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path") from None
    except VisuotactileError:
        raise
    except (OSError, ValueError, RecursionError) as why:
        raise error(f"{path} is not readable JSON ({why}); make it again") from None
    if not isinstance(value, dict):
        raise error(f"{path} holds a JSON {type(value).__name__}, expected an object; make it again")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no JSON number")


@contextlib.contextmanager
def written_last(path: str | os.PathLike[str], value: Any) -> Iterator[None]:
    """Write `value` as JSON to `path` after the block has written the rest of a result.

    An existing file is removed first: its presence marks a complete result.
    """
    Path(path).unlink(missing_ok=True)
    yield
    write_json(path, value)


def sha256_bytes(*parts: bytes) -> str:
    """Hexadecimal SHA-256 of the parts, one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_overwrite(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raise `OutputExistsError` if `path` exists, unless `overwrite`."""
    if Path(path).exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already; give another --out, or --overwrite to replace it")


_command: ContextVar[tuple[str, ...]] = ContextVar("command")


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[None]:
    """Record this command, given as words, in the results that the block writes, not the program's own."""
    token = _command.set(tuple(command))
    try:
        yield
    finally:
        _command.reset(token)


def provenance(**settings: Any) -> dict[str, Any]:
    """Command line, resolved settings and versions of a result."""
    versions = {"python": platform.python_version()}
    for name in ("visuotactile", "torch", "timm", "numpy", "scikit-learn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    command = _command.get((Path(sys.argv[0]).name, *sys.argv[1:]))
    return {"command": shlex.join(command), "settings": settings, "versions": versions}
