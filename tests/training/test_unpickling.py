"""Nothing of a user's is ever unpickled, whatever the command, the path or the scheme."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from shipped_configs import CONFIGS, one_encoder

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, EncoderError
from visuotactile.training.checkpoints import CHECKPOINT_KEY
from visuotactile.training.export import export
from visuotactile.training.fit import SafeCheckpoints
from visuotactile.training.runs import Run

CONTENT = {
    "state_dict": {"a.weight": torch.ones(2000), "b": torch.zeros(1)},
    CHECKPOINT_KEY: {"method": "moco"},
}


def trap(path: Path) -> Path:
    """A checkpoint with code inside, and the file that it would make."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (path.with_name("sprung"),))

    torch.save({**CONTENT, "trap": Trap()}, path)
    return path.with_name("sprung")


def is_one_safe_sentence(said: str) -> bool:
    said = re.sub(r"^(fit|validate): loading …\n", "", said)
    return said.count("\n") <= 1 and "Traceback" not in said and "weights_only" not in said


def test_a_checkpoint_with_code_inside_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    sprung = trap(tmp_path / "trap.ckpt")
    with pytest.raises(EncoderError, match="never unpickled") as caught:
        export(tmp_path / "trap.ckpt", tmp_path / "encoder")
    assert is_one_safe_sentence(str(caught.value))
    for weights_only in (None, False, True):
        with pytest.raises(EncoderError, match="never unpickled"):
            SafeCheckpoints().load_checkpoint(tmp_path / "trap.ckpt", weights_only=weights_only)
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["trap.ckpt", "last", "best", "hpc", "hpc_ckpt_1.ckpt"])
@pytest.mark.parametrize("command", ["fit", "validate"])
def test_neither_fit_nor_validate_runs_code_from_a_checkpoint(
    command: str,
    name: str,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By whatever name, and though a configuration or the environment switches PyTorch's protection off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    sprung = trap(tmp_path / name)
    argv = [command, *one_encoder(CONFIGS / "moco.yaml", store.path, tmp_path / "run")[1:]]
    for more in ([], ["--weights_only=false"], ["--weights_only=true"]):
        assert main([*argv, f"--ckpt_path={name}", *more]) == 2
        assert is_one_safe_sentence(capsys.readouterr().err.replace("weights_only is false", ""))
    extra = tmp_path / "more.yaml"
    extra.write_text(f"ckpt_path: {name}\nweights_only: false\n")
    assert main([*argv, f"--config={extra}"]) == 2
    assert not sprung.exists()


@pytest.mark.parametrize(
    "scheme", ["http", "https", "file", "s3", "gs", "hdfs", "memory", "simplecache::http"]
)
def test_a_url_is_refused_in_one_sentence(
    scheme: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sprung = trap(tmp_path / "trap.ckpt")
    url = f"{scheme}://{tmp_path / 'trap.ckpt'}"
    config = CONFIGS / "moco.yaml"
    for command in ("fit", "validate"):
        argv = [command, *one_encoder(config, store.path, tmp_path / "run")[1:]]
        (tmp_path / "more.yaml").write_text(f"ckpt_path: {url}\n")
        for words in ([f"--ckpt_path={url}"], [f"--config={tmp_path / 'more.yaml'}"]):
            assert main([*argv, *words]) == 2
            said = capsys.readouterr().err
            assert "is a URL" in said
            assert is_one_safe_sentence(said)
    with pytest.raises(EncoderError, match="is a URL"):
        export(url, tmp_path / "encoder")
    assert main(["export", url, str(tmp_path / "encoder")]) == 2
    assert not sprung.exists()


def test_a_checkpoint_sets_nothing_in_the_configuration(store: Store, tmp_path: Path) -> None:
    """Lightning lets hyperparameters in a checkpoint choose the model's class."""
    argv = one_encoder(CONFIGS / "moco.yaml", store.path, tmp_path / "run", "--trainer.max_epochs=1")
    assert main(argv) == 0
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"] = {"_class_path": "nowhere.Model", "temperature": 9.0}
    torch.save(content, path)
    assert main(["validate", *argv[1:], f"--ckpt_path={path}"]) == 0


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:pathlib.Path.touch [SPRUNG]", "!!python/name:os.system", "!!python/module:os"],
)
def test_a_configuration_makes_no_python_objects(
    text: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sprung, config = tmp_path / "sprung", tmp_path / "evil.yaml"
    text = text.replace("SPRUNG", str(sprung))
    argv = one_encoder(CONFIGS / "moco.yaml", store.path, tmp_path / "run")
    for content, option in (
        (text, "--config"),
        (f"trainer: {text}", "--config"),
        (f"max_epochs: {text}", "--trainer"),
        (f"init_args:\n  seed: {text}", "--model"),
        (f"init_args:\n  seed: {text}", "--data"),
    ):
        config.write_text(content)
        assert main([*argv, f"{option}={config}"]) == 2
        assert "Traceback" not in capsys.readouterr().err
    assert main([*argv, f"--trainer.max_epochs={text}"]) == 2
    with pytest.raises(DataError, match=r"evil\.yaml"):
        Run(folder=tmp_path, config=config).configuration()
    assert not sprung.exists()


UNPICKLING = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve"}


def test_no_line_of_ours_could_unpickle() -> None:
    for room in ("visuotactile", "experiments", "benchmarks"):
        for path in (CONFIGS.parents[1] / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    assert not UNPICKLING & {name.name.partition(".")[0] for name in node.names}, path
                elif isinstance(node, ast.ImportFrom):
                    assert str(node.module).partition(".")[0] not in UNPICKLING, path
                elif isinstance(node, ast.Call):
                    given = {each.arg: ast.unparse(each.value) for each in node.keywords}
                    called = ast.unparse(node.func)
                    assert given.get("allow_pickle", "False") == "False", path
                    assert called not in ("yaml.load", "yaml.full_load", "yaml.unsafe_load", "joblib.load"), (
                        path
                    )
                    assert not called.endswith((".read_pickle", ".load_from_checkpoint")), path
                    assert called != "torch.load" or given["weights_only"] == "True", path
