"""Work in several processes, which end with the one that started them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import joblib
from joblib._parallel_backends import LokyBackend
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import get_active_backend

from visuotactile.errors import ResourceError, UsageError

MOST_WORKERS = 1024

POLL = 0.5
"""Seconds between two looks at whether the process that started a worker still lives."""


def parallel(
    jobs: int,
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    batch_size: int | Literal["auto"] = 1,
) -> Iterator[Any]:
    """Results of FUNCTION(*TASK) for each task, in order, through joblib's current backend.

    The work starts at once. Workers on this machine leave its signals to this process, and end with it, even
    if it is killed.

    Args:
        jobs: number of workers.
        function: function that can be pickled, whose errors pass through.
        tasks: its arguments.
        batch_size: tasks that a worker takes at once; auto for thousands of small ones.

    Raises:
        UsageError: there cannot be so many workers.
        ResourceError: a worker was killed, as for want of memory.
    """
    if jobs == 0 or jobs > MOST_WORKERS:
        raise UsageError(f"{jobs} workers; expected 1 to {MOST_WORKERS}, or -1 for one for each core")
    backend, _ = get_active_backend()
    # From a worker's start on: its first task may never come.
    first = {"initializer": _follow, "initargs": (os.getpid(),)} if isinstance(backend, LokyBackend) else {}
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=batch_size, **first)
    return _results(pool(joblib.delayed(_run)(os.getpid(), function, task) for task in tasks))


def _results(found: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from found
    except BrokenProcessPool:
        raise ResourceError(
            "a worker process was killed, perhaps for want of memory; run the same command again with fewer "
            "workers, and it continues"
        ) from None


def _run(parent: int, function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    if os.getppid() == parent:  # a process of this machine, not a thread or a cluster's
        _follow(parent)
    return function(*task)


_following: list[int] = []


def _follow(parent: int) -> None:
    """Leave signals to the parent, and end when it has ended; otherwise a worker would wait for minutes."""
    if _following:
        return
    _following.append(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
