"""Batches spread over recordings, meet every sample once an epoch, and are a function of the place in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssl_helpers import noise_store, reads

from visuotactile.datasets.batches import GroupedBatchSampler, partners, spread_order
from visuotactile.datasets.datamodule import TactileData
from visuotactile.datasets.samples import Index, Samples, class_labels, find_samples
from visuotactile.errors import ContractError, DataError, StoreError

BOTH = ("tactile_left", "tactile_right")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """72 samples: 12 trials, two sensors, clips of three frames."""
    store = noise_store(tmp_path_factory.mktemp("noise") / "store")
    return find_samples(store, BOTH, "during", "before", label="success")


def test_every_frame_of_every_sensor_of_every_trial_is_one_sample(samples: Samples) -> None:
    rows = set(zip(samples.trial.tolist(), samples.stream.tolist(), samples.frame.tolist(), strict=True))
    assert len(samples) == len(rows) == 12 * 2 * 3
    assert np.array_equal(samples.recording, samples.trial)
    assert np.array_equal(samples.label, samples.trial % 2)


def test_samples_read_the_pixels_that_they_name(samples: Samples) -> None:
    chosen = np.array([5, 71, 0, 5])
    images, references = samples.read(chosen)
    assert references is not None
    for row, image, reference in zip(chosen, images, references, strict=True):
        stream, trial = BOTH[samples.stream[row]], [int(samples.trial[row])]
        clip = samples.store.read(stream, "during", trial)[0]
        assert np.array_equal(image, clip[samples.frame[row]])
        assert np.array_equal(reference, samples.store.read(stream, "before", trial)[0])


def test_after_frames_are_refused_as_samples(samples: Samples) -> None:
    leaky = find_samples(samples.store, ["tactile_left"], "after", None)
    with pytest.raises(ContractError, match="outcome"):
        leaky.read([0])


def test_hidden_truth_is_refused_as_a_label(samples: Samples) -> None:
    with pytest.raises(ContractError, match="hidden"):
        class_labels(samples.store, "hidden/friction")


def test_a_missing_stream_is_named(samples: Samples) -> None:
    with pytest.raises(StoreError, match="has no thumb/during"):
        find_samples(samples.store, ["thumb"], "during", None)


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 20), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_any_stretch_of_an_epoch_holds_each_recording_by_its_share(counts: list[int], seed: int) -> None:
    recordings = np.repeat(np.arange(len(counts)), counts)
    order = spread_order(recordings, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(recordings)))
    total = len(recordings)
    for recording, count in enumerate(counts):
        place = np.flatnonzero(recordings[order] == recording)
        # Sample j of `count` lies in the j-th of `count` equal parts, give or take the other recordings.
        assert (
            np.abs(place / total * count - (np.arange(count) + 0.5)).max()
            <= 0.5 + len(counts) * count / total
        )


def test_a_partner_is_another_frame_of_the_family_where_there_is_one(samples: Samples) -> None:
    partner = partners(samples.contact, np.random.default_rng(0))
    assert np.array_equal(samples.contact[partner], samples.contact)
    assert (partner != np.arange(len(samples))).all()
    assert np.array_equal(partners(np.arange(5), np.random.default_rng(0)), np.arange(5))


def test_a_grasps_partner_may_be_on_the_other_finger(samples: Samples) -> None:
    data = TactileData(samples.store.path, reads(*BOTH), batch_size=64, positive="grasp")
    data.setup()
    pairs = next(iter(data.train_dataloader().batch_sampler))
    assert np.array_equal(samples.trial[pairs[:, 0]], samples.trial[pairs[:, 1]])
    assert (samples.stream[pairs[:, 0]] != samples.stream[pairs[:, 1]]).any()


def test_an_epoch_yields_each_sample_once_and_every_batch_many_groups() -> None:
    groups = np.repeat(np.arange(12), 16)
    batches = list(GroupedBatchSampler(groups, 16, 0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(groups)))
    assert min(len(set(groups[batch].tolist())) for batch in batches) == 12


@pytest.mark.parametrize("drawn", [False, True])
def test_ranks_share_the_joined_batch_out(samples: Samples, drawn: bool) -> None:
    def draw(rng: np.random.Generator) -> Index:
        return np.stack([np.arange(len(samples)), partners(samples.contact, rng)], axis=1)

    how = draw if drawn else None
    joined = list(GroupedBatchSampler(samples.recording, 12, 0, how))
    shares = [list(GroupedBatchSampler(samples.recording, 6, 0, how, rank, 2)) for rank in range(2)]
    for step, whole in enumerate(joined):
        for rank in range(2):
            assert np.array_equal(shares[rank][step], whole[rank::2])


def test_a_resumed_epoch_goes_on_with_the_batch_that_was_next(samples: Samples) -> None:
    start = (0, 0)
    batches = GroupedBatchSampler(samples.recording, 16, 3, start=lambda whole: start)
    epochs = [list(batches)]
    start = (1, 0)
    epochs.append(list(batches))
    assert not np.array_equal(epochs[0][0], epochs[1][0])
    start = (1, 2)
    assert all(np.array_equal(a, b) for a, b in zip(batches, epochs[1][2:], strict=True))


def test_too_few_samples_for_a_batch_are_refused(samples: Samples) -> None:
    with pytest.raises(DataError, match="do not fill one batch"):
        GroupedBatchSampler(samples.recording, 100, 0)


def test_no_trials_are_refused(samples: Samples) -> None:
    with pytest.raises(DataError, match="no samples"):
        find_samples(samples.store, BOTH, "during", None, [])
