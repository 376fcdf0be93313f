"""Figures with intervals: the bootstrap over independent units, and Wilson's interval of a share.

A resample of the independent units (objects, sessions) is nothing but how often each of them is drawn. All
figures of a report use the same draws, so that differences of two of them are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Figure = Mapping[str, Any]
"""A figure in a JSON report: `value`, `low`, `high`, each a number or None where it is undefined."""

LEVEL = 0.95
DRAWS = 2000
"""Enough that the ends of a 95% interval move by less than a tenth of its width from seed to seed."""
CHUNK = 8_000_000
"""Largest number of weights [draws, n] that are held at once (64 MB)."""


class Drawn(Protocol):
    """Predictions of trials, each of an independent unit."""

    @property
    def drawn(self) -> Ints:
        """[n] number of each trial's unit, which a resample draws."""
        ...


Found = TypeVar("Found", bound=Drawn)


@dataclass(frozen=True)
class Estimate:
    """A figure and its bootstrap distribution.

    Attributes:
        per_seed: [seeds] the figure for each seed.
        resampled: [draws] the mean over seeds in each resample of the units.
    """

    per_seed: Floats
    resampled: Floats

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.per_seed))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds, from the shuffle and the initial weights; NaN for a single seed."""
        return spread(self.per_seed)

    def interval(self) -> tuple[float, float]:
        """The 95% percentile interval; NaN when fewer than half of the resamples are defined."""
        if np.isfinite(self.resampled).mean() < 0.5:
            return math.nan, math.nan
        low, high = np.nanquantile(self.resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)

    def figure(self) -> dict[str, float | None]:
        """Value and interval for a JSON report."""
        low, high = self.interval()
        return {"value": json_number(self.value), "low": json_number(low), "high": json_number(high)}

    def __sub__(self, other: Estimate) -> Estimate:
        """The paired difference: seed for seed where the seeds correspond, and resample for resample."""
        paired = len(self.per_seed) == len(other.per_seed)
        return Estimate(
            self.per_seed - (other.per_seed if paired else other.per_seed.mean()),
            self.resampled - other.resampled,
        )

    def __truediv__(self, other: Estimate) -> Estimate:
        """The paired ratio; NaN where the other figure is 0."""
        return Estimate(
            self.per_seed / np.where(other.per_seed == 0, np.nan, other.per_seed),
            self.resampled / np.where(other.resampled == 0, np.nan, other.resampled),
        )


def draw_units(tested: npt.NDArray[np.bool_], seed: int, draws: int = DRAWS) -> Floats:
    """Number of times each independent unit is drawn in each resample, with replacement, of the tested ones.

    Args:
        tested: [units] whether any trial of the unit is tested; the others are never drawn.
        seed: of the draw.
        draws: how many resamples.

    Returns:
        [draws, units]; NaN where a single unit is tested: there is nothing to draw from, and no interval.
    """
    units = int(tested.sum())
    if units < 2:
        return np.full((draws, len(tested)), np.nan)
    counts = np.zeros((draws, len(tested)))
    counts[:, tested] = np.random.default_rng(seed).multinomial(units, [1 / units] * units, size=draws)
    return counts


def drawn_rows(units: Ints, counts: Floats) -> Iterator[Ints]:
    """Rows of each resample written out, for a measure that takes no weights; none where counts are NaN.

    Args:
        units: [n] number of each row's unit.
        counts: [draws, units], from `draw_units`.
    """
    for row in counts if np.isfinite(counts).all() else ():
        yield np.repeat(np.arange(len(units)), row.astype(np.int64)[units])


def mean_over_units(values: npt.ArrayLike, units: npt.ArrayLike, counts: Floats) -> Estimate:
    """Mean of one number per trial; NaN without trials.

    Args:
        values: [n].
        units: [n] number of each trial's unit.
        counts: [draws, units], from `draw_units`.
    """
    owner, size = np.asarray(units, np.int64), counts.shape[1]
    total = np.bincount(owner, np.asarray(values, np.float64), size)
    count = np.bincount(owner, minlength=size)
    among = counts @ count
    resampled = np.divide(counts @ total, among, out=np.full(len(counts), np.nan), where=among > 0)
    return Estimate(np.array([total.sum() / count.sum() if count.any() else math.nan]), resampled)


def estimate(
    metric: Callable[[Found, Floats], Floats], per_seed: Sequence[Found], counts: Floats
) -> Estimate:
    """A metric for each seed, and its mean over seeds in each resample.

    Args:
        metric: function of predictions of n trials and weights [draws, n], one value for each draw.
        per_seed: predictions for each seed.
        counts: [draws, units], from `draw_units`.
    """
    values = np.array([metric(found, np.ones((1, len(found.drawn))))[0] for found in per_seed])
    if not np.isfinite(counts).all():
        return Estimate(values, np.full(len(counts), np.nan))
    total = np.zeros(len(counts))
    for found in per_seed:
        step = max(1, CHUNK // len(found.drawn))
        chunks = [counts[start : start + step] for start in range(0, len(counts), step)]
        total += np.concatenate([metric(found, chunk[:, found.drawn]) for chunk in chunks])
    return Estimate(values, total / len(per_seed))


def mean(estimates: Iterable[Estimate]) -> Estimate:
    """The mean of several estimates on the same seeds and resamples: those of several pretrainings."""
    estimates = list(estimates)
    return Estimate(
        np.mean([each.per_seed for each in estimates], axis=0),
        np.mean([each.resampled for each in estimates], axis=0),
    )


def gain(
    ours: Sequence[Estimate], baseline: Sequence[Estimate], seed: int, *, also: Sequence[Estimate] = ()
) -> Estimate:
    """Difference between encoders of one method and a baseline, on the same resamples.

    Each resample draws the units anew, for both sides alike, and adds what other encoders might have given:
    random weights alone move an AUROC by some hundredths, and without this one lucky draw would pass
    for learning. That noise is Student's t with the spread pooled over both sides, as in the t-test of two
    means; so a method with a single encoder is taken to spread as the untrained draws do.

    Args:
        ours: one estimate for each pretrained encoder.
        baseline: one for each untrained draw; a single one, such as raw pixels, has no randomness of its own.
        seed: of the noise.
        also: draws of random weights whose spread is pooled with the others'.
    """
    values = [np.array([each.value for each in side]) for side in (ours, baseline, also) if len(side) > 1]
    deviation, freedom = pooled_spread(values)
    if not freedom:
        return mean(ours) - mean(baseline)
    error = deviation * math.sqrt(1 / len(ours) + (1 / len(baseline) if len(baseline) > 1 else 0))
    return with_noise(mean(ours) - mean(baseline), error, freedom, seed)


@dataclass(frozen=True)
class Corrected:
    """One of several planned claims, corrected for their number.

    Attributes:
        p: two-sided share of the resamples on the other side of 0, doubled.
        corrected: p after Holm's correction, at most 1.
        low, high: ends of the interval at the level at which the claim was decided.
    """

    p: float
    corrected: float
    low: float
    high: float

    def figure(self, value: float) -> dict[str, float | None]:
        """Value, corrected interval and both p for a JSON report."""
        numbers = {"value": value, "low": self.low, "high": self.high, "p": self.p, "holm_p": self.corrected}
        return {name: json_number(number) for name, number in numbers.items()}


def holm(claims: Mapping[str, Estimate]) -> dict[str, Corrected]:
    """Correct claims that a difference is not 0 for their number, by Holm's step-down procedure (1979).

    Of m claims, the interval of the one with the smallest p is taken at the level 1 − 0.05/m, the next at
    1 − 0.05/(m − 1), and so on. From the first claim that fails, every interval holds 0. Where a figure has
    no resamples, all numbers are NaN.
    """
    values = {}
    for name, each in claims.items():
        known = each.resampled[np.isfinite(each.resampled)]
        # One draw more on either side: no number of resamples shows p = 0.
        sides = [((known * sign <= 0).sum() + 1) / (len(known) + 1) for sign in (1, -1)]
        values[name] = min(1.0, 2 * min(sides)) if len(known) else math.nan
    ordered = sorted((name for name in values if math.isfinite(values[name])), key=lambda name: values[name])
    found = {name: Corrected(math.nan, math.nan, math.nan, math.nan) for name in claims}
    worst = 0.0
    for place, name in enumerate(ordered):
        left = len(claims) - place
        worst = max(worst, min(1.0, left * values[name]))
        tail = (1 - LEVEL) / left / 2
        low, high = np.nanquantile(claims[name].resampled, [tail, 1 - tail])
        if worst > 1 - LEVEL:
            low, high = min(low, 0.0), max(high, 0.0)
        found[name] = Corrected(values[name], worst, float(low), float(high))
    return found


def spread(values: npt.ArrayLike) -> float:
    """Standard deviation of a few values; NaN for a single one."""
    found = np.asarray(values, np.float64)
    return float(np.std(found, ddof=1)) if len(found) > 1 else math.nan


def pooled_spread(sides: Iterable[Floats]) -> tuple[float, int]:
    """Standard deviation within several sides, each around its own mean, and its degrees of freedom."""
    sides = list(sides)
    freedom = sum(len(side) - 1 for side in sides)
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
    return (math.sqrt(squares / freedom) if freedom else math.nan), freedom


def with_noise(centre: Estimate, error: float, freedom: int, seed: int) -> Estimate:
    """An estimate whose resamples also hold Student's t of a standard error, as in a t-test."""
    noise = error * np.random.default_rng(seed).standard_t(freedom, len(centre.resampled))
    return Estimate(centre.per_seed, centre.resampled + noise)


