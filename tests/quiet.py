"""Noise that no command makes."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator

FORBIDDEN = (
    *("litlogger", "litmodels", "💡", r"\bTip:", "FLOPs", "lightning_logs", "v_num", r"\d(it|s)/s\b"),
    *(r"[Ee]poch -?\d+/", r"/-\d", "Seed set", "GPU available", "TPU", "train_dataloader", "Restor"),
    *(r"\w+Warning\b", "Traceback", r"`Trainer\.", "DataLoader 0", "wandb:"),
)
"""Adverts, counts that mean nothing, cut names, and Lightning's notes about itself."""


def assert_quiet(text: str) -> None:
    """Raise `AssertionError` if a line of `text` is noise, or a metric's name in it is cut."""
    lines = [line for line in text.splitlines() if re.search("|".join(FORBIDDEN), line)]
    lines += [line for line in text.splitlines() if re.search(r"(val|feature|effective)_\w*…", line)]
    assert not lines, lines


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Raise `AssertionError` if the block shows a warning that a program's user would see."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        yield
    assert not caught, [str(each.message) for each in caught]
