from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract, load_encoder, untrained_encoder
from visuotactile.errors import EncoderError, StoreError
from visuotactile.probes.features import RawPixels, trial_features

rng = np.random.default_rng(0)


class Counting:
    """An encoder that reports each image's mean colour, and counts the images that it was shown."""

    def __init__(self, contract, factor=1.0, name="counting"):
        self.contract, self.hash, self.factor, self.shown = contract, name, factor, 0

    def encode(self, images, references=None):
        self.shown += len(images)
        features = images.astype(np.float32).mean(axis=(1, 2))
        if references is not None:
            features -= references.astype(np.float32).mean(axis=(1, 2))
        return features * self.factor


def clip_store(path, count=5, frames=4, brighter=0, before=()) -> Store:
    def trial(i: int) -> Trial:
        own = np.random.default_rng(i)
        image = lambda *shape: (own.integers(0, 200, (*shape, 6, 8, 3)) + brighter).astype(np.uint8)  # noqa: E731
        return Trial(
            name=f"t{i}",
            object=f"o{i % 3}",
            outcomes={"success": float(i % 2)},
            streams={side: {"before": image(*before), "during": image(frames)} for side in ("left", "right")},
        )

    names = [f"t{i}" for i in range(count)]
    return write_store(
        path,
        lambda indices: (trial(i) for i in indices),
        dataset="clips",
        source="made up",
        settings={},
        names=names,
        example=trial(0),
        shard_trials=2,
    )


def test_clips_give_mean_and_spread_over_frames_averaged_over_fingers(tmp_path):
    store = clip_store(tmp_path / "store")
    encoder = Counting(InputContract(streams=("left", "right"), size=6))
    expected = []
    for side in ("left", "right"):
        clips = store.read(side, "during", np.arange(5)).astype(float).mean(axis=(2, 3))
        frames = clips - store.read(side, "before", np.arange(5)).astype(float).mean(axis=(1, 2))[:, None]
        expected.append(np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1))
    found = trial_features(encoder, store, cache=None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-4)


def test_the_reference_of_a_clip_is_its_first_frame_as_in_pretraining(tmp_path):
    store = clip_store(tmp_path / "store", before=(3,))
    found = trial_features(Counting(InputContract(streams=("left",), size=6)), store, cache=None)
    during = store.read("left", "during", np.arange(5)).astype(float).mean(axis=(1, 2, 3))
    first = store.read("left", "before", np.arange(5))[:, 0].astype(float).mean(axis=(1, 2))
    np.testing.assert_allclose(found[:, :3], during - first, rtol=1e-4)


def test_single_images_give_the_encoders_features_alone(store, contract):
    encoder = untrained_encoder("resnet10t", contract, 0)
    found = trial_features(encoder, store, cache=None)
    one = encoder.encode(
        *(store.read("tactile_left", phase, np.array([3])) for phase in ("during", "before"))
    ) + encoder.encode(*(store.read("tactile_right", phase, np.array([3])) for phase in ("during", "before")))
    assert found.shape == (len(store), encoder.width)
    np.testing.assert_allclose(found[3], one[0] / 2, rtol=1e-3, atol=1e-5)


def test_raw_pixels_are_the_prepared_image_at_32(store, contract):
    found = trial_features(RawPixels(replace(contract, size=64)), store, cache=None)
    assert found.shape == (len(store), 3 * 32 * 32)
    assert abs(found.mean()) < 0.01  # each image was standardised


def test_features_are_encoded_once_and_then_found_by_content(tmp_path):
    store, cache = clip_store(tmp_path / "store"), tmp_path / "cache"
    encoder = Counting(InputContract(streams=("left",), size=6))
    first = trial_features(encoder, store, cache=cache)
    assert encoder.shown == 20
    moved = tmp_path / "elsewhere"
    store.path.rename(moved)
    np.testing.assert_array_equal(trial_features(encoder, Store(moved), cache=cache), first)
    assert encoder.shown == 20
    another = Counting(encoder.contract, factor=2.0, name="another")
    np.testing.assert_allclose(trial_features(another, Store(moved), cache=cache), 2 * first, rtol=1e-5)


def test_the_same_table_with_other_pixels_is_other_content(tmp_path):
    stores = clip_store(tmp_path / "dark"), clip_store(tmp_path / "bright", brighter=30)
    assert stores[0].fingerprint == stores[1].fingerprint
    encoder = Counting(InputContract(streams=("left",), reference=None, size=6))
    dark, bright = (trial_features(encoder, store, cache=tmp_path / "cache") for store in stores)
    np.testing.assert_allclose(bright[:, :3] - dark[:, :3], 30, atol=1e-3)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "text"])
def test_a_damaged_cache_is_made_again(tmp_path, damage, capsys):
    store, cache = clip_store(tmp_path / "store"), tmp_path / "cache"
    encoder = Counting(InputContract(streams=("left",), size=6))
    first = trial_features(encoder, store, cache=cache)
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 0xFF
    file.write_bytes(
        {"truncated": content[:middle], "flipped": content, "emptied": b"", "text": b"hello"}[damage]
    )
    np.testing.assert_array_equal(trial_features(encoder, store, cache=cache), first)
    assert encoder.shown == 40
    assert "computed again" in capsys.readouterr().err
    trial_features(encoder, store, cache=cache)
    assert encoder.shown == 40


def test_nan_features_name_the_encoder_and_the_trial(tmp_path):
    store = clip_store(tmp_path / "store")
    encoder = Counting(InputContract(streams=("left",), size=6), factor=np.nan)
    with pytest.raises(EncoderError, match=r"my encoder gives NaN.*5 of 5 trials.*'t0'"):
        trial_features(encoder, store, cache=tmp_path / "cache", name="my encoder")
    assert not (tmp_path / "cache").exists()


def test_a_stream_that_the_store_lacks_is_named(store, encoders):
    encoder = load_encoder(encoders[0])
    encoder.contract = replace(encoder.contract, streams=("thumb",))
    with pytest.raises(StoreError, match="thumb"):
        trial_features(encoder, store, cache=None)
