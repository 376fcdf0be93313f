"""Presses on hemispheres: imprints and pictures grow as Hertz says, and hardness can be read from them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, gaussian_filter
from scipy.stats import spearmanr

from visuotactile.datasets.trial import Trial
from visuotactile.errors import SimulationError
from visuotactile.mechanics import hertz
from visuotactile.sim.hardness.contacts import BallContact, height_map
from visuotactile.sim.hardness.press_motion import (
    DEEPEST,
    PEAK_FORCE,
    STRAIN,
    TREMOR,
    WIDEST,
    draw_motion,
)
from visuotactile.sim.hardness.presses import SESSION_PRESSES, Presses
from visuotactile.sim.hardness.samples import SAMPLES, Sample
from visuotactile.sim.scene import PAD_HALF
from visuotactile.sim.tactile import SHAPE, TactileSensor, make_unit

PIXEL = 2 * PAD_HALF[0] / SHAPE[1]
LADDER = [sample for sample in SAMPLES if sample.shape.radius == 0.016][::2]
"""Six hemispheres of one radius, softest first."""


def _imprint(sample: Sample, force: float) -> np.ndarray:
    a = float(hertz.contact_radius(force, sample.shape.radius, sample.combined))
    return height_map((0.0, 0.0), a, sample.shape.radius, sample.gel_share)


def _change(frame: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """Change of brightness and colour of each pixel, grey levels [H, W]."""
    change = gaussian_filter(frame.astype(float) - bare, (1, 1, 0))
    return np.sqrt((change**2).sum(-1))


def _seen(frame: np.ndarray, bare: np.ndarray) -> tuple[float, float]:
    """Radius (m) of the disc that has changed by half of the greatest change; that change (grey levels)."""
    change = _change(frame, bare)
    peak = float(np.quantile(change, 0.995))
    return float(np.sqrt(binary_fill_holes(change > peak / 2).sum() / np.pi) * PIXEL), peak


class _Gel:
    """A gel without markers, and its bare picture averaged over the noise."""

    def __init__(self) -> None:
        self._sensor, self._rng = TactileSensor(make_unit("digit-000"), SHAPE), np.random.default_rng(0)
        self.bare = np.mean([self.look(np.zeros(SHAPE)) for _ in range(8)], axis=0)

    def look(self, imprint: np.ndarray) -> np.ndarray:
        return self._sensor.render(imprint, center=(0.0, 0.0), wear=0.0, rng=self._rng)


@pytest.fixture(scope="module")
def gel() -> _Gel:
    return _Gel()


@pytest.fixture(scope="module")
def pressed() -> list[Trial]:
    presses = Presses(trials=60, frames=6, seed=4)
    return [presses.trial(i) for i in range(60)]


def test_the_samples_run_from_8_shore_00_to_45_shore_a_in_even_steps_of_modulus() -> None:
    assert (SAMPLES[0].scale, SAMPLES[0].reading) == ("00", 8)
    assert (SAMPLES[-1].scale, SAMPLES[-1].reading) == ("a", 45)
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES) == 60
    steps = np.diff(np.log(sorted({sample.modulus for sample in SAMPLES})))
    assert len(steps) == 11
    assert steps.min() > 0.3
    assert steps.max() < 0.45


@pytest.mark.parametrize("sample", LADDER, ids=lambda sample: sample.name)
def test_the_imprints_disc_grows_with_the_cube_root_of_force(sample: Sample) -> None:
    widths = np.linspace(2e-3, 6e-3, 6)
    force = 4 * sample.combined * widths**3 / (3 * sample.shape.radius)
    # Hertz: at the contact's rim the surface has come half as far in as in the middle.
    discs = [imprint > imprint.max() / 2 for imprint in (_imprint(sample, f) for f in force)]
    radii = [np.sqrt(disc.sum() / np.pi) * PIXEL for disc in discs]
    np.testing.assert_allclose(radii, widths, rtol=0.02)
    assert np.polyfit(np.log(force), np.log(radii), 1)[0] == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("sample", LADDER[::2], ids=lambda sample: sample.name)
def test_the_changed_area_in_the_picture_grows_with_the_cube_root_of_force(sample: Sample, gel: _Gel) -> None:
    force = 4 * sample.combined * np.linspace(2.2e-3, 6e-3, 6) ** 3 / (3 * sample.shape.radius)
    radii = [_seen(gel.look(_imprint(sample, f)), gel.bare)[0] for f in force]
    # The skin's rounding, the same few pixels at every size, keeps it some hundredths below 1/3.
    assert np.polyfit(np.log(force), np.log(radii), 1)[0] == pytest.approx(1 / 3, abs=0.04)


def test_at_equal_force_a_harder_ball_leaves_a_smaller_and_brighter_spot(gel: _Gel) -> None:
    seen = np.array([_seen(gel.look(_imprint(sample, 0.6)), gel.bare) for sample in LADDER])
    assert (np.diff(seen[:, 0]) < 0).all()
    assert (np.diff(seen[:, 1]) > 0).all()


def test_brightness_rises_faster_against_contact_radius_the_harder_the_ball(gel: _Gel) -> None:
    widths = np.linspace(2e-3, 5e-3, 5)
    rises = []
    for sample in LADDER:
        force = 4 * sample.combined * widths**3 / (3 * sample.shape.radius)
        change = [_change(gel.look(_imprint(sample, f)), gel.bare).mean() for f in force]
        rises.append(np.polyfit(widths, change, 1)[0])
    assert (np.diff(rises) > 0).all()


def test_a_regression_on_radius_and_brightness_finds_the_order_of_hardness(pressed: list[Trial]) -> None:
    features, hardness = [], []
    for trial in pressed:
        bare, clip = trial.streams["tactile"]["before"], trial.streams["tactile"]["during"]
        radius, peak = np.array([_seen(frame, bare) for frame in clip]).T
        clear = peak >= np.median(peak)
        slope = (peak * radius)[clear].sum() / (radius[clear] ** 2).sum()
        features.append([np.log(slope), np.log(radius[clear].mean()), 1.0])
        hardness.append(trial.outcomes["log_modulus"])
    x, y = np.array(features), np.array(hardness)
    found = np.concatenate([x[i::3] @ np.linalg.lstsq(*_others(x, y, i), rcond=None)[0] for i in range(3)])
    true = np.concatenate([y[i::3] for i in range(3)])
    assert spearmanr(found, true).statistic > 0.8


def _others(x: np.ndarray, y: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray]:
    kept = np.arange(len(y)) % 3 != fold
    return x[kept], y[kept]


def test_the_hand_does_not_control_force_but_stays_where_the_theory_holds() -> None:
    rng = np.random.default_rng(5)
    peaks = []
    for k in range(300):
        sample = SAMPLES[k % 60]
        ball, radius, share = BallContact(sample), sample.shape.radius, sample.gel_share
        motion = draw_motion(12, ball, rng)
        force = hertz.contact_force(motion.depth, radius, sample.combined)
        contact = hertz.contact_radius(force, radius, sample.combined)
        slack = np.sqrt(TREMOR * radius)  # a tremor reaches a little past where the hand meant to stop
        assert contact.max() <= min(STRAIN[1] * radius + slack, WIDEST + 1e-9)
        assert share * motion.depth.max() <= DEEPEST + TREMOR
        assert (np.hypot(*(motion.start + radius * motion.tilt + motion.drift).T) < 5e-3).all()
        assert (force >= 0).all()
        peaks.append(force.max())
    assert max(peaks) <= PEAK_FORCE[1] * 1.15
    assert np.quantile(peaks, 0.9) / np.quantile(peaks, 0.1) > 4


def test_a_held_press_stops_growing_and_another_grows_to_the_end() -> None:
    rng = np.random.default_rng(6)
    grown: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(200):
        motion = draw_motion(20, BallContact(SAMPLES[22]), rng)
        grown[motion.held].append((motion.depth[-1] - motion.depth[-4]) / motion.depth.max())
    assert len(grown[True]) > 60
    assert len(grown[False]) > 60
    assert np.mean(grown[True]) < 0.01 < 0.05 < np.mean(grown[False])


def test_every_sample_occurs_once_in_sixty_presses(pressed: list[Trial]) -> None:
    assert sorted(trial.object for trial in pressed) == sorted(sample.name for sample in SAMPLES)


def test_labels_and_truth_follow_the_sample(pressed: list[Trial]) -> None:
    presses = Presses(trials=60, frames=6, seed=4)
    for i, trial in enumerate(pressed):
        sample, hidden = presses.sample(i), trial.hidden
        assert trial.object == sample.name
        assert 10 ** trial.outcomes["log_modulus"] == pytest.approx(sample.modulus)
        assert trial.outcomes["soft"] == (hidden["gel_share"] < 0.5)
        contact = np.array([hidden[f"contact_{t:02d}"] for t in range(6)])
        force = np.array([hidden[f"force_{t:02d}"] for t in range(6)])
        np.testing.assert_allclose(
            contact**3, 3 * force * sample.shape.radius / (4 * sample.combined), rtol=1e-9
        )
        assert hidden["force_peak"] == force.max()


def test_sensor_and_session_change_together_after_forty_presses() -> None:
    presses = Presses(trials=2 * SESSION_PRESSES + 1, frames=2, first_unit=20, units=3)
    seen = [presses.trial(i) for i in (0, SESSION_PRESSES - 1, SESSION_PRESSES, 2 * SESSION_PRESSES)]
    assert (seen[0].session, seen[0].sensor) == (seen[1].session, seen[1].sensor)
    assert len({trial.session for trial in seen}) == 3
    assert {trial.sensor for trial in seen} == {"gelsight-020", "gelsight-021", "gelsight-022"}
    assert seen[1].columns["wear"] > seen[0].columns["wear"]


def test_a_clip_is_of_one_gel_and_one_press(pressed: list[Trial]) -> None:
    for trial in pressed[:10]:
        bare, clip = trial.streams["tactile"]["before"], trial.streams["tactile"]["during"]
        assert bare.shape == (120, 160, 3)
        assert clip.shape == (6, 120, 160, 3)
        assert clip.dtype == np.uint8
        assert _change(clip[0], bare).mean() < _change(clip[-1], bare).mean() + 0.5


def test_a_press_is_the_same_wherever_and_whenever_it_is_made(pressed: list[Trial]) -> None:
    alike = pickle.loads(pickle.dumps(Presses(trials=60, frames=6, seed=4)))
    for i in (41, 0):
        for phase in ("before", "during"):
            assert np.array_equal(
                alike.trial(i).streams["tactile"][phase], pressed[i].streams["tactile"][phase]
            )
    more = Presses(trials=500, frames=6, seed=4)
    assert more.trial(41).hidden == pressed[41].hidden
    assert Presses(trials=60, frames=6, seed=5).trial(41).hidden != pressed[41].hidden


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"trials": 0}, "trials"),
        ({"seed": -1}, "seed"),
        ({"frames": 1}, "frames"),
        ({"units": 0}, "units"),
        ({"first_unit": 1.5}, "first_unit"),
        ({"trials": True}, "trials"),
        ({"sensors": "thumb"}, "thumb"),
        ({"source": "folder"}, "source"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(SimulationError, match=named):
        Presses(**options)
