"""The report of a closed loop as JSON, Markdown and HTML: figures over objects, predictions and outcomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import brier_score_loss

from visuotactile.datasets.embodiment import Dimension
from visuotactile.grasp.episodes.films import Film
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.planning.policy_spec import BASELINES, LEAST, PLANNER, SEARCHES
from visuotactile.reports.intervals import (
    DRAWS,
    LEVEL,
    Estimate,
    draw_units,
    format_figure,
    mean_over_units,
    wilson,
)
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.reports.page import environment

Value = Callable[[Record], float]

FORMAT = 2
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Bins of the predictions in a table; the paper's planner lifts above 0.9."""

KEPT = 3
"""First turns of a film that are shown at once; the others unfold."""


class Objects:
    """Objects of some episodes, with their counts in each resample."""

    def __init__(self, names: Sequence[str], seed: int) -> None:
        """
        Args:
            names: names of the objects.
            seed: seed of the resamples.
        """
        self.number = {name: k for k, name in enumerate(names)}
        self.draws = draw_units(np.ones(len(names), bool), seed)

    def mean(self, records: Sequence[Record], value: Value) -> Estimate:
        """Mean of a number over episodes; episodes of one object are resampled together."""
        owners = [self.number[record.object] for record in records]
        return mean_over_units([value(record) for record in records], owners, self.draws)


def measures(outcomes: Sequence[str], hand: Sequence[Dimension]) -> dict[str, tuple[str, Value, bool]]:
    """Name → title, number of an episode, and whether only episodes with the main outcome count.

    Args:
        outcomes: names of the outcomes, the main one first.
        hand: dimensions of the hand.
    """

    def outcome(name: str) -> Value:
        return lambda record: record.outcomes[name]

    def dimension(name: str) -> Value:
        return lambda record: record.action[name]

    found: dict[str, tuple[str, Value, bool]] = {name: (name, outcome(name), False) for name in outcomes}
    found["regrasps"] = ("regrasps", lambda record: float(record.regrasps), False)
    for each in hand:
        unit = each.unit and f", {each.unit}"
        found[each.name] = (f"{each.name} at the lift{unit}", dimension(each.name), False)
        found[f"{each.name}_held"] = (f"of the successes{unit}", dimension(each.name), True)
    return found


