"""Figures of joint spaces from embeddings that are known, and the guard against trials that were seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from visuotactile.datasets.splits import make_split
from visuotactile.errors import ContractError, EncoderError, SplitError, StoreError
from visuotactile.probes.rows import saw_test_trials
from visuotactile.retrieval.evaluation import measure, measure_rows
from visuotactile.retrieval.pool import make_pool
from visuotactile.retrieval.spaces import SpaceRow, trial_embeddings, untrained_space


@pytest.fixture(scope="module")
def pool(table):
    return make_pool(table, make_split(table, "random:80/80"), 0)


def unit_vectors(count, width=16, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, width))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_new_objects_are_the_units_and_known_ones_leave_the_trials(table):
    new = make_pool(table, make_split(table, "object:4"), 1)
    assert (new.shared, new.unit, new.units.max() + 1) == (False, "objects", 4)
    known = make_pool(table, make_split(table, "random:80/80"), 0)
    assert (known.shared, known.unit, known.units.max() + 1) == (True, "trials", 80)
    grouped = make_pool(table, make_split(table, "random:80/80"), 0, group="object+grade")
    assert (grouped.unit, len(np.unique(grouped.units))) == ("groups", grouped.groups.max() + 1)
    both = list(zip(table.objects[grouped.trials], table.column("grade")[grouped.trials], strict=True))
    for i, j in ((0, 1), (3, 70), (5, 21)):
        assert (grouped.groups[i] == grouped.groups[j]) == (both[i] == both[j])


def test_conditions_leave_out_trials(table):
    split = make_split(table, "random:80/80")
    few = make_pool(table, split, 0, where=[("session", "s1")])
    assert set(table.sessions[few.trials]) == {"s1"}
    assert set(few.trials) < set(split.indices(table, 0)[1])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"group": "weather"}, StoreError, "weather"),
        ({"label": "weather"}, StoreError, "weather"),
        ({"group": "always"}, ContractError, "any answer would be correct"),
        ({"where": [("object", "o03"), ("success", "1")]}, SplitError, "too few to search"),
    ],
)
def test_a_pool_that_cannot_be_searched_is_refused(table, options, error, words):
    with pytest.raises(error, match=words):
        make_pool(table, make_split(table, "random:80/80"), 0, **options)


def test_equal_embeddings_are_found_and_random_ones_are_at_chance(pool):
    points = unit_vectors(80)
    found = measure({"sight": points, "touch": points}, pool, 0)
    assert found["recall@1", "all", "sight → touch"].estimate.value == 1
    assert found["median_rank", "all", "touch → sight"].estimate.value == 1
    assert found["alignment", "", "sight and touch"].estimate.value == 0
    assert found["gap", "", "sight and touch"].estimate.value == 0
    found = measure({"sight": points, "touch": unit_vectors(80, seed=1)}, pool, 0)
    recall = found["recall@10", "all", "sight → touch"]
    assert recall.chance == pytest.approx(10 / 80)
    low, high = recall.estimate.interval()
    assert low < recall.chance < high
    assert found["gap", "", "sight and touch"].estimate.value == pytest.approx(
        found["gap", "", "sight and touch"].chance, rel=0.5
    )


def test_knowing_the_object_alone_is_worth_nothing_among_its_own_trials(pool):
    points = unit_vectors(16, seed=2)[pool.objects]
    found = measure({"sight": points, "touch": points}, pool, 0)
    own = found["recall@1", "same object", "sight → touch"]
    assert own.estimate.value == pytest.approx(own.chance)
    whole = found["recall@10", "all", "sight → touch"]
    assert whole.estimate.value > 5 * whole.chance
    assert found["purity", "", "sight + touch"].estimate.value == 1
    assert found["rand", "", "touch"].estimate.value == 1


def test_three_modalities_are_measured_pair_by_pair(pool):
    points = {name: unit_vectors(80, seed=seed) for seed, name in enumerate(("sight", "sound", "touch"))}
    found = measure(points, pool, 0)
    ways = {which for measured, _, which in found if measured == "recall@5"}
    assert len(ways) == 6
    assert {which for measured, _, which in found if measured == "gap"} == {
        "sight and sound",
        "sight and touch",
        "sound and touch",
    }
    assert {which for measured, _, which in found if measured == "purity"} == {
        *points,
        "sight + sound + touch",
    }


def test_a_poses_twins_are_right_answers_too(table):
    split = make_split(table, "random:80/80")
    alone, twins = (make_pool(table, split, 0, group=group) for group in (None, "object+grade"))
    points = {"sight": unit_vectors(80), "touch": unit_vectors(80, seed=1)}
    few, many = (measure(points, pool, 0)["recall@10", "all", "sight → touch"] for pool in (alone, twins))
    assert many.estimate.value > few.estimate.value
    assert many.chance > few.chance
    low, high = many.estimate.interval()
    assert low < many.chance < high


def spaces(joint, store, **meta):
    space = untrained_space(joint, 7)
    space.meta |= {"method": "cross_modal", **meta}
    return SpaceRow("mine", space)


def test_trials_that_were_pretrained_on_are_never_searched(joint, store, tmp_path):
    split = make_split(store, "object:3", 0)
    pool = make_pool(store, split, 1)
    fair = {"fingerprint": store.fingerprint, "split_hash": split.hash, "fold": 1}
    for change in (
        {"fold": 0},
        {"split_hash": make_split(store, "object:3", 1).hash},
        {"split_hash": "", "fold": None},
    ):
        with pytest.raises(EncoderError, match=r"may include test trials of fold.*--data.split"):
            measure_rows([spaces(joint, store, **{**fair, **change})], pool, cache=tmp_path, seed=0)
    assert saw_test_trials(fair, store, split, 1) is False
    assert saw_test_trials({}, store, split, 1) is None
    assert saw_test_trials({**fair, "fingerprint": "another"}, store, split, 0) is False


def test_conditions_of_the_pretraining_tell_what_it_left_out(table):
    split = make_split(table, "column:official")
    meta = {"fingerprint": table.fingerprint, "split_hash": "", "fold": None}
    assert saw_test_trials({**meta, "where": {"official": ["train"]}}, table, split, 0) is False
    assert (
        saw_test_trials({**meta, "where": {"official": ["test"], "session": ["s0"]}}, table, split, 0) is True
    )
    assert saw_test_trials({**meta, "where": {"session": ["s0"]}}, table, split, 0) is True


def test_a_trials_embedding_is_its_averaged_features_behind_the_head(joint, store, tmp_path):
    found = trial_embeddings(joint, store, cache=tmp_path, name="mine")
    for modality, stream in (("sight", "tactile_right"), ("touch", "tactile_left")):
        images, references = (
            store.read(stream, phase, np.arange(len(store))) for phase in ("during", "before")
        )
        np.testing.assert_allclose(found[modality], joint.embed(modality, images, references), atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(found[modality], axis=1), 1, rtol=1e-5)


def test_an_untrained_space_is_drawn_from_its_seed_and_no_modality_equals_another(joint):
    first, again, other = (untrained_space(joint, seed) for seed in (3, 3, 4))
    assert first.hash == again.hash != other.hash
    weights = [dict(first.encoders[name].named_parameters()) for name in ("sight", "touch")]
    assert any((weights[0][key] != weights[1][key]).any() for key in weights[0])
    assert (first.modalities, first.dimension) == (joint.modalities, joint.dimension)


def test_spaces_of_other_modalities_do_not_stand_in_one_table(joint, store, tmp_path):
    renamed = untrained_space(joint, 0)
    renamed.modalities = ("sound", "touch")
    pool = make_pool(store, make_split(store, "object:3"), 0)
    rows = [SpaceRow("a", joint), dataclasses.replace(SpaceRow("b", renamed))]
    with pytest.raises(EncoderError, match="different modalities"):
        measure_rows(rows, pool, cache=tmp_path, seed=0)
