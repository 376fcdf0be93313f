"""The retrieval report as one HTML page that needs nothing else, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visuotactile.probes.notes import written
from visuotactile.probes.rows import PRETRAINED
from visuotactile.reports.charts import dots
from visuotactile.reports.markdown import one_line, table
from visuotactile.reports.page import environment
from visuotactile.retrieval.cross_modal_measures import KS
from visuotactile.retrieval.retrieval import ALL, SAME_OBJECT
from visuotactile.retrieval.retrieval_summary import HEADLINE

Column = tuple[str, str, str]
"""A measure, a pool ("" for none), and which modalities."""

SHAPE, CLUSTERS = ("alignment", "gap", "uniformity"), ("purity", "rand")


def retrieval_page(report: dict[str, Any], examples: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        report: the content of retrieval.json.
        examples: queries with pictures, from `retrieval_examples.examples`.
    """
    return (
        environment("visuotactile.retrieval")
        .get_template("retrieval.html")
        .render(
            report=report,
            pool=report["pool"],
            charts=[(pool, _ways(report), _chart(report, pool)) for pool in _pools(report)],
            tables=_tables(report),
            examples=examples,
            cell=lambda method, column: _cell(report, method, column),
            best=lambda column: _best(report, column),
            written=written,
            PRETRAINED=PRETRAINED,
            SAME_OBJECT=SAME_OBJECT,
        )
    )


def retrieval_markdown(report: dict[str, Any]) -> str:
    """The whole report: headline, a table for each group of measures, gains, notes."""
    parts = [
        f"# Retrieval report: {one_line(report['pool']['dataset'])}",
        one_line(report["headline"]["text"]),
    ]
    for heading, about, columns in _tables(report):
        rows = []
        for method in report["methods"]:
            cells = [_cell(report, method, column)["figure"] for column in columns]
            rows.append([method["name"], *map(_with_spread, cells)])
        chances = [_chance(report, column) for column in columns]
        if any(chances):
            rows.append(["chance", *chances])
        parts += [f"## {heading}", one_line(about), table(["method", *map(_head(report), columns)], rows)]
    compared = [method for method in report["methods"] if method["against_untrained"]]
    columns = [(HEADLINE, pool, way) for pool in _pools(report) for way in _ways(report)]
    rows = [
        [method["name"], *(written(_cell(report, method, c)["gain"], signed=True) for c in columns)]
        for method in compared
    ]
    parts += [
        "## Recall@10: gain over the untrained networks (paired)",
        table(["method", *(f"{way} ({pool})" for _, pool, way in columns)], rows),
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]),
        "## Made with",
        "    " + " ".join(report["provenance"]["command"].split()),
        ", ".join(f"{name} {version}" for name, version in report["provenance"]["versions"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _pools(report: dict[str, Any]) -> list[str]:
    return list(report["methods"][0]["figures"][HEADLINE])


def _ways(report: dict[str, Any]) -> list[str]:
    return list(report["methods"][0]["figures"][HEADLINE][ALL])


def _tables(report: dict[str, Any]) -> list[tuple[str, str, list[Column]]]:
    """Heading, meaning and columns of each table."""
    about, found = report["measures"], report["methods"][0]["figures"]
    ranked = [*(f"recall@{k}" for k in KS), "median_rank"]
    tables = []
    for pool in _pools(report):
        where = "among all test trials" if pool == ALL else "among the trials of the query's object"
        for way in _ways(report):
            meaning = " ".join(about[key]["meaning"] for key in ("recall@1", "median_rank"))
            columns = [(key, pool, way) for key in ranked]
            tables.append((f"{way}, {where}", meaning.replace("first 1.", "first k."), columns))
    for heading, keys in (
        ("How the space is filled", SHAPE),
        (f"Clusters by {report['pool']['label']}", CLUSTERS),
    ):
        shown = [key for key in keys if key in found]
        if shown:
            meaning = " ".join(f"{about[key]['title']}: {_lower(about[key]['meaning'])}" for key in shown)
            tables.append(
                (heading, meaning, [(key, "", column) for key in shown for column in found[key][""]])
            )
    return tables


def _head(report: dict[str, Any]) -> Any:
    def head(column: Column) -> str:
        measure, pool, which = column
        title = report["measures"][measure]["title"]
        return str(title) if pool else f"{title}: {which}"

    return head


def _cell(report: dict[str, Any], method: dict[str, Any], column: Column) -> dict[str, Any]:
    """A method's figure, its gain over the untrained networks, and whether that is sure: 1, -1 or 0."""
    measure, pool, which = column
    gain = method["against_untrained"]
    gain = None if gain is None else gain[measure][pool][which]
    sign = 1 if report["measures"][measure]["more_is_better"] else -1
    sure = 0
    if gain is not None and gain["low"] is not None:
        sure = sign * ((gain["low"] > 0) - (gain["high"] < 0))
    return {"figure": method["figures"][measure][pool][which], "gain": gain, "sure": sure}


def _best(report: dict[str, Any], column: Column) -> str:
    measure, pool, which = column
    better = max if report["measures"][measure]["more_is_better"] else min
    values = {
        method["name"]: method["figures"][measure][pool][which]["value"] for method in report["methods"]
    }
    return str(better(values, key=lambda name: values[name]))


def _chance(report: dict[str, Any], column: Column) -> str:
    """The first method's chance: it differs between methods in the third digit at most."""
    measure, pool, which = column
    chance = report["methods"][0]["figures"][measure][pool][which]["chance"]
    return "" if chance is None else f"{chance:.3f}"


def _chart(report: dict[str, Any], pool: str) -> Any:
    ways = _ways(report)
    lines = [
        (method["name"], method["kind"], method["figures"][HEADLINE][pool]) for method in report["methods"]
    ]
    return dots(
        lines,
        ways,
        description=f"Recall@10 of each method, {pool}",
        reference=lines[0][2][ways[0]]["chance"],
        reference_label="chance",
        digits=3,
    )


def _with_spread(value: dict[str, Any]) -> str:
    text, spread = written(value), value["encoder_spread"]
    return text if spread is None else f"{text} ±{spread:.3f}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
