from __future__ import annotations

import copy
import functools
from dataclasses import replace

import numpy as np
import pytest

from visuotactile.datasets.splits import make_split
from visuotactile.encoders import InputContract, save_encoder, untrained_encoder
from visuotactile.encoders.adapt import adapted
from visuotactile.encoders.imagenet import imagenet_file
from visuotactile.errors import EncoderError
from visuotactile.probes.features import MeanColour, Rim
from visuotactile.probes.rows import Row, load_rows, make_entries, tell_apart

ARCHITECTURE = "resnet10t"
CONTRACT = InputContract(streams=("tactile_left",), size=32)


@functools.cache
def weights(seed, contract):
    return untrained_encoder(ARCHITECTURE, contract, seed)


def made(seed=0, contract=CONTRACT, **meta):
    encoder = copy.copy(weights(seed, contract))
    encoder.meta = meta
    return encoder


@pytest.fixture(autouse=True)
def two_draws(monkeypatch):
    """Two draws of random weights say as much here as five."""
    monkeypatch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
    monkeypatch.setattr(
        "visuotactile.probes.rows.untrained_encoder", lambda _, contract, seed: made(seed, contract)
    )


def entries(rows, store, tmp_path, spec="object:3", seeds=1):
    splits = [make_split(store, spec, seed) for seed in range(seeds)]
    return make_entries(rows, store, splits, cache=tmp_path / "cache"), splits


def test_the_baselines_stand_beside_every_encoder(store, tmp_path):
    found, _ = entries([Row("mine", made(method="moco"))], store, tmp_path)
    kinds = [entry.kind for entry in found]
    adapted = ["untrained, adapted"] * 2
    imagenet = ["ImageNet"] * (imagenet_file() is not None)
    kinds_wanted = ["pretrained", *["untrained"] * 2, *adapted, *imagenet, "raw pixels", "majority"]
    assert kinds == [*kinds_wanted, *["nuisance"] * 3]
    assert set(found[0].baselines) == {entry.method for entry in found[1:-3]}
    assert [entry.name for entry in found[-3:]] == ["mean colour", "rim", "order in time"]


def test_sessions_alone_are_a_baseline_where_there_are_several(table, tmp_path):
    contract = replace(CONTRACT, streams=("finger",), reference=None)
    found, splits = entries([Row("mine", made(contract=contract))], table, tmp_path)
    session = next(entry for entry in found if entry.name == "session only")
    np.testing.assert_array_equal(session.features(splits[0], 0).argmax(1), table.sessions == "s1")


def test_each_architecture_and_contract_has_its_own_untrained_encoder(store, tmp_path):
    plain = replace(CONTRACT, reference=None)
    rows = [Row("difference", made(method="moco")), Row("plain", made(method="moco", contract=plain))]
    found, _ = entries(rows, store, tmp_path)
    first, second = found[:2]
    assert first.method != second.method
    untrained = [entry.baselines[0] for entry in (first, second)]
    assert untrained[0] != untrained[1]
    assert set(untrained) == {entry.method for entry in found if entry.kind == "untrained"}
    assert sum(entry.kind == "raw pixels" for entry in found) == 2


def test_pretraining_seeds_of_a_method_are_one_group(store, tmp_path):
    rows = [Row(f"moco-{seed}", made(seed, method="moco")) for seed in range(3)]
    found, _ = entries([*rows, Row("other", made(9, method="moco"), label="moco, hotter")], store, tmp_path)
    assert [entry.method for entry in found[:4]] == ["moco"] * 3 + ["moco, hotter"]


def test_the_share_of_test_objects_seen_in_pretraining_is_counted(store, tmp_path):
    objects = np.unique(store.objects).tolist()
    rows = [
        Row("all", made(method="a", pretraining_objects=objects)),
        Row("third", made(method="b", pretraining_objects=objects[:4])),
        Row("none", made(method="c", pretraining_objects=["another object"])),
        Row("silent", made(method="d")),
    ]
    found, _ = entries(rows, store, tmp_path)
    assert [entry.saw_test_objects for entry in found[:4]] == [1, pytest.approx(1 / 3), 0, None]


def per_fold(split, objects, folds=3):
    encoders = []
    for fold in range(folds):
        unseen = {name.rsplit("-", 1)[0] for name in split.folds[fold].test}
        seen = [name for name in objects if name not in unseen]
        encoders.append(made(fold, method="moco", split_hash=split.hash, fold=fold, pretraining_objects=seen))
    return encoders


