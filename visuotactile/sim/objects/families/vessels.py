"""Vessels: mugs, bottles, jars, vases, cups. They are solid, with dark openings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from visuotactile.sim.objects.families.craft import (
    STEEL,
    between,
    block,
    darker,
    disc,
    feel,
    oval,
    paint,
    rod,
    stack,
)
from visuotactile.sim.objects.grasp_object import Design
from visuotactile.sim.objects.parts import Part, Vector


def opening(radius: float, z: float, color: Vector) -> Part:
    """The dark inside of a vessel, as seen from above."""
    return disc(radius, 0.0004, (0, 0, z), darker(color, 0.3))


def handle(radius: float, low: float, high: float, reach: float, thick: float, color: Vector) -> list[Part]:
    """A bent handle at +x of a wall of this radius."""
    inside, bend, out = radius - thick, radius + 0.7 * reach, radius + reach
    quarter = (high - low) / 4
    joints = [
        (inside, high),
        (bend, high),
        (out, high - quarter),
        (out, low + quarter),
        (bend, low),
        (inside, low),
    ]
    return [rod((a[0], 0, a[1]), (b[0], 0, b[1]), thick, color) for a, b in pairwise(joints)]


def mug(rng: np.random.Generator) -> Design:
    """A straight wall, a handle."""
    r, h = between(rng, 0.024, 0.034), between(rng, 0.055, 0.090)
    color, thick = paint(rng), between(rng, 0.003, 0.0045)
    grip = handle(r, 0.22 * h, 0.8 * h, between(rng, 0.014, 0.022), thick, color)
    return Design(
        parts=[*stack([(0, r), (h, r)], color), *grip, opening(0.88 * r, h, color)],
        mass=(0.072, 0.4),
        relief=feel(rng, ["rings", "dots", "flutes", "thread"], chance=0.4, around=r),
    )


def bottle(rng: np.random.Generator) -> Design:
    """Body, shoulder, neck, cap; its filling affects the weight but is not visible."""
    r, h = between(rng, 0.017, 0.033), between(rng, 0.060, 0.095)
    neck, shoulder, rise = r * between(rng, 0.35, 0.5), between(rng, 0.012, 0.03), between(rng, 0.014, 0.030)
    color, level = paint(rng, light=(0.4, 0.9)), h * between(rng, 0.25, 0.75)
    top = h + shoulder
    return Design(
        parts=[
            *stack([(0, r), (level, r)], color, density=4.0),
            *stack([(level, r), (h, r), (top, neck), (top + rise, neck)], color),
            *stack([(top + rise, 1.25 * neck), (top + rise + 0.012, 1.25 * neck)], paint(rng)),
        ],
        mass=(0.04, 0.48),
        relief=feel(rng, ["rings", "grid", "dots", "flutes"], chance=0.5, around=r),
    )


def jar(rng: np.random.Generator) -> Design:
    """A wide jar with a milled lid."""
    r, h, lid = between(rng, 0.022, 0.035), between(rng, 0.040, 0.080), between(rng, 0.010, 0.018)
    color = paint(rng, vivid=(0.3, 0.7))
    return Design(
        parts=[
            *stack([(0, 0.93 * r), (0.004, r), (h, r), (h + 0.005, 0.85 * r)], color, density=1.5),
            *stack([(h + 0.005, 0.95 * r), (h + 0.005 + lid, 0.95 * r)], paint(rng, vivid=(0.1, 0.9))),
        ],
        mass=(0.06, 0.45),
        relief=feel(rng, ["flutes"], chance=0.6, around=r, pitch=(0.0012, 0.003)),
    )


def vase(rng: np.random.Generator) -> Design:
    """A belly between a narrower foot and a narrower neck, with a lip that widens."""
    belly, h = between(rng, 0.022, 0.034), between(rng, 0.07, 0.13)
    base, neck, color = belly * between(rng, 0.5, 0.7), belly * between(rng, 0.4, 0.55), paint(rng)
    half, lip = h * between(rng, 0.36, 0.44), neck * between(rng, 1.3, 1.7)
    throat = 0.9 * h
    return Design(
        parts=[
            *stack([(0, base), (0.16 * h, base)], color),
            oval((belly, belly, half), (0, 0, half + 0.004), color),
            *stack([(half, neck), (throat, neck), (h, lip)], color),
            opening(0.85 * lip, h, color),
        ],
        mass=(0.06, 0.45),
        relief=feel(rng, ["rings", "flutes", "thread", "grain"], chance=0.5, around=belly),
    )


def cup(rng: np.random.Generator) -> Design:
    """A drinking cup, wider at its rolled rim."""
    top, h = between(rng, 0.026, 0.035), between(rng, 0.060, 0.100)
    base, color = top * between(rng, 0.65, 0.82), paint(rng)
    return Design(
        parts=[
            *stack([(0, base), (h - 0.004, top), (h - 0.004, top + 0.0015), (h, top + 0.0015)], color),
            opening(0.92 * top, h, color),
        ],
        mass=(0.032, 0.3),
        relief=feel(rng, ["rings", "flutes", "dots"], chance=0.5, around=top),
    )


def goblet(rng: np.random.Generator) -> Design:
    """A bowl on a stem on a foot."""
    foot, stem, bowl = between(rng, 0.022, 0.030), between(rng, 0.005, 0.008), between(rng, 0.022, 0.031)
    rise, h = between(rng, 0.035, 0.050), between(rng, 0.035, 0.050)
    color = paint(rng, vivid=(0.15, 0.7))
    profile = [(0, foot), (0.004, foot), (0.010, stem), (rise, stem), (rise + 0.3 * h, 0.8 * bowl)]
    return Design(
        parts=[
            *stack([*profile, (rise + 0.65 * h, bowl), (rise + h, 0.97 * bowl)], color),
            opening(0.88 * bowl, rise + h, color),
        ],
        mass=(0.048, 0.35),
        relief=feel(rng, ["flutes", "knurl"], chance=0.4, around=bowl),
    )


def canister(rng: np.random.Generator) -> Design:
    """A steel flask with a waist of rubber and a screw cap."""
    r, h = between(rng, 0.020, 0.032), between(rng, 0.07, 0.12)
    low, high = h * between(rng, 0.25, 0.4), h * between(rng, 0.6, 0.75)
    return Design(
        parts=[
            *stack([(0, r), (low, r)], STEEL, density=between(rng, 1.0, 5.0)),
            *stack([(low, r + 0.001), (high, r + 0.001)], paint(rng)),
            *stack([(high, r), (h, r), (h + 0.006, 0.7 * r), (h + 0.018, 0.7 * r)], STEEL),
        ],
        mass=(0.08, 0.5),
        relief=feel(rng, ["knurl", "grid", "dots"], chance=0.8, around=r),
    )


def watering_can(rng: np.random.Generator) -> Design:
    """A body, a spout on one side, a handle on the other."""
    r, h = between(rng, 0.024, 0.030), between(rng, 0.045, 0.060)
    color = paint(rng)
    spout = [rod((-r + 0.004, 0, 0.3 * h), (-r - 0.024, 0, 0.95 * h), 0.004, color)]
    rose = block((0.003, 0.007, 0.005), (-r - 0.025, 0, 0.97 * h), darker(color))
    grip = handle(r, 0.25 * h, 0.85 * h, between(rng, 0.015, 0.020), 0.0035, color)
    return Design(
        parts=[*stack([(0, r), (h, r)], color), *spout, rose, *grip, opening(0.85 * r, h, color)],
        mass=(0.048, 0.35),
        relief=feel(rng, ["rings", "dots"], chance=0.5, around=r),
    )
