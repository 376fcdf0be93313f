"""Contact mechanics: Young's modulus from the imprint of a ball, by Hertz's theory of two soft bodies.

A ball of radius R and modulus E₁ in a gel of modulus E₂ leaves an imprint of curvature κ = s / R, at every
force, where s = E₁ / (E₁ + E₂) is the gel's share of the deformation (`mechanics.hertz`). So a picture
tells s/R, which is (1−ν²) E*/(E₂R): R/E* and no more. Where R is known, E₁ = E₂ s / (1−s) follows; where it
is not, E₁ is averaged over the radii of the training samples, which leaves most of the doubt, since a small
soft ball and a large hard one leave the same imprint. No depth or force is needed, and none is known.

Of a harder ball the gel takes nearly all of the deformation, s ≈ 1, and the error of log E₁ is that of log
s over 1 − s: what is much harder than the gel cannot be told apart.

After Yuan, Srinivasan and Adelson 2016, "Estimating object hardness with a GelSight touch sensor", whose
cue is the same: at equal contact radius a harder ball leaves a brighter, steeper imprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor

from visuotactile.datasets.clips import Clips, chosen_frames, contact_growth
from visuotactile.errors import ContractError
from visuotactile.estimation.estimator import Estimator, Floats, Known, Measured
from visuotactile.estimation.imprint import Imprint, measure_imprints
from visuotactile.mechanics.hertz import combined_modulus, share_of_second
from visuotactile.progress import track

FRAMES = 8
WINDOW = 24.0
"""Millimetres of gel across the picture of a GelSight Mini, and of the lab's sensors."""

GRID = 400
"""Moduli over which the estimate is averaged."""
MARGIN = 0.15
"""Of log10 modulus, beyond the training samples', that is taken to be possible."""
SETTLED = 0.02**2
"""Variance of log brightness that is the same for every frame of a clip; more frames do not lessen it."""
SOFTEST_GEL, HARDEST_GEL = 1e4, 1e7
"""Pascals, moduli of gels that are looked for."""
ENOUGH_SENSORS, GAIN_SPREAD = 4, 0.08
"""Sensors from which the spread of gains can be told, and the spread of log gain that is taken before."""
BETWEEN_RADII = 0.12
"""Deviation of a new sample's log radius from the nearest of the training samples', half a step of 8, 10,
12 …"""
_BRIGHTNESS, _VARIANCE, _EXPLAINED = (
    Imprint._fields.index(n) for n in ("brightness", "variance", "explained")
)


