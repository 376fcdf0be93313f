"""Errors that the user can fix.

Every message states what was found, where, what was expected and what to do. The command line prints the
message alone, without a traceback; any other exception is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VisuotactileError(ValueError):
    """Base of every error with a remedy."""


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean NAME?' if a known name is similar, else ''.

    >>> did_you_mean("--stroe", ["--store", "--seed"])
    '; did you mean --store?'
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