def test_each_fold_is_tested_with_the_encoder_that_did_not_see_it(store, tmp_path):
    split = make_split(store, "object:3", 0)
    objects = np.unique(store.objects).tolist()
    row = Row("fair", per_fold(split, objects)[::-1])
    assert [row.encoder(split, fold).meta["fold"] for fold in range(3)] == [0, 1, 2]
    assert row.saw_test_objects(store, [split]) == 0
    found, _ = entries([row], store, tmp_path)
    features = [found[0].features(split, fold) for fold in range(3)]
    assert not np.allclose(features[0], features[1])
    assert len(found[0].facts["hashes"]) == 3


def test_an_encoder_of_another_split_is_refused(store):
    split = make_split(store, "object:3", 0)
    row = Row("fair", per_fold(split, np.unique(store.objects).tolist(), folds=2))
    with pytest.raises(EncoderError, match="no encoder for fold 2"):
        row.encoder(split, 2)
    with pytest.raises(EncoderError, match="no encoder for fold 0"):
        row.encoder(make_split(store, "object:3", 1), 0)


def test_several_encoders_must_say_which_fold_is_theirs():
    with pytest.raises(EncoderError, match="split_hash and fold"):
        Row("mixed", [made(0), made(1)])


def test_a_folder_of_encoders_is_one_row(store, tmp_path):
    split = make_split(store, "object:3", 0)
    for encoder in per_fold(split, []):
        folder = tmp_path / "fair" / f"fold-{encoder.meta['fold']}"
        save_encoder(folder, encoder.backbone, ARCHITECTURE, CONTRACT, encoder.meta)
    (row,) = load_rows([tmp_path / "fair"])
    assert row.name == "fair"
    assert row.encoder(split, 2).meta["fold"] == 2


def test_rows_are_named_by_what_tells_them_apart(tmp_path):
    for folder in ("a/final", "b/final", "b/last"):
        encoder = made()
        save_encoder(tmp_path / folder, encoder.backbone, ARCHITECTURE, CONTRACT, {})
    rows = load_rows([tmp_path / "a/final", f"hot={tmp_path}/b/final", tmp_path / "b/last"])
    assert [(row.name, row.label) for row in rows] == [("a/final", None), ("b/final", "hot"), ("last", None)]


def test_no_encoder_a_missing_one_and_the_same_one_twice_are_errors(encoders, tmp_path):
    with pytest.raises(EncoderError, match="no encoder was given"):
        load_rows([])
    with pytest.raises(EncoderError, match="not an encoder"):
        load_rows([tmp_path / "nowhere"])
    with pytest.raises(EncoderError, match="given twice"):
        load_rows([encoders[0], f"again={encoders[0]}"])


def test_a_sum_of_encoders_lays_their_features_side_by_side(store, encoders, tmp_path):
    left, right = encoders
    rows = load_rows([left, f"both={left}+{right}", right])
    assert [row.name for row in rows] == ["moco-11", "moco-11 + moco-12", "moco-12"]
    assert rows[1].method == "both"
    found, splits = entries(rows, store, tmp_path)
    one, both, other = (entry.features(splits[0], 0) for entry in found[:3])
    np.testing.assert_array_equal(both, np.concatenate([one, other], axis=1))
    assert found[1].facts["hashes"] == [found[0].facts["hashes"][0], found[2].facts["hashes"][0]]


def test_a_sum_is_compared_with_untrained_networks_and_pixels_laid_side_by_side_too(
    store, encoders, tmp_path
):
    found, splits = entries(load_rows([encoders[0], f"{encoders[0]}+{encoders[1]}"]), store, tmp_path)
    width = {entry.name: entry.features(splits[0], 0).shape[1] for entry in found}
    alone, both = (entry.baselines[0] for entry in found[:2])
    assert alone != both
    assert width[f"{both} 0"] == 2 * width[f"{alone} 0"]
    raw = [entry.name for entry in found if entry.kind == "raw pixels"]
    assert sorted(width[name] for name in raw) == [3072, 6144]


def test_a_folder_with_a_plus_in_its_name_is_one(encoders, tmp_path):
    (tmp_path / "a+b").symlink_to(encoders[0])
    (row,) = load_rows([tmp_path / "a+b"])
    assert row.beside == ()


def test_a_joint_space_is_a_row_for_each_modality_and_one_for_all(joint, joint_folder):
    rows = load_rows([joint_folder, f"again={joint_folder}/encoders/sight"])
    assert [row.name for row in rows] == ["cross · sight", "cross · touch", "cross · sight + touch", "sight"]
    assert [row.method for row in rows[:3]] == [
        "cross_modal · sight",
        "cross_modal · touch",
        "cross_modal · sight + touch",
    ]
    assert [part.first.hash for part in rows[2].parts] == [each.hash for each in joint.encoders.values()]
    assert load_rows([f"mine={joint_folder}"])[2].method == "mine · sight + touch"
    with pytest.raises(EncoderError, match="a joint space cannot be added"):
        load_rows([f"{joint_folder}+{joint_folder}/encoders/sight"])


