"""The skin moves with the force that drags it, turns with a twist, and spreads where it is pressed."""

from __future__ import annotations

import numpy as np
import pytest
from tactile_helpers import SHAPE, SPHERE, SPHERE_RADIUS, flat_unit, imprint, pad_at

from visuotactile.sim.tactile import TactileSensor
from visuotactile.sim.tactile.grid import Grid
from visuotactile.sim.tactile.membrane import Membrane

GRID = Grid(SHAPE)
GEL = flat_unit().gel
MEMBRANE = Membrane(GEL, GRID)
STILL = np.zeros(2)


def disc(u: float = 0.0, v: float = 0.0, radius: float = 0.004, depth: float = 0.5e-3) -> np.ndarray:
    """A flat round imprint around (u, v), metres."""
    return np.where(np.hypot(GRID.u[None, :] - u, GRID.v[:, None] - v) < radius, depth, 0.0)


def test_the_mean_shift_is_force_over_stiffness_along_the_force() -> None:
    shear = np.array([3.0, -1.5])
    spread = np.array(MEMBRANE.motion(disc(), STILL, 0.0, None))
    moved = (np.array(MEMBRANE.motion(disc(), shear, 0.0, None)) - spread) * GRID.pixel
    total = moved.sum(axis=(1, 2)) * GRID.pixel**2  # ∫ d dA = F / k, wherever the skin carries it
    np.testing.assert_allclose(total, shear / GEL.shear_stiffness, rtol=1e-4)
    assert np.hypot(*moved[:, 60, 80]) == pytest.approx(np.hypot(*moved).max())
    assert np.hypot(*moved[:, 60, 80]) > 20 * np.hypot(*moved[:, 5, 5])


def test_twice_the_shear_moves_twice_as_far() -> None:
    none, once, twice = (
        np.array(MEMBRANE.motion(disc(), f * np.array([1.0, 0]), 0, None)) for f in (0, 1, 2)
    )
    np.testing.assert_allclose(twice - none, 2 * (once - none), atol=1e-4)


def test_a_twist_turns_the_skin_counter_clockwise_about_the_contacts_centre() -> None:
    at = disc(0.003, -0.002)
    spread = np.array(MEMBRANE.motion(at, STILL, 0.0, None))
    along_u, along_v = np.array(MEMBRANE.motion(at, STILL, 0.02, None)) - spread
    column, row = np.abs(GRID.u - 0.003).argmin(), np.abs(GRID.v + 0.002).argmin()
    reach = 18
    assert along_v[row, column + reach] > 0.2  # to the right of the centre: up
    assert along_v[row, column - reach] < -0.2
    assert along_u[row - reach, column] < -0.2  # above the centre: to the left
    assert along_u[row + reach, column] > 0.2
    at_centre = np.hypot(along_u[row, column], along_v[row, column])
    assert at_centre < 0.1 * along_v[row, column + reach]


def test_the_measured_centre_leans_the_traction_to_its_side() -> None:
    wide = disc(radius=0.008)

    def center_of(center: np.ndarray | None) -> float:
        spread = MEMBRANE.motion(wide, STILL, 0.0, center)[0]
        moved = MEMBRANE.motion(wide, np.array([2.0, 0.0]), 0.0, center)[0] - spread
        return float((moved * GRID.u).sum() / moved.sum())

    assert center_of(None) == pytest.approx(0.0, abs=1e-6)
    assert center_of(np.array([0.002, 0.0])) == pytest.approx(0.002, abs=0.3e-3)
    assert center_of(np.array([-0.0015, 0.001])) == pytest.approx(-0.0015, abs=0.3e-3)


def test_a_centre_outside_the_imprint_is_no_error() -> None:
    along = MEMBRANE.motion(disc(radius=0.002), np.array([1.0, 1.0]), 0.01, np.array([0.012, 0.009]))
    assert np.isfinite(along).all()


def test_pressing_spreads_the_skin_away_from_the_contact() -> None:
    along_u, along_v = MEMBRANE.motion(disc(), STILL, 0.0, None)
    u, v = np.broadcast_arrays(GRID.u[None, :], GRID.v[:, None])
    near = np.hypot(u, v) < 0.007
    outward = (along_u * u + along_v * v)[near & (np.hypot(u, v) > 0.001)]
    assert (outward > 0).all()


def test_the_skin_hugs_a_firm_contact_and_skirts_its_rim() -> None:
    depth = imprint(TactileSensor(flat_unit()), SPHERE, pad_at((-SPHERE_RADIUS, 0.0, 0.0)))
    surface = MEMBRANE.surface(depth) * GRID.pixel
    inside = depth > 0.3 * depth.max()
    assert abs(surface - depth)[inside].max() < 0.03 * depth.max()
    rim = np.flatnonzero(depth[60] > 0)[-1]
    beyond = surface[60, rim + 1 : rim + 25]
    assert beyond[2] > 0.01 * depth.max()
    assert (np.diff(beyond) < 0).all()
    assert beyond[-1] < 0.01 * depth.max()


def test_a_contact_of_one_point_can_be_dragged_and_twisted() -> None:
    # Grazing grasps have such imprints; the first long collection ended at one.
    for row, column in ((60, 80), (0, 0), (119, 159), (61, 83)):
        point = np.zeros(SHAPE)
        point[row, column] = 1e-5
        for center in (None, np.zeros(2)):
            moved = np.array(MEMBRANE.motion(point, np.array([1.0, 1.0]), 1e-3, center))
            assert np.isfinite(moved).all()
