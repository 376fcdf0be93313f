"""Pictures inside pages."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from visuotactile.reports.page import data_uri


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {})])
@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_a_data_address_holds_the_picture(kind, options, shape):
    image = np.full(shape, 90, np.uint8)
    image[1:3] = 120
    head, _, code = data_uri(image, kind, **options).partition(",")
    assert head == f"data:image/{kind.lower()};base64"
    found = Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB" if len(shape) == 3 else "L")
    assert np.abs(np.asarray(found).astype(int) - image).max() <= (0 if kind != "JPEG" else 20)
    assert data_uri(Image.fromarray(image), kind, **options) == f"{head},{code}"
