"""The "hard" unseen objects: small, irregular, compliant, off-centre, slippery."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from visuotactile.sim.objects.families.craft import (
    ALONG_X,
    BLACK,
    STEEL,
    WHITE,
    about,
    ball,
    block,
    darker,
    disc,
    feel,
    foot,
    oval,
    rod,
    stack,
)
from visuotactile.sim.objects.families.vessels import handle
from visuotactile.sim.objects.grasp_object import Design
from visuotactile.sim.objects.meshes import hull, lathe
from visuotactile.sim.objects.parts import Part


def padlock(rng: np.random.Generator) -> Design:
    """Small and heavy: a brass body, a smooth shackle on top."""
    brass = (0.78, 0.62, 0.25)
    shackle = [
        (-0.011, 0.030),
        (-0.011, 0.044),
        (-0.0055, 0.0515),
        (0.0055, 0.0515),
        (0.011, 0.044),
        (0.011, 0.030),
    ]
    return Design(
        parts=[
            block((0.019, 0.009, 0.017), (0, 0, 0.017), brass, density=1.0),
            *(rod((a[0], 0, a[1]), (b[0], 0, b[1]), 0.0032, STEEL) for a, b in pairwise(shackle)),
            disc(0.004, 0.0004, (0, -0.009, 0.013), BLACK, about((1, 0, 0), 90)),
        ],
        mass=(0.1, 0.45),
    )


def rubber_duck(rng: np.random.Generator) -> Design:
    """Soft, and no side like another."""
    yellow, orange = (0.97, 0.82, 0.15), (0.95, 0.45, 0.10)
    return Design(
        parts=[
            oval((0.024, 0.034, 0.021), (0, 0, 0.021), yellow),
            oval((0.012, 0.016, 0.010), (0, 0.029, 0.032), yellow, quat=about((1, 0, 0), 35)),
            ball(0.0185, (0, -0.014, 0.050), yellow),
            oval((0.009, 0.010, 0.0035), (0, -0.035, 0.047), orange),
            *(ball(0.0025, (s * 0.009, -0.029, 0.057), BLACK) for s in (-1, 1)),
            *(oval((0.005, 0.018, 0.012), (s * 0.022, 0.006, 0.024), darker(yellow, 0.9)) for s in (-1, 1)),
            foot(0, 0.013, yellow),
        ],
        mass=(0.032, 0.2),
        stiffness=1500.0,
    )


def plush_bear(rng: np.random.Generator) -> Design:
    """The softest; arms and legs in the fingers' way."""
    fur, pale = (0.55, 0.36, 0.20), (0.78, 0.62, 0.42)
    return Design(
        parts=[
            oval((0.025, 0.021, 0.029), (0, 0, 0.029), fur, density=1.5),
            ball(0.0195, (0, -0.001, 0.070), fur),
            *(ball(0.0075, (s * 0.015, 0, 0.087), fur) for s in (-1, 1)),
            oval((0.008, 0.006, 0.006), (0, -0.019, 0.066), pale),
            *(ball(0.0022, (s * 0.007, -0.018, 0.075), BLACK) for s in (-1, 1)),
            *(rod((s * 0.021, -0.003, 0.047), (s * 0.033, -0.014, 0.032), 0.0075, fur) for s in (-1, 1)),
            *(rod((s * 0.013, -0.012, 0.010), (s * 0.018, -0.036, 0.010), 0.0098, fur) for s in (-1, 1)),
            *(ball(0.0085, (s * 0.0185, -0.040, 0.0102), pale) for s in (-1, 1)),
            foot(0, 0.016, fur),
        ],
        mass=(0.032, 0.22),
        stiffness=900.0,
        relief=feel(rng, ["grain"], pitch=(0.0015, 0.002)),
    )


