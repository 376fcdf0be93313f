"""Drawn laboratories differ, are the same for the same seed, and keep what matters in the picture."""

from __future__ import annotations

from dataclasses import astuple, fields, replace

import numpy as np
import pytest

from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.light import Light, warmth
from visuotactile.sim.vision.tabletop import linear, paint
from visuotactile.sim.vision.variation import TABLE_KINDS, Table, Variation


@pytest.fixture(scope="module")
def drawn() -> list[Variation]:
    rng = np.random.default_rng(0)
    return [Variation.draw(rng) for _ in range(300)]


def test_the_same_seed_draws_the_same_laboratory() -> None:
    assert Variation.draw(np.random.default_rng(4)) == Variation.draw(np.random.default_rng(4))
    assert Variation.draw(np.random.default_rng(4)) != Variation.draw(np.random.default_rng(5))


def test_every_property_varies(drawn: list[Variation]) -> None:
    for field in fields(Variation):
        assert len({getattr(variation, field.name) for variation in drawn}) == len(drawn), field.name
    assert {variation.table.kind for variation in drawn} == set(TABLE_KINDS)


def test_a_laboratory_can_be_a_key(drawn: list[Variation]) -> None:
    """Cameras are kept by it."""
    assert len(set(drawn)) == len(drawn)


def test_colours_are_colours(drawn: list[Variation]) -> None:
    for variation in drawn:
        look = astuple(variation.appearance)
        for rgb in (*look, variation.wall, variation.table.color, variation.table.second):
            assert len(rgb) == 3
            assert all(0 <= value <= 1 for value in rgb)


def test_the_scene_gets_the_colours_of_the_laboratory() -> None:
    variation = replace(Variation(), hand=(0.1, 0.2, 0.3), table=Table(color=(0.4, 0.5, 0.6)))
    assert variation.appearance.hand == (0.1, 0.2, 0.3)
    assert variation.appearance.table == (0.4, 0.5, 0.6)


def test_the_lamp_hangs_over_the_table_and_before_the_wall(drawn: list[Variation]) -> None:
    for variation in drawn:
        assert 0.6 < variation.lamp[2] < 2.1
        assert variation.lamp[1] < variation.wall_y


def test_where_objects_stand_and_are_lifted_to_is_in_every_picture(drawn: list[Variation]) -> None:
    places = np.array([(x, y, z) for x in (-0.11, 0.11) for y in (-0.09, 0.09) for z in (0.0, 0.27)])
    for variation in drawn:
        at, depth = Camera(variation=variation).project(places)
        assert (at > 0).all()
        assert (at < 223).all()
        assert (depth > 0.5).all()


def test_a_low_colour_temperature_is_red_and_a_high_one_blue() -> None:
    red, green, blue = warmth(3200)
    assert red > green > blue
    np.testing.assert_allclose(warmth(6500), 1)
    assert warmth(9000)[2] > 1 > warmth(9000)[0]


def test_the_lamps_power_is_what_falls_on_the_origin_and_fades_with_the_square_of_distance() -> None:
    light = Light(replace(Variation(), lamp=(0.0, 0.0, 1.0)))
    up = np.array([0, 0, 1], np.float32)
    _, share = light.falling(np.array([[0, 0, 0], [0, 0, 0.5], [1, 0, 0]], np.float32), up)
    np.testing.assert_allclose(share, [1, 4, 0.5 * np.sqrt(0.5)], rtol=1e-5)


@pytest.mark.parametrize("kind", TABLE_KINDS)
def test_a_table_shows_its_colours_and_nothing_else(kind: str) -> None:
    table = Table(kind=kind, color=(0.8, 0.2, 0.4), second=(0.2, 0.6, 0.5), pitch=0.02)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (5000, 3)).astype(np.float32)
    ground, second = linear(table.color), linear(table.second)
    share = ((paint(table, points) - ground) / (second - ground)).mean(axis=1)
    np.testing.assert_allclose(paint(table, points), ground + share[:, None] * (second - ground), atol=1e-5)
    assert share.min() > -1e-4
    assert share.max() < 1 + 1e-4
    assert share.std() > 0.02


def test_a_checkerboard_repeats_every_two_squares_along_its_angle() -> None:
    table = Table(kind="checker", pitch=0.03, angle=0.5)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (500, 3)).astype(np.float32)
    along = np.array([np.cos(0.5), np.sin(0.5), 0], np.float32)
    np.testing.assert_allclose(paint(table, points + 0.06 * along), paint(table, points), atol=2e-3)
    squares = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]], np.float32) * 0.03
    turned = np.column_stack([squares @ [np.cos(0.5), -np.sin(0.5)], squares @ [np.sin(0.5), np.cos(0.5)]])
    a, b, c, d = paint(table, turned.astype(np.float32))
    np.testing.assert_allclose([a, b], [d, c], atol=1e-6)
    assert np.abs(a - b).min() > 0.05


def test_grain_and_specks_are_the_seeds() -> None:
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (500, 3)).astype(np.float32)
    for kind in ("wood", "speckle"):
        one, same, other = (paint(Table(kind=kind, seed=seed), points) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()
