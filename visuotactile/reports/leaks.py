"""Statement on what pretraining saw of the test side. It stands beside the figure that it qualifies."""

from __future__ import annotations


def pretraining_saw(name: str, objects: float | None, trials: bool | None = None) -> str:
    """Sentence on the share of the test objects, and on the test trials, whose images pretraining saw.

    Args:
        name: of the method or encoder.
        objects: share of the test objects; None where it was not recorded.
        trials: whether test trials may be among these images; None where that was not recorded, or where no
            object is on both sides.
    """
    if objects is None:
        return f"{name}: the objects seen in pretraining were not recorded."
    if objects == 0:
        return f"{name}: no test object was seen in pretraining."
    text = f"{name}: images (not labels) of {objects:.0%} of the test objects were seen in pretraining"
    if trials is None:
        return f"{text}."
    return f"{text}, {'possibly including test trials' if trials else 'but no test trial'}."
