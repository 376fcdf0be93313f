"""Choice and order of the trials on a sheet, spread over objects and outcomes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store

Rows = npt.NDArray[np.int64]


def spread(store: Store, rows: Rows, outcome: str | None, count: int, seed: int) -> Rows:
    """Draw at most `count` of `rows`, sorted, in turns: each object has one before any has two.

    Of an object's trials, the outcome drawn least so far comes first, so that rare failures are shown. The
    same seed draws the same trials.
    """
    rng = np.random.default_rng(seed)
    objects = store.objects[rows].tolist()
    outcomes = np.nan_to_num(store.column(outcome)[rows], nan=-1).tolist() if outcome else [0.0] * len(rows)
    piles: dict[str, dict[float, list[int]]] = {}
    for place in rng.permutation(len(rows)).tolist():
        piles.setdefault(objects[place], {}).setdefault(outcomes[place], []).append(place)
    taken: Counter[float] = Counter()
    drawn: list[int] = []
    while piles and len(drawn) < count:
        for thing in list(piles)[: count - len(drawn)]:
            rarest = min(piles[thing], key=lambda each: taken[each])
            drawn.append(piles[thing][rarest].pop())
            taken[rarest] += 1
            piles[thing] = {each: left for each, left in piles[thing].items() if left}
        piles = {thing: left for thing, left in piles.items() if left}
    return np.sort(rows[drawn])


def ordered(store: Store, rows: Rows, column: str | None) -> Rows:
    """`rows` by the values of a column, least first, or else by object; ties stay in the store's order."""
    values = store.column(column or "object")[rows]
    return rows[np.argsort(values, kind="stable")]
