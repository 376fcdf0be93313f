"""Relief stays within its amplitude, has its pitch, shows in a gel's window, and has no seam."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.sim import rays
from visuotactile.sim.objects import Relief, make_object, object_names
from visuotactile.sim.objects.mjcf import add_object
from visuotactile.sim.objects.relief import HIGHEST, PATTERNS, SOLID

KINDS = (*PATTERNS, *SOLID)
PIXEL = 0.15e-3  # m, of the tactile image


def window(size: float, wrap: str, radius: float = 0.025) -> np.ndarray:
    """Points [N, 3] on a vertical surface, one per pixel of a square of this size."""
    line = np.arange(-size / 2, size / 2, PIXEL)
    across, up = (grid.ravel() for grid in np.meshgrid(line, line))
    if wrap == "flat":
        return np.column_stack([across, np.full_like(across, -0.02), up])
    return np.column_stack([radius * np.sin(across / radius), -radius * np.cos(across / radius), up])


def relief(kind: str, wrap: str = "round", pitch: float = 0.002, seed: int = 4) -> Relief:
    return Relief(
        kind=kind,
        amplitude=0.2e-3,
        pitch=pitch,
        seed=seed,
        wrap=wrap,  # type: ignore[arg-type]
        radius=0.025,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", ["round", "flat"])
def test_height_is_within_the_amplitude_and_uses_most_of_it(kind: str, wrap: str) -> None:
    points = np.concatenate(
        [window(0.024, wrap), np.random.default_rng(0).uniform(-0.09, 0.09, (20_000, 3)), np.zeros((1, 3))]
    )
    height = relief(kind, wrap).height(points)
    assert height.shape == (len(points),)
    assert height.dtype == np.float64
    assert height.min() >= 0
    assert height.max() <= 0.2e-3
    assert np.ptp(height) > 0.75 * 0.2e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", ["round", "flat"])
@pytest.mark.parametrize("pitch", [0.0008, 0.004])
def test_a_contact_of_eight_millimetres_shows_it(kind: str, wrap: str, pitch: float) -> None:
    assert relief(kind, wrap, pitch).height(window(0.008, wrap)).std() > 0.1 * 0.2e-3


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_smooth_from_pixel_to_pixel(kind: str) -> None:
    points = window(0.012, "round")
    side = round(len(points) ** 0.5)
    height = relief(kind, pitch=0.0016).height(points).reshape(side, side)
    assert max(abs(np.diff(height, axis=axis)).max() for axis in (0, 1)) < 0.5 * 0.2e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pitch", [0.0009, 0.0017, 0.0031])
def test_a_round_pattern_closes_on_itself(kind: str, pitch: float) -> None:
    up = np.arange(-0.02, 0.02, PIXEL)
    step = 1e-8
    before, after = (np.column_stack([0 * up - 0.025, 0 * up + side * step, up]) for side in (1, -1))
    pattern = relief(kind, pitch=pitch)
    np.testing.assert_allclose(pattern.height(before), pattern.height(after), atol=1e-3 * 0.2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_pattern_goes_on_around_a_boxes_edge(kind: str) -> None:
    up = np.arange(-0.02, 0.02, PIXEL)
    on_x = np.column_stack([0 * up + 0.02, 0 * up - 0.02 + 1e-7, up])
    on_y = np.column_stack([0 * up + 0.02 - 1e-7, 0 * up - 0.02, up])
    pattern = relief(kind, "flat")
    np.testing.assert_allclose(pattern.height(on_x), pattern.height(on_y), atol=1e-3 * 0.2e-3)


@pytest.mark.parametrize(("kind", "axis"), [("rings", 0), ("flutes", 1)])
def test_ridges_are_a_pitch_apart(kind: str, axis: int) -> None:
    points = window(0.018, "flat")
    side = round(len(points) ** 0.5)
    height = relief(kind, "flat", pitch=0.0018).height(points).reshape(side, side)
    line = height[:, 0] if axis == 0 else height[0]
    spectrum = abs(np.fft.rfft(line - line.mean()))
    np.testing.assert_allclose(np.fft.rfftfreq(side, PIXEL)[spectrum.argmax()], 1 / 0.0018, rtol=0.02)
    # and nothing changes along them
    assert np.ptp(height, axis=1 - axis).max() < 1e-9


def test_grain_follows_its_seed_alone() -> None:
    points = window(0.01, "flat")
    first = relief("grain", seed=1).height(points)
    np.testing.assert_array_equal(first, relief("grain", seed=1).height(points))
    assert abs(np.corrcoef(first, relief("grain", seed=2).height(points))[0, 1]) < 0.5


def test_a_relief_that_cannot_be_felt_or_is_unknown_is_refused() -> None:
    with pytest.raises(DataError, match=r"'fur'.*rings"):
        relief("fur")
    for amplitude, pitch in ((0.6e-3, 0.002), (0.0, 0.002), (0.1e-3, 0.0)):
        with pytest.raises(DataError, match=r"at most 0\.0005"):
            Relief(kind="dots", amplitude=amplitude, pitch=pitch, seed=0)


def test_reliefs_of_the_catalogue_can_be_drawn_and_felt_where_a_pad_meets_the_object() -> None:
    for name in (name for which in ("train", "easy", "hard") for name in object_names(which)):
        obj = make_object(name)
        if obj.relief is None:
            continue
        assert 0.0008 <= obj.relief.pitch <= 0.004, name
        assert 0.03e-3 <= obj.relief.amplitude <= HIGHEST, name
        spec = mujoco.MjSpec()
        add_object(spec, obj)
        model = spec.compile()
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        line = np.arange(-0.004, 0.004, 2 * PIXEL)
        for side in (0.5, -0.5):
            x, up = (grid.ravel() for grid in np.meshgrid(line, line))
            origin = np.array([side, 0.0, obj.rest_height])
            way = np.column_stack([0 * x, x, obj.rest_height + up]) - origin
            way /= np.linalg.norm(way, axis=1, keepdims=True)
            hits = rays.cast(model, data, origin, way, (3,))
            met = (origin + hits.distance[:, None] * way)[hits.geom >= 0] - [0, 0, obj.rest_height]
            if len(met) > 100:
                assert obj.relief.height(met).std() > 0.08 * obj.relief.amplitude, name
