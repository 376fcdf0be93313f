"""Tools, standing on their heavier end: what is held by a handle above its centre of mass."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    ALONG_X,
    ALONG_Y,
    BLACK,
    STEEL,
    WOOD,
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
from visuotactile.sim.objects.meshes import hull, lathe
from visuotactile.sim.objects.parts import Part


def hammer(rng: np.random.Generator) -> Design:
    """A steel head, longer on the face's side than on the peen's, and a wooden handle up."""
    w, t = between(rng, 0.010, 0.014), between(rng, 0.010, 0.014)
    face, peen = between(rng, 0.022, 0.034), between(rng, 0.014, 0.024)
    h, grip = between(rng, 0.075, 0.115), between(rng, 0.0075, 0.011)
    blunt, sharp = [(-w, 0), (-w, 2 * t)], [(-w - peen, 0.3 * t), (-w - peen, 0.8 * t)]
    tip = np.array([(x, y, z) for x in (-w, w) for y, z in (*blunt, *sharp)])
    top = 2 * t + h
    shape = [(2 * t, 0.8 * grip), (top - 0.4 * h, grip), (top - 0.006, grip), (top, 0.75 * grip)]
    handle = paint(rng, (0.03, 0.12), vivid=(0.4, 0.7), light=(0.5, 0.85))
    return Design(
        parts=[
            block((w, w + face / 2, t), (0, face / 2, t), STEEL, density=9.0),
            Part(shape="mesh", mesh=hull(tip), color=darker(STEEL, 0.8), density=9.0),
            Part(shape="mesh", mesh=lathe(shape, 32, squash=1.35), color=handle),
        ],
        mass=(0.08, 0.5),
        relief=feel(rng, ["wood", "grain"], chance=0.6),
    )


def screwdriver(rng: np.random.Generator) -> Design:
    """Standing on its fluted grip, the blade up."""
    r, grip = between(rng, 0.013, 0.018), between(rng, 0.06, 0.085)
    shaft, length = between(rng, 0.0028, 0.004), between(rng, 0.05, 0.085)
    color = paint(rng)
    return Design(
        parts=[
            *stack([(0, r), (0.75 * grip, r)], color),
            *stack([(0.75 * grip, r), (grip, 0.6 * r)], BLACK),
            *stack([(grip, shaft), (grip + length, shaft)], STEEL, density=6.0),
            block((0.0008, 1.3 * shaft, 0.005), (0, 0, grip + length), STEEL, density=6.0),
        ],
        mass=(0.032, 0.25),
        relief=feel(rng, ["flutes", "knurl"], around=r, pitch=(0.0018, 0.004)),
    )


def brush(rng: np.random.Generator) -> Design:
    """A paint brush on its bristles: a metal collar above them, then the handle."""
    x, y, h = between(rng, 0.010, 0.015), between(rng, 0.022, 0.036), between(rng, 0.022, 0.034)
    color, grip = paint(rng), between(rng, 0.008, 0.011)
    ridge, stop = 1.06, h + 0.020
    length = between(rng, 0.028, 0.038)
    return Design(
        parts=[
            block((x, y, h / 2), (0, 0, h / 2), (0.86, 0.76, 0.55), density=1.5),
            block((ridge * x, ridge * y, 0.010), (0, 0, h + 0.010), STEEL, density=3.0),
            oval((0.9 * x, 0.85 * y, 0.012), (0, 0, stop), color),
            oval((grip, 1.4 * grip, length), (0, 0, stop + 0.9 * length), color),
        ],
        mass=(0.032, 0.25),
        relief=feel(rng, ["flutes", "wood"], chance=0.8, pitch=(0.0009, 0.0016)),
    )


def clamp(rng: np.random.Generator) -> Design:
    """A C of steel with its screw: open on one side, so that its weight is off-centre."""
    t, y = between(rng, 0.006, 0.009), between(rng, 0.009, 0.014)
    arm, h = between(rng, 0.022, 0.032), between(rng, 0.030, 0.042)
    color = paint(rng, light=(0.35, 0.8))
    return Design(
        parts=[
            block((arm, y, t), (0, 0, t), color),
            block((t, y, h - 2 * t), (-arm + t, 0, h), color),
            block((arm, y, t), (0, 0, 2 * h - t), color),
            disc(0.7 * t, 0.45 * h, (arm - 1.2 * t, 0, 1.85 * h), STEEL),
            rod((arm - 1.2 * t, -0.014, 2.3 * h), (arm - 1.2 * t, 0.014, 2.3 * h), 0.0025, STEEL),
        ],
        mass=(0.072, 0.45),
        relief=feel(rng, ["grain"], chance=0.6, pitch=(0.001, 0.002)),
    )


def tape(rng: np.random.Generator) -> Design:
    """A roll of tape, standing on its side's flat: the roll, its core, its hole."""
    r, h = between(rng, 0.026, 0.036), between(rng, 0.015, 0.024)
    color = paint(rng, (0.05, 0.15), vivid=(0.3, 0.8))
    return Design(
        parts=[
            *stack([(0, r), (2 * h, r)], color),
            disc(0.72 * r, h + 0.0003, (0, 0, h), WOOD),
            disc(0.62 * r, h + 0.0006, (0, 0, h), darker(WOOD, 0.3)),
        ],
        mass=(0.032, 0.3),
        relief=feel(rng, ["rings", "grain"], chance=0.6, around=r, pitch=(0.0008, 0.0015)),
    )


def pulley(rng: np.random.Generator) -> Design:
    """A grooved wheel in a block of two cheeks."""
    r, t = between(rng, 0.018, 0.024), between(rng, 0.004, 0.006)
    gap, color = between(rng, 0.006, 0.010), paint(rng, light=(0.35, 0.8))
    x = gap + t
    return Design(
        parts=[
            block((x + t, 0.8 * r, 0.006), (0, 0, 0.006), color),
            *(block((t, 0.8 * r, 1.2 * r), (side * x, 0, 1.2 * r + 0.012), color) for side in (-1, 1)),
            disc(r, 0.9 * gap, (0, 0, 1.35 * r + 0.012), WOOD, ALONG_X),
            disc(0.005, x + t + 0.002, (0, 0, 1.35 * r + 0.012), STEEL, ALONG_X),
        ],
        mass=(0.048, 0.4),
        relief=feel(rng, ["grain", "wood", "rings"], chance=0.4),
    )


def mallet(rng: np.random.Generator) -> Design:
    """A round head lying on a flat, a handle up."""
    r, half, h = between(rng, 0.016, 0.020), between(rng, 0.030, 0.038), between(rng, 0.07, 0.10)
    grip, color = between(rng, 0.007, 0.010), paint(rng, vivid=(0.2, 0.9))
    return Design(
        parts=[
            disc(r, half, (0, 0, r), color, ALONG_Y),
            block((0.6 * r, 0.9 * half, 0.15 * r), (0, 0, 0.15 * r - 0.0004), darker(color)),
            *stack([(1.6 * r, 0.8 * grip), (1.9 * r + h, 1.15 * grip)], WOOD),
        ],
        mass=(0.072, 0.48),
        relief=feel(rng, ["wood", "grain"], chance=0.6),
    )
