"""FOLDER/metrics.csv through steps, new columns and interruptions."""

from __future__ import annotations

import csv
from pathlib import Path

from visuotactile.training.metrics import METRICS, MetricsFile


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / METRICS, newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def test_a_step_has_one_row_and_a_metric_one_column(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path)
    log.log_metrics({"epoch": 0, "loss": 2.0}, 0)
    log.log_metrics({"epoch": 0, "loss": 1.0}, 1)
    log.log_metrics({"epoch": 0, "val_loss": 3.0}, 1)
    log.finalize("success")
    assert rows(tmp_path) == [
        {"epoch": "0", "step": "0", "loss": "2.0"},
        {"epoch": "0", "step": "1", "loss": "1.0", "val_loss": "3.0"},
    ]
    log.log_metrics({"epoch": 0, "lr": 0.1}, 1)
    log.save()
    assert rows(tmp_path)[1]["lr"] == "0.1"
    assert (tmp_path / METRICS).read_text().splitlines()[0] == "epoch,step,loss,val_loss,lr"


def test_a_resumed_run_goes_on_from_its_checkpoint_in_the_same_file(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path)
    for step in range(5):
        log.log_metrics({"epoch": 0, "loss": float(step)}, step)
    # Killed here, after a checkpoint at step 3; the last row was not yet written.
    again = MetricsFile(tmp_path)
    again.resume(3)
    for step in range(3, 6):
        again.log_metrics({"epoch": 1, "loss": 10.0 + step}, step)
    again.finalize("success")
    assert [row["loss"] for row in rows(tmp_path)] == ["0.0", "1.0", "2.0", "13.0", "14.0", "15.0"]


def test_a_run_that_begins_anew_keeps_nothing_of_one_that_never_saved(tmp_path: Path) -> None:
    for loss in (1.0, 2.0):
        log = MetricsFile(tmp_path)
        log.log_metrics({"epoch": 0, "loss": loss}, 0)
        log.finalize("success")
    assert [row["loss"] for row in rows(tmp_path)] == ["2.0"]
