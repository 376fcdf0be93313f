"""Processes for the tests that need several: forked from a server that has imported torch, once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from typing import Any

from torch.multiprocessing import start_processes  # type: ignore[attr-defined]

# Its children start in milliseconds, and in the state of a new interpreter.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["visuotactile.training.fit", "visuotactile.ssl", "visuotactile.supervised"])


def command(argv: Sequence[str]) -> ForkServerProcess:
    """A started process that is `visuotactile ARGV`, without output."""
    process = _CONTEXT.Process(target=_main, args=(list(argv),))
    process.start()
    return process


def ranks(function: Callable[..., None], world_size: int, *arguments: Any) -> None:
    """Run FUNCTION(rank, *arguments) in `world_size` processes; an error of one of them is raised."""
    start_processes(function, arguments, nprocs=world_size, start_method="forkserver")


def _main(argv: list[str]) -> None:
    from visuotactile.cli import main

    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.exit(main(argv))
