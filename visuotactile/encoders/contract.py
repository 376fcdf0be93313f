"""The input contract of an encoder, and the conversion of recorded pixels to its input."""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.embodiment import PHASES
from visuotactile.datasets.source import Source
from visuotactile.datasets.statistics import Statistics, name_of
from visuotactile.encoders.sound import MELS, log_mel
from visuotactile.errors import ContractError

CHANNELS = 3
# An image whose pixels vary by less than one grey level shows only quantisation: dividing by that deviation
# would amplify sensor noise to the size of a real imprint.
SMALLEST_SPREAD = 1 / 255
LARGEST_SIZE = 2048
"""Pixels. No tactile sensor resolves more, and a larger claim would exhaust the memory."""


LATER = ("reference_mode", "kind", "frames", "rate", "microphones")
"""Fields that the first saved encoders lack; omitted at their defaults, so that hashes stay valid."""


@dataclass(frozen=True)
class InputContract:
    """Input of an encoder: the images it was trained on, and their preprocessing.

    Args:
        streams: sensors whose images the encoder takes, one image at a time.
        phase: phase of the input; never one that shows the outcome.
        reference: phase to compare with, or None for the plain image.
        size: side of the square input, in pixels; for sound, the frames of its log-mel spectrogram.
        normalisation: "image" standardises each channel of each image by its own mean and standard
            deviation; "dataset" uses the fixed `mean` and `std` (one number per channel); "store" stands for
            those of the training store, filled in by `visuotactile fit` or `measured`.
        mean: per channel, of images in [0, 1] or differences in [-1, 1]; empty with "image".
        std: standard deviation per channel. With "store", given numbers are kept.
        reference_mode: "subtract" takes the tactile difference; "beside" adds the reference as three more
            channels.
        kind: "image"; "clip", of which `frames` are taken evenly spaced, from the first to the last, each
            compared with the reference; or "sound", as a log-mel spectrogram (see `encoders.sound`).
        frames: frames taken of a clip.
        rate: sampling rate of a sound [Hz].
        microphones: channels of a sound.

    Raises:
        ContractError: a field contradicts another, or cannot be an input.
    """

    streams: tuple[str, ...]
    phase: str = "during"
    reference: str | None = "before"
    size: int = 224
    normalisation: str = "image"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    reference_mode: str = "subtract"
    kind: str = "image"
    frames: int = 0
    rate: int = 0
    microphones: int = 0

    def __post_init__(self) -> None:
        """Check every field, and turn lists (as YAML and JSON give them) into tuples."""
        object.__setattr__(self, "streams", _names(self.streams))
        for role in ("phase", "reference"):
            _check_phase(role, getattr(self, role))
        if self.phase == self.reference:
            raise ContractError(f"phase and reference are both {self.phase!r}: their difference is nothing")
        if type(self.size) is not int or not 1 <= self.size <= LARGEST_SIZE:
            raise ContractError(
                f"size is {self.size!r:.40}; expected a whole number of pixels from 1 to {LARGEST_SIZE}, "
                "such as 224"
            )
        self._check_kind()
        channels = self.input_shape[0]
        allowed = {"dataset": (channels,), "image": (0,), "store": (0, channels)}.get(self.normalisation)
        if allowed is None:
            raise ContractError(
                f"normalisation is {self.normalisation!r}; expected 'dataset', 'image' or 'store'"
            )
        for role in ("mean", "std"):
            numbers = _numbers(role, getattr(self, role))
            if len(numbers) not in allowed:
                raise ContractError(
                    f"{role} holds {len(numbers)} numbers; normalisation {self.normalisation!r} needs "
                    f"{' or '.join(map(str, allowed))}"
                )
            object.__setattr__(self, role, numbers)
        if any(spread <= 0 for spread in self.std):
            raise ContractError(f"std is {self.std}; each number must be above zero")

    def _check_kind(self) -> None:
        """Raise `ContractError` unless the fields suit the kind."""
        if self.reference_mode not in ("subtract", "beside") or (
            self.reference_mode == "beside" and self.reference is None
        ):
            raise ContractError(
                f"reference_mode is {self.reference_mode!r} and reference {self.reference!r}; expected "
                "'subtract', or 'beside' with a reference"
            )
        wanted = {"image": (), "clip": ("frames",), "sound": ("rate", "microphones")}.get(self.kind)
        if wanted is None:
            raise ContractError(f"kind is {self.kind!r}; expected 'image', 'clip' or 'sound'")
        for name in ("frames", "rate", "microphones"):
            value = getattr(self, name)
            if type(value) is not int or (value < 1 if name in wanted else value != 0):
                expected = "a whole number above 0" if name in wanted else "0"
                raise ContractError(f"{name} is {value!r}; {expected} is expected for kind {self.kind!r}")
        if self.kind == "sound" and self.reference is not None:
            raise ContractError(f"a sound has no reference, found {self.reference!r}; give reference=None")

    @property
    def difference(self) -> bool:
        """True if the input is a signed difference, in [-1, 1]."""
        return self.reference is not None and self.reference_mode == "subtract"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one prepared image, frame or log-mel spectrogram."""
        if self.kind == "sound":
            return self.microphones, MELS, self.size
        return CHANNELS * (2 if self.reference_mode == "beside" else 1), self.size, self.size

    @property
    def keys(self) -> tuple[str, ...]:
        """STREAM/PHASE of every recording in the input."""
        return self.source(self.size).separate_keys

    def source(self, side: int) -> Source:
        """Source of images resized to `side` pixels, for a network that takes one stream at a time."""
        return Source(streams=self.streams, phase=self.phase, reference=self.reference, side=side)

    def measured(self, statistics: Statistics) -> InputContract:
        """Fill in normalisation "store" from a store's statistics.

        Streams share one mean and deviation for each channel, over all trials of the store.

        Raises:
            ContractError: the store has no statistics of a stream.
        """
        if self.normalisation != "store":
            return self
        mean, std = self.mean, self.std
        if not (mean and std):
            beside = self.reference_mode == "beside"
            moments = [(self.phase, None if beside else self.reference), *[(self.reference, None)] * beside]
            means: tuple[float, ...] = ()
            stds: tuple[float, ...] = ()
            for phase, reference in moments:
                names = [name_of(stream, str(phase), reference) for stream in self.streams]
                missing = [name for name in names if name not in statistics]
                if missing:
                    raise ContractError(
                        f"the store has no statistics of {missing[0]}; it has "
                        f"{', '.join(statistics) or 'none'}"
                    )
                whole = functools.reduce(operator.add, (statistics[name] for name in names))
                means += tuple(round(value, 6) for value in whole.mean)
                stds += tuple(round(max(value, SMALLEST_SPREAD), 6) for value in whole.std)
            mean, std = mean or means, std or stds
        return dataclasses.replace(self, normalisation="dataset", mean=mean, std=std)

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain JSON values, without those of `LATER` that have their default."""
        return {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default or field.name not in LATER
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InputContract:
        """The contract that `to_dict` wrote; `ContractError` on any missing or unknown key."""
        if not isinstance(values, Mapping):
            raise ContractError(f"the contract is a {type(values).__name__}; expected an object")
        known = {field.name for field in dataclasses.fields(cls)}
        lacking, unknown = known - set(LATER) - set(values), set(values) - known
        if lacking or unknown:
            raise ContractError(f"the contract lacks {sorted(lacking)} and has unknown {sorted(unknown)}")
        return cls(**values)


def prepare(contract: InputContract, image: Tensor, reference: Tensor | None = None) -> Tensor:
    """Convert recorded pixels to encoder input.

    A tactile difference is taken in float32, since uint8 subtraction wraps (10 - 20 = 246). The resize is
    torchvision's antialiased bilinear one. The result does not depend on the other images of the batch, nor
    on the number of threads.

    Args:
        contract: input of the encoder.
        image: uint8 [B, H, W, 3], RGB, at the contract's phase, on any device; for a clip uint8 [B, T, H, W,
            3], for a sound int16 [B, samples, microphones].
        reference: uint8 [B, H, W, 3] at the contract's reference phase; None if the contract has none.

    Returns:
        float32 [B, *contract.input_shape] on the same device; for a clip [B, frames, *contract.input_shape].

    Raises:
        ContractError: dtype, shape or device do not fit, or a reference is missing or superfluous.
    """
    if contract.kind == "sound":
        return normalise(contract, log_mel_picture(contract, image))
    if contract.kind == "clip":
        frames = _chosen_frames(contract, image)
        references = None if reference is None else reference.repeat_interleave(contract.frames, 0)
        one = dataclasses.replace(contract, kind="image", frames=0)
        return prepare(one, frames, references).unflatten(0, (len(image), contract.frames))
    return normalise(contract, fit(contract, signed_pixels(contract, image, reference)))


def log_mel_picture(contract: InputContract, sound: Tensor) -> Tensor:
    """The first step of `prepare` for sound: log-mel spectrograms float32 [B, *contract.input_shape].

    Raises:
        ContractError: the sound has another type, number of microphones or length.
    """
    if sound.dtype != torch.int16 or sound.ndim != 3 or sound.shape[2] != contract.microphones:
        raise ContractError(
            f"sound is {sound.dtype} {list(sound.shape)}; expected int16 [B, samples, {contract.microphones}]"
        )
    picture = log_mel(sound, contract.rate)
    if picture.shape[3] != contract.size:
        raise ContractError(
            f"the log-mel picture of {sound.shape[1]} samples has {picture.shape[3]} frames; expected "
            f"{contract.size}: record as long as for training"
        )
    return picture


def _chosen_frames(contract: InputContract, clip: Tensor) -> Tensor:
    """Frames uint8 [B · frames, H, W, 3] of a clip, clip by clip."""
    if clip.ndim != 5 or clip.shape[1] < contract.frames:
        raise ContractError(
            f"clip has shape {list(clip.shape)}; expected [B, T, H, W, {CHANNELS}] with T of at least "
            f"{contract.frames}"
        )
    places = torch.linspace(0, clip.shape[1] - 1, contract.frames).round().long()
    return clip[:, places.to(clip.device)].flatten(0, 1)


def signed_pixels(contract: InputContract, image: Tensor, reference: Tensor | None = None) -> Tensor:
    """The first step of `prepare`: float32 [B, C, H, W], plain in [0, 1] or a difference in [-1, 1]."""
    _check_pixels("image", image)
    pixels = image.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    if contract.reference is None:
        if reference is not None:
            raise ContractError("a reference image was given, but the contract has reference=None; drop it")
    else:
        if reference is None:
            raise ContractError(
                f"the contract compares with phase {contract.reference!r}; give it as reference"
            )
        _check_pixels("reference", reference)
        if reference.shape != image.shape or reference.device != image.device:
            raise ContractError(
                f"image is {list(image.shape)} on {image.device}, reference {list(reference.shape)} on "
                f"{reference.device}; they must be alike"
            )
        if contract.difference:
            pixels -= reference.permute(0, 3, 1, 2)
        else:
            pixels = torch.cat([pixels, reference.permute(0, 3, 1, 2)], dim=1)
    pixels /= 255
    return pixels


def fit(contract: InputContract, pixels: Tensor) -> Tensor:
    """The second step of `prepare`: float pixels [B, C, H, W] at the contract's size."""
    side = (contract.size, contract.size)
    if len(pixels) == 0:
        return pixels.new_zeros((0, *contract.input_shape))
    if pixels.shape[-2:] != side:
        pixels = F.interpolate(pixels, size=side, mode="bilinear", align_corners=False, antialias=True)
    return pixels


def crop(images: Tensor, top: Tensor, left: Tensor, size: int, flip: Tensor | None = None) -> Tensor:
    """Cut `size`×`size` pixels at (`top`, `left`) out of images [B, C, H, W], without resampling.

    `top` and `left` int64 [B], and `flip` bool [B] (mirror the image), are on the images' device.
    """
    steps = torch.arange(size, device=images.device)
    across = steps if flip is None else torch.where(flip[:, None], steps.flip(0), steps)
    rows, columns = (top[:, None] + steps)[:, :, None], (left[:, None] + across)[:, None, :]
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2)


