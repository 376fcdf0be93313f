"""Sizes of the experiment: two CPU cores, and a smoke test."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes.

    Attributes:
        backbone: timm's name of the encoders' network.
        size: side of their images, in pixels.
        probes: probes beside the linear one, of which the claims are made.
        budgets: shares of the labels of the label-budget curve.
        draws: resamples of the objects.
        shuffles: shuffles of the slip recordings' folds; the grasps' are one object each.
    """

    backbone: str
    size: int
    probes: tuple[str, ...]
    budgets: tuple[float, ...]
    draws: int
    shuffles: int

    def settings(self) -> dict[str, Any]:
        """The preset as JSON values."""
        return asdict(self)


PRESETS = {
    "smoke": Preset(backbone="test_resnet", size=32, probes=("linear",), budgets=(), draws=200, shuffles=1),
    "laptop": Preset(
        backbone="resnet18",
        size=48,
        probes=("linear", "knn"),
        budgets=(0.1, 0.33, 1.0),
        draws=10_000,
        shuffles=1,
    ),
}
