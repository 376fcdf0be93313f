"""Contact mechanics recovers the modulus where the radius is known, and says how little it knows where it
is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.estimation.conftest import GEL, Drawn
from visuotactile.errors import ContractError, DataError
from visuotactile.estimation.contact_mechanics import ContactMechanics
from visuotactile.estimation.estimator import Known
from visuotactile.mechanics.hertz import combined_modulus


@pytest.fixture(scope="module")
def fitted(drawn: Drawn) -> ContactMechanics:
    return ContactMechanics().fit(drawn.measured, drawn.target, drawn.units, drawn.known)


def test_the_gels_modulus_and_the_sensors_gains_are_found(drawn: Drawn, fitted: ContactMechanics) -> None:
    assert fitted.gel_modulus == pytest.approx(GEL, rel=0.05)
    assert fitted.sensors == tuple(f"gel-{number}" for number in range(6))
    assert fitted.state()["gains"][:, 0].numpy() == pytest.approx(drawn.gains, abs=0.02)


def test_new_presses_of_known_radius_are_within_the_papers_four_percent(fitted: ContactMechanics) -> None:
    new = Drawn(seed=1)
    new.sensor[:] = "another"  # a gel that was never calibrated
    span = new.target.max() - new.target.min()
    for sensor, most in ((Drawn(seed=0).sensor, 0.04), (None, 0.05)):
        same = Drawn(seed=0)
        found = fitted.predict(same.measured, Known(radius=same.radius, sensor=sensor))
        assert np.sqrt(np.mean((found.value - same.target) ** 2)) < most * span


def test_without_the_radius_the_interval_is_wider_and_still_holds(drawn, fitted: ContactMechanics) -> None:
    blind = drawn.known.without_radius()
    sure, unsure = (fitted.predict(drawn.measured, known) for known in (drawn.known, blind))
    assert np.mean(unsure.high - unsure.low) > 3 * np.mean(sure.high - sure.low)
    for found in (sure, unsure):
        held = (found.low <= drawn.target) & (drawn.target <= found.high)
        assert 0.85 <= held.mean() <= 0.97


def test_the_compliance_needs_no_radius(drawn, fitted: ContactMechanics) -> None:
    found, doubt = fitted.compliance(drawn.measured, drawn.known.without_radius())
    truth = drawn.radius / combined_modulus(10**drawn.target, GEL)
    assert np.log(found / truth).std() < 0.03
    assert np.mean(np.abs(np.log(found / truth)) < 2 * doubt) > 0.9


def test_a_sensor_that_was_not_calibrated_widens_the_interval(drawn, fitted: ContactMechanics) -> None:
    strange = Known(radius=drawn.radius, sensor=np.full(len(drawn.target), "another"))
    known, unknown = (fitted.predict(drawn.measured, each) for each in (drawn.known, strange))
    assert ((unknown.high - unknown.low) > (known.high - known.low)).mean() > 0.95


def test_radii_are_asked_for_and_checked(drawn: Drawn) -> None:
    with pytest.raises(ContractError, match="known radius"):
        ContactMechanics().fit(drawn.measured, drawn.target, drawn.units)
    with pytest.raises(DataError, match="metres above 0"):
        Known(radius=np.array([0.01, 0.0]))
    with pytest.raises(ContractError, match="has not been fitted"):
        ContactMechanics().predict(drawn.measured, drawn.known)
    with pytest.raises(DataError, match="leave these clips out"):
        ContactMechanics().fit(drawn.measured * np.nan, drawn.target, drawn.units, drawn.known)


def test_measuring_a_clip_gives_the_fields_of_its_imprints(press_clips) -> None:
    from visuotactile.datasets.clips import Clip, ReadClips

    blank = Clip(
        name="blank", frames=press_clips[0].reference[None].repeat(3, 0), reference=press_clips[0].reference
    )
    found = ContactMechanics().measure(ReadClips([press_clips[0], blank]), show=False)
    assert found.shape == (2, 8, 6)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
