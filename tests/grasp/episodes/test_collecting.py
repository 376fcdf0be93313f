"""A planner that collects: its choices are the same whoever asks, and some of them at random."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planner_helpers import REGRASP
from predictor_helpers import predictor

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, EncoderError, OutputExistsError, PlanError, StoreError
from visuotactile.grasp.episodes.collecting import EpsilonGreedy
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import loaded, save_predictor
from visuotactile.sim.collect import collect
from visuotactile.sim.grasps import Grasps

SMALL: dict[str, Any] = {"trials": 4, "camera_size": 32, "progress": False}
NAMES = REGRASP.names


def save(folder: Path, seed: int = 0) -> Path:
    save_predictor(folder, predictor(seed), Calibration.none(1), {}, overwrite=True)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small predictor that looks and feels, with random weights."""
    return save(tmp_path_factory.mktemp("predictors") / "one")


def observation(seed: int = 0) -> dict[str, Any]:
    """An observation of the simulated lab."""
    rng = np.random.default_rng(seed)
    streams = ("rgb", "tactile_left", "tactile_right")
    images = {
        f"{stream}/{phase}": rng.integers(256, size=(40, 40, 3), dtype=np.uint8)
        for stream in streams
        for phase in ("before", "during")
    }
    images["depth/during"] = rng.integers(9999, size=(40, 40), dtype=np.uint16)
    return {
        **images,
        "pose": np.array([0, 0, 0.05, 0.3], np.float32),
        "force": np.array([7], np.float32),
        "cylinder": np.array([0, 0, 0.03, 0.1], np.float32),
    }


def choices(policy: EpsilonGreedy, count: int, seeds: int = 0) -> np.ndarray:
    seen = observation()
    chosen = (policy(seen, np.random.default_rng((seeds, i))) for i in range(count))
    return np.array([[choice.action[name] for name in NAMES] for choice in chosen])


def test_a_choice_follows_from_the_observation_and_the_generator(folder: Path) -> None:
    policy = EpsilonGreedy(folder, search="cem")
    again = pickle.loads(pickle.dumps(policy))
    np.testing.assert_array_equal(choices(policy, 10), choices(again, 10))
    assert not np.array_equal(choices(policy, 10), choices(policy, 10, seeds=1))


def test_as_many_choices_are_random_as_were_asked_for(folder: Path) -> None:
    greedy, some, any_of_all = (
        choices(EpsilonGreedy(folder, epsilon, search="cem"), 120) for epsilon in (0.0, 0.3, 1.0)
    )
    planned, drawn = (np.all(some == others, axis=1) for others in (greedy, any_of_all))
    assert np.array_equal(planned, ~drawn)
    assert 0.2 < drawn.mean() < 0.4
    # Uniform over the action space: mean and spread of each dimension are those of its bounds.
    low, high = np.array(REGRASP.low), np.array(REGRASP.high)
    unit = (any_of_all - low) / (high - low)
    assert (unit >= 0).all()
    assert (unit <= 1).all()
    np.testing.assert_allclose(unit.mean(0), 0.5, atol=0.07)
    np.testing.assert_allclose(unit.std(0), 12**-0.5, atol=0.04)


def test_a_greedy_choice_is_the_best_that_the_predictor_knows_of(folder: Path) -> None:
    network = predictor(0)
    seen = observation()
    batch = {name: torch.from_numpy(seen[name])[None] for name in seen if name.split("/")[0] != "depth"}
    with torch.no_grad():
        state = network.encode(batch)
        scores = network.score(state, REGRASP.sample(2000, torch.Generator().manual_seed(9))[None])[0, :, 0]
        chosen = torch.tensor(choices(EpsilonGreedy(folder, 0.0), 3), dtype=torch.float32)
        best = network.score(state, chosen[None])[0, :, 0]
    assert (best >= scores.quantile(0.995)).all()


def test_the_number_of_threads_changes_no_choice_and_stays_what_it_was(folder: Path) -> None:
    policy, found = EpsilonGreedy(folder, 0.0), []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(choices(policy, 2))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_it_travels_to_a_worker_without_its_weights(folder: Path) -> None:
    assert len(pickle.dumps(EpsilonGreedy(folder))) < 2000


