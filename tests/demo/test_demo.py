"""The demo: everything, small, and continued where it stopped."""

from __future__ import annotations

import dataclasses
import html
import shlex
from pathlib import Path

import pytest

from visuotactile import cli
from visuotactile.demo import configs as demo_configs
from visuotactile.demo import run as demo
from visuotactile.errors import DataError, OutputExistsError


def test_the_demo_ends_with_its_pages_and_continues_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"epochs": 1, "colors": ("success",)}
    monkeypatch.setattr(demo, "SIMULATED", dataclasses.replace(demo.SIMULATED, **small))
    fewer = {
        "GRASPS": 30,
        "REGRASPS": 12,
        "EPISODES": 1,
        "WORKERS": 1,
        "OBJECTS": "golf-ball,mug-03",
        "CAMERA": 32,
    }
    for name, less in fewer.items():
        monkeypatch.setattr(demo, name, less)
    for name, less in {"BACKBONE": "test_resnet", "SIZE": 32, "BATCH": 16, "STEPS": 4}.items():
        monkeypatch.setattr(demo_configs, name, less)
    out = tmp_path / "demo"
    demo.run(out=out)
    pages = [
        out / part for part in ("trials.html", "report/report.html", "map/map.html", "regrasping/report.html")
    ]
    stamps = [page.stat().st_mtime_ns for page in pages]
    printed = capsys.readouterr().out
    assert "simulated" in printed
    assert all(str(page) in printed for page in pages)
    commands = [line[2:] for line in printed.splitlines() if line.startswith("$ ")]
    for command in commands:
        name, *words = shlex.split(command)[1:]
        assert name in cli.TRAINING or cli.parse([name, *words])
    for page in pages:
        of_this_page = [each for each in commands if html.escape(each) in page.read_text(encoding="utf-8")]
        assert len(of_this_page) == 1, f"{page} does not say which command of the demo made it"
    pages[2].with_name("map.json").unlink()
    demo.run(out=out)
    kept = [0, 1, 3]
    assert [pages[i].stat().st_mtime_ns for i in kept] == [stamps[i] for i in kept]
    assert pages[2].stat().st_mtime_ns > stamps[2]
    with pytest.raises(OutputExistsError, match="another seed"):
        demo.run(out=out, seed=1)


def test_the_demo_of_gentle_grasping_ends_with_films_to_listen_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = {"GENTLE": 12, "GENTLE_CAMERA": 32, "GENTLE_STEPS": 2, "GENTLE_EPISODES": 1, "WORKERS": 1}
    for name, less in fewer.items():
        monkeypatch.setattr(demo, name, less)
    demo.run("gentle", out=tmp_path)
    printed = capsys.readouterr().out
    for page in (tmp_path / "trials.html", tmp_path / "gentle_grasping" / "report.html"):
        assert str(page) in printed
        assert "<audio" in page.read_text(encoding="utf-8")
    with pytest.raises(OutputExistsError, match="gentle"):
        demo.run(out=tmp_path)
    with pytest.raises(DataError, match="takes no data"):
        demo.run("gentle", out=tmp_path, data=tmp_path)


def test_the_demo_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings that the demo knows"):
        demo.run(out=tmp_path / "demo", data=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="not empty"):
        demo.run(out=tmp_path)
