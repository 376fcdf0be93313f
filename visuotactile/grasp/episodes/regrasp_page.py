"""The report of a closed loop as Markdown, and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visuotactile.grasp.episodes.film_strip import Film
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.reports.page import environment

HEAD = (
    "Policy",
    "Held, %",
    "Minus the first, points",
    "Regrasps",
    "Force at the lift, N",
    "Of those held, N",
)

KINDS = {
    "random": "one regrasp, any of them with equal chance, then the lift",
    "cylinder": "the centre of a cylinder fitted to the depth image, at {force:.0f} N",
    "first": "the first grasp lifted as it is",
}
OBJECTIVES = {
    "success": "the likeliest success",
    "least_force": "the least force with success above {above:g}, else the likeliest success",
}
SEARCHES = {
    "refine": "random candidates, the best of them refined along the gradient",
    "cem": "the cross-entropy method",
    "random": "random candidates",
}
KEPT = 3
"""Turns at the beginning of a film that are shown at once; of a long one the others unfold."""


def policy_table(report: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Head and rows of the table of policies."""
    rows = []
    for policy in report["policies"]:
        against = policy["against_first"]
        rows.append(
            [
                policy["name"],
                format_figure(policy["success"], 0, scale=100),
                "" if against is None else format_figure(against["success"], 0, scale=100, signed=True),
                format_figure(policy["regrasps"], 1),
                format_figure(policy["force"], 1),
                format_figure(policy["force_held"], 1),
            ]
        )
    return HEAD, rows


def described(settings: Mapping[str, Any]) -> str:
    """What a policy is, in a sentence."""
    if settings["kind"] != "planner":
        return KINDS[settings["kind"]].format(**settings)
    aim, search = OBJECTIVES[settings["objective"]].format(**settings), SEARCHES[settings["search"]]
    hashes = [each[:12] for each in settings["hashes"]]
    over = f"predictor {hashes[0]}" if len(hashes) == 1 else f"the mean of predictors {', '.join(hashes)}"
    return f"planner for {aim}; {search}; lifts above {settings['above']:g}; {over}"


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report, films apart."""
    played, units = report["played"], report["units"]
    simulated = "simulated " if report["simulated"] else ""
    head, rows = policy_table(report)
    parts = [
        f"# {'Simulated r' if report['simulated'] else 'R'}egrasping in {one_line(played['env'])}",
        f"{units['trials']} {simulated}episodes of each of {units['objects']} objects "
        f"({one_line(played['set'])}): the same object, session and first grasp for every policy. Intervals: "
        f"95%, the objects drawn again {report['interval']['draws']:,} times; differences are paired.",
        table(head, rows),
        "\n".join(
            f"- {one_line(name)}: {described(settings)}" for name, settings in played["policies"].items()
        ),
        "## Held, of each object",
        table(
            ["object", *(policy["name"] for policy in report["policies"])],
            [
                [each["name"], *(f"{of['held']}/{of['trials']}" for of in each["policies"].values())]
                for each in report["objects"]
            ],
        ),
    ]
    for each in report["calibration"]:
        bins = [
            [
                f"{one['above']:g} to {one['up_to']:g}",
                str(one["episodes"]),
                f"{100 * one['claimed']:.0f}",
                format_figure(one["held"], 0, scale=100),
            ]
            for one in each["bins"]
        ]
        parts += [
            f"## Claims of {one_line(each['policy'])} at the lift",
            f"Claimed {100 * each['claimed']:.1f}% on average, held {100 * each['held']:.1f}%; too high by "
            f"{format_figure(each['too_high'], 1, scale=100, signed=True)} points; "
            f"Brier score {each['brier']:.3f}.",
            table(["claimed", "episodes", "mean claim, %", "held, % (Wilson)"], bins),
        ]
    parts += [
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]) or "None.",
        *made_with(report["provenance"]),
    ]
    return "\n\n".join(parts) + "\n"


def page(report: Mapping[str, Any], films: Sequence[Film], reach: float) -> str:
    """The page. Every value is escaped: an object may be called `<script>`.

    Args:
        report: the content of report.json.
        films: of some episodes.
        reach: grey levels of touch that are full black or white in them.
    """
    template = environment("visuotactile.grasp.episodes").get_template("regrasp.html")
    return template.render(
        report=report,
        films=films,
        reach=reach,
        format_figure=format_figure,
        described=described,
        head=HEAD,
        kept=KEPT,
    )
