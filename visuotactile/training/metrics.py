"""FOLDER/metrics.csv: the metrics of a run, a row for each logged step, in one file also after a resume."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from visuotactile.files import write_text

METRICS = "metrics.csv"
FIRST = ("epoch", "step")


class MetricsFile(Logger):
    """Writes the metrics of a run into its folder.

    What is logged at one step shares a row. A row is written when the next step is logged, at the latest when
    the run ends; a new column rewrites the file, atomically.

    Args:
        folder: folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.path = folder, folder / METRICS
        self._columns = list(FIRST)
        self._rows: list[dict[str, Any]] = []
        self._written = -1  # rows in the file; negative where it must be written anew

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def version(self) -> str:
        """There is one of each run."""
        return ""

    @property
    def save_dir(self) -> str:
        """Folder in which Lightning puts the resolved configuration."""
        return str(self.folder)

    def resume(self, step: int) -> None:
        """Keep what an interrupted run logged up to `step`, and drop what will be logged again."""
        if not self.path.is_file():
            return
        with open(self.path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
        self._rows = [
            {name: value for name, value in row.items() if name and value}
            for row in rows
            if int(row["step"]) < step
        ]
        self._columns = list(dict.fromkeys([*FIRST, *(name for row in self._rows for name in row)]))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add metrics to the row of their step."""
        number = len(self._rows) if step is None else step
        if not self._rows or int(self._rows[-1]["step"]) != number:
            self.save()
            self._rows.append({"step": number})
        elif self._written == len(self._rows):
            self._written = -1
        self._rows[-1].update(metrics)
        new = [name for name in metrics if name not in self._columns]
        if new:
            self._columns += new
            self._written = -1

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log nothing: config.yaml holds them."""

    @rank_zero_only
    def save(self) -> None:
        """Write what the file lacks."""
        if self._written == len(self._rows):
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        if self._written < 0:
            writer.writeheader()
            writer.writerows(self._rows)
            write_text(self.path, text.getvalue())
        else:
            writer.writerows(self._rows[self._written :])
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        self._written = len(self._rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        if self._rows:
            self.save()
