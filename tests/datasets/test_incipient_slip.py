from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.background import Backgrounds
from visuotactile.datasets.readers.incipient_slip import IncipientSlip, marker_pitch
from visuotactile.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "incipient_slip"
WriteSlips = Callable[..., None]


def _brightness(image: np.ndarray) -> np.ndarray:
    """The frame number that the clip's writer painted into each image."""
    return (np.median(image.reshape(*image.shape[:-3], -1), axis=-1) - 40) / 4


def test_the_first_second_is_read_without_its_dark_frame(tmp_path: Path, write_slips: WriteSlips) -> None:
    write_slips(tmp_path, {"training/mug/3": 32})
    trial = IncipientSlip(tmp_path, before="early").trial(0)
    for stream in ("tactile_left", "tactile_right"):
        images = trial.streams[stream]
        assert images["during"].shape == (8, 240, 320, 3)
        assert abs(_brightness(images["during"]) - np.arange(3, 25, 3)).max() < 0.7
        assert abs(_brightness(images["before"]) - 2) < 0.7
        assert set(images) == {"before", "during"}


@pytest.mark.parametrize(("stride", "frames"), [(1, 24), (3, 8), (8, 3), (24, 1)])
def test_the_stride_thins_the_clip(tmp_path: Path, write_slips: WriteSlips, stride: int, frames: int) -> None:
    write_slips(tmp_path, {"training/mug/3": 32})
    clip = IncipientSlip(tmp_path, stride=stride, before="early").trial(0).streams["tactile_left"]["during"]
    assert len(clip) == frames
    with pytest.raises(DataError, match="stride is 25"):
        IncipientSlip(tmp_path, stride=25)


def test_labels_objects_and_the_official_split_come_from_the_folders(
    tmp_path: Path, write_slips: WriteSlips
) -> None:
    write_slips(tmp_path, {"training/mug/10": 32, "training/mug/9": 32, "validation/can/1": 45})
    early = {"before": "early"}
    store = convert(
        "incipient-slip", tmp_path, tmp_path / "store", size=(12, 16), options=early, progress=False
    )
    assert store.names.tolist() == ["train/mug/9", "train/mug/10", "test/can/1"]
    assert store.objects.tolist() == ["mug", "mug", "can"]
    assert store.column("slip").tolist() == [1, 0, 1]
    assert store.column("official_split").tolist() == ["train", "train", "test"]
    assert store.sessions.tolist() == ["rig-32px", "rig-32px", "rig-45px"]


def test_the_rig_is_told_by_the_markers_and_never_by_the_length(
    tmp_path: Path, write_slips: WriteSlips
) -> None:
    write_slips(tmp_path, {"training/mug/1": 30, "training/mug/2": 35}, frames=60)
    write_slips(tmp_path, {"training/mug/3": 43}, frames=26)
    write_slips(tmp_path, {"training/mug/4": 45}, frames=60)
    reader = IncipientSlip(tmp_path, before="early")
    sessions = [reader.trial(i).session for i in range(4)]
    assert sessions == ["rig-32px", "rig-32px", "rig-45px", "rig-45px"]


def test_nothing_in_a_trial_tells_how_long_its_clip_was(tmp_path: Path, write_slips: WriteSlips) -> None:
    write_slips(tmp_path / "a", {"training/mug/1": 32}, frames=26)
    write_slips(tmp_path / "b", {"training/mug/1": 32}, frames=60)
    short, long = (
        IncipientSlip(tmp_path / "a", before="early").trial(0),
        IncipientSlip(tmp_path / "b", before="early").trial(0),
    )
    assert short.table() == long.table()
    assert short.streams["tactile_left"]["during"].shape == long.streams["tactile_left"]["during"].shape


def test_a_clip_shorter_than_its_first_second_is_named(tmp_path: Path, write_slips: WriteSlips) -> None:
    write_slips(tmp_path, {"training/mug/1": 32}, frames=24)
    with pytest.raises(DataError, match=r"camera_0\.avi ends after 24 frames"):
        IncipientSlip(tmp_path, before="early").trial(0)


def test_a_missing_empty_or_foreign_clip_is_named(tmp_path: Path, write_slips: WriteSlips) -> None:
    write_slips(tmp_path, {"training/mug/1": 32})
    clip = tmp_path / "base_data_for_training/mug/exp_num_1/camera_2.avi"
    whole = clip.read_bytes()
    for content in (b"", b"RIFF", whole[: len(whole) // 3], b"\x80\x04pickle" * 100):
        clip.write_bytes(content)
        with pytest.raises(DataError, match=r"camera_2\.avi"):
            IncipientSlip(tmp_path, before="early").trial(0)
    clip.unlink()
    with pytest.raises(DataError, match=r"camera_2\.avi"):
        IncipientSlip(tmp_path, before="early").trial(0)


def test_a_background_is_the_same_gel_without_the_imprint() -> None:
    rng = np.random.default_rng(0)
    gels = [np.full((40, 60, 3), color, np.uint8) for color in ((40, 90, 120), (120, 90, 40))]
    frames, objects = [], []
    for i in range(12):
        frame = gels[i % 2].copy()
        top, left = rng.integers(0, 30), rng.integers(0, 50)
        frame[top : top + 8, left : left + 8] = 250
        frames.append(frame)
        objects.append(f"object {i}")
    for i, frame in enumerate(frames):
        found = Backgrounds(frames, objects).estimate(frame, objects[i])
        assert (found != gels[i % 2]).mean() < 0.03


def test_the_held_object_and_test_recordings_lend_nothing_to_a_background(
    tmp_path: Path, write_slips: WriteSlips
) -> None:
    write_slips(tmp_path, {f"training/mug/{i}": 32 for i in range(6)} | {"validation/can/1": 32})
    reader = IncipientSlip(tmp_path)
    with pytest.raises(DataError, match=r"0 training frames of other objects than 'mug'.*before=early"):
        reader.trial(0)
    assert reader.trial(6).streams["tactile_left"]["before"].shape == (240, 320, 3)


def test_an_unknown_before_is_refused(tmp_path: Path, write_slips: WriteSlips) -> None:
    write_slips(tmp_path, {"training/mug/1": 32})
    with pytest.raises(DataError, match="expected background or early"):
        IncipientSlip(tmp_path, before="later")  # type: ignore[arg-type]


def test_marker_pitch_is_the_distance_of_the_markers() -> None:
    v, u = np.mgrid[0:240, 0:320]
    for pitch in (28, 32, 40, 45, 50):
        image = 200 * (np.hypot(u % pitch - pitch / 2, v % pitch - pitch / 2) > 5)
        assert abs(marker_pitch([np.repeat(image[..., None], 3, 2).astype(np.uint8)]) - pitch) < 2.5


@pytest.mark.skipif(not SHARED.exists(), reason="the real recordings are not at hand (../shared)")
def test_the_real_recordings_come_from_two_rigs() -> None:
    reader = IncipientSlip(SHARED, stride=24)
    assert len(reader) == 198
    trials = [reader.trial(i) for i in range(0, len(reader), 18)]
    assert {trial.session for trial in trials} == {"rig-32px", "rig-45px"}
    assert {trial.streams["tactile_left"]["during"].shape for trial in trials} == {(1, 240, 320, 3)}
