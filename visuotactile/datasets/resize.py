"""Images as squares: the side to which they are resized on reading, and the resizing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def base_size(size: int) -> int:
    """Side to which images are resized before a `size` square is cropped: 256 for 224."""
    return round(size * 8 / 7)


def square(images: np.ndarray[Any, np.dtype[Any]], side: int) -> Tensor:
    """uint8 `[n, H, W, 3]` → uint8 `[n, side, side, 3]`, antialiased; sounds int16 `[n, …]` as they are."""
    pixels = torch.from_numpy(np.require(images, requirements=["C", "W"]))
    if pixels.dtype == torch.int16 or pixels.shape[1:3] == (side, side):
        return pixels
    resized = F.interpolate(pixels.permute(0, 3, 1, 2).float(), (side, side), mode="bilinear", antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
