"""Table II: policies in closed loop on objects that no predictor has seen, and the least force that holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rows import Choice, Row, differences, every, over_networks, over_objects, together, trained

import visuotactile.sim  # noqa: F401  registers the environment
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.closed_loop import play
from visuotactile.grasp.policy_spec import ObjectiveName, PolicySpec
from visuotactile.grasp.records import Record
from visuotactile.probes.metrics import Estimate
from visuotactile.sim.objects import object_names

ENV = "visuotactile/Grasp-v0"
SETS = ("easy", "hard")
OURS, SIGHT, CYLINDER = "tactile + vision", "vision", "cylinder fitting"
FROZEN = "tactile + vision, frozen touch"
"""Touch through an encoder that was pretrained without outcomes, by MoCo."""

SEEING = (OURS, FROZEN, SIGHT)
"""What is also played for the least force."""
PAPER = {OURS: (94.0, 73.6), SIGHT: (63.2, 50.0), CYLINDER: (75.9, 66.8)}
"""Success, %, on the paper's easy and hard set: 11 real objects each, 10 to 100 trials of each object."""

PAPER_FORCE = {OURS: (20, 10), SIGHT: (18, 6)}
"""Mean force in newtons of successful grasps of one real tea cup (its VI-D), for the likeliest success and
for the least force: 100 and 50 trials each."""

Episodes = Mapping[str, Mapping[str, Row]]
"""Set → policy → network → episodes."""


def least_force(name: str) -> str:
    """The row of the same predictor whose planner looks for the least force."""
    return f"{name}, least force"


def specifications(predictors: Mapping[str, Sequence[Path]]) -> dict[str, list[PolicySpec]]:
    """Every policy of the table with each of its networks; the paper's search by sampling.

    Args:
        predictors: row → its networks' folders.
    """
    planners = {name: [_planner(folder) for folder in folders] for name, folders in predictors.items()}
    least = {
        least_force(name): [_planner(folder, "least_force") for folder in predictors[name]] for name in SEEING
    }
    others = {
        CYLINDER: [PolicySpec(kind="cylinder", force=10.0)],
        "random": [PolicySpec(kind="random")],
        "first grasp": [PolicySpec(kind="first")],
    }
    return {**planners, **least, **others}


def _planner(folder: Path, objective: ObjectiveName = "success") -> PolicySpec:
    return PolicySpec(kind="planner", predictor=str(folder), search="random", objective=objective)


def play_sets(
    policies: Mapping[str, Sequence[PolicySpec]],
    trials: int,
    env_options: Mapping[str, Any],
    folder: Path,
    workers: int,
    seed: int = 0,
) -> dict[str, dict[str, list[list[Record]]]]:
    """Play every policy on both sets; each network's episodes are kept in a folder of their own."""
    return {
        which: {
            name: [
                play(
                    ENV,
                    {name: policy},
                    object_names(which),
                    trials,
                    seed=seed,
                    workers=workers,
                    env_options={"objects": which, **env_options},
                    out=folder / which / f"{name.replace(' ', '-').replace(',', '')}-{number}",
                )
                for number, policy in enumerate(networks)
            ]
            for name, networks in policies.items()
        }
        for which in SETS
    }


def both_sets(episodes: Episodes) -> dict[str, list[list[Record]]]:
    """Policy → network → its episodes on the easy and the hard set."""
    return {
        name: [[*easy, *hard] for easy, hard in zip(row, episodes[SETS[1]][name], strict=True)]
        for name, row in episodes[SETS[0]].items()
    }


def write_table2(folder: Path, episodes: Episodes) -> dict[str, Any]:
    """Write table2.md and table2.json into `folder`."""
    both = both_sets(episodes)
    sets: Episodes = {**episodes, "both": both}
    content: dict[str, Any] = {
        "trials of each object": len(both[CYLINDER][0])
        // len({record.object for record in both[CYLINDER][0]}),
        "sets": {
            which: {name: _figures(row) for name, row in policies.items()} for which, policies in sets.items()
        },
        **{
            f"{ours} minus the row, success": {
                which: {name: plain(gain) for name, gain in differences(policies, ours).items()}
                for which, policies in sets.items()
            }
            for ours in (OURS, FROZEN)
        },
        "objects": {
            name: {thing: _by_object(row, thing) for thing in sorted({r.object for r in row[0]})}
            for name, row in both.items()
        },
        "least force": _least_force(both),
        **provenance(),
    }
    write_json(folder / "table2.json", content)
    write_text(folder / "table2.md", "\n".join(_lines(content)))
    return content


