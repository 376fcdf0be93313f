"""A durometer's reading becomes the modulus that it weighs, and comes back."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.errors import ContractError
from visuotactile.mechanics import hertz, shore


@pytest.mark.parametrize("modulus", shore.MODULUS.values())
def test_a_harder_reading_is_a_stiffer_rubber(modulus) -> None:
    assert (np.diff(np.log(modulus(np.arange(0, 100)))) > 0).all()


@pytest.mark.parametrize("scale", shore.MODULUS)
def test_a_modulus_reads_as_the_hardness_that_it_came_from(scale) -> None:
    readings = np.linspace(0, 99, 200)
    assert shore.READING[scale](shore.MODULUS[scale](readings)) == pytest.approx(readings, abs=1e-3)
    assert shore.READING[scale](1.0) == 0  # softer than the scale
    assert shore.READING[scale](1e12) >= 99.9


def test_shore_a_gives_the_moduli_of_gents_formula() -> None:
    assert shore.shore_a_modulus(10) == pytest.approx(0.413e6, rel=0.01)
    assert shore.shore_a_modulus(50) == pytest.approx(2.46e6, rel=0.01)


def test_the_two_scales_overlap_where_castable_silicones_carry_both_readings() -> None:
    # Makers' comparison charts put Shore 00 50 to 70 at about Shore A 2 to 30.
    for reading_00, low, high in ((50, 0, 12), (60, 5, 20), (70, 12, 32)):
        found = shore.shore_00_modulus(reading_00)
        assert shore.shore_a_modulus(low) < found < shore.shore_a_modulus(high)


@pytest.mark.parametrize("reading", [-1, 100, np.nan])
def test_a_reading_off_the_scale_is_refused(reading: float) -> None:
    for modulus in shore.MODULUS.values():
        with pytest.raises(ContractError, match="durometer"):
            modulus(reading)


def test_the_00_durometer_spring_balances_the_rubber_at_its_reading() -> None:
    for reading in (10.0, 45.0, 90.0):
        rigid_on_rubber = hertz.combined_modulus(shore.shore_00_modulus(reading), np.inf)
        pushed_back = hertz.contact_force(2.54e-3 * (1 - reading / 100), 1.19e-3, rigid_on_rubber)
        assert pushed_back == pytest.approx(0.203 + 0.00908 * reading)
