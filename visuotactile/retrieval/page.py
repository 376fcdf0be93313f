"""The retrieval report as a self-contained HTML page with example queries, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np

from visuotactile.probes.rows import PRETRAINED
from visuotactile.reports.charts import Line as ChartLine
from visuotactile.reports.charts import dots
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.reports.page import data_uri, environment
from visuotactile.reports.pictures import Pixels, trial_pictures
from visuotactile.retrieval.evaluation import ALL, SAME_OBJECT, Line
from visuotactile.retrieval.measures import KS, rank_answers
from visuotactile.retrieval.pool import Pool
from visuotactile.retrieval.spaces import SpaceRow
from visuotactile.retrieval.summary import HEADLINE

# Quantiles of the queries from the easiest to the hardest: the best and the worst are outliers.
PLACES = (0.1, 0.35, 0.65, 0.9)
FIRST = 5
HEIGHT = 88

Column = tuple[str, str, str]
"""Measure, pool ("" for none) and modalities."""

SHAPE, CLUSTERS = ("alignment", "gap", "uniformity"), ("purity", "rand")


def page(report: dict[str, Any], examples: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        report: the content of retrieval.json.
        examples: queries with pictures, from `examples`.
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
            format_figure=format_figure,
            PRETRAINED=PRETRAINED,
            SAME_OBJECT=SAME_OBJECT,
        )
    )


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown: headline, a table for each group of measures, gains, notes."""
    parts = [
        f"# Retrieval report: {one_line(report['pool']['dataset'])}",
        one_line(report["headline"]["text"]),
        *(one_line(each) for each in report["headline"]["pretraining_of_others"]),
    ]
    for heading, about, columns in _tables(report):
        rows = []
        for method in report["methods"]:
            figures = [_cell(report, method, column)["figure"] for column in columns]
            cells = [format_figure(figure, spread=figure["encoder_spread"]) for figure in figures]
            rows.append([method["name"], *cells])
        chances = [_chance(report, column) for column in columns]
        if any(chances):
            rows.append(["chance", *chances])
        parts += [f"## {heading}", one_line(about), table(["method", *map(_head(report), columns)], rows)]
    compared = [method for method in report["methods"] if method["against_untrained"]]
    columns = [(HEADLINE, pool, way) for pool in _pools(report) for way in _ways(report)]
    rows = [
        [method["name"], *(format_figure(_cell(report, method, c)["gain"], signed=True) for c in columns)]
        for method in compared
    ]
    parts += [
        "## Recall@10: gain over the untrained networks (paired)",
        table(["method", *(f"{way} ({pool})" for _, pool, way in columns)], rows),
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]),
        *made_with(report["provenance"]),
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
        ("Shape of the space", SHAPE),
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
    """A method's figure, its gain over the untrained networks, and its sign if significant: 1, -1 or 0."""
    measure, pool, which = column
    gain = method["against_untrained"]
    gain = None if gain is None else gain[measure][pool][which]
    sign = 1 if report["measures"][measure]["more_is_better"] else -1
    significant = 0
    if gain is not None and gain["low"] is not None:
        significant = sign * ((gain["low"] > 0) - (gain["high"] < 0))
    return {"figure": method["figures"][measure][pool][which], "gain": gain, "sign": significant}


def _best(report: dict[str, Any], column: Column) -> str:
    measure, pool, which = column
    better = max if report["measures"][measure]["more_is_better"] else min
    values = {
        method["name"]: method["figures"][measure][pool][which]["value"] for method in report["methods"]
    }
    return str(better(values, key=lambda name: values[name]))


def _chance(report: dict[str, Any], column: Column) -> str:
    """Chance level of the first method: it differs between methods in the third digit at most."""
    measure, pool, which = column
    chance = report["methods"][0]["figures"][measure][pool][which]["chance"]
    return "" if chance is None else f"{chance:.3f}"


def _chart(report: dict[str, Any], pool: str) -> Any:
    ways = _ways(report)
    lines = [
        ChartLine(method["name"], method["kind"] == PRETRAINED, method["figures"][HEADLINE][pool])
        for method in report["methods"]
    ]
    return dots(
        lines,
        {way: way for way in ways},
        description=f"Recall@10 of each method, {pool}",
        reference=lines[0].figures[ways[0]]["chance"],
        reference_label="chance",
        digits=3,
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def examples(
    rows: Sequence[SpaceRow], lines: Sequence[Line], pool: Pool, report: dict[str, Any]
) -> list[dict[str, Any]]:
    """Example queries from each modality to each other one, with their first answers and the correct one.

    They come from the first space of the headline's method.
    """
    line = next(each for each in lines if each.method == report["headline"]["method"])
    space = next(row.space for row in rows if row.name == line.name)
    shown = []
    for one, other in permutations(space.modalities, 2):
        queries, answers = line.embeddings[one], line.embeddings[other]
        ranks = rank_answers(queries, answers, pool.groups).rank()
        order = np.argsort(ranks, kind="stable")
        chosen = order[[int(place * (len(order) - 1)) for place in PLACES]]
        scores = queries[chosen].astype(np.float64) @ answers.astype(np.float64).T
        found = np.argsort(-scores, axis=1, kind="stable")[:, :FIRST]
        right = np.where(pool.groups[chosen, None] == pool.groups, scores, -np.inf).argmax(axis=1)
        looked_at = np.concatenate([found, right[:, None]], axis=1)
        asked = trial_pictures(pool.store, space.encoders[one].contract, pool.trials[chosen], HEIGHT)
        given = trial_pictures(
            pool.store, space.encoders[other].contract, pool.trials[looked_at.ravel()], HEIGHT
        ).reshape(*looked_at.shape, HEIGHT, -1, 3)
        shown.append(
            {
                "way": f"{one} → {other}",
                "queries": [
                    {
                        "query": _answer(pool, int(query), asked[place]),
                        "rank": int(np.ceil(ranks[query])),
                        "answers": [
                            {
                                **_answer(pool, int(answer), given[place, i]),
                                "right": bool(pool.groups[answer] == pool.groups[query]),
                            }
                            for i, answer in enumerate(found[place])
                        ],
                        "right": _answer(pool, int(right[place]), given[place, FIRST]),
                    }
                    for place, query in enumerate(chosen)
                ],
            }
        )
    return shown


def _answer(pool: Pool, place: int, picture: Pixels) -> dict[str, str]:
    trial = pool.trials[place]
    return {
        "name": str(pool.store.names[trial]),
        "object": str(pool.store.objects[trial]),
        "picture": data_uri(np.ascontiguousarray(picture), "JPEG", quality=80),
    }
