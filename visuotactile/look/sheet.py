"""`visuotactile look`: a sheet of trials as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, StoreError
from visuotactile.files import provenance, refuse_overwrite, write_text
from visuotactile.look import facts
from visuotactile.look.choose import Rows, ordered, spread
from visuotactile.look.panels import Panel, plan
from visuotactile.look.pictures import draw, fit, ramp
from visuotactile.look.scales import Scales, measure
from visuotactile.progress import track, working
from visuotactile.reports.page import environment
from visuotactile.reports.terminal import print_line

MOST_LINES = 200
"""Most lines of a table of rates: those of thousands of objects would bury the pictures."""

COARSE = 64
"""Images with fewer pixels per side are enlarged without smoothing."""


def look(
    store: str | os.PathLike[str] | Store,
    out: str | os.PathLike[str] | None = None,
    *,
    trials: int = 24,
    where: Sequence[tuple[str, str]] = (),
    order: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Write a sheet of a store's trials: their pictures, actions and outcomes, and the success rates.

    Args:
        store: store of the trials; only the pixels of the trials shown are read.
        out: HTML file; by default STORE-look.html in the current folder.
        trials: maximum number of trials shown, spread over objects and outcomes.
        where: conditions that select trials, such as success=0 object=mug-03; of one column, any of the
            values.
        order: column to sort by; by default the object.
        seed: seed of the sample of trials.
        overwrite: replace an existing sheet.

    Returns:
        The HTML file.

    Raises:
        OutputExistsError: `out` exists.
        StoreError: the store is damaged, has no such column, or no such trials; or `out` lies in it.
        ContractError: `trials` is less than one, or `out` is a folder.
    """
    store = store if isinstance(store, Store) else Store(store)
    out = Path(f"{store.path.resolve().name}-look.html" if out is None else out)
    _check(store, out, trials)
    refuse_overwrite(out, overwrite)
    pool = matching(store, where, hidden=True)
    outcomes = facts.outcomes(store)
    # An outcome that is the same in all trials gives nothing to spread over.
    varied = next((name for name in outcomes if {0, 1} <= {*store.column(name)[pool].tolist()}), None)
    rows = ordered(store, spread(store, pool, varied, trials, seed), order)
    with working(f"measuring {len(rows)} trials"):
        found, scales = measure(store, plan(store), rows.tolist())
        drawn = fit(store, found, rows.tolist(), scales)
    followed = track(rows.tolist(), "drawing trials")
    arrays: dict[str, dict[str, Any]] = {}
    for panel in drawn:
        arrays.setdefault(panel.key[0], {})[panel.key[1]] = panel.spec
    content = {
        "store": store,
        "pool": len(pool),
        "arrays": arrays,
        "cards": [_card(store, row, drawn, scales) for row in followed],
        "simulated": int(facts.simulated(store, pool).sum()),
        "where": _conditions(where),
        "varied": varied and varied.partition("/")[2],
        "order": order or "object",
        "seed": seed,
        "rates": _rates(store, pool, outcomes),
        "counts": _counts(store, pool, outcomes),
        "legend": _legend(store, drawn, scales),
        "units": _units(store),
        "provenance": provenance(
            store=str(store.path), out=str(out), trials=trials, where=list(where), order=order, seed=seed
        ),
    }
    write_text(out, _page(content))
    size = out.stat().st_size / 1e6
    print_line(f"{len(rows)} of {len(store):,} trials, {size:.1f} MB")
    return out


def _check(store: Store, out: Path, trials: int) -> None:
    if trials < 1:
        raise ContractError(f"trials is {trials}; expected at least 1")
    if out.is_dir():
        raise ContractError(f"{out} is a folder; give a file, such as {out / 'look.html'}")
    if out.resolve().is_relative_to(store.path.resolve()):
        raise StoreError(f"{out} lies in the store, which holds nothing but its own files; give another")