def _least_force(rows: Mapping[str, Row]) -> dict[str, Any]:
    """Ratio of mean forces and difference of success, the least force against the likeliest success."""
    gains, ratios, kept = {}, {}, {}
    for name in SEEING:
        least, likely = rows[least_force(name)], rows[name]
        gains[name] = over_objects(least) - over_objects(likely)
        ratios[name] = _ratio(least, likely, every)
        kept[name] = _ratio(least, likely, lambda record: record.success)
    measures = {
        "force ratio, all lifts": ratios,
        "force ratio, successful lifts": kept,
        "success difference": gains,
    }
    found = {measure: over_networks(own) for measure, own in measures.items()}
    return {name: {measure: plain(own[name]) for measure, own in found.items()} for name in SEEING}


def _ratio(least: Row, likely: Row, where: Choice) -> Estimate:
    small, large = (over_objects(row, lambda record: record.force, where) for row in (least, likely))
    return Estimate(small.per_seed / large.per_seed, small.resampled / large.resampled)


def _figures(row: Row) -> dict[str, Any]:
    held = over_objects(row)
    return {
        "success": plain(held),
        "networks": len(row) if trained(row) else 0,
        "success of each network": held.per_seed.tolist(),
        "regrasps": plain(over_objects(row, lambda r: r.regrasps)),
        "force": plain(over_objects(row, lambda r: r.force)),
        "force of successes": plain(over_objects(row, lambda r: r.force, lambda r: r.success)),
        "lifts it wanted": plain(over_objects(row, lambda r: float(r.wanted))),
        "claimed": float(np.mean([r.claimed for r in together(row)])) if trained(row) else None,
    }


def _by_object(row: Row, thing: str) -> list[int]:
    own = [record.success for record in together(row) if record.object == thing]
    return [sum(own), len(own)]


def plain(value: Estimate) -> dict[str, float]:
    """The value and its 95% interval."""
    low, high = value.interval()
    return {"value": value.value, "low": low, "high": high}


def _lines(content: Mapping[str, Any]) -> list[str]:
    sets, trials = content["sets"], content["trials of each object"]
    several = ""
    if any(row["networks"] > 1 for row in sets["both"].values()):
        several = (
            " The success of each network is on both sets. The interval of a difference also holds what "
            "other networks would change; their spread is pooled over all rows."
        )
    lines = [
        "# Table II, in simulation",
        "",
        f"Success in closed loop, %: {trials} simulated episodes of each of 11 easy and 11 hard objects, "
        "none of which any predictor was trained on. The same first grasps for every policy and network. "
        f"95% interval over objects.{several}",
        "",
        "| | easy | hard | both | each network | regrasps | force, N | claimed, % | paper: easy | hard |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sets["both"]:
        cells = [percent(sets[which][name]["success"]) for which in (*SETS, "both")]
        row = sets["both"][name]
        claimed = "" if row["claimed"] is None else f"{100 * row['claimed']:.0f}"
        theirs = [f"{value:.1f}" for value in PAPER.get(name, ())] or ["", ""]
        each = row["success of each network"] if row["networks"] > 1 else []
        numbers = [
            ", ".join(f"{100 * value:.1f}" for value in each),
            f"{row['regrasps']['value']:.2f}",
            f"{row['force']['value']:.1f}",
            claimed,
        ]
        lines.append(f"| {' | '.join([name, *cells, *numbers, *theirs])} |")
    for ours in (OURS, FROZEN):
        lines += ["", f"## {ours} minus the row, percentage points (paired)", "", "| | easy | hard | both |"]
        lines.append("|---|---|---|---|")
        gains = content[f"{ours} minus the row, success"]
        for name in gains["both"]:
            cells = [percent(gains[which][name], "+") for which in (*SETS, "both")]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "## Least force against the likeliest success",
        "",
        "| | mean force of successes, N: likeliest → least | ratio | success: points | paper, N |",
        "|---|---|---|---|---|",
    ]
    for name, found in content["least force"].items():
        forces = [sets["both"][row]["force of successes"]["value"] for row in (name, least_force(name))]
        ratio = found["force ratio, successful lifts"]
        newtons = " → ".join(map(str, PAPER_FORCE.get(name, ())))
        lines.append(
            f"| {name} | {forces[0]:.1f} → {forces[1]:.1f} | {ratio['value']:.2f} [{ratio['low']:.2f}, "
            f"{ratio['high']:.2f}] | {percent(found['success difference'], '+')} | {newtons} |"
        )
    policies = list(content["objects"])
    lines += ["", "## Each object: successes of episodes", "", f"| | {' | '.join(policies)} |"]
    lines.append(f"|---|{'---|' * len(policies)}")
    for which in SETS:
        for thing in object_names(which):
            cells = ["/".join(map(str, content["objects"][name][thing])) for name in policies]
            lines.append(f"| {which}: {thing} | {' | '.join(cells)} |")
    return [*lines, ""]


def percent(value: Mapping[str, float], sign: str = "") -> str:
    """A share and its interval in percent, as tables have it."""
    middle, low, high = (100 * value[key] for key in ("value", "low", "high"))
    return f"{middle:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
