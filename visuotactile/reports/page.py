"""Pages: HTML that needs nothing else, no script, no font, no address outside it."""

from __future__ import annotations

import base64
import io
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import wavfile

HEARD = 16_000
"""Hertz: at twice what a page's listener needs to hear; a recording at 44.1 kHz would be twice as large."""


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


def sound_uri(sound: npt.NDArray[np.int16], rate: int) -> str:
    """A recording as a `data:` address of a WAV inside a page: mono, at the lowest rate from 16 kHz up.

    Args:
        sound: int16 [samples, channels].
        rate: sampling rate [Hz].
    """
    step = max(1, int(rate) // HEARD)
    mono = sound.astype(np.float32).mean(axis=1)
    # averaged over neighbours before every other is dropped, so that little is folded down
    mono = mono[: len(mono) // step * step].reshape(-1, step).mean(axis=1)
    buffer = io.BytesIO()
    wavfile.write(buffer, int(rate) // step, mono.astype(np.int16))
    return f"data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


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
