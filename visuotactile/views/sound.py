"""Views of sound: loudness, a shift in time, and masked bands and moments of its log-mel spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from visuotactile.encoders.branch import Augmentation, Drawn
from visuotactile.encoders.contract import InputContract, log_mel_picture, normalise
from visuotactile.encoders.sound import FLOOR
from visuotactile.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class SoundAugmentation(Augmentation):
    """SpecAugment's masks (Park et al., 2019), with a gain and a shift.

    A masked band or moment is as quiet as the recording's mean. Loudness is what tells a gentle grasp from
    another, so the gain is small.

    Attributes:
        gain: the loudness changes by minus to plus this, in decibels.
        shift: the recording moves in time by minus to plus this share of its length; what leaves at one end
            comes in at the other.
        bands: widest masked band, as a share of the mel bands.
        moments: longest masked moment, as a share of the frames.

    Raises:
        ContractError: a number is out of its range.
    """

    kinds: ClassVar[tuple[str, ...]] = ("sound",)

    gain: float = 3.0
    shift: float = 0.05
    bands: float = 0.2
    moments: float = 0.2

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, most in (("gain", 30.0), ("shift", 0.5), ("bands", 0.9), ("moments", 0.9)):
            if not 0 <= getattr(self, name) <= most:
                raise ContractError(f"{name} is {getattr(self, name)}; expected 0 to {most:g}")

    def draw(
        self, contract: InputContract, count: int, shape: tuple[int, int], generator: torch.Generator
    ) -> Drawn:
        """See `Augmentation`; all as shares, of the ranges and of the spectrogram."""
        drawn = torch.rand(6, count, generator=generator)
        return dict(zip(("gain", "shift", "band", "low", "moment", "start"), drawn, strict=True))

    def views(
        self, contract: InputContract, images: Tensor, references: Tensor | None, drawn: Sequence[Drawn]
    ) -> list[Tensor]:
        """See `Augmentation`; `images` are sounds int16 `[B, samples, microphones]`."""
        pictures = log_mel_picture(contract, images)
        return [normalise(contract, self._changed(pictures, one)) for one in drawn]

    def _changed(self, pictures: Tensor, drawn: Drawn) -> Tensor:
        """Views of spectrograms [B, microphones, bands, frames]."""
        bands, frames = pictures.shape[2:]
        device = pictures.device
        numbers = {name: values.to(device) for name, values in drawn.items()}
        factor = 10 ** (self.gain * (2 * numbers["gain"] - 1) / 10)
        power = (pictures.exp() - FLOOR).clamp_min(0) * factor[:, None, None, None]
        louder = (power + FLOOR).log()
        steps = (self.shift * frames * (2 * numbers["shift"] - 1)).round().long()
        places = (torch.arange(frames, device=device) - steps[:, None]) % frames
        moved = louder.gather(3, places[:, None, None].expand_as(louder))
        hidden = _masked(bands, self.bands * numbers["band"], numbers["low"])[:, None, :, None]
        hidden = hidden | _masked(frames, self.moments * numbers["moment"], numbers["start"])[:, None, None]
        return torch.where(hidden, moved.mean(dim=(2, 3), keepdim=True), moved)


def _masked(length: int, share: Tensor, start: Tensor) -> Tensor:
    """True on `share` [B] of the places, from `start` [B] of the room that is left, bool [B, length]."""
    width = (share * length).round()
    first = (start * (length - width)).round()
    places = torch.arange(length, device=share.device)
    return (places >= first[:, None]) & (places < (first + width)[:, None])
