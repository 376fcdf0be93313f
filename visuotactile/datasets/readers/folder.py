"""Your own recordings: a folder of PNG or JPEG images with a trials.csv that describes them."""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import PHASES, POSE, Access, Embodiment
from visuotactile.datasets.image_file import read_image
from visuotactile.datasets.trial import GROUPS, TEXT_COLUMNS, Trial
from visuotactile.errors import ContractError, DataError, brief
from visuotactile.files import read_json

TABLE, DECLARATION = "trials.csv", "embodiment.json"
_NUMBERS = tuple(group for group in GROUPS if group != "column")
LARGEST_TRIAL = 2**29
"""Bytes of all images of a trial, which is held in memory."""

_LARGEST_TABLE = 256 * 2**20
_MOST_COLUMNS = 1000
_MOST_CELLS = 5_000_000
"""Cells of a table in memory: 100,000 trials of 50 columns."""


class Folder:
    """Reader of a folder with a trials.csv, one row for each trial.

    Columns: `name` and `object` (needed), `session`, `sensor`; `<stream>/<phase>`, such as
    tactile_left/during, the path of an RGB image relative to the folder; `outcome/<k>`, `action/<k>`,
    `pose/<k>`, `hidden/<k>`, numbers; any other column is kept as text. What is wrong with a row
    raises `DataError` naming row and column, rows counted as a spreadsheet shows them: the header is row 1.

    An embodiment.json beside it, as `Embodiment.to_dict` gives it, declares the robot: units and bounds of
    the action, other phases, and other vectors than the pose, whose columns are `<vector>/<k>`.
    """

    name: ClassVar[str] = "folder"
    description: ClassVar[str] = "your own images: a folder with a trials.csv (docs/data.md shows one)"

    def __init__(self, source: str | os.PathLike[str] | None) -> None:
        if source is None:
            raise DataError(f"folder needs the folder that holds {TABLE}")
        self._root = Path(source)
        self.settings: Mapping[str, Any] = {}
        self._table = self._root / TABLE
        self.embodiment = self._declared()
        declared = [vector.name for vector in self.embodiment.vectors] if self.embodiment else [POSE]
        self._groups = (*_NUMBERS, *declared)
        phases = self.embodiment.phases if self.embodiment else PHASES
        header, self._rows = _read_table(self._table)
        for needed in ("name", "object"):
            if needed not in header:
                raise DataError(f"{self._table}: no column {needed!r}; its header is {', '.join(header)}")
        self._images = [(c, *self._image_column(c, phases)) for c in header if self._is_image(c)]
        if not self._images:
            raise DataError(
                f"{self._table}: no image column; name one <stream>/<phase>, as tactile_left/during"
            )
        order = sorted(range(len(self._rows)), key=lambda i: self._rows[i]["name"])
        self._lines = [i + 2 for i in order]
        self._rows = [self._rows[i] for i in order]
        self.names = tuple(row["name"] for row in self._rows)
        for i in range(1, len(self.names)):
            if self.names[i] == self.names[i - 1]:
                raise DataError(f"{self._where(i, 'name')}: {self.names[i]!r} stands in an earlier row too")

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Read the images and the numbers of one row."""
        row = self._rows[i]
        streams: dict[str, dict[str, npt.NDArray[np.uint8]]] = {}
        held = 0
        for column, stream, phase in self._images:
            image = streams.setdefault(stream, {})[phase] = self._image(i, column)
            held += image.nbytes
            if held > LARGEST_TRIAL:
                raise DataError(
                    f"{self._where(i, column)}: this row has more than {LARGEST_TRIAL:,} bytes of images; "
                    "make them smaller"
                )
        numbers: dict[str, dict[str, float]] = {group: {} for group in self._groups}
        columns: dict[str, str | float] = {}
        for column, cell in row.items():
            group, _, key = column.partition("/")
            if group in self._groups and key:
                numbers[group][key] = self._number(i, column, cell)
            elif column not in TEXT_COLUMNS and not self._is_image(column):
                columns[column] = cell
        try:
            return Trial(
                name=row["name"],
                streams=streams,
                object=row["object"],
                session=row.get("session", ""),
                sensor=row.get("sensor", ""),
                outcomes=numbers["outcome"],
                action=numbers["action"],
                vectors={name: values for name, values in numbers.items() if name not in GROUPS and values},
                hidden=numbers["hidden"],
                columns=columns,
            )
        except DataError as why:
            raise DataError(f"{self._table}, row {self._lines[i]}: {why}") from None

    def _declared(self) -> Embodiment | None:
        path = self._root / DECLARATION
        if not path.exists():
            return None
        try:
            return Embodiment.from_dict(read_json(path, DataError))
        except ContractError as why:
            raise DataError(f"{path}: {why}") from None

    def _is_image(self, column: str) -> bool:
        group, slash, _ = column.partition("/")
        return bool(slash) and group not in self._groups

    def _image_column(self, column: str, phases: Mapping[str, Access]) -> tuple[str, str]:
        stream, _, phase = column.partition("/")
        if phase not in phases:
            raise DataError(
                f"{self._table}: column {column!r} looks like an image, but {phase!r} is no phase; expected "
                f"one of {', '.join(phases)}, or one of {'/, '.join(self._groups)}/ in front"
            )
        return stream, phase

    def _where(self, i: int, column: str) -> str:
        return f"{self._table}, row {self._lines[i]}, column {column}"

    def _number(self, i: int, column: str, cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                f"{self._where(i, column)}: {cell!r} is not a number; write 1 or 0, or a measurement"
            )
        return value

    def _image(self, i: int, column: str) -> npt.NDArray[np.uint8]:
        cell, where = self._rows[i][column], self._where(i, column)
        posix, windows = PurePosixPath(cell), PureWindowsPath(cell)
        if not cell or "\0" in cell or posix.is_absolute() or windows.drive or windows.root:
            raise DataError(f"{where}: {cell!r}; expected a path relative to {self._root}")
        try:
            path = (self._root / cell).resolve()
            inside = path.is_relative_to(self._root.resolve())
            exists = inside and path.is_file()
        except (OSError, RuntimeError) as why:
            raise DataError(f"{where}: {cell!r} cannot be followed ({brief(why)})") from None
        if ".." in posix.parts or not inside:
            raise DataError(f"{where}: {cell!r} leads out of {self._root}; images must lie within it")
        if not exists:
            raise DataError(f"{where}: there is no file {cell!r} in {self._root}")
        return read_image(path, where)


def _read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.is_file():
        raise DataError(f"{path} is missing; docs/data.md shows how to write one")
    if path.stat().st_size > _LARGEST_TABLE:
        raise DataError(f"{path} has more than {_LARGEST_TABLE} bytes; it is not a table of trials")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines: list[list[str]] = []
            cells = 0
            for found in csv.reader(file, strict=True):
                cells += len(found)
                if len(found) > _MOST_COLUMNS or cells > _MOST_CELLS:
                    raise DataError(
                        f"{path}, row {len(lines) + 1}: {len(found):,} cells, {cells:,} so far; at most "
                        f"{_MOST_COLUMNS:,} columns and {_MOST_CELLS:,} cells are read: convert it in parts, "
                        "and join the stores"
                    )
                lines.append([cell.strip() for cell in found])
    except (OSError, UnicodeDecodeError, csv.Error) as why:
        raise DataError(f"{path} is not a CSV file in UTF-8 ({brief(why)})") from None
    while lines and not any(lines[-1]):
        lines.pop()
    if len(lines) < 2:
        raise DataError(f"{path} holds no trials; expected a header and one row for each trial")
    header, *rows = lines
    counts = Counter(header)
    twice = next((column for column in header if counts[column] > 1 or not column), None)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} stands twice in the header, or has no name")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {line}: {len(row)} cells, the header has {len(header)}")
        for needed in ("name", "object"):
            if needed in header and not row[header.index(needed)]:
                raise DataError(f"{path}, row {line}, column {needed}: empty; every trial needs one")
    return header, [dict(zip(header, row, strict=True)) for row in rows]