def normalise(contract: InputContract, pixels: Tensor) -> Tensor:
    """Standardise float pixels [B, 3, H, W], plain in [0, 1] or a difference in [-1, 1], by the contract."""
    if len(pixels) == 0:
        return pixels
    if contract.normalisation == "image":
        # By hand: torch.std_mean takes several times as long on a CPU.
        centred = pixels - pixels.mean(dim=(2, 3), keepdim=True)
        spread = centred.square().mean(dim=(2, 3), keepdim=True).sqrt_()
        return centred.div_(spread.clamp_min_(SMALLEST_SPREAD))
    if contract.normalisation == "store":
        raise ContractError(
            "normalisation 'store' has no numbers yet: `visuotactile fit` puts them in; in Python, "
            "contract.measured(store.statistics) does"
        )
    mean, spread = (pixels.new_tensor(numbers)[:, None, None] for numbers in (contract.mean, contract.std))
    return (pixels - mean) / spread


def _check_phase(role: str, phase: Any) -> None:
    if role == "reference" and phase is None:
        return
    if not isinstance(phase, str) or not phase.isidentifier():
        raise ContractError(
            f"{role} is {phase!r}; expected {_inputs()}, or a phase that the store's embodiment declares"
        )
    if PHASES.get(phase) == "outcome":
        raise ContractError(
            f"{role} {phase!r} shows the outcome and cannot be an input; use one of {_inputs()} instead"
        )


def _inputs() -> str:
    return ", ".join(phase for phase, access in PHASES.items() if access != "outcome")


def _names(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(isinstance(name, str) and name for name in value)
        or len(set(value)) < len(value)
    ):
        raise ContractError(f"streams is {value!r}; expected distinct names, such as ('tactile_left',)")
    return tuple(value)


def _numbers(role: str, value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        raise ContractError(f"{role} is {value!r}; expected {CHANNELS} numbers") from None
    if not all(math.isfinite(number) for number in numbers):
        raise ContractError(f"{role} is {numbers}; each number must be finite")
    return numbers


def _check_pixels(role: str, pixels: Tensor) -> None:
    if not isinstance(pixels, Tensor):
        raise ContractError(f"{role} is a {type(pixels).__name__}; expected a tensor (torch.from_numpy)")
    if pixels.dtype != torch.uint8:
        raise ContractError(f"{role} is {pixels.dtype}; expected torch.uint8, as recorded")
    if pixels.ndim != 4 or pixels.shape[-1] != CHANNELS or 0 in pixels.shape[1:]:
        raise ContractError(
            f"{role} has shape {list(pixels.shape)}; expected [B, H, W, {CHANNELS}] (channels last)"
        )
