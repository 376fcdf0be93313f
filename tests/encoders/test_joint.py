"""The folder of a joint space: a whole round trip, and one clear error for whatever does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from visuotactile.encoders import FrozenEncoder, InputContract, load_encoder, load_joint, untrained_encoder
from visuotactile.encoders.joint import JointSpace, projection_head, save_joint
from visuotactile.errors import ContractError, EncoderError

RESNET, CONVNEXT = "test_resnet", "test_convnext"
SIGHT = InputContract(streams=("sight",), phase="before", reference=None, size=32)
TOUCH = InputContract(streams=("tactile_left", "tactile_right"), size=40)
META = {"method": "cross_modal", "pretraining_objects": ["usb"], "seed": 3}


def encoders(**others: FrozenEncoder) -> dict[str, FrozenEncoder]:
    return {
        "sight": untrained_encoder(RESNET, SIGHT, 0),
        "touch": untrained_encoder(CONVNEXT, TOUCH, 1),
        **others,
    }


def space(temperature: float = 0.07, meta: dict[str, Any] = META, **others: FrozenEncoder) -> JointSpace:
    torch.manual_seed(0)
    given = encoders(**others)
    heads = {name: projection_head(encoder.width, 16) for name, encoder in given.items()}
    return JointSpace(given, heads, temperature, meta)


def pictures(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 30, 44, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint") / "space"
    save_joint(folder, space())
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    return Path(shutil.copytree(pristine, tmp_path / "space"))


def test_a_loaded_space_embeds_as_the_saved_one_did(pristine: Path) -> None:
    saved, loaded = space(), load_joint(pristine)
    assert loaded.modalities == ("sight", "touch")
    assert (loaded.hash, loaded.dimension, loaded.temperature) == (saved.hash, 16, 0.07)
    assert loaded.meta.items() >= META.items()
    seen = loaded.embed("sight", pictures(5))
    felt = loaded.embed("touch", pictures(5), pictures(5, seed=1), batch_size=2)
    assert np.array_equal(seen, saved.embed("sight", pictures(5)))
    for vectors in (seen, felt):
        assert (vectors.dtype, vectors.shape) == (np.float32, (5, 16))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert abs(seen - felt).max() > 0.01


def test_an_embedding_is_the_unit_length_projection_of_the_encoders_features(pristine: Path) -> None:
    loaded = load_joint(pristine)
    features = load_encoder(pristine / "encoders" / "sight").encode(pictures(3))
    head = load_file(pristine / "joint.safetensors")
    hidden = np.maximum(features @ head["sight.0.weight"].numpy().T + head["sight.0.bias"].numpy(), 0)
    expected = hidden @ head["sight.2.weight"].numpy().T + head["sight.2.bias"].numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(loaded.embed("sight", pictures(3)), expected, atol=1e-5)
    np.testing.assert_allclose(loaded.project("sight", features), expected, atol=1e-5)


def test_each_modality_lies_there_as_an_ordinary_encoder(pristine: Path) -> None:
    for name, encoder in encoders().items():
        found = load_encoder(pristine / "encoders" / name)
        assert (found.hash, found.contract) == (encoder.hash, encoder.contract)
    with pytest.raises(EncoderError, match=r"several encoders; give one of .*sight, .*touch"):
        load_encoder(pristine)


def test_the_hash_tells_what_an_embedding_depends_on_and_nothing_else() -> None:
    plain = space()
    assert space(meta={}).hash == plain.hash
    other_heads = space()
    with torch.no_grad():
        other_heads.heads["sight"][0].bias[0] += 1e-3
    heads = {name: other_heads.heads[name] for name in plain.modalities}
    changed = [
        space(temperature=0.08),
        JointSpace(encoders(), heads, 0.07, {}),
        space(touch=untrained_encoder(CONVNEXT, TOUCH, 2)),
        space(sound=untrained_encoder(CONVNEXT, SIGHT, 1)),
    ]
    assert len({plain.hash, *(other.hash for other in changed)}) == 5


@pytest.mark.parametrize(
    ("modality", "images", "references", "message"),
    [
        ("smell", pictures(2), None, "no modality 'smell' here; it has sight, touch"),
        ("touch", pictures(2), None, "compares with phase 'before'"),
        ("sight", pictures(2), pictures(2), "drop it"),
        ("sight", pictures(2).astype(np.float32), None, "expected uint8"),
    ],
)
def test_images_that_a_modality_cannot_see_are_refused(
    pristine: Path, modality: str, images: Any, references: Any, message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        load_joint(pristine).embed(modality, images, references)


def test_features_of_another_encoder_are_refused(pristine: Path) -> None:
    with pytest.raises(ContractError, match="gives \\[N, "):
        load_joint(pristine).project("sight", np.zeros((3, 7), np.float32))


def test_exchanged_encoders_are_noticed(pristine: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "space"))
    for before, after in (("touch", "other"), ("sight", "touch"), ("other", "sight")):
        (folder / "encoders" / before).rename(folder / "encoders" / after)
    with pytest.raises(EncoderError, match="is not the encoder that this space was trained with"):
        load_joint(folder)


def test_heads_that_do_not_fit_their_encoders_are_refused() -> None:
    given = encoders()
    heads = {name: projection_head(encoder.width, 16) for name, encoder in given.items()}
    for wrong, message in (
        ({"sight": heads["sight"]}, "heads of sight for encoders of sight, touch"),
        ({**heads, "touch": projection_head(given["touch"].width, 8)}, "touch"),
        ({**heads, "touch": projection_head(given["touch"].width + 1, 16)}, "touch"),
    ):
        with pytest.raises(EncoderError, match=message):
            JointSpace(given, wrong, 0.07, {})
