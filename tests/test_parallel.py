"""Workers end with the process that started them, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from visuotactile.errors import ResourceError, UsageError
from visuotactile.parallel import MOST_WORKERS, parallel

COMMAND = """
import sys, time
import numpy as np
import visuotactile.cli as cli
from visuotactile.parallel import parallel

def nap(number, data):
    time.sleep(0.1)
    return number

def run(words, speak):
    for number in parallel(2, nap, [(number, np.zeros(300_000)) for number in range(500)]):
        print(number, flush=True)

cli.run = run
sys.exit(cli.main([]))
"""


def session(number: int) -> list[str]:
    """Living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == number and fields[0] != "Z":
                found.append(folder.name)
    return found


@pytest.mark.parametrize(
    ("number", "to", "status"),
    [
        (signal.SIGTERM, "one", 130),
        (signal.SIGTERM, "group", 130),
        (signal.SIGINT, "group", 130),
        (signal.SIGHUP, "one", 130),
        (signal.SIGKILL, "one", -9),
    ],
)
def test_a_signal_ends_a_command_and_its_workers_and_leaves_nothing(
    number: signal.Signals, to: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    (os.killpg if to == "group" else os.kill)(process.pid, number)
    assert process.wait(20) == status
    until = time.monotonic() + 20
    while session(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert session(process.pid) == []
    assert [path.name for path in Path("/dev/shm").glob(f"*[-_]{process.pid}[-_]*")] == []
    assert process.stderr is not None
    said = [line for line in process.stderr.read().splitlines() if line.startswith("visuotactile:")]
    if status == 130:
        assert said == ["visuotactile: interrupted; run the same command to continue"]


def test_workers_that_never_got_a_task_end_too(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(session(process.pid)) < 3:  # the first worker has been started, and imports
        time.sleep(0.01)
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while session(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert session(process.pid) == []


def _die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_is_killed_is_one_sentence() -> None:
    with pytest.raises(ResourceError, match="a worker process was killed"):
        list(parallel(2, _die, [(number,) for number in range(8)]))
    assert list(parallel(1, _die, [(1,), (2,)])) == [1, 2]


@pytest.mark.parametrize("jobs", [0, MOST_WORKERS + 1])
def test_a_number_of_workers_that_cannot_be_is_refused(jobs: int) -> None:
    with pytest.raises(UsageError, match="expected 1 to"):
        list(parallel(jobs, _die, [(1,)]))
