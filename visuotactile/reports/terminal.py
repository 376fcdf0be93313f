"""Tables and lines on the terminal, printed literally: a name in brackets is no markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_line(text: str) -> None:
    """Print one line, which the terminal may wrap but rich does not."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, its first column aligned left, the others right; intervals stand below their figures."""
    table = Table(title=Text(title))
    for number, name in enumerate(head):
        table.add_column(Text(name), justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    Console().print(table)


def _cell(text: str) -> Text:
    value, bracket, rest = text.partition(" [")
    # Non-breaking spaces keep an interval on one line of a narrow terminal.
    return Text.assemble(value, ("\n[" + rest.replace(" ", "\u00a0"), "dim")) if bracket else Text(text)
