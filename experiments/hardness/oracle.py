"""Bounds on the error of any estimator: what physics and pictures leave to be known.

*Without the radius*: the exact R/E* of each press is known, and nothing else; the estimate is the mean of
log10 E over the radii that it may have been. No picture of a ball tells more.

*Noise*: how well a clip's pictures tell log10 E with the radius known, by the Cramér–Rao bound. The clip is
rendered with a slightly harder sample at equal contact radius, a slightly wider contact and slightly stronger
light; the differences over the noise give the Fisher information on all three. The sensor's gain (how much
light its slopes gain) is known of a unit that was calibrated, and known to `GAIN_SPREAD` of a new one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from experiments.hardness.experiment import BALLS, Experiment, Floats
from visuotactile.datasets.store import Store
from visuotactile.mechanics.hertz import POISSON, combined_modulus, share_of_second
from visuotactile.sim.hardness.contacts import height_map
from visuotactile.sim.hardness.samples import GEL_MODULUS
from visuotactile.sim.tactile import SHAPE, TactileSensor, make_unit

GAIN_SPREAD = 0.3 / np.sqrt(12) / 1.15
"""Standard deviation of the log of the units' gains, which are even between 1.0 and 1.3."""
STEP = 0.05
"""Step of the differences, in natural logarithms."""
QUANTUM = 1 / 12
"""Variance of rounding to whole grey levels."""
DENSITY = np.array([3.7, 1.3, 5.3])[:, None, None]
"""Variance of each channel's noise per pixel at low frequencies, where the imprint is, over `noise`² (see
`tactile.exposure`: colour is coded in blocks of four pixels)."""


def run(experiment: Experiment) -> dict[str, Any]:
    """Bounds as the RMSE in percent of the range."""
    store, truth = experiment.balls, experiment.target(BALLS)
    span = float(np.ptp(truth))
    names = np.unique(store.objects)
    chosen = np.random.default_rng(0).permutation(len(store))[: experiment.preset.oracle]
    noise = np.array([_noise(store, int(row)) for row in chosen])
    share = np.asarray(share_of_second(10 ** truth[chosen], GEL_MODULUS))
    percent = 100 / span
    radius = store.column("column/radius")
    compliance = radius / combined_modulus(10**truth, GEL_MODULUS)
    guess = without_radius(compliance, np.unique(radius), (float(truth.min()), float(truth.max())))
    return {
        "range": span,
        "samples": len(names),
        "presses": len(chosen),
        "guessing the mean": percent * float(truth.std()),
        "exact R/E*, radius unknown": percent * float(np.sqrt(((guess - truth) ** 2).mean())),
        "noise, gain known": percent * float(np.sqrt((noise[:, 0] ** 2).mean())),
        "noise, gain of a new unit": percent * float(np.sqrt((noise[:, 1] ** 2).mean())),
        "by gel share": [
            {
                "share": float(edge),
                "presses": int(part.sum()),
                "noise, gain known": percent * float(np.sqrt((noise[part, 0] ** 2).mean())),
                "noise, gain of a new unit": percent * float(np.sqrt((noise[part, 1] ** 2).mean())),
            }
            for edge in (0.2, 0.4, 0.6, 0.8, 1.0)
            if (part := (share <= edge) & (share > edge - 0.2)).any()
        ],
    }


def without_radius(compliance: Floats, radii: Floats, span: tuple[float, float]) -> Floats:
    """Mean of log10 E given the exact R/E* [n], over equally likely radii and E even in its logarithm.

    Args:
        compliance: [n], R/E* in metres per pascal.
        radii: the radii that there may be, metres.
        span: smallest and largest log10 E.
    """
    # (1/E₁ + 1/E₂) = R/E* / ((1 − ν²) R)
    first = compliance[:, None] / (radii * (1 - POISSON**2)) - 1 / GEL_MODULUS
    value = -np.log10(np.maximum(first, 1e-12))
    possible = (value >= span[0] - 1e-9) & (value <= span[1] + 1e-9)
    # d ln(R/E*) / d ln E₁ is the share that the sample takes
    weight = possible / (1 - share_of_second(10**value, GEL_MODULUS))
    return np.asarray((weight * value).sum(axis=1) / weight.sum(axis=1))


def _noise(store: Store, row: int) -> tuple[float, float]:
    """Cramér–Rao bounds on log10 E of a press, with the gain known and with that of a new unit."""
    modulus, radius = (
        10 ** float(store.column("outcome/log_modulus")[row]),
        store.column("column/radius")[row],
    )
    share = float(share_of_second(modulus, GEL_MODULUS))
    contacts = [
        float(store.column(name)[row]) for name in store.columns if name.startswith("hidden/contact_")
    ]
    unit = make_unit(str(store.column("sensor")[row]))
    sensor = TactileSensor(unit, SHAPE)
    louder = TactileSensor(dataclasses.replace(unit, relief_gain=unit.relief_gain * np.exp(STEP)), SHAPE)
    information = np.zeros((3, 3))
    for contact in contacts:
        plain = _picture(sensor, contact, radius, share)
        # at equal contact: a deeper imprint; at equal share: a wider one; and a stronger light
        moved = (
            _picture(sensor, contact, radius, share * np.exp(STEP)),
            _picture(sensor, contact * np.exp(STEP), radius, share),
            _picture(louder, contact, radius, share),
        )
        slopes = np.array([(each - plain).ravel() / STEP for each in moved])
        brightness = 0.65 / 0.4 * plain[1] / 255 + 0.35
        variance = DENSITY * unit.noise**2 * brightness + QUANTUM
        information += (slopes / variance.ravel()) @ slopes.T
    # from the gel's share to log10 E: s = E / (E + E₂), so that d ln s / d ln E is 1 − s
    change = (1 - share) * np.log(10)
    information[0] *= change
    information[:, 0] *= change
    known = float(np.sqrt(np.linalg.inv(information[:2, :2])[0, 0]))
    information[2, 2] += 1 / GAIN_SPREAD**2
    return known, float(np.sqrt(np.linalg.inv(information)[0, 0]))


def _picture(sensor: TactileSensor, contact: float, radius: float, share: float) -> Floats:
    imprint = height_map((0.0, 0.0), contact, radius, share)
    return 255 * sensor.light(imprint, center=(0.0, 0.0), wear=0.2).astype(np.float64)
