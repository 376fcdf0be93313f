"""Comparison of embodiments by name and unit, and the hand in an observation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from visuotactile.datasets.embodiment import TOLERANCE, Dimension, Embodiment
from visuotactile.datasets.policy import Observation
from visuotactile.errors import PlanError


def check_embodiment(
    ours: Embodiment, theirs: Embodiment, inputs: Iterable[str], who: str, whose: str, *, within: bool = False
) -> None:
    """Check that a store or a robot has the actions and inputs of a predictor or a policy.

    Args:
        ours: the predictor's or the policy's embodiment.
        theirs: the store's or the robot's.
        inputs: names of the required observations: images STREAM/PHASE, and vectors.
        who: name of the predictor or the policy, for the message, such as "policy 'touch'".
        whose: name of the store or the robot, for the message.
        within: require our bounds to be within theirs.

    Raises:
        PlanError: a dimension or an input is missing, or has another unit; the message names it.
    """
    check_dimensions(ours.action, theirs.action, who, whose, within=within)
    for each in theirs.action:
        if each.name not in {own.name for own in ours.action}:
            raise PlanError(f"{whose} takes {each.name} in an action, which {who} does not know")
    vectors = {vector.name: vector for vector in theirs.vectors}
    for name in inputs:
        if "/" in name:
            stream = theirs.observations.get(name)
            if stream is None:
                known = ", ".join(sorted([*theirs.observations, *vectors]))
                own = name.partition("/")[0]
                raise PlanError(
                    f"{who} looks at {name}, which {whose} does not have; it has {known} (if one of them is "
                    f"the same sensor, give --streams {own}=NAME)"
                )
            if stream.kind != "image":
                raise PlanError(
                    f"{who} looks at {name} as an image; in {whose} it is of kind {stream.kind!r}"
                )
            continue
        found = vectors.get(name)
        if found is None:
            raise PlanError(
                f"{who} needs the vector {name}, which {whose} does not have; it has "
                f"{', '.join(vectors) or 'none'}"
            )
        needed = ours.vector(name)
        if found.names != needed.names:
            raise PlanError(
                f"{who} takes {name} as {', '.join(needed.names)}; {whose} has it as {', '.join(found.names)}"
            )
        check_dimensions(needed.entries, found.entries, who, f"{name} of {whose}")


def check_dimensions(
    ours: Sequence[Dimension], theirs: Sequence[Dimension], who: str, whose: str, *, within: bool = False
) -> None:
    """Check that dimensions exist with the same units.

    Args:
        ours: required dimensions.
        theirs: existing dimensions.
        who, whose: names of either side, for the message, such as "policy 'touch'" and "the robot".
        within: require our bounds to be within theirs.

    Raises:
        PlanError: one of ours is missing, has another unit, or exceeds its bounds.
    """
    known = {each.name: each for each in theirs}
    for each in ours:
        other = known.get(each.name)
        if other is None:
            raise PlanError(f"{who} needs {each.name}, which {whose} lacks; it has {', '.join(known)}")
        if other.unit != each.unit:
            raise PlanError(f"{who} takes {each.name} in {each.unit!r}, {whose} has it in {other.unit!r}")
        if within and (each.low < other.low - TOLERANCE or each.high > other.high + TOLERANCE):
            raise PlanError(
                f"{who} may choose {each.name} from {each.low:.4g} to {each.high:.4g}, {whose} allows "
                f"{other.low:.4g} to {other.high:.4g}"
            )


def hand_entries(embodiment: Embodiment) -> dict[str, tuple[str, int]]:
    """Dimension of the hand → vector that observes it, and index in that vector, matched by name and unit.

    Raises:
        PlanError: a dimension is not observed.
    """
    observed = {
        (entry.name, entry.unit): (vector.name, place)
        for vector in embodiment.vectors
        for place, entry in enumerate(vector.entries)
    }
    for each in embodiment.hand:
        if (each.name, each.unit) not in observed:
            raise PlanError(
                f"{each.name} of the hand is not observed; keeping the hand as it is needs a vector of "
                f"{embodiment.name} with an entry {each.name} in {each.unit!r}"
            )
    return {each.name: observed[each.name, each.unit] for each in embodiment.hand}


def present_hand(embodiment: Embodiment, observation: Observation) -> dict[str, float]:
    """Observed hand, by dimension; raises the errors of `hand_entries`."""
    return {
        name: float(np.asarray(observation[vector])[place])
        for name, (vector, place) in hand_entries(embodiment).items()
    }