def pine_cone(rng: np.random.Generator) -> Design:
    """Rows of scales that stand off: contact is at their tips."""
    brown = (0.42, 0.28, 0.16)
    parts = [*stack([(0, 0.013), (0.016, 0.020), (0.040, 0.016), (0.064, 0.004)], darker(brown, 0.7))]
    for row, (z, r) in enumerate(((0.010, 0.019), (0.023, 0.0205), (0.036, 0.018), (0.049, 0.0125))):
        for k in range(5):
            angle = 2 * np.pi * (k + 0.5 * (row % 2)) / 5
            scale = oval(
                (0.0065, 0.0095, 0.0032),
                (float(r * np.cos(angle)), float(r * np.sin(angle)), z),
                brown,
                quat=about((0, 0, 1), np.rad2deg(angle)),
            )
            parts.append(scale)
    return Design(parts=parts, mass=(0.032, 0.2))


def light_bulb(rng: np.random.Generator) -> Design:
    """Slippery glass on a narrow screw cap."""
    glass = (0.95, 0.93, 0.82)
    return Design(
        parts=[
            *stack([(0, 0.0090), (0.004, 0.0125), (0.024, 0.0130)], STEEL, density=3.0),
            *stack([(0.024, 0.0145), (0.0560, 0.0265)], glass),
            ball(0.0300, (0, 0, 0.0700), glass),
        ],
        mass=(0.032, 0.2),
        relief=None,
    )


def sea_shell(rng: np.random.Generator) -> Design:
    """A snail's house: whorls that shrink upward and aside."""
    color = (0.93, 0.80, 0.68)
    whorls = [
        oval(
            (r, 0.9 * r, 0.72 * r),
            (x, y, z),
            color if k % 2 else darker(color, 0.85),
            quat=about((0, 1, 0), -14),
        )
        for k, (r, x, y, z) in enumerate(
            (
                (0.027, 0.000, 0.000, 0.0200),
                (0.020, 0.005, 0.004, 0.0360),
                (0.014, 0.009, 0.006, 0.0480),
                (0.009, 0.012, 0.007, 0.0570),
                (0.005, 0.014, 0.008, 0.0640),
            )
        )
    ]
    lip = oval((0.010, 0.016, 0.016), (-0.021, -0.008, 0.0170), (0.96, 0.68, 0.60), quat=about((0, 1, 0), 25))
    return Design(
        parts=[*whorls, lip, foot(-0.0003, 0.017, darker(color, 0.85))],
        mass=(0.032, 0.2),
        relief=feel(rng, ["rings"], around=0.025, pitch=(0.0020, 0.0030)),
    )


def tape_measure(rng: np.random.Generator) -> Design:
    """A case round on one side and square on the other, its spring off-centre, its hook out."""
    case = (0.95, 0.75, 0.10)
    spring = Part(
        shape="cylinder", size=(0.020, 0.0125), pos=(0, 0.014, 0.032), quat=ALONG_X, color=case, density=6.0
    )
    return Design(
        parts=[
            disc(0.029, 0.0140, (0, 0.006, 0.031), case, ALONG_X),
            block((0.0140, 0.0175, 0.0155), (0, -0.0175, 0.0155), case),
            block((0.0140, 0.0150, 0.0060), (0, 0.015, 0.0060), case),
            spring,
            *(disc(0.020, 0.0007, (s * 0.0142, 0.006, 0.033), BLACK, ALONG_X) for s in (-1, 1)),
            block((0.0090, 0.0025, 0.0012), (0, -0.0365, 0.0050), STEEL),
            block((0.0090, 0.0008, 0.0040), (0, -0.0390, 0.0040), STEEL),
        ],
        mass=(0.1, 0.45),
        relief=feel(rng, ["grid"], pitch=(0.0015, 0.0022)),
    )


def milk_jug(rng: np.random.Generator) -> Design:
    """A heavy handle on one side, a spout on the other, half full: it turns in the hand."""
    color = (0.90, 0.90, 0.95)
    spout = np.array(
        [(0, -0.010, 0.088), (0, 0.010, 0.088), (0, -0.010, 0.070), (0, 0.010, 0.070), (-0.026, 0, 0.089)]
    )
    return Design(
        parts=[
            *stack([(0, 0.025), (0.034, 0.029)], color, density=3.5),
            *stack([(0.034, 0.029), (0.052, 0.0265), (0.070, 0.020)], color),
            *stack([(0.070, 0.020), (0.088, 0.023)], color),
            Part(shape="mesh", mesh=hull(spout - [0.012, 0, 0]), color=color),
            *(
                replace(part, density=3.0)
                for part in handle(0.023, 0.024, 0.080, 0.020, 0.0045, (0.25, 0.40, 0.70))
            ),
            disc(0.020, 0.0004, (0, 0, 0.088), (0.55, 0.55, 0.58)),
        ],
        mass=(0.08, 0.4),
    )


