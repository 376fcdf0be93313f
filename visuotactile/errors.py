"""Errors that the user can fix.

Every message states what was found, where, what was expected and what to do. The command line prints the
message alone, without a traceback; any other exception is a bug, save those of the operating system.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable

LONGEST_LINE = 1500
"""Letters of a line of a message."""

LONGEST_REASON = 300
"""Letters of another library's message that are repeated."""


class VisuotactileError(ValueError):
    """Base of every error with a remedy."""

    def __init__(self, message: str) -> None:
        """Shorten each line of the message, which may repeat a damaged file's content."""
        lines = str(message).split("\n")
        super().__init__("\n".join(_shortened(line, LONGEST_LINE) for line in lines))


class UsageError(VisuotactileError):
    """A command got invalid arguments or settings."""


class DataError(VisuotactileError):
    """A recording or a dataset on disk violates its format."""


class StoreError(VisuotactileError):
    """A store is unfinished or damaged, or lacks the requested data."""


class SplitError(VisuotactileError):
    """A split is empty, overlaps, was edited, or belongs to another store."""


class ContractError(VisuotactileError):
    """An input or a label is not permitted, or does not fit the model."""


class DivergenceError(VisuotactileError):
    """A training run diverged: its loss or its weights are NaN or infinite."""


class EncoderError(VisuotactileError):
    """An encoder folder, another artefact or a checkpoint is damaged or does not fit."""


class OutputExistsError(VisuotactileError):
    """A finished result would be overwritten."""


class SimulationError(VisuotactileError):
    """A simulated trial cannot be set up, or left the valid range of its physics."""


class PlanError(VisuotactileError):
    """An action, a search, an objective or a robot does not support the request."""


class ResourceError(VisuotactileError):
    """The disk, the memory or a process gave out."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean NAME?' if a known name is similar, else ''.

    >>> did_you_mean("--stroe", ["--store", "--seed"])
    '; did you mean --store?'
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def brief(why: BaseException) -> str:
    """Message of another library's exception, on one line and not too long."""
    said = why.strerror if isinstance(why, OSError) and why.strerror and why.errno else str(why)
    text = _shortened(" ".join(said.split()), LONGEST_REASON)
    if isinstance(why, LookupError | TypeError | AttributeError | ArithmeticError):
        return f"{type(why).__name__}: {text}"
    return text or type(why).__name__


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 60]} … {text[-50:]}"


def explain(why: OSError | MemoryError) -> str:
    """One sentence on an error of the operating system, with the file if known."""
    if isinstance(why, MemoryError):
        return "the memory is not enough for this; ask for less at once, or close other programs"
    place = why.filename if isinstance(why.filename, str) else ""
    number = why.errno
    if number is None and (found := re.search(r"errno = (\d+)", str(why))):  # HDF5 writes it into its text
        number = int(found[1])
    where = f"{place}: " if place else ""
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{where}the disk is full; free some space and run the same command again: it continues"
    if number in (errno.EMFILE, errno.ENFILE):
        return f"{where}too many files are open; raise the limit (`ulimit -n`)"
    if number == errno.ENAMETOOLONG:
        return f"{place[:80]}…: the name is too long; give a shorter one"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where}{brief(why)}; give a place where you may read and write"
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ESTALE):
        return f"{where}{brief(why)}; check the path, and that nobody removes it meanwhile"
    return f"{where}{brief(why)}"
