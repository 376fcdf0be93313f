"""Contacts by boundary elements are those of the closed forms, and of no material in particular."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.mechanics import hertz
from visuotactile.sim.hardness.half_space import HalfSpace, Pressed
from visuotactile.sim.tactile.grid import SHAPE, Grid

GRID = Grid(SHAPE)
HALF_SPACE = HalfSpace(GRID)
RIGHT, UP = np.meshgrid(GRID.u, GRID.v)
AWAY = np.hypot(RIGHT - 0.8e-3, UP + 0.5e-3)


def _disc(pressed: Pressed) -> float:
    return float(np.sqrt(pressed.area / np.pi))


@pytest.mark.parametrize(("radius", "contact"), [(8e-3, 2e-3), (8e-3, 3.8e-3), (16e-3, 6.5e-3)])
def test_a_ball_is_pressed_as_hertz_says(radius: float, contact: float) -> None:
    depth = float(hertz.approach(contact, radius))
    pressed = HALF_SPACE.press(AWAY**2 / (2 * radius), depth)
    assert pressed.force == pytest.approx(float(hertz.contact_force(depth, radius, 1.0)), rel=0.01)
    assert _disc(pressed) == pytest.approx(contact, rel=0.02)
    exact = hertz.surface_displacement(AWAY, contact, radius, 1.0)
    assert abs(pressed.displacement - exact).max() < 0.01 * depth


def test_a_cone_is_pressed_as_love_and_a_flat_punch_as_boussinesq_says() -> None:
    slope, contact = 0.3, 4e-3
    depth = np.pi / 2 * slope * contact
    cone = HALF_SPACE.press(slope * AWAY, depth)
    assert cone.force == pytest.approx(2 * depth**2 / (np.pi * slope), rel=0.01)
    assert _disc(cone) == pytest.approx(contact, rel=0.02)
    punch = HALF_SPACE.press(np.where(contact > AWAY, 0.0, 1.0), 0.4e-3)
    assert punch.force == pytest.approx(2 * contact * 0.4e-3, rel=0.05)
    assert _disc(punch) == pytest.approx(contact, rel=0.03)


def test_surfaces_meet_under_pressure_and_part_beside_it_and_never_cross() -> None:
    gap, depth = 0.3 * abs(RIGHT) + UP**2 / 0.02, 0.9e-3
    pressed = HALF_SPACE.press(gap, depth)
    above = pressed.displacement - (depth - gap)
    under = pressed.pressure.repeat(2, axis=0).repeat(2, axis=1) > 0
    assert (pressed.pressure >= 0).all()
    assert above.min() >= 0
    assert above[under].max() < 0.03 * depth
    assert above[~under].mean() > 0.2 * depth


def test_a_longer_ridge_takes_more_force_at_the_same_depth_and_half_the_gap_half_the_force() -> None:
    ridge = UP**2 / 0.016
    short, long = (
        HALF_SPACE.press(ridge + np.where(abs(RIGHT) < half, 0, 1.0), 0.5e-3) for half in (2e-3, 5e-3)
    )
    assert long.force > 1.6 * short.force
    half = HALF_SPACE.press(ridge / 2 + np.where(abs(RIGHT) < 5e-3, 0, 1.0), 0.25e-3)
    assert half.force == pytest.approx(long.force / 2, rel=0.01)  # small strains are linear


def test_nothing_is_pressed_before_contact() -> None:
    pressed = HALF_SPACE.press(AWAY**2, 0.0)
    assert (pressed.force, pressed.area) == (0.0, 0.0)
    assert not pressed.displacement.any()
