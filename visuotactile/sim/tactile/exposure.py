"""From light to a frame: exposure, sensor noise and the artefacts of video coding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

_BRIGHT = 0.4  # of full scale, where a unit's noise is quoted
_READ = 0.35  # the share of the variance there that does not come from the light itself
# Colour is coded at half the resolution; luma, red and blue differences have about equal noise.
_CHROMA = np.array([[0.9, 0.0], [-0.35, -0.3], [0.0, 1.1]], np.float32)


def expose(light: Image, noise: float, flicker: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One frame, uint8 [H, W, 3], of light [3, H, W]; `noise` in grey levels, `flicker` as a share."""
    _, height, width = light.shape
    gain = np.float32(255 * (1 + flicker * rng.standard_normal()))
    luma = rng.standard_normal((height, width), np.float32)
    chroma = rng.standard_normal((2, height // 2, width // 2), np.float32)
    luma *= np.float32(0.7)
    brightness = np.maximum(light[1], 0) * np.float32((1 - _READ) / _BRIGHT) + np.float32(_READ)
    strength = np.sqrt(brightness) * np.float32(noise)
    picture = np.empty((height, width, 3), np.uint8)
    grain = np.empty((height // 2, 2, width), np.float32)
    values = grain.reshape(height, width)
    for channel, colored in enumerate(np.tensordot(_CHROMA, chroma, axes=1)):
        grain[:] = colored.repeat(2, axis=1)[:, None]
        values += luma
        values *= strength
        values += light[channel] * gain
        values += np.float32(0.5)
        picture[..., channel] = np.clip(values, 0, 255, out=values)
    return picture
