"""Collection: parallel, resumable, and the same bytes whatever the number of workers."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, OutputExistsError, SimulationError
from visuotactile.probes.task import make_task
from visuotactile.sim.collect import collect

SMALL = {"trials": 4, "camera_size": 32, "shard_trials": 3, "progress": False}


def bytes_of(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect("grasp", tmp_path_factory.mktemp("lab") / "store", **SMALL).path


def test_two_workers_write_the_bytes_of_one(whole: Path, tmp_path: Path) -> None:
    collect("grasp", tmp_path / "store", workers=2, **SMALL)
    assert bytes_of(tmp_path / "store") == bytes_of(whole)


def test_a_killed_collection_loses_at_most_the_shard_in_work(whole: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    code = (
        "import sys; from visuotactile.sim.collect import collect; print('go', flush=True); "
        f"collect('grasp', sys.argv[1], **{SMALL!r})"
    )
    chance = random.Random(0)
    for _ in range(4):
        before = {path.name: path.read_bytes() for path in store.glob("shard-*.h5")}
        process = subprocess.Popen([sys.executable, "-c", code, str(store)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.1, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        after = {path.name: path.read_bytes() for path in store.glob("shard-*.h5")}
        assert before.items() <= after.items()
        assert after.items() <= bytes_of(whole).items()
    collect("grasp", store, **SMALL)
    assert bytes_of(store) == bytes_of(whole)


def test_the_command_collects_and_refuses_to_collect_over_another(whole: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ["collect", "grasp", "--trials", "2", "--store", str(store), "--camera-size", "32"]
    assert main([*words, "--scheme", "single", "--objects", "easy", "--seed", "3"]) == 0
    assert len(Store(store)) == 2
    assert main([*words, "--scheme", "single", "--objects", "hard"]) == 2
    with pytest.raises(OutputExistsError):
        collect("grasp", store, trials=3, progress=False)


def test_what_only_the_simulator_knows_is_no_target_and_no_short_name(whole: Path) -> None:
    store = Store(whole)
    assert np.isfinite(store.column("hidden/mass")).all()
    with pytest.raises(ContractError, match="not an outcome"):
        make_task(store, "hidden/mass", "object:2", seeds=1)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="grasp, gentle, press, connectors"):
        collect("juggle", tmp_path / "store")
