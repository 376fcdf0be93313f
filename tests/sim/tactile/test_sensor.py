"""Content of a tactile frame."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import numpy.typing as npt
import pytest
from tactile_helpers import SHAPE, SPHERE, SPHERE_RADIUS, flat_unit, imprint, pad_at, scene

from visuotactile.errors import SimulationError
from visuotactile.sim.contact import read_pad
from visuotactile.sim.tactile import TactileSensor, make_unit
from visuotactile.sim.tactile.foundation import pressure

Frame = npt.NDArray[np.uint8]
NOTHING = np.zeros(SHAPE)
UNIT = make_unit("gelsight-005")
SENSOR = TactileSensor(UNIT)
QUIET = TactileSensor(replace(UNIT, noise=0.0, flicker=0.0))
BALL = imprint(SENSOR, SPHERE, pad_at((-SPHERE_RADIUS, 0.0, 0.0), normal=8.0))


def frame(sensor: TactileSensor, depth: npt.NDArray[np.float64], seed: int = 0, **load: object) -> Frame:
    settings = {"wear": 0.0, **load}
    return sensor.render(depth, rng=np.random.default_rng(seed), **settings)  # type: ignore[arg-type]


def difference(a: Frame, b: Frame) -> npt.NDArray[np.float64]:
    """Greatest difference of a pixel's channels, grey levels."""
    return abs(a.astype(float) - b.astype(float)).max(axis=2)


