"""Adaptation of an encoder's statistics to unlabelled images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from visuotactile.cli import main
from visuotactile.datasets.splits import make_split
from visuotactile.encoders import InputContract, load_encoder, save_encoder, untrained_encoder
from visuotactile.encoders.adapt import ADAPTATIONS, adapt, adapted, choose_images
from visuotactile.encoders.contract import prepare
from visuotactile.errors import ContractError, EncoderError

SMALL = InputContract(streams=("tactile_left",), size=32)
SCALED = replace(SMALL, normalisation="dataset", mean=(0.1,) * 3, std=(0.3,) * 3)


@pytest.fixture(scope="module")
def encoder():
    """Random weights of timm's smallest ResNet, with an input scale that fits no store."""
    return untrained_encoder("test_resnet", SCALED, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder):
    """The encoder's folder, which says that it was pretrained on one cup of another store."""
    folder = tmp_path_factory.mktemp("encoders") / "encoder"
    meta = {"method": "moco", "fingerprint": "another", "pretraining_objects": ["cup"]}
    save_encoder(folder, encoder.backbone, "test_resnet", SCALED, meta)
    return folder


def every(store):
    return np.arange(len(store))


def test_with_no_images_nothing_changes(folder, store, tmp_path):
    made = adapt(folder, tmp_path / "out", store=store.path, images=0)
    assert made.hash == load_encoder(folder).hash == load_encoder(tmp_path / "out").hash
    assert ADAPTATIONS not in made.meta


def test_its_own_statistics_weigh_ever_more_beside_few_images(encoder, store):
    def distance(own_weight):
        made = adapted(encoder, store, every(store), images=8, own_weight=own_weight)
        return float((made.backbone.bn1.running_mean - encoder.backbone.bn1.running_mean).abs().sum())

    far = [distance(weight) for weight in (0, 8, 80, 10**9)]
    assert far[0] > far[1] > far[2] > far[3]
    assert far[3] == pytest.approx(0, abs=1e-5)


def test_the_inputs_scale_is_that_of_the_images(encoder, store):
    made = adapted(encoder, store, every(store))
    samples, chosen = choose_images(store, SCALED, every(store), 1000, 0)
    images, references = samples.read(chosen)
    x = prepare(made.contract, torch.from_numpy(images), torch.from_numpy(references))
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-3, rtol=0)


def test_each_layer_then_sees_what_it_was_made_for(encoder, store):
    # 48 images are one chunk, in which every layer is fed by layers that have these statistics already.
    made, seen = adapted(encoder, store, every(store)), []
    norms = [m for m in made.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) > 5
    for norm in norms:
        norm.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs[0])))
    samples, chosen = choose_images(store, SCALED, every(store), 1000, 0)
    images, references = samples.read(chosen)
    made.encode(images, references)
    for norm, values in seen:
        torch.testing.assert_close(values.mean(dim=(0, 2, 3)), norm.running_mean, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(
            values.var(dim=(0, 2, 3), correction=0), norm.running_var, atol=1e-5, rtol=1e-3
        )


def test_weights_and_the_given_encoder_stay_as_they_are(encoder, store):
    before = encoder.hash
    made = adapted(encoder, store, every(store))
    assert untrained_encoder("test_resnet", SCALED, seed=0).hash == before
    running = ("running_mean", "running_var")
    same = [
        torch.equal(value, encoder.backbone.state_dict()[name])
        for name, value in made.backbone.state_dict().items()
        if not name.endswith(running)
    ]
    assert all(same)
    assert made.hash != before
    assert not made.training


def test_the_same_seed_gives_the_same_encoder(encoder, store):
    first, again = (adapted(encoder, store, every(store), images=12, seed=3) for _ in range(2))
    assert first.hash == again.hash != adapted(encoder, store, every(store), images=12, seed=4).hash


def test_images_come_evenly_from_the_trials(store):
    samples, chosen = choose_images(store, SMALL, every(store), 24, seed=0)
    assert len(set(samples.trial[chosen].tolist())) == 24


def test_it_never_sees_a_test_fold(folder, store, tmp_path, monkeypatch):
    split = make_split(store, "object:3", 0)
    split.save(tmp_path / "split.json")
    train, test = split.indices(store, 1)
    read = set()
    original = type(store).read

    def spy(self, stream, phase, trials, frames=None):
        read.update(np.atleast_1d(trials).tolist())
        return original(self, stream, phase, trials, frames)

    monkeypatch.setattr(type(store), "read", spy)
    made = adapt(folder, tmp_path / "out", store=store.path, split=str(tmp_path / "split.json"), fold=1)
    assert read == set(train.tolist())
    assert not read & set(test.tolist())
    (seen,) = made.meta[ADAPTATIONS]
    assert (seen["split_hash"], seen["fold"]) == (split.hash, 1)
    assert seen["pretraining_objects"] == np.unique(store.objects[train]).tolist()


def test_the_file_says_what_the_encoder_saw(folder, store, tmp_path):
    adapt(folder, tmp_path / "first", store=store.path, images=20)
    again = adapt(tmp_path / "first", tmp_path / "again", store=store.path, images=10, own_weight=5)
    meta = load_encoder(tmp_path / "again").meta
    assert [each["pretraining_images"] for each in meta[ADAPTATIONS]] == [20, 10]
    assert meta[ADAPTATIONS][1]["own_weight"] == 5
    assert meta[ADAPTATIONS][0]["fingerprint"] == store.fingerprint
    assert (meta["method"], meta["fingerprint"]) == ("moco", "another")
    assert {"cup", *np.unique(store.objects)} >= set(meta["pretraining_objects"]) > {"cup"}
    assert again.hash == load_encoder(tmp_path / "again").hash


def test_the_command_says_the_same(folder, store, tmp_path):
    words = ["adapt", str(folder), "--store", str(store.path), "--images", "16", str(tmp_path / "out")]
    assert main(words) == 0
    made = adapt(folder, tmp_path / "python", store=store.path, images=16)
    assert load_encoder(tmp_path / "out").hash == made.hash


def test_an_encoder_without_statistics_is_refused(store):
    bare = untrained_encoder("test_convnext", SMALL, seed=0)
    with pytest.raises(EncoderError, match="no batch norm"):
        adapted(bare, store, every(store))


def test_a_network_without_batch_norm_adapts_the_scale_of_its_input(store):
    bare = untrained_encoder("test_convnext", SCALED, seed=0)
    made = adapted(bare, store, every(store))
    assert made.contract.std != SCALED.std
    theirs = bare.backbone.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in made.backbone.state_dict().items())


@pytest.mark.parametrize(("images", "words"), [(1, "1 image"), (-1, "0 or more")])
def test_too_few_images_are_refused(encoder, store, images, words):
    with pytest.raises(ContractError, match=words):
        adapted(encoder, store, every(store), images=images)