def summarise(
    records: Sequence[Record], outcomes: Sequence[str], hand: Sequence[Dimension], seed: int = 0
) -> dict[str, Any]:
    """The tables of a report, as plain JSON values.

    Args:
        records: records of several policies in the same episodes; the others are compared with the first.
        outcomes: names of the outcomes, the main one, success, first.
        hand: dimensions of the hand.
        seed: seed of the intervals.
    """
    names = list(dict.fromkeys(record.object for record in records))
    of = {name: [r for r in records if r.policy == name] for name in dict.fromkeys(r.policy for r in records)}
    objects, measured = Objects(names, seed), measures(outcomes, hand)
    found = {
        name: {
            measure: objects.mean([r for r in own if r.success or not only_successes], value)
            for measure, (_, value, only_successes) in measured.items()
        }
        for name, own in of.items()
    }
    first = next(iter(of))
    return {
        "format": FORMAT,
        "units": {"episodes": len(records), "objects": len(names), "trials": len(of[first]) // len(names)},
        "interval": {"level": LEVEL, "resampled": "objects", "draws": DRAWS},
        "outcomes": list(outcomes),
        "hand": [{"name": each.name, "unit": each.unit} for each in hand],
        "measures": {name: title for name, (title, _, _) in measured.items()},
        "policies": [
            {
                "name": name,
                "episodes": len(own),
                "successes": sum(record.success for record in own),
                "forced": sum(record.forced for record in own),
                **{measure: value.figure() for measure, value in found[name].items()},
                "against_first": None if name == first else _against(found[name], found[first], hand),
            }
            for name, own in of.items()
        ],
        "objects": [
            {
                "name": thing,
                "policies": {
                    name: _of_object([r for r in own if r.object == thing], hand) for name, own in of.items()
                },
            }
            for thing in names
        ],
        "calibration": [
            _calibration(name, outcome, own, objects)
            for name, own in of.items()
            for outcome in outcomes
            if outcome in (own[0].predicted or ())
        ],
    }


def _against(
    ours: Mapping[str, Estimate], first: Mapping[str, Estimate], hand: Sequence[Dimension]
) -> dict[str, Any]:
    differences = {measure: (ours[measure] - first[measure]).figure() for measure in ours}
    ratios = {f"{each.name}_ratio": (ours[each.name] / first[each.name]).figure() for each in hand}
    return {**differences, **ratios}


def _of_object(records: Sequence[Record], hand: Sequence[Dimension]) -> dict[str, Any]:
    return {
        "successes": sum(record.success for record in records),
        "trials": len(records),
        "regrasps": float(np.mean([record.regrasps for record in records])),
        **{each.name: float(np.mean([record.action[each.name] for record in records])) for each in hand},
    }


def _calibration(name: str, outcome: str, records: Sequence[Record], objects: Objects) -> dict[str, Any]:
    """A planner's predictions for its lifts, against the outcomes."""

    def predicted(record: Record) -> float:
        assert record.predicted is not None
        return record.predicted[outcome]

    expected = np.array([predicted(record) for record in records])
    observed = np.array([record.outcomes[outcome] for record in records], np.float64)
    place = np.clip(np.searchsorted(EDGES, expected, side="left") - 1, 0, len(EDGES) - 2)
    bins = []
    for k, (low, high) in enumerate(itertools.pairwise(EDGES)):
        here = place == k
        if here.any():
            bins.append(
                {
                    "above": low,
                    "up_to": high,
                    "episodes": int(here.sum()),
                    "predicted": float(expected[here].mean()),
                    "observed": _share(int(observed[here].sum()), int(here.sum())),
                }
            )
    return {
        "policy": name,
        "outcome": outcome,
        "predicted": float(expected.mean()),
        "observed": float(observed.mean()),
        "too_high": objects.mean(records, lambda r: predicted(r) - r.outcomes[outcome]).figure(),
        "brier": float(brier_score_loss(observed, expected)),
        "bins": bins,
    }


def _share(hits: int, count: int) -> dict[str, float]:
    """A share and its 95% Wilson interval, as if episodes were independent, since counts are too small for a
    bootstrap over objects."""
    low, high = wilson(hits / count, count)
    return {"value": hits / count, "low": low, "high": high}


def policy_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of policies; a hand of several dimensions is in the JSON alone."""
    main, *others = report["outcomes"]
    hand = report["hand"] if len(report["hand"]) == 1 else []
    numbers = [name for each in hand for name in (each["name"], f"{each['name']}_held")]
    head = [
        "Policy",
        f"{main.capitalize()}, %",
        "Minus the first, points",
        *(f"{name.capitalize()}, %" for name in others),
        "Regrasps",
        *(_capital(report["measures"][name]) for name in numbers),
    ]
    rows = []
    for policy in report["policies"]:
        against = policy["against_first"]
        rows.append(
            [
                policy["name"],
                format_figure(policy[main], 0, scale=100),
                "" if against is None else format_figure(against[main], 0, scale=100, signed=True),
                *(format_figure(policy[name], 0, scale=100) for name in others),
                *(format_figure(policy[name], 1) for name in ("regrasps", *numbers)),
            ]
        )
    return head, rows


def described(settings: Mapping[str, Any]) -> str:
    """Description of a policy in a sentence."""
    if settings["kind"] != PLANNER:
        return BASELINES[settings["kind"]].description.format(**settings)
    required = " and ".join(settings.get("required", ())) or "the main outcome"
    objective, above = settings["objective"], settings["above"]
    if objective.startswith(LEAST):
        dimension = objective.removeprefix(LEAST).replace("_", " ")
        aim = f"the least {dimension} with {required} above {above:g}, else the likeliest"
    else:
        aim = f"the likeliest {objective or 'main outcome'}"
        if "required" in settings:
            aim += f" with {required} above {above:g}"
    if "preset" in settings:
        hand = ", ".join(f"{name} {value:g}" for name, value in settings["preset"].items())
        aim += f"; where nothing satisfies that, the likeliest main outcome with the hand at {hand}"
    hashes = [each[:12] for each in settings["hashes"]]
    over = f"predictor {hashes[0]}" if len(hashes) == 1 else f"the mean of predictors {', '.join(hashes)}"
    return f"planner for {aim}; {SEARCHES[settings['search']][1]}; lifts above {above:g}; {over}"


def markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown, without films."""
    played, units = report["played"], report["units"]
    simulated = "simulated " if report["simulated"] else ""
    head, rows = policy_table(report)
    parts = [
        f"# {'Simulated r' if report['simulated'] else 'R'}egrasping in {one_line(played['env'])}",
        f"{units['trials']} {simulated}episodes of each of {units['objects']} objects "
        f"({one_line(played['set'])}): the same object, session and first grasp for every policy. Intervals: "
        f"95%, the objects drawn again {report['interval']['draws']:,} times; differences are paired.",
        table(head, rows),
        *(one_line(each) for each in report["seen"]),
        "\n".join(
            f"- {one_line(name)}: {described(settings)}" for name, settings in played["policies"].items()
        ),
        f"## {_capital(report['outcomes'][0])} for each object",
        table(
            ["object", *(policy["name"] for policy in report["policies"])],
            [
                [each["name"], *(f"{of['successes']}/{of['trials']}" for of in each["policies"].values())]
                for each in report["objects"]
            ],
        ),
    ]
    for each in report["calibration"]:
        bins = [
            [
                f"{one['above']:g} to {one['up_to']:g}",
                str(one["episodes"]),
                f"{100 * one['predicted']:.0f}",
                format_figure(one["observed"], 0, scale=100),
            ]
            for one in each["bins"]
        ]
        parts += [
            f"## Predicted and observed {each['outcome']} at the lift: {one_line(each['policy'])}",
            f"Predicted {100 * each['predicted']:.1f}% on average, observed {100 * each['observed']:.1f}%; "
            f"too high by {format_figure(each['too_high'], 1, scale=100, signed=True)} points; "
            f"Brier score {each['brier']:.3f}.",
            table(["predicted", "episodes", "mean prediction, %", "observed, % (Wilson)"], bins),
        ]
    parts += [
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]) or "None.",
        *made_with(report["provenance"]),
    ]
    return "\n\n".join(parts) + "\n"


def page(report: Mapping[str, Any], films: Sequence[Film], reach: float) -> str:
    """The report as an HTML page. Every value is escaped: an object may be called `<script>`.

    Args:
        report: content of report.json.
        films: films of some episodes.
        reach: grey levels of touch that are full black or white in them.
    """
    head, rows = policy_table(report)
    return (
        environment("visuotactile.grasp.episodes")
        .get_template("regrasp.html")
        .render(
            report=report,
            films=films,
            reach=reach,
            format_figure=format_figure,
            described=described,
            head=head,
            rows=rows,
            kept=KEPT,
        )
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
