"""Grown or worn things: stones, eggs, fruit, mushrooms. What would roll has a small flat foot."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    about,
    ball,
    between,
    block,
    feel,
    foot,
    oval,
    paint,
    rod,
    stack,
    tapered,
)
from visuotactile.sim.objects.grasp_object import Design
from visuotactile.sim.objects.meshes import stone as stone_mesh
from visuotactile.sim.objects.parts import Part

STALK = (0.36, 0.27, 0.16)


def stone(rng: np.random.Generator) -> Design:
    """A broken stone, lying on a face."""
    half = np.array([between(rng, 0.020, 0.034), between(rng, 0.018, 0.030), between(rng, 0.020, 0.034)])
    mesh = stone_mesh(rng, half, int(rng.integers(22, 46)), between(rng, 0.65, 0.85))
    color = paint(rng, (0.02, 0.14), vivid=(0.03, 0.25), light=(0.35, 0.75))
    return Design(
        parts=[Part(shape="mesh", mesh=mesh, color=color)],
        mass=(0.06, 0.5),
        relief=feel(rng, ["grain"], chance=0.7, pitch=(0.0012, 0.004)),
    )


def egg(rng: np.random.Generator) -> Design:
    """Blunt below, pointed above."""
    r = between(rng, 0.019, 0.026)
    color = paint(rng, (0.05, 0.12), vivid=(0.05, 0.4), light=(0.8, 0.98))
    return Design(
        parts=[
            *tapered(r, r * between(rng, 0.68, 0.78), r * between(rng, 0.55, 0.75), color),
            foot(0, 0.5 * r, color),
        ],
        mass=(0.024, 0.24),
        relief=feel(rng, ["grain"], chance=0.5, pitch=(0.0008, 0.0014)),
    )


def lemon(rng: np.random.Generator) -> Design:
    """Lying, with a nub at either end."""
    r, length = between(rng, 0.021, 0.027), between(rng, 0.028, 0.036)
    color = paint(rng, (0.12, 0.17), vivid=(0.75, 0.95), light=(0.85, 0.98))
    nub = 0.3 * r
    return Design(
        parts=[
            oval((r, length, r), (0, 0, r), color),
            *(ball(nub, (0, side * (length - 0.2 * nub), r), color) for side in (-1, 1)),
            foot(0, 0.4 * r, color),
        ],
        mass=(0.028, 0.25),
        relief=feel(rng, ["dots", "grain"], pitch=(0.0014, 0.0026), around=r),
    )


def pear(rng: np.random.Generator) -> Design:
    """A fat belly, a slim shoulder, a stalk."""
    r = between(rng, 0.024, 0.031)
    top, rise = r * between(rng, 0.5, 0.62), r * between(rng, 1.25, 1.6)
    color = paint(rng, (0.1, 0.3), vivid=(0.6, 0.85))
    lean = between(rng, -0.08, 0.08) * r
    return Design(
        parts=[
            *tapered(r, top, rise, color),
            rod((0, 0, r + rise + 0.8 * top), (lean, 0, r + rise + top + 0.010), 0.0017, STALK),
            foot(0, 0.5 * r, color),
        ],
        mass=(0.04, 0.35),
        relief=feel(rng, ["grain"], chance=0.6, pitch=(0.0012, 0.003)),
    )


def mushroom(rng: np.random.Generator) -> Design:
    """A cap on a stem that widens to its foot."""
    cap, stem, h = between(rng, 0.024, 0.032), between(rng, 0.010, 0.014), between(rng, 0.030, 0.045)
    base = 1.35 * stem
    return Design(
        parts=[
            *stack([(0, base), (h, stem)], (0.92, 0.88, 0.78)),
            oval((cap, cap, 0.5 * cap), (0, 0, h + 0.25 * cap), paint(rng, (0.0, 0.1), vivid=(0.4, 0.9))),
        ],
        mass=(0.024, 0.24),
        relief=feel(rng, ["flutes", "grain"], chance=0.7, around=stem),
    )


def acorn(rng: np.random.Generator) -> Design:
    """A nut that stands on its cup."""
    r, h = between(rng, 0.019, 0.027), between(rng, 0.026, 0.036)
    shell = paint(rng, (0.06, 0.1), vivid=(0.5, 0.8), light=(0.5, 0.75))
    return Design(
        parts=[
            *stack([(0.15 * h, 0.62 * r), (0.5 * h, 0.98 * r), (0.9 * h, 1.12 * r)], STALK),
            oval((r, r, h), (0, 0, h), shell),
            rod((0, 0, 2 * h - 0.001), (0, 0, 2 * h + 0.002), 0.0018, shell),
            foot(0, 0.55 * r, STALK),
        ],
        mass=(0.024, 0.22),
        relief=feel(rng, ["dots", "wood"], chance=0.7, around=r),
    )


def log(rng: np.random.Generator) -> Design:
    """A piece of branch with the stub of a twig."""
    r, h = between(rng, 0.018, 0.028), between(rng, 0.06, 0.11)
    bark = paint(rng, (0.05, 0.1), vivid=(0.3, 0.6), light=(0.3, 0.5))
    z, angle = between(rng, 0.4, 0.7) * h, between(rng, 0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    near, far = (0.5 * r * way).tolist(), ((r + 0.012) * way).tolist()
    return Design(
        parts=[
            *stack([(0, r), (h, r * between(rng, 0.85, 0.97))], bark),
            rod((near[0], near[1], z), (far[0], far[1], z + 0.012), 0.3 * r, bark),
            *stack([(h, 0.8 * r), (h + 0.0004, 0.8 * r)], (0.80, 0.66, 0.45)),
        ],
        mass=(0.04, 0.4),
        relief=feel(rng, ["wood"], pitch=(0.0018, 0.004)),
    )


def carving(rng: np.random.Generator) -> Design:
    """A face cut from a block: brow, nose, chin."""
    x, y, h = between(rng, 0.018, 0.024), between(rng, 0.016, 0.022), between(rng, 0.070, 0.100)
    color = paint(rng, (0.05, 0.1), vivid=(0.3, 0.6), light=(0.45, 0.7))
    return Design(
        parts=[
            block((x, y, h / 2), (0, 0, h / 2), color),
            block((1.1 * x, 0.005, 0.10 * h), (0, -y, 0.78 * h), color),
            block((0.25 * x, 0.007, 0.14 * h), (0, -y, 0.55 * h), color, quat=about((1, 0, 0), 12)),
            oval((0.6 * x, 0.006, 0.05 * h), (0, -y, 0.27 * h), color),
        ],
        mass=(0.048, 0.42),
        relief=feel(rng, ["wood"], pitch=(0.0016, 0.0035)),
    )
