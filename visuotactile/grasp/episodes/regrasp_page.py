"""The report of a closed loop as Markdown, and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visuotactile.grasp.episodes.film_strip import Film
from visuotactile.reports.page import environment

Figure = Mapping[str, float | None]

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
                interval(policy["success"], 100),
                "" if against is None else interval(against["success"], 100, signed=True),
                interval(policy["regrasps"], digits=1),
                interval(policy["force"], digits=1),
                interval(policy["force_held"], digits=1),
            ]
        )
    return HEAD, rows


def interval(figure: Figure, scale: float = 1, digits: int = 0, signed: bool = False) -> str:
    """A figure with its interval, such as `93 [88, 97]`; a dash where it is undefined."""
    value, low, high = (
        None if number is None else f"{scale * number:{'+' if signed else ''}.{digits}f}".replace("-", "−")
        for number in (figure["value"], figure["low"], figure["high"])
    )
    if value is None:
        return "–"
    return value if low is None or high is None else f"{value} [{low}, {high}]"


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
        f"# {'Simulated r' if report['simulated'] else 'R'}egrasping in {_line(played['env'])}",
        f"{units['trials']} {simulated}episodes of each of {units['objects']} objects "
        f"({_line(played['set'])}): the same object, session and first grasp for every policy. Intervals: "
        f"95%, the objects drawn again {report['interval']['draws']:,} times; differences are paired.",
        _table(head, rows),
        "\n".join(f"- {_line(name)}: {described(settings)}" for name, settings in played["policies"].items()),
        "## Held, of each object",
        _table(
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
                interval(one["held"], 100),
            ]
            for one in each["bins"]
        ]
        parts += [
            f"## Claims of {_line(each['policy'])} at the lift",
            f"Claimed {100 * each['claimed']:.1f}% on average, held {100 * each['held']:.1f}%; too high by "
            f"{interval(each['too_high'], 100, 1, signed=True)} points; Brier score {each['brier']:.3f}.",
            _table(["claimed", "episodes", "mean claim, %", "held, % (Wilson)"], bins),
        ]
    parts += [
        "## Notes",
        "\n".join(f"- {_line(note)}" for note in report["notes"]) or "None.",
        "## Made with",
        "    " + " ".join(report["provenance"]["command"].split()),
        ", ".join(f"{name} {version}" for name, version in report["provenance"]["versions"].items()),
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
        interval=interval,
        described=described,
        head=HEAD,
        kept=KEPT,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(
        "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _line(text: str) -> str:
    """Text on one line in which neither HTML nor Markdown takes effect."""
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "\\`"), ("\n", " ")):
        text = text.replace(letter, safe)
    return text
