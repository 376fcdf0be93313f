"""Figures of joint spaces on held-out trials, each with its chance level and its resamples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.errors import EncoderError
from visuotactile.probes.rows import PRETRAINED, UNTRAINED, describe, saw_test_trials, tell_apart
from visuotactile.reports.intervals import Estimate, draw_units
from visuotactile.retrieval import measures
from visuotactile.retrieval.pool import Pool
from visuotactile.retrieval.spaces import Embeddings, SpaceRow, trial_embeddings, untrained_space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNTRAINED_DRAWS = 5

ALL, SAME_OBJECT = "all", "same object"
"""Pools that are searched: every test trial, or only those of the query's object."""

Key = tuple[str, str, str]
"""Measure, pool (or "" where there is none) and modalities: "touch → sight", "touch", …"""


@dataclass(frozen=True)
class Figure:
    """A measured value with its resamples, and its chance level (None where there is no meaningful one)."""

    estimate: Estimate
    chance: float | None


@dataclass(frozen=True)
class Line:
    """Line of the report: a joint space and its figures.

    Attributes:
        name: unique name.
        method: method of the line; lines of one method are averaged.
        kind: PRETRAINED or UNTRAINED.
        embeddings: modality → [n, D] unit vectors of the pool's trials.
        untrained: the method it is compared with, or None.
        saw_test_objects: share of the pool's objects that pretraining saw; None where not recorded.
        saw_test_trials: None where pretraining did not record its trials.
        facts: provenance of the space, for the report.
        figures: figures of every measure.
    """

    name: str
    method: str
    kind: str
    embeddings: Embeddings = field(repr=False)
    untrained: str | None
    saw_test_objects: float | None
    saw_test_trials: bool | None
    facts: dict[str, Any]
    figures: dict[Key, Figure] = field(repr=False)


def measure_rows(rows: Sequence[SpaceRow], pool: Pool, *, cache: Path | None, seed: int) -> list[Line]:
    """Lines of the rows, and of untrained spaces of the same architectures and contracts.

    Raises:
        EncoderError: a space was, or may have been, pretrained on test trials.
    """
    for row in rows:
        _refuse_leak(row, pool)
    modalities = rows[0].space.modalities
    if any(set(row.space.modalities) != set(modalities) for row in rows):
        listed = "; ".join(f"{row.name}: {', '.join(row.space.modalities)}" for row in rows)
        raise EncoderError(f"the joint spaces have different modalities ({listed}); measure them apart")
    kinds = list(dict.fromkeys(_kind(row) for row in rows))
    texts = tell_apart(list(dict.fromkeys(kind for kind, _ in kinds)))
    untrained = {}
    for kind, dimension in kinds:
        wide = f", {dimension}-dimensional" if len(kinds) > len(texts) else ""
        untrained[kind, dimension] = f"{UNTRAINED} · {texts[kind]}{wide}".removesuffix(" · ")
    taken = set(untrained.values())
    asked = [
        (row, f"{row.method} (given)" if row.method in taken else row.method, untrained[_kind(row)])
        for row in rows
    ]
    first = {untrained[_kind(row)]: row.space for row in reversed(rows)}
    baselines = [
        (SpaceRow(f"{method} {draw}", untrained_space(space, draw)), method, None)
        for method, space in first.items()
        for draw in range(seed, seed + UNTRAINED_DRAWS)
    ]
    lines = []
    for row, method, against in (*asked, *baselines):
        whole = trial_embeddings(row.space, pool.store, cache=cache, name=row.name)
        embeddings = {name: whole[name][pool.trials] for name in modalities}
        lines.append(
            Line(
                name=row.name,
                method=method,
                kind=PRETRAINED if against else UNTRAINED,
                embeddings=embeddings,
                untrained=against,
                saw_test_objects=_saw_test_objects(row, pool) if against else 0.0,
                saw_test_trials=saw_test_trials(row.space.meta, pool.store, pool.split, pool.fold)
                if against
                else False,
                facts=_facts(row),
                figures=measure(embeddings, pool, seed),
            )
        )
    return lines


