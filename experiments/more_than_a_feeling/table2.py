"""Table II: policies in closed loop on objects that no predictor has seen, and the least force that holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import visuotactile.sim  # noqa: F401  registers the environment
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.closed_loop import play
from visuotactile.grasp.policy_spec import PolicySpec
from visuotactile.grasp.records import Record
from visuotactile.probes.metrics import Estimate, draw_units
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

Episodes = Mapping[str, Mapping[str, Sequence[Record]]]
"""Set → policy → episodes, the policies' in the same order."""

Value = Callable[[Record], float]
Choice = Callable[[Record], bool]


def least_force(name: str) -> str:
    """The row of the same predictor whose planner looks for the least force."""
    return f"{name}, least force"


def success(record: Record) -> float:
    """1 if the object was held to the end, else 0."""
    return float(record.success)


def every(record: Record) -> bool:
    """All of them."""
    return True


def specifications(predictors: Mapping[str, Path]) -> dict[str, PolicySpec]:
    """Every policy of the table, of predictors by the names of their rows; the paper's search by sampling."""
    planners = {
        name: PolicySpec(kind="planner", predictor=str(folder), search="random")
        for name, folder in predictors.items()
    }
    least = {
        least_force(name): PolicySpec(
            kind="planner", predictor=str(predictors[name]), search="random", objective="least_force"
        )
        for name in SEEING
    }
    others = {
        CYLINDER: PolicySpec(kind="cylinder", force=10.0),
        "random": PolicySpec(kind="random"),
        "first grasp": PolicySpec(kind="first"),
    }
    return {**planners, **least, **others}


def play_sets(
    policies: Mapping[str, PolicySpec],
    trials: int,
    env_options: Mapping[str, Any],
    folder: Path,
    workers: int,
    seed: int = 0,
) -> dict[str, dict[str, list[Record]]]:
    """Play every policy on both sets; each policy's episodes are kept in a folder of their own."""
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


def write_table2(folder: Path, episodes: Episodes) -> dict[str, Any]:
    """Write table2.md and table2.json into `folder`."""
    both = {name: [r for which in SETS for r in episodes[which][name]] for name in episodes[SETS[0]]}
    sets = {**episodes, "both": both}
    content: dict[str, Any] = {
        "trials of each object": len(both[OURS]) // len({record.object for record in both[OURS]}),
        "sets": {
            which: {name: _row(records) for name, records in policies.items()}
            for which, policies in sets.items()
        },
        **{
            f"{ours} minus the row, success": {
                which: {
                    name: plain(over_objects(policies[ours], success) - over_objects(records, success))
                    for name, records in policies.items()
                    if name != ours
                }
                for which, policies in sets.items()
            }
            for ours in (OURS, FROZEN)
        },
        "objects": {
            name: {thing: _by_object(records, thing) for thing in sorted({r.object for r in records})}
            for name, records in both.items()
        },
        "least force": {name: _least_force(both[name], both[least_force(name)]) for name in SEEING},
        **provenance(),
    }
    write_json(folder / "table2.json", content)
    write_text(folder / "table2.md", "\n".join(_lines(content)))
    return content


def over_objects(records: Sequence[Record], value: Value, where: Choice = every) -> Estimate:
    """Mean of a number over episodes, with the objects drawn again: alike for policies of the same objects.

    Args:
        records: episodes.
        value: the number.
        where: which episodes count; all by default.
    """
    names = sorted({record.object for record in records})
    total, count = np.zeros(len(names)), np.zeros(len(names))
    for record in records:
        if where(record):
            total[names.index(record.object)] += value(record)
            count[names.index(record.object)] += 1
    draws = draw_units(np.ones(len(names), bool), seed=0)
    return Estimate(np.array([total.sum() / count.sum()]), (draws @ total) / (draws @ count))


def _least_force(likely: Sequence[Record], least: Sequence[Record]) -> dict[str, Any]:
    """Ratio of mean forces and difference of success, the least force against the likeliest success."""

    def ratio(where: Choice) -> dict[str, float]:
        small, large = (over_objects(side, lambda r: r.force, where) for side in (least, likely))
        return plain(Estimate(small.per_seed / large.per_seed, small.resampled / large.resampled))

    return {
        "force ratio, all lifts": ratio(every),
        "force ratio, successful lifts": ratio(lambda record: record.success),
        "success difference": plain(over_objects(least, success) - over_objects(likely, success)),
    }


def _row(records: Sequence[Record]) -> dict[str, Any]:
    return {
        "success": plain(over_objects(records, success)),
        "regrasps": plain(over_objects(records, lambda r: r.regrasps)),
        "force": plain(over_objects(records, lambda r: r.force)),
        "force of successes": plain(over_objects(records, lambda r: r.force, lambda r: r.success)),
        "lifts it wanted": plain(over_objects(records, lambda r: float(r.wanted))),
        "claimed": float(np.mean([r.claimed for r in records])) if records[0].claimed is not None else None,
    }


def _by_object(records: Sequence[Record], thing: str) -> list[int]:
    own = [record.success for record in records if record.object == thing]
    return [sum(own), len(own)]


def plain(value: Estimate) -> dict[str, float]:
    """The value and its 95% interval."""
    low, high = value.interval()
    return {"value": value.value, "low": low, "high": high}


def _lines(content: Mapping[str, Any]) -> list[str]:
    sets, trials = content["sets"], content["trials of each object"]
    lines = [
        "# Table II, in simulation",
        "",
        f"Success in closed loop, %: {trials} simulated episodes of each of 11 easy and 11 hard objects, "
        "none of which any predictor was trained on. The same first grasps for every policy. "
        "95% interval over objects.",
        "",
        "| | easy | hard | both | regrasps | force, N | claimed, % | paper: easy | hard |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sets["both"]:
        cells = [percent(sets[which][name]["success"]) for which in (*SETS, "both")]
        row = sets["both"][name]
        claimed = "" if row["claimed"] is None else f"{100 * row['claimed']:.0f}"
        theirs = [f"{value:.1f}" for value in PAPER.get(name, ())] or ["", ""]
        numbers = [f"{row['regrasps']['value']:.2f}", f"{row['force']['value']:.1f}", claimed]
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
    lines += ["", f"## Each object: successes of {trials}", "", f"| | {' | '.join(policies)} |"]
    lines.append(f"|---|{'---|' * len(policies)}")
    for which in SETS:
        for thing in object_names(which):
            cells = [str(content["objects"][name][thing][0]) for name in policies]
            lines.append(f"| {which}: {thing} | {' | '.join(cells)} |")
    return [*lines, ""]


def percent(value: Mapping[str, float], sign: str = "") -> str:
    """A share and its interval in percent, as tables have it."""
    middle, low, high = (100 * value[key] for key in ("value", "low", "high"))
    return f"{middle:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
