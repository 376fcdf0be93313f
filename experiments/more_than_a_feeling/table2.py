"""Table II: policies in closed loop on unseen objects, and grasping with the least force."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import visuotactile.sim  # noqa: F401  registers the environment
from experiments.more_than_a_feeling.rows import (
    Choice,
    Row,
    differences,
    every,
    mean,
    over_networks,
    over_objects,
)
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.episodes.closed_loop import play
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.planning.policy_spec import PolicySpec
from visuotactile.reports.intervals import Estimate, Figure, format_figure
from visuotactile.reports.markdown import table
from visuotactile.sim.objects import object_names

ENV = "visuotactile/Grasp-v0"
SETS = ("easy", "hard")
OURS, SIGHT, CYLINDER = "tactile + vision", "vision", "cylinder fitting"
FROZEN = "tactile + vision, frozen touch"
"""Touch through a frozen encoder, pretrained by MoCo without outcomes."""

SEEING = (OURS, FROZEN, SIGHT)
"""Rows that are also played for the least force."""

ABOVE, SURER = 0.9, 0.95
"""The paper's required probability of success for the least force, and a higher one for its cost in success.

With touch, both are played.
"""

PAPER = {OURS: (94.0, 73.6), SIGHT: (63.2, 50.0), CYLINDER: (75.9, 66.8)}
"""Success, %, on the paper's easy and hard set: 11 real objects each, 10 to 100 trials of each object."""

OTHERS = "both, other networks too"
"""Column of differences whose interval also covers the variation between networks."""

PAPER_FORCE = {OURS: (20, 10), SIGHT: (18, 6)}
"""Mean force [N] of successful grasps of one real tea cup (the paper's VI-D), for the likeliest success and
for the least force: 100 and 50 trials each."""

Episodes = Mapping[str, Mapping[str, Row]]
"""Set → policy → episodes."""


def least_force(name: str, above: float = ABOVE) -> str:
    """Row of the same predictors with the least-force objective."""
    return f"{name}, least force" + (f" above {above:g}" if above != ABOVE else "")


LEAST_FORCE = [(name, ABOVE) for name in SEEING] + [(name, SURER) for name in (OURS, FROZEN)]
"""Rows of the least force, and their required probability of success."""


def specifications(predictors: Mapping[str, Sequence[Path]]) -> dict[str, PolicySpec]:
    """Policies of the table; planners use the paper's random search over the mean of a row's networks.

    Args:
        predictors: row → its networks' folders.
    """
    return {
        **{name: _planner(folders) for name, folders in predictors.items()},
        **{
            least_force(name, above): _planner(predictors[name], "least_force", above)
            for name, above in LEAST_FORCE
        },
        CYLINDER: PolicySpec(kind="cylinder"),
        "random": PolicySpec(kind="random"),
        "first grasp": PolicySpec(kind="first"),
    }


def each_alone(predictors: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, PolicySpec]]:
    """Single-network policies of the rows with several networks: row → name → policy."""
    return {
        row: {f"{row}, network {number}": _planner([folder]) for number, folder in enumerate(folders)}
        for row, folders in predictors.items()
        if len(folders) > 1
    }


def _planner(folders: Sequence[Path], objective: str = "success", above: float = ABOVE) -> PolicySpec:
    return PolicySpec(
        kind="planner",
        predictors=tuple(map(str, folders)),
        search="random",
        objective=objective,
        above=above,
    )


def play_sets(
    policies: Mapping[str, PolicySpec],
    trials: int,
    env_options: Mapping[str, Any],
    folder: Path,
    workers: int,
    seed: int = 0,
) -> dict[str, dict[str, list[Record]]]:
    """Play every policy on both sets; episodes are kept in a folder for each policy."""
    return {
        which: {
            name: play(
                ENV,
                {name: policy},
                object_names(which),
                trials,
                seed=seed,
                workers=workers,
                env_options={"objects": which, **env_options},
                out=folder / which / name.replace(" ", "-").replace(",", ""),
            )
            for name, policy in policies.items()
        }
        for which in SETS
    }


def both_sets(episodes: Episodes) -> dict[str, list[Record]]:
    """Policy → episodes on the easy and the hard set."""
    return {
        name: [record for which in SETS for record in episodes[which][name]] for name in episodes[SETS[0]]
    }


def write_table2(
    folder: Path,
    episodes: Episodes,
    networks: Mapping[str, int],
    alone: Mapping[str, Collection[str]],
) -> dict[str, Any]:
    """Write table2.md and table2.json into `folder`.

    Args:
        folder: folder of the results.
        episodes: episodes of every row and every single-network policy.
        networks: row → number of networks that its policy plans over.
        alone: row → its single-network policies.
    """
    played: Episodes = {**episodes, "both": both_sets(episodes)}
    sets = {which: {name: own[name] for name in networks} for which, own in played.items()}
    each = {
        which: {row: [own[name] for name in names] for row, names in alone.items()}
        for which, own in played.items()
    }
    both = sets["both"]
    gains = {
        ours: {which: differences(policies, ours) for which, policies in sets.items()}
        for ours in (OURS, FROZEN)
    }
    for ours, own in gains.items():
        own[OTHERS] = over_networks(own["both"], ours, networks, each["both"])
    content: dict[str, Any] = {
        "trials of each object": len(both[CYLINDER]) // len({record.object for record in both[CYLINDER]}),
        "sets": {
            which: {name: _figures(row) | {"networks": networks[name]} for name, row in policies.items()}
            for which, policies in sets.items()
        },
        "each network alone": {
            which: {name: [_figures(row) for row in own] for name, own in found.items()}
            for which, found in each.items()
        },
        **{
            f"{ours} minus the row, success": {
                which: {name: gain.figure() for name, gain in own.items()} for which, own in found.items()
            }
            for ours, found in gains.items()
        },
        "objects": {
            name: {thing: _by_object(row, thing) for thing in sorted({r.object for r in row})}
            for name, row in both.items()
        },
        "least force": _least_force(both),
        **provenance(),
    }
    write_json(folder / "table2.json", content)
    write_text(folder / "table2.md", "\n".join(_lines(content)))
    return content


