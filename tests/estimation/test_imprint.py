"""The imprint of a ball is found where it is, as large as it is, and as bright as it is curved."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.datasets.clips import Clip
from visuotactile.estimation.imprint import measure_imprints, slope_profile
from visuotactile.mechanics.hertz import surface_displacement


def test_the_slope_is_that_of_hertz_surface() -> None:
    a, radius, share = 3e-3, 12e-3, 0.4
    r = np.linspace(1e-5, 12e-3, 4000)
    slope = -np.gradient(surface_displacement(r, a, radius, share), r)
    assert slope == pytest.approx(share / radius * a * slope_profile(r / a), abs=2e-3)


def clear(trials, clips):
    """Presses on samples that are not so soft that a single frame hardly shows them."""
    found = [(trial, clips[i]) for i, trial in enumerate(trials) if trial.hidden["gel_share"] > 0.2]
    assert len(found) > 4
    return found


def test_centre_and_contact_radius_of_a_press_are_found(press_trials, press_clips) -> None:
    for trial, clip in clear(press_trials, press_clips):
        (found,) = measure_imprints(clip, np.array([5]), 24.0)
        assert found.contact * 1e-3 == pytest.approx(trial.hidden["contact_05"], rel=0.05)
        assert found.explained > 0.5


def test_brightness_per_millimetre_is_in_proportion_to_the_curvature(press_trials, press_clips) -> None:
    gains = []
    for trial, clip in clear(press_trials, press_clips):
        (found,) = measure_imprints(clip, np.array([5]), 24.0)
        gains.append(np.log(found.brightness / (trial.hidden["gel_share"] / trial.hidden["radius"])))
    # Of one sensor, over samples whose curvature differs by a factor of three.
    assert np.std(gains) < 0.06


def test_a_picture_of_twice_the_size_shows_the_same_imprint(press_clips) -> None:
    clip = press_clips[0]
    doubled = Clip(
        name="doubled",
        frames=clip.frames.repeat(2, axis=1).repeat(2, axis=2),
        reference=clip.reference.repeat(2, axis=0).repeat(2, axis=1),
    )
    one, two = (measure_imprints(each, np.array([5]), 24.0)[0] for each in (clip, doubled))
    assert two == pytest.approx(one, rel=1e-6)
