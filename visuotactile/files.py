"""Atomic writing, and reading with clear errors."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import math
import os
import platform
import re
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import Any

from visuotactile.errors import OutputExistsError, VisuotactileError, brief

LARGEST_JSON = 2**28
"""Bytes, more than the split of a million trials."""

LONGEST_NUMBER = 40
"""Digits of a whole number in JSON; the sums in a store's statistics have some 20."""

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""Errors of a file system without locks: NFS and Lustre are often mounted so."""

LONGEST_NAME = 200
"""Bytes of a name that still has room for the rest of its temporary file's."""

NAMED = 4
"""Differences that an error lists before it says how many more there are."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path that replaces `path` when the block succeeds, and is removed when it fails.

    The temporary file is in the same folder, so that the rename is atomic, and is flushed to disk before it,
    so that a power cut leaves either the old file or the new one. What killed writers of the same path have
    left is swept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        _mark(handle)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder that replaces `path` when the block succeeds, and is removed when it fails.

    An existing `path` changes places with it in one step, where the system can, and is then removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = _sibling(path, "part")
    temporary.mkdir()
    handle = os.open(temporary, os.O_RDONLY)
    try:
        _mark(handle)
        yield temporary
        _put_in_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(handle)


def _put_in_place(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    if _exchange(temporary, folder):
        return
    # Elsewhere a non-empty folder cannot be replaced in one step.
    old = folder.rename(_sibling(folder, "old"))
    try:
        temporary.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system or the file system cannot (Linux can)."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed or the process ends.

    Returns:
        False where the file system has no locks.

    Raises:
        BlockingIOError: another process has locked it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as why:
        if why.errno not in NO_LOCKS:
            raise
        return False
    return True


def _mark(handle: int) -> None:
    """Lock something temporary, so that others see that its writer lives."""
    with contextlib.suppress(BlockingIOError):
        lock(handle)


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` have left: nobody holds its lock any more."""
    for name in glob.glob(f"{glob.escape(_prefix(path))}*.part", root_dir=path.parent, include_hidden=True):
        leftover = path.parent / name
        with contextlib.suppress(OSError):  # another process sweeps, or writes it
            handle = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if lock(handle):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            finally:
                os.close(handle)


def _sibling(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{_prefix(folder)}{secrets.token_hex(4)}.{suffix}")


def _prefix(path: Path) -> str:
    name = os.fsencode(path.name)
    return f".{path.name if len(name) <= LONGEST_NAME else sha256_bytes(name)[:32]}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path`, atomically, in UTF-8; bytes of a path that are none appear as escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON to `path`, atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str], error: type[VisuotactileError]) -> dict[str, Any]:
    """Read a JSON object from `path`; raises `error` if it is missing, too large or invalid."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise error(f"{path} is no file; check the path")
        if path.stat().st_size > LARGEST_JSON:
            raise error(
                f"{path} has {path.stat().st_size:,} bytes, more than any JSON of ours; make it again"
            )
        value = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path") from None
    except VisuotactileError:
        raise
    except (OSError, ValueError, RecursionError) as why:
        raise error(f"{path} is not readable JSON ({brief(why)}); make it again") from None
    if not isinstance(value, dict):
        raise error(f"{path} holds a JSON {type(value).__name__}, expected an object; make it again")
    return value


def parse_json(text: bytes) -> Any:
    """The value in a JSON text in UTF-8, whose numbers are finite.

    Raises:
        ValueError, RecursionError: it is no JSON, holds a number beyond measure, or is nested too deeply.
    """
    return json.loads(
        text.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it holds the number {text:.40}, which is beyond measure")
    return value


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"it holds a whole number of {len(text)} digits")
    return int(text)


@contextlib.contextmanager
def written_last(path: str | os.PathLike[str], value: Any) -> Iterator[None]:
    """Write `value` as JSON to `path` after the block has written the rest of a result.

    An existing file is removed first: its presence marks a complete result.
    """
    Path(path).unlink(missing_ok=True)
    yield
    write_json(path, value)


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """List the settings that differ, as "lr 0.1 → 0.2, seed 0 → 1 and 3 more"; empty where none does.

    Nested settings are named with dots. One that is missing equals None, an empty list or an empty mapping.

    Args:
        found: settings that a file or folder was made with, as JSON values.
        expected: those of now.
    """
    before, now = _leaves(found), _leaves(expected)
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    listed = ", ".join(_change(name, before.get(name), now.get(name)) for name in changed[:NAMED])
    return f"{listed} and {len(changed) - NAMED} more" if len(changed) > NAMED else listed


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _leaves(value, f"{prefix}{key}.")
        elif value is not None and value != []:
            found[f"{prefix}{key}"] = value
    return found


def _change(name: str, *values: Any) -> str:
    texts = [value if isinstance(value, str) else json.dumps(value, default=str) for value in values]
    before, now = (text if len(text) <= 60 else f"{text[:57]}…" for text in texts)
    return f"{name} {before} → {now}" if before != now else f"{name} (values of {len(texts[0])} characters)"


def by_number(name: str) -> list[tuple[int, str]]:
    """Key that sorts names by the numbers in them: frame 2 before frame 10.

    >>> sorted(["a10", "a2", "a"], key=by_number)
    ['a', 'a2', 'a10']
    """
    parts = re.split(r"([0-9]{1,1000})", name)
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


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


def cache_folder(name: str) -> Path:
    """Folder NAME of results that can be made again, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visuotactile" / name


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
