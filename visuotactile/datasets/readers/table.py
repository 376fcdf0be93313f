"""A table of trials as spreadsheets write it, and the list of all that is wrong with it."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from visuotactile.errors import DataError, brief

LISTED = 20
"""Errors that are shown; whoever has more has one cause for most of them."""

LARGEST_TABLE = 256 * 2**20
MOST_COLUMNS = 1000
MOST_CELLS = 5_000_000
"""Cells of a table in memory: 100,000 trials of 50 columns."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass
class Wrongs:
    """Errors of a table, to be raised together.

    Attributes:
        path: of the table.
        found: (row as a spreadsheet counts it, or 0 for the whole table; column and error in words).
    """

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, row: int, why: str, column: str = "") -> None:
        """Note an error of a row, and of a column of it; row 0 is the whole table."""
        where = f", column {column}" if column else ""
        self.found.append((row, f"{where}: {why}" if row else why))

    def check(self) -> None:
        """Raise `DataError`, in the order of rows, if there are any."""
        if not self.found:
            return
        lines = [f"row {row}{why}" if row else why for row, why in sorted(self.found, key=lambda e: e[0])]
        if len(lines) == 1:
            raise DataError(f"{self.path}{', ' if self.found[0][0] else ': '}{lines[0]}")
        more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
        rows = len({row for row, _ in self.found if row})
        raise DataError(
            f"{self.path} has {len(lines)} errors in {rows} rows; nothing was converted:\n  "
            + "\n  ".join([*lines[:LISTED], *more])
        )


@dataclass(frozen=True)
class Table:
    """Cells of a table by row and column.

    Attributes:
        path: of the file.
        header: names of the columns.
        rows: column → cell, without spaces around it.
        lines: number of each row, as a spreadsheet counts it: the header is row 1.
        delimiter: separator of its cells.
    """

    path: Path
    header: list[str]
    rows: list[dict[str, str]]
    lines: list[int]
    delimiter: str

    def column(self, name: str) -> list[str]:
        """Cells of a column; empty where the table has no such column."""
        return [row.get(name, "") for row in self.rows]

    def number(self, cell: str) -> float | None:
        """The number in a cell, or None; between semicolons or tabs it may have a decimal comma."""
        text = cell.replace(",", ".") if self.delimiter != "," and cell.count(",") == 1 else cell
        try:
            value = float(text) if "_" not in text else math.nan
        except ValueError:
            return None
        return value if math.isfinite(value) else None


def read_table(path: Path) -> Table:
    """Read a table in UTF-8, whose cells are separated by commas, semicolons or tabs.

    Empty rows, and empty cells behind the last column, are ignored.

    Raises:
        DataError: the file is no table; or rows have too few or too many cells.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; docs/data.md shows how to write one")
    if path.stat().st_size > LARGEST_TABLE:
        raise DataError(f"{path} has more than {LARGEST_TABLE} bytes; it is not a table of trials")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            delimiter = _delimiter(file.readline(100_000))
            file.seek(0)
            lines = list(_lines(path, csv.reader(file, strict=True, delimiter=delimiter)))
    except UnicodeDecodeError as why:
        raise DataError(
            f"{path} is not a CSV file in UTF-8 ({brief(why)}); in a spreadsheet, save it as 'CSV UTF-8'"
        ) from None
    except (OSError, csv.Error) as why:
        raise DataError(f"{path} is not a CSV file in UTF-8 ({brief(why)})") from None
    if lines and lines[0][1] and lines[0][1][0].lower().startswith("sep="):
        lines = [(number - 1, cells) for number, cells in lines[1:]]
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if len(filled) < 2:
        raise DataError(f"{path} holds no trials; expected a header and one row for each trial")
    (_, header), *rows = filled
    while header and not header[-1]:
        header.pop()
    twice = [column for column, count in Counter(header).items() if count > 1 or not column]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} stands twice in the header, or has no name")
    wrong = Wrongs(path)
    for number, cells in rows:
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if len(cells) != len(header):
            wrong.add(number, f"{len(cells)} cells, the header has {len(header)}")
    if wrong.found and all(len(cells) == 1 for _, cells in filled):
        raise DataError(f"{path} has one column; separate its cells by commas, semicolons or tabs")
    wrong.check()
    return Table(
        path,
        header,
        [dict(zip(header, cells, strict=True)) for _, cells in rows],
        [number for number, _ in rows],
        delimiter,
    )


def _lines(path: Path, cells: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    total = 0
    for number, found in enumerate(cells, start=1):
        total += len(found)
        if len(found) > MOST_COLUMNS or total > MOST_CELLS:
            raise DataError(
                f"{path}, row {number}: {len(found):,} cells, {total:,} so far; at most {MOST_COLUMNS:,} "
                f"columns and {MOST_CELLS:,} cells are read: convert it in parts, and join the stores"
            )
        yield number, [cell.strip() for cell in found]


def _delimiter(header: str) -> str:
    """Separator of a header's cells: the one that gives a column `name`, and the most columns."""
    if header.lower().startswith("sep="):
        return header[4:5] if header[4:5] in DELIMITERS else ","

    def fits(delimiter: str) -> tuple[bool, int]:
        cells = [cell.strip(' "\r\n').lower() for cell in header.split(delimiter)]
        return "name" in cells, len(cells)

    return max(DELIMITERS, key=fits)  # of equals the first, the comma
