"""Boxes, cans, prisms, wedges, and what is put together from blocks."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    ALONG_Y,
    STEEL,
    WOOD,
    between,
    block,
    darker,
    disc,
    feel,
    paint,
    stack,
)
from visuotactile.sim.objects.grasp_object import Design
from visuotactile.sim.objects.meshes import hull, lathe
from visuotactile.sim.objects.parts import Part


def box(rng: np.random.Generator) -> Design:
    """A carton; in some the contents have slid to one side."""
    x, y, z = between(rng, 0.013, 0.030), between(rng, 0.013, 0.030), between(rng, 0.025, 0.070)
    color, heavy = paint(rng), between(rng, 1.0, 4.0)
    return Design(
        parts=[
            block((x / 2, y, z), (-x / 2, 0, z), color),
            block((x / 2, y, z), (x / 2, 0, z), color, density=heavy),
        ],
        mass=(0.04, 0.45),
        relief=feel(rng, ["rings", "flutes", "grid", "wood", "weave"], chance=0.5),
    )


def can(rng: np.random.Generator) -> Design:
    """A tin: a coloured label between two rims of bare metal."""
    r, h = between(rng, 0.017, 0.036), between(rng, 0.045, 0.130)
    rim, metal = between(rng, 0.003, 0.007), (0.70, 0.71, 0.72)
    return Design(
        parts=[
            *stack([(0, r), (rim, r)], metal),
            *stack([(rim, r - 0.0006), (h - rim, r - 0.0006)], paint(rng)),
            *stack([(h - rim, r), (h, r)], metal),
        ],
        mass=(0.06, 0.48),
        relief=feel(rng, ["rings", "flutes", "dots"], chance=0.5, around=r),
    )


def prism(rng: np.random.Generator) -> Design:
    """A column of five to eight sides, some leaner at the top."""
    sides, r, h = int(rng.integers(5, 9)), between(rng, 0.017, 0.034), between(rng, 0.05, 0.13)
    top = r * between(rng, 0.75, 1.0)
    return Design(
        parts=stack([(0, r), (h, top)], paint(rng), sides=sides),
        mass=(0.04, 0.45),
        relief=feel(rng, ["rings", "grain", "wood"], chance=0.5, around=r),
    )


def wedge(rng: np.random.Generator) -> Design:
    """A doorstop on end: one face leans."""
    x, y, z = between(rng, 0.016, 0.026), between(rng, 0.014, 0.030), between(rng, 0.06, 0.11)
    top = x - z * np.tan(between(rng, 0.08, 0.2))
    corners = [(-x, 0), (x, 0), (max(top, -x + 0.006), z), (-x, z)]
    points = np.array([(a, b, c) for a, c in corners for b in (-y, y)])
    return Design(
        parts=[Part(shape="mesh", mesh=hull(points), color=paint(rng))],
        mass=(0.032, 0.35),
        relief=feel(rng, ["rings", "wood", "grid"], chance=0.6),
    )


def book(rng: np.random.Generator) -> Design:
    """A small book on its edge: covers, pages between them, a spine."""
    x, y, z = between(rng, 0.009, 0.018), between(rng, 0.028, 0.040), between(rng, 0.045, 0.065)
    cover, board = paint(rng, vivid=(0.5, 0.8), light=(0.3, 0.7)), 0.0015
    return Design(
        parts=[
            block((board, y, z), (-x, 0, z), cover),
            block((board, y, z), (x, 0, z), cover),
            block((x, board, z), (0, -y + board, z), cover),
            block((x - board, y - 0.003, z - 0.002), (0, 0.0015, z), (0.94, 0.91, 0.82)),
        ],
        mass=(0.048, 0.4),
        relief=feel(rng, ["weave", "grain"], chance=0.7),
    )


def bracket(rng: np.random.Generator) -> Design:
    """An L of two bars."""
    t, y = between(rng, 0.007, 0.012), between(rng, 0.012, 0.022)
    foot, z = between(rng, 0.025, 0.036), between(rng, 0.03, 0.055)
    color = paint(rng, vivid=(0.1, 0.6))
    return Design(
        parts=[
            block((foot, y, t), (0, 0, t), color),
            block((t, y, z - t), (-foot + t, 0, z + t), color),
        ],
        mass=(0.04, 0.4),
        relief=feel(rng, ["grid", "grain", "rings"], chance=0.4),
    )


def tee(rng: np.random.Generator) -> Design:
    """A T that stands on its bar."""
    t, y = between(rng, 0.008, 0.013), between(rng, 0.014, 0.024)
    foot, z = between(rng, 0.028, 0.036), between(rng, 0.025, 0.050)
    color = paint(rng)
    return Design(
        parts=[
            block((foot, y, t), (0, 0, t), color),
            block((t, y * 0.8, z), (0, 0, 2 * t + z), darker(color, 0.8)),
        ],
        mass=(0.04, 0.4),
        relief=feel(rng, ["rings", "wood", "weave"], chance=0.5),
    )


def spool(rng: np.random.Generator) -> Design:
    """Thread between two wooden flanges."""
    r, core = between(rng, 0.022, 0.034), between(rng, 0.65, 0.8)
    flange, h = between(rng, 0.004, 0.008), between(rng, 0.045, 0.075)
    return Design(
        parts=[
            *stack([(0, r), (flange, r)], WOOD),
            *stack([(flange, r * core), (h - flange, r * core)], paint(rng)),
            *stack([(h - flange, r), (h, r)], WOOD),
        ],
        mass=(0.032, 0.3),
        relief=feel(rng, ["rings", "thread"], around=r * core, pitch=(0.0008, 0.0016)),
    )


def dumbbell(rng: np.random.Generator) -> Design:
    """A bar, thin enough to be grasped, between two six-sided weights; lying, and heavier at one end."""
    r, bar, grip = between(rng, 0.018, 0.024), between(rng, 0.007, 0.010), between(rng, 0.018, 0.026)
    color, near = paint(rng, light=(0.3, 0.7)), between(rng, 0.006, 0.010)
    far = near * between(rng, 1.0, 1.7)
    parts = [disc(bar, grip, (0, 0, 0), STEEL, ALONG_Y)]
    for half, y in ((near, -grip - near), (far, grip + far)):
        weight = lathe([(-half, r), (half, r)], 6)
        parts.append(Part(shape="mesh", mesh=weight, pos=(0, y, 0), quat=ALONG_Y, color=color))
    return Design(
        parts=parts,
        mass=(0.1, 0.5),
        relief=feel(rng, ["grain", "grid"], chance=0.7, pitch=(0.0009, 0.0016)),
    )
