"""A calibration is read whole or refused with a reason, and is what the sensor then shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tactile_helpers import SHAPE, SPHERE, SPHERE_RADIUS, imprint, pad_at

from visuotactile.errors import DataError
from visuotactile.sim.tactile import TactileSensor, make_unit, read_calibration

SLOPES, DIRECTIONS = 125, 100


def tables() -> dict[str, Any]:
    """Red brightens with the slope to the right, green with the slope downward, blue grows to the right."""
    # Each bin holds what its middle shows, as one that is fitted to many pixels does.
    slope = (np.arange(SLOPES)[:, None] + 0.5) / (SLOPES - 1) * np.pi / 2
    direction = (np.arange(DIRECTIONS)[None, :] + 0.5) / (DIRECTIONS - 1) * 2 * np.pi - np.pi
    red, green, blue = (np.zeros((SLOPES, DIRECTIONS, 6)) for _ in range(3))
    red[:, :, 5] = 100 * np.sin(slope) * np.cos(direction)
    green[:, :, 5] = 100 * np.sin(slope) * np.sin(direction)
    blue[:, :, 3] = 0.2 * np.sin(slope)
    return {"red": red, "green": green, "blue": blue}


def background() -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 240))
    bare = np.stack([80 + 40 * x, 100 + 20 * y, 110 - 30 * x], axis=2)
    bare[np.hypot(np.arange(320)[None, :] - 160, np.arange(240)[:, None] - 120) < 7] = 20  # one dot
    return bare.round().astype(np.uint8)


def write(folder: Path, **arrays: Any) -> Path:
    Image.fromarray(background()).save(folder / "background.png")
    np.savez(folder / "table.npz", **{**tables(), **arrays})
    return folder


def calibrated(folder: Path) -> TactileSensor:
    unit = make_unit("gelsight-001")
    return TactileSensor(replace(unit, calibration=read_calibration(folder), noise=0.0, flicker=0.0))


def test_an_untouched_calibrated_sensor_shows_its_own_background(tmp_path: Path) -> None:
    sensor = calibrated(write(tmp_path))
    frame = sensor.render(np.zeros(SHAPE), wear=0.0, rng=np.random.default_rng(0)).astype(float)
    bare = background().reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))
    assert abs(frame - bare).mean() < 1.0
    assert abs(frame - bare).max() < 5.0


def test_a_slope_adds_what_the_table_says(tmp_path: Path) -> None:
    sensor = calibrated(write(tmp_path))
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    for right, down in ((0.5, 0.0), (-0.3, 0.0), (0.0, 0.7), (0.3, -0.4)):
        shaded = sensor._shading.shade((right * x + down * y).astype(np.float32)) * 255
        slope, direction = np.arctan(np.hypot(right, down)), np.arctan2(down, right)
        expected = 100 * np.sin(slope) * np.array([np.cos(direction), np.sin(direction)])
        np.testing.assert_allclose(shaded[:2].mean(axis=(1, 2)), expected, atol=4.0)
        # Blue's term in x counts the background's pixels, two for each of ours.
        np.testing.assert_allclose(
            shaded[2].mean(axis=0)[[20, 140]], 0.2 * np.sin(slope) * np.array([40.5, 280.5]), rtol=0.06
        )


def test_a_press_moves_the_dots_that_the_background_shows(tmp_path: Path) -> None:
    sensor = calibrated(write(tmp_path))
    depth = imprint(sensor, SPHERE, pad_at((-SPHERE_RADIUS, 0.0, 0.0), normal=5.0))
    still, moved = (
        sensor.render(depth, shear=(f, 0.0), wear=0.0, rng=np.random.default_rng(0))[..., 2]
        for f in (0.0, 3.0)
    )
    columns = [
        np.average(np.arange(70, 95), weights=np.clip(60.0 - p[56:64, 70:95].mean(axis=0), 0, 60))
        for p in (still, moved)
    ]
    assert columns[1] - columns[0] > 1.0


def without_blue(folder: Path) -> None:
    arrays = tables()
    del arrays["blue"]
    np.savez(folder / "table.npz", **arrays)


def cut_short(folder: Path) -> None:
    whole = (folder / "table.npz").read_bytes()
    (folder / "table.npz").write_bytes(whole[: len(whole) // 2])


def with_nan(folder: Path) -> None:
    red = tables()["red"]
    red[3, 4, 5] = np.nan
    np.savez(folder / "table.npz", **{**tables(), "red": red})


BROKEN: list[tuple[Callable[[Path], Any], str]] = [
    (
        lambda f: (f / "background.png").unlink(),
        r"background\.png does not exist; a calibration folder holds",
    ),
    (lambda f: (f / "table.npz").unlink(), r"table\.npz does not exist; a calibration folder holds"),
    (
        lambda f: (f / "background.png").write_text("no picture"),
        r"background\.png is not a whole PNG or JPEG",
    ),
    (lambda f: Image.new("L", (320, 240)).save(f / "background.png"), r"mode L; expected RGB"),
    (lambda f: Image.new("RGB", (320, 200)).save(f / "background.png"), r"320 × 200 .* 4 : 3"),
    (lambda f: Image.new("RGB", (16, 12)).save(f / "background.png"), r"16 × 12 .* 320 × 240"),
    (cut_short, r"table\.npz cannot be read as NumPy's npz"),
    (without_blue, r"has no blue; it holds red, green"),
    (with_nan, r"red\[3, 4, 5\] is not finite, and 0 more"),
    (lambda f: write(f, green=np.zeros((SLOPES, DIRECTIONS, 5))), r"green has shape .* expected \[slopes"),
    (
        lambda f: write(f, green=np.zeros((SLOPES, 8, 6))),
        r"green has shape \(125, 8, 6\) but red \(125, 100, 6\)",
    ),
    (lambda f: write(f, blue=np.zeros((SLOPES, DIRECTIONS, 6), int)), r"blue has dtype int64"),
    (lambda f: write(f, red=np.array([object()])), r"cannot be read as NumPy's npz"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN)
def test_a_damaged_calibration_is_refused_with_the_file_and_the_reason(
    tmp_path: Path, damage: Callable[[Path], Any], message: str
) -> None:
    damage(write(tmp_path))
    with pytest.raises(DataError, match=message) as caught:
        read_calibration(tmp_path)
    assert str(tmp_path) in str(caught.value)