class Ridges:
    """Ridges across the image's columns, 1.5 mm from one to the next."""

    def height(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1e-4 * (0.5 + 0.5 * np.cos(2 * np.pi * points[:, 1] / 1.5e-3))


def test_an_untouched_gel_shows_its_background_but_for_noise() -> None:
    frames = np.stack([frame(SENSOR, NOTHING, seed) for seed in range(30)]).astype(float)
    still = frame(QUIET, NOTHING)
    assert abs(frames.mean(axis=0) - still).max() < 1.5
    noise = frames.std(axis=0).mean()
    assert 0.5 * UNIT.noise < noise < 2 * UNIT.noise
    assert abs(frames - still).max() < 8 * UNIT.noise + 2


@pytest.mark.parametrize("kind", ["gelsight", "digit"])
def test_the_same_unit_with_the_same_seed_repeats_bit_for_bit_and_another_unit_differs(kind: str) -> None:
    load = {"shear": (1.0, -2.0), "torsion": 0.01, "center": (0.001, 0.0), "wear": 0.3}
    one, again, other = (
        frame(TactileSensor(make_unit(f"{kind}-{number:03d}")), BALL, **load) for number in (3, 3, 4)
    )
    assert one.dtype == np.uint8
    assert one.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(one, again)
    assert difference(one, other).mean() > 3
    assert (frame(TactileSensor(make_unit(f"{kind}-003")), BALL, seed=1, **load) != one).any()


@pytest.mark.parametrize("unit", ["gelsight-005", "gelsight-001", "digit-001"])
def test_a_press_changes_the_picture_only_where_it_is_felt(unit: str) -> None:
    quiet = TactileSensor(replace(make_unit(unit), noise=0.0, flicker=0.0))
    corner = np.roll(BALL, (-15, -40), axis=(0, 1))
    change = difference(frame(quiet, corner), frame(quiet, NOTHING))
    assert change[corner > 0].mean() > 12
    assert change[90:, 120:].max() <= 2
    assert change[100:, 130:].mean() < 0.2


def test_a_raised_flank_lights_up_in_the_colour_of_its_lamp() -> None:
    plain = TactileSensor(replace(UNIT, noise=0.0, flicker=0.0, print=None))
    change = frame(plain, BALL).astype(float) - frame(plain, NOTHING)
    radius = int(0.7 * np.sqrt((BALL > 0).sum() / np.pi))
    for channel, lamp in enumerate(UNIT.lamps):
        x, y = np.cos(lamp.azimuth), np.sin(lamp.azimuth)
        toward = change[round(59.5 - radius * y), round(79.5 + radius * x)]
        away = change[round(59.5 + radius * y), round(79.5 - radius * x)]
        assert toward[channel] > 10
        assert away[channel] < -10
        assert toward.argmax() == channel


def test_a_dot_moves_along_the_shear_by_force_over_stiffness() -> None:
    wide = np.where(np.hypot(SENSOR.grid.u[None, :], SENSOR.grid.v[:, None]) < 0.007, 0.3e-3, 0.0)
    shear = np.array([2.4, 1.2])
    moved, still = (frame(QUIET, wide, shear=f).astype(float).mean(axis=2) for f in (shear, (0.0, 0.0)))
    expected = [
        along[60, 80] - rest[60, 80]
        for along, rest in zip(
            SENSOR._membrane.motion(wide, shear, 0.0, None),
            SENSOR._membrane.motion(wide, np.zeros(2), 0.0, None),
            strict=True,
        )
    ]
    # The dot nearest the centre, by the centroid of what is dark, before and after.
    dark = still < np.median(still) - 20
    rows, columns = np.nonzero(dark)
    nearest = np.hypot(rows - 59.5, columns - 79.5).argmin()
    window = np.hypot(np.arange(120)[:, None] - rows[nearest], np.arange(160)[None, :] - columns[nearest]) < 8

    def centroid(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        weight = np.where(window, np.clip(np.median(picture) - 12 - picture, 0, None), 0)
        return np.array([(weight * np.arange(160)).sum(), -(weight.T * np.arange(120)).sum()]) / weight.sum()

    shift = centroid(moved) - centroid(still)
    assert np.hypot(*expected) > 1
    np.testing.assert_allclose(shift, expected, atol=0.35)
    stiffness, patch = UNIT.gel.shear_stiffness, np.pi * 0.007**2
    rigid = shear / (stiffness * patch) / SENSOR.grid.pixel  # were there no skin that shares the load
    assert 0.5 < np.hypot(*shift) / np.hypot(*rigid) <= 1.05


def test_relief_shows_at_its_pitch_and_leaves_the_force_as_it_is() -> None:
    model, data, body = scene('<geom type="box" size="0.01 0.02 0.02" group="3"/>')
    pad = pad_at((-0.01, 0.0, 0.0), normal=12.0)
    depth = TactileSensor(flat_unit()).indentation(model, data, pad, Ridges(), body, None)
    wave = np.abs(np.fft.rfft(depth.mean(axis=0) - depth.mean()))
    frequency = np.fft.rfftfreq(160, SENSOR.grid.pixel)[wave.argmax()]
    assert 1 / frequency == pytest.approx(1.5e-3, rel=0.05)
    assert 0.94e-4 < np.ptp(depth) <= 1e-4  # ten pixels a ridge miss its crest by up to half a pixel
    total = pressure(flat_unit().gel, depth).sum() * SENSOR.grid.pixel**2
    assert total == pytest.approx(12.0, rel=1e-6)


def test_relief_stays_with_the_object_when_the_object_moves() -> None:
    model, data, body = scene('<geom type="box" size="0.01 0.02 0.02" group="3"/>')
    pad = pad_at((-0.01, 0.0, 0.0), normal=12.0)
    sensor = TactileSensor(flat_unit())
    here = sensor.indentation(model, data, pad, Ridges(), body, None)
    data.qpos[1] -= 10 * sensor.grid.pixel  # the pad looks along +x: its right is −y
    mujoco.mj_kinematics(model, data)
    moved = sensor.indentation(model, data, pad, Ridges(), body, None)
    np.testing.assert_allclose(moved[:, 10:], here[:, :-10], atol=1e-7)


def test_both_pads_of_a_gripper_see_the_upper_end_up_and_the_near_end_on_their_own_side() -> None:
    """A cone-like object between two pads, further from the camera (+y) and above their centres."""
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody>
        <body name="object" pos="0 0.005 0.104"><freejoint/>
          <geom type="sphere" size="0.02" group="3"/></body>
        <geom name="left" type="box" size="0.002 0.012 0.009" pos="-0.0218 0 0.1" group="2"/>
        <geom name="right" type="box" size="0.002 0.012 0.009" pos="0.0218 0 0.1" group="2"/>
        </worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    # u = v × n: for the left pad n is +x and +y is to the right; for the right pad it is to the left.
    for name, sign, side in (("left", 1.0, 1), ("right", -1.0, -1)):
        pad = read_pad(model, data, model.geom(name).id, sign)
        assert pad.normal > 0
        depth = SENSOR.indentation(model, data, pad, None, model.body("object").id, None)
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        assert row == pytest.approx(59.5 - 0.004 / SENSOR.grid.pixel, abs=2)
        assert column == pytest.approx(79.5 + side * 0.005 / SENSOR.grid.pixel, abs=2)


@pytest.mark.parametrize("unit", ["gelsight-005", "gelsight-001", "digit-001"])
def test_wear_takes_the_picture_further_and_further_from_the_new_gels(unit: str) -> None:
    quiet = TactileSensor(replace(make_unit(unit), noise=0.0, flicker=0.0))
    new = frame(quiet, NOTHING)
    worn = [difference(frame(quiet, NOTHING, wear=wear), new).mean() for wear in np.linspace(0, 1, 11)]
    assert worn[0] == 0
    assert (np.diff(worn) > 0).all()
    assert worn[1] < 1.0
    assert worn[-1] > 3.0


def test_wear_comes_back_the_same() -> None:
    first = frame(SENSOR, NOTHING, wear=0.42)
    for wear in np.linspace(0, 1, 12):
        frame(SENSOR, NOTHING, wear=float(wear))
    np.testing.assert_array_equal(frame(SENSOR, NOTHING, wear=0.42), first)


def test_an_imprint_of_another_size_and_a_wear_out_of_range_are_refused() -> None:
    with pytest.raises(SimulationError, match=r"\(60, 80\)"):
        frame(SENSOR, np.zeros((60, 80)))
    for wear in (-0.1, 1.5, float("nan")):
        with pytest.raises(SimulationError, match="wear"):
            frame(SENSOR, NOTHING, wear=wear)


def test_a_smaller_picture_shows_the_same_scene() -> None:
    small = TactileSensor(UNIT, (60, 80))
    depth = imprint(small, SPHERE, pad_at((-SPHERE_RADIUS, 0.0, 0.0), normal=8.0))
    assert depth.max() == pytest.approx(BALL.max(), rel=0.02)
    big = frame(SENSOR, BALL).reshape(60, 2, 80, 2, 3).mean(axis=(1, 3))
    assert abs(frame(small, depth) - big).mean() < 6
