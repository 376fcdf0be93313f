"""Panels of a trial: the pictures it has, the arrays they show, and their sizes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.shard import ArraySpec, Key
from visuotactile.datasets.store import Store

Kind = Literal["photo", "difference", "map", "mask", "signal", "sound", "array"]
Array = npt.NDArray[Any]
Size = tuple[int, int]
"""Height and width in pixels."""

MOST_FRAMES = 6
LONGEST, LONGEST_OF_CLIP, SHORTEST = 320, 160, 48
"""Pixels of a picture's longer side: maximum for an image and for a clip's frame, and minimum for both."""

N_FFT = 1024
"""Samples of a spectrogram's window: what is shorter is drawn as a waveform."""

CAMERAS = ("rgb", "camera")
"""Prefixes of streams that show a scene, where a difference shows the hand; any other image is tactile."""


@dataclass(frozen=True)
class Panel:
    """One picture that every trial of the store has.

    Attributes:
        key: stream and phase.
        kind: kind of picture.
        spec: shape and type of the array in the store.
        full: height and width as recorded; (0, 0) where there are no planes.
        size: height and width of one plane in the picture.
        planes: indices of the frames, or channels, drawn side by side.
        of: number of frames, or channels.
        unit: "frame", "channel", or "" for a single image.
        rate: sampling rate of a sound [Hz]; 0 for others.
    """

    key: Key
    kind: Kind
    spec: ArraySpec
    full: Size = (0, 0)
    size: Size = (0, 0)
    planes: tuple[int, ...] = (0,)
    of: int = 1
    unit: Literal["frame", "channel", ""] = ""
    rate: float = 0.0

    @property
    def title(self) -> str:
        """Caption of the picture."""
        return f"{self.key[1]} − before" if self.kind == "difference" else self.key[1]


def plan(store: Store) -> list[Panel]:
    """Panels of every trial, stream by stream, phases in order of time and then the differences."""
    recorded = [_heard(_sized(_panel(key, spec)), store) for key, spec in store.specs.items()]
    streams = sorted({stream for stream, _ in store.specs}, key=lambda name: (_rank(name, recorded), name))
    panels, order = [], list(store.phases)
    for stream in streams:
        mine = [panel for panel in recorded if panel.key[0] == stream]
        mine.sort(key=lambda panel: order.index(panel.key[1]))
        panels += [*mine, *_differences(mine, store)]
    return panels


def _rank(stream: str, recorded: list[Panel]) -> int:
    """Rank of a stream: cameras first, then other pictures, touch, and waves."""
    if any(panel.key[0] == stream and panel.kind in ("signal", "sound") for panel in recorded):
        return 3
    return 0 if stream.startswith(CAMERAS) else 2 if stream.startswith("tactile") else 1


def _panel(key: Key, spec: ArraySpec) -> Panel:
    shape, colour = spec.shape, spec.dtype == np.uint8 and spec.shape[-1] == 3
    narrow = len(shape) == 2 and shape[1] <= 16 and shape[0] >= 4 * shape[1] and spec.dtype != np.uint8
    if len(shape) == 1 or narrow or (len(shape) == 2 and spec.dtype == np.int16):
        return Panel(key, "signal", spec)
    kind: Kind = "photo" if spec.dtype == np.uint8 else "map"
    if len(shape) == 2 or (len(shape) == 3 and (colour or shape[2] == 1)):
        return Panel(key, kind, spec, (shape[0], shape[1]))
    if len(shape) == 3 and shape[2] <= 4:
        return Panel(
            key, kind, spec, (shape[0], shape[1]), planes=tuple(range(shape[2])), of=shape[2], unit="channel"
        )
    if len(shape) in (3, 4):
        chosen = np.linspace(0, shape[0] - 1, min(MOST_FRAMES, shape[0])).round().astype(int)
        return Panel(
            key, kind, spec, (shape[1], shape[2]), planes=tuple(chosen.tolist()), of=shape[0], unit="frame"
        )
    return Panel(key, "array", spec)


def _heard(panel: Panel, store: Store) -> Panel:
    """The panel as a sound to play, where the store's embodiment says at what rate it was recorded."""
    declared = store.embodiment.streams if store.embodiment else ()
    rates = {stream.name: stream.rate for stream in declared if stream.kind == "sound"}
    rate = rates.get(panel.key[0], 0.0)
    if panel.kind != "signal" or rate <= 0 or panel.spec.shape[0] < N_FFT:
        return panel
    return dataclasses.replace(panel, kind="sound", rate=rate)


def _sized(panel: Panel) -> Panel:
    longest = LONGEST_OF_CLIP if panel.unit == "frame" else LONGEST
    return shrunk(dataclasses.replace(panel, size=panel.full), min(1.0, longest / max(*panel.full, 1)))


def _differences(recorded: list[Panel], store: Store) -> list[Panel]:
    """Differences to `before` of tactile images, in the later phases that a model may see."""
    before = next((panel for panel in recorded if panel.key[1] == "before"), None)
    if before is None or before.kind != "photo" or before.key[0].startswith(CAMERAS):
        return []
    return [
        dataclasses.replace(panel, kind="difference")
        for panel in recorded
        if panel.key[1] != "before"
        and store.phases[panel.key[1]] != "outcome"
        and panel.kind == "photo"
        and (panel.full, panel.unit == "channel") == (before.full, before.unit == "channel")
        and panel.spec.shape[-1] == before.spec.shape[-1]
    ]


def read(store: Store, panel: Panel, trial: int) -> Array:
    """Read a panel's data of a trial: planes `[F, H, W]` or `[F, H, W, 3]`, or samples `[n, channels]`.

    A difference is int16. A person may see the outcome, and so the phase that shows it.
    """
    stream, phase = panel.key
    if panel.kind == "difference":
        here = read(store, dataclasses.replace(panel, kind="photo"), trial)
        before = _panel((stream, "before"), store.specs[stream, "before"])
        reference = read(store, before, trial)
        if before.unit != "channel":
            reference = reference[:1]
        return here.astype(np.int16) - reference.astype(np.int16)
    if len(panel.spec.shape) == 4:
        trials = np.full(len(panel.planes), trial)
        values = store.read(stream, phase, trials, np.array(panel.planes), labelling=True)
        return values if is_colour(panel) else values[..., 0]
    values = store.read(stream, phase, [trial], labelling=True)[0]
    if panel.kind in ("signal", "sound"):
        return values.reshape(len(values), -1)
    if panel.unit == "channel":
        return np.moveaxis(values, -1, 0)
    if panel.unit == "frame":
        return values[list(panel.planes)]
    return values[None] if is_colour(panel) or values.ndim == 2 else values[None, ..., 0]


def is_colour(panel: Panel) -> bool:
    """True if a panel's planes are RGB."""
    return panel.spec.dtype == np.uint8 and panel.spec.shape[-1] == 3 and len(panel.spec.shape) > 2


def shrunk(panel: Panel, share: float) -> Panel:
    """The panel with its picture scaled by this share, but not below the smallest legible size."""
    least = min(1.0, SHORTEST / max(*panel.size, 1))
    height, width = (max(1, round(side * max(share, least))) if side else 0 for side in panel.size)
    return dataclasses.replace(panel, size=(height, width))
