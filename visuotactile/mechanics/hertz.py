"""Two soft bodies pressed together: Hertz's theory of a rubber ball on a soft gel.

A hemisphere of radius R and modulus E₁ meets a flat gel of modulus E₂. With 1/E* = (1−ν²)/E₁ + (1−ν²)/E₂ a
force F flattens a disc of radius a, a³ = 3FR / 4E*, the bodies approach by δ = a²/R, and the pressure is
p₀ √(1 − r²/a²), p₀ = 3F / 2πa² (Johnson 1985, "Contact Mechanics", chapter 4).

Limits. Both bodies are half-spaces and strains are small: a well below R. A gel of thickness h on its window
is stiffer than a half-space, by 1 + 1.133χ + 1.283χ² + 0.769χ³ + 0.0975χ⁴ with χ = a/h (Dimitriadis et al.
2002, incompressible and bonded): by half at a = 0.31 h, 4.3 times at a = h. So a gel's modulus here is an
effective one, of the gel in its mount. It is constant, and the surface falls off like 1/r beside the contact,
where that of a thin layer is flat within about h.

Ambiguity. The gel's surface bulges as (1−ν²)/E₂ · p₀(r), and a and p₀ depend on the ball only through R/E*. A
small soft ball and a large hard one with equal R/E* leave the same imprint at every force.

Units are metres, newtons and pascals; functions take numbers or arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Number = Any
"""A float or a float64 array."""

POISSON = 0.5
"""Poisson's ratio of silicone rubber and gels, which are incompressible."""


def combined_modulus(first: Number, second: Number) -> Number:
    """E* of two bodies with Young's moduli `first` and `second`; `inf` is a rigid one."""
    return 1 / ((1 - POISSON**2) * (1 / first + 1 / second))


def contact_radius(force: Number, radius: Number, combined: Number) -> Number:
    """a = (3FR / 4E*)^(1/3), of a ball of `radius`."""
    return np.cbrt(0.75 * force * radius / combined)


def contact_force(depth: Number, radius: Number, combined: Number) -> Number:
    """F = 4/3 E* √R δ^(3/2) at an approach of the two bodies by `depth`."""
    return 4 / 3 * combined * np.sqrt(radius) * depth**1.5


def approach(contact: Number, radius: Number) -> Number:
    """δ = a²/R, approach of the bodies since first touch, at contact radius `contact`."""
    return contact**2 / radius


def share_of_second(first: Number, second: Number) -> Number:
    """Share of the approach that the body of modulus `second` takes; the softer one takes more."""
    return first / (first + second)


def surface_displacement(
    distance: npt.NDArray[np.float64], contact: float, radius: float, share: float
) -> npt.NDArray[np.float64]:
    """Displacement of one body's surface at `distance` from the axis (Johnson 1985, eq. 3.41 and 3.42).

    Inside the disc of radius a the surface is a paraboloid, share · (2a² − r²) / 2R, half as deep at the rim
    as in the middle; outside it falls off like 1/r. `share` is the body's part of the approach. 0 everywhere
    before contact.
    """
    if contact <= 0:
        return np.zeros_like(distance)
    ratio = np.maximum(distance / contact, 1.0)  # 1 inside, where the outer formula meets the inner one
    outer = ((2 - ratio**2) * np.arcsin(1 / ratio) + np.sqrt(ratio**2 - 1)) / np.pi
    inner = 1 - (distance / contact) ** 2 / 2
    return share * contact**2 / radius * np.where(distance < contact, inner, outer)


def shear_force(drift: Number, contact: Number, combined: Number, limit: Number) -> Number:
    """Tangential force after a `drift` d of one body along the other: 8 a G* d, at most `limit`, which is μF.

    Mindlin 1949. With ν = 1/2, 1/G* = (2−ν)/G₁ + (2−ν)/G₂ is 6/E*. Slip at the rim is left out.
    """
    return np.minimum(8 * contact * combined / 6 * drift, limit)


def twist_torque(angle: Number, contact: Number, combined: Number, limit: Number) -> Number:
    """Torque about the normal after a twist by `angle` ≥ 0: 16/3 a³ G β, at most 3π/16 a times `limit` = μF.

    Johnson 1985, section 3.9 (no slip) and Lubkin 1951 (sliding). With ν = 1/2, 1/G = 1/G₁ + 1/G₂ is 4/E*.
    """
    stuck = 16 / 3 * contact**3 * combined / 4 * angle
    return np.minimum(stuck, 3 * np.pi / 16 * contact * limit)
