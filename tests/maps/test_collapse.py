"""A collapse is drawn and said: a map is what one draws to see it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract, save_encoder, untrained_encoder
from visuotactile.encoders.joint import load_joint, save_joint
from visuotactile.maps.embedding import collapse, distinct, lay_out, rank, reduce, trust
from visuotactile.maps.run import embedding_map

SOME = np.random.default_rng(0).normal(size=(40, 16))
FEATURES = {
    "equal": np.ones((40, 16)),
    "zero": np.zeros((40, 16)),
    "equal but for rounding": 1 + 1e-7 * SOME,
    "of two values": np.repeat(SOME[:2], 20, axis=0),
    "of one value but for one": np.vstack([np.ones((39, 16)), np.zeros((1, 16))]),
    "on a line": np.outer(SOME[:, 0], SOME[0]),
    "half equal": np.vstack([np.ones((20, 16)), SOME[20:]]),
    "tiny": 1e-30 * SOME,
    "subnormal": 1e-44 * np.round(2 * SOME),
    "huge": 1e30 * SOME,
    "at the limit": 3e38 * np.sign(SOME),
    "of one dimension": SOME[:, :1],
    "of two dimensions": SOME[:, :2],
}
RANKS = {"equal": 0, "zero": 0, "equal but for rounding": 0, "of two values": 1, "on a line": 1, "tiny": 16}


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        *((kind, "tsne") for kind in FEATURES),
        *((kind, "umap") for kind in ("equal", "of two values", "huge")),
    ],
)
def test_every_kind_of_features_is_laid_out(kind: str, method: str) -> None:
    if method == "umap":
        pytest.importorskip("umap")
    features = FEATURES[kind].astype(np.float32)
    for standardise in (True, False):
        reduced = reduce(features, standardise=standardise)
        points = lay_out(reduced, method, 0)
        assert points.shape == (40, 2)
        assert np.isfinite(points).all()
        assert np.abs(points).max() == pytest.approx(float(rank(features) > 0))
        assert (trust(reduced, points) is None) == (rank(features) == 0)
        same = (features[:, None] == features[None]).all(axis=2)
        assert (points[:, None] == points[None]).all(axis=2)[same].all(), "equal features lie at one place"


@pytest.mark.parametrize("kind", RANKS)
def test_the_rank_of_features_is_told_from_rounding(kind: str) -> None:
    assert rank(FEATURES[kind].astype(np.float32)) == RANKS[kind]


def test_each_kind_of_collapse_has_its_sentence_and_healthy_features_none() -> None:
    def said(features: np.ndarray) -> str | None:
        kept = features.astype(np.float32)
        return collapse("moco", kept, len(distinct(reduce(kept))[0]))

    assert "of all 40 points are identical (rank 0)" in str(said(FEATURES["equal"]))
    assert "have rank 1; only 2 of 40 points differ" in str(said(FEATURES["of two values"]))
    assert "have rank 1: the network has collapsed" in str(said(FEATURES["on a line"]))
    assert "21 of 40 points have features of their own" in str(said(FEATURES["half equal"]))
    assert "hardly differ (spread 0.0" in str(said(1 + 1e-3 * SOME))
    assert said(SOME) is said(FEATURES["of two dimensions"]) is said(FEATURES["tiny"]) is None


def test_points_that_differ_are_laid_out_as_ever() -> None:
    first, place = distinct(reduce(SOME.astype(np.float32)))
    np.testing.assert_array_equal(first, np.arange(40))
    np.testing.assert_array_equal(place, np.arange(40))


def test_the_map_of_a_collapsed_encoder_shows_and_says_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = untrained_encoder("test_resnet", InputContract(("tactile_left",), size=32), 0)
    with torch.no_grad():
        for parameter in encoder.backbone.parameters():
            parameter.zero_()
    save_encoder(tmp_path / "moco", encoder.backbone, "test_resnet", encoder.contract, {"method": "moco"})
    argv = ["map", str(tmp_path / "moco"), "--store", str(store.path), "--colors", "object"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    said = "moco: the features of all 48 points are identical (rank 0)"
    log = " ".join(capsys.readouterr().out.split())
    assert said in log
    assert "untrained:" not in log
    assert (tmp_path / "out" / "map.html").read_text().partition('id="choose"')[0].count(said) == 1
    collapsed, untrained = json.loads((tmp_path / "out" / "map.json").read_text())["panels"]
    assert said in collapsed["collapse"]
    assert collapsed["points"] == [[0, 0]] * 48
    assert collapsed["trustworthiness"] is collapsed["agreement"]["object"] is None
    assert untrained["collapse"] is None
    assert untrained["trustworthiness"] > 0.5
    assert Image.open(tmp_path / "out" / "map.png").width > 1000


def test_the_map_of_identical_images_says_it_of_every_network(tmp_path: Path) -> None:
    def trial(i: int) -> Trial:
        image = np.full((32, 32, 3), 90, np.uint8)
        return Trial(name=f"t{i:02d}", object=f"o{i % 3}", streams={"finger": {"during": image}})

    store = write_store(
        tmp_path / "store",
        lambda indices: (trial(i) for i in indices),
        dataset="same",
        source="made up",
        settings={},
        names=[f"t{i:02d}" for i in range(12)],
        example=trial(0),
    )
    contract = InputContract(("finger",), reference=None, size=32)
    encoder = untrained_encoder("test_resnet", contract, 5)
    save_encoder(tmp_path / "moco", encoder.backbone, "test_resnet", contract, {"method": "moco"})
    found = embedding_map([tmp_path / "moco"], store, ["object"], tmp_path / "out")
    assert [panel["points"] for panel in found["panels"]] == [[[0, 0]] * 12] * 2
    assert all("are identical (rank 0)" in panel["collapse"] for panel in found["panels"])


def test_the_map_of_a_collapsed_joint_space_says_it(store: Store, joint_folder: Path, tmp_path: Path) -> None:
    space = load_joint(joint_folder)
    for name, value in (("sight", 1.0), ("touch", -1.0)):
        for parameter in space.heads[name].parameters():
            parameter.zero_()
        space.heads[name][2].bias.fill_(value)
    save_joint(tmp_path / "joint", space)
    found = embedding_map([tmp_path / "joint"], store, ["object"], tmp_path / "out")
    assert "have rank 1; only 2 of 96 points differ" in found["panels"][0]["collapse"]
    assert len(np.unique(found["panels"][0]["points"], axis=0)) == 2
