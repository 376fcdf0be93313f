"""The connector pairs: on the grid, aligned, perturbed within bounds, and telling by sight and touch."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from visuotactile.datasets.trial import Trial
from visuotactile.errors import SimulationError
from visuotactile.sim.connectors.pairs import (
    CAMERA_HEIGHT,
    MARK_COLOR,
    MARK_STEM,
    SIGHT_HALF,
    STEP,
    STEP_YAW,
    TOUCH_HALF,
    Configuration,
    Connectors,
    contact,
    draw_sight,
    overhead_depth,
)
from visuotactile.sim.connectors.parts import CONNECTORS, connector_model

SIZE = 64


@pytest.fixture(scope="module")
def pairs() -> Connectors:
    return Connectors(size=SIZE)


@pytest.fixture(scope="module")
def places(pairs: Connectors) -> list[Configuration]:
    return [pairs.configuration(i) for i in range(len(pairs))]


def test_there_are_1920_training_and_640_validation_pairs_equally_of_each_part(pairs: Connectors) -> None:
    assert len(pairs) == 2560
    assert len(set(pairs.names)) == 2560
    for part in CONNECTORS:
        assert sum(name.startswith(f"train-{part}-") for name in pairs.names) == 480
        assert sum(name.startswith(f"validation-{part}-") for name in pairs.names) == 160


def test_training_poses_stand_on_a_grid_of_5_degrees_and_5_mm(places: list[Configuration]) -> None:
    training = places[:1920]
    for part in CONNECTORS:
        at = [place for place in training if place.part == part]
        assert len({(place.x, place.y, place.yaw) for place in at}) == 480
        for values, step in (
            ({place.x for place in at}, 5e-3),
            ({place.y for place in at}, 5e-3),
            ({place.yaw % np.pi for place in at}, np.radians(5)),
            ({place.heading for place in at}, np.radians(5)),
        ):
            steps = (np.array(sorted(values)) - min(values)) / step
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_validation_poses_are_perturbed_within_5_degrees_and_5_mm(
    pairs: Connectors, places: list[Configuration]
) -> None:
    moved = []
    for i in range(1920, 2560):
        config = int(pairs.names[i].rsplit("-", 1)[1])
        here, there = places[i], places[config]
        assert (here.part, here.heading) == (there.part, there.heading)
        moved.append(
            [(here.x - there.x) / STEP, (here.y - there.y) / STEP, (here.yaw - there.yaw) / STEP_YAW]
        )
    size = np.abs(moved)
    assert size.max() <= 1
    assert (size.max(axis=0) > 0.97).all()
    assert (abs(np.mean(moved, axis=0)) < 0.1).all()


def test_no_validation_pair_equals_a_training_pair(pairs: Connectors, places: list[Configuration]) -> None:
    assert len({(p.part, p.x, p.y, p.yaw) for p in places}) == 2560
    for i in range(1920, 2560, 80):
        trial = pairs.trial(i)
        origin = pairs.trial(int(trial.columns["config"]))
        assert trial.columns["split"] == "validation"
        assert origin.columns["split"] == "train"
        assert not np.array_equal(trial.streams["depth"]["before"], origin.streams["depth"]["before"])


def test_training_pairs_share_a_contact_exactly_when_they_differ_in_x_alone(
    pairs: Connectors, places: list[Configuration]
) -> None:
    met: dict[float, set[tuple[str, float, float]]] = {}
    for i in (*range(0, 1920, 7), *range(1920, 2560, 40)):
        place = places[i]
        contact_of = pairs.trial(i).columns["contact"]
        assert isinstance(contact_of, float)
        met.setdefault(contact_of, set()).add((place.part, place.y, place.yaw))
    assert all(len(found) == 1 for found in met.values())
    assert len(set.union(*met.values())) == len(met)
    assert [pairs.trial(i).columns["contact"] for i in (0, 3, 4, 1919, 1920, 2559)] == [
        0,
        0,
        1,
        479,
        480,
        1119,
    ]


def test_every_pair_is_felt(places: list[Configuration]) -> None:
    # Touch does not depend on x (a test below), so one of four is looked at, and every perturbed pose.
    for place in itertools.chain(places[:1920:4], places[1920:]):
        felt = contact(place, 32)
        assert 0 < felt.mean() < 1, place


def test_the_part_lies_between_the_open_pads(places: list[Configuration]) -> None:
    grid = ((np.arange(SIZE) + 0.5) * 2 / SIZE - 1) * SIGHT_HALF
    x, y = np.meshgrid(grid, -grid)
    for place in places[::37]:
        c, s = np.cos(place.heading), np.sin(place.heading)
        along, across = abs(x * c + y * s), abs(y * c - x * s)
        under_a_pad = (along > MARK_STEM) & (across < TOUCH_HALF)
        standing = overhead_depth(place, SIZE) < CAMERA_HEIGHT - 1e-4
        assert standing.any(), place
        assert not (standing & under_a_pad).any(), place


@pytest.mark.parametrize("part", CONNECTORS)
@pytest.mark.parametrize("heading", [0.0, 2.5])
def test_5_mm_in_the_grippers_frame_moves_both_images_by_5_mm(part: str, heading: float) -> None:
    size, half = 192, 96
    here = Configuration(part=part, x=1e-3, y=-2e-3, yaw=0.0, heading=heading)
    felt, felt_there = contact(here, size), contact(replace(here, y=here.y + 5e-3), size)
    columns = round(5e-3 / (2 * TOUCH_HALF / size))
    both = np.s_[:, half - 48 : half + 48]  # away from the window's rim, where something may have come in
    assert felt[both].any()
    assert (np.roll(felt_there, -columns, axis=1)[both] != felt[both]).mean() < 0.01

    c, s = np.cos(heading), np.sin(heading)
    for moved, direction in (
        (replace(here, x=here.x + 5e-3), (c, s)),
        (replace(here, y=here.y + 5e-3), (-s, c)),
    ):
        step = _centroid(moved, size) - _centroid(here, size)
        np.testing.assert_allclose(step, 5e-3 * np.array(direction), atol=0.25e-3)
    assert (
        contact(replace(here, x=here.x + 5e-3), size) != felt
    ).mean() < 0.001  # the jaws close until they meet


def _centroid(place: Configuration, size: int) -> np.ndarray:
    """Centre of the visible part, metres to the right of and above the image's centre."""
    rows, columns = np.nonzero(overhead_depth(place, size) < CAMERA_HEIGHT - 1e-4)
    middle = (size - 1) / 2
    return np.array([columns.mean() - middle, middle - rows.mean()]) * 2 * SIGHT_HALF / size


