"""A lab's own recordings as labs have them: clips, phones, spreadsheets, gaps, and more of them next week."""

import csv
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from visuotactile.datasets.clip_file import read_video
from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.folder import Folder
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, OutputExistsError

HEIGHT, WIDTH = 32, 48
UPRIGHT, CLOCKWISE, MIRRORED = (1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, 1)


def frames(count: int, bright: int = 0) -> list[np.ndarray]:
    """Frame k is as bright as 20 + 10·k, and its top left corner is white."""
    made = []
    for k in range(count):
        frame = np.full((HEIGHT, WIDTH, 3), 20 + 10 * k + bright, np.uint8)
        frame[:8, :8] = 255
        made.append(frame)
    return made


def write_video(path: Path, count: int = 10, shown: Sequence[int] = UPRIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = HEIGHT, WIDTH, "yuv420p", 4_000_000
        for frame in frames(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    if shown != UPRIGHT:  # as a phone does it: the pixels stay, the header says how to hold them
        data, (a, b, c, d) = bytearray(path.read_bytes()), (part * 2**16 for part in shown)
        start = data.index(b"tkhd") + 44
        data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
        path.write_bytes(data)


def write_table(root: Path, rows: Sequence[dict[str, str]], delimiter: str = ",", first: str = "") -> None:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "trials.csv").open("w", newline="", encoding="utf-8-sig") as file:
        file.write(first)
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def write_lab(root: Path, trials: int = 12, **changes: str) -> list[dict[str, str]]:
    """Four objects, each pressed on a dark gel at a place of its own, and no picture without contact."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(trials):
        gel = np.full((16, 24, 3), 60, np.uint8)
        gel[4:10, 5 * (i % 4) : 5 + 5 * (i % 4)] = 200
        Image.fromarray(gel).save(root / f"{i}.png")
        rows.append(
            {
                "name": f"t{i}",
                "object": f"o{i % 4}",
                "session": "monday",
                "sensor": "DIGIT",
                "finger/during": f"{i}.png",
                "outcome/shape": ("ball_logo", "cube")[i % 2],
            }
            | changes
        )
    write_table(root, rows)
    return rows


def test_videos_folders_and_patterns_of_frames_are_the_same_clips(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    write_video(root / "Film 1 (Kopie).mp4")
    write_video(root / "IMG_2.MOV")
    write_video(root / "3.avi")
    (root / "4").mkdir()
    for k, frame in enumerate(frames(10)):
        Image.fromarray(frame).save(root / f"4/frame{k}.png")
        Image.fromarray(frame).save(root / f"5_{k}.jpg", quality=95)
    (root / "4/._frame0.png").write_bytes(b"a Mac was here")
    cells = ["Film 1 (Kopie).mp4", "IMG_2.MOV", "3.avi", "4", "5_*.jpg"]
    write_table(
        root, [{"name": str(i), "object": "o", "finger/during": cell} for i, cell in enumerate(cells)]
    )
    store = convert("folder", root, tmp_path / "store", options={"frames": 4}, progress=False)
    clips = store.read("finger", "during", range(5))
    assert clips.shape == (5, 4, HEIGHT, WIDTH, 3)
    middles = clips[:, :, 20:, 30:].mean(axis=(2, 3, 4))
    np.testing.assert_allclose(middles, np.tile([20, 50, 80, 110], (5, 1)), atol=4)  # frames 0, 3, 6, 9
    assert store.index["settings"]["frames"] == 4
    third = convert(
        "folder", root, tmp_path / "third", options={"frames": 3, "stride": 2}, progress=False
    ).read("finger", "during", [1])[0]
    np.testing.assert_allclose(third[:, 20:, 30:].mean(axis=(1, 2, 3)), [20, 40, 60], atol=4)


def test_frame_ten_comes_after_frame_nine(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for k, frame in enumerate(frames(12)):
        Image.fromarray(frame).save(tmp_path / f"clip/{k}.png")
    write_table(tmp_path, [{"name": "a", "object": "o", "finger/during": "clip"}])
    clip = Folder(tmp_path, frames=12).trial(0).streams["finger"]["during"]
    assert (np.diff(clip[:, 20, 30, 0].astype(int)) == 10).all()


def test_a_phones_video_is_turned_as_it_is_shown(tmp_path: Path) -> None:
    write_video(tmp_path / "turned.mp4", shown=CLOCKWISE)
    clip = read_video(tmp_path / "turned.mp4", "here", 2, 0)
    assert clip.shape == (2, WIDTH, HEIGHT, 3)
    assert clip[0, :6, -6:].min() > 200  # the corner that was top left
    assert clip[0, :6, :6].max() < 60
    write_video(tmp_path / "mirrored.mp4", shown=MIRRORED)
    with pytest.raises(DataError, match=r"here: mirrored\.mp4 is to be shown mirrored or tilted"):
        read_video(tmp_path / "mirrored.mp4", "here", 2, 0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:900]), "cannot be decoded"),
        (lambda path: path.write_bytes(b""), "cannot be decoded"),
        (lambda path: path.write_bytes(b"\x80\x04pickle" * 100), "cannot be decoded"),
        (lambda path: path.write_text("#EXTM3U\n/etc/passwd\n"), "cannot be decoded"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "but a device or a pipe"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "leads out of"),
        (lambda path: write_video(path, 3), "has 3 frames; 8 frames take 8 or more"),
    ],
)
def test_a_clip_that_cannot_be_read_is_named_at_once(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    write_video(tmp_path / "mine/a.mp4")
    write_table(tmp_path / "mine", [{"name": "a", "object": "o", "finger/during": "a.mp4"}])
    spoil(tmp_path / "mine/a.mp4")
    with pytest.raises(DataError) as caught:
        convert("folder", tmp_path / "mine", tmp_path / "store", progress=False)
    assert "row 2, column finger/during" in str(caught.value)
    assert said in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_every_error_of_a_table_is_listed_at_once_by_row(tmp_path: Path) -> None:
    rows = write_lab(tmp_path, 9)
    rows[0]["name"] = ""
    rows[1]["finger/during"] = "1.PNG"
    rows[3]["name"] = "t2"
    for row, force in zip(rows, ["1", "2", "n/a", "4", "5", "strong", "", "8", "9"], strict=True):
        row["action/force"] = force
    write_table(tmp_path, rows)
    with pytest.raises(DataError) as caught:
        Folder(tmp_path)
    lines = str(caught.value).splitlines()
    assert "has 5 errors in 5 rows; nothing was converted:" in lines[0]
    assert [line.strip().split(":")[0] for line in lines[1:]] == [
        "row 2, column name",
        "row 3, column finger/during",
        "row 4, column action/force",
        "row 5, column name",
        "row 7, column action/force",
    ]
    assert "did you mean 1.png?" in lines[2]
    assert "nothing where there is none" in lines[3]


def test_a_thousand_errors_are_shown_as_twenty(tmp_path: Path) -> None:
    write_table(tmp_path, [{"name": f"{i}", "object": "o", "finger/during": f"{i}.png"} for i in range(1000)])
    with pytest.raises(DataError) as caught:
        Folder(tmp_path)
    lines = str(caught.value).splitlines()
    assert "has 1000 errors in 1000 rows" in lines[0]
    assert (len(lines), lines[-1].strip()) == (22, "and 980 more")


@pytest.mark.parametrize(("delimiter", "first"), [(";", ""), ("\t", ""), (";", "sep=;\r\n")])
def test_a_table_of_semicolons_or_tabs_has_decimal_commas(tmp_path: Path, delimiter: str, first: str) -> None:
    rows = [
        {**row, "action/force": force, "Größe (mm)": "3, etwa"}
        for row, force in zip(write_lab(tmp_path, 3), ["12,5", "", "1e-1"], strict=True)
    ]
    capitals = [{{"name": "Name", "object": "Object"}.get(k, k): v for k, v in row.items()} for row in rows]
    write_table(tmp_path, [*capitals, dict.fromkeys(capitals[0], "")], delimiter, first)
    reader = Folder(tmp_path)
    assert [reader.trial(i).action["force"] for i in (0, 2)] == [12.5, 0.1]
    assert np.isnan(reader.trial(1).action["force"])
    assert reader.trial(0).columns == {"Gro_e_mm": "3, etwa"}
    assert "column 'Größe (mm)' is kept as 'Gro_e_mm'" in reader.notes


def test_outcomes_in_words_stay_words_and_numbers_stay_numbers(tmp_path: Path) -> None:
    rows = write_lab(tmp_path)
    for i, row in enumerate(rows):
        row |= {"outcome/success": str(i % 2) if i else "", "outcome/grade": str(i / 2)}
    write_table(tmp_path, rows)
    trials = [Folder(tmp_path).trial(i) for i in range(2)]
    assert [trial.outcomes["shape"] for trial in trials] == ["ball_logo", "cube"]
    assert [trial.outcomes["grade"] for trial in trials] == [0, 0.5]
    assert np.isnan(trials[0].outcomes["success"])
    rows[4]["outcome/grade"] = "good"
    write_table(tmp_path, rows)
    with pytest.raises(DataError, match="row 6, column outcome/grade: 'good' is not a number as other cells"):
        Folder(tmp_path)


def test_a_label_without_its_group_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_lab(tmp_path / "mine", 2, success="1")
    assert rows[0]["success"] == "1"
    convert("folder", tmp_path / "mine", tmp_path / "store", progress=False)
    assert "'success' is kept as text, and cannot be predicted" in capsys.readouterr().err


def test_a_store_of_ones_own_has_a_name(tmp_path: Path) -> None:
    write_lab(tmp_path / "mine", 2)
    store = convert("folder", tmp_path / "mine", tmp_path / "store", name="presses of May", progress=False)
    assert (store.name, Store(store.path).name) == ("presses of May", "presses of May")
    with pytest.raises(OutputExistsError, match="other settings: dataset presses of May → folder;"):
        convert("folder", tmp_path / "mine", tmp_path / "store", progress=False)
    with pytest.raises(DataError, match="name is for your own recordings"):
        convert("shapes", None, tmp_path / "other", name="mine")


@pytest.mark.parametrize("by", ["sensor", "session"])
def test_a_missing_reference_is_the_gel_without_any_imprint(tmp_path: Path, by: str) -> None:
    write_lab(tmp_path / "mine")
    store = convert("folder", tmp_path / "mine", tmp_path / "store", estimate_before=by, progress=False)
    assert (store.read("finger", "before", range(12)) == 60).all()
    assert store.index["settings"]["estimate_before"] == by
    assert set(store.column("estimated_before").tolist()) == {"finger"}


def test_a_reference_takes_no_recording_of_the_same_object_and_no_label(tmp_path: Path) -> None:
    rows = write_lab(tmp_path)
    before = [Folder(tmp_path, estimate_before="sensor").trial(i).streams["finger"]["before"] for i in (0, 1)]
    for i in (4, 8):  # other recordings of o0
        Image.fromarray(np.full((16, 24, 3), 255, np.uint8)).save(tmp_path / f"{i}.png")
    write_table(tmp_path, [row | {"outcome/shape": "cube"} for row in rows])
    after = [Folder(tmp_path, estimate_before="sensor").trial(i).streams["finger"]["before"] for i in (0, 1)]
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


def test_too_few_recordings_for_a_reference_are_named(tmp_path: Path) -> None:
    write_lab(tmp_path, 4)
    with pytest.raises(DataError, match=r"sensor 'DIGIT' has 3 recordings of 3 other objects than 'o0'"):
        Folder(tmp_path, estimate_before="sensor")
    write_lab(tmp_path, session="")
    with pytest.raises(DataError, match="row 2, column session: empty; --estimate-before session needs it"):
        Folder(tmp_path, estimate_before="session")
    rows = write_lab(tmp_path)
    write_table(tmp_path, [row | {"finger/before": row["finger/during"]} for row in rows])
    with pytest.raises(DataError, match="no stream has during and lacks before"):
        Folder(tmp_path, estimate_before="sensor")


def test_next_weeks_recordings_are_appended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_lab(tmp_path / "mine", 9)
    write_table(tmp_path / "mine", rows[3:6])
    options = {"shard_trials": 2, "progress": False}
    first = convert("folder", tmp_path / "mine", tmp_path / "store", name="mine", **options)
    write_table(tmp_path / "mine", rows)
    with pytest.raises(OutputExistsError, match="lacks 6 of the 9 trials; --append adds them"):
        convert("folder", tmp_path / "mine", tmp_path / "store", name="mine", **options)
    both = convert("folder", tmp_path / "mine", tmp_path / "store", append=True, **options)
    assert both.names.tolist() == ["t3", "t4", "t5", "t0", "t1", "t2", "t6", "t7", "t8"]
    assert both.name == "mine"
    assert both.fingerprint != first.fingerprint
    for name in both.names.tolist():
        i, picture = (
            both.names.tolist().index(name),
            np.asarray(Image.open(tmp_path / f"mine/{name[1:]}.png")),
        )
        np.testing.assert_array_equal(both.read("finger", "during", [i])[0], picture)
    whole = convert("folder", tmp_path / "mine", tmp_path / "whole", name="mine", **options)
    assert both.index["statistics"] == whole.index["statistics"]
    assert [each["trials"] for each in both.index["appended"]] == [6]
    again = convert("folder", tmp_path / "mine", tmp_path / "store", append=True, **options)
    assert again.index == both.index
    assert "has all 9 trials already" in capsys.readouterr().err
    assert (
        convert("folder", tmp_path / "mine", tmp_path / "store", name="mine", **options).index == both.index
    )


def test_other_settings_are_not_appended_and_are_named(tmp_path: Path) -> None:
    rows = write_lab(tmp_path / "mine")
    write_table(tmp_path / "mine", rows[:3])
    convert("folder", tmp_path / "mine", tmp_path / "store", progress=False)
    kept = (tmp_path / "store/store.json").read_bytes()
    write_table(tmp_path / "mine", rows)
    for changes, said in (
        ({"size": (8, 8)}, r"other settings: settings.size null → \[8, 8\]"),
        ({"estimate_before": "sensor"}, "settings.estimate_before null → sensor"),
        ({"name": "other"}, "other settings: dataset folder → other;"),
    ):
        with pytest.raises(OutputExistsError, match=said):
            convert("folder", tmp_path / "mine", tmp_path / "store", append=True, progress=False, **changes)
    write_table(tmp_path / "mine", [row | {"action/force": "1"} for row in rows])
    with pytest.raises(OutputExistsError, match=r"layout\.columns\.action/force null → number"):
        convert("folder", tmp_path / "mine", tmp_path / "store", append=True, progress=False)
    assert (tmp_path / "store/store.json").read_bytes() == kept
    with pytest.raises(DataError, match="append adds to a store, and overwrite replaces it"):
        convert("folder", tmp_path / "mine", tmp_path / "store", append=True, overwrite=True)


KILLED = """
import os, signal, sys
from visuotactile.datasets import writer
from visuotactile.datasets.convert import convert
count, finish = int(sys.argv[3]), writer.NewShard.finish
def finish_or_die(shard):
    global count
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count -= 1
    finish(shard)
writer.NewShard.finish = finish_or_die
write = writer.write_json
def write_or_die(path, value):
    if path.name == "store.json" and count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, value)
