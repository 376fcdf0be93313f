"""Clips: what is read, which frames are chosen, and what counts as a contact."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from visuotactile.datasets.clips import Clip, chosen_frames, contact_growth, read_clip
from visuotactile.errors import DataError


def press(moments=12, noise=1.0, seed=0, depth=40.0, size=(60, 80)) -> Clip:
    """A bump that grows, holds and is released, in a noisy picture."""
    rng = np.random.default_rng(seed)
    bare = np.full((*size, 3), 110.0) + rng.normal(0, 8, (*size, 1))
    v, u = np.mgrid[: size[0], : size[1]]
    grown = np.concatenate([np.linspace(0, 1, moments - 4) ** 2, [1, 1], [0.5, 0.2]])
    frames = []
    for share in grown:
        radius = 3 + 14 * share
        imprint = depth * share * np.maximum(1 - np.hypot(v - 30, u - 45) / radius, 0)
        frames.append(bare + imprint[..., None] * (1, -0.5, 0.3))
    exposed = [each * (1 + 0.01 * rng.normal()) + rng.normal(0, noise, bare.shape) for each in frames]
    return Clip(
        name="press",
        frames=np.clip(exposed, 0, 255).astype(np.uint8),
        reference=np.clip(bare + rng.normal(0, noise, bare.shape), 0, 255).astype(np.uint8),
    )


def test_growth_rises_with_the_contact_and_not_with_the_exposure() -> None:
    growth, touched = contact_growth(press())
    assert (np.diff(growth[2:9]) > 0).all()
    assert growth[-1] < growth[7]
    assert not touched[0]
    assert touched[4:10].all()


def test_a_bare_gel_shows_no_contact_however_noisy() -> None:
    for noise in (0.0, 0.5, 3.0):
        _, touched = contact_growth(press(noise=noise, depth=0.0))
        assert not touched.any()


def test_frames_are_at_equal_steps_of_growth_up_to_the_peak() -> None:
    growth = np.array([0, 0, 1, 2, 2.2, 5, 5.1, 9, 8, 3], float)
    touched = growth > 0.5
    assert chosen_frames(growth, touched, 5).tolist() == [2, 5, 5, 7, 7]
    assert chosen_frames(growth, touched, 1).tolist() == [7]
    assert chosen_frames(growth, np.zeros(10, bool), 3).tolist() == [0, 5, 7]


def test_the_same_press_twice_as_slow_gives_the_same_moments() -> None:
    fast = np.linspace(0, 1, 11) ** 2
    slow = np.repeat(fast, 2)
    everywhere = [np.ones(len(each), bool) for each in (fast, slow)]
    assert (chosen_frames(slow, everywhere[1]) // 2).tolist() == chosen_frames(fast, everywhere[0]).tolist()


def test_training_shifts_all_steps_but_the_peak() -> None:
    growth, touched = np.linspace(0, 1, 101), np.ones(101, bool)
    drawn = np.stack([chosen_frames(growth, touched, 5, np.random.default_rng(seed)) for seed in range(50)])
    assert (drawn[:, -1] == 100).all()
    assert (np.diff(drawn, axis=1) >= 0).all()
    assert (drawn[:, 1:-1].std(axis=0) > 4).all()
    again = chosen_frames(growth, touched, 5, np.random.default_rng(3))
    assert again.tolist() == drawn[3].tolist()


def test_a_folder_of_frames_and_a_video_are_read_alike(tmp_path) -> None:
    clip = press(moments=12)
    whole = np.concatenate([clip.reference[None], clip.frames])
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(whole):
        Image.fromarray(frame).save(folder / f"frame{number}.png")  # frame10 follows frame9
    found = read_clip(folder)
    np.testing.assert_array_equal(found.frames, clip.frames)
    np.testing.assert_array_equal(found.reference, clip.reference)

    with av.open(str(tmp_path / "press.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.bit_rate = 80, 60, 4_000_000
        for frame in whole:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    video = read_clip(tmp_path / "press.mp4")
    assert video.frames.shape == clip.frames.shape
    assert np.abs(video.frames.astype(int) - clip.frames).mean() < 6

    Image.fromarray(clip.reference).save(tmp_path / "bare.png")
    assert len(read_clip(folder, tmp_path / "bare.png").frames) == 13


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: None, "holds no .png"),
        (lambda folder: _pictures(folder, [(60, 80)] * 2), "expected a bare gel and at least 2"),
        (lambda folder: _pictures(folder, [(60, 80), (60, 80), (30, 40)]), "expected one size"),
        (lambda folder: (folder / "a.png").write_bytes(b"no picture"), "not a whole PNG"),
    ],
)
def test_what_is_no_press_is_refused(tmp_path, write, message) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=message):
        read_clip(tmp_path)


def test_a_damaged_video_and_a_reference_of_another_size_are_refused(tmp_path) -> None:
    (tmp_path / "press.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_clip(tmp_path / "press.mp4")
    _pictures(tmp_path, [(60, 80)] * 4)
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(tmp_path / "bare.jpg")
    (tmp_path / "frames").mkdir()
    _pictures(tmp_path / "frames", [(60, 80)] * 4)
    with pytest.raises(DataError, match="same sensor"):
        read_clip(tmp_path / "frames", tmp_path / "bare.jpg")


def _pictures(folder, sizes) -> None:
    for number, size in enumerate(sizes):
        Image.fromarray(np.full((*size, 3), number, np.uint8)).save(folder / f"{number}.png")
