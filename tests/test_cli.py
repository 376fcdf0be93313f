"""The front door: which command calls which function, and how errors are told."""

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from visuotactile import cli
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import StoreError

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "demo",
    "collect",
    "convert",
    "join",
    "look",
    "split",
    "fit",
    "validate",
    "rounds",
    "export",
    "probe",
    "retrieve",
    "map",
    "regrasp",
)
OWN_COMMANDS = [name for name in COMMANDS if name not in cli.TRAINING]


def called_with(function, command):
    """Run a command; the arguments by name that reached `function`, which is replaced for that time."""
    real = pkgutil.resolve_name(function)
    with mock.patch(function.replace(":", "."), autospec=True) as recorder:
        assert cli.main(command) == 0
    ((positional, named),) = recorder.call_args_list
    return dict(inspect.signature(real).bind(*positional, **named).arguments)


def test_convert_takes_a_source_or_none():
    function = "visuotactile.datasets.convert:convert"
    store = Path("store")
    assert called_with(function, ["convert", "shapes", "store"]) == {
        "dataset": "shapes",
        "source": None,
        "store": store,
    }
    command = "convert calandra2017 recordings store --size 96 128 --jobs 2 --overwrite"
    options = "--option crop_rgb=true --option stride=3 --option rig=a=b"
    assert called_with(function, f"{command} {options}".split()) == {
        "dataset": "calandra2017",
        "source": "recordings",
        "store": store,
        "size": (96, 128),
        "options": {"crop_rgb": True, "stride": 3, "rig": "a=b"},
        "jobs": 2,
        "overwrite": True,
    }


def test_probe_passes_on_what_is_given_and_nothing_else():
    function = "visuotactile.probes.run:probe"
    least = {
        "encoders": ["a", "moco=b"],
        "store": Path("store"),
        "target": "success",
        "split": "object:5",
        "out": Path("report"),
    }
    command = "probe a moco=b --store store --target success --split object:5 --out report"
    assert called_with(function, command.split()) == least
    some = "--probes knn svm --budgets 0.1 1 --seeds 5 --within session --group grasp --cache c"
    more = "--device cuda --jobs 2 --seed 7 --overwrite"
    assert called_with(function, f"{command} {some} {more}".split()) == least | {
        "probes": ["knn", "svm"],
        "budgets": [0.1, 1.0],
        "seeds": 5,
        "within": "session",
        "group": "grasp",
        "cache": Path("c"),
        "device": "cuda",
        "n_jobs": 2,
        "seed": 7,
        "overwrite": True,
    }
    assert called_with(function, f"{command} --budgets".split())["budgets"] == []


def test_retrieve_passes_on_what_is_given_and_nothing_else():
    function = "visuotactile.retrieval.retrieve:retrieve"
    command = "retrieve a many=b --store store --split split.json --out report"
    least = {
        "spaces": ["a", "many=b"],
        "store": Path("store"),
        "split": "split.json",
        "out": Path("report"),
    }
    assert called_with(function, command.split()) == least
    some = "--fold 2 --group object+grasp --label family --where example=stay example=regrasp"
    more = "--cache c --device cuda --seed 3 --overwrite"
    assert called_with(function, f"{command} {some} {more}".split()) == least | {
        "fold": 2,
        "group": "object+grasp",
        "label": "family",
        "where": [("example", "stay"), ("example", "regrasp")],
        "cache": Path("c"),
        "device": "cuda",
        "seed": 3,
        "overwrite": True,
    }


def test_map_passes_on_what_is_given_and_nothing_else():
    command = "map a b --store store --color object success --out maps"
    least = {
        "encoders": ["a", "b"],
        "store": Path("store"),
        "colors": ["object", "success"],
        "out": Path("maps"),
    }
    function = "visuotactile.maps.map:embedding_map"
    assert called_with(function, command.split()) == least
    more = "--method umap --wandb --max-points 500 --cache c --device cuda --seed 3 --overwrite"
    more += " --split object:5 --fold 1"
    assert called_with(function, f"{command} {more}".split()) == least | {
        "method": "umap",
        "split": "object:5",
        "fold": 1,
        "wandb": True,
        "max_points": 500,
        "cache": Path("c"),
        "device": "cuda",
        "seed": 3,
        "overwrite": True,
    }


def test_export_passes_on_what_is_given():
    function = "visuotactile.training.export:export"
    found = called_with(function, ["export", "a.ckpt", "encoder", "--onnx"])
    assert found == {"checkpoint": Path("a.ckpt"), "folder": Path("encoder"), "onnx": True}
    found = called_with(function, ["export", "a.ckpt", "predictor", "--calibration", "none"])
    assert found == {"checkpoint": Path("a.ckpt"), "folder": Path("predictor"), "calibration": "none"}


