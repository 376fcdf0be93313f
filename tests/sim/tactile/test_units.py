"""Units have names, and a name is all that a unit depends on."""

from __future__ import annotations

import pytest

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile import TactileSensor, make_unit
from visuotactile.sim.tactile.units import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_makes_the_same_unit_again_and_no_two_units_are_alike(kind: str) -> None:
    assert make_unit(f"{kind}-007") == make_unit(f"{kind}-007")
    units = [make_unit(f"{kind}-{number:03d}") for number in range(40)]
    assert len({unit.seed for unit in units}) == 40
    assert len({unit.light for unit in units}) == 40
    assert len({unit.gel for unit in units}) == 40


def test_a_unit_stays_what_it_was_for_recordings_name_it() -> None:
    unit = make_unit("gelsight-007")
    assert unit.seed == 1554884220
    assert unit.gel.stiffness == pytest.approx(1.09976e8, rel=1e-5)
    assert unit.print is not None
    assert unit.print.pitch == pytest.approx(2.29091e-3, rel=1e-5)


def test_markers_come_in_the_two_pitches_of_real_gels_and_a_digit_has_none() -> None:
    pitches = [make_unit(f"gelsight-{n:03d}").print.pitch for n in range(60)]  # type: ignore[union-attr]
    narrow, wide = [p for p in pitches if p < 2.8e-3], [p for p in pitches if p > 2.8e-3]
    assert min(len(narrow), len(wide)) > 10
    assert 2.2e-3 < min(narrow) < max(narrow) < 2.5e-3
    assert 3.1e-3 < min(wide) < max(wide) < 3.5e-3
    assert make_unit("digit-003").print is None


@pytest.mark.parametrize("name", ["gelsight", "gelsight-7", "Gelsight-007", "biotac-001", "digit-001 ", ""])
def test_a_name_of_no_unit_is_refused(name: str) -> None:
    with pytest.raises(SimulationError, match="gelsight-007"):
        make_unit(name)


@pytest.mark.parametrize("shape", [(120, 161), (160, 120), (30, 40), (0, 0), (90, 120 + 4)])
def test_a_picture_that_is_not_3_to_4_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(SimulationError, match="9 : 12"):
        TactileSensor(make_unit("digit-000"), shape)
