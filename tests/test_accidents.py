"""Full disks, closed pipes, impossible paths, absent devices and locks: one sentence each, nothing lost."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import recordings_layouts
import torch
from shelf import SHELF, Shelf

import visuotactile.cli
from visuotactile.cli import COMMANDS, main
from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers import open_reader
from visuotactile.datasets.store import Store
from visuotactile.errors import PlanError, ResourceError
from visuotactile.files import atomic_folder, atomic_path, write_text
from visuotactile.grasp.episodes.regrasp import regrasp
from visuotactile.grasp.episodes.robot import EnvRobot
from visuotactile.training.fit import SafeCheckpoints


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on standard error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("visuotactile: error: ")
    assert len(lines[0]) < 2000
    return lines[0]


CODES = {
    "ENOSPC": "the disk is full",
    "EDQUOT": "the disk is full",
    "EFBIG": "the disk is full",
    "EROFS": "Read-only file system; give a place where you may read and write",
    "EACCES": "Permission denied; give a place",
    "ENAMETOOLONG": "the name is too long",
    "EMFILE": "too many files are open",
    "ENOENT": "No such file or directory; check the path",
    "ENOTDIR": "Not a directory; check the path",
    "EIO": "Input/output error",
    "ESTALE": "Stale file handle",
}


@pytest.mark.parametrize("name", CODES)
def test_every_error_of_the_file_system_is_one_sentence_with_the_path(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = getattr(errno, name)

    def fail(words: Any, speak: bool) -> None:
        raise OSError(number, os.strerror(number), "/somewhere/out.json")

    monkeypatch.setattr(visuotactile.cli, "run", fail)
    assert main([]) == 2
    sentence = said(capsys)
    assert CODES[name] in sentence
    assert "/somewhere/out.json" in sentence


def test_hdf5_and_want_of_memory_and_an_interruption_are_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(why: BaseException) -> Callable[[Any, bool], None]:
        def run(words: Any, speak: bool) -> None:
            raise why

        return run

    text = "Can't write data (file write failed: time = now, errno = 28, error message = 'No space …')"
    monkeypatch.setattr(visuotactile.cli, "run", fail(OSError(text)))
    assert main([]) == 2
    assert "the disk is full" in said(capsys)
    monkeypatch.setattr(visuotactile.cli, "run", fail(MemoryError()))
    assert main([]) == 2
    assert "the memory is not enough" in said(capsys)
    monkeypatch.setattr(visuotactile.cli, "run", lambda words, speak: os.kill(os.getpid(), signal.SIGTERM))
    assert main([]) == 130
    assert capsys.readouterr().err == "visuotactile: interrupted; run the same command to continue\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("target", "status"), [("a pipe that nobody reads", 0), ("/dev/full", 2)])
def test_an_output_that_takes_nothing_is_no_traceback(target: str, status: int) -> None:
    read, write = os.pipe()
    os.close(read)
    if target.startswith("/"):
        os.close(write)
        write = os.open(target, os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-m", "visuotactile", "--help"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.returncode == status
    assert done.stderr.count("\n") == status // 2, done.stderr


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of nine trials."""
    recordings_layouts.write_folder(tmp_path / "mine", 9)
    return tmp_path / "mine"


