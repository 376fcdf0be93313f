"""Pages: HTML that needs nothing else, no script, no font, no address outside it."""

from __future__ import annotations

import base64
import io
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from PIL import Image


def environment(package: str) -> jinja2.Environment:
    """The templates of a package, and the frame that all pages share.

    Every value is escaped: an object may be called `<script>`.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package), jinja2.PackageLoader("visuotactile.reports")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(image: Image.Image | npt.NDArray[np.uint8], kind: str, **options: Any) -> str:
    """An image as a `data:` address inside a page.

    Args:
        image: of Pillow, or uint8 [H, W] or [H, W, 3].
        kind: "JPEG", "PNG" or "WEBP".
        options: of Pillow's `save` for that kind.
    """
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