def test_two_workers_collect_the_bytes_of_one(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        # Two grasps to a shard: neighbouring shards are made by different workers.
        collect(
            "grasp",
            tmp_path / str(workers),
            workers=workers,
            policy=EpsilonGreedy(folder, 0.5),
            shard_trials=6,
            **SMALL,
        )
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / str(workers)).iterdir()} for workers in (1, 2)
    )
    assert one == two


def test_a_store_says_which_predictor_chose_wherever_that_lies(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    settings = EpsilonGreedy(moved, 0.25).settings
    assert settings == EpsilonGreedy(folder, 0.25).settings
    store = collect("grasp", tmp_path / "store", policy=EpsilonGreedy(moved, 0.25), **SMALL)
    name = "visuotactile.grasp.episodes.collecting:EpsilonGreedy"
    assert store.index["settings"]["policy"] == {"class": name, **settings}
    assert len(settings["hashes"][0]) == 64
    assert str(tmp_path) not in (store.path / "store.json").read_text()


def test_a_collection_goes_on_with_the_predictor_that_it_was_begun_with(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(folder, tmp_path / "mine")
    options = {**SMALL, "shard_trials": 3}
    whole = collect("grasp", tmp_path / "whole", policy=EpsilonGreedy(mine), **options)
    real = Grasps._simulate

    def stop(self: Grasps, grasp: int) -> list[Trial]:
        if grasp == 2:
            raise RuntimeError("the power went")
        return real(self, grasp)

    with monkeypatch.context() as patched:
        patched.setattr(Grasps, "_simulate", stop)
        with pytest.raises(RuntimeError, match="the power went"):
            collect("grasp", tmp_path / "store", policy=EpsilonGreedy(mine), **options)
    begun = EpsilonGreedy(mine)
    save(mine, seed=1)
    for other in (EpsilonGreedy(mine), EpsilonGreedy(folder, 0.9), EpsilonGreedy(folder, search="cem"), None):
        with pytest.raises(StoreError, match=r"begun with other settings: settings\."):
            collect("grasp", tmp_path / "store", policy=other, **options)
        with pytest.raises(OutputExistsError, match="other settings"):
            collect("grasp", whole.path, policy=other, **options)
    loaded.cache_clear()
    with pytest.raises(EncoderError, match="mine holds another predictor than when this began"):
        begun(observation(), np.random.default_rng())
    found = collect("grasp", tmp_path / "store", policy=EpsilonGreedy(folder), **options)
    for path in whole.path.iterdir():
        assert (found.path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(folder: Path, epsilon: float) -> None:
    with pytest.raises(PlanError, match="epsilon is"):
        EpsilonGreedy(folder, epsilon)


def test_a_folder_without_a_predictor_is_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is not a predictor"):
        EpsilonGreedy(tmp_path)


def test_an_image_that_the_predictor_needs_is_asked_for_by_name(folder: Path) -> None:
    seen = {name: value for name, value in observation().items() if name != "tactile_left/before"}
    with pytest.raises(ContractError, match="lacks tactile_left/before"):
        EpsilonGreedy(folder, 0.0)(seen, np.random.default_rng(0))


def test_the_command_takes_a_predictor_or_the_name_of_a_function(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(store: str, *more: str) -> int:
        words = ["collect", "grasp", "--trials", "2", "--camera-size", "32", "--store", str(tmp_path / store)]
        return main([*words, *more])

    assert run("a", "--policy", str(folder), "--epsilon", "0.5", "--first", "40") == 0
    store = Store(tmp_path / "a")
    assert store.index["settings"]["policy"]["epsilon"] == 0.5
    assert store.names[0] == "grasp-000040-regrasp"
    assert run("b", "--policy", "lab_policies:straight_down") == 0
    for words in (["--policy", "lab_policies:straight_down", "--epsilon", "0.1"], ["--epsilon", "0.1"]):
        assert run("c", *words) == 2
        assert "--epsilon is for a planner" in capsys.readouterr().err
    assert run("c", "--policy", str(tmp_path / "no such predictor")) == 2
    assert "expected MODULE:NAME, such as my_lab:choose, or a predictor's folder" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
