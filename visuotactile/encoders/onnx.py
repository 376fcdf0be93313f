"""Export of encoders to ONNX, for robots that run without PyTorch."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch.export import Dim

from visuotactile.encoders.frozen import ENCODER, FrozenEncoder
from visuotactile.errors import EncoderError
from visuotactile.files import atomic_path, refuse_overwrite

TOLERANCE = 1e-4
# One image is how a robot calls it, and the odd size shows that no batch size was baked in.
CHECKED_BATCHES = (1, 5)


def export_onnx(encoder: FrozenEncoder, path: str | os.PathLike[str], overwrite: bool = False) -> float:
    """Write an ONNX model of the encoder and check it against PyTorch with onnxruntime.

    The model maps `image`, float32 [B, 3, S, S] from `prepare`, to `features`, float32 [B, D]. Its metadata
    entry `encoder.json` holds the architecture, the input contract and the provenance of the weights;
    docs/encoders.md shows how to prepare an image without PyTorch.

    Returns:
        Largest difference from PyTorch, relative to the largest feature.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False.
        EncoderError: the extra `onnx` is not installed, or the difference is above 1e-4.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  the exporter needs it, and names it poorly when it is absent
    except ImportError as why:
        raise EncoderError(f"ONNX export needs {why.name}: pip install 'visuotactile[onnx]'") from None

    path = Path(path)
    refuse_overwrite(path, overwrite)
    backbone = copy.deepcopy(encoder.backbone).cpu()
    generator = torch.Generator().manual_seed(0)
    shape = encoder.contract.input_shape
    with atomic_path(path) as temporary:
        torch.onnx.export(
            backbone,
            (torch.zeros(2, *shape),),
            temporary,
            input_names=["image"],
            output_names=["features"],
            dynamic_shapes=({0: Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, {ENCODER.description: json.dumps(_description(encoder))})
        onnx.save(model, temporary)

        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        difference = 0.0
        for batch in CHECKED_BATCHES:
            image = torch.randn(batch, *shape, generator=generator)
            with torch.no_grad():
                expected = backbone(image).numpy()
            found = np.asarray(session.run(["features"], {"image": image.numpy()})[0])
            scale = max(float(np.abs(expected).max()), 1e-30)
            difference = max(difference, float(np.abs(found - expected).max()) / scale)
        # Written this way round, a NaN is refused as well.
        if not difference <= TOLERANCE:
            raise EncoderError(
                f"the ONNX model of {encoder.architecture} differs from PyTorch by {difference:.1e} of the "
                f"largest feature (allowed: {TOLERANCE:.0e}) and was not kept; try other versions of torch "
                "and onnxruntime"
            )
    return difference


def _description(encoder: FrozenEncoder) -> dict[str, object]:
    return {
        "format": ENCODER.format,
        "architecture": encoder.architecture,
        "width": encoder.width,
        "contract": encoder.contract.to_dict(),
        "meta": encoder.meta,
        "hash": encoder.hash,
    }
