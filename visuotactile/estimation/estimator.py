"""The one interface of all estimators: fit to measured presses, predict with an interval, save.

An estimator works in two steps. `measure` turns clips into arrays, which takes nearly all of the time and
knows no label; `fit` and `predict` work on these arrays, so that an experiment measures each clip once for
all of its splits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from visuotactile.datasets.clips import Clips
from visuotactile.errors import ContractError, DataError
from visuotactile.estimation.conformal import Scores, unit_folds

Floats = npt.NDArray[np.float64]
Measured = npt.NDArray[Any]
"""Arrays of n clips, [n, …]; what is in them is the estimator's affair."""

LEVEL = 0.9
"""Level of the intervals that are stated by default."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Facts about clips that are known beside their pictures.

    Attributes:
        radius: [n], radius of each sample in metres; None where it is unknown.
        sensor: [n], name of the sensor unit; None where it is unknown.
    """

    radius: Floats | None = None
    sensor: npt.NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        """Check the radii.

        Raises:
            DataError: one is not a length.
        """
        if self.radius is not None and not (np.isfinite(self.radius) & (self.radius > 0)).all():
            wrong = self.radius[~(np.isfinite(self.radius) & (self.radius > 0))][0]
            raise DataError(f"a radius is {wrong}; expected metres above 0, or no radii at all")

    def only(self, rows: npt.NDArray[np.int64]) -> Known:
        """The same of some of the clips."""
        return Known(
            radius=None if self.radius is None else self.radius[rows],
            sensor=None if self.sensor is None else self.sensor[rows],
        )

    def without_radius(self) -> Known:
        """The same without the radii."""
        return replace(self, radius=None)


NOTHING = Known()


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """Estimated numbers and their intervals.

    Attributes:
        value: [n].
        low, high: [n] ends of the interval.
        level: share of new units' numbers that such intervals hold.
    """

    value: Floats
    low: Floats
    high: Floats
    level: float


class Estimator(ABC):
    """Estimator of a number from a clip.

    Attributes:
        kind: name in the saved folder.
        meta: provenance of the weights; `units` of the training are named there.
        span: smallest and largest number that it was fitted to.
        scores: residuals of units that were not fitted on, which state the intervals, with the radius (True)
            and without it (False).
    """

    kind: ClassVar[str]

    def __init__(self) -> None:
        self.meta: dict[str, Any] = {}
        self.span: tuple[float, float] = (np.nan, np.nan)
        self.scores: dict[bool, Scores] = {}

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments of the constructor, as plain JSON values."""

    @abstractmethod
    def measure(self, clips: Clips, *, show: bool = True) -> Measured:
        """Arrays of the clips [n, …], NaN where one shows no contact; under a progress bar if `show`."""

    def shown(self, measured: Measured) -> npt.NDArray[np.bool_]:
        """Clips that show a contact, bool [n]."""
        return np.asarray(np.isfinite(measured).all(axis=tuple(range(1, measured.ndim))))

    def measures(self) -> str:
        """Text that identifies what `measure` gives of a clip."""
        return f"{self.kind} {sorted(self.settings().items())}"

    @abstractmethod
    def learn(
        self, measured: Measured, target: Floats, known: Known, units: npt.NDArray[Any], seed: int
    ) -> None:
        """Set the weights, from arrays [n, …], numbers [n], and units [n]."""

    @abstractmethod
    def guess(self, measured: Measured, known: Known) -> tuple[Floats, Floats]:
        """Number [n] and the deviation [n] that is expected of it, up to a factor."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """The weights."""

    def fitted(self) -> dict[str, Any]:
        """Further results of the fit, as plain JSON values."""
        return {}

    @abstractmethod
    def load(self, fitted: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """Take what `fitted` and `state` gave."""

    def modes(self, known: Known) -> tuple[bool, ...]:
        """Ways in which it answers: with the radius (True), without it (False), or both."""
        return (known.radius is not None,)

    def fresh(self) -> Self:
        """An estimator of the same settings that has not been fitted."""
        return type(self)(**self.settings())

    def fit(
        self,
        measured: Measured,
        target: npt.ArrayLike,
        units: npt.ArrayLike,
        known: Known = NOTHING,
        *,
        seed: int = 0,
    ) -> Self:
        """Fit to measured clips, and calibrate the stated intervals on units left out of the fit.

        The calibration is cross-conformal over units (see `conformal`); the estimator itself is fitted to
        all.

        Args:
            measured: from `measure`, [n, …].
            target: [n], the numbers.
            units: [n], the independent units, such as the samples pressed.
            known: radii and sensors, where they are known.
            seed: seed of the folds and weights.

        Raises:
            DataError: there are too few units, or a number is not finite.
        """
        target, units = np.asarray(target, np.float64), np.asarray(units)
        if not len(measured) == len(target) == len(units):
            raise DataError(
                f"{len(measured)} clips, {len(target)} numbers and {len(units)} units; expected as many "
                "of each"
            )
        if not (self.shown(measured).all() and np.isfinite(target).all()):
            raise DataError("a clip without contact, or a number that is not finite; leave these clips out")
        left_out: dict[bool, list[tuple[Floats, npt.NDArray[Any]]]] = {}
        for train, test in unit_folds(units, seed):
            part = self.fresh()
            part.learn(measured[train], target[train], known.only(train), units[train], seed)
            for mode in self.modes(known):
                asked = known.only(test) if mode else known.only(test).without_radius()
                value, deviation = part.guess(measured[test], asked)
                left_out.setdefault(mode, []).append((np.abs(value - target[test]) / deviation, units[test]))
        self.learn(measured, target, known, units, seed)
        self.scores = {
            mode: Scores.of(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            for mode, parts in left_out.items()
        }
        self.span = float(target.min()), float(target.max())
        return self

    def predict(self, measured: Measured, known: Known = NOTHING, *, level: float = LEVEL) -> Estimates:
        """Estimate the numbers of measured clips.

        Args:
            measured: from `measure`, [n, …].
            known: radii and sensors, where they are known.
            level: share of new units' numbers that the intervals hold.

        Raises:
            ContractError: the estimator was fitted for the other case, or not fitted at all.
        """
        mode = known.radius is not None
        if not self.scores:
            raise ContractError(f"this estimator ({self.kind}) has not been fitted")
        if mode not in self.scores:
            fitted, remedy = ("unknown", "leave the radius out") if mode else ("known", "give the radius")
            raise ContractError(f"this estimator ({self.kind}) was fitted for {fitted} radii; {remedy}")
        value, deviation = self.guess(measured, known)
        reach = self.scores[mode].quantile(level) * deviation
        return Estimates(value=value, low=value - reach, high=value + reach, level=level)
