"""The demo: everything, small, and continued where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from visuotactile.demo import configs as demo_configs
from visuotactile.demo import run as demo
from visuotactile.errors import DataError, OutputExistsError


def test_the_demo_ends_with_a_report_and_a_map_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {**demo.SIMULATED.__dict__, "epochs": 1, "colors": ("success",)}
    monkeypatch.setattr(demo, "SIMULATED", demo.Plan(**small))
    for name, less in (("GRASPS", 80), ("REGRASPS", 30), ("EPISODES", 1)):
        monkeypatch.setattr(demo, name, less)
    monkeypatch.setattr(demo_configs, "STEPS", 4)
    demo.run(tmp_path / "demo")
    pages = [
        tmp_path / "demo" / part
        for part in ("trials.html", "report/report.html", "map/map.html", "regrasping/report.html")
    ]
    stamps = [page.stat().st_mtime_ns for page in pages]
    assert "simulated" in capsys.readouterr().out
    pages[2].with_name("map.json").unlink()
    demo.run(tmp_path / "demo")
    kept = [0, 1, 3]
    assert [pages[i].stat().st_mtime_ns for i in kept] == [stamps[i] for i in kept]
    assert pages[2].stat().st_mtime_ns > stamps[2]
    with pytest.raises(OutputExistsError, match="another seed"):
        demo.run(tmp_path / "demo", seed=1)


def test_the_demo_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings that the demo knows"):
        demo.run(tmp_path / "demo", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="not empty"):
        demo.run(tmp_path)
