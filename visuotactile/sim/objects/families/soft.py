"""Compliant things: sponges, foam, fruit, soft toys."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    BLACK,
    ball,
    between,
    block,
    darker,
    feel,
    foot,
    oval,
    paint,
    stack,
)
from visuotactile.sim.objects.grasp_object import Design

STIFFNESS = (800.0, 8000.0)
"""N/m, from a soft toy to a ripe fruit."""


def yielding(rng: np.random.Generator, low: float = STIFFNESS[0], high: float = STIFFNESS[1]) -> float:
    """A stiffness, drawn evenly in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sponge(rng: np.random.Generator) -> Design:
    """A wet kitchen sponge on end, scourer on one side."""
    x, y, z = between(rng, 0.012, 0.018), between(rng, 0.026, 0.036), between(rng, 0.035, 0.055)
    scourer = 0.004
    return Design(
        parts=[
            block((x, y, z), (0, 0, z), paint(rng, (0.1, 0.17))),
            block(
                (scourer, y, z), (x + scourer, 0, z), paint(rng, (0.28, 0.4), light=(0.3, 0.5)), density=2.0
            ),
        ],
        mass=(0.028, 0.24),
        stiffness=yielding(rng, 800, 2000),
        relief=feel(rng, ["grain"], pitch=(0.0015, 0.004)),
    )


def foam_ball(rng: np.random.Generator) -> Design:
    """A play ball with a seam."""
    r = between(rng, 0.024, 0.034)
    color = paint(rng)
    return Design(
        parts=[ball(r, (0, 0, r), color), foot(0, 0.5 * r, darker(color))],
        mass=(0.02, 0.22),
        stiffness=yielding(rng, 800, 4000),
        relief=feel(rng, ["grain", "dots"], chance=0.6, around=r),
    )


def plush(rng: np.random.Generator) -> Design:
    """A sitting soft animal: belly, head, ears, paws."""
    r = between(rng, 0.021, 0.026)
    head, ear = r * between(rng, 0.72, 0.85), r * between(rng, 0.25, 0.42)
    tall = between(rng, 0.8, 2.0)
    fur = paint(rng, vivid=(0.25, 0.7), light=(0.5, 0.9))
    neck, inner = 1.9 * r, darker(fur, 0.75)
    return Design(
        parts=[
            oval((r, 0.9 * r, 1.1 * r), (0, 0, 1.1 * r), fur, density=1.5),
            ball(head, (0, 0, neck + 0.75 * head), fur),
            *(
                oval((0.75 * ear, 0.5 * ear, ear * tall), (s * 0.7 * head, 0, neck + 1.5 * head), inner)
                for s in (-1, 1)
            ),
            *(
                oval((0.4 * r, 0.62 * r, 0.36 * r), (s * 0.55 * r, -0.75 * r, 0.36 * r), inner)
                for s in (-1, 1)
            ),
            oval((0.4 * head, 0.3 * head, 0.3 * head), (0, -0.85 * head, neck + 0.6 * head), inner),
            *(ball(0.0022, (s * 0.38 * head, -0.87 * head, neck + head), BLACK) for s in (-1, 1)),
            foot(0, 0.6 * r, fur),
        ],
        mass=(0.024, 0.22),
        stiffness=yielding(rng, 800, 2000),
        relief=feel(rng, ["grain", "weave"], chance=0.8),
    )


def tomato(rng: np.random.Generator) -> Design:
    """Ripe or not, with its green star."""
    r = between(rng, 0.024, 0.033)
    h = r * between(rng, 0.78, 0.92)
    skin = paint(rng, (0.98, 1.09), vivid=(0.75, 0.95), light=(0.7, 0.95))
    green = (0.25, 0.45, 0.15)
    leaves = [
        block(
            (0.35 * r, 0.0018, 0.0008),
            (0.25 * r * c, 0.25 * r * s, 2 * h - 0.0012),
            green,
            quat=(q, 0.0, 0.0, p),
        )
        for c, s, q, p in ((1, 0, 1.0, 0.0), (-0.5, 0.87, 0.5, 0.87), (-0.5, -0.87, -0.5, 0.87))
    ]
    return Design(
        parts=[oval((r, r, h), (0, 0, h), skin), *leaves, foot(0, 0.5 * r, skin)],
        mass=(0.032, 0.28),
        stiffness=yielding(rng, 2000, 8000),
    )


def beanbag(rng: np.random.Generator) -> Design:
    """A juggler's bag, plump, on its filling."""
    x, z = between(rng, 0.022, 0.028), between(rng, 0.017, 0.022)
    color = paint(rng)
    return Design(
        parts=[
            oval((1.15 * x, 1.15 * x, z), (0, 0, z), color),
            *stack([(0.0, 0.75 * x), (0.004, 0.85 * x), (0.6 * z, 1.05 * x)], darker(color, 0.8)),
        ],
        mass=(0.032, 0.25),
        stiffness=yielding(rng, 1000, 3000),
        relief=feel(rng, ["weave"], pitch=(0.001, 0.002)),
    )
