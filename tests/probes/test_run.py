from __future__ import annotations

import json

import numpy as np
import pytest
from page_helpers import HOSTILE, Page, outside

from visuotactile.datasets.splits import make_split
from visuotactile.encoders import InputContract, load_encoder, untrained_encoder
from visuotactile.encoders.imagenet import imagenet_file
from visuotactile.errors import ContractError, OutputExistsError, StoreError
from visuotactile.probes.page import markdown, page
from visuotactile.probes.rows import Row
from visuotactile.probes.run import probe


@pytest.fixture(scope="module")
def report(store, encoders, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
        probe(
            encoders,
            store.path,
            "success",
            "object:3",
            out,
            probes=("knn", "linear"),
            budgets=(0.1, 1.0),
            seeds=2,
            within="session",
        )
    return out


@pytest.fixture
def content(report) -> dict:
    return json.loads((report / "report.json").read_text())


def test_every_figure_has_interval_seeds_baselines_units_and_command(content):
    assert content["task"]["units"] == {"trials": 48, "objects": 12, "sessions": 1, "unlabelled": 0}
    assert content["task"]["interval"] == {
        "level": 0.95,
        "resampled": "objects",
        "instead_of": None,
        "units": 12,
        "draws": 2000,
    }
    assert content["provenance"]["command"]
    assert content["provenance"]["versions"]["scikit-learn"]
    assert [method["name"] for method in content["methods"]] == [
        "moco",
        "untrained",
        "untrained, adapted",
        *["ImageNet"] * (imagenet_file() is not None),
        "raw pixels",
        "majority",
        "mean colour",
        "rim",
        "order in time",
    ]
    for method in content["methods"]:
        for metric in ("auroc", "accuracy", "balanced_accuracy", "object_accuracy"):
            for name in ("knn", "linear"):
                figure = method["figures"][metric][name]
                assert figure["low"] <= figure["value"] <= figure["high"]
                assert len(figure["per_seed"]) == 2
    assert content["methods"][0]["against_untrained"]["auroc"]["linear"]["low"] is not None
    gain = content["methods"][0]["against_best_baseline"]["auroc"]["linear"]
    baselines = {
        name: method["figures"]["auroc"]["linear"]["value"]
        for method in content["methods"]
        if (name := method["name"]) in content["methods"][0]["baselines"]
    }
    assert gain["baseline"] == max(baselines, key=baselines.get)
    assert gain["baseline"] in content["headline"]["text"]
    claim = content["claims"]["moco"]
    assert claim["value"] == gain["value"]
    assert claim["holm_p"] == claim["p"]  # one claim needs no correction
    assert content["methods"][0]["entries"] == ["moco-11", "moco-12"]
    assert content["methods"][0]["figures"]["auroc"]["knn"]["encoder_spread"] is not None


def test_the_budget_curve_has_every_method_that_learns(content):
    for point in content["budgets"]["points"]:
        assert {"moco", "untrained", "untrained, adapted", "raw pixels"} <= set(point["figures"])
        assert not {"majority", "rim", "mean colour"} & set(point["figures"])
    assert [point["share"] for point in content["budgets"]["points"]] == [0.1, 1.0]


def test_pretraining_on_test_objects_is_said_in_words(content, report):
    said = "moco: images (not labels) of 50% of the test objects were seen in pretraining."
    assert content["headline"]["text"].endswith(said)
    for name in ("report.html", "report.md"):
        text = (report / name).read_text()
        assert text.count(said) == 1
        assert said in "\n".join(text[text.index(content["headline"]["text"][:40]) :].splitlines()[:1])


def test_what_the_other_methods_saw_stands_there_too(content):
    others = [f"{name}: no test object was seen in pretraining." for name in ("second", "third")]
    named = json.loads(json.dumps(content))
    named["headline"]["pretraining_of_others"] = others
    for text in (page(named, []).partition("<h2>")[0], markdown(named).partition("\n## ")[0]):
        assert all(said in text for said in others)


def test_each_tested_object_has_its_accuracy(content, store):
    assert {row["name"] for row in content["objects"]} == set(store.objects)
    hardest = [row["figure"]["moco"] for row in content["objects"]]
    assert hardest == sorted(hardest)


def test_the_page_needs_nothing_else(report):
    text = (report / "report.html").read_text()
    assert outside(text) == []
    assert "<script" not in text
    pictures = [attributes["src"] for tag, attributes in Page(text).tags if tag == "img"]
    assert len(pictures) >= 2
    assert "prefers-color-scheme: dark" in text


def test_a_hostile_name_is_only_text(content, tmp_path):
    named = json.loads(json.dumps(content).replace("raw pixels", json.dumps(HOSTILE)[1:-1]))
    named["objects"][0]["name"] = named["task"]["dataset"] = named["task"]["split"]["name"] = HOSTILE
    named["headline"]["text"] = named["notes"][0] = named["provenance"]["command"] = HOSTILE
    sample = {
        "name": HOSTILE,
        "object": HOSTILE,
        "label": "0",
        "predicted": "1",
        "right": False,
        "recorded": "data:,",
        "seen": "data:,",
    }
    html = page(named, [sample])
    assert all(tag != "script" for tag, _ in Page(html).tags)
    assert "".join(Page(html).text).count("alert(") >= 5
    lines = markdown(named).splitlines()
    assert not any("<script" in line for line in lines if not line.startswith("    "))
    width = {line.replace("\\|", "").count("|") for line in lines if line.startswith("| " + "&lt;script")}
    assert len(width) > 0
    assert all(count in (4, 3 + len(content["methods"])) for count in width)


def test_a_finished_report_is_not_overwritten_unasked(report, store, encoders):
    before = (report / "report.json").read_bytes()
    with pytest.raises(OutputExistsError, match="overwrite"):
        probe(encoders, store, "success", "object:3", report)
    assert (report / "report.json").read_bytes() == before


def test_the_report_of_fold_encoders_saw_no_test_object(store, encoders, tmp_path, monkeypatch):
    monkeypatch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
    split = make_split(store, "object:2", 3)
    split.save(tmp_path / "split.json")
    parts = []
    for fold, folder in enumerate(encoders):
        part = load_encoder(folder)
        train, _ = split.indices(store, fold)
        part.meta |= {
            "split_hash": split.hash,
            "fold": fold,
            "pretraining_objects": np.unique(store.objects[train]).tolist(),
        }
        parts.append(part)
    found = probe(
        [Row("fair", parts)],
        store,
        "success",
        tmp_path / "split.json",
        tmp_path / "out",
        probes=("linear",),
        budgets=(),
        seeds=1,
    )
    assert found["methods"][0]["pretraining_saw_test_objects"] == 0
    assert found["headline"]["text"].endswith("moco: no test object was seen in pretraining.")
    assert "Label budget" not in (tmp_path / "out" / "report.html").read_text()


def test_three_classes_and_a_fixed_split_are_reported_too(table, tmp_path, monkeypatch):
    monkeypatch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
    contract = InputContract(streams=("finger",), reference=None, size=32)
    row = Row("mine", untrained_encoder("resnet10t", contract, 7))
    found = probe(
        [row],
        table,
        "grade",
        "column:official",
        tmp_path / "out",
        probes=("svm", "linear"),
        budgets=(1.0,),
        seeds=2,
        within="session",
    )
    assert set(found["task"]["classes"]) == {"0", "1", "2"}
    assert found["task"]["units"] == {"trials": 50, "objects": 5, "sessions": 2, "unlabelled": 0}
    names = [method["name"] for method in found["methods"]]
    imagenet = ["ImageNet"] * (imagenet_file() is not None)
    adapted = "untrained, adapted"
    assert names[:-4] == ["untrained (given)", "untrained", adapted, *imagenet, "raw pixels", "majority"]
    assert names[-4:] == ["mean colour", "rim", "session only", "order in time"]
    assert any("5 objects are few" in note for note in found["notes"])
    assert "the objects seen in pretraining were not recorded" in found["headline"]["text"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"probes": ("forest",)}, ContractError, "forest"),
        ({"probes": ()}, ContractError, "at least one probe"),
        ({"budgets": (0.0,)}, ContractError, r"\(0, 1\]"),
        ({"seeds": 0}, ContractError, "at least 1"),
        ({"within": "weather"}, StoreError, "weather"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_computed(store, encoders, tmp_path, change, error, words):
    with pytest.raises(error, match=words):
        probe(encoders, store, "success", "object:3", tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


def test_telling_objects_apart_by_sight_touch_and_both_is_reported(
    store, joint_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
    out = tmp_path / "out"
    found = probe(
        [joint_folder], store, "object", "random:36/12", out, probes=("linear",), budgets=(), seeds=2
    )
    names = [method["name"] for method in found["methods"]]
    assert names[:3] == ["cross_modal · sight", "cross_modal · touch", "cross_modal · sight + touch"]
    assert [name for name in names if name.startswith("untrained · ")] == [
        f"untrained · {s}" for s in ("tactile_right", "tactile_left", "tactile_right + tactile_left")
    ]
    assert found["headline"]["metric"] == "accuracy"
    assert "reaches accuracy 0." in found["headline"]["text"]
    assert "object_accuracy" not in found["metrics"]
    assert found["task"]["interval"]["resampled"] == "trials"
    assert any("The target is the object itself" in note for note in found["notes"])
    text = (out / "report.html").read_text()
    assert "95% intervals over trials" in text
    confusion = found["confusion"]
    assert confusion["classes"] == np.unique(store.objects).tolist()
    for shares in confusion["shares"]:
        assert sum(shares) == pytest.approx(1, abs=0.01) or sum(shares) == 0
    assert "Confusion matrix" in text
    assert "Confusion matrix" in (out / "report.md").read_text()


def test_whether_the_tested_trials_were_pretrained_on_is_said_where_objects_are_shared(
    store, contract, tmp_path, monkeypatch
):
    monkeypatch.setattr("visuotactile.probes.rows.UNTRAINED_DRAWS", 2)
    split = make_split(store, "random:36/12", 0)
    split.save(tmp_path / "split.json")
    said = {}
    for name, fold in (("fair", 0), ("unfair", 1)):
        encoder = untrained_encoder("resnet10t", contract, 7)
        encoder.meta = {
            "method": name,
            "fingerprint": store.fingerprint,
            "split_hash": split.hash,
            "fold": fold,
            "pretraining_objects": store.objects.tolist(),
        }
        found = probe(
            [Row(name, encoder)], store, "success", tmp_path / "split.json", tmp_path / name,
            probes=("knn",), budgets=(), seeds=1,
        )  # fmt: skip
        said[name] = found["headline"]["text"].partition(f"{name}: images")[2]
    assert said["fair"].endswith("but no test trial.")
    assert said["unfair"].endswith("possibly including test trials.")