@pytest.mark.parametrize("place", ["x" * 300, "file/store", "/proc/store"])
def test_a_store_that_cannot_be_written_there_is_one_sentence(
    place: str, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["convert", "folder", str(mine), str(tmp_path / place)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("visuotactile: error: ")


def test_a_name_that_is_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".html")
    write_text(path, "a")
    assert path.read_text() == "a"
    with atomic_folder(tmp_path / ("x" * 255)) as folder:
        (folder / "a").write_text("")
    assert sorted(len(os.fsencode(each.name)) for each in tmp_path.iterdir()) == [255, 255]


def test_a_disk_that_is_full_while_a_store_is_made_loses_nothing(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["convert", "folder", str(mine), str(tmp_path / "store"), "--shard-trials=2"]
    left, allocate = [2], os.posix_fallocate

    def fill_up(*arguments: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(*arguments)

    monkeypatch.setattr(os, "posix_fallocate", fill_up)
    assert main(words) == 2
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert not list((tmp_path / "store").glob(".*.part"))
    assert len(list((tmp_path / "store").glob("shard-*.h5"))) == 2
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert main(words) == 0
    assert len(Store(tmp_path / "store")) == 9


def test_a_limit_on_the_size_of_files_is_one_sentence(mine: Path, tmp_path: Path) -> None:
    """Met within HDF5, which is not to be trusted in this process any more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))

    done = subprocess.run(
        [*(sys.executable, "-m", "visuotactile"), "convert", "folder", mine, tmp_path / "store"],
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("visuotactile:")]
    assert len(said) == 1
    assert "the disk is full" in said[0]


def test_a_checkpoint_that_the_disk_does_not_take_leaves_the_one_before(tmp_path: Path) -> None:
    path, checkpoints = tmp_path / "last.ckpt", SafeCheckpoints()
    checkpoints.save_checkpoint({"weights": torch.zeros(10)}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(ResourceError, match="the disk is full, or gone"):
            checkpoints.save_checkpoint({"weights": torch.ones(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert torch.equal(checkpoints.load_checkpoint(path)["weights"], torch.zeros(10))
    assert [each.name for each in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_folder_that_vanishes_while_it_is_written_is_one_sentence(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = type(open_reader("folder", mine))
    trial = reader.trial

    def vanish(self: Any, i: int) -> Any:
        if i == 5:
            shutil.rmtree(tmp_path / "store")
        return trial(self, i)

    monkeypatch.setattr(reader, "trial", vanish)
    assert main(["convert", "folder", str(mine), str(tmp_path / "store"), "--shard-trials=2"]) == 2
    assert "No such file or directory" in capsys.readouterr().err.splitlines()[-1]


def test_a_store_on_a_file_system_without_locks_is_made_and_says_so(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    convert("folder", mine, tmp_path / "store", progress=False)
    assert "cannot be locked; take care that no other process writes it" in capsys.readouterr().err


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    for name in (".a.json.dead.part", ".b.dead.part"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".folder.dead.part").mkdir()
    with atomic_path(tmp_path / "a.json") as first:
        with atomic_path(tmp_path / "a.json") as second:
            second.write_text("second")
        assert first.exists()
        first.write_text("first")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "x").write_text("")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.dead.part", "a.json", "folder"]
    assert (tmp_path / "a.json").read_text() == "first"


def test_a_folder_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(text: str) -> None:
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "x").write_text(text)

    write("old")
    monkeypatch.delattr(Path, "rename")  # of two steps, the first would leave no folder
    write("new")
    assert (tmp_path / "folder/x").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "nonsense", "meta"])
def test_a_device_that_is_not_there_is_one_sentence(
    device: str, encoders: list[Path], store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["probe", str(encoders[0]), f"--store={store.path}", "--target=success", "--split=object:2"],
        ["map", str(encoders[0]), f"--store={store.path}", "--colors=object"],
    ):
        assert main([*words, f"--out={tmp_path / 'out'}", f"--device={device}"]) == 2
        assert f"device {device!r} cannot be used here" in capsys.readouterr().err


NUMBERS = ["1e30", "1" + "0" * 30, "7" * 5000, "nan", "inf", "-inf", "1_0", "0x10", "--", "9" * 12]


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:12])
def test_numbers_beyond_measure_are_refused_by_name(
    text: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = f"--out={tmp_path / 'out'}"
    for words in (
        ["probe", "x", f"--store={store.path}", "--target=success", "--split=object", out, f"--seeds={text}"],
        ["collect", "grasp", f"--store={tmp_path / 'store'}", f"--trials={text}"],
        ["convert", "shapes", str(tmp_path / "store"), "--size", text, text],
    ):
        if text != "1_0" or words[0] == "probe":
            assert main(words) == 2
            assert len(said(capsys)) < 400


def test_a_path_that_is_not_text_is_looked_at(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / os.fsdecode(b"st\xffre")
    shutil.copytree(store.path, odd)
    out = tmp_path / os.fsdecode(b"look\xff.html")
    assert main(["look", str(odd), f"--out={out}"]) == 0
    assert "st\\udcffre" in out.read_text()
    shutil.rmtree(odd)
    assert main(["look", str(odd), f"--out={tmp_path / 'b.html'}"]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_every_command_is_known_to_these_tests() -> None:
    assert {"convert", "collect", "fit", "export", "probe", "map", "regrasp", "rounds"} <= set(COMMANDS)


def test_baselines_are_played_without_a_predictor(tmp_path: Path) -> None:
    report = regrasp([], SHELF, "mugs", tmp_path / "out", trials=1, films=0, progress=False)
    assert len(report["played"]["policies"]) > 1
    assert not any(policy["kind"] == "planner" for policy in report["played"]["policies"].values())


def test_a_pose_that_is_no_number_is_refused_by_name() -> None:
    robot, shelf = EnvRobot(gymnasium.make(SHELF, disable_env_checker=True)), Shelf()
    assert robot.reset(seed=0, options={"object": "mug-1"})["object"] == "mug-1"
    seen = {"pose": np.array([0.1, np.nan, 0.0, 0.0], np.float32)}
    with pytest.raises(PlanError, match=r"the environment observes pose as \[.*nan.*\]; expected finite"):
        robot._look(seen)
    assert shelf.embodiment == robot.embodiment
