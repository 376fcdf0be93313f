"""Progress in a log, where nobody sees a bar move."""

from __future__ import annotations

import time

import pytest

from visuotactile import progress
from visuotactile.progress import ProgressBar, track, working


def test_short_work_leaves_a_log_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2, 3], "drawing")) == [1, 2, 3]
    with working("laying out"):
        pass
    assert capsys.readouterr().err == ""


def test_long_work_says_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.05)
    for _ in track(range(60), "drawing"):
        time.sleep(0.01)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 6, "each line comes after twice the time"
    assert all(line.startswith("drawing: ") and " of 60" in line for line in lines)
    assert any("left" in line for line in lines)


def test_work_of_unknown_length_is_named_when_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SILENCE", 0.02)
    with working("laying out [2,000] points"):
        time.sleep(0.1)
    assert capsys.readouterr().err == "laying out [2,000] points …\n"


def test_a_bar_that_stays_ends_in_a_line_and_a_hidden_one_in_none(capsys: pytest.CaptureFixture[str]) -> None:
    for show in (True, False):
        with ProgressBar("{task.fields[rate]}", show=show) as bar:
            task = bar.add_task("trials", total=3, rate="")
            bar.update(task, completed=3, rate="5.0 trials/s")
    assert capsys.readouterr().err == "trials: 3 of 3, 5.0 trials/s\n"