def _card(store: Store, row: int, drawn: Sequence[Panel], scales: Scales) -> dict[str, Any]:
    """Content of one trial's card."""
    streams: dict[str, list[dict[str, Any]]] = {}
    for panel in drawn:
        picture = draw(store, panel, row, scales)
        streams.setdefault(panel.key[0], []).append(
            {
                "picture": picture,
                "tells": store.phases[panel.key[1]] == "outcome",
                "strip": len(panel.planes) if len(panel.planes) > 1 else 0,
                "aspect": picture.width / picture.height if picture.source else None,
                "coarse": panel.kind != "sound" and max(panel.full) < COARSE,
            }
        )
    binary = facts.outcomes(store)
    badges = [
        (facts.badge(name, store.column(name)[row].item(), binary=name in binary), name in binary)
        for name in (*binary, *(name for name in facts.describe(store, "outcome") if name not in binary))
    ]
    return {
        "name": str(store.names[row]),
        "object": str(store.objects[row]),
        "session": str(store.sessions[row]),
        "sensor": str(store.sensors[row]),
        "badges": [each for each, _ in badges],
        "answers": [each.text for each, says in badges if says],
        "streams": streams,
        "tables": {
            title: lines
            for title, group in (
                ("Action", "action"),
                *((vector.capitalize(), vector) for vector in store.vectors),
                ("Columns", "column"),
            )
            if (lines := _lines(store, row, group))
        },
        "hidden": _lines(store, row, "hidden"),
        "simulated": bool(facts.simulated(store, np.array([row]))[0]),
    }


def _lines(store: Store, row: int, group: str) -> dict[str, str]:
    return {
        column.name: facts.shown(store.column(name)[row].item(), column)
        for name, column in facts.describe(store, group).items()
    }


def _conditions(where: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each column once, with its selected values."""
    wanted: dict[str, list[str]] = {}
    for column, value in where:
        wanted.setdefault(column, []).append(value)
    return [(column, " or ".join(values)) for column, values in wanted.items()]


def _rates(store: Store, pool: Rows, outcomes: Sequence[str]) -> list[dict[str, Any]]:
    """Rate of each binary outcome, overall and per object, over all selected trials."""
    return [
        {
            "name": name.partition("/")[2],
            "overall": facts.rates(store.column(name)[pool], ["all trials"] * len(pool))[0],
            "objects": (every := facts.rates(store.column(name)[pool], store.objects[pool].tolist()))[
                :MOST_LINES
            ],
            "more": max(0, len(every) - MOST_LINES),
        }
        for name in outcomes
        if not np.isnan(store.column(name)[pool]).all()
    ]


def _counts(store: Store, pool: Rows, outcomes: Sequence[str]) -> list[dict[str, Any]]:
    """Trials per session and per sensor, with the first outcome's rate, the largest first."""
    tables = []
    for name in ("session", "sensor"):
        groups = [text or "(none)" for text in store.column(name)[pool].tolist()]
        found = {}
        if outcomes:
            found = {rate.name: rate for rate in facts.rates(store.column(outcomes[0])[pool], groups)}
        counted = Counter(groups).most_common()
        tables.append(
            {
                "name": name,
                "lines": [(group, n, found.get(group)) for group, n in counted[:MOST_LINES]],
                "more": max(0, len(counted) - MOST_LINES),
            }
        )
    return tables


def _legend(store: Store, drawn: Sequence[Panel], scales: Scales) -> dict[str, Any]:
    """Kinds of pictures on the sheet, and their scales."""
    streams = {
        kind: list(dict.fromkeys(p.key[0] for p in drawn if p.kind == kind)) for kind in ("map", "signal")
    }
    return {
        "kinds": {panel.kind for panel in drawn},
        "clips": any(panel.unit == "frame" for panel in drawn),
        "channels": any(panel.unit == "channel" for panel in drawn),
        "outcome": [
            phase
            for phase, access in store.phases.items()
            if access == "outcome" and any(panel.key[1] == phase for panel in drawn)
        ],
        "gain": f"{scales.gain:g}",
        "reach": f"{127 / scales.gain:.0f}",
        "ramp": ramp(),
        "maps": {name: [facts.number(end) for end in scales.ranges[name]] for name in streams["map"]},
        "signals": {name: facts.number(scales.ranges[name][1]) for name in streams["signal"]},
        "holes": sorted(scales.holes),
    }


def _units(store: Store) -> list[tuple[str, str]]:
    """Names of columns and the unit in which the page shows them, where the store declares one."""
    named = [
        column for group in ("action", *store.vectors) for column in facts.describe(store, group).values()
    ]
    units: dict[str, list[str]] = {}
    for column in named:
        if column.unit and column.name not in units.setdefault(column.unit, []):
            units[column.unit].append(column.name)
    return [(", ".join(names), unit) for unit, names in units.items()]


def _page(content: dict[str, Any]) -> str:
    """The page. Every value is escaped: an object may be called `<script>`."""
    templates = environment("visuotactile.look")
    templates.filters["number"] = facts.number
    script = resources.files("visuotactile.look").joinpath("templates/look.js").read_text(encoding="utf-8")
    # Named by its hash, so that a browser runs this script and no other, wherever text might slip through.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return templates.get_template("look.html").render(content, script=Markup(script), digest=digest)