def soap_bar(rng: np.random.Generator) -> Design:
    """Wet: low friction on curved flanks."""
    bar = [(0, 0.016), (0.006, 0.0215), (0.017, 0.0250), (0.028, 0.0215), (0.034, 0.016)]
    pink = (0.95, 0.70, 0.74)
    return Design(
        parts=[
            Part(shape="mesh", mesh=lathe(bar, 40, squash=1.45), color=pink),
            oval((0.012, 0.018, 0.0006), (0, 0, 0.0338), darker(pink, 0.85)),
        ],
        mass=(0.04, 0.2),
        relief=None,
    )


def toy_dinosaur(rng: np.random.Generator) -> Design:
    """A long neck, a long tail, four legs, plates along the back."""
    green, dark = (0.35, 0.62, 0.30), (0.20, 0.40, 0.20)
    plates = [
        Part(
            shape="mesh",
            mesh=hull(
                np.array(
                    [(x, a, b) for x in (-0.0015, 0.0015) for a, b in ((-0.006, 0), (0.006, 0), (0, 0.010))]
                )
            ),
            pos=(0, y, z),
            color=(0.85, 0.50, 0.20),
        )
        for y, z in ((-0.012, 0.046), (0.0, 0.048), (0.012, 0.046))
    ]
    return Design(
        parts=[
            oval((0.016, 0.025, 0.015), (0, 0, 0.034), green),
            *(
                rod((sx * 0.010, sy * 0.013, 0.0075), (sx * 0.009, sy * 0.012, 0.026), 0.0065, dark)
                for sx in (-1, 1)
                for sy in (-1, 1)
            ),
            *(
                disc(0.0068, 0.003, (sx * 0.010, sy * 0.013, 0.003 - 0.0004), dark)
                for sx in (-1, 1)
                for sy in (-1, 1)
            ),
            rod((0, -0.018, 0.038), (0, -0.032, 0.064), 0.0070, green),
            oval((0.0085, 0.013, 0.0080), (0, -0.037, 0.069), green),
            rod((0, 0.020, 0.035), (0, 0.040, 0.026), 0.0060, green),
            rod((0, 0.040, 0.026), (0, 0.050, 0.028), 0.0035, green),
            *(ball(0.002, (s * 0.0070, -0.040, 0.072), WHITE) for s in (-1, 1)),
            *plates,
        ],
        mass=(0.032, 0.2),
        relief=feel(rng, ["dots"], pitch=(0.0022, 0.0030)),
    )


def bell_pepper(rng: np.random.Generator) -> Design:
    """Four unequal lobes that give, a crooked stalk."""
    red, green = (0.80, 0.12, 0.10), (0.28, 0.48, 0.18)
    lobes = [
        oval((r, r, h), (r * 0.85 * c, r * 0.85 * s, z), red)
        for r, h, z, c, s in (
            (0.0175, 0.033, 0.035, 0.75, 0.66),
            (0.0190, 0.034, 0.034, -0.66, 0.75),
            (0.0165, 0.031, 0.035, -0.75, -0.66),
            (0.0180, 0.032, 0.034, 0.70, -0.71),
        )
    ]
    return Design(
        parts=[
            *lobes,
            disc(0.016, 0.004, (0, 0, 0.0036), red),
            disc(0.009, 0.002, (0, 0, 0.063), green),
            rod((0, 0, 0.063), (0.005, 0.002, 0.078), 0.0035, green),
        ],
        mass=(0.04, 0.2),
        stiffness=3500.0,
    )
