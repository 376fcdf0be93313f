"""Statistics of a store: exact, whoever computes them, and of nothing but what an encoder may look at."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ssl_helpers import noise_store

from visuotactile.datasets.join import join
from visuotactile.datasets.statistics import Moments, Statistics, add, from_json, to_json, trial_statistics
from visuotactile.datasets.store import INDEX, Store
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.errors import ContractError, StoreError

Pixels = npt.NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """12 trials of noise: a `before` image and a `during` clip of two fingers, and an outcome."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store")


def expected(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Mean and deviation of each colour, as shares of 255."""
    flat = values.reshape(-1, 3).astype(np.float64) / 255
    return flat.mean(axis=0), flat.std(axis=0)


def test_the_statistics_of_a_store_are_those_of_its_pixels(store: Store) -> None:
    rows = np.arange(len(store))
    for stream in ("tactile_left", "tactile_right"):
        before, during = (store.read(stream, phase, rows).astype(int) for phase in ("before", "during"))
        for name, values in {
            f"{stream}/before": before,
            f"{stream}/during": during,
            f"{stream}/during-before": during - before[:, None],
        }.items():
            mean, std = expected(values)
            np.testing.assert_allclose(store.statistics[name].mean, mean, rtol=1e-12)
            np.testing.assert_allclose(store.statistics[name].std, std, rtol=1e-12)
    assert len(store.statistics) == 6, "nothing of the phase that shows the outcome"


def test_of_large_images_an_even_grid_is_counted() -> None:
    image = noise(150, 300, 3)
    (moments,) = trial_statistics({"rgb": {"before": image}}).values()
    counted = image[::3, ::6]
    assert moments.pixels == 50 * 50
    np.testing.assert_allclose(moments.mean, expected(counted)[0], rtol=1e-12)


def test_a_difference_is_of_a_later_phase_from_the_first_frame_of_an_earlier_one() -> None:
    before, lift = noise(4, 20, 24, 3), noise(3, 20, 24, 3, seed=1)
    found = trial_statistics({"finger": {"lift": lift, "before": before}})
    assert set(found) == {"finger/before", "finger/lift", "finger/lift-before"}
    np.testing.assert_allclose(
        found["finger/lift-before"].std, expected(lift.astype(int) - before[0])[1], rtol=1e-12
    )


def test_only_images_are_counted() -> None:
    streams = {
        "sound": {"during": np.zeros((100, 2), np.int16)},
        "depth": {"before": np.zeros((20, 20), np.uint16)},
        "four_channels": {"before": np.zeros((20, 20, 4), np.uint8)},
        "finger": {"before": noise(20, 20, 3), "during": noise(10, 20, 3)},
    }
    assert set(trial_statistics(streams)) == {"finger/before", "finger/during"}


def test_images_that_were_not_recorded_are_not_counted() -> None:
    before, during, nothing = noise(20, 24, 3), noise(20, 24, 3, seed=1), np.zeros((20, 24, 3), np.uint8)
    whole = trial_statistics({"finger": {"before": before, "during": during}})
    lacking = trial_statistics({"finger": {"before": before, "during": nothing}})
    assert lacking == {"finger/before": whole["finger/before"]}
    assert add([whole, lacking])["finger/during-before"] == whole["finger/during-before"]


def test_a_store_of_the_first_format_computes_them_from_its_pixels(store: Store, tmp_path: Path) -> None:
    old = noise_store(tmp_path / "old").path
    index = json.loads((old / INDEX).read_text())
    del index["statistics"]
    (old / INDEX).write_text(json.dumps(index | {"format": 1}))
    assert Store(old).statistics == store.statistics


def test_those_of_a_joined_store_are_those_of_all_its_trials(store: Store, tmp_path: Path) -> None:
    parts = [noise_store(tmp_path / "few", trials=5), noise_store(tmp_path / "rest", trials=12, first=5)]
    joined = join([part.path for part in parts], tmp_path / "joined")
    assert joined.statistics == store.statistics
    assert joined.index["statistics"] == store.index["statistics"]


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(1, 19), level=st.integers(0, 255), seed=st.integers(0, 99))
def test_parts_add_up_exactly(cut: int, level: int, seed: int) -> None:
    images = np.minimum(noise(20, 8, 8, 3, seed=seed), level).astype(np.uint8)

    def of(part: Pixels) -> Statistics:
        return trial_statistics({"finger": {"during": part}})

    assert add([of(images[:cut]), of(images[cut:])]) == of(images)
    assert from_json(json.loads(json.dumps(to_json(of(images)))), "here") == of(images)


def test_damaged_statistics_are_refused(tmp_path: Path) -> None:
    path = noise_store(tmp_path / "store", trials=1).path
    text = (path / INDEX).read_text()
    for damage in (
        [1],
        {"finger/during": 3},
        {"finger/during": {"pixels": 0, "sum": [0], "sum_of_squares": [0]}},
        {"finger/during": {"pixels": 4, "sum": [1.5], "sum_of_squares": [9]}},
        {"finger/during": {"pixels": 4, "sum": [100], "sum_of_squares": [9]}},
    ):
        (path / INDEX).write_text(json.dumps(json.loads(text) | {"statistics": damage}))
        with pytest.raises(StoreError, match="its statistics are damaged"):
            Store(path)


TOUCH = InputContract(streams=("tactile_left", "tactile_right"), size=32, normalisation="store")


def test_a_contract_takes_the_stores_numbers_over_all_its_streams(store: Store) -> None:
    measured = TOUCH.measured(store.statistics)
    both = add([{"d": store.statistics[f"{stream}/during-before"]} for stream in TOUCH.streams])["d"]
    assert measured == dataclasses.replace(
        TOUCH,
        normalisation="dataset",
        mean=tuple(round(value, 6) for value in both.mean),
        std=tuple(round(value, 6) for value in both.std),
    )
    alone = dataclasses.replace(TOUCH, reference=None).measured(store.statistics)
    assert alone.mean != measured.mean
    assert measured.measured({}) == measured, "an encoder's own numbers stay"


def test_numbers_that_are_given_are_kept(store: Store) -> None:
    mean, std = (0.0,) * 3, (0.05,) * 3
    given_ = dataclasses.replace(TOUCH, mean=mean, std=std)
    assert given_.measured({}) == dataclasses.replace(TOUCH, normalisation="dataset", mean=mean, std=std)
    half = dataclasses.replace(TOUCH, std=std).measured(store.statistics)
    assert half.std == std
    assert half.mean == TOUCH.measured(store.statistics).mean


def test_images_that_are_all_alike_are_not_blown_up() -> None:
    flat = {f"{stream}/during-before": Moments(10, (0,) * 3, (0,) * 3) for stream in TOUCH.streams}
    assert TOUCH.measured(flat).std == (round(1 / 255, 6),) * 3


def test_streams_that_the_store_lacks_are_named(store: Store) -> None:
    thumb = dataclasses.replace(TOUCH, streams=("thumb",))
    with pytest.raises(ContractError, match="no statistics of thumb/during-before; it has tactile_left/"):
        thumb.measured(store.statistics)


def test_nothing_is_prepared_with_numbers_that_are_not_there_yet() -> None:
    image = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    with pytest.raises(ContractError, match=r"contract.measured\(store.statistics\)"):
        prepare(TOUCH, image, image)
