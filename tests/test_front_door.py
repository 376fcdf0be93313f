"""The front door: what each command says when it begins and when it ends, and nothing else."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import shelf
from quiet import assert_quiet, no_warnings
from shipped_configs import ShippedRuns
from test_cli import LEAST
from threadpoolctl import threadpool_info

from visuotactile import cli
from visuotactile.cli.completion import SCRIPTS, completed
from visuotactile.cli.endings import ENDINGS, ending
from visuotactile.cli.kinds import KINDS, kind_of
from visuotactile.configs import configurations, find
from visuotactile.datasets.store import Store
from visuotactile.encoders.frozen import ENCODER
from visuotactile.encoders.joint import JOINT
from visuotactile.errors import UsageError
from visuotactile.grasp.predictor.file import PREDICTOR
from visuotactile.maps import run as maps
from visuotactile.supervised.classifier_file import CLASSIFIER
from visuotactile.training.folder import LAST

Printed = Callable[..., tuple[str, str]]


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Printed:
    """Function that runs a command and returns its standard output and error, without noise in either."""

    def run(*words: object) -> tuple[str, str]:
        capfd.readouterr()
        with no_warnings():
            assert cli.main([str(word) for word in words]) == 0
        out, err = capfd.readouterr()
        assert_quiet(out + err)
        return out, err

    return run


# What begins, and what comes next


def test_every_command_has_an_ending_and_names_a_command_that_can_be_typed() -> None:
    assert set(ENDINGS) == set(cli.COMMANDS) - set(cli.TRAINING)
    for line in LEAST:
        name, arguments = cli.parse(line.split())
        for said in ending(name, arguments):
            if said.startswith("Next: visuotactile "):
                following, *words = shlex.split(said)[2:]
                assert following in cli.TRAINING or cli.parse([following, *words])
            else:
                assert str(arguments.get("out", arguments.get("store", arguments.get("folder")))) in said


def test_a_line_is_said_before_anything_is_imported(
    capsys: pytest.CaptureFixture[str], store: Store, encoders: list[Path], tmp_path: Path
) -> None:
    words = [
        "map",
        str(encoders[0]),
        "--store",
        str(store.path),
        "--colors",
        "object",
        "--out",
        str(tmp_path / "m"),
    ]
    with mock.patch.object(cli, "loaded", side_effect=SystemExit), pytest.raises(SystemExit):
        cli.main(words)
    assert capsys.readouterr().err == "map: draw the features of encoders in the plane …\n"
    fit = ["fit", "--config", "laptop/moco", "--data.store", str(store.path)]
    with mock.patch("visuotactile.cli.training.loaded", side_effect=SystemExit), pytest.raises(SystemExit):
        cli.main(fit)
    assert capsys.readouterr().err == "fit: loading …\n"


def test_every_command_is_quiet_and_ends_with_its_result(
    printed: Printed,
    store: Store,
    encoders: list[Path],
    joint_folder: Path,
    shipped: ShippedRuns,
    tmp_path: Path,
) -> None:
    """But for `demo` and `rounds`, which their own tests hold to it."""
    run, at, on = shipped(find("laptop/moco")), tmp_path, ("--store", store.path)
    classifier = shipped(find("laptop/classifier"))
    predictor = shelf.knows(at / "predictor")
    made, where = ("convert", "shapes", at / "s", "--size", 8, 8, "--options", "per_shape=1"), str(at / "s")
    out, err = printed(*made)
    assert out == f"Store: {where}\nNext: visuotactile look {where}\n"
    assert err.startswith("convert: convert ")
    assert "finished already" in printed(*made)[1]
    assert (
        f"Split: {at / 'split.json'}"
        in printed("split", store.path, at / "split.json", "--by", "object:2")[0]
    )
    assert (
        f"Sheet: {at / 'look.html'}"
        in printed("look", store.path, "--out", at / "look.html", "--trials", 2)[0]
    )
    out, _ = printed("export", run, at / "encoder")
    assert (
        f"Encoder: {at / 'encoder'}\nNext: visuotactile probe {at / 'encoder'} --store {shipped.noise} "
        in out
    )
    assert "--target success" in out, "the next command names an outcome of the run's store"
    few = ("--probes", "knn", "--budgets", "--seeds", 1)
    out, _ = printed(
        "probe",
        encoders[0],
        *on,
        "--target",
        "object",
        "--split",
        "random:40/8",
        "--group",
        "trial",
        *few,
        "--out",
        at / "p",
    )
    assert f"Report: {at / 'p' / 'report.html'}\nNext: visuotactile map {encoders[0]}" in out
    out, _ = printed("map", encoders[0], *on, "--colors", "object", "--out", at / "m")
    assert f"Map: {at / 'm' / 'map.html'}" in out
    out, _ = printed("retrieve", joint_folder, *on, "--split", "object:2", "--out", at / "r")
    assert f"Report: {at / 'r' / 'retrieval.html'}" in out
    assert "Classifier: " in printed("export", classifier, at / "c")[0]
    unseen = ("--store", shipped.classes, "--split", shipped.classes.parent / "split.json")
    out, _ = printed("classify", at / "c", *unseen, "--out", at / "cr")
    assert f"Report: {at / 'cr' / 'report.md'}" in out
    played = ("--env", shelf.SHELF, "--objects", "mugs", "--trials", 1, "--max-regrasps", 1, "--films", 0)
    out, _ = printed("regrasp", predictor, *played, "--policies", "planner", "--out", at / "g")
    assert f"Report: {at / 'g' / 'report.html'}" in out
    assert f"Encoder: {at / 'a'}" in printed("adapt", encoders[0], at / "a", *on, "--images", 8)[0]
    grasp = ("--trials", 1, "--objects", "golf-ball", "--camera-size", 32, "--scheme", "single")
    assert f"Store: {at / 'sim'}\n" in printed("collect", "grasp", "--store", at / "sim", *grasp)[0]
    again = ("--store", at / "more", "--first", 1)
    printed("collect", "grasp", *grasp, *again)
    assert f"Store: {at / 'both'}\n" in printed("join", at / "sim", at / "more", at / "both")[0]


def test_fit_and_validate_are_quiet_and_name_the_export(
    printed: Printed, shipped: ShippedRuns, tmp_path: Path
) -> None:
    small = ("--model.init_args.branch.backbone=test_resnet", "--model.init_args.branch.contract.size=32")
    few = (
        "--data.batch_size=32",
        "--trainer.max_epochs=2",
        "--trainer.accelerator=cpu",
        "--data.label=success",
    )
    root = tmp_path / "run"
    words = (
        "--config",
        "laptop/moco",
        "--data.store",
        shipped.noise,
        *small,
        *few,
        f"--trainer.default_root_dir={root}",
    )
    out, err = printed("fit", *words)
    assert f"MoCo on {shipped.noise}: " in out
    assert f"Run: {root}\nNext: visuotactile export {root} exported/run\n" in out
    assert "epoch 2 of 2: loss " in err
    assert "val_knn_balanced_accuracy" in err
    out, _ = printed("validate", *words, f"--trainer.default_root_dir={root}")
    assert "val_knn_balanced_accuracy: " in out
    steps = ("--trainer.max_epochs=-1", "--trainer.max_steps=2", "--trainer.val_check_interval=2")
    elsewhere = (f"--trainer.default_root_dir={tmp_path / 'steps'}", "--trainer.check_val_every_n_epoch=null")
    _, err = printed("fit", *words, *steps, *elsewhere)
    assert "step 2 of 2: loss " in err


# Threads


def test_the_program_lets_no_thread_spin_unless_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["visuotactile", "--version"])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert cli.main() == 0
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


def test_a_map_is_laid_out_on_one_thread(
    store: Store, encoders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    lay_out = maps.lay_out
    monkeypatch.setattr(
        maps,
        "lay_out",
        lambda *given: (seen.extend(pool["num_threads"] for pool in threadpool_info()), lay_out(*given))[1],
    )
    maps.embedding_map(encoders[:1], store, ["object"], tmp_path / "map")
    assert set(seen) == {1}


# Configurations, runs


def test_a_configuration_is_found_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("moco") == configurations()["moco"]
    assert find("laptop/moco").read_text().startswith("# MoCo v2 on tactile differences, for two CPU cores.")
    Path("moco").write_text("model: {}")
    assert find("moco") == Path("moco"), "a file of one's own comes first"
    Path("own.yaml").write_text("")
    for wrong, meant in {"laptop/mocco": "laptop/moco", "ow.yaml": "own.yaml"}.items():
        with pytest.raises(UsageError, match=f"did you mean {meant}"):
            find(wrong)


def test_a_runs_folder_is_exported_by_its_best_checkpoint_or_its_last(
    shipped: ShippedRuns, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shipped(find("laptop/classifier"))
    for source, folder in ((run, "run"), (run / "checkpoints" / "best.ckpt", "best")):
        assert cli.main(["export", str(source), str(tmp_path / folder)]) == 0
    hashes = {CLASSIFIER.read(tmp_path / folder)["hash"] for folder in ("run", "best")}
    assert len(hashes) == 1
    shutil.copytree(run, tmp_path / "moved")
    (tmp_path / "moved" / "checkpoints" / "best.ckpt").unlink()
    assert cli.main(["export", str(tmp_path / "moved"), str(tmp_path / "last")]) == 0
    (tmp_path / "moved" / LAST).unlink()
    capsys.readouterr()
    assert cli.main(["export", str(tmp_path / "moved"), str(tmp_path / "none")]) == 2
    assert "moved holds no checkpoint; give the folder of a run" in capsys.readouterr().err


# Info


def test_every_kind_of_folder_is_told_by_its_description() -> None:
    for artefact in (ENCODER, JOINT, CLASSIFIER, PREDICTOR):
        assert artefact.kind.endswith(KINDS[artefact.description])


def test_info_shows_a_screen_of_each_kind_without_pytorch(
    store: Store, encoders: list[Path], joint_folder: Path, shipped: ShippedRuns, tmp_path: Path
) -> None:
    run, predictor = shipped(find("laptop/moco")), shelf.knows(tmp_path / "predictor")
    paths = [store.path, encoders[0], joint_folder, predictor, run]
    code = (
        "import sys, visuotactile.cli as cli\n"
        f"for path in {[str(path) for path in paths]!r}:\n"
        "    assert cli.main(['info', path]) == 0\n"
        "    print('====')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown = done.stdout.split("====\n")
    assert shown.pop() == "False\n"
    for text, path in zip(shown, paths, strict=True):
        assert text.startswith(f"{kind_of(path)} "), text
        assert len(text.splitlines()) <= 50
        assert max(map(len, text.splitlines())) <= 110
    assert store.fingerprint in shown[0]
    assert f"{len(store)} of 12 objects in 1 session" in shown[0]
    assert "tactile_left/during   uint8 32 × 40 × 3, mean 0." in shown[0]
    assert ENCODER.read(encoders[0])["hash"] in shown[1]
    assert "pretrained on  6 objects: " in shown[1]
    assert "during minus before" in shown[1]
    assert "sight" in shown[2]
    assert "parallel gripper" in shown[3]
    assert "last.ckpt" in shown[4]
    assert "loss " in shown[4]


def test_info_of_something_else_or_of_damage_is_one_sentence(
    encoders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["info", str(tmp_path)]) == 2
    assert "is no folder that a command has made" in capsys.readouterr().err
    copy = tmp_path / "encoder"
    shutil.copytree(encoders[0], copy)
    weights = copy / ENCODER.weights
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    assert cli.main(["info", str(copy)]) == 2
    assert "it is not the file that was written" in capsys.readouterr().err
    (copy / ENCODER.description).write_text("{}")
    assert cli.main(["info", str(copy)]) == 2
    assert "is damaged" in capsys.readouterr().err


# Completion


def test_completion_knows_every_command_option_and_name() -> None:
    found = completed()
    first = {name.partition(" ")[0] for name in cli.COMMANDS}
    assert set(found) == first
    assert found["estimate"].words == ("fit", "evaluate", "hardness")
    assert {"--radius", "--radius-mm", "--split"} <= set(found["estimate"].options)
    assert {"--store", "--target", "--split", "--out"} <= set(found["probe"].options)
    assert set(found["fit"].values["--config"]) == set(configurations())
    assert found["rounds"].values["--config"] == found["fit"].values["--config"]
    assert {"--trainer.max_epochs", "--data.store", "--data.fold"} <= set(found["fit"].options)
    assert set(found["collect"].words) == {"grasp", "press", "connectors"} | set(found["collect"].words)
    assert "folder" in found["convert"].words
    assert found["map"].values["--method"] == ("tsne", "umap")
    for shell, script in SCRIPTS.items():
        text = script(found)
        assert all(name in text for name in first), shell


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["pro"], ["probe"]),
        (["fit", "--config", "laptop/mo"], ["laptop/moco"]),
        (["collect", "gra"], ["grasp"]),
        (["probe", "e", "--stor"], ["--store"]),
        (["map", "e", "--method", "u"], ["umap"]),
        (["probe", "e", "--probes", "knn", "li"], ["linear"]),
        (["look", "nothing-is-called-so"], []),
    ],
)
def test_bash_completes(typed: list[str], offered: list[str]) -> None:
    words = shlex.join(["visuotactile", *typed])
    script = (
        f"{SCRIPTS['bash'](completed())}\n"
        f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _visuotactile; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_valid(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell](completed()))  # type: ignore[index]
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