class ContactMechanics(Estimator):
    """Young's modulus, log10 of pascals, from the imprint of a ball.

    `measure` gives float64 [n, frames, 6], the fields of `imprint.Imprint` in each frame.

    Args:
        window: millimetres of gel across the picture.
    """

    kind: ClassVar[str] = "contact mechanics"

    def __init__(self, window: float = WINDOW) -> None:
        super().__init__()
        if not 1 <= window <= 200:
            raise ContractError(
                f"window is {window}; expected millimetres of gel across the picture, such as 24"
            )
        self.window = window
        self.sensors: tuple[str, ...] = ()
        self._weights: dict[str, Floats] = {}

    def settings(self) -> dict[str, Any]:
        """See `Estimator`."""
        return {"window": self.window}

    def modes(self, known: Known) -> tuple[bool, ...]:
        """See `Estimator`: it answers in both ways."""
        return (True, False)

    def measure(self, clips: Clips, *, show: bool = True) -> Measured:
        """See `Estimator`."""
        found = np.full((len(clips), FRAMES, len(Imprint._fields)), np.nan)
        for i in track(range(len(clips)), f"measuring {len(clips)} imprints", show=show):
            clip = clips[i]
            growth, touched = contact_growth(clip)
            if touched.any():
                found[i] = measure_imprints(clip, chosen_frames(growth, touched, FRAMES), self.window)
        return found

    def learn(
        self, measured: Measured, target: Floats, known: Known, units: npt.NDArray[Any], seed: int
    ) -> None:
        """See `Estimator`. The gel's modulus, the sensors' gains and the noise are fitted."""
        if known.radius is None:
            raise ContractError(
                "contact mechanics is fitted to samples of known radius, found none; name their column, such "
                "as --radius radius, or fit frozen features"
            )
        modulus, radius = 10**target, known.radius * 1e3
        slopes, variance, unexplained = summary(measured)
        sensor = known.sensor if known.sensor is not None else np.full(len(target), "")
        names, unit = np.unique(sensor, return_inverse=True)

        def left(log_gel: float) -> Floats:
            share = share_of_second(modulus, np.exp(log_gel))
            return np.asarray(slopes - np.log(share / radius))

        def misfit(log_gel: float) -> float:
            gain = left(log_gel)
            return float((_within(gain, unit) ** 2 / (variance + SETTLED)).sum())

        bounds = (np.log(SOFTEST_GEL), np.log(HARDEST_GEL))
        log_gel = float(minimize_scalar(misfit, bounds=bounds, method="bounded").x)
        gain = left(log_gel)
        own = _within(gain, unit)

        def unlikelihood(noise: Floats) -> float:
            total = variance + np.exp(noise[0]) + np.exp(noise[1]) * unexplained
            return float((own**2 / total + np.log(total)).sum())

        noise = np.exp(minimize(unlikelihood, np.log([1e-3, 1e-3]), method="Nelder-Mead").x)
        counts = np.bincount(unit)
        means = np.bincount(unit, gain) / counts
        drawn = float((own**2).sum() / max(len(own) - len(names), 1))
        between = GAIN_SPREAD**2
        if len(names) >= ENOUGH_SENSORS:
            between = max(float(means.var(ddof=1)) - float((drawn / counts).mean()), 1e-6)
        elif known.sensor is None:
            between = 0.0  # all of it is in the noise
        middle = float(means.mean())
        shrink = between / (between + drawn / counts)
        radii, shares = np.unique(radius, return_counts=True)
        self.sensors = tuple(str(name) for name in names.tolist()) if known.sensor is not None else ()
        self._weights = {
            "gel": np.array([log_gel]),
            "noise": noise,
            "gain": np.array([middle, between]),
            "gains": np.stack([middle + shrink * (means - middle), between * (1 - shrink)], axis=1),
            "radii": radii,
            "shares": shares / shares.sum(),
            "moduli": np.array([target.min() - MARGIN, target.max() + MARGIN]),
        }

    def guess(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """See `Estimator`: mean and standard deviation of log10 modulus given the imprint."""
        curvature, variance = self.curvature(measured, known)
        grid = np.linspace(self._weights["moduli"][0], self._weights["moduli"][1], GRID)
        share = np.log(share_of_second(10**grid, np.exp(self._weights["gel"][0])))
        likelihood = np.zeros((len(measured), GRID))
        if known.radius is not None:
            drawn = [(1.0, known.radius * 1e3)]
        else:
            drawn = list(zip(self._weights["shares"], self._weights["radii"], strict=True))
            variance = variance + BETWEEN_RADII**2
        # Relative to the likeliest, or a far imprint has no likelihood at all.
        distances = [
            (curvature[:, None] - share + np.log(radius).reshape(-1, 1)) ** 2 / (2 * variance[:, None])
            for _, radius in drawn
        ]
        nearest = np.min([each.min(axis=1) for each in distances], axis=0)[:, None]
        for (chance, _), distance in zip(drawn, distances, strict=True):
            likelihood += chance * np.exp(nearest - distance)
        likelihood /= likelihood.sum(axis=1, keepdims=True)
        value = likelihood @ grid
        deviation = np.sqrt(np.maximum(likelihood @ grid**2 - value**2, 0))
        return value, np.maximum(deviation, np.diff(grid)[0])

    def curvature(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """Logarithm of the imprint's curvature κ [1/mm], and its variance; each [n]."""
        slopes, variance, unexplained = summary(measured)
        noise, (gain, between) = self._weights["noise"], self._weights["gain"]
        gains, doubts = np.full(len(slopes), gain), np.full(len(slopes), between)
        if known.sensor is not None:
            place = {name: number for number, name in enumerate(self.sensors)}
            for i, name in enumerate(known.sensor.tolist()):
                if name in place:
                    gains[i], doubts[i] = self._weights["gains"][place[name]]
        return slopes - gains, variance + noise[0] + noise[1] * unexplained + doubts

    def compliance(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """R/E* in metres per pascal, and the deviation of its natural logarithm; each [n].

        R/E* = (1−ν²) / (E₂ κ): the one thing that an imprint tells whatever the radius.
        """
        curvature, variance = self.curvature(measured, known)
        rigid = combined_modulus(np.exp(self._weights["gel"][0]), np.inf)
        return np.exp(-curvature) * 1e-3 / rigid, np.sqrt(variance)

    @property
    def gel_modulus(self) -> float:
        """Young's modulus of the gel in its mount, as the training presses have it [Pa]."""
        return float(np.exp(self._weights["gel"][0]))

    def fitted(self) -> dict[str, Any]:
        """See `Estimator`."""
        return {"sensors": list(self.sensors)}

    def state(self) -> dict[str, Tensor]:
        """See `Estimator`."""
        return {name: torch.from_numpy(np.asarray(value)) for name, value in self._weights.items()}

    def load(self, fitted: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """See `Estimator`."""
        self.sensors = tuple(fitted["sensors"])
        self._weights = {name: value.numpy() for name, value in state.items()}


def summary(measured: Measured) -> tuple[Floats, Floats, Floats]:
    """Logarithm of each clip's brightness per millimetre, its variance, and the share that no ball
    explains."""
    variance = np.maximum(measured[..., _VARIANCE], 1e-8)
    weight = 1 / (variance + SETTLED)
    weight /= weight.sum(axis=1, keepdims=True)
    slopes = (weight * np.log(np.maximum(measured[..., _BRIGHTNESS], 1e-9))).sum(axis=1)
    unexplained = np.clip(1 - (weight * measured[..., _EXPLAINED]).sum(axis=1), 0, 1)
    return slopes, (weight**2 * variance).sum(axis=1), unexplained


def _within(values: Floats, group: npt.NDArray[np.int64]) -> Floats:
    """Values without the mean of their group."""
    return values - (np.bincount(group, values) / np.bincount(group))[group]
