"""A depth camera's report: noise as published, whole millimetres, and holes at edges only."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.sim.vision.kinect import LOST, deviation, edges, measure


@pytest.mark.parametrize(("distance", "published"), [(0.8, 0.0015), (1.2, 0.0024), (2.0, 0.0061)])
def test_noise_grows_with_distance_as_published(distance: float, published: float) -> None:
    flat = np.full((200, 200), distance, np.float32)
    report = measure(flat, np.random.default_rng(0))
    assert report.std() == pytest.approx(published, rel=0.05)
    assert report.mean() == pytest.approx(distance, abs=1e-4)
    assert float(deviation(flat)[0, 0]) == pytest.approx(published, rel=0.05)


def test_it_reports_whole_millimetres() -> None:
    report = measure(np.full((50, 50), 0.9, np.float32), np.random.default_rng(0)) * 1000
    np.testing.assert_allclose(report, np.rint(report), atol=1e-3)
    assert report.dtype == np.float32


def test_holes_are_at_edges_and_nowhere_else() -> None:
    depth = np.full((80, 80), 1.2, np.float32)
    depth[20:60, 30:50] = 0.9
    report = measure(depth, np.random.default_rng(0))
    edge = edges(depth)
    assert edge.sum() == 2 * (40 + 20) * 2 - 4
    assert (report[~edge] > 0).all()
    assert (report[edge] == 0).mean() == pytest.approx(LOST, abs=0.1)


def test_what_an_edge_reports_is_one_of_its_two_sides() -> None:
    depth = np.full((80, 80), 1.2, np.float32)
    depth[:, 40:] = 0.9
    seen = measure(depth, np.random.default_rng(0))[edges(depth)]
    seen = seen[seen > 0]
    near, far = np.abs(seen - 0.9) < 0.01, np.abs(seen - 1.2) < 0.012
    assert (near | far).all()
    assert 0.3 < near.mean() < 0.7


def test_a_slanted_table_has_no_edges() -> None:
    depth = np.broadcast_to(np.linspace(1.4, 0.7, 224)[:, None], (224, 224)).astype(np.float32)
    assert not edges(depth).any()


def test_the_same_seed_reports_the_same_and_another_differs() -> None:
    depth = np.full((40, 40), 1.0, np.float32)
    a, b, c = (measure(depth, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
