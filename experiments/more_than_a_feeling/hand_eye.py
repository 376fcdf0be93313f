"""What touch is worth as hand and eye are calibrated better or worse: the closed loop at three residuals.

A cylinder is no better than the calibration between the arm and the camera; touch needs none. The predictors
are those of Table II, which have learnt from the middle one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiment import Experiment
from rows import Row, differences, over_objects
from table2 import CYLINDER, FROZEN, OURS, SEEING, SIGHT, both_sets, percent, plain, play_sets, specifications

from visuotactile.files import provenance, write_json, write_text
from visuotactile.sim.session import HAND_EYE

LEVELS = (0.0, HAND_EYE, 2 * HAND_EYE)
"""Standard deviation along x and along y, m."""

POLICIES = (*SEEING, CYLINDER)

Played = Mapping[float, Mapping[str, Row]]
"""Level → policy → episodes of both sets, in the same order."""


def play_levels(experiment: Experiment, predictors: Mapping[str, Sequence[Path]]) -> Played:
    """Play every policy that sees, at every level; those of Table II are played once."""
    preset = experiment.preset
    chosen = specifications(predictors)
    found: dict[float, dict[str, Row]] = {}
    for level in LEVELS:
        table2 = level == HAND_EYE
        folder = "episodes" if table2 else f"episodes-{1000 * level:g}-mm"
        options = {"camera_size": preset.camera_size} | ({} if table2 else {"hand_eye": level})
        policies = {name: chosen[name] for name in POLICIES}
        sets = play_sets(policies, preset.episodes, options, experiment.work / folder, experiment.jobs)
        found[level] = dict(both_sets(sets))
    return found


def write_hand_eye(folder: Path, played: Played) -> dict[str, Any]:
    """Write hand_eye.md and hand_eye.json into `folder`."""
    levels = list(played.values())
    content: dict[str, Any] = {
        "millimetres": [1000 * level for level in played],
        "success": {name: [plain(over_objects(own[name])) for own in levels] for name in POLICIES},
        **{
            f"{ours} minus the row": {
                name: [plain(differences(own, ours)[name]) for own in levels] for name in (SIGHT, CYLINDER)
            }
            for ours in (OURS, FROZEN)
        },
        **provenance(),
    }
    write_json(folder / "hand_eye.json", content)
    write_text(folder / "hand_eye.md", "\n".join(_lines(content)))
    return content


def _lines(content: Mapping[str, Any]) -> list[str]:
    levels = [f"{level:g} mm" for level in content["millimetres"]]
    lines = [
        "# What touch is worth as hand and eye are calibrated better or worse, in simulation",
        "",
        "Success in closed loop on the easy and the hard set, %, where the robot takes the object to stand "
        "elsewhere than it does, by so much along x and along y (standard deviation over sessions). The same "
        f"predictors at every level; they have learnt at {1000 * HAND_EYE:g} mm. 95% interval over objects.",
        "",
        f"| | {' | '.join(levels)} |",
        f"|---|{'---|' * len(levels)}",
    ]
    lines += [f"| {name} | {' | '.join(map(percent, own))} |" for name, own in content["success"].items()]
    for ours in (OURS, FROZEN):
        lines += ["", f"## {ours} minus the row, percentage points (paired)", ""]
        lines += [f"| | {' | '.join(levels)} |", f"|---|{'---|' * len(levels)}"]
        for name, own in content[f"{ours} minus the row"].items():
            lines.append(f"| {name} | {' | '.join(percent(value, '+') for value in own)} |")
    return [*lines, ""]
