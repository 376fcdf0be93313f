"""The "easy" unseen objects: everyday things of regular shape."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    BLACK,
    STEEL,
    WHITE,
    about,
    block,
    darker,
    disc,
    feel,
    foot,
    oval,
    rod,
    stack,
)
from visuotactile.sim.objects.families.vessels import handle, opening
from visuotactile.sim.objects.grasp_object import Design
from visuotactile.sim.objects.meshes import hull
from visuotactile.sim.objects.parts import Part


def tea_cup(rng: np.random.Generator) -> Design:
    """Green, widening in a curve, with a small handle."""
    color = (0.35, 0.60, 0.42)
    wall = stack([(0, 0.018), (0.006, 0.018), (0.022, 0.029), (0.056, 0.034)], color)
    return Design(
        parts=[*wall, *handle(0.031, 0.018, 0.046, 0.014, 0.003, color), opening(0.031, 0.056, color)],
        mass=(0.06, 0.25),
    )


def soup_can(rng: np.random.Generator) -> Design:
    """A ribbed tin under half a red label."""
    return Design(
        parts=[
            *stack([(0, 0.033), (0.004, 0.033)], STEEL),
            *stack([(0.004, 0.0322), (0.100, 0.0322)], (0.78, 0.10, 0.12)),
            *stack([(0.054, 0.0324), (0.100, 0.0324)], WHITE),
            *stack([(0.100, 0.033), (0.104, 0.033)], STEEL),
        ],
        mass=(0.12, 0.48),
        relief=feel(rng, ["rings"], around=0.0322, pitch=(0.0025, 0.0040)),
    )


def juice_carton(rng: np.random.Generator) -> Design:
    """A gabled carton with a cap, half empty."""
    x, h, color = 0.026, 0.075, (0.96, 0.62, 0.15)
    gable = [(a * x, b * x, 0.0) for a in (-1, 1) for b in (-1, 1)] + [(a * x, 0, 0.026) for a in (-1, 1)]
    return Design(
        parts=[
            block((x, x, 0.0225), (0, 0, 0.0225), color, density=4.0),
            block((x, x, 0.015), (0, 0, 0.060), WHITE),
            Part(shape="mesh", mesh=hull(np.array(gable)), pos=(0, 0, h), color=color),
            block((x, 0.0012, 0.006), (0, 0, h + 0.030), color),
            disc(0.008, 0.005, (0, -0.013, h + 0.016), (0.2, 0.45, 0.25), about((1, 0, 0), 42)),
        ],
        mass=(0.08, 0.4),
    )


def water_bottle(rng: np.random.Generator) -> Design:
    """Clear blue, ringed, with a blue cap."""
    color = (0.62, 0.80, 0.92)
    return Design(
        parts=[
            *stack([(0, 0.030), (0.070, 0.030)], color, density=3.0),
            *stack([(0.070, 0.030), (0.110, 0.030), (0.128, 0.022), (0.142, 0.0115), (0.150, 0.0115)], color),
            *stack([(0.150, 0.0145), (0.163, 0.0145)], (0.1, 0.25, 0.7)),
        ],
        mass=(0.1, 0.48),
        relief=feel(rng, ["rings"], around=0.030, pitch=(0.003, 0.004)),
    )


def candle(rng: np.random.Generator) -> Design:
    """Ivory wax, a wick."""
    return Design(
        parts=[
            *stack([(0, 0.027), (0.076, 0.027), (0.079, 0.025)], (0.93, 0.88, 0.74)),
            rod((0, 0, 0.078), (0.001, 0, 0.087), 0.0011, BLACK),
        ],
        mass=(0.06, 0.3),
        relief=feel(rng, ["grain"], pitch=(0.003, 0.004)),
    )


def spice_jar(rng: np.random.Generator) -> Design:
    """A small glass of red powder under a black lid."""
    return Design(
        parts=[
            *stack([(0, 0.0205), (0.055, 0.0205)], (0.70, 0.28, 0.10), density=1.5),
            *stack([(0.055, 0.0205), (0.068, 0.0205), (0.074, 0.017)], (0.75, 0.82, 0.84)),
            *stack([(0.074, 0.0205), (0.094, 0.0205)], BLACK),
        ],
        mass=(0.048, 0.22),
        relief=feel(rng, ["flutes"], around=0.0205, pitch=(0.0012, 0.0020)),
    )


def flashlight(rng: np.random.Generator) -> Design:
    """Standing on its lamp, the knurled grip up."""
    grip = (0.18, 0.18, 0.20)
    return Design(
        parts=[
            *stack([(0, 0.025), (0.022, 0.025), (0.040, 0.0155)], darker(STEEL, 0.8), density=2.0),
            *stack([(0.040, 0.0155), (0.118, 0.0155), (0.124, 0.014)], grip, density=2.0),
            block((0.003, 0.0025, 0.006), (0, -0.0150, 0.052), (0.85, 0.15, 0.1)),
        ],
        mass=(0.06, 0.3),
        relief=feel(rng, ["knurl"], around=0.0155, pitch=(0.0016, 0.0022)),
    )


def tea_box(rng: np.random.Generator) -> Design:
    """A carton with a lid that overlaps."""
    return Design(
        parts=[
            block((0.024, 0.030, 0.030), (0, 0, 0.030), (0.16, 0.36, 0.30)),
            block((0.0248, 0.0308, 0.010), (0, 0, 0.060), (0.80, 0.68, 0.30)),
        ],
        mass=(0.048, 0.3),
        relief=feel(rng, ["weave"], pitch=(0.0010, 0.0014)),
    )


def salt_shaker(rng: np.random.Generator) -> Design:
    """Eight glass sides, a domed steel top."""
    return Design(
        parts=[
            *stack([(0, 0.024), (0.055, 0.018)], (0.80, 0.86, 0.88), sides=8),
            *stack([(0.055, 0.0185), (0.067, 0.0185)], STEEL),
            oval((0.0185, 0.0185, 0.009), (0, 0, 0.067), STEEL),
        ],
        mass=(0.048, 0.25),
    )


def golf_ball(rng: np.random.Generator) -> Design:
    """Dimpled."""
    return Design(
        parts=[oval((0.0214, 0.0214, 0.0214), (0, 0, 0.0214), WHITE), foot(0, 0.0107, WHITE)],
        mass=(0.044, 0.046),
        relief=feel(rng, ["dots"], around=0.0214, pitch=(0.0034, 0.0040)),
    )


def detergent(rng: np.random.Generator) -> Design:
    """A flat bottle, oval in section, with a measuring cap."""
    blue = (0.15, 0.35, 0.75)
    return Design(
        parts=[
            block((0.020, 0.014, 0.020), (0, 0, 0.020), blue, density=3.0),
            *(disc(0.020, 0.020, (0, s * 0.014, 0.020), blue) for s in (-1, 1)),
            block((0.020, 0.014, 0.025), (0, 0, 0.065), blue),
            *(disc(0.020, 0.025, (0, s * 0.014, 0.065), blue) for s in (-1, 1)),
            block((0.0203, 0.012, 0.018), (0, 0, 0.050), WHITE),
            *stack([(0.090, 0.018), (0.104, 0.012)], blue),
            *stack([(0.104, 0.0150), (0.126, 0.0150)], (0.95, 0.75, 0.15)),
        ],
        mass=(0.08, 0.45),
        relief=feel(rng, ["rings"], pitch=(0.002, 0.003)),
    )
