"""Errors that the person at the keyboard can mend.

Every message says what was found, where, what was expected and what to do. The command line prints
the message alone, without a traceback; anything else that escapes is a bug of ours.
"""


class VisuotactileError(ValueError):
    """Base of every error with a remedy."""


class UsageError(VisuotactileError):
    """A command was given words or settings that it does not take."""


class DataError(VisuotactileError):
    """A recording or a dataset on disk is not what its format promises."""


class StoreError(VisuotactileError):
    """A store is unfinished, damaged, or does not hold what was asked of it."""


class SplitError(VisuotactileError):
    """A split is empty, overlaps, was edited, or belongs to another store."""


class ContractError(VisuotactileError):
    """A model was asked to look at something that it must not, or cannot, see."""


class EncoderError(VisuotactileError):
    """An encoder folder or a checkpoint does not fit the architecture that it names."""


class OutputExistsError(VisuotactileError):
    """A finished result would be overwritten."""


class SimulationError(VisuotactileError):
    """A simulated trial cannot be set up, or left the range in which its physics can be trusted."""


class PlanError(VisuotactileError):
    """An action, a search, an objective or a robot cannot do what was asked of it."""