def measure(embeddings: Embeddings, pool: Pool, seed: int) -> dict[Key, Figure]:
    """Every figure of one space: retrieval for each ordered pair, the shape of the space, its clusters.

    Clusters are compared with the label, usually the object, which cannot be resampled for them: their units
    are the groups.
    """
    counts = draw_units(np.ones(int(pool.units.max()) + 1, bool), seed)
    weights = counts[:, pool.units]
    group_weights = draw_units(np.ones(int(pool.groups.max()) + 1, bool), seed)[:, pool.groups]
    found: dict[Key, Figure] = {}
    pools: Mapping[str, Ints | None] = {ALL: None, SAME_OBJECT: pool.objects}
    for one, other in permutations(embeddings, 2):
        way = f"{one} → {other}"
        for name, limits in pools.items():
            if name == SAME_OBJECT and not pool.within_object:
                continue
            ranking = measures.rank_answers(embeddings[one], embeddings[other], pool.groups, limits)
            for k in measures.KS:
                figure = _mean(ranking.recall(k), weights, float(ranking.chance(k).mean()))
                found[f"recall@{k}", name, way] = figure
            ranks = ranking.rank()
            found["median_rank", name, way] = Figure(
                _estimate(float(np.median(ranks)), measures.weighted_median(ranks, weights)),
                ranking.chance_rank(),
            )
    for one, other in combinations(embeddings, 2):
        both, first, second = f"{one} and {other}", embeddings[one], embeddings[other]
        found["alignment", "", both] = _mean(measures.pair_distances(first, second), weights, None)
        found["gap", "", both] = Figure(
            _estimate(
                float(measures.modality_gap(first, second, np.ones((1, len(first))))[0]),
                measures.modality_gap(first, second, weights),
            ),
            measures.gap_by_chance(first, second),
        )
    for name, points in embeddings.items():
        value = measures.uniformity(points, np.arange(len(points)), np.ones((1, len(points))))[0]
        spread = measures.uniformity(points, pool.units, counts)
        found["uniformity", "", name] = Figure(_estimate(float(value), spread), None)
    if pool.labels.max() > 0:
        together = " + ".join(embeddings)
        clouds = {**embeddings, together: np.concatenate(list(embeddings.values()))}
        for name, points in clouds.items():
            times = len(points) // len(pool.trials)
            found |= _clusters(
                points, np.tile(pool.labels, times), np.tile(group_weights, (1, times)), name, seed
            )
    return found


def _clusters(
    points: NDArray[np.float32], labels: Ints, weights: Floats, name: str, seed: int
) -> dict[Key, Figure]:
    clusters = measures.cluster(points, int(labels.max()) + 1, seed)
    one = np.ones((1, len(labels)))
    return {
        (key, "", name): Figure(
            _estimate(float(function(clusters, labels, one)[0]), function(clusters, labels, weights)), chance
        )
        for key, function, chance in (
            ("purity", measures.purity, measures.purity_by_chance(clusters, labels, seed)),
            ("rand", measures.adjusted_rand_index, 0.0),
        )
    }


def _mean(values: Floats, weights: Floats, chance: float | None) -> Figure:
    return Figure(_estimate(float(values.mean()), measures.weighted_mean(values, weights)), chance)


def _estimate(value: float, resampled: Floats) -> Estimate:
    return Estimate(np.array([value]), resampled if math.isfinite(value) else np.full(len(resampled), np.nan))


def _refuse_leak(row: SpaceRow, pool: Pool) -> None:
    meta = row.space.meta
    if saw_test_trials(meta, pool.store, pool.split, pool.fold):
        seen = (
            f"fold {meta['fold']} of split {meta['split_hash'][:12]}"
            if meta.get("split_hash")
            else "trials of this store without a split"
        )
        raise EncoderError(
            f"{row.name} was pretrained on {seen}, which may include test trials of fold {pool.fold} of "
            f"split {pool.split.hash[:12]}; give the split and the fold that it was pretrained with, or "
            "pretrain it with this one (--data.split FILE --data.fold N)"
        )


def _saw_test_objects(row: SpaceRow, pool: Pool) -> float | None:
    known = row.space.meta.get("pretraining_objects")
    if known is None:
        return None
    return float(np.isin(np.unique(pool.store.objects[pool.trials]), list(known)).mean())


def _kind(row: SpaceRow) -> tuple[tuple[tuple[str, Any], ...], int]:
    kind = tuple((each.architecture, each.contract) for each in row.space.encoders.values())
    return kind, row.space.dimension


def _facts(row: SpaceRow) -> dict[str, Any]:
    space, (kind, dimension) = row.space, _kind(row)
    return {
        "architecture": " + ".join(dict.fromkeys(each.architecture for each in space.encoders.values())),
        "dimension": dimension,
        "temperature": space.temperature,
        "input": describe(tuple(("", contract) for _, contract in kind)),
        "hash": space.hash,
        "pretraining": {key: space.meta[key] for key in ("seed", "step", "store") if key in space.meta},
    }
