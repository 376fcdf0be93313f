"""The gel answers with the force that presses it, whatever is pressed in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tactile_helpers import SPHERE, SPHERE_RADIUS, flat_unit, imprint, pad_at

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile import TactileSensor
from visuotactile.sim.tactile.foundation import gel_share, press, pressure

GEL = flat_unit().gel
SENSOR = TactileSensor(flat_unit())
AREA = SENSOR.grid.pixel**2
TOUCHING = (-SPHERE_RADIUS, 0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(
    force=st.floats(0.01, 60),
    stiffness=st.one_of(st.none(), st.floats(100, 1e6)),
    seed=st.integers(0, 99),
    missing=st.floats(0, 0.9),
)
def test_the_total_reaction_is_the_commanded_force(
    force: float, stiffness: float | None, seed: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    gap = rng.gamma(2.0, 1e-3, (60, 80)) - 0.004
    gap[rng.random(gap.shape) < missing] = np.inf
    depth = press(GEL, gap, AREA, force, gel_share(GEL, stiffness))
    assert depth.min() >= 0
    assert not depth[np.isinf(gap)].any()
    assert pressure(GEL, depth).sum() * AREA == pytest.approx(force, rel=1e-6)


def test_the_level_is_the_one_that_bisection_finds() -> None:
    gap = np.random.default_rng(0).gamma(2.0, 1e-3, 5000)
    low, high = 0.0, 0.02
    for _ in range(80):
        level = (low + high) / 2
        reaction = pressure(GEL, np.maximum(level - gap, 0)).sum() * AREA
        low, high = (low, level) if reaction > 7.0 else (level, high)
    np.testing.assert_allclose(press(GEL, gap, AREA, 7.0, 1.0), np.maximum(level - gap, 0), atol=1e-9)


def test_more_force_presses_deeper_everywhere() -> None:
    depths = [imprint(SENSOR, SPHERE, pad_at(TOUCHING, normal=force)) for force in (1.0, 2.0, 5.0, 15.0)]
    for less, more in pairwise(depths):
        assert (more >= less).all()
        assert more.max() > less.max()


def test_a_spheres_imprint_is_round_with_the_radius_of_its_cap() -> None:
    depth = imprint(SENSOR, SPHERE, pad_at(TOUCHING, normal=5.0))
    rows, columns = np.nonzero(depth)
    half_width, half_height = np.ptp(columns) / 2 + 0.5, np.ptp(rows) / 2 + 0.5
    d = depth.max()
    radius = np.sqrt(2 * SPHERE_RADIUS * d - d * d) / SENSOR.grid.pixel
    assert half_width == pytest.approx(radius, abs=0.6)
    assert half_height == pytest.approx(radius, abs=0.6)
    assert np.count_nonzero(depth) == pytest.approx(np.pi * radius**2, rel=0.02)


def test_for_small_depths_force_grows_as_the_square_of_a_spheres_depth() -> None:
    # F = π R k d² for springs side by side, as long as they do not harden.
    depth = imprint(SENSOR, SPHERE, pad_at(TOUCHING, normal=0.15)).max()
    assert np.pi * SPHERE_RADIUS * GEL.stiffness * depth**2 == pytest.approx(0.15, rel=0.05)


def test_the_solvers_penetration_does_not_matter() -> None:
    near, deep = (imprint(SENSOR, SPHERE, pad_at((x - SPHERE_RADIUS, 0.0, 0.0))) for x in (-0.002, 0.001))
    np.testing.assert_allclose(near, deep, atol=1e-9)


def test_a_compliant_object_leaves_a_wider_and_shallower_imprint() -> None:
    rigid, soft, softer = (
        imprint(SENSOR, SPHERE, pad_at(TOUCHING, normal=8.0), stiffness=s) for s in (None, 8000.0, 800.0)
    )
    assert np.count_nonzero(rigid) < np.count_nonzero(soft) < np.count_nonzero(softer)
    assert rigid.max() > soft.max() > softer.max() > 0


def test_no_force_and_nothing_to_press_leave_no_imprint() -> None:
    assert not imprint(SENSOR, SPHERE, pad_at(TOUCHING, normal=0.0)).any()
    assert not imprint(SENSOR, SPHERE, pad_at((-SPHERE_RADIUS, 0.1, 0.0))).any()


@pytest.mark.parametrize("stiffness", [0.0, -5.0, float("nan")])
def test_a_stiffness_that_no_object_has_is_refused(stiffness: float) -> None:
    with pytest.raises(SimulationError, match="more than 0, or None if rigid"):
        gel_share(GEL, stiffness)
