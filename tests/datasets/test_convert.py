import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visuotactile.datasets.convert import convert
from visuotactile.datasets.fill import resize
from visuotactile.datasets.readers import READERS, open_reader, reader_class
from visuotactile.errors import DataError, OutputExistsError, StoreError

SHAPES = {"per_shape": 2}


def _content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def _shards(path: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in path.glob("shard-*.h5")}


def test_a_killed_convert_continues_where_it_stopped(tmp_path: Path) -> None:
    code = (
        "import sys; from visuotactile.datasets.convert import convert; print('go', flush=True); "
        "convert('shapes', None, sys.argv[1], options={'per_shape': 5}, shard_trials=2, progress=False)"
    )
    store, rng, kills = tmp_path / "killed", random.Random(0), 0
    known: dict[str, tuple[int, int]] = {}
    while True:
        command = [sys.executable, "-c", code, str(store)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}
        ) as run:
            assert run.stdout is not None
            run.stdout.readline()
            if kills < 5:
                enough = len(known) + rng.randint(0, 3)
                while run.poll() is None and (not store.exists() or len(_shards(store)) < enough):
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.06))
                run.send_signal(signal.SIGKILL)
                kills += 1
            code_ = run.wait()
        found = _shards(store) if store.exists() else {}
        assert known.items() <= found.items(), "a finished shard was lost or written again"
        known = found
        if code_ == 0:
            break
        assert code_ == -signal.SIGKILL
    assert kills == 5
    convert("shapes", None, tmp_path / "whole", options={"per_shape": 5}, shard_trials=2, progress=False)
    assert _content(store) == _content(tmp_path / "whole")


def test_several_jobs_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    for jobs in (1, 2):
        convert(
            "shapes", None, tmp_path / str(jobs), options=SHAPES, shard_trials=10, jobs=jobs, progress=False
        )
    assert _content(tmp_path / "1") == _content(tmp_path / "2")


def test_a_finished_store_is_said_to_be_and_opened(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = convert("shapes", None, tmp_path / "a", options=SHAPES)
    assert "trials/s" in capfd.readouterr().err
    before = _shards(tmp_path / "a")
    again = convert("shapes", None, tmp_path / "a", options=SHAPES)
    assert "is finished already: 24 trials of shapes" in capfd.readouterr().err.replace("\n", "")
    assert again.fingerprint == first.fingerprint
    assert _shards(tmp_path / "a") == before
    with pytest.raises(OutputExistsError):
        convert("shapes", None, tmp_path / "a", options={"per_shape": 1}, progress=False)
    assert len(convert("shapes", None, tmp_path / "a", options={"per_shape": 1}, overwrite=True)) == 12


def test_an_unfinished_store_is_not_continued_with_other_settings(tmp_path: Path) -> None:
    convert("shapes", None, tmp_path, options=SHAPES, progress=False)
    (tmp_path / "store.json").unlink()
    with pytest.raises(StoreError, match="holds shards but no"):
        convert("shapes", None, tmp_path, options=SHAPES, progress=False)


def test_a_failing_recording_stops_the_conversion_with_its_name(
    tmp_path: Path, write_folder: Callable[..., None]
) -> None:
    write_folder(tmp_path / "mine", trials=4)
    broken = tmp_path / "mine/images/2-before.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:60])
    for jobs in (1, 2):
        with pytest.raises(DataError, match=r"row 4, column tactile_left/before: 2-before\.png"):
            convert(
                "folder", tmp_path / "mine", tmp_path / "store", shard_trials=2, jobs=jobs, progress=False
            )
    broken.write_bytes(whole)
    assert len(convert("folder", tmp_path / "mine", tmp_path / "store", shard_trials=2, progress=False)) == 4


def test_clips_get_fewer_trials_to_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visuotactile.datasets.fill.SHARD_BYTES", 10 * 4 * 20 * 30 * 3)
    store = convert("shapes", None, tmp_path, options=SHAPES, size=(20, 30), progress=False)
    assert [shard["trials"] for shard in store.index["shards"]] == [10, 10, 4]


def test_resizing_averages_what_it_shrinks() -> None:
    checkers = np.indices((64, 64)).sum(0) % 2 * 200
    image = np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8)
    small = resize(image, (16, 16))
    assert small.shape == (16, 16, 3)
    assert abs(small[4:-4, 4:-4].astype(int) - 100).max() <= 2
    assert resize(np.stack([image] * 2), (8, 9)).shape == (2, 8, 9, 3)
    expected = np.asarray(Image.fromarray(image[..., 0]).resize((9, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize(image[..., :1], (8, 9))[..., 0], expected)


def test_only_pictures_are_resized() -> None:
    depth, sound = np.ones((8, 8), np.float32), np.ones((8, 2), np.int16)
    assert resize(depth, (4, 4)) is depth
    assert resize(sound, (4, 4)) is sound


@pytest.mark.parametrize("size", [(0, 5), (5,), (5.0, 5), (9000, 5)])
def test_a_senseless_size_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="height and width"):
        convert("shapes", None, tmp_path, size=size, progress=False)


def test_every_reader_tells_its_name_and_what_it_reads() -> None:
    for name in READERS:
        reader = reader_class(name)
        assert reader.name == name
        assert reader.description


def test_an_unknown_dataset_or_option_is_answered_with_the_close_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean incipient-slip"):
        open_reader("incipient_slip", str(tmp_path))
    with pytest.raises(DataError, match="no option 'per_form'; it has per_shape, seed"):
        open_reader("shapes", None, {"per_form": 3})
    for name in READERS:
        if name != "shapes":
            with pytest.raises(DataError, match="needs the folder"):
                open_reader(name, None)
            with pytest.raises(DataError):
                open_reader(name, str(tmp_path / "nowhere"))
