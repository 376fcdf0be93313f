"""The input contract, and the conversion of recorded pixels to an encoder's input."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from visuotactile.encoders import InputContract, prepare
from visuotactile.errors import ContractError

STREAMS = ("tactile_left", "tactile_right")
DATASET = {"normalisation": "dataset", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)}
IDENTITY = {"normalisation": "dataset", "mean": (0, 0, 0), "std": (1, 1, 1)}


def random_pixels(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


@pytest.mark.parametrize("role", ["phase", "reference"])
def test_a_phase_that_shows_the_outcome_is_never_an_input(role):
    with pytest.raises(ContractError, match="shows the outcome"):
        InputContract(STREAMS, **{role: "after"})


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": "la ter"},
        {"phase": None},
        {"reference": ""},
        {"phase": "before"},
        {"streams": ()},
        {"streams": "tactile_left"},
        {"streams": ("a", "a")},
        {"streams": (1,)},
        {"size": 0},
        {"size": 224.0},
        {"size": True},
        {"normalisation": "batch"},
        {"normalisation": "dataset"},
        {"mean": (0, 0, 0), "std": (1, 1, 1)},
        {**DATASET, "mean": (0.1, 0.2)},
        {**DATASET, "mean": (0.1, 0.2, float("nan"))},
        {**DATASET, "mean": None},
        {**DATASET, "std": (0.1, 0.2, 0)},
        {**DATASET, "std": ("a", "b", "c")},
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(fields):
    with pytest.raises(ContractError):
        InputContract(**{"streams": STREAMS, **fields})


@pytest.mark.parametrize("fields", [{}, DATASET, {"reference": None, "phase": "lift"}])
def test_a_contract_survives_json(fields):
    contract = InputContract(STREAMS, **fields)
    assert InputContract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


@pytest.mark.parametrize("spoil", [lambda d: d.pop("size"), lambda d: d.update(colour="BGR")])
def test_a_contract_with_a_missing_or_unknown_key_is_refused(spoil):
    values = InputContract(STREAMS).to_dict()
    spoil(values)
    with pytest.raises(ContractError, match="lacks"):
        InputContract.from_dict(values)


def test_a_contract_that_is_no_object_is_refused():
    with pytest.raises(ContractError, match="list"):
        InputContract.from_dict([1, 2])


def test_a_darker_pixel_gives_a_negative_difference_and_does_not_wrap():
    contract = InputContract(STREAMS, size=1, **IDENTITY)
    image, reference = (torch.full((1, 1, 1, 3), value, dtype=torch.uint8) for value in (10, 20))
    assert prepare(contract, image, reference).flatten().tolist() == pytest.approx([-10 / 255] * 3)


@given(
    st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 48), st.booleans(), st.sampled_from([DATASET, {}])
)
@settings(max_examples=60, deadline=None)
def test_prepare_equals_torchvision(shape, size, difference, normalisation):
    batch, height, width = 1 + shape[0] % 3, *shape[1:]
    contract = InputContract(STREAMS, size=size, reference="before" if difference else None, **normalisation)
    image, reference = (random_pixels(batch, height, width, 3, seed=seed) for seed in (0, 1))
    pixels = image.permute(0, 3, 1, 2).float()
    if difference:
        pixels = pixels - reference.permute(0, 3, 1, 2).float()
    pixels = v2.functional.resize((pixels / 255).contiguous(), [size, size], antialias=True)
    if normalisation:
        expected = v2.functional.normalize(pixels, list(DATASET["mean"]), list(DATASET["std"]))
        assert torch.equal(prepare(contract, image, reference if difference else None), expected)
    else:
        flat = pixels.flatten(2).double()
        mean, std = flat.mean(2), flat.std(2, correction=0).clamp_min(1 / 255)
        expected = (pixels - mean[..., None, None]) / std[..., None, None]
        torch.testing.assert_close(
            prepare(contract, image, reference if difference else None),
            expected.float(),
            rtol=1e-4,
            atol=1e-4,  # of a standard deviation, where an image of few pixels is all but even
        )


@pytest.mark.parametrize("fields", [{}, DATASET])
def test_an_image_is_prepared_alike_alone_and_in_a_batch_on_one_thread_or_two(fields):
    contract = InputContract(STREAMS, size=56, **fields)
    image, reference = random_pixels(5, 80, 64, 3), random_pixels(5, 80, 64, 3, seed=1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        together = prepare(contract, image, reference)
        torch.set_num_threads(2)
        alone = torch.cat([prepare(contract, image[i : i + 1], reference[i : i + 1]) for i in range(5)])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, alone)


def test_the_memory_layout_of_the_recording_does_not_matter():
    contract = InputContract(STREAMS, size=16, reference=None)
    image = random_pixels(2, 20, 30, 3)
    strided = image.permute(3, 0, 2, 1).contiguous().permute(1, 3, 2, 0)
    assert not strided.is_contiguous()
    assert torch.equal(prepare(contract, strided), prepare(contract, image))


def test_image_normalisation_makes_each_image_blind_to_brightness_and_contrast():
    contract = InputContract(STREAMS, size=8, reference=None)
    image = random_pixels(1, 8, 8, 3) // 4
    assert torch.allclose(prepare(contract, image), prepare(contract, image * 2 + 30), atol=1e-5)


def test_an_image_without_contrast_becomes_zero_and_not_nan():
    contract = InputContract(STREAMS, size=8, reference=None)
    flat = torch.full((1, 8, 8, 3), 77, dtype=torch.uint8)
    assert prepare(contract, flat).abs().max() < 1e-3


def test_prepare_leaves_the_recording_alone_and_takes_an_empty_batch():
    contract = InputContract(STREAMS, size=8)
    image, reference = random_pixels(2, 8, 8, 3), random_pixels(2, 8, 8, 3, seed=1)
    kept = image.clone(), reference.clone()
    prepare(contract, image, reference)
    assert torch.equal(image, kept[0])
    assert torch.equal(reference, kept[1])
    assert prepare(contract, image[:0], reference[:0]).shape == (0, 3, 8, 8)
    assert prepare(InputContract(STREAMS, size=4), image[:0], reference[:0]).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (torch.zeros(2, 8, 8, 3), "float32"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"\[2, 3, 8, 8\].*channels last"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), "B, H, W"),
        (torch.zeros(2, 8, 8, 4, dtype=torch.uint8), "B, H, W"),
        (torch.zeros(2, 0, 8, 3, dtype=torch.uint8), "B, H, W"),
        (np.zeros((2, 8, 8, 3), np.uint8), "ndarray"),
    ],
)
def test_pixels_of_another_kind_are_refused_as_image_and_as_reference(image, says):
    contract = InputContract(STREAMS, size=8)
    fine = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(ContractError, match=f"image .*{says}"):
        prepare(contract, image, fine)
    with pytest.raises(ContractError, match=f"reference .*{says}"):
        prepare(contract, fine, image)


def test_a_missing_superfluous_or_smaller_reference_is_refused():
    image = random_pixels(2, 8, 8, 3)
    with pytest.raises(ContractError, match="'before'"):
        prepare(InputContract(STREAMS), image)
    with pytest.raises(ContractError, match="reference=None"):
        prepare(InputContract(STREAMS, reference=None), image, image)
    with pytest.raises(ContractError, match="must be alike"):
        prepare(InputContract(STREAMS), image, image[:1])
