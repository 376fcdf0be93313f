"""Progress on standard error: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")

FIRST_LINE = 10.0
"""Seconds until a log's first line about a task; each further line doubles the time."""

LONGEST_WAIT = 60.0
"""Seconds between two lines at most."""

SILENCE = 2.0
"""Seconds of work of unknown length before a log says what it is."""


class ProgressBar(Progress):
    """Tasks with a description, a count and the time left, drawn on a terminal and told in lines in a log.

    Args:
        fields: further columns, as format strings over the task: `"{task.fields[rate]}"`.
        show: False draws and prints nothing.
        transient: clear the bar when it is done, and print no closing line in a log.
        spinner: show that work goes on instead of a count.
    """

    def __init__(
        self, *fields: str, show: bool = True, transient: bool = False, spinner: bool = False
    ) -> None:
        console = Console(stderr=True, quiet=not show)
        self.fields, self.in_log = fields, show and not console.is_terminal
        self._lasting = not transient
        self._due: dict[int, float] = {}
        counted = (BarColumn(), MofNCompleteColumn(), *map(TextColumn, fields), TimeRemainingColumn())
        described = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), described, TimeElapsedColumn()) if spinner else (described, *counted)
        super().__init__(
            *columns, console=console, transient=transient, disable=not show or not console.is_terminal
        )

    def update(self, task_id: Any, **changes: Any) -> None:
        """Update a task, as rich does."""
        super().update(task_id, **changes)
        self._say(task_id)

    def advance(self, task_id: Any, advance: float = 1) -> None:
        """Advance a task, as rich does."""
        super().advance(task_id, advance)
        self._say(task_id)

    def stop(self) -> None:
        """Stop drawing; in a log, say how each task ended."""
        super().stop()
        if self.in_log and self._lasting:
            for task in self.tasks:
                if task.visible and task.completed:
                    self.line(self._told(task))

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self.console.print(Text(text), soft_wrap=True)

    def _say(self, task_id: Any) -> None:
        if not self.in_log:
            return
        task = next(each for each in self.tasks if each.id == task_id)
        elapsed = task.elapsed or 0.0
        if task.visible and elapsed >= self._due.get(task_id, FIRST_LINE) and not task.finished:
            self._due[task_id] = elapsed + min(elapsed, LONGEST_WAIT)
            left = task.time_remaining
            self.line(self._told(task) + (f", about {_duration(left)} left" if left else ""))

    def _told(self, task: Task) -> str:
        total = "" if task.total is None else f" of {task.total:.0f}"
        fields = [field.format(task=task) for field in self.fields]
        return ", ".join([f"{task.description}: {task.completed:.0f}{total}", *filter(None, fields)])


def _duration(seconds: float) -> str:
    """Text of a duration.

    >>> _duration(42), _duration(150), _duration(7300)
    ('42 s', '2 min', '2.0 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def track(
    items: Iterable[Item], description: str, total: int | None = None, *, show: bool = True
) -> Iterable[Item]:
    """Yield the items under a bar that is cleared at the end.

    Args:
        items: items of the work.
        description: description of the work, such as "fitting probes".
        total: number of items, if they have no length.
        show: False draws nothing.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ProgressBar(show=show, transient=True) as bar:
        task = bar.add_task(description, total=total)
        for item in items:
            yield item
            bar.advance(task)


@contextlib.contextmanager
def working(description: str, *, show: bool = True) -> Iterator[None]:
    """Show that work of unknown length goes on: a spinner, or a line in a log if it takes over two seconds.

    Args:
        description: description of the work, such as "laying out 2,000 points".
        show: False shows nothing.
    """
    with ProgressBar(show=show, transient=True, spinner=True) as bar:
        bar.add_task(description, total=None)
        timer = threading.Timer(SILENCE, lambda: bar.line(f"{description} …"))
        timer.daemon = True
        if bar.in_log:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
