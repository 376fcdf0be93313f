"""Your own recordings: a folder of images or clips with a trials.csv that describes them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from visuotactile.datasets.embodiment import PHASES, POSE, Access, Embodiment
from visuotactile.datasets.readers.background import KnownGel
from visuotactile.datasets.readers.recording import Recording, find_recording
from visuotactile.datasets.readers.table import LISTED, Table, Wrongs, read_table
from visuotactile.datasets.trial import GROUPS, KEY, STREAM, TEXT_COLUMNS, Trial, check_text
from visuotactile.datasets.video_file import Picture
from visuotactile.errors import ContractError, DataError
from visuotactile.files import read_json
from visuotactile.progress import track

TABLE, DECLARATION = "trials.csv", "embodiment.json"

LARGEST_TRIAL = 2**29
"""Bytes of all images of a trial, which is held in memory."""

MOST_FRAMES = 1000
BEFORE, DURING = "before", "during"

ESTIMATED = "estimated_before"
"""Column of the streams whose reference was estimated."""

MOST_REFERENCES = 150
"""Recordings of one sensor or session whose median is a reference: 35 MB at 240×320."""

FEWEST_REFERENCES, FEWEST_OBJECTS = 5, 3
"""Recordings of other objects, and other objects, without which an imprint is no minority for the median."""

LABELS = ("success", "slip", "label", "outcome", "stable", "class")
"""Names of columns that are probably meant as outcomes."""

_NUMBERS = tuple(group for group in GROUPS if group != "column")


class Folder:
    """Reader of a folder with a trials.csv, one row for each trial.

    Columns: `name` and `object` (needed), `session`, `sensor`; `<stream>/<phase>`, such as
    tactile_left/during, the path, relative to the folder, of an RGB image, a video (.mp4, .mov, .avi), a
    folder of images in a row, or a pattern of such images (run7/frame_*.png); `outcome/<k>`, numbers, or
    words throughout; `action/<k>`, `pose/<k>`, `hidden/<k>`, numbers; any other column is kept as text. A
    number that a trial does not have is left empty. Cells are separated by commas, or by semicolons or tabs,
    and then numbers may have a decimal comma.

    An embodiment.json beside it, as `Embodiment.to_dict` gives it, declares the robot: units and bounds of
    the action, other phases, and other vectors than the pose, whose columns are `<vector>/<k>`.

    Args:
        source: the folder.
        frames: frames taken of each clip.
        stride: distance between them, from the first frame on; 0 takes them evenly spaced over the clip.
            Where the length of a clip tells the outcome, so does an even spacing: give a stride.
        estimate_before: where no frame without contact was recorded, estimate it for every stream that has
            `during` and no `before`, from recordings of other objects by the same "sensor", or in the same
            "session": see `background.KnownGel`. No label is used.

    Attributes:
        notes: what a user should know about the table before it is converted.

    Raises:
        DataError: something is wrong with the table; all of it is listed at once, by row and column, rows
            counted as a spreadsheet shows them: the header is row 1. `check` looks into the files.
    """

    name: ClassVar[str] = "folder"
    description: ClassVar[str] = (
        "your own images and clips: a folder with a trials.csv (docs/data.md shows one)"
    )

    def __init__(
        self,
        source: str | os.PathLike[str] | None,
        frames: int = 8,
        stride: int = 0,
        estimate_before: Literal["sensor", "session"] | None = None,
    ) -> None:
        if source is None:
            raise DataError(f"folder needs the folder that holds {TABLE}")
        if type(frames) is not int or not 1 <= frames <= MOST_FRAMES or type(stride) is not int or stride < 0:
            raise DataError(
                f"frames is {frames!r} and stride {stride!r}; expected whole numbers, from 1 to "
                f"{MOST_FRAMES} and from 0"
            )
        if estimate_before not in (None, "sensor", "session"):
            raise DataError(f"estimate_before is {estimate_before!r}; expected sensor or session")
        self._root, self._frames, self._stride = Path(source), frames, stride
        self._by = estimate_before
        self.embodiment = self._declared()
        declared = [vector.name for vector in self.embodiment.vectors] if self.embodiment else [POSE]
        self._groups = (*_NUMBERS, *declared)
        table = read_table(self._root / TABLE)
        self._table = self._sorted(table)
        self._wrong = Wrongs(table.path)
        self._images = self._image_columns()
        self._texts = self._text_columns()
        self.names = tuple(self._table.column("name"))
        self._check_names()
        self._words = self._word_columns()
        self._recordings = self._find_recordings()
        self._estimated = self._to_estimate()
        self._wrong.check()
        self.notes = tuple(self._notes())
        clips = any(each.is_clip for row in self._recordings for each in row.values())
        self.settings: Mapping[str, Any] = {
            **({"frames": frames, "stride": stride} if clips else {}),
            **({"estimate_before": estimate_before} if estimate_before else {}),
        }

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Read the images and the numbers of one row."""
        row, streams = self._table.rows[i], dict[str, dict[str, Picture]]()
        held = 0
        for column, (stream, phase) in self._images.items():
            image = streams.setdefault(stream, {})[phase] = self._read(i, column)
            held += image.nbytes
            if held > LARGEST_TRIAL:
                raise DataError(
                    f"{self._where(i, column)}: this row has more than {LARGEST_TRIAL:,} bytes of images; "
                    "make them smaller"
                )
        for stream in self._estimated:
            gel = self._gels[stream, row[self._by or ""]]
            streams[stream][BEFORE] = gel.estimate(row["object"])
        values: dict[str, dict[str, Any]] = {group: {} for group in self._groups}
        for column, cell in row.items():
            group, _, key = column.partition("/")
            if group in self._groups and key:
                number = self._table.number(cell)
                values[group][key] = (
                    cell if column in self._words else float("nan") if number is None else number
                )
        columns: dict[str, str | float] = {key: row[column] for column, key in self._texts.items()}
        if self._estimated:
            columns[ESTIMATED] = " ".join(self._estimated)
        try:
            return Trial(
                name=row["name"],
                streams=streams,
                object=row["object"],
                session=row.get("session", ""),
                sensor=row.get("sensor", ""),
                outcomes=values["outcome"],
                action=values["action"],
                vectors={name: some for name, some in values.items() if name not in GROUPS and some},
                hidden=values["hidden"],
                columns=columns,
                gaps=True,
            )
        except DataError as why:
            raise DataError(f"{self._table.path}, row {self._table.lines[i]}: {why}") from None

    def check(self, size: tuple[int, int] | None = None, *, progress: bool = True) -> None:
        """Look at the beginning of every file, before the first trial is converted.

        Args:
            size: height and width to which images will be resized; None keeps them, so that they must agree.
            progress: show a progress bar.

        Raises:
            DataError: files are damaged, too short, or do not fit together; all of them are listed.
        """
        wrong = Wrongs(self._table.path)
        clips = {
            column: Counter(row[column].is_clip for row in self._recordings).most_common(1)[0][0]
            for column in self._images
        }
        sizes: dict[str, dict[tuple[int, ...], list[int]]] = {column: defaultdict(list) for column in clips}
        for i in track(range(len(self)), f"checking {len(self)} trials", show=progress):
            line, held = self._table.lines[i], 0
            for column, recording in self._recordings[i].items():
                if recording.is_clip != clips[column]:
                    kinds = ("a single image", "a clip")
                    here, most = kinds[recording.is_clip], kinds[clips[column]]
                    wrong.add(line, f"{here}, but most are {most}", column)
                    continue
                try:
                    found = recording.size("", self._frames, self._stride)
                except DataError as why:
                    wrong.add(line, str(why).removeprefix(": "), column)
                    continue
                sizes[column][found].append(line)
                held += 3 * int(np.prod(found))
            if held > LARGEST_TRIAL:
                wrong.add(line, f"{held:,} bytes of images, at most {LARGEST_TRIAL:,} are read; shrink them")
        for column, every in sizes.items() if size is None else ():
            common = max(every, key=lambda each: len(every[each]), default=())
            for found, lines in every.items():
                here, most = (f"{each[-2]}×{each[-1]} pixels" for each in (found, common))
                for line in lines if found != common else ():
                    wrong.add(line, f"{here}, but most have {most}; give --size HEIGHT WIDTH for all", column)
        wrong.check()

    def _read(self, i: int, column: str) -> Picture:
        return self._recordings[i][column].read(self._where(i, column), self._frames, self._stride)

    def _where(self, i: int, column: str) -> str:
        return f"{self._table.path}, row {self._table.lines[i]}, column {column}"

    def _declared(self) -> Embodiment | None:
        path = self._root / DECLARATION
        if not path.exists():
            return None
        try:
            return Embodiment.from_dict(read_json(path, DataError))
        except ContractError as why:
            raise DataError(f"{path}: {why}") from None

    def _sorted(self, table: Table) -> Table:
        """The table by name; the four text columns may be capitalised."""
        known = {column: column.lower() for column in table.header if column.lower() in TEXT_COLUMNS}
        if len(set(known.values())) < len(known):
            raise DataError(f"{table.path}: two of the columns {', '.join(known)} are the same one")
        table = replace(
            table,
            header=[known.get(column, column) for column in table.header],
            rows=[{known.get(column, column): cell for column, cell in row.items()} for row in table.rows],
        )
        for needed in ("name", "object"):
            if needed not in table.header:
                raise DataError(
                    f"{table.path}: no column {needed!r}; its header is {', '.join(table.header)}"
                )
        order = sorted(range(len(table.rows)), key=lambda i: table.rows[i]["name"])
        return replace(table, rows=[table.rows[i] for i in order], lines=[table.lines[i] for i in order])

    def _image_columns(self) -> dict[str, tuple[str, str]]:
        """Column → stream and phase."""
        phases: Mapping[str, Access] = self.embodiment.phases if self.embodiment else PHASES
        found = {}
        for column in self._table.header:
            stream, slash, phase = column.partition("/")
            if not slash or stream in self._groups:
                continue
            if phase not in phases:
                raise DataError(
                    f"{self._table.path}: column {column!r} looks like an image, but {phase!r} is no phase; "
                    f"expected one of {', '.join(phases)}, or one of {'/, '.join(self._groups)}/ in front"
                )
            if not STREAM.fullmatch(stream) or stream == "table":
                self._wrong.add(0, f"column {column!r}: a stream is named by letters, digits and _")
            found[column] = (stream, phase)
        if not found:
            raise DataError(
                f"{self._table.path}: no image column; name one <stream>/<phase>, as tactile_left/during"
            )
        return found

    def _text_columns(self) -> dict[str, str]:
        """Column that is kept as text → its name in the store, without spaces and accents."""
        found: dict[str, str] = {}
        for column in self._table.header:
            group, slash, key = column.partition("/")
            if column in (*TEXT_COLUMNS, *self._images):
                continue
            if slash and group in self._groups:
                if not KEY.fullmatch(key):
                    self._wrong.add(0, f"column {column!r}: write it as {group}/{_plain(key)}")
                continue
            found[column] = column if KEY.fullmatch(column) else _plain(column)
        twice = [key for key, count in Counter(found.values()).items() if count > 1]
        if twice or ESTIMATED in found.values():
            self._wrong.add(
                0, f"two columns would be called {(twice or [ESTIMATED])[0]!r}; rename one of them"
            )
        return found

    def _check_names(self) -> None:
        first: dict[str, int] = {}
        for row, line in zip(self._table.rows, self._table.lines, strict=True):
            for column in (*TEXT_COLUMNS, *self._texts):
                cell = row.get(column, "")
                needed = column in ("name", "object")
                if needed and not cell:
                    self._wrong.add(line, "empty; every trial needs one", column)
                    continue
                try:
                    check_text(cell, "it")
                except DataError as why:
                    self._wrong.add(line, str(why), column)
            name = row["name"]
            if name and name in first:
                later, earlier = max(line, first[name]), min(line, first[name])
                self._wrong.add(later, f"{name!r} stands in an earlier row too (row {earlier})", "name")
            first[name] = min(line, first.get(name, line))

    def _word_columns(self) -> set[str]:
        """Columns of outcomes in words; every other cell of a table group is a number, or empty."""
        words = set()
        for column in self._table.header:
            group, slash, _ = column.partition("/")
            if not slash or group not in self._groups:
                continue
            cells = self._table.column(column)
            odd = [i for i, cell in enumerate(cells) if cell and self._table.number(cell) is None]
            filled = sum(1 for cell in cells if cell)
            if group == "outcome" and odd and len(odd) == filled and not _like_numbers(cells):
                words.add(column)
                continue
            for i in odd:
                rest = " as other cells of the column are" if len(odd) < filled else ""
                self._wrong.add(
                    self._table.lines[i],
                    f"{cells[i]!r} is not a number{rest}; write 1 or 0, or a measurement, or nothing where "
                    "there is none",
                    column,
                )
        return words

    def _find_recordings(self) -> list[dict[str, Recording]]:
        """Column → recording, for each row."""
        found: list[dict[str, Recording]] = []
        for row, line in zip(self._table.rows, self._table.lines, strict=True):
            found.append({})
            for column in self._images:
                try:
                    few = len(self._wrong.found) < LISTED
                    found[-1][column] = find_recording(self._root, row[column], "", hint=few)
                except DataError as why:
                    self._wrong.add(line, str(why).removeprefix(": "), column)
        return found

    def _notes(self) -> list[str]:
        notes = [
            f"column {column!r} is kept as {key!r}" for column, key in self._texts.items() if column != key
        ]
        for column in self._texts:
            cells = {cell for cell in self._table.column(column) if cell}
            if column.lower() in LABELS or (len(cells) == 2 and cells <= {"0", "1"}):
                notes.append(
                    f"column {column!r} is kept as text, and cannot be predicted; if it is an outcome, call "
                    f"it outcome/{_plain(column)}"
                )
        if self._estimated:
            notes.append(
                f"{BEFORE} of {', '.join(self._estimated)} was not recorded: it is estimated from recordings "
                f"of other objects of the same {self._by}, without labels; the store says so "
                f"(column {ESTIMATED})"
            )
        return notes

    def _to_estimate(self) -> list[str]:
        """Streams whose reference is estimated; notes where there are too few recordings for it."""
        if self._by is None:
            return []
        phases = defaultdict(set)
        for stream, phase in self._images.values():
            phases[stream].add(phase)
        wanted = [stream for stream, some in phases.items() if DURING in some and BEFORE not in some]
        if not wanted:
            self._wrong.add(0, f"--estimate-before: no stream has {DURING} and lacks {BEFORE}")
        members: dict[str, Counter[str]] = defaultdict(Counter)
        for row, line in zip(self._table.rows, self._table.lines, strict=True):
            if not row.get(self._by):
                self._wrong.add(line, f"empty; --estimate-before {self._by} needs it", self._by)
            members[row.get(self._by, "")][row["object"]] += 1
        for group, objects in members.items():
            for thing, count in objects.items():
                others = objects.total() - count
                if group and (others < FEWEST_REFERENCES or len(objects) <= FEWEST_OBJECTS):
                    self._wrong.add(
                        0,
                        f"{self._by} {group!r} has {others} recordings of {len(objects) - 1} other objects "
                        f"than {thing!r}; --estimate-before takes {FEWEST_REFERENCES} of {FEWEST_OBJECTS}",
                    )
        return wanted

    @cached_property
    def _gels(self) -> dict[tuple[str, str], KnownGel]:
        """Stream and sensor or session → its gel, from the middle frame of recordings of all objects."""
        members: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for i, row in enumerate(self._table.rows):
            members[row[self._by or ""]][row["object"]].append(i)
        found = {}
        for stream in self._estimated:
            column = next(name for name, key in self._images.items() if key == (stream, DURING))
            for group, objects in members.items():
                most = -(-MOST_REFERENCES // len(objects))
                some = [i for rows in objects.values() for i in _evenly(rows, most)]
                frames = [_middle(self._read(i, column)) for i in track(some, f"gel of {stream}, {group}")]
                if len({frame.shape for frame in frames}) > 1:
                    raise DataError(
                        f"{self._table.path}: pictures of {column} for {self._by} {group!r} differ in size, "
                        "but a reference is estimated of one; resize the files"
                    )
                found[stream, group] = KnownGel(frames, [self._table.rows[i]["object"] for i in some])
        return found


def _evenly(rows: list[int], most: int) -> list[int]:
    """At most so many of some rows, evenly spaced."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)
    return [rows[place] for place in places.tolist()]


def _middle(images: Picture) -> Picture:
    """An image, or the middle frame of a clip."""
    return images[len(images) // 2] if images.ndim == 4 else images


def _like_numbers(cells: list[str]) -> bool:
    """True for a column of what a spreadsheet or a lab writes in place of a number."""
    return all(re.fullmatch(r"|nan|n/?a|-+|inf|[-+]?[\d.,_ e]+(e[-+]?\d+)?", cell.lower()) for cell in cells)


def _plain(column: str) -> str:
    """A name of letters, digits and . _ - that is as near as possible.

    >>> _plain("Größe (mm)")
    'Gro_e_mm'
    """
    letters = "".join(
        sign for sign in unicodedata.normalize("NFKD", column) if not unicodedata.combining(sign)
    )
    letters = re.sub(r"[^A-Za-z0-9_.-]+", "_", letters).strip("_.-")
    return letters[:64] or "column"