def wilson(share: float, units: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share found over so many independent units.

    Unlike a bootstrap's, it neither shrinks to a point at 0 or 1 nor leaves 0 to 1. It equals
    `scipy.stats.binomtest(share * units, units).proportion_ci(method="wilson")`, which takes whole counts
    only: several trials of one pose count as one unit, and their share need not be a whole number of units.
    """
    z = float(ndtri((1 + LEVEL) / 2))
    reach = z * z / units
    middle = (share + reach / 2) / (1 + reach)
    half = math.sqrt(reach * (share * (1 - share) + reach / 4)) / (1 + reach)
    return max(0.0, middle - half), min(1.0, middle + half)


def json_number(value: float) -> float | None:
    """A number of a JSON report, to six decimals; None for NaN and infinity, which JSON lacks."""
    return round(float(value), 6) if math.isfinite(value) else None


def format_figure(
    figure: Figure | None,
    digits: int = 3,
    *,
    ends: int | None = None,
    scale: float = 1,
    signed: bool = False,
    unit: str = "",
    spread: float | None = None,
) -> str:
    """Write a figure with its interval, such as `0.812 [0.74, 0.88]`; a dash where it is undefined.

    Args:
        figure: value, low and high.
        digits: decimals of the value.
        ends: decimals of the interval's ends; by default those of the value, and at most two.
        scale: factor of all numbers: 100 for percent.
        signed: write a plus, too.
        unit: written behind each number.
        spread: over seeds or networks, written behind "±"; None for none.
    """
    if figure is None or figure["value"] is None:
        return "–"

    def text(number: float, decimals: int) -> str:
        # "z" leaves no minus before a zero.
        return f"{scale * number:{'+z' if signed else 'z'}.{decimals}f}{unit}".replace("-", "−")

    written = text(figure["value"], digits)
    if figure["low"] is not None and figure["high"] is not None:
        low, high = (text(figure[end], min(digits, 2) if ends is None else ends) for end in ("low", "high"))
        written += f" [{low}, {high}]"
    return written if spread is None else f"{written} ±{scale * spread:.{digits}f}{unit}"