def test_kinds_are_told_apart_in_the_fewest_words(joint_folder):
    alone = load_rows([joint_folder])
    kinds = [row.kind for row in alone]
    assert list(tell_apart(kinds).values()) == [
        "tactile_right",
        "tactile_left",
        "tactile_right + tactile_left",
    ]
    plain = tuple((architecture, replace(contract, reference=None)) for architecture, contract in kinds[0])
    assert list(tell_apart([kinds[0], plain]).values()) == ["during − before", "during"]
    assert tell_apart(kinds[:1]) == {kinds[0]: ""}
    assert len(set(tell_apart([*kinds, plain]).values())) == 4


def test_part_of_a_sum_that_saw_a_test_object_is_enough(store):
    objects = np.unique(store.objects).tolist()
    half, rest = (
        made(seed, pretraining_objects=some) for seed, some in enumerate((objects[:6], objects[6:]))
    )
    splits = [make_split(store, "object:3", 0)]
    assert Row("one", half).saw_test_objects(store, splits) == pytest.approx(0.5)
    assert Row("both", half, beside=(Row("two", rest),)).saw_test_objects(store, splits) == 1
    assert Row("both", half, beside=(Row("two", made(2)),)).saw_test_objects(store, splits) is None


def test_an_adapted_encoder_is_made_for_the_fold_it_was_adapted_to(store):
    split = make_split(store, "object:3", 0)
    plain = made(0, method="moco", fingerprint=store.fingerprint, pretraining_objects=[])
    folds = []
    for fold in range(3):
        train, _ = split.indices(store, fold)
        folds.append(adapted(plain, store, train, about={"split_hash": split.hash, "fold": fold}))
    row = Row("fair", folds[::-1])
    assert [row.encoder(split, fold).hash for fold in range(3)] == [each.hash for each in folds]
    assert row.saw_test_objects(store, [split]) == 0
    # The pretraining saw the whole store.
    assert row.saw_test_trials(store, [split]) is True
    elsewhere = [with_meta(each, fingerprint="another") for each in folds]
    assert Row("fair", elsewhere).saw_test_trials(store, [split]) is False
    everything = adapted(with_meta(plain, fingerprint="another"), store, np.arange(len(store)))
    assert Row("all", everything).saw_test_trials(store, [split]) is True
    assert Row("all", everything).saw_test_objects(store, [split]) == 1


def with_meta(encoder, **changes):
    """The same encoder with another meta."""
    changed = copy.copy(encoder)
    changed.meta = {**encoder.meta, **changes}
    return changed


def test_a_row_is_adapted_inside_each_fold_if_asked(store, tmp_path, monkeypatch):
    seen = []

    def spy(encoder, store, trials, **settings):
        seen.append(set(trials.tolist()))
        return adapted(encoder, store, trials, **settings)

    monkeypatch.setattr("visuotactile.probes.rows.adapted", spy)
    split = make_split(store, "object:3", 0)
    found = make_entries([Row("mine", made(method="moco"))], store, [split], cache=None, adapt=True)
    assert [entry.method for entry in found[:2]] == ["moco", "moco, adapted"]
    assert found[1].baselines == found[0].baselines
    plain, fitted = (entry.features(split, 1) for entry in found[:2])
    assert not np.allclose(plain, fitted)
    assert seen == [set(split.indices(store, 1)[0].tolist())]


def test_the_rim_and_the_mean_colour_know_nothing_of_the_middle(store):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    images[1] = images[0]
    images[1, 10:20, 10:20] = images[0, 10:20, 10:20][::-1]
    contract = replace(CONTRACT, reference=None, normalisation="dataset", mean=(0.5,) * 3, std=(0.2,) * 3)
    rim = Rim(contract).encode(images)
    assert rim.shape == (2, 3 * (32**2 - 28**2))
    np.testing.assert_array_equal(rim[0], rim[1])
    np.testing.assert_allclose(MeanColour(contract).encode(images), images.mean((1, 2)) / 255, rtol=1e-5)


def test_the_order_in_time_counts_all_trials_and_those_of_the_session(table, tmp_path):
    contract = replace(CONTRACT, streams=("finger",), reference=None)
    found, splits = entries([Row("mine", made(contract=contract))], table, tmp_path)
    time = next(entry for entry in found if entry.name == "order in time").features(splits[0], 0)
    np.testing.assert_array_equal(time[:, 0], np.arange(len(table)))
    for session in np.unique(table.sessions):
        mine = time[table.sessions == session, 1]
        np.testing.assert_array_equal(mine, np.arange(len(mine)))
