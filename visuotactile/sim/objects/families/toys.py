"""Toys: many parts, no two sides alike."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.objects.families.craft import (
    ALONG_X,
    BLACK,
    WHITE,
    ball,
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
from visuotactile.sim.objects.meshes import hull
from visuotactile.sim.objects.parts import Mesh, Part


def car(rng: np.random.Generator) -> Design:
    """Its wheels along x, so that it is grasped across; its engine makes one end heavy."""
    w, length = between(rng, 0.014, 0.020), between(rng, 0.032, 0.042)
    r, body = between(rng, 0.008, 0.011), between(rng, 0.008, 0.012)
    color, back = paint(rng), between(rng, 0.0, 0.25) * length
    low = 0.7 * r
    cabin = _trapezoid(0.85 * w, 0.55 * length, 0.35 * length, 0.015)
    wheels = [
        disc(r, 0.004, (sx * (w + 0.001), sy * 0.62 * length, r), BLACK, ALONG_X)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return Design(
        parts=[
            block((w, length / 2, body), (0, -length / 2, low + body), color, density=between(rng, 2.0, 4.0)),
            block((w, length / 2, body), (0, length / 2, low + body), color),
            Part(shape="mesh", mesh=cabin, pos=(0, back, low + 2 * body), color=darker(WHITE, 0.75)),
            *wheels,
        ],
        mass=(0.04, 0.35),
        relief=feel(rng, ["grid", "rings"], chance=0.3),
    )


def _trapezoid(x: float, y: float, top: float, h: float) -> Mesh:
    """A roof: half-widths x and y below, `top` along y above, from 0 to h."""
    return hull(
        np.array([(a * x, b * (y if z == 0 else top), z) for a in (-1, 1) for b in (-1, 1) for z in (0.0, h)])
    )


def pawn(rng: np.random.Generator) -> Design:
    """A chess piece: base, waist, collar, head."""
    base, h = between(rng, 0.019, 0.027), between(rng, 0.045, 0.070)
    waist, head = base * between(rng, 0.42, 0.52), base * between(rng, 0.55, 0.70)
    color = WHITE if rng.random() < 0.5 else paint(rng, (0.0, 0.1), vivid=(0.5, 0.9), light=(0.2, 0.4))
    profile = [(0, base), (0.007, base), (0.007, 0.85 * base), (0.017, 0.62 * base), (h, waist)]
    return Design(
        parts=[
            *stack(profile, color, density=1.5),
            *stack([(h, 0.72 * base), (h + 0.005, 0.72 * base)], color),
            ball(head, (0, 0, h + 0.004 + 0.85 * head), color),
        ],
        mass=(0.032, 0.3),
        relief=feel(rng, ["rings", "wood"], chance=0.5, around=waist, pitch=(0.001, 0.002)),
    )


def rocket(rng: np.random.Generator) -> Design:
    """A fuselage with four fins and a nose."""
    r, h = between(rng, 0.015, 0.021), between(rng, 0.06, 0.085)
    color, fin = paint(rng), paint(rng)
    shape = np.array(
        [
            (x, y, z)
            for y in (-0.002, 0.002)
            for x, z in ((0, 0.004), (0, 0.034), (0.014, 0.0), (0.014, 0.010))
        ]
    )
    fins = []
    for k in range(4):
        c, s = np.cos(np.pi / 2 * k), np.sin(np.pi / 2 * k)
        turned = (shape + np.array([r - 0.002, 0, 0])) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        fins.append(Part(shape="mesh", mesh=hull(turned), color=fin))
    nose = 1.6 * r
    return Design(
        parts=[
            *stack([(0.004, r), (h, r)], color),
            *stack(
                [(h, r), (h + 0.3 * nose, 0.92 * r), (h + 0.65 * nose, 0.62 * r), (h + nose, 0.12 * r)], fin
            ),
            *fins,
        ],
        mass=(0.032, 0.28),
        relief=feel(rng, ["dots", "rings"], chance=0.5, around=r),
    )


def house(rng: np.random.Generator) -> Design:
    """Walls, a roof, a chimney."""
    x, y, h = between(rng, 0.017, 0.025), between(rng, 0.018, 0.028), between(rng, 0.035, 0.055)
    roof = h * between(rng, 0.35, 0.55)
    gable = np.array([(a * (x + 0.003), b * (y + 0.003), 0.0) for a in (-1, 1) for b in (-1, 1)])
    ridge = np.array([(0, b * (y + 0.003), roof) for b in (-1, 1)])
    wall, tile = paint(rng, vivid=(0.1, 0.5), light=(0.7, 0.95)), paint(rng, (0.95, 1.08))
    return Design(
        parts=[
            block((x, y, h / 2), (0, 0, h / 2), wall),
            Part(shape="mesh", mesh=hull(np.concatenate([gable, ridge])), pos=(0, 0, h), color=tile),
            block((0.004, 0.004, 0.35 * roof), (0.5 * x, 0.4 * y, h + 0.85 * roof), darker(tile)),
            block((0.3 * x, 0.0006, 0.25 * h), (0, -y, 0.25 * h), darker(wall, 0.4)),
        ],
        mass=(0.04, 0.4),
        relief=feel(rng, ["grid", "weave"], chance=0.6),
    )


def robot(rng: np.random.Generator) -> Design:
    """Two legs, a body with arms, a head with an aerial."""
    w, d = between(rng, 0.014, 0.019), between(rng, 0.010, 0.015)
    leg, body, head = between(rng, 0.018, 0.028), between(rng, 0.028, 0.038), between(rng, 0.016, 0.022)
    color, accent = paint(rng, vivid=(0.1, 0.8)), paint(rng)
    top = leg + body
    return Design(
        parts=[
            *(block((0.38 * w, d, leg / 2), (side * 0.55 * w, -0.001, leg / 2), accent) for side in (-1, 1)),
            block((w, d, body / 2), (0, 0, leg + body / 2), color),
            *(
                rod(
                    (side * (w + 0.003), 0, top - 0.006),
                    (side * (w + 0.003), -0.006, leg + 0.004),
                    0.0035,
                    accent,
                )
                for side in (-1, 1)
            ),
            block((0.65 * w, 0.8 * d, head / 2), (0, 0, top + head / 2), color),
            *(ball(0.0025, (side * 0.3 * w, -0.8 * d, top + 0.6 * head), BLACK) for side in (-1, 1)),
            rod((0, 0, top + head), (0, 0, top + head + 0.008), 0.0016, accent),
        ],
        mass=(0.04, 0.35),
        relief=feel(rng, ["grid", "dots"], chance=0.5),
    )


def boat(rng: np.random.Generator) -> Design:
    """A hull with a pointed bow, a cabin, a funnel; along y."""
    w, length, h = between(rng, 0.016, 0.022), between(rng, 0.034, 0.042), between(rng, 0.020, 0.028)
    outline = [(-1, -0.9), (1, -0.9), (1, 0.3), (-1, 0.3), (0, 1.0)]
    points = [(0.72 * w * a, 0.88 * length * b, 0.0) for a, b in outline] + [
        (w * a, length * b, h) for a, b in outline
    ]
    color = paint(rng)
    return Design(
        parts=[
            Part(shape="mesh", mesh=hull(np.array(points)), color=color, density=1.5),
            block((0.65 * w, 0.3 * length, 0.008), (0, -0.3 * length, h + 0.008), WHITE),
            disc(0.3 * w, 0.011, (0, -0.35 * length, h + 0.026), paint(rng)),
            oval((0.002, 0.002, 0.006), (0, 0.5 * length, h + 0.004), BLACK),
        ],
        mass=(0.04, 0.35),
        relief=feel(rng, ["wood", "rings"], chance=0.6),
    )