def test_touch_follows_the_gripper_and_not_the_world() -> None:
    place = Configuration(part="usb", x=2e-3, y=4e-3, yaw=0.2, heading=0.3)
    felt = contact(place, SIZE)
    for heading in (1.7, 4.0):
        turned = contact(replace(place, heading=heading), SIZE)
        assert (turned != felt).mean() < 0.005


def test_the_centre_of_sight_is_the_gripper() -> None:
    for part, heading in itertools.product(CONNECTORS, (0.0, 2.0)):
        place = Configuration(part=part, x=0.0, y=0.0, yaw=0.0, heading=heading)
        middle = overhead_depth(place, SIZE)[SIZE // 2 - 1 : SIZE // 2 + 1, SIZE // 2 - 1 : SIZE // 2 + 1]
        top = CAMERA_HEIGHT - middle.min()
        rest = CONNECTORS[part].rest * 1e-3
        assert rest < top <= 2 * rest + 1e-6


@pytest.mark.parametrize("turn", [0, 35, 90, 145, 200, 335])
def test_the_mark_stands_at_the_grippers_angle(turn: int) -> None:
    heading = np.radians(turn)
    drawn = draw_sight(np.full((SIZE, SIZE), CAMERA_HEIGHT), heading)
    ink = drawn[..., 2].astype(float) / MARK_COLOR[2]
    grid = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    x, y = np.meshgrid(grid, -grid)
    spread = np.array([[(ink * a * b).sum() for b in (x, y)] for a in (x, y)])
    long_axis = np.linalg.eigh(spread)[1][:, 1]
    assert abs(long_axis @ [np.cos(heading), np.sin(heading)]) > np.cos(np.radians(1))
    assert abs((ink * x).sum()) + abs((ink * y).sum()) < 1e-6 * ink.sum()


def test_depth_is_in_metres_and_sight_is_its_picture(pairs: Connectors) -> None:
    trial = pairs.trial(1100)
    depth, sight = trial.streams["depth"]["before"], trial.streams["sight"]["before"]
    assert depth.max() == pytest.approx(CAMERA_HEIGHT, abs=1e-5)
    assert depth.min() > CAMERA_HEIGHT - 0.0095
    plain = (sight == sight[..., :1]).all(axis=-1)
    order = np.argsort(depth[plain])
    assert (np.diff(sight[plain][order, 0].astype(int)) <= 0).all()


def test_a_pair_is_the_same_wherever_and_whenever_it_is_made(pairs: Connectors) -> None:
    alike = pickle.loads(pickle.dumps(Connectors(size=SIZE)))
    for i in (2400, 3, 1000):
        for one, other in zip(_arrays(pairs.trial(i)), _arrays(alike.trial(i)), strict=True):
            assert np.array_equal(one, other)
    other_seed = Connectors(seed=1, size=SIZE)
    assert [other_seed.configuration(i) for i in range(50)] != [pairs.configuration(i) for i in range(50)]


def _arrays(trial: Trial) -> list[np.ndarray]:
    return [array for phases in trial.streams.values() for array in phases.values()]


def test_touch_is_binary_in_three_equal_channels(pairs: Connectors) -> None:
    touch = pairs.trial(700).streams["touch"]["during"]
    assert touch.shape == (SIZE, SIZE, 3)
    assert set(np.unique(touch)) == {0, 255}
    assert (touch == touch[..., :1]).all()


def test_a_nearest_neighbour_knows_parts_better_by_sight_than_by_touch(
    pairs: Connectors, places: list[Configuration]
) -> None:
    """Heights seen from above are told apart in any pose; contacts of plug and stud are often the same."""
    chosen = np.r_[0:1920:5, 1920:2560:5]
    sight = np.stack([_heights(overhead_depth(places[i], SIZE)) for i in chosen])
    touch = np.stack([contact(places[i], 32).ravel() for i in chosen]).astype(float)
    part = np.array([places[i].part for i in chosen])
    new = chosen >= 1920
    by_sight, by_touch = (_nearest_is_right(known, part, new) for known in (sight, touch))
    assert by_sight > 0.9
    assert 0.5 < by_touch < by_sight - 0.05


def _nearest_is_right(x: np.ndarray, part: np.ndarray, new: np.ndarray) -> float:
    """Share of the new pairs [n, D] whose nearest known pair is of the same part."""
    distance = ((x[new][:, None] - x[~new][None]) ** 2).sum(-1)
    return float((part[~new][distance.argmin(1)] == part[new]).mean())


def _heights(depth: np.ndarray) -> np.ndarray:
    return np.histogram(CAMERA_HEIGHT - depth, bins=np.linspace(0.5e-3, 9.5e-3, 31))[0] ** 0.5


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"size": 8}, "size"),
        ({"size": 64.0}, "size"),
        ({"source": "folder"}, "source"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(SimulationError, match=named):
        Connectors(**options)


def test_an_unknown_part_and_one_out_of_reach_are_refused() -> None:
    with pytest.raises(SimulationError, match="there are aux, pin, usb, stud"):
        connector_model("hdmi")
    with pytest.raises(SimulationError, match="outside the contact window"):
        contact(Configuration(part="usb", x=0.0, y=0.05, yaw=0.0, heading=0.0), 32)
