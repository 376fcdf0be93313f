"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def progress_bar(*fields: str, show: bool = True, transient: bool = False) -> Progress:
    """A bar with a description, a count and the time left, ready to be entered with `with`.

    Args:
        fields: further columns, as format strings over the task: `"{task.fields[rate]}"`.
        show: False draws nothing, and silences the bar's console.
        transient: clear the bar when it is done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        *map(TextColumn, fields),
        TimeRemainingColumn(),
        console=Console(stderr=True, quiet=not show),
        transient=transient,
        disable=not show,
    )


def track(
    items: Iterable[Item], description: str, total: int | None = None, *, show: bool = True
) -> Iterable[Item]:
    """Yield the items under a bar that is drawn on a terminal only and cleared at the end.

    Args:
        items: items of the work.
        description: description of the work, such as "fitting probes".
        total: number of items, if they have no length.
        show: False draws nothing.
    """
    with progress_bar(show=show and Console(stderr=True).is_terminal, transient=True) as bar:
        yield from bar.track(items, total=total, description=description)
