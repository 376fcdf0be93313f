"""Encoders as ONNX files, and the recipe for robots without PyTorch."""

import builtins
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from visuotactile.encoders import InputContract, export_onnx, load_encoder, prepare
from visuotactile.errors import EncoderError, OutputExistsError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recipe():
    """The functions of the recipe, as docs/encoders.md prints them."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/encoders.md").read_text(encoding="utf-8"), re.S)
    (source,) = [block for block in blocks if "import onnxruntime" in block]
    names = {}
    exec(source, names)
    return names


@pytest.fixture(scope="module")
def exported(pristine, tmp_path_factory):
    """An exported encoder and the path of its ONNX file."""
    encoder = load_encoder(pristine)
    path = tmp_path_factory.mktemp("onnx") / "encoder.onnx"
    assert export_onnx(encoder, path) <= 1e-4
    return encoder, path


def test_the_robot_sees_what_pytorch_sees(exported, images, recipe):
    encoder, path = exported
    session, contract = recipe["load"](path)
    x = np.concatenate([recipe["prepare"](contract, *pair) for pair in zip(*images, strict=True)])
    (features,) = session.run(["features"], {"image": x})
    expected = encoder.encode(*images)
    assert np.abs(features - expected).max() <= 2e-4 * np.abs(expected).max()


def test_the_model_carries_its_contract(exported, recipe):
    encoder, path = exported
    session, contract = recipe["load"](path)
    assert InputContract.from_dict(contract) == encoder.contract
    described = json.loads(session.get_modelmeta().custom_metadata_map["encoder.json"])
    assert (described["hash"], described["meta"]) == (encoder.hash, encoder.meta)
    assert path.parent.joinpath("encoder.onnx.data").exists() is False, "one file suffices"


@pytest.mark.parametrize("shape", [(120, 100), (37, 150), (64, 64)])
@pytest.mark.parametrize(
    ("reference", "mode"), [("before", "subtract"), ("before", "beside"), (None, "subtract")]
)
@pytest.mark.parametrize("normalisation", ["image", "dataset"])
@pytest.mark.parametrize(("smooth", "tolerance"), [(True, 1e-5), (False, 2e-4)])
def test_the_recipe_without_pytorch_agrees_with_prepare(
    recipe, shape, reference, mode, normalisation, smooth, tolerance
):
    channels = 6 if mode == "beside" else 3
    numbers = {"mean": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)}
    fixed = {name: some[:channels] for name, some in numbers.items() if normalisation == "dataset"}
    if smooth:
        y, x = np.mgrid[: shape[0], : shape[1]]
        wave = 127 + 100 * np.sin(x / 17 + y / 23)
        image = np.stack([wave, wave / 2, 255 - wave], axis=-1).astype(np.uint8)
    else:
        image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    other = None
    if reference:
        # Beside the image an even reference would show nothing but rounding errors, once standardised.
        other = image[::-1].copy() if mode == "beside" else np.full_like(image, 100)
    for size in (32, 64, 128):
        contract = InputContract(
            ("rgb",), "during", reference, size, normalisation, reference_mode=mode, **fixed
        )
        batch = [None if a is None else torch.from_numpy(a)[None] for a in (image, other)]
        np.testing.assert_allclose(
            recipe["prepare"](contract.to_dict(), image, other), prepare(contract, *batch), atol=tolerance
        )


def test_a_finished_file_is_replaced_only_when_told_to(exported):
    encoder, path = exported
    with pytest.raises(OutputExistsError):
        export_onnx(encoder, path)
    export_onnx(encoder, path, overwrite=True)


def test_a_model_that_does_not_agree_is_not_kept(exported, tmp_path, monkeypatch):
    monkeypatch.setattr("visuotactile.encoders.onnx.TOLERANCE", -1.0)
    with pytest.raises(EncoderError, match="was not kept"):
        export_onnx(exported[0], tmp_path / "encoder.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_message_names_it(exported, tmp_path, monkeypatch):
    real = builtins.__import__

    def without_onnx(name, *args, **kwargs):
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(EncoderError, match=r"visuotactile\[onnx\]"):
        export_onnx(exported[0], tmp_path / "encoder.onnx")
