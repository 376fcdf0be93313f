"""Planned tasks: the input, the target and the folds of each."""

from __future__ import annotations

from dataclasses import dataclass

SLIP, GRASPS = "slip", "grasps"
"""Stores."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A planned task on real recordings.

    Attributes:
        store: SLIP or GRASPS.
        target: outcome.
        streams: sensors.
        phase: phase of the input.
        reference: phase that is subtracted.
        split: grouped by object.
        within: column within which a second AUROC is taken, or None.
    """

    store: str
    target: str
    streams: tuple[str, ...]
    phase: str
    reference: str
    split: str
    within: str | None = None


TASKS = {
    "slip": Task(
        store=SLIP,
        target="slip",
        streams=("tactile_left", "tactile_right"),
        phase="during",
        reference="before",
        split="object:5",
        within="session",
    ),
    "first minus bare": Task(
        store=GRASPS,
        target="stable",
        streams=("tactile",),
        phase="during",
        reference="before",
        split="object:8",
    ),
    "last minus bare": Task(
        store=GRASPS,
        target="stable",
        streams=("tactile",),
        phase="lift",
        reference="before",
        split="object:8",
    ),
    "last minus first": Task(
        store=GRASPS,
        target="stable",
        streams=("tactile",),
        phase="lift",
        reference="during",
        split="object:8",
    ),
}
"""Task → what it is. `object:8` leaves out one of eight objects."""
