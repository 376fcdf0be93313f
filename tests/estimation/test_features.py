"""Frozen features: every head learns what is in the features, with intervals that hold, and is saved
whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visuotactile.encoders import InputContract
from visuotactile.encoders.frozen import untrained_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.estimation import features
from visuotactile.estimation.contact_mechanics import ContactMechanics
from visuotactile.estimation.estimator import Known
from visuotactile.estimation.features import FrozenFeatures
from visuotactile.estimation.file import load_estimator, save_estimator


@pytest.fixture(scope="module")
def encoder():
    contract = InputContract(
        streams=("tactile",), size=32, normalisation="dataset", mean=(0, 0, 0), std=(0.1,) * 3
    )
    return untrained_encoder("test_resnet", contract, 0)


class Sequences:
    """Features [n, 5, 8] in which a number grows over the frames, and a radius scales it."""

    def __init__(self, seed: int, samples: int = 40) -> None:
        rng = np.random.default_rng(seed)
        self.units = np.arange(samples).repeat(5)
        self.target = rng.uniform(4, 6, samples)[self.units]
        self.radius = rng.uniform(0.008, 0.016, samples)[self.units]
        seen = self.target + 3 * np.log(self.radius / 0.012)
        self.plain, self.scaled = (self._frames(rng, number) for number in (self.target, seen))

    def _frames(self, rng, number):
        way = np.random.default_rng(9).normal(size=8)
        growth = np.linspace(0.2, 1, 5)[None, :, None] * number[:, None, None] * way
        return (growth + 0.05 * rng.normal(size=growth.shape)).astype(np.float32)


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch) -> None:
    monkeypatch.setattr(features, "EPOCHS", 15)
    monkeypatch.setattr(features, "RATE", 8e-3)


def test_a_feature_that_never_varied_does_not_carry_an_estimate_away(encoder) -> None:
    # Rare activations of a wide network are zero on all presses that were learnt from, and large on one.
    train, test = Sequences(0), Sequences(1)
    rare = np.full((*train.plain.shape[:2], 1), 1e-4, np.float32)
    rare[0] = 0
    fitted = FrozenFeatures(encoder, "ridge").fit(
        np.concatenate([train.plain, rare], 2), train.target, train.units
    )
    usual = fitted.predict(np.concatenate([test.plain, rare], 2)).value
    fired = fitted.predict(np.concatenate([test.plain, rare + 100], 2)).value
    assert np.abs(fired - usual).max() < 0.1


@pytest.mark.parametrize("head", ["ridge", "gru", "attention"])
def test_each_head_learns_the_number_and_states_intervals_that_hold(encoder, head) -> None:
    train, test = Sequences(0, samples=30), Sequences(1, samples=60)
    found = FrozenFeatures(encoder, head).fit(train.plain, train.target, train.units).predict(test.plain)
    assert np.corrcoef(found.value, test.target)[0, 1] > 0.98
    held = (found.low <= test.target) & (test.target <= found.high)
    assert held.mean() > 0.8
    assert np.mean(found.high - found.low) < 1.0


def test_the_radius_helps_where_it_is_part_of_the_answer(encoder) -> None:
    train, test = Sequences(0), Sequences(1)
    errors = []
    for radius in (False, True):
        known = [Known(radius=each.radius if radius else None) for each in (train, test)]
        estimator = FrozenFeatures(encoder, "ridge", radius=radius)
        estimator.fit(train.scaled, train.target, train.units, known[0])
        errors.append(np.std(estimator.predict(test.scaled, known[1]).value - test.target))
    assert errors[1] < errors[0] / 2
    with pytest.raises(ContractError, match="give the radius"):
        estimator.predict(test.scaled)


def test_the_same_seed_gives_the_same_weights(encoder) -> None:
    train = Sequences(0, samples=10)
    one, two = (FrozenFeatures(encoder, "gru").fit(train.plain, train.target, train.units) for _ in range(2))
    for name, value in one.state().items():
        assert torch.equal(value, two.state()[name]), name


@pytest.mark.parametrize("head", ["ridge", "attention"])
def test_a_saved_estimator_estimates_the_same(encoder, head, tmp_path) -> None:
    train = Sequences(0, samples=10)
    estimator = FrozenFeatures(encoder, head).fit(train.plain, train.target, train.units)
    save_estimator(tmp_path / "model", estimator, {"store": "presses", "seed": 0})
    found = load_estimator(tmp_path / "model")
    assert found.span == estimator.span
    assert found.meta["store"] == "presses"
    one, two = (each.predict(train.plain, level=0.8) for each in (estimator, found))
    np.testing.assert_array_equal(one.value, two.value)
    np.testing.assert_array_equal(one.low, two.low)


def test_a_saved_contact_fit_estimates_the_same_and_an_edit_is_refused(drawn, tmp_path) -> None:
    estimator = ContactMechanics(window=20.0).fit(drawn.measured, drawn.target, drawn.units, drawn.known)
    save_estimator(tmp_path / "model", estimator, {})
    found = load_estimator(tmp_path / "model")
    for known in (drawn.known, drawn.known.without_radius()):
        np.testing.assert_array_equal(
            found.predict(drawn.measured, known).high, estimator.predict(drawn.measured, known).high
        )
    description = tmp_path / "model" / "estimator.json"
    description.write_text(description.read_text().replace('"window": 20.0', '"window": 21.0'))
    with pytest.raises(EncoderError, match="edited"):
        load_estimator(tmp_path / "model")


def test_frames_of_a_clip_become_features(encoder, press_clips) -> None:
    found = FrozenFeatures(encoder).measure(press_clips, show=False)
    assert found.shape == (8, 5, encoder.width)
    assert np.isfinite(found).all()
    assert (found[:, 0] != found[:, 4]).any()
