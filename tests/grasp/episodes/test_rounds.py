"""Rounds: each collects with what the one before learnt, and a kill at any moment changes nothing."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rounds_helpers import OBJECTS, SMALL, write_config

from visuotactile.cli import main
from visuotactile.cli.rounds import rounds as run
from visuotactile.configs import FOLDER as CONFIGS
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, OutputExistsError, UsageError, VisuotactileError
from visuotactile.files import read_json, write_json
from visuotactile.grasp.episodes import rounds as module
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.grasp.predictor.module import PredictorModule
from visuotactile.sim.grasps import GraspCollection
from visuotactile.training.checkpoints import read_checkpoint
from visuotactile.training.folder import LAST


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The order of a sum follows the number of threads, and other tests in this process may change that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps of a tiny network."""
    return write_config(tmp_path_factory.mktemp("config") / "tiny.yaml")


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random round and two on-policy ones, made without an interruption."""
    out = tmp_path_factory.mktemp("rounds") / "whole"
    run(out, config, **SMALL, rounds=2)
    return out


class PowerError(RuntimeError):
    """The power went."""


def results(out: Path, last: int = 2) -> dict[str, bytes]:
    """Every store, predictor and row up to a round."""
    kept = ("store.json", "shard-*.h5", "predictor.*", "round.json")
    return {
        str(path.relative_to(out)): path.read_bytes()
        for number in range(last + 1)
        for name in kept
        for path in (out / f"round-{number}").rglob(name)
    }


def test_each_round_collects_with_the_predictor_of_the_one_before(whole: Path) -> None:
    hashes = [read_json(whole / f"round-{k}/predictor/predictor.json", DataError)["hash"] for k in range(3)]
    stores = [Store(whole / f"round-{k}/grasps") for k in range(3)]
    policies = [store.index["settings"]["policy"] for store in stores]
    assert policies[0] is None
    assert [policy["hashes"] for policy in policies[1:]] == [[known] for known in hashes[:2]]
    assert len(set(hashes)) == 3
    numbers = [np.unique(store.column("column/grasp")).tolist() for store in stores]
    assert numbers == [[*range(12)], [*range(12, 17)], [*range(17, 22)]]


def test_each_round_learns_from_all_rounds_so_far(whole: Path) -> None:
    for k, store in enumerate((whole / "round-0/grasps", whole / "round-1/joined", whole / "round-2/joined")):
        found = Store(store)
        assert len(found) == 3 * (12 + 5 * k)
        meta = load_predictor(whole / f"round-{k}/predictor").meta
        assert meta["data"]["fingerprint"] == found.fingerprint
        assert meta["calibration"]["method"] == "platt"


def test_held_out_objects_are_the_same_in_every_round_and_never_learnt_from(whole: Path) -> None:
    data = [load_predictor(whole / f"round-{k}/predictor").meta["data"] for k in range(3)]
    assert data[0]["held_out_objects"] == data[1]["held_out_objects"] == data[2]["held_out_objects"]
    for k, about in enumerate(data):
        assert not set(about["training_objects"]) & set(about["held_out_objects"])
        store = Store(whole / ("round-0/grasps" if k == 0 else f"round-{k}/joined"))
        learnt = ~np.isin(store.objects, about["held_out_objects"])
        assert about["training_examples"] == learnt.sum() < len(store)


def test_the_table_says_what_the_stores_do(whole: Path) -> None:
    report = read_json(whole / "rounds.json", DataError)
    assert report["settings"]["objects"] == OBJECTS
    for k, row in enumerate(report["rounds"]):
        store = Store(whole / f"round-{k}/grasps")
        held = store.column("success")[store.column("example") == "stay"]
        unseen = np.isin(store.objects[store.column("example") == "stay"], row["held_out_objects"])
        assert row["grasps"] == len(held)
        assert row["held_out_grasps"] == unseen.sum()
        found = row["outcomes"]["success"]
        assert found["success"]["value"] == pytest.approx(held.mean())
        assert found["held_out_success"]["value"] == pytest.approx(held[unseen].mean())
        assert found["own"]["examples"] == 3 * unseen.sum()
        assert found["first"]["examples"] == report["rounds"][0]["outcomes"]["success"]["own"]["examples"]
        assert ("own_before" in found) == (k > 0)
    table = (whole / "rounds.md").read_text()
    assert "simulated" in table
    assert "| 0 | at random | 12 |" in table
    assert "| 2 | by predictor 1, ε 0.2 | 5 |" in table
    assert f"| 2 | {report['rounds'][2]['training_examples']} | " in table


def test_what_is_finished_is_kept_and_more_rounds_are_added(
    config: Path, whole: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(whole, tmp_path / "out")
    shutil.rmtree(out / "round-2")
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("round-*/*/*")}
    run(out, config, **SMALL, rounds=2)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert results(out) == results(whole)
    assert (out / "rounds.md").read_bytes() == (whole / "rounds.md").read_bytes()
    assert len(run(out, config, **SMALL, rounds=1)) == 2, "fewer are told of, none are lost"
    assert (out / "round-2/predictor/predictor.json").exists()


def test_the_power_may_go_after_each_part(
    config: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: set[str] = set()

    def failing(owner: Any, part: str) -> Callable[..., Any]:
        real = getattr(owner, part)

        def call(*arguments: Any, **options: Any) -> Any:
            told = [each for each in arguments if not isinstance(each, GraspCollection)]
            said, result = f"{part}{told}", real(*arguments, **options)
            if said in gone or "--print_config" in said:
                return result
            gone.add(said)
            raise PowerError

        return call

    for part in ("join", "train", "export_predictor", "write_report"):
        monkeypatch.setattr(module, part, failing(module, part))
    monkeypatch.setattr(GraspCollection, "__call__", failing(GraspCollection, "__call__"))
    for _ in range(4 + 5):
        with pytest.raises(PowerError):
            run(tmp_path / "out", config, **SMALL, rounds=1)
    run(tmp_path / "out", config, **SMALL, rounds=1)
    assert results(tmp_path / "out") == results(whole, last=1)


def test_a_killed_command_goes_on(config: Path, whole: Path, tmp_path: Path) -> None:
    out, chance = tmp_path / "out", random.Random(0)
    code = (
        "import sys; from pathlib import Path; import torch; "
        "from visuotactile.cli.rounds import rounds as run; "
        "torch.set_num_threads(1); print('go', flush=True); "
        f"run(Path(sys.argv[1]), Path(sys.argv[2]), **{SMALL!r}, rounds=1)"
    )
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code, out, config], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.3, 3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    run(out, config, **SMALL, rounds=1)
    assert results(out) == results(whole, last=1)


def test_a_run_that_was_stopped_while_it_was_validated_last_is_calibrated_all_the_same(
    config: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PredictorModule.validation_step

    def stop(self: PredictorModule, batch: Any, index: int) -> None:
        if self.global_step == 4:
            raise PowerError
        real(self, batch, index)

    with monkeypatch.context() as patched:
        patched.setattr(PredictorModule, "validation_step", stop)
        with pytest.raises(PowerError):
            run(tmp_path / "out", config, **SMALL, rounds=0)
    described = read_checkpoint(tmp_path / "out/round-0/run" / LAST)["visuotactile"]
    assert (described["step"], described["validated"]["step"]) == (4, 2)
    run(tmp_path / "out", config, **SMALL, rounds=0)
    name = "round-0/predictor/predictor.json"
    assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()


def test_a_predictor_of_another_store_is_not_gone_on_with(config: Path, whole: Path, tmp_path: Path) -> None:
    out = shutil.copytree(whole, tmp_path / "out")
    for part in ("predictor", "round.json"):
        path = out / "round-1" / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(out / "round-0/predictor", out / "round-1/predictor")
    with pytest.raises(DataError, match=r"round-1/predictor was trained on another store than .*joined"):
        run(out, config, **SMALL, rounds=1)
    # A first predictor that was made again is another one than that which collected the second round.
    shutil.rmtree(out / "round-0/predictor")
    shutil.copytree(out / "round-2/predictor", out / "round-0/predictor")
    with pytest.raises(DataError, match=r"round-0/predictor was trained on another store than .*grasps"):
        run(out, config, **SMALL, rounds=1)


def test_rounds_begun_with_other_settings_are_refused(config: Path, whole: Path, tmp_path: Path) -> None:
    before = results(whole)
    for name, other in {"trials": 6, "epsilon": 0.9, "seed": 1, "camera_size": 48}.items():
        with pytest.raises(OutputExistsError, match=f"other settings: {name} .* → {other};"):
            run(whole, config, **{**SMALL, name: other})
    with pytest.raises(OutputExistsError, match="other settings: config_sha256 "):
        run(whole, write_config(tmp_path / "wider.yaml", width=33), **SMALL)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(OutputExistsError, match="not empty and holds no rounds"):
        run(tmp_path / "thesis", config, **SMALL)
    assert results(whole) == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first": 4}, "expected at least 5 "),
        ({"trials": 0}, "trials=0"),
        ({"rounds": -1}, "rounds=-1"),
        ({"epsilon": 1.5}, "epsilon is 1.5"),
        ({"camera_size": 3}, "camera_size=3"),
        ({"seed": -1}, "seed=-1"),
        ({"objects": "unicorn"}, "unicorn"),
    ],
)
def test_a_mistake_is_told_before_anything_is_begun(
    wrong: dict[str, Any], said: str, config: Path, tmp_path: Path
) -> None:
    with pytest.raises(VisuotactileError, match=said):
        run(tmp_path / "out", config, **{**SMALL, **wrong})
    assert not (tmp_path / "out").exists()


def test_a_configuration_that_trains_no_predictor_is_refused_before_anything_is_simulated(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"moco.yaml trains no predictor"):
        run(out, "laptop/moco", **SMALL)
    with pytest.raises(UsageError, match="no shipped configuration"):
        run(out, tmp_path / "nowhere.yaml", **SMALL)
    config = read_json(write_config(tmp_path / "config.yaml"), DataError)
    for name, value in {"split": "split.json", "held_out": 0.0}.items():
        data = {**config["data"], "init_args": {**config["data"]["init_args"], name: value}}
        write_json(tmp_path / "other.yaml", {**config, "data": data})
        with pytest.raises(DataError, match=f"other.yaml has {name}: {value}; rounds take no split"):
            run(out, tmp_path / "other.yaml", **SMALL)
    config["data"]["init_args"]["held_back"] = 0.1
    write_json(tmp_path / "misspelt.yaml", config)
    words = ["rounds", "--first", "9", "--trials", "5", "--objects", OBJECTS, "--out", str(out)]
    assert main([*words, "--config", str(tmp_path / "misspelt.yaml")]) == 2
    assert "held_back" in capfd.readouterr().err
    assert not out.exists()


def test_the_shipped_configurations_are_taken(tmp_path: Path) -> None:
    for config in CONFIGS.glob("**/predictor.yaml"):
        module._check_config(config)