writer.write_json = write_or_die
convert("folder", sys.argv[1], sys.argv[2], shard_trials=2, append=True, progress=False)
"""


@pytest.mark.parametrize("shards", [1, 3])
def test_a_killed_append_loses_nothing_and_goes_on(tmp_path: Path, shards: int) -> None:
    rows, store = write_lab(tmp_path / "mine", 9), tmp_path / "store"
    write_table(tmp_path / "mine", rows[:3])
    first = convert("folder", tmp_path / "mine", store, shard_trials=2, progress=False)
    write_table(tmp_path / "mine", rows)
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "mine", store, str(shards)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Store(store).index == first.index  # what was there is there
    kept = {path.name: path.stat().st_ino for path in store.glob("shard-*.h5")}
    assert len(kept) == 2 + shards
    both = convert("folder", tmp_path / "mine", store, shard_trials=2, append=True, progress=False)
    assert len(both) == 9
    after = {path.name: path.stat().st_ino for path in store.iterdir()}
    assert all(after[name] == inode for name, inode in kept.items())  # finished shards were not made again
    assert sorted(after) == [*(f"shard-{i:05d}.h5" for i in range(5)), "store.json"]


def test_an_append_that_was_killed_may_go_on_with_more(tmp_path: Path) -> None:
    rows, store = write_lab(tmp_path / "mine", 9), tmp_path / "store"
    write_table(tmp_path / "mine", rows[:3])
    convert("folder", tmp_path / "mine", store, shard_trials=2, progress=False)
    write_table(tmp_path / "mine", rows[:7])
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "mine", store, "1"], check=False)
    write_table(tmp_path / "mine", rows[:3] + rows[4:])
    both = convert("folder", tmp_path / "mine", store, shard_trials=2, append=True, progress=False)
    assert both.names.tolist() == ["t0", "t1", "t2", "t4", "t5", "t6", "t7", "t8"]
    assert (both.read("finger", "during", [3])[0] == np.asarray(Image.open(tmp_path / "mine/4.png"))).all()
