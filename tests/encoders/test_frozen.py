"""Frozen encoders: what they promise, and what an encoder folder must be to be believed."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from visuotactile.encoders import (
    InputContract,
    create_backbone,
    load_encoder,
    prepare,
    save_encoder,
    untrained_encoder,
)
from visuotactile.errors import ContractError, EncoderError, OutputExistsError
from visuotactile.files import sha256_file

ARCHITECTURE = "resnet10t"


def edit(folder, **changes):
    """Change entries of encoder.json; a value None removes the entry."""
    path = folder / "encoder.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def rewrite_weights(folder, state):
    """Replace the weights and record their hash, as one who edits both files would."""
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "encoder.safetensors")
    edit(folder, weights_sha256=sha256_file(folder / "encoder.safetensors"))


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


def test_a_finished_encoder_is_replaced_only_when_told_to(folder, contract):
    other = untrained_encoder(ARCHITECTURE, contract, seed=1)
    with pytest.raises(OutputExistsError):
        save_encoder(folder, other.backbone, ARCHITECTURE, contract, {})
    save_encoder(folder, other.backbone, ARCHITECTURE, contract, {}, overwrite=True)
    assert load_encoder(folder).hash == other.hash
    assert [item.name for item in folder.parent.iterdir()] == [folder.name]


def test_a_folder_with_other_things_in_it_is_never_replaced(folder, contract):
    (folder / "thesis.tex").write_text("the only copy")
    backbone, _ = create_backbone(ARCHITECTURE)
    with pytest.raises(OutputExistsError, match="more than an encoder"):
        save_encoder(folder, backbone, ARCHITECTURE, contract, {}, overwrite=True)
    assert (folder / "thesis.tex").read_text() == "the only copy"


@pytest.mark.parametrize(
    "step", ["encoders.frozen.save_file", "encoders.frozen.write_json", "files._put_in_place"]
)
def test_a_save_that_fails_leaves_what_was_there(folder, contract, monkeypatch, step):
    before = load_encoder(folder).hash
    backbone, _ = create_backbone(ARCHITECTURE)

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(f"visuotactile.{step}", fail)
    with pytest.raises(OSError, match="disk full"):
        save_encoder(folder, backbone, ARCHITECTURE, contract, {}, overwrite=True)
    with pytest.raises(OSError, match="disk full"):
        save_encoder(folder.parent / "new", backbone, ARCHITECTURE, contract, {})
    assert [item.name for item in folder.parent.iterdir()] == [folder.name]
    assert load_encoder(folder).hash == before


@pytest.mark.parametrize("meta", [{"loss": float("nan")}, {"model": object()}])
def test_meta_that_json_cannot_hold_is_refused(tmp_path, contract, meta):
    backbone, _ = create_backbone(ARCHITECTURE)
    with pytest.raises(EncoderError, match="JSON"):
        save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, meta)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_architecture_or_with_nan_are_not_saved(tmp_path, contract):
    backbone, _ = create_backbone("resnet18")
    with pytest.raises(EncoderError, match="does not hold resnet10t weights: the first differing key"):
        save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, {})
    backbone, _ = create_backbone(ARCHITECTURE)
    next(backbone.parameters()).data[0] = float("nan")
    with pytest.raises(EncoderError, match="NaN"):
        save_encoder(tmp_path / "encoder", backbone, ARCHITECTURE, contract, {})
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_truncated_weights_are_refused_wherever_they_end(pristine, tmp_path, share):
    folder = tmp_path / "encoder"
    shutil.copytree(pristine, folder, dirs_exist_ok=True)
    path = folder / "encoder.safetensors"
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(EncoderError, match="truncated"):
        load_encoder(folder)
    # Nor does a hash that was recorded over the truncated file make it a safetensors file.
    edit(folder, weights_sha256=sha256_file(path))
    with pytest.raises(EncoderError, match="not a safetensors file"):
        load_encoder(folder)


def test_a_flipped_bit_is_noticed(folder):
    path = folder / "encoder.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(EncoderError, match="damaged"):
        load_encoder(folder)


@pytest.mark.parametrize("name", ["encoder.json", "encoder.safetensors"])
def test_half_an_encoder_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(EncoderError, match=name):
        load_encoder(folder)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="not an encoder"):
        load_encoder(tmp_path / "nowhere")


def test_a_device_that_is_not_there_is_refused(pristine):
    for device in ("cuda:99", "abacus"):
        with pytest.raises(EncoderError, match="cannot be used here"):
            load_encoder(pristine, device)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"format": 1', "[" * 100_000])
def test_a_description_that_is_no_json_object_is_refused(folder, text):
    (folder / "encoder.json").write_text(text)
    with pytest.raises(EncoderError):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "resnet18"}, "does not hold resnet18 weights"),
        ({"architecture": "resnet_10"}, "did you mean"),
        ({"architecture": 10}, "must be text"),
        ({"architecture": None}, "lacks"),
        ({"meta": [1]}, "must be text and meta an object"),
        ({"contract": {"phase": "after"}}, "lacks"),
        ({"contract": "moco"}, "expected an object"),
        ({"hash": "0" * 64}, "was edited"),
        ({"width": 3}, "was edited"),
        ({"weights_sha256": "0" * 64}, "another encoder's"),
        ({"format": 2}, "format 2"),
        ({"format": None}, "format None"),
        ({"colour": "BGR"}, "unknown"),
    ],
)
def test_an_edited_description_is_refused(folder, changes, says):
    edit(folder, **changes)
    with pytest.raises(EncoderError, match=says):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"phase": "after"}, "shows the outcome"),
        ({"size": 64}, "was edited"),
        ({"reference": None}, "was edited"),
        ({"size": "big"}, "whole number"),
    ],
)
def test_an_edited_contract_is_refused(folder, contract, changes, says):
    edit(folder, contract={**contract.to_dict(), **changes})
    with pytest.raises(EncoderError, match=says):
        load_encoder(folder)


def drop_a_key(state):
    del state["bn1.weight"]


def add_a_key(state):
    state["module.bn1.weight"] = torch.ones(3)


def reshape(state):
    state["bn1.weight"] = torch.ones(7)


def halve(state):
    state["bn1.weight"] = state["bn1.weight"].half()


@pytest.mark.parametrize("spoil", [drop_a_key, add_a_key, reshape, halve])
def test_weights_that_do_not_fit_are_refused_and_the_first_differing_key_named(folder, spoil):
    state = load_file(folder / "encoder.safetensors")
    spoil(state)
    rewrite_weights(folder, state)
    with pytest.raises(EncoderError, match=r"first differing key is '(module\.)?bn1.weight'"):
        load_encoder(folder)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_weights_that_diverged_are_refused(folder, poison):
    state = load_file(folder / "encoder.safetensors")
    state["bn1.weight"][0] = poison
    rewrite_weights(folder, state)
    with pytest.raises(EncoderError, match=r"NaN or infinity in 'bn1\.weight'"):
        load_encoder(folder)


def test_weights_exchanged_together_with_their_file_hash_are_noticed(folder, contract):
    rewrite_weights(folder, untrained_encoder(ARCHITECTURE, contract, seed=9).backbone.state_dict())
    with pytest.raises(EncoderError, match="was edited"):
        load_encoder(folder)


def test_a_pickle_is_never_opened(folder):
    torch.save({"a": 1}, folder / "encoder.safetensors")
    edit(folder, weights_sha256=sha256_file(folder / "encoder.safetensors"))
    with pytest.raises(EncoderError, match="not a safetensors file"):
        load_encoder(folder)
