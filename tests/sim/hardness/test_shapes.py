"""Presses of every shape: what a gel shows of it, soft or hard, straight, oblique or rolling."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from visuotactile.datasets.store import Store
from visuotactile.errors import SimulationError
from visuotactile.mechanics import hertz
from visuotactile.sim.collect import collect
from visuotactile.sim.hardness.contacts import (
    VISIBLE,
    BallContact,
    SurfaceContact,
    Touch,
    make_contact,
    pulls,
)
from visuotactile.sim.hardness.press_motion import PressMotion, rolled, slanted
from visuotactile.sim.hardness.presses import FRICTION, Presses
from visuotactile.sim.hardness.samples import GEL_MODULUS, HARDNESSES, Sample, make_samples
from visuotactile.sim.hardness.shapes import FAMILIES, SHAPES, TEXTURES, find_shapes
from visuotactile.sim.tactile import SHAPE, TactileSensor, make_unit
from visuotactile.sim.tactile.grid import Grid

GRID = Grid(SHAPE)
ONE_OF_EACH = ("cylinder-r09", "edge-140", "corner-4-20", "flat-square", "grape", "orange")


def _sample(shape: str, level: str = "a-07", texture: str = "smooth") -> Sample:
    scale, _, reading = level.partition("-")
    return Sample(shape=SHAPES[shape], scale=scale, reading=float(reading or 0), texture=texture)


def _motion(depth: float | np.ndarray, frames: int = 1) -> PressMotion:
    still = np.zeros((frames, 2))
    return PressMotion(
        time=np.linspace(0, 1, frames + 1)[1:],
        depth=np.broadcast_to(np.asarray(depth, float), frames),
        start=np.zeros(2),
        tilt=still,
        drift=still,
        twist=np.zeros(frames),
        held=False,
    )


def _at_force(sample: Sample, force: float) -> Touch:
    """The contact under `force` newtons, straight on."""
    contact = SurfaceContact(sample, 0.3)
    low, high = 1e-6, 8e-3
    for _ in range(18):
        middle = (low + high) / 2
        touch = contact.touches(_motion(middle))[0]
        low, high = (middle, high) if touch.force < force else (low, middle)
    return touch


def test_a_ball_by_boundary_elements_is_the_ball_of_the_closed_form() -> None:
    sample = _sample("hemisphere-r12")
    motion = rolled(slanted(_motion(0.9e-3, 3), BallContact(sample), 10, 1.0), BallContact(sample), _rng())
    pairs = [contact.touches(motion) for contact in (BallContact(sample), SurfaceContact(sample, 0.5))]
    for exact, found in zip(*pairs, strict=True):
        assert found.force == pytest.approx(exact.force, rel=0.01)
        assert found.contact == pytest.approx(exact.contact, rel=0.02)
        np.testing.assert_allclose(found.center, exact.center, atol=0.1e-3)
        assert abs(found.imprint - exact.imprint).max() < 0.02 * exact.imprint.max()


def _rng() -> np.random.Generator:
    return np.random.default_rng(8)


@pytest.mark.parametrize("shape", ONE_OF_EACH)
def test_at_equal_force_a_harder_sample_leaves_a_smaller_imprint_and_at_equal_depth_a_deeper_one(
    shape: str,
) -> None:
    soft, hard = _sample(shape, "00-15"), _sample(shape, "00-87")
    touches = [_at_force(sample, 0.8) for sample in (soft, hard)]
    assert touches[1].contact < touches[0].contact * 1.001  # a flat's stays
    if SHAPES[shape].family != "flat":
        assert touches[1].contact < 0.9 * touches[0].contact
    shallow, deep = (make_contact(sample, 0.0).touches(_motion(0.5e-3))[0] for sample in (soft, hard))
    assert shallow.contact == deep.contact
    # the gel's share of the same approach, so that its slopes are steeper by as much
    ratio = hard.gel_share / soft.gel_share
    np.testing.assert_allclose(deep.imprint, ratio * shallow.imprint)
    assert deep.force / shallow.force == pytest.approx(hard.combined / soft.combined)


def test_next_to_a_rigid_sample_the_gel_yields_alone_and_next_to_its_own_kind_by_half() -> None:
    assert _sample("orange", "rigid").gel_share > 0.999
    assert _sample("orange", "a-05").gel_share == pytest.approx(0.5)
    hardest = _sample("orange", "00-87")
    assert 8 < hardest.modulus / GEL_MODULUS < 11
    assert hardest.combined < float(hertz.combined_modulus(np.inf, GEL_MODULUS))


def test_ranges_of_hardness_grow_and_rise() -> None:
    for some, more in (("paper", "wide"), ("wide", "rigid")):
        assert HARDNESSES[more][: len(HARDNESSES[some])] == HARDNESSES[some]
    moduli = [sample.modulus for sample in make_samples(find_shapes("orange"), ("smooth",), "rigid")]
    assert (np.diff(np.log(moduli)) > 0.28).all()


def test_a_texture_shows_on_a_hard_sample_and_is_pressed_flat_on_a_soft_one() -> None:
    def ripple(level: str) -> float:
        plain, rough = (
            SurfaceContact(_sample("hemisphere-r16", level, texture), 0.0).touches(_motion(1.2e-3))[0].imprint
            for texture in ("smooth", "dots")
        )
        return float((rough - plain)[50:70, 70:90].std())

    assert ripple("rigid") > 2 * ripple("00-32") > 0.5e-6
    assert ripple("rigid") > 10e-6


@pytest.mark.parametrize("shape", ["hemisphere-r10", *ONE_OF_EACH])
def test_an_oblique_press_shears_the_gel_along_its_path(shape: str) -> None:
    sample = _sample(shape)
    contact, depth = make_contact(sample, 0.2), np.array([0.3e-3, 0.6e-3])
    shears = {}
    for angle in (0.0, 8.0, 16.0):
        motion = slanted(_motion(depth, 2), contact, angle, 0.9)
        shears[angle], _ = pulls(contact.touches(motion), motion, sample.combined, FRICTION)
    assert not shears[0.0].any()
    for shear in shears[8.0], shears[16.0]:
        assert np.allclose(np.arctan2(shear[:, 1], shear[:, 0]), 0.9)
    sizes = [np.hypot(*shears[angle][-1]) for angle in (8.0, 16.0)]
    assert sizes[1] > 1.2 * sizes[0] > 0


def test_the_markers_go_along_with_an_oblique_press() -> None:
    sensor, sample = TactileSensor(make_unit("gelsight-001"), SHAPE), _sample("hemisphere-r14")
    contact = make_contact(sample, 0.0)
    motion = slanted(_motion(1e-3), contact, 20, 0.0)
    touch = contact.touches(motion)[0]
    shear, _ = pulls([touch], motion, sample.combined, FRICTION)
    moved = [
        sensor._membrane.motion(touch.imprint, pull, 0.0, touch.center)[0].mean()
        for pull in (np.zeros(2), shear[0])
    ]
    assert moved[1] - moved[0] > 0.1  # pixels, on average over the whole window


def test_a_rolling_press_moves_the_contact_along_a_ball_and_rocks_a_flat() -> None:
    ball, flat = (make_contact(_sample(shape), 0.0) for shape in ("hemisphere-r12", "flat-disc"))
    for contact, least in ((ball, 1.5e-3), (flat, 0.3e-3)):
        motion = rolled(_motion(0.4e-3, 4), contact, _rng())
        centers = np.array([touch.center for touch in contact.touches(motion)])
        assert np.hypot(*(centers[-1] - centers[0])) > least
        assert np.hypot(*centers.T).max() < 6e-3


@pytest.fixture(scope="module")
def softest() -> Presses:
    return Presses(
        trials=2000, shapes="all", textures="all", hardness="rigid", sensors="digit", frames=2, seed=1
    )


def test_the_softest_sample_of_every_shape_stays_visible(softest: Presses) -> None:
    places = {softest.sample(i).name: i for i in range(len(softest.samples))}
    for sample in softest.samples[: len(SHAPES)]:
        assert sample.level == "00-08"
        trial = softest.trial(places[sample.name])
        bare, last = trial.streams["tactile"]["before"].astype(float), trial.streams["tactile"]["during"][-1]
        change = np.abs((last - bare).reshape(30, 4, 40, 4, 3).mean(axis=(1, 3))).max(axis=2)
        # averaged over 16 pixels, noise is about 0.2 grey levels
        assert np.quantile(change, 0.98) > 2.0, sample.name
        assert trial.hidden["gel_share"] < 0.13


def test_every_press_indents_the_gel_by_what_a_person_sees_and_stays_on_the_window() -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for level in ("00-08", "rigid"):
            sample = _sample(shape, level)
            contact = SurfaceContact(sample, float(rng.uniform(0, 6)))
            depth = contact.depth(float(np.exp(rng.uniform(-0.9, 1.8))), float(rng.uniform(0.28, 0.48)))
            assert sample.gel_share * depth >= 0.999 * VISIBLE
            touch = contact.touches(_motion(depth))[0]
            assert touch.contact < 7e-3
            assert np.hypot(*touch.center) < 2.5e-3


def test_a_hand_stops_at_the_force_that_it_meant() -> None:
    for shape in ONE_OF_EACH:
        contact = SurfaceContact(_sample(shape, "00-87"), 0.0)
        found = contact.touches(_motion(contact.depth(0.6, 0.48)))[0].force
        assert found == pytest.approx(0.6, rel=0.15), shape


def test_presses_of_hemispheres_kept_their_bytes_when_the_lab_grew() -> None:
    clip = Presses(trials=60).trial(19).streams["tactile"]["during"]
    assert hashlib.sha256(clip.tobytes()).hexdigest().startswith("79f5198b4e187a71")


def test_the_path_of_a_press_leaves_its_hand_and_sample_as_they_were() -> None:
    straight, oblique = (Presses(trials=60, frames=3, angle=angle).trial(7) for angle in (0.0, 20.0))
    assert straight.object == oblique.object
    for key in ("force_peak", "contact_02", "duration"):
        assert straight.hidden[key] == oblique.hidden[key]
    assert straight.columns["angle"] == 0 < oblique.columns["angle"] <= 20


def test_the_table_names_what_a_person_chose(softest: Presses) -> None:
    trial, sample = softest.trial(3), softest.sample(3)
    assert trial.object == sample.name
    chosen = {"family": sample.shape.family, "shape": sample.shape.name, "level": sample.level}
    assert {key: trial.columns[key] for key in chosen} == chosen
    assert trial.columns["texture"] in TEXTURES
    assert trial.columns["radius"] == sample.shape.radius
    every = {softest.sample(i).shape.family for i in range(len(softest.samples))}
    assert every == set(FAMILIES)


def test_kinds_of_sensor_take_turns() -> None:
    presses = Presses(trials=120, frames=2, sensors="gelsight,digit", units=2)
    assert {presses._session(i)[1] for i in (0, 40, 80)} == {"gelsight-000", "digit-001"}


WIDE = {
    "trials": 12,
    "frames": 2,
    "shapes": "all",
    "textures": "all",
    "hardness": "rigid",
    "motion": "press,roll",
    "angle": 15.0,
    "sensors": "gelsight,digit",
    "shard_trials": 10,
    "progress": False,
}


def test_any_number_of_workers_collects_the_same_bytes_of_a_wide_set(tmp_path: Path) -> None:
    stores = [collect("press", tmp_path / str(workers), workers=workers, **WIDE) for workers in (1, 2)]
    first, second = ({p.name: p.read_bytes() for p in store.path.iterdir()} for store in stores)
    assert first == second
    store = Store(stores[0].path)
    assert len(store) == 12
    assert set(store.column("column/motion")) == {"press", "roll"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"shapes": "banana"}, "banana"),
        ({"shapes": ""}, "shape"),
        ({"textures": "fur"}, "fur"),
        ({"hardness": "steel"}, "steel"),
        ({"motion": "slap"}, "slap"),
        ({"angle": 80.0}, "angle"),
        ({"angle": True}, "angle"),
        ({"sensors": "gelsight,thumb"}, "thumb"),
    ],
)
def test_what_the_lab_does_not_have_is_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(SimulationError, match=named):
        Presses(**options)
