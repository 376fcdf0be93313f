"""The front door: what each command takes, how it explains itself, and how errors are told."""

import html
import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import pytorch_lightning
import yaml

from visuotactile import cli
from visuotactile.cli import collect, signatures, training
from visuotactile.configs import configurations, find, title
from visuotactile.datasets.convert import convert
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import StoreError, UsageError

ROOT = Path(__file__).parents[1]
OWN_COMMANDS = [name for name in cli.COMMANDS if name not in cli.TRAINING]
SCREEN = 50
"""Lines."""

HEAVY = [
    "torch",
    "mujoco",
    "gymnasium",
    "sklearn",
    "h5py",
    "matplotlib",
    "pytorch_lightning",
    "lightning_fabric",
    "numpy",
    "rich",
    "scipy",
    "timm",
    "PIL",
    "av",
    "faiss",
    "joblib",
    "jinja2",
    "jsonargparse",
]

FUNCTIONS = {
    **{name: cli.COMMANDS[name].function for name in OWN_COMMANDS},
    **{f"collect {kind}": path for kind, path in collect.kinds().items()},
    "collect grasp --policy PREDICTOR": collect.PLANNER,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small store with a session, an object and an outcome."""
    path = tmp_path_factory.mktemp("cli") / "shapes"
    convert("shapes", None, path, options={"per_shape": 1}, size=(8, 8), progress=False)
    return path


# Words


LEAST = {
    "demo --out here": {"paper": None, "out": Path("here")},
    "convert shapes store": {"dataset": "shapes", "source": None, "store": "store"},
    "join a b whole": {"stores": ["a", "b"], "out": "whole"},
    "split store out.json --by object": {"store": "store", "out": "out.json", "by": "object"},
    "look store": {"store": "store"},
    "rounds --config a.yaml --first 1000 --trials 500 --out here": {
        "config": "a.yaml",
        "first": 1000,
        "trials": 500,
        "out": "here",
    },
    "export a.ckpt encoder": {"checkpoint": "a.ckpt", "folder": "encoder"},
    "probe a moco=b --store store --target success --split object:5 --out report": {
        "encoders": ["a", "moco=b"],
        "store": "store",
        "target": "success",
        "split": "object:5",
        "out": "report",
    },
    "classify a --store store --out report": {"classifier": "a", "store": "store", "out": "report"},
    "estimate fit contact --store store --radius radius --out model": {
        "kind": "contact",
        "store": "store",
        "radius": "radius",
        "out": "model",
    },
    "estimate evaluate a b --store store --out report": {
        "models": ["a", "b"],
        "store": "store",
        "out": "report",
    },
    "estimate hardness a clip press.mp4": {"model": "a", "clips": ["clip", "press.mp4"]},
    "retrieve a many=b --store store --split split.json --out report": {
        "spaces": ["a", "many=b"],
        "store": "store",
        "split": "split.json",
        "out": "report",
    },
    "map a b --store store --colors object success --out maps": {
        "encoders": ["a", "b"],
        "store": "store",
        "colors": ["object", "success"],
        "out": "maps",
    },
    "regrasp a touch=b --env Lab-v0 --objects easy --out report": {
        "predictors": ["a", "touch=b"],
        "env": "Lab-v0",
        "objects": "easy",
        "out": "report",
    },
    "collect grasp --store store --trials 3": {"kind": "grasp", "store": "store", "trials": 3},
    "collect press --store store": {"kind": "press", "store": "store"},
    "collect connectors --store store": {"kind": "connectors", "store": "store"},
}
"""The fewest words of each command, and what they are taken for."""

MORE = [
    ("demo", "gentle --data recordings --seed 2", {"paper": "gentle", "data": Path("recordings"), "seed": 2}),
    (
        "convert",
        "--size 96 128 --jobs 2 --overwrite --options crop_rgb=true stride=3 --options rig=a=b --no-progress",
        {
            "size": (96, 128),
            "jobs": 2,
            "overwrite": True,
            "options": {"crop_rgb": True, "stride": 3, "rig": "a=b"},
            "progress": False,
        },
    ),
    ("split", "--seed 4 --overwrite", {"seed": 4, "overwrite": True}),
    (
        "look",
        "--out a.html --trials 6 --where object=007 success=0 --where session=a=b --order force",
        {
            "out": "a.html",
            "trials": 6,
            "where": [("object", "007"), ("success", "0"), ("session", "a=b")],
            "order": "force",
        },
    ),
    (
        "rounds",
        "--rounds 3 --objects easy --camera-size 64 --epsilon 0.1 --prior-regrasps 2 --workers 2 --seed 7",
        {
            "rounds": 3,
            "objects": "easy",
            "camera_size": 64,
            "epsilon": 0.1,
            "prior_regrasps": 2,
            "workers": 2,
            "seed": 7,
        },
    ),
    ("export", "--onnx --calibration none", {"onnx": True, "calibration": "none"}),
    (
        "probe",
        "--probes knn svm --budgets 0.1 1 --seeds 5 --within session --group grasp --cache c "
        "--device cuda --jobs 2",
        {
            "probes": ["knn", "svm"],
            "budgets": [0.1, 1.0],
            "seeds": 5,
            "within": "session",
            "group": "grasp",
            "cache": Path("c"),
            "device": "cuda",
            "jobs": 2,
        },
    ),
    ("probe", "--budgets", {"budgets": []}),
    (
        "classify",
        "--split s.json --occlude sight --device cuda",
        {"split": Path("s.json"), "occlude": ["sight"], "device": "cuda"},
    ),
    (
        "retrieve",
        "--fold 2 --group object+grasp --label family --where example=stay example=regrasp",
        {
            "fold": 2,
            "group": "object+grasp",
            "label": "family",
            "where": [("example", "stay"), ("example", "regrasp")],
        },
    ),
    (
        "map",
        "--method umap --wandb --max-points 500 --split object:5 --fold 1",
        {"method": "umap", "wandb": True, "max_points": 500, "split": "object:5", "fold": 1},
    ),
    (
        "regrasp",
        "--trials 4 --policies planner first --objective success least_force --search cem --above 0.8 "
        "--max-regrasps 3 --films 2 --camera-size 64 --env-options sensor=digit --workers 2",
        {
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
        },
    ),
    (
        "collect grasp",
        "--policy predictors/both --epsilon 0.1 --scheme single --first 5",
        {"policy": "predictors/both", "epsilon": 0.1, "scheme": "single", "first": 5},
    ),
    ("collect press", "--trials 7 --frames 3", {"trials": 7, "frames": 3}),
]


@pytest.mark.parametrize("line", LEAST)
def test_what_is_given_is_passed_on_and_nothing_else(line):
    (command,) = [name for name in cli.COMMANDS if f"{line} ".startswith(f"{name} ")]
    assert cli.parse(line.split()) == (command, LEAST[line])


@pytest.mark.parametrize(("command", "words", "more"), MORE)
def test_every_form_of_option_is_taken(command, words, more):
    (line,) = [each for each in LEAST if each.startswith(f"{command} ")]
    _, found = cli.parse(f"{line} {words}".split())
    assert found == LEAST[line] | more


def test_regrasp_needs_no_predictor_but_probe_an_encoder():
    rest = "--env Lab-v0 --objects easy --out report"
    assert cli.parse(f"regrasp {rest}".split())[1]["predictors"] == []
    with pytest.raises(UsageError, match="ENCODER"):
        cli.parse(["probe", "--store", "s", "--target", "t", "--split", "object", "--out", "o"])


def commands_of(text: str) -> list[list[str]]:
    """Every `visuotactile …` line of a page, comments dropped, as words."""
    lines = re.findall(r"^#? +(visuotactile .*)$", text.replace("\\\n", " "), flags=re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


PAGES = [
    path.relative_to(ROOT)
    for pattern in ("README.md", "docs/*.md", "experiments/*/README.md", "visuotactile/configs/**/*.yaml")
    for path in ROOT.glob(pattern)
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_on_a_page_is_one_that_the_program_takes(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(training, "finished_store", lambda path: {})
    commands = commands_of((ROOT / page).read_text(encoding="utf-8"))
    assert commands or page.suffix == ".md"
    for name, *words in commands:
        if name in cli.TRAINING:
            training.check(words)
        else:
            cli.parse([name, *words])


# Signatures


@pytest.mark.parametrize("path", FUNCTIONS.values())
def test_a_signature_that_is_read_is_the_functions_own(path):
    read, function = signatures.read(path), pkgutil.resolve_name(path)
    own = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    assert list(read.parameters) == [parameter.name for parameter in own]
    for parameter in own:
        assert read.parameters[parameter.name].default == parameter.default
    assert inspect.getdoc(function).startswith(read.summary[:20])


@pytest.mark.parametrize("path", FUNCTIONS.values())
def test_every_parameter_is_described_once(path):
    read = signatures.read(path)
    assert read.summary.endswith(".")
    for name, parameter in read.parameters.items():
        assert parameter.help, f"{path} does not say what {name} is"
        assert not re.match(r"(of|how|what|whether|a|an|the) ", parameter.help), f"{name}: {parameter.help}"
        assert " see `" not in parameter.help, f"{name}: {parameter.help}"


ONCE = {
    **{name: FUNCTIONS[name] for name in ("rounds", "collect", "collect grasp")},
    "run": "visuotactile.grasp.episodes.rounds:run",
    "EpsilonGreedy": collect.PLANNER,
    "GraspCollection": "visuotactile.sim.grasps:GraspCollection",
}


def test_collect_and_rounds_word_each_option_once():
    worded = {}
    for name, path in ONCE.items():
        found = pkgutil.resolve_name(path)
        doc = (
            inspect.getdoc(found)
            + "\n\n"
            + (inspect.getdoc(found.__init__) if inspect.isclass(found) else "")
        )
        for option, text in signatures.described(doc).items():
            if not text.startswith("as in `"):
                assert (option, text) not in worded, f"{name} and {worded[option, text]} word {option} alike"
                worded[option, text] = name
    assert signatures.read(ONCE["rounds"]).parameters["camera_size"].help == (
        signatures.read(ONCE["collect grasp"]).parameters["camera_size"].help
    )


# Help


@pytest.mark.parametrize("command", [*OWN_COMMANDS, *(f"collect {kind}" for kind in collect.kinds())])
def test_every_command_explains_itself_on_a_screen(capsys, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command.split(), "--help"])
    assert stopped.value.code in (0, None)
    text = capsys.readouterr().out
    assert text.startswith(f"usage: visuotactile {command}")
    assert len(text.splitlines()) <= SCREEN


def test_the_help_names_every_command(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n  {name} " in text


@pytest.mark.parametrize("command", cli.TRAINING)
def test_the_help_of_training_names_every_method_and_configuration(capsys, command):
    assert cli.main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= SCREEN
    assert max(map(len, text.splitlines())) <= 120
    for name, path in configurations().items():
        method = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["class_path"]
        assert re.search(rf"\n  (\w+, )?{name}(, \S+)? ", text)
        assert f"\n  {method} " in text
        assert "STORE" not in title(path), f"{path} begins with no sentence about it"
    for path in training.methods_of():
        assert issubclass(pkgutil.resolve_name(path), pytorch_lightning.LightningModule)
    for room in training.ROOMS:
        for name in importlib.import_module(room).__all__:
            found = getattr(importlib.import_module(room), name)
            trained = inspect.isclass(found) and issubclass(found, pytorch_lightning.LightningModule)
            assert trained == (f"{room}:{name}" in training.methods_of())


def test_help_and_slips_are_answered_before_anything_heavy_is_imported(store, tmp_path):
    probe = f"probe {tmp_path} --store {store} --split object --out {tmp_path / 'out'}"
    lines = [
        "",
        "--help",
        "--version",
        *(f"{name} --help" for name in cli.COMMANDS),
        *(f"collect {kind} --help" for kind in collect.kinds()),
        "prob",
        "fit",
        "fit --config mco",
        "fit --config moco --data.stor x",
        f"fit --config moco --data.store {tmp_path / 'nowhere'}",
        "collect gras",
        "collect grasp --store x --trial 3",
        "convert shaps x",
        "look nowhere",
        "export nowhere.ckpt x",
        f"{probe} --target succes",
        f"{probe} --target success --stroe x",
    ]
    script = (
        "import sys, visuotactile.cli as cli\n"
        f"for line in {lines!r}:\n"
        "    try: cli.main(line.split())\n"
        "    except SystemExit: pass\n"
        f"    assert not [name for name in {HEAVY!r} if name in sys.modules], line\n"
        "print('light')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("light\n")


# Slips


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no command"),
        ("prob", "no command 'prob'; did you mean probe?"),
        ("collect gras --store s", "no 'gras' to collect; did you mean grasp?"),
        ("convert shapes", "missing: STORE"),
        ("convert shaps store", "no dataset 'shaps'; did you mean shapes?"),
        ("convert shapes store --options crop", "'crop' is not NAME=VALUE"),
        ("convert shapes store --over", "no option --over"),
        ("convert shapes store --size 3 b", "b is not a whole number"),
        ("look store --where mug", "'mug' is not COLUMN=VALUE"),
        ("split store out", "missing: --by"),
        ("probe a --stroe s", "no option --stroe; did you mean --store?"),
        ("probe --store s", "missing: ENCODER"),
        ("map e --store s --out o --colors object --method tnse", "did you mean tsne?"),
        ("collect grasp --store s --trials 1 --epsilon 0.1", "--epsilon is for a planner"),
        ("fit", "--config"),
        ("fit --confg a.yaml", "no option --confg; did you mean --config?"),
        ("fit --config mco", "did you mean moco?"),
        ("fit --config moco --data.stor x", "did you mean --data.store?"),
        ("fit --config moco --trainer.max_epoch 3", "did you mean --trainer.max_epochs?"),
        (
            "fit --config moco --model.init_args.temprature 1",
            "did you mean --model.init_args.temperature?",
        ),
        (
            "fit --config moco --model.init_args.branch.contract.siz 4",
            "did you mean --model.init_args.branch.contract.size?",
        ),
        (
            "fit --config cross_modal --model.init_args.branches.sight.contract.siz 4",
            "did you mean --model.init_args.branches.sight.contract.size?",
        ),
        ("validate --config moco --ckpt_path nowhere.ckpt", "nowhere.ckpt does not exist"),
    ],
)
def test_a_slip_is_one_sentence_and_status_2(capsys, monkeypatch, line, says):
    monkeypatch.chdir(ROOT)
    assert cli.main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("visuotactile: error: ")
    assert says in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("look {store}s", "did you mean {store}?"),
        ("look {folder}", "is not a store"),
        ("look {store} --where objekt=a", "no column 'objekt'; did you mean object?"),
        ("look {store} --order outcome/succes", "has no column 'outcome/succes'"),
        ("look {store} --out {folder}", "is a folder"),
        ("join {store} {folder}/none {folder}/out", "none does not exist"),
        ("split {store} {file}/split.json --by object", "is a file"),
        ("export {folder} {folder}/out", "holds no checkpoint"),
        (
            "probe {folder}/none --store {store} --target success --split object --out x",
            "none does not exist",
        ),
        (
            "probe a={folder}+{folder}/b --store {store} --target square --split object --out x",
            "b does not exist",
        ),
        (
            "probe {folder} --store {store} --target success --split obj.json --out x",
            "obj.json does not exist",
        ),
        ("probe {folder} --store {store} --target object --split column:fold --out x", "no column 'fold'"),
        ("retrieve {folder} --store {store} --split object --group object+graps --out x", "'graps'"),
        ("map {folder} --store {store} --colors object sucess --out x", "'sucess'"),
        ("collect grasp --trials 1 --store {file} ", "is a file"),
        ("collect grasp --trials 1 --store {folder}/out --policy {folder}/none", "or a predictor's folder"),
        ("regrasp {folder},{folder}/none --env E --objects easy --out x", "none does not exist"),
        ("rounds --config none.yaml --first 1 --trials 1 --out x", "none.yaml does not exist"),
        ("demo --data none --out x", "none does not exist"),
        (
            "convert shapes {folder}/new --options per_shap=2",
            "no option of shapes 'per_shap'; did you mean per_shape?",
        ),
        (
            "probe {folder} --store {store} --target object --split object --out x --probes knnn",
            "no probe 'knnn'; did you mean knn?",
        ),
        ("fit --config {file} --data.store {folder}", "holds no settings"),
        ("fit --config {typo}", "has no setting trianer; did you mean trainer?"),
    ],
)
def test_a_wrong_path_or_column_is_named(capsys, store, tmp_path, line, says):
    file = tmp_path / "file"
    file.write_text("text")
    typo = tmp_path / "typo.yaml"
    typo.write_text("trianer: {max_epochs: 3}")
    known = {"store": store, "folder": tmp_path, "file": file, "typo": typo}
    assert cli.main(line.format(**known).split()) == 2
    assert says.format(**known) in capsys.readouterr().err


def test_every_shipped_setting_is_a_known_one_and_a_misspelt_one_is_not():
    for path in configurations().values():
        training.check([f"--config={path}"])
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = [name for name in training._flat(content) if name.startswith(("model.init", "data.init"))]
        assert len(settings) > 8
        training.check([f"--config={path}", *(f"--{name}" for name in settings)])
        groups = {name.rpartition(".")[0] for name in settings if name.count(".") > 1}
        # Names in a mapping are free, and jsonargparse itself refuses what a class at `class_path` lacks.
        free = {"model.init_args.branches", "data.init_args.where"}
        for group in (name for name in groups - free if "augmentation" not in name):
            with pytest.raises(UsageError, match=f"--{group}.misspelt"):
                training.check([f"--config={path}", f"--{group}.misspelt=1"])


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--trainer.max_epochs=many", "trainer.max_epochs is 'many'; expected int"),
        ("--data.batch_size=x", "data.batch_size is 'x'; expected int"),
        ("--model.init_args.branch.contract.size=x", "model.branch.contract.size is 'x'; expected int"),
        ("--trainer.logger.foo=3", "trainer.logger.foo cannot be '3'"),
    ],
)
def test_a_setting_of_the_wrong_type_is_one_sentence_too(capsys, store, monkeypatch, option, says):
    monkeypatch.chdir(ROOT)
    line = f"fit --config laptop/moco --data.store {store} {option}"
    assert cli.main(line.split()) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [f"visuotactile: error: {says}"]


# What runs


def test_split_writes_a_split_that_can_be_read(store, tmp_path, capsys):
    out = tmp_path / "split.json"
    command = ["split", str(store), str(out), "--by", "object:3", "--seed", "4"]
    assert cli.main(command) == 0
    split = Split.load(out, Store(store))
    assert (split.name, split.seed, len(split.folds)) == ("object:3", 4, 3)
    assert "fold 2: 8 trials to train, 4 to test" in capsys.readouterr().out
    assert cli.main(command) == 2, "a finished split is not replaced"
    assert cli.main([*command, "--overwrite"]) == 0


def test_a_page_says_which_command_made_it(store, tmp_path):
    words = ["look", str(store), "--out", str(tmp_path / "a page.html"), "--trials", "2"]
    assert cli.main(words) == 0
    page = html.unescape((tmp_path / "a page.html").read_text(encoding="utf-8"))
    assert shlex.join(["visuotactile", *words]) in page


def test_arguments_reach_the_function(store):
    with mock.patch("visuotactile.look.sheet.look") as look:
        assert cli.main(["look", str(store), "--seed", "3"]) == 0
    look.assert_called_once_with(str(store), seed=3)


@pytest.mark.parametrize("command", cli.TRAINING)
def test_lightnings_commands_get_their_arguments_and_files_for_names(command):
    argv = [command, "--config", "moco", "--config=laptop/moco", "--data.batch_size=8"]
    found = [command, "--config", str(find("moco")), f"--config={find('laptop/moco')}", "--data.batch_size=8"]
    with mock.patch("visuotactile.training.fit.main") as main:
        assert cli.main(argv) == 0
        assert cli.main([command, "--help=all"]) == 0
    assert [call.args[0] for call in main.call_args_list] == [found, [command, "--help"]]


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=KeyboardInterrupt))
    assert cli.main(["convert", "shapes", "store"]) == 130
    assert "run the same command to continue" in capsys.readouterr().err


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=KeyError("bug")))
    with pytest.raises(KeyError, match="bug"):
        cli.main(["convert", "shapes", "store"])


def test_the_error_class_does_not_matter_to_how_it_is_told(monkeypatch, capsys):
    monkeypatch.setattr("visuotactile.datasets.convert.convert", mock.Mock(side_effect=StoreError("mend me")))
    assert cli.main(["convert", "shapes", "store"]) == 2
    assert capsys.readouterr().err.endswith("\nvisuotactile: error: mend me\n")


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
