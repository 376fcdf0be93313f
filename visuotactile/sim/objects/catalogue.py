"""Catalogue of all objects by name."""

from __future__ import annotations

import difflib
import zlib
from functools import cache

import numpy as np

from visuotactile.errors import DataError
from visuotactile.sim.objects.families import EASY, HARD, TRAINING
from visuotactile.sim.objects.grasp_object import GraspObject, assemble

SETS = {
    "train": tuple(
        f"{family}-{n:02d}" for family, (count, _) in TRAINING.items() for n in range(1, count + 1)
    ),
    "easy": tuple(EASY),
    "hard": tuple(HARD),
}
"""Set → names. The test sets share no family with the training set: easy objects are everyday ones of
regular shape, hard ones irregular, compliant, off-centre or slippery (Calandra et al. 2018, "More than a
feeling")."""

CRITICAL_FORCE = {"train": (2.0, 13.0), "easy": (2.0, 9.0), "hard": (3.0, 13.0)}
"""Set → range in newtons of the critical grip force, below which an object held at its centre of mass slips.
Forces of 4–25 N then give both slips and successes. Objects too light for the range have the highest critical
force that their weight allows, and fail by being missed, turned or pushed away."""

_DESIGNS = {
    **{name: TRAINING[name.rsplit("-", 1)[0]][1] for name in SETS["train"]},
    **EASY,
    **HARD,
}
_SET_OF = {name: which for which, names in SETS.items() for name in names}


@cache
def make_object(name: str) -> GraspObject:
    """The object of this name, the same on every machine.

    Raises:
        DataError: the object is unknown; the message names similar ones.
    """
    if name not in _DESIGNS:
        near = difflib.get_close_matches(str(name), _DESIGNS, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "object_names('train') lists them"
        raise DataError(f"there is no object {name!r} among the {len(_DESIGNS)} of the catalogue; {hint}")
    # Not hash(), which differs between Python processes.
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    which = _SET_OF[name]
    family = name.rsplit("-", 1)[0] if which == "train" else name
    return assemble(name, family, _DESIGNS[name](rng), CRITICAL_FORCE[which], rng)


def object_names(which: str) -> tuple[str, ...]:
    """Names of a set ("train", "easy" or "hard"), or the names in a comma-separated text.

    Raises:
        DataError: a set or object is unknown, or a name occurs twice.
    """
    if which in SETS:
        return SETS[which]
    names = tuple(name.strip() for name in which.split(","))
    for name in names:
        if name not in _DESIGNS:
            near = difflib.get_close_matches(name, [*SETS, *_DESIGNS], n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else "such as mug-03"
            raise DataError(
                f"there is no object and no set {name!r}; expected {', '.join(SETS)}, or names joined by "
                f"commas; {hint}"
            )
    if len(set(names)) < len(names):
        raise DataError(f"the objects {which!r} name one twice; give each once")
    return names
