"""From a store to an estimator, its report, and the hardness of a user's own clip."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visuotactile.cli import main
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.estimation import features


@pytest.fixture(scope="module")
def presses(tmp_path_factory: pytest.TempPathFactory, press_trials) -> Path:
    """A store of the eight presses, each three times, and a split of it."""
    folder = tmp_path_factory.mktemp("presses")

    def trial(i: int) -> Trial:
        one = press_trials[i % 8]
        return Trial(
            name=f"press-{i:02d}",
            streams=one.streams,
            object=one.object,
            session=f"session-{i // 8}",
            sensor=one.sensor,
            outcomes=one.outcomes,
            hidden={"force_peak": one.hidden["force_peak"]},
            columns={"radius": one.hidden["radius"]},
        )

    store = write_store(
        folder / "store",
        lambda indices: (trial(i) for i in indices),
        dataset="simulated-presses",
        source="",
        settings={},
        names=[f"press-{i:02d}" for i in range(24)],
        example=trial(0),
    )
    make_split(store, "object:2", 0).save(folder / "split.json")
    return folder


@pytest.fixture(scope="module")
def fitted(presses: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contact fit, measured into a cache of its own."""
    cache = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(cache))
    words = ["--store", str(presses / "store"), "--radius", "radius", "--split", str(presses / "split.json")]
    assert main(["estimate", "fit", "contact", *words, "--out", str(presses / "contact")]) == 0
    patch.undo()
    return presses / "contact"


@pytest.fixture(scope="module")
def frames(presses: Path) -> Path:
    """Folder of the frames of the sixth press, the bare gel first."""
    store, folder = Store(presses / "store"), presses / "clip"
    folder.mkdir()
    bare = store.read("tactile", "before", np.array([5]))
    whole = np.concatenate([bare, store.read("tactile", "during", np.array([5]))[0]])
    for t, frame in enumerate(whole):
        Image.fromarray(frame).save(folder / f"{t}.png")
    return folder


def test_the_report_has_both_radius_rows_and_every_clip(presses: Path, fitted: Path, tmp_path: Path) -> None:
    words = ["--store", str(presses / "store"), "--split", str(presses / "split.json")]
    assert main(["estimate", "evaluate", str(fitted), *words, "--out", str(tmp_path / "report")]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [row["name"] for row in report["estimators"]] == [
        "contact, radius known",
        "contact, radius unknown",
    ]
    known = report["estimators"][0]
    assert known["seen_objects"] == 0
    assert known["units"] == 4
    assert {"rmse", "rmse_share", "r2", "coverage"} <= set(known["figures"])
    assert set(known["scales"]) >= {"Shore 00"}
    assert {"log_modulus", "radius", "force_peak"} <= set(known["conditions"])
    rows = list(csv.DictReader((tmp_path / "report" / "predictions.csv").open()))
    assert len(rows) == 2 * known["clips"]
    for page in ("report.md", "report.html"):
        assert "% of range" in (tmp_path / "report" / page).read_text()


def test_the_training_store_is_refused_without_its_split(presses, fitted, tmp_path, capsys) -> None:
    words = ["--store", str(presses / "store"), "--out", str(tmp_path / "report")]
    assert main(["estimate", "evaluate", str(fitted), *words]) == 2
    assert "give its split" in capsys.readouterr().err


def test_hardness_of_a_folder_of_frames_with_a_page(fitted, frames, tmp_path, capsys) -> None:
    page = tmp_path / "page.html"
    words = ["estimate", "hardness", str(fitted), str(frames), "--radius-mm", "12", "--out", str(page)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert re.search(r"clip +│ +\d+", said)
    text = page.read_text()
    assert "Simulated" in text
    assert text.count("<svg") == 2
    assert text.count("data:image/webp") == 1 + 2 * 8
    assert "R/E*" in text
    assert "://" not in text.replace("http://www.w3.org", "")
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_clip_without_contact_is_refused_in_one_sentence(fitted, frames, tmp_path, capsys) -> None:
    for number in range(4):
        shutil.copy(frames / "0.png", tmp_path / f"{number}.png")
    assert main(["estimate", "hardness", str(fitted), str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.endswith("shows no contact: nothing changes against the bare gel; press harder")


def test_a_radius_that_is_no_length_is_refused(fitted, frames, capsys) -> None:
    assert main(["estimate", "hardness", str(fitted), str(frames), "--radius-mm", "-3"]) == 2
    assert "expected millimetres" in capsys.readouterr().err


def test_frozen_features_from_the_command_line(presses, frames, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(features, "EPOCHS", 2)
    contract = InputContract(
        streams=("tactile",), size=32, normalisation="dataset", mean=(0.0,) * 3, std=(0.1,) * 3
    )
    encoder = untrained_encoder("test_resnet", contract, 0)
    save_encoder(tmp_path / "encoder", encoder.backbone, "test_resnet", contract, {"seed": 0})
    store = ["--store", str(presses / "store"), "--encoder", str(tmp_path / "encoder")]
    for head in ("ridge", "gru"):
        out = ["--head", head, "--out", str(tmp_path / head)]
        assert main(["estimate", "fit", "features", *store, *out]) == 0
        assert main(["estimate", "hardness", str(tmp_path / head), str(frames)]) == 0
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1  # both heads measure alike
    assert main(["estimate", "hardness", str(tmp_path / "gru"), str(frames), "--radius-mm", "12"]) == 2
    assert "fitted for unknown radii" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["estimate"], "estimate needs one of fit, evaluate, hardness"),
        (["estimate", "hardnes"], "did you mean hardness"),
        (["estimate", "hardness", "nowhere", "clip"], "nowhere does not exist"),
        (["estimate", "fit", "contact", "--store", "STORE", "--out", "o"], "contact mechanics is fitted"),
        (["estimate", "fit", "features", "--store", "STORE", "--out", "o"], "come from an encoder"),
        (["estimate", "fit", "contact", "--store", "STORE", "--out", "o", "--radius", "radios"], "radius"),
    ],
)
def test_what_cannot_be_done_is_said(presses, words, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main([str(presses / "store") if word == "STORE" else word for word in words]) == 2
    assert message in capsys.readouterr().err
