"""Some queries with what was found for them: as good as the best tenth, and as bad as the worst."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np

from visuotactile.reports.pictures import Pixels, data_uri, trial_pictures
from visuotactile.retrieval.cross_modal_measures import rank_answers
from visuotactile.retrieval.joint_features import SpaceRow
from visuotactile.retrieval.pool import Pool
from visuotactile.retrieval.retrieval import Line

# Places in the order from the easiest query to the hardest: not the best and the worst, which are luck.
PLACES = (0.1, 0.35, 0.65, 0.9)
FIRST = 5
HEIGHT = 88


def examples(
    rows: Sequence[SpaceRow], lines: Sequence[Line], pool: Pool, report: dict[str, Any]
) -> list[dict[str, Any]]:
    """For each way between two modalities some queries, with their first answers and the right one.

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
        "picture": data_uri(np.ascontiguousarray(picture), lossy=True),
    }
