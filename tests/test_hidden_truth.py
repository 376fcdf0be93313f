"""A simulator's hidden truth may be looked at, and steers nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visuotactile.datasets import PairedData, TactileData
from visuotactile.datasets.conditions import matching
from visuotactile.datasets.samples import class_labels, find_samples, group_numbers
from visuotactile.datasets.source import Source
from visuotactile.datasets.splits import Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, SplitError
from visuotactile.files import sha256_bytes
from visuotactile.look import look
from visuotactile.maps.embedding import read_color
from visuotactile.probes.rows import saw_test_trials
from visuotactile.probes.task import make_task
from visuotactile.retrieval.pool import make_pool

HIDDEN = "hidden/contact_area"
TOUCH = {"touch": Source(streams=("tactile_left",), side=32)}


def tactile(store: Store, **settings: str) -> None:
    TactileData(store.path, TOUCH, **settings).setup()


def paired(store: Store, **settings: object) -> None:
    PairedData(store.path, TOUCH, **settings).setup()  # type: ignore[arg-type]


def value(store: Store) -> str:
    return str(store.column(HIDDEN)[0])


STEERED: dict[str, Callable[[Store], object]] = {
    "mask of negatives": lambda store: tactile(store, recording=HIDDEN),
    "label of the monitor and of triplets": lambda store: tactile(store, label=HIDDEN),
    "filter of training": lambda store: paired(store, where={HIDDEN: [value(store)]}),
    "group of training": lambda store: paired(store, group=f"object+{HIDDEN}"),
    "label of training": lambda store: paired(store, label=HIDDEN),
    "samples": lambda store: find_samples(store, ["tactile_left"], "during", None, recording=HIDDEN),
    "classes": lambda store: class_labels(store, HIDDEN),
    "groups": lambda store: group_numbers(store, HIDDEN),
    "conditions": lambda store: matching(store, [(HIDDEN, value(store))]),
    "split": lambda store: make_split(store, f"column:{HIDDEN}"),
    "group of a probe": lambda store: make_task(store, "object", "random:24/24", seeds=1, group=HIDDEN),
    "strata of a probe": lambda store: make_task(store, "object", "random:24/24", seeds=1, within=HIDDEN),
    "group of retrieval": lambda store: make_pool(store, make_split(store, "object:2"), 0, group=HIDDEN),
    "label of retrieval": lambda store: make_pool(store, make_split(store, "object:2"), 0, label=HIDDEN),
    "filter of retrieval": lambda store: make_pool(
        store, make_split(store, "object:2"), 0, where=[(HIDDEN, value(store))]
    ),
    "what an encoder was trained on": lambda store: saw_test_trials(
        {"fingerprint": store.fingerprint, "where": {HIDDEN: [value(store)]}},
        store,
        make_split(store, "object:2"),
        0,
    ),
}


@pytest.mark.parametrize("use", STEERED)
def test_hidden_truth_steers_nothing(store: Store, use: str) -> None:
    with pytest.raises(ContractError, match="hidden/contact_area is hidden truth of the simulator"):
        STEERED[use](store)


def test_hidden_truth_is_neither_the_unit_of_a_split_nor_the_target_of_a_probe(table: Store) -> None:
    with pytest.raises(ContractError, match="hidden/mass is hidden truth"):
        make_split(table, "column:official:hidden/mass")
    with pytest.raises(ContractError, match="is not an outcome"):
        make_task(table, "hidden/mass", "object:2", seeds=1)


def test_a_split_file_that_hidden_truth_made_is_refused(store: Store, tmp_path: Path) -> None:
    """As an earlier version wrote it, with a hash that fits."""
    make_split(store, "object:2").save(tmp_path / "split.json")
    content = json.loads((tmp_path / "split.json").read_text())
    del content["hash"]
    for change in ({"name": f"column:{HIDDEN}"}, {"unit": HIDDEN}):
        changed = content | change
        digest = sha256_bytes(json.dumps(changed, sort_keys=True).encode())
        (tmp_path / "split.json").write_text(json.dumps(changed | {"hash": digest}))
        with pytest.raises(SplitError, match="hidden truth"):
            Split.load(tmp_path / "split.json", store)


def test_hidden_truth_may_colour_a_map_and_choose_what_is_looked_at(store: Store, tmp_path: Path) -> None:
    assert len(read_color(store, HIDDEN, np.arange(4)).values) == 4
    page = look(store, tmp_path / "look.html", where=[(HIDDEN, value(store))], order=HIDDEN)
    assert f"{HIDDEN} = {value(store)}" in page.read_text(encoding="utf-8")  # and says so
