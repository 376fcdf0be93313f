from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
from unittest import mock

import numpy as np
import pytest
import wandb
from matplotlib.colors import to_rgb
from page_helpers import HOSTILE, Page, outside
from PIL import Image
from sklearn.datasets import make_blobs
from wandb_helpers import records

from visuotactile.datasets.splits import make_split
from visuotactile.encoders import load_encoder
from visuotactile.errors import ContractError, EncoderError, OutputExistsError, StoreError
from visuotactile.maps.embedding import Color, Points, agreement, lay_out, read_color, reduce, trust
from visuotactile.maps.figure import palette
from visuotactile.maps.publish import publish_map
from visuotactile.maps.run import _page, embedding_map
from visuotactile.probes.rows import Row

COLORS = ["object", "success", "hidden/contact_area"]


@pytest.fixture(scope="module")
def made(store, encoders, tmp_path_factory):
    out = tmp_path_factory.mktemp("map")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        embedding_map(encoders[:1], store.path, COLORS, out)
    return out


@pytest.fixture
def content(made) -> dict:
    return json.loads((made / "map.json").read_text())


def payload(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_the_untrained_encoder_is_always_beside(content):
    assert [panel["name"] for panel in content["panels"]] == ["moco-11", "untrained"]
    for panel in content["panels"]:
        assert np.asarray(panel["points"]).shape == (48, 2)
        assert 0.5 < panel["trustworthiness"] <= 1


def test_hidden_truth_may_colour_and_numbers_and_names_are_told_apart(content):
    kinds = {color["name"]: color["categories"] for color in content["colors"]}
    assert len(kinds["object"]) == 12
    assert kinds["success"] == ["0", "1"]
    assert kinds["hidden/contact_area"] is None


def test_the_page_needs_nothing_else_and_holds_every_touch(made):
    html = (made / "map.html").read_text()
    assert outside(html) == []
    data = payload(html)
    sheet = re.search(r'const sheet = "data:image/jpeg;base64,([^"]+)"', html)[1]
    picture = Image.open(io.BytesIO(base64.b64decode(sheet)))
    thumbnail = data["thumbnail"]
    assert thumbnail["count"] == len(data["names"]) == 48
    assert picture.width == thumbnail["across"] * thumbnail["width"]
    assert picture.height * picture.width >= 48 * thumbnail["width"] * thumbnail["height"]


def test_the_figure_is_a_png_wide_enough_for_print(made):
    assert Image.open(made / "map.png").width > 1000


def test_a_hostile_name_stays_inside_the_data(content):
    content["objects"][0] = content["panels"][0]["name"] = HOSTILE
    color = Color("object", np.zeros(48), (HOSTILE,))
    content["colors"] = [{"name": "object", "categories": [HOSTILE], "values": [0.0] * 48}]
    html = _page(content, [color], np.zeros((48, 4, 5, 3), np.uint8), HOSTILE)
    assert [tag for tag, _ in Page(html).tags].count("script") == 2
    assert payload(html)["objects"][0] == HOSTILE


def test_more_trials_than_points_are_drawn_at_random(store, encoders, tmp_path):
    found = embedding_map(encoders[:1], store, ["object"], tmp_path / "out", max_points=20, seed=1)
    assert (found["shown"], found["trials"]) == (20, 48)
    assert len(set(found["names"])) == 20


def test_a_finished_map_is_not_overwritten_unasked(made, store, encoders):
    with pytest.raises(OutputExistsError, match="overwrite"):
        embedding_map(encoders[:1], store, ["object"], made)


def test_unknown_columns_methods_and_fold_rows_are_refused(store, encoders, tmp_path):
    with pytest.raises(StoreError, match="weather"):
        embedding_map(encoders, store, ["weather"], tmp_path)
    with pytest.raises(ContractError, match="no column to colour by"):
        embedding_map(encoders, store, [], tmp_path)
    with pytest.raises(ContractError, match="expected tsne or umap"):
        embedding_map(encoders, store, ["object"], tmp_path, method="pca")
    parts = [load_encoder(folder) for folder in encoders]
    for fold, part in enumerate(parts):
        part.meta |= {"split_hash": "x", "fold": fold}
    with pytest.raises(EncoderError, match="one encoder per fold"):
        embedding_map([Row("fair", parts)], store, ["object"], tmp_path)


@pytest.fixture(scope="module")
def joint_map(store, joint_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("joint map")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        embedding_map([joint_folder], store, COLORS, out)
    return out


def test_a_joint_space_has_a_point_for_each_modality_of_each_trial(joint_map, store):
    content = json.loads((joint_map / "map.json").read_text())
    assert [panel["name"] for panel in content["panels"]] == ["cross", "untrained"]
    assert content["modalities"] == ["touch", "sight"], "dark is touch, light is sight"
    assert np.asarray(content["panels"][0]["points"]).shape == (96, 2)
    assert content["modality"] == [0, 1] * 48
    assert content["names"] == np.repeat(store.names, 2).tolist()
    assert content["picture"] == np.repeat(np.arange(48), 2).tolist()
    assert len(content["colors"][0]["values"]) == 96


def test_touch_is_dark_and_sight_is_light_in_every_colour(joint_map):
    html = (joint_map / "map.html").read_text()
    assert outside(html) == []
    data = payload(html)
    assert data["thumbnail"]["count"] == 48
    for color in data["colors"]:
        touch, sight = (np.array([to_rgb(each) for each in shades]) for shades in color["palettes"])
        assert (touch.sum(1) < sight.sum(1)).all()
        assert len({tuple(shade) for shade in np.concatenate([touch, sight]).tolist()}) == 2 * len(touch)
    assert Image.open(joint_map / "map.png").width > 1000


def test_cross_modal_neighbours_tell_a_joint_space_from_two_sorted_ones():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    blobs = 5 * np.eye(3, 8)[labels]
    points = Points.of(60, ("touch", "sight"))
    color = Color("blob", np.repeat(labels, 2).astype(float), ("a", "b", "c"))
    alone = np.repeat(np.arange(60), 2)
    for other, joined in ((blobs, True), (5 * np.eye(3, 8)[(labels + 1) % 3], False)):
        reduced = np.stack([blobs, other], 1).reshape(120, 8) + rng.normal(0, 0.1, (120, 8))
        assert (agreement(reduced, color, alone, points).value == 1) is joined
        assert (agreement(reduced, color, alone, points).value == 0) is not joined


def test_only_the_test_side_is_drawn_when_a_split_is_given(store, encoders, tmp_path):
    found = embedding_map(encoders[:1], store, ["object"], tmp_path / "out", split="object:3", fold=1)
    _, test = make_split(store, "object:3").indices(store, 1)
    assert found["names"] == store.names[test].tolist()
    assert "test side of fold 1 of object:3" in (tmp_path / "out" / "map.html").read_text()


def test_encoders_and_joint_spaces_are_not_drawn_in_one_map(store, encoders, joint_folder, tmp_path):
    with pytest.raises(ContractError, match="draw two maps"):
        embedding_map([encoders[0], joint_folder], store, ["object"], tmp_path / "out")
    with pytest.raises(EncoderError, match="give each alone"):
        embedding_map([f"{encoders[0]}+{encoders[1]}"], store, ["object"], tmp_path / "out")


def test_umap_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ContractError, match=r"visuotactile\[umap\]"):
        lay_out(np.random.default_rng(0).normal(size=(20, 4)), "umap", 0)


def test_wandb_is_not_imported_where_nobody_asks_for_it(monkeypatch, store, encoders, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails
    embedding_map(encoders[:1], store, ["object"], tmp_path / "without")


def test_blobs_come_out_as_blobs_and_noise_as_noise():
    features, blob = make_blobs(90, 20, centers=3, random_state=0)
    reduced = reduce(features.astype(np.float32))
    points = lay_out(reduced, "tsne", 0)
    assert np.abs(points).max() == pytest.approx(1)
    assert trust(reduced, points) > 0.85
    alone = np.arange(90)
    found = agreement(reduced, Color("blob", blob.astype(float), ("a", "b", "c")), alone)
    assert found.kind == "purity"
    assert found.value > 0.95
    assert found.chance == pytest.approx(29 / 89)
    noise = np.random.default_rng(0).integers(3, size=90).astype(float)
    found = agreement(reduced, Color("noise", noise, ("a", "b", "c")), alone)
    assert found.value == pytest.approx(found.chance, abs=0.06)
    number = agreement(reduced, Color("x", features[:, 0].astype(float), None), alone)
    assert number.kind == "correlation"
    assert number.value > 0.8
    assert agreement(reduced, Color("same", np.ones(90), ("a",)), alone) is None


def test_an_objects_own_trials_do_not_vouch_for_its_colour():
    # Each object is a tight cluster of its own with a random, mostly constant label: nothing generalises.
    rng = np.random.default_rng(0)
    objects = np.repeat(np.arange(30), 6)
    features = (rng.normal(size=(30, 10))[objects] + rng.normal(0, 0.01, (180, 10))).astype(np.float32)
    labels = rng.integers(2, size=30)[objects].astype(float)
    labels[::6] = 1 - labels[::6]
    found = agreement(reduce(features), Color("success", labels, ("0", "1")), objects)
    assert found.others
    assert found.value == pytest.approx(found.chance, abs=0.12)


def test_few_whole_numbers_are_categories_and_many_are_a_scale(store):
    everything = np.arange(len(store))
    assert read_color(store, "success", everything).categories == ("0", "1")
    assert read_color(store, "action/depth", everything).categories is None
    assert read_color(store, "session", everything).categories == ("simulated",)


@pytest.mark.parametrize("count", [2, 8, 12, 106])
def test_no_two_categories_share_a_colour(count):
    assert len(set(palette(count))) == count


@pytest.mark.parametrize(
    ("chosen", "logged_in", "mode"),
    [(None, False, "offline"), (None, True, "online"), ("offline", True, "offline")],
)
def test_wandb_is_offline_unless_logged_in(content, tmp_path, monkeypatch, chosen, logged_in, mode):
    if chosen:
        monkeypatch.setenv("WANDB_MODE", chosen)
    else:
        monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    asked = {}

    def init(**settings):
        asked.update(settings)
        raise InterruptedError

    monkeypatch.setattr(wandb, "login", lambda **_: logged_in)
    monkeypatch.setattr(wandb, "init", init)
    with pytest.raises(InterruptedError):
        publish_map(tmp_path, content, np.zeros((48, 4, 5, 3), np.uint8))
    assert asked["mode"] == mode
    assert "WANDB_DATA_DIR" not in os.environ


def test_the_wandb_table_has_a_line_for_each_modality(joint_map, tmp_path, monkeypatch):
    content = json.loads((joint_map / "map.json").read_text())
    (tmp_path / "map.png").write_bytes((joint_map / "map.png").read_bytes())
    lines = []

    class Table:
        def __init__(self, columns):
            lines.append(columns)

        def add_data(self, *line):
            lines.append(line)

    run = mock.Mock(dir=str(tmp_path / "wandb" / "run" / "files"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    monkeypatch.setattr(wandb, "Table", Table)
    publish_map(tmp_path, content, np.zeros((48, 4, 5, 3), np.uint8))
    columns, *rows = lines
    assert columns[:4] == ["trial", "modality", "picture", "object"]
    assert len(rows) == 96
    assert {len(row) for row in rows} == {len(columns)}
    assert [row[1] for row in rows[:2]] == ["touch", "sight"]
    assert rows[0][2] is rows[1][2]


def test_the_offline_wandb_run_holds_picture_and_table(store, encoders, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    out = tmp_path / "out"
    embedding_map(encoders[:1], store, ["object", "success"], out, wandb=True)
    wandb.teardown()  # waits until the log is on disk
    (log,) = out.glob("wandb/offline-run-*/run-*.wandb")
    found = records(log)
    history = {
        ".".join(item.nested_key) or item.key: json.loads(item.value_json)
        for record in found
        if record.WhichOneof("record_type") == "history"
        for item in record.history.item
    }
    assert history["map/picture._type"] == "image-file"
    picture = log.parent / "files" / history["map/picture.path"]
    assert Image.open(picture).size == Image.open(out / "map.png").size
    assert history["map/trials.nrows"] == 48
    (artifact,) = [r.artifact for r in found if r.WhichOneof("record_type") == "artifact"]
    files = {entry.path: entry.local_path for entry in artifact.manifest.contents}
    assert all(path.startswith(str(out)) for path in files.values())
    (table,) = [path for name, path in files.items() if name.endswith(".table.json")]
    with open(table, encoding="utf-8") as file:
        rows = json.load(file)
    assert rows["columns"][:3] == ["trial", "touch", "object"]
    assert len(set(rows["columns"])) == len(rows["columns"]), "a column is logged twice"
    assert [row[0] for row in rows["data"]] == store.names.tolist()
    touches = [row[1]["path"] for row in rows["data"]]
    assert all(touch in files for touch in touches)
    assert Image.open(files[touches[0]]).height == 48
