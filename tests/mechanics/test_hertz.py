"""Hertz's contact obeys its own equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from visuotactile.mechanics import hertz

BALL, GEL, RADIUS = 2.0e5, 4.0e5, 0.012


def test_contact_radius_grows_with_the_cube_root_of_force_and_shrinks_with_stiffness() -> None:
    combined = hertz.combined_modulus(BALL, GEL)
    force = np.geomspace(0.1, 10, 9)
    a = hertz.contact_radius(force, RADIUS, combined)
    np.testing.assert_allclose(np.diff(np.log(a)) / np.diff(np.log(force)), 1 / 3)
    stiffer = hertz.contact_radius(force, RADIUS, hertz.combined_modulus(2 * BALL, GEL))
    assert (stiffer < a).all()


def test_force_radius_and_depth_agree() -> None:
    combined = hertz.combined_modulus(BALL, GEL)
    a = hertz.contact_radius(3.0, RADIUS, combined)
    assert hertz.contact_force(hertz.approach(a, RADIUS), RADIUS, combined) == pytest.approx(3.0)


def test_two_equal_bodies_share_evenly_and_a_rigid_one_takes_nothing() -> None:
    assert hertz.share_of_second(GEL, GEL) == 0.5
    assert hertz.share_of_second(1e12, GEL) == pytest.approx(1, abs=1e-6)
    assert hertz.combined_modulus(np.inf, GEL) == pytest.approx(GEL / 0.75)


def _half_space_displacement(r: float, a: float, force: float, modulus: float) -> float:
    """Boussinesq's integral over Hertz's pressure, at a point of the surface: what the formula must equal.

    Polar coordinates around the point at r: the 1/distance of the kernel cancels the area element's.
    """
    peak = 3 * force / (2 * np.pi * a**2)

    def chord(angle: float) -> float:
        def pressure(s: float) -> float:
            return peak * np.sqrt(max(0.0, 1 - (r**2 + s**2 + 2 * r * s * np.cos(angle)) / a**2))

        middle, reach = -r * np.cos(angle), a**2 - (r * np.sin(angle)) ** 2
        if reach <= 0 or middle + np.sqrt(reach) <= 0:
            return 0.0
        return quad(pressure, max(0.0, middle - np.sqrt(reach)), middle + np.sqrt(reach))[0]

    total = 2 * quad(chord, 0, np.pi, limit=200)[0]
    return (1 - hertz.POISSON**2) / (np.pi * modulus) * total


@pytest.mark.parametrize("where", [0.0, 0.6, 1.3, 2.5])
def test_the_surface_is_what_boussinesq_gives_for_hertz_pressure(where: float) -> None:
    combined, share = hertz.combined_modulus(BALL, GEL), hertz.share_of_second(BALL, GEL)
    a = float(hertz.contact_radius(2.0, RADIUS, combined))
    found = hertz.surface_displacement(np.array([where * a]), a, RADIUS, float(share))[0]
    assert found == pytest.approx(_half_space_displacement(where * a, a, 2.0, GEL), rel=1e-3)


def test_both_surfaces_meet_inside_the_contact_and_part_outside() -> None:
    a = float(hertz.contact_radius(2.0, RADIUS, hertz.combined_modulus(BALL, GEL)))
    r = np.linspace(0, 3 * a, 301)
    share = float(hertz.share_of_second(BALL, GEL))
    together = sum(hertz.surface_displacement(r, a, RADIUS, part) for part in (share, 1 - share))
    gap = r**2 / (2 * RADIUS) - hertz.approach(a, RADIUS) + together
    assert abs(gap[r <= a]).max() < 1e-12
    assert (gap[r > 1.01 * a] > 0).all()


def test_nothing_is_pushed_in_before_contact() -> None:
    assert not hertz.surface_displacement(np.linspace(0, 1e-2, 5), 0.0, RADIUS, 0.5).any()


def test_equal_radius_over_modulus_leaves_equal_imprints_at_every_force() -> None:
    """A small soft ball and a larger harder one, which no gel distinguishes."""
    soft = 1.0e5
    combined = hertz.combined_modulus(soft, GEL)
    hard = 0.75 / (0.75 / GEL + (1 / combined - 0.75 / GEL) / 4)
    larger = RADIUS * hertz.combined_modulus(hard, GEL) / combined
    assert hard > 1.9 * soft
    for force in (0.2, 1.0, 4.0):
        maps = []
        for modulus, radius in ((soft, RADIUS), (hard, larger)):
            a = float(hertz.contact_radius(force, radius, hertz.combined_modulus(modulus, GEL)))
            share = float(hertz.share_of_second(modulus, GEL))
            maps.append(hertz.surface_displacement(np.linspace(0, 0.01, 50), a, radius, share))
        np.testing.assert_allclose(maps[0], maps[1], rtol=1e-9)


def test_shear_and_twist_are_springs_until_friction_gives_way() -> None:
    combined, a, limit = hertz.combined_modulus(BALL, GEL), 3e-3, 0.8
    drift, angle = np.array([1e-6, 2e-6, 1.0]), np.array([1e-6, 2e-6, 10.0])
    shear, torque = (
        hertz.shear_force(drift, a, combined, limit),
        hertz.twist_torque(angle, a, combined, limit),
    )
    assert shear[1] == pytest.approx(2 * shear[0])
    assert torque[1] == pytest.approx(2 * torque[0])
    assert shear[2] == limit
    assert torque[2] == pytest.approx(3 * np.pi / 16 * limit * a)
    # Mindlin's ratio of tangential to normal stiffness, 2(1 − ν) / (2 − ν) for like bodies.
    assert shear[0] / drift[0] / (2 * a * combined) == pytest.approx(2 * 0.5 / 1.5)
