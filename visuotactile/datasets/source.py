"""Source of the images of one branch of a model, and their keys in a batch.

Batches and observations name each recording STREAM/PHASE, such as `tactile_left/during`. Where each sample
shows one of several streams, as in training one network on either of two fingers, the streams share a key:
`tactile_left+tactile_right/during`. The recordings of a sample's partner stand under the same keys behind
`partner/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visuotactile.datasets.embodiment import PHASES
from visuotactile.errors import ContractError, DataError

PARTNER = "partner/"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Images that one branch looks at.

    Attributes:
        streams: sensors that perceive alike; each sample shows one of them.
        phase: the moment that is looked at. Of a clip each sample shows one frame.
        reference: the moment that it is compared with, or None; of a clip the first frame.
        side: images are resized to a square of this many pixels once, on reading.

    Raises:
        ContractError: a phase shows the outcome.
        DataError: there is no stream, or no such side.
    """

    streams: tuple[str, ...]
    phase: str = "during"
    reference: str | None = None
    side: int = 224

    def __post_init__(self) -> None:
        """Check what can be checked without a store."""
        object.__setattr__(self, "streams", tuple(self.streams))
        if not self.streams or self.side < 1:
            raise DataError(f"streams={self.streams}, side={self.side}; expected names, and pixels from 1")
        for phase in (self.phase, self.reference):
            if phase is not None and PHASES.get(phase) == "outcome":
                raise ContractError(f"phase {phase!r} shows the outcome and cannot be an input")

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in a batch whose samples each show one stream: of the image, and of any reference."""
        return tuple(f"{shared(self.streams)}/{phase}" for phase in (self.phase, self.reference) if phase)

    @property
    def separate_keys(self) -> tuple[str, ...]:
        """Keys in a batch whose samples show every stream."""
        phases = (self.phase, self.reference)
        return tuple(f"{stream}/{phase}" for stream in self.streams for phase in phases if phase)


def shared(streams: Sequence[str]) -> str:
    """Name of streams in the keys of samples that each show one of them."""
    return "+".join(streams)