def _least_force(rows: Mapping[str, Row]) -> dict[str, Any]:
    """Ratio of mean forces and difference of success between least force and likeliest success."""
    found = {}
    for name, above in LEAST_FORCE:
        least, likely = rows[least_force(name, above)], rows[name]
        found[least_force(name, above)] = {
            "likeliest": name,
            "force ratio, all lifts": _ratio(least, likely, every).figure(),
            "force ratio, successful lifts": _ratio(least, likely, lambda record: record.success).figure(),
            "success difference": (over_objects(least) - over_objects(likely)).figure(),
        }
    return found


def _ratio(least: Row, likely: Row, where: Choice) -> Estimate:
    small, large = (
        over_objects(row, lambda record: record.action["force"], where) for row in (least, likely)
    )
    return small / large


def _figures(row: Row) -> dict[str, Any]:
    return {
        "success": over_objects(row).figure(),
        "regrasps": over_objects(row, lambda r: r.regrasps).figure(),
        "force": over_objects(row, lambda r: r.action["force"]).figure(),
        "force of successes": over_objects(row, lambda r: r.action["force"], lambda r: r.success).figure(),
        "lifts it wanted": over_objects(row, lambda r: float(not r.forced)).figure(),
        "claimed": None if row[0].predicted is None else mean(row, lambda r: (r.predicted or {})["success"]),
    }


def _by_object(row: Row, thing: str) -> list[int]:
    own = [record.success for record in row if record.object == thing]
    return [sum(own), len(own)]


def _lines(content: Mapping[str, Any]) -> list[str]:
    sets, trials = content["sets"], content["trials of each object"]
    lines = [
        "# Table II, in simulation",
        "",
        f"Success in closed loop, %: {trials} simulated episodes of each of 11 easy and 11 hard objects, "
        "none of which any predictor was trained on. The same first grasps for every policy. "
        "95% interval over objects.",
        "",
    ]
    rows = []
    for name, row in sets["both"].items():
        cells = [percent(sets[which][name]["success"]) for which in (*SETS, "both")]
        theirs = [f"{value:.1f}" for value in PAPER.get(name, ())] or ["", ""]
        numbers = [f"{row[key]['value']:.{digits}f}" for key, digits in (("regrasps", 2), ("force", 1))]
        rows.append([name, str(row["networks"] or ""), *cells, *numbers, _claimed(row), *theirs])
    head = ["", "networks", *SETS, "both", "regrasps", "force, N", "claimed, %", "paper: easy", "hard"]
    lines.append(table(head, rows))
    lines += _lines_of_each(content["each network alone"])
    for ours in (OURS, FROZEN):
        gains = content[f"{ours} minus the row, success"]
        lines += [
            "",
            f"## {ours} minus the row, percentage points (paired)",
            "",
            table(
                ["", *gains],
                [
                    [name, *(percent(own[name], signed=True) for own in gains.values())]
                    for name in gains["both"]
                ],
            ),
        ]
    rows = []
    for name, found in content["least force"].items():
        likeliest = found["likeliest"]
        forces = [sets["both"][row]["force of successes"]["value"] for row in (likeliest, name)]
        paper = PAPER_FORCE.get(likeliest) if name == least_force(likeliest) else None
        rows.append(
            [
                name,
                f"{forces[0]:.1f} → {forces[1]:.1f}",
                format_figure(found["force ratio, successful lifts"], 2),
                percent(found["success difference"], signed=True),
                " → ".join(map(str, paper or ())),
            ]
        )
    head = ["", "mean force of successes, N: likeliest → least", "ratio", "success: points", "paper, N"]
    lines += ["", "## Least force against the likeliest success", "", table(head, rows)]
    policies = list(content["objects"])
    rows = [
        [
            f"{which}: {thing}",
            *("/".join(map(str, content["objects"][name][thing])) for name in policies),
        ]
        for which in SETS
        for thing in object_names(which)
    ]
    lines += ["", "## Each object: successes of episodes", "", table(["", *policies], rows)]
    return [*lines, ""]


def _lines_of_each(alone: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Success of the single networks, on both sets."""
    if not alone["both"]:
        return []
    lines = [
        "",
        "## Each network alone, both sets",
        "",
        "Success, %, and in brackets what it claimed of its own lifts. The planners above plan over all.",
        "",
    ]
    for name, own in alone["both"].items():
        held = [f"{100 * row['success']['value']:.1f} ({_claimed(row)})" for row in own]
        lines.append(f"- {name}: {', '.join(held)}")
    return lines


def _claimed(row: Mapping[str, Any]) -> str:
    return "" if row["claimed"] is None else f"{100 * row['claimed']:.0f}"


def percent(found: Figure, *, signed: bool = False) -> str:
    """A share and its interval in percent."""
    return format_figure(found, 1, scale=100, signed=signed)
