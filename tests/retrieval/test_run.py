"""The retrieval report on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from page_helpers import HOSTILE, Page, outside

from visuotactile.encoders.joint import load_joint, save_joint
from visuotactile.errors import EncoderError, OutputExistsError
from visuotactile.retrieval.page import markdown, page
from visuotactile.retrieval.run import retrieve
from visuotactile.retrieval.spaces import SpaceRow, load_spaces, untrained_space


@pytest.fixture(scope="module")
def report(store, joint, joint_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("retrieval")
    second = untrained_space(joint, 5)
    second.meta |= {"method": "cross_modal", "fingerprint": "another"}
    save_joint(out / "second", second)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr("visuotactile.retrieval.evaluation.UNTRAINED_DRAWS", 2)
        retrieve([f"twice={joint_folder}", f"twice={out / 'second'}"], store.path, "random:24/24", out)
    return out


@pytest.fixture
def content(report) -> dict:
    return json.loads((report / "retrieval.json").read_text())


def test_every_figure_has_interval_chance_baseline_pool_and_command(content):
    assert content["pool"]["size"] == 24
    assert content["pool"]["interval"]["resampled"] == "trials"
    assert content["provenance"]["command"]
    assert [(method["name"], method["kind"]) for method in content["methods"]] == [
        ("twice", "pretrained"),
        ("untrained", "untrained"),
    ]
    for method in content["methods"]:
        for measured in ("recall@1", "recall@5", "recall@10", "median_rank"):
            for way in ("sight → touch", "touch → sight"):
                figure = method["figures"][measured]["all"][way]
                assert figure["low"] <= figure["value"] <= figure["high"]
                assert figure["chance"] is not None
                assert figure["encoder_spread"] is not None
    assert content["methods"][0]["figures"]["recall@10"]["all"]["sight → touch"]["chance"] == pytest.approx(
        10 / 24, abs=1e-6
    )
    assert content["methods"][0]["against_untrained"]["recall@10"]["all"]["sight → touch"]["low"] is not None
    assert content["methods"][1]["against_untrained"] is None
    assert set(content["methods"][0]["figures"]["purity"][""]) == {"sight", "touch", "sight + touch"}


def test_what_is_searched_and_what_the_intervals_cover_is_said(content, report):
    notes = " ".join(content["notes"])
    assert "the 24 test trials of fold 0 of split random:24/24" in notes
    assert "2,000 bootstrap resamples of the trials: the objects are in the training side too" in notes
    for text in ((report / name).read_text() for name in ("retrieval.md", "retrieval.html")):
        assert "24 test trials" in text


def test_the_page_needs_nothing_else_and_shows_what_is_found(report):
    text = (report / "retrieval.html").read_text()
    assert outside(text) == []
    assert "<script" not in text
    pictures = [attributes for tag, attributes in Page(text).tags if tag == "img"]
    assert len(pictures) == 2 * 4 * 7


def test_a_hostile_name_is_only_text(content):
    named = json.loads(json.dumps(content).replace("twice", json.dumps(HOSTILE)[1:-1]))
    named["pool"]["dataset"] = named["headline"]["text"] = named["notes"][0] = HOSTILE
    answer = {"name": HOSTILE, "object": HOSTILE, "picture": "data:,", "right": True}
    query = {"query": answer, "rank": 1, "answers": [answer], "right": answer}
    html = page(named, [{"way": HOSTILE, "queries": [query]}])
    assert all(tag != "script" for tag, _ in Page(html).tags)
    assert "".join(Page(html).text).count("alert(") >= 5
    lines = markdown(named).splitlines()
    assert not any("<script" in line for line in lines if not line.startswith("    "))


def test_a_finished_report_is_not_overwritten_unasked(report, store, joint_folder):
    with pytest.raises(OutputExistsError, match="overwrite"):
        retrieve([joint_folder], store, "object:3", report)


def test_the_group_is_that_of_the_pretraining_unless_one_is_given(store, joint_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("visuotactile.retrieval.evaluation.UNTRAINED_DRAWS", 2)
    space = load_joint(joint_folder)
    space.meta["group"] = "object+success"
    found = retrieve([SpaceRow("mine", space)], store, "random:24/24", tmp_path / "out")
    assert found["pool"]["group"] == "object+success"
    assert found["pool"]["groups"] < 24
    assert any("Several correct answers" in note for note in found["notes"])
    rows = [SpaceRow("mine", space), SpaceRow("other", load_joint(joint_folder))]
    with pytest.raises(EncoderError, match=r"different groups.*--group"):
        retrieve(rows, store, "random:24/24", tmp_path / "two")


def test_what_pretraining_saw_stands_beside_the_headline(store, joint_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("visuotactile.retrieval.evaluation.UNTRAINED_DRAWS", 2)
    rows = []
    for name, meta in {
        "half": {"pretraining_objects": np.unique(store.objects)[:6].tolist()},
        "unknown": {},
    }.items():
        space = load_joint(joint_folder)
        space.meta = space.meta | meta if meta else {}
        rows.append(SpaceRow(name, space, name))
    found = retrieve(rows, store, "random:24/24", tmp_path / "out")
    (other,) = found["headline"]["pretraining_of_others"]
    for said in (
        "half: images (not labels) of 50% of the test objects were seen in pretraining, but no test trial.",
        "unknown: the trials seen in pretraining were not recorded.",
    ):
        assert said == other or found["headline"]["text"].endswith(said)
        assert said in (tmp_path / "out" / "retrieval.html").read_text().partition("<h2>")[0]
        assert said in (tmp_path / "out" / "retrieval.md").read_text().partition("\n## ")[0]


def test_no_space_a_missing_one_and_the_same_one_twice_are_errors(joint_folder, encoders, tmp_path):
    with pytest.raises(EncoderError, match="no joint space was given"):
        load_spaces([])
    with pytest.raises(EncoderError, match="not a joint space"):
        load_spaces([encoders[0]])
    with pytest.raises(EncoderError, match="given twice"):
        load_spaces([joint_folder, f"again={joint_folder}"])
