"""Frozen encoders: what they promise, and what an encoder folder must be to be believed."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from visuotactile.encoders import (
    InputContract,
    create_backbone,
    load_encoder,
    prepare,
    save_encoder,
    untrained_encoder,
)
from visuotactile.errors import ContractError, EncoderError

ARCHITECTURE = "resnet10t"


def test_what_is_loaded_is_what_was_saved(pristine, contract, images):
    original = untrained_encoder(ARCHITECTURE, contract, seed=0)
    loaded = load_encoder(pristine)
    assert loaded.hash == original.hash
    assert (loaded.architecture, loaded.contract, loaded.width) == (ARCHITECTURE, contract, 512)
    assert loaded.meta["method"] == "moco"
    assert loaded.meta["versions"]["torch"] == torch.__version__.split("+")[0]
    np.testing.assert_array_equal(loaded.encode(*images), original.encode(*images))


def test_timm_alone_can_read_the_weights(pristine):
    backbone, _ = create_backbone(ARCHITECTURE)
    backbone.load_state_dict(load_file(pristine / "encoder.safetensors"), strict=True)


def test_frozen_stays_frozen(pristine, images):
    encoder = load_encoder(pristine)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.train()
    features = encoder(torch.randn(4, 3, 32, 32, requires_grad=True))
    assert not features.requires_grad
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def test_frozen_features_can_feed_a_head_that_learns(pristine):
    model = torch.nn.Sequential(load_encoder(pristine), torch.nn.Linear(512, 2))
    model.train()
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert model[1].weight.grad is not None
    assert not model[0].training


def test_features_do_not_depend_on_the_batch_size(pristine, images):
    encoder = load_encoder(pristine)
    whole = encoder.encode(*images)
    assert whole.dtype == np.float32
    with torch.no_grad():
        direct = encoder.backbone(prepare(encoder.contract, *map(torch.from_numpy, images)))
    np.testing.assert_array_equal(whole, direct.numpy())
    for batch_size in (1, 3, 7):
        np.testing.assert_allclose(encoder.encode(*images, batch_size=batch_size), whole, atol=1e-5)


def test_read_only_and_reversed_arrays_are_encoded_too(pristine, images):
    encoder = load_encoder(pristine)
    backwards = encoder.encode(images[0][::-1], images[1][::-1])
    np.testing.assert_allclose(backwards[::-1], encoder.encode(*images), atol=1e-5)
    locked = images[0].copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(encoder.encode(locked, images[1]), encoder.encode(*images))


def test_no_images_give_no_features(pristine, images):
    empty = images[0][:0], images[1][:0]
    assert load_encoder(pristine).encode(*empty).shape == (0, 512)


def test_images_that_break_the_contract_are_refused(pristine, images):
    encoder = load_encoder(pristine)
    for wrong in (
        (images[0], None),
        (images[0], images[1][:3]),
        (images[0].astype(np.float32), images[1]),
        (images[0][:0].astype(np.float32), images[1][:0]),
        (torch.from_numpy(images[0]), images[1]),
    ):
        with pytest.raises(ContractError):
            encoder.encode(*wrong)
    with pytest.raises(ContractError, match="batch_size"):
        encoder.encode(*images, batch_size=0)


def test_an_untrained_encoder_depends_on_its_seed_alone(contract):
    torch.manual_seed(1)
    first = untrained_encoder(ARCHITECTURE, contract, seed=5)
    state = torch.get_rng_state()
    again = untrained_encoder(ARCHITECTURE, contract, seed=5)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers are left alone"
    assert first.hash == again.hash
    assert first.hash != untrained_encoder(ARCHITECTURE, contract, seed=6).hash
    other = InputContract(streams=("tactile_right",), size=32)
    assert first.hash != untrained_encoder(ARCHITECTURE, other, seed=5).hash


def test_an_architecture_that_cannot_see_the_size_is_refused():
    with pytest.raises(EncoderError, match="40×40; give a size that is a whole number of its patches"):
        untrained_encoder("vit_tiny_patch16_224", InputContract(streams=("rgb",), size=40), seed=0)


def test_a_vit_sees_any_whole_number_of_its_patches_and_is_loaded_again(tmp_path):
    contract = InputContract(streams=("rgb",), reference=None, size=48)
    made = untrained_encoder("test_vit", contract, seed=0)
    saved = save_encoder(tmp_path / "vit", made.backbone, "test_vit", contract, {})
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    assert np.array_equal(load_encoder(tmp_path / "vit").encode(images), made.encode(images))
    assert saved.hash == made.hash


def test_saving_does_not_touch_the_backbone_that_is_being_trained(contract, tmp_path):
    backbone, _ = create_backbone(ARCHITECTURE)
    encoder = save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, {"method": "moco"})
    assert backbone.training
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    next(backbone.parameters()).data.zero_()
    assert next(encoder.parameters()).abs().sum() > 0


def test_weights_of_another_architecture_or_with_nan_are_not_saved(tmp_path, contract):
    backbone, _ = create_backbone("resnet18")
    with pytest.raises(EncoderError, match="does not hold resnet10t weights: the first differing key"):
        save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, {})
    backbone, _ = create_backbone(ARCHITECTURE)
    next(backbone.parameters()).data[0] = float("nan")
    with pytest.raises(EncoderError, match="NaN"):
        save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, {})
    assert list(tmp_path.iterdir()) == []