def test_regrasp_passes_on_what_is_given_and_nothing_else():
    function = "visuotactile.grasp.episodes.regrasp:regrasp"
    command = "regrasp a touch=b --env Lab-v0 --objects easy --out report"
    least = {"predictors": ["a", "touch=b"], "env": "Lab-v0", "objects": "easy", "out": Path("report")}
    assert called_with(function, command.split()) == least
    some = "--trials 4 --policies planner first --objective success least_force --search cem --above 0.8"
    more = (
        "--max-regrasps 3 --films 2 --camera-size 64 --option sensor=digit --workers 2 --seed 7 --overwrite"
    )
    assert called_with(function, f"{command} {some} {more}".split()) == least | {
        "trials": 4,
        "policies": ["planner", "first"],
        "objective": ["success", "least_force"],
        "search": "cem",
        "above": 0.8,
        "max_regrasps": 3,
        "films": 2,
        "camera_size": 64,
        "env_options": {"sensor": "digit"},
        "workers": 2,
        "seed": 7,
        "overwrite": True,
    }


def test_rounds_passes_on_what_is_given_and_nothing_else():
    function = "visuotactile.grasp.episodes.rounds:run"
    command = "rounds --config a.yaml --first 1000 --trials 500 --out here"
    least = {"config": Path("a.yaml"), "first": 1000, "trials": 500, "out": Path("here")}
    assert called_with(function, command.split()) == least
    more = "--rounds 3 --objects easy --camera-size 64 --epsilon 0.1 --workers 2 --seed 7"
    assert called_with(function, f"{command} {more}".split()) == least | {
        "rounds": 3,
        "objects": "easy",
        "camera_size": 64,
        "epsilon": 0.1,
        "workers": 2,
        "seed": 7,
    }


def test_demo_passes_on_what_is_given():
    function = "visuotactile.demo.run:run"
    assert called_with(function, ["demo", "--out", "here"])["out"] == Path("here")
    found = called_with(function, ["demo", "--data", "recordings", "--out", "here", "--seed", "2"])
    assert found == {"data": Path("recordings"), "out": Path("here"), "seed": 2}


@pytest.mark.parametrize("command", cli.TRAINING)
def test_lightnings_commands_get_their_arguments_untouched(command):
    argv = [command, "--config", "a.yaml", "--help", "--data.store=s"]
    assert list(called_with("visuotactile.training.fit:main", argv).values()) == [argv]


def test_split_writes_a_split_that_can_be_read(tmp_path, capsys):
    store, out = tmp_path / "store", tmp_path / "split.json"
    convert = ["convert", "shapes", str(store), "--option", "per_shape=1", "--size", "8", "8"]
    assert cli.main(convert) == 0
    command = ["split", str(store), str(out), "--by", "object:3", "--seed", "4"]
    assert cli.main(command) == 0
    split = Split.load(out, Store(store))
    assert (split.name, split.seed, len(split.folds)) == ("object:3", 4, 3)
    assert "fold 2: 8 trials to train, 4 to test" in capsys.readouterr().out
    assert cli.main(command) == 2, "a finished split is not replaced"
    assert cli.main([*command, "--overwrite"]) == 0


def test_an_error_that_can_be_mended_is_one_message_and_status_2(tmp_path, capsys):
    assert cli.main(["split", str(tmp_path / "nowhere"), str(tmp_path / "out"), "--by", "object"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("visuotactile: error: ")
    assert "nowhere" in captured.err
    assert "Traceback" not in captured.err


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=KeyboardInterrupt))
    assert cli.main(["convert", "shapes", "store"]) == 130
    assert "run the same command to continue" in capsys.readouterr().err


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=KeyError("bug")))
    with pytest.raises(KeyError, match="bug"):
        cli.main(["convert", "shapes", "store"])


def test_the_module_exits_with_the_status_of_the_command(tmp_path):
    command = [
        sys.executable,
        "-m",
        "visuotactile",
        "split",
        str(tmp_path / "nowhere"),
        "out",
        "--by",
        "object",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_the_error_class_does_not_matter_to_how_it_is_told(monkeypatch, capsys):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=StoreError("mend me")))
    assert cli.main(["convert", "shapes", "store"]) == 2
    assert capsys.readouterr().err == "visuotactile: error: mend me\n"


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n    {name} " in text


@pytest.mark.parametrize("command", OWN_COMMANDS)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: visuotactile {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "COMMAND"),
        (["prob"], "invalid choice"),
        (["convert", "shapes"], "STORE"),
        (["convert", "shapes", "store", "--option", "crop"], "'crop' is not NAME=VALUE"),
        (["convert", "shapes", "store", "--over"], "unrecognized"),
        (["split", "store", "out"], "--by"),
        (["probe", "--store", "s"], "ENCODER"),
        (["map", "e", "--store", "s", "--out", "o", "--color", "object", "--method", "pca"], "pca"),
    ],
)
def test_a_misspelt_command_says_what_is_wrong(capsys, argv, says):
    with pytest.raises(SystemExit) as stopped:
        cli.main(argv)
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
