"""Source of the images of one branch of a model, and their keys in a batch.

Batches and observations name each recording STREAM/PHASE, such as `tactile_left/during`. Where each sample
shows one of several streams, as in training one network on either of two fingers, the streams share a key:
`tactile_left+tactile_right/during`. The recordings of a sample's partner have the prefix `partner/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visuotactile.datasets.embodiment import PHASES
from visuotactile.errors import ContractError, DataError

PARTNER = "partner/"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Images of one branch.

    Attributes:
        streams: equivalent sensors; each sample shows one of them.
        phase: phase of the images; of a clip each sample shows one frame.
        reference: phase to compare with, or None; of a clip the first frame.
        side: side in pixels of the square to which images are resized once, on reading.

    Raises:
        ContractError: a phase shows the outcome.
        DataError: `streams` is empty, or `side` is not positive.
    """

    streams: tuple[str, ...]
    phase: str = "during"
    reference: str | None = None
    side: int = 224

    def __post_init__(self) -> None:
        """Check the settings, as far as that needs no store."""
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
    """Shared name of streams, in the keys of samples that each show one of them."""
    return "+".join(streams)
