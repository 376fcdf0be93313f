"""Hundreds of commands that are killed at random, run again, and compared with uninterrupted ones.

    python tests/kills.py --count 300 --out kills.json

A command runs in a process forked from one that has imported everything. It is killed (SIGKILL) after a
random share of its CPU time, or just before a random one of its changes of the file system, so also within a
save; up to three times, then it runs to its end. After each kill, everything that was whole before must be
whole, and every file under its final name as well; in the end the result must equal that of an uninterrupted
run, with nothing temporary beside it. The same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import recordings_layouts
import shelf
import torch
from PIL import Image
from rounds_helpers import SMALL, write_config
from shipped_configs import CONFIGS, one_encoder
from ssl_helpers import noise_store

import visuotactile.sim
from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.encoders import InputContract, load_encoder, save_encoder, untrained_encoder
from visuotactile.files import read_json, sha256_bytes, sha256_file
from visuotactile.training.checkpoints import load_values

MOST = 3
"""Kills of one command before it may run to its end."""

RESNET = "test_resnet"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Scene:
    """A command to be killed.

    Attributes:
        words: the command, of the folder with the inputs and of that with the results.
        result: what it makes, of the folder with the results, so that two can be compared.
        before: makes what lies there already, if anything does, and must never be lost.
        keeps: checks that it is not lost.
        weight: how often it is drawn.
    """

    words: Callable[[Path, Path], list[str]]
    result: Callable[[Path], Any]
    before: Callable[[Path, Path], object] = lambda inputs, out: None
    keeps: Callable[[Path], object] = lambda out: None
    weight: float = 1.0


def _store(path: Path) -> dict[str, str]:
    Store(path)
    return {file.name: sha256_file(file) for file in sorted(path.iterdir())}


def _report(name: str) -> Callable[[Path], Any]:
    def result(out: Path) -> Any:
        found = read_json(out / "out" / name, ValueError)  # type: ignore[arg-type]
        found.pop("provenance", None)
        return found

    return result


def _weights(out: Path) -> str:
    content = load_values(out / "run/checkpoints/last.ckpt")
    parts = [f"{name} {value.tolist()}" for name, value in sorted(content["state_dict"].items())]
    return sha256_bytes(*(part.encode() for part in parts), str(content["global_step"]).encode())


def _fit(inputs: Path, out: Path) -> list[str]:
    return one_encoder(
        CONFIGS / "moco.yaml",
        inputs / "noise",
        out / "run",
        *("--trainer.max_epochs=4", "--trainer.precision=32-true", "--trainer.limit_val_batches=0"),
        *("--model.init_args.bn_splits=1", "--data.batch_size=8"),
    )


def _half_fit(inputs: Path, out: Path) -> None:
    shutil.copytree(inputs / "half", out / "run")


def _has_checkpoint(out: Path) -> None:
    assert load_values(out / "run/checkpoints/last.ckpt")["global_step"] > 0


def _exported(out: Path) -> str:
    return load_encoder(out / "out").hash


def _old_export(inputs: Path, out: Path) -> None:
    shutil.copytree(inputs / "encoder", out / "out")


def _any_encoder(out: Path) -> None:
    load_encoder(out / "out")


def _rounds(out: Path) -> Any:
    folder = out / "out"
    return [
        {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("shard-*.h5"))},
        [sha256_file(path) for path in sorted(folder.rglob("predictor.safetensors"))],
        [read_json(path, ValueError) for path in sorted(folder.rglob("round.json"))],  # type: ignore[arg-type]
    ]


def _options(**options: Any) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


SCENES = {
    "convert": Scene(
        lambda i, o: ["convert", "folder", str(i / "mine"), str(o / "out"), "--shard-trials=2"],
        lambda o: _store(o / "out"),
    ),
    "collect": Scene(
        lambda i, o: [
            *(
                "collect",
                "grasp",
                f"--store={o / 'out'}",
                "--trials=4",
                "--shard-trials=3",
                "--camera-size=32",
            ),
            f"--objects={SMALL['objects']}",
        ],
        lambda o: _store(o / "out"),
        weight=0.7,
    ),
    "collect by two": Scene(
        lambda i, o: [
            *(
                "collect",
                "grasp",
                f"--store={o / 'out'}",
                "--trials=24",
                "--shard-trials=6",
                "--camera-size=32",
            ),
            *(f"--objects={SMALL['objects']}", "--workers=2"),
        ],
        lambda o: _store(o / "out"),
        weight=0.08,
    ),
    "join": Scene(
        lambda i, o: ["join", str(i / "first"), str(i / "second"), str(o / "out")],
        lambda o: _store(o / "out"),
        weight=0.5,
    ),
    "split": Scene(
        lambda i, o: ["split", str(i / "noise"), str(o / "out.json"), "--by=object:2", "--overwrite"],
        lambda o: sha256_file(o / "out.json"),
        lambda i, o: shutil.copy(i / "split.json", o / "out.json"),
        lambda o: read_json(o / "out.json", ValueError),  # type: ignore[arg-type]
        weight=0.3,
    ),
    "look": Scene(
        lambda i, o: ["look", str(i / "noise"), f"--out={o / 'out.html'}"],
        lambda o: (o / "out.html").stat().st_size > 0,
        weight=0.5,
    ),
    "fit": Scene(_fit, _weights, weight=1.5),
    "fit, resumed": Scene(_fit, _weights, _half_fit, _has_checkpoint, weight=1.5),
    "export": Scene(
        lambda i, o: ["export", str(i / "half/checkpoints/last.ckpt"), str(o / "out")], _exported
    ),
    "export, replacing": Scene(
        lambda i, o: ["export", str(i / "half/checkpoints/last.ckpt"), str(o / "out"), "--overwrite"],
        _exported,
        _old_export,
        _any_encoder,
    ),
    "probe": Scene(
        lambda i, o: [
            *("probe", str(i / "encoder"), f"--store={i / 'noise'}", "--target=success", "--split=object:2"),
            *(f"--out={o / 'out'}", "--probes", "linear", "--seeds=1", f"--cache={o / 'cache'}"),
        ],
        _report("report.json"),
    ),
    "map": Scene(
        lambda i, o: [
            *("map", str(i / "encoder"), f"--store={i / 'noise'}", "--colors", "object"),
            *(f"--out={o / 'out'}", f"--cache={o / 'cache'}"),
        ],
        _report("map.json"),
        weight=0.8,
    ),
    "regrasp": Scene(
        lambda i, o: [
            *("regrasp", f"touch={i / 'predictor'}", f"--env=shelf:{shelf.SHELF}", "--objects=mugs"),
            *(f"--out={o / 'out'}", "--trials=2", "--films=1", "--policies", "planner", "first"),
            "--search=random",
        ],
        _report("report.json"),
    ),
    "rounds": Scene(
        lambda i, o: [
            *("rounds", f"--out={o / 'out'}", f"--config={i / 'tiny.yaml'}", "--rounds=1"),
            *_options(**SMALL),
        ],
        _rounds,
        weight=0.35,
    ),
}


def make_inputs(root: Path) -> Path:
    """Inputs of all scenes."""
    recordings_layouts.write_folder(root / "mine", 9)
    noise_store(root / "noise", trials=24, frames=1)
    noise_store(root / "first", trials=5)
    noise_store(root / "second", trials=9, first=5)
    contract = InputContract(streams=("tactile_left",), size=32)
    made = untrained_encoder(RESNET, contract, 1)
    save_encoder(root / "encoder", made.backbone, RESNET, contract, {"seed": 1})
    shelf.knows(root / "predictor")
    write_config(root / "tiny.yaml")
    (root / "half-out").mkdir()
    words = [word.replace("max_epochs=4", "max_epochs=2") for word in _fit(root, root / "half-out")]
    assert main(words) == 0, words
    (root / "half-out/run").rename(root / "half")
    assert main(["split", str(root / "noise"), str(root / "split.json"), "--by=object:3"]) == 0, "split"
    return root


CHANGES = {
    *("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.chmod"),
    *("shutil.rmtree", "tempfile.mkstemp"),
}
"""Audit events of what changes the file system."""


def _watch(out: Path, stop: int) -> list[int]:
    """Count this process's changes within `out`, and die before number `stop`; 0 is never."""
    count, folder = [0], str(out)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or not arguments or not str(arguments[0]).startswith(folder):
            return
        if event == "open" and not int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        count[0] += 1
        if count[0] == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


@dataclass(frozen=True)
class Ended:
    """End of a process: status, CPU seconds, wall seconds, and the changes that it made if it lived."""

    status: int
    cpu: float
    wall: float
    changes: int


def start(
    words: Sequence[str], out: Path, *, stop: int = 0, cpu: float = np.inf, wall: float = np.inf
) -> Ended:
    """Run a command in a forked process, and kill it before a change, or after some CPU or wall seconds."""
    count_file, began = out.with_name(f"{out.name}.count"), time.monotonic()
    count_file.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            log = os.open(out.with_name(f"{out.name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(out)
            count = _watch(out, stop)
            status = main(words)
            count_file.write_text(str(count[0]))
        except BaseException as why:
            print(repr(why), file=sys.stderr)
        finally:
            os._exit(status)
    used = 0.0
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        used = max(used, _cpu(child))
        if used >= cpu or time.monotonic() - began >= wall:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.002)
    _await_followers(child)
    changes = int(count_file.read_text()) if count_file.exists() else 0
    return Ended(os.waitstatus_to_exitcode(status), used, time.monotonic() - began, changes)


def _cpu(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _await_followers(session: int, seconds: float = 20.0) -> None:
    """Wait for the processes that a killed one started; raises `AssertionError` if they stay."""
    until = time.monotonic() + seconds
    while left := _session(session):
        assert time.monotonic() < until, f"processes {left} outlive the command"
        time.sleep(0.1)


def _session(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def check_whole(out: Path) -> None:
    """Raise an error unless every file under its final name is whole."""
    for path in sorted(out.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(out).parts):
            continue
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".jsonl":
            for line in path.read_bytes().splitlines()[:-1]:
                json.loads(line)
        elif path.suffix == ".ckpt":
            load_values(path)
        elif path.suffix == ".h5":
            with h5py.File(path, "r", locking=False) as file:
                assert "table" in file, path
        elif path.suffix == ".html":
            assert path.read_text("utf-8").rstrip().endswith("</html>"), path
        elif path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert len(arrays["features"]), path
        elif path.suffix == ".safetensors":
            described = json.loads(path.with_suffix(".json").read_bytes())
            assert described["weights_sha256"] == sha256_file(path), path


def check_ended(ended: Ended, out: Path, which: str) -> None:
    """Raise an error unless the command succeeded, or says that its result is there already."""
    last = out.with_name(f"{out.name}.log").read_text().splitlines()[-1:]
    done = ended.status == 2 and "exists already" in "".join(last)
    assert ended.status == 0 or done, f"status {ended.status} of {which}"


def leftovers(out: Path) -> list[str]:
    """Temporary files among the results."""
    return [str(path.relative_to(out)) for path in out.rglob(".*") if path.suffix in (".part", ".old")]


def play(
    number: int, seed: int, inputs: Path, place: Path, references: dict[str, tuple[Ended, Any]]
) -> dict[str, Any]:
    """Kill one command up to `MOST` times, let it end, and tell what came of it."""
    rng = np.random.default_rng([seed, number])
    names = list(references)
    weights = np.array([SCENES[name].weight for name in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    scene, (whole, expected) = SCENES[name], references[name]
    out = place / f"{number:04d}"
    out.mkdir()
    told: dict[str, Any] = {"number": number, "scene": name, "kills": []}
    try:
        scene.before(inputs, out)
        words = scene.words(inputs, out)
        for _ in range(int(rng.integers(1, MOST + 1))):
            if "two" in name:
                how, ended = "wall", start(words, out, wall=float(rng.uniform(0, whole.wall)))
            elif rng.random() < 0.5:
                how, ended = "cpu", start(words, out, cpu=float(rng.uniform(0, whole.cpu)))
            else:
                stop = int(rng.integers(1, whole.changes + 1))
                how, ended = f"change {stop} of {whole.changes}", start(words, out, stop=stop)
            if ended.status != -signal.SIGKILL:
                check_ended(ended, out, "a run again")
                break
            told["kills"].append(how)
            scene.keeps(out)
            check_whole(out)
        ended = start(words, out)
        check_ended(ended, out, "the last run")
        check_whole(out)
        assert scene.result(out) == expected, "the result differs from that of an uninterrupted run"
        assert not leftovers(out), f"there remain {leftovers(out)}"
        told["end"] = "held"
        shutil.rmtree(out)
    except Exception as why:
        log = out.with_name(f"{out.name}.log")
        told |= {
            "end": "failed",
            "why": repr(why)[:500],
            "log": log.read_text()[-1500:] if log.exists() else "",
        }
    for other in (".log", ".count"):
        out.with_name(out.name + other).unlink(missing_ok=True)
    return told


def rehearse(inputs: Path, place: Path, names: Sequence[str]) -> dict[str, tuple[Ended, Any]]:
    """Each command without an interruption: how it ended, and its result."""
    found = {}
    for name in names:
        out = place / name.replace(" ", "-").replace(",", "")
        out.mkdir()
        SCENES[name].before(inputs, out)
        ended = start(SCENES[name].words(inputs, out), out)
        log = out.with_name(f"{out.name}.log").read_text()
        assert ended.status == 0, f"{name}: status {ended.status}: {log[-1500:]}"
        found[name] = ended, SCENES[name].result(out)
    return found


def results(
    count: int, seed: int, folder: Path, names: Sequence[str] = tuple(SCENES), first: int = 0, kills: int = 0
) -> Iterator[dict[str, Any]]:
    """Ends of commands from number `first` on, until `count` kills with the earlier ones."""
    torch.set_num_threads(1)
    assert visuotactile.sim
    inputs, place = folder / "inputs", folder / "out"
    inputs.mkdir()
    place.mkdir()
    make_inputs(inputs)
    gc.collect()
    gc.freeze()
    references = rehearse(inputs, place, names)
    known = {path: sha256_file(path) for path in inputs.rglob("*") if path.is_file()}
    number = first
    while kills < count:
        told = play(number, seed, inputs, place, references)
        if {path: sha256_file(path) for path in known} != known:
            told |= {"end": "failed", "why": "an input has changed"}
        kills += len(told["kills"])
        number += 1
        yield told


def check(rank: int, folder: Path, count: int, seed: int, names: Sequence[str]) -> None:
    """Kill some commands; raises `AssertionError` where something is lost, or a run again does not end."""
    found = list(results(count, seed, folder, names))
    failed = [told for told in found if told["end"] != "held"]
    assert not failed, failed


def run(count: int, seed: int, out: Path | None) -> int:
    """Kill commands, go on where `out` ends, and print counts; returns the number that failed."""
    found = [json.loads(line) for line in out.read_text().splitlines()] if out and out.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        before = sum(len(each["kills"]) for each in found)
        for told in results(count, seed, Path(folder).resolve(), first=len(found), kills=before):
            found.append(told)
            if out:
                with open(out, "a") as file:
                    file.write(json.dumps(told) + "\n")
            if told["end"] != "held":
                print(json.dumps(told, indent=1).replace("\\n", "\n"), flush=True)
    kills = Counter(each["scene"] for each in found for _ in each["kills"])
    failed = [each for each in found if each["end"] != "held"]
    print(f"{sum(kills.values())} kills of {len(found)} commands: held {len(found) - len(failed)}, ", end="")
    print(f"failed {len(failed)}")
    for name in SCENES:
        print(f"{name}: {kills[name]} kills, {sum(each['scene'] == name for each in failed)} failed")
    return len(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a line of JSON for each command; it goes on where it ends")
    given = parser.parse_args()
    sys.exit(bool(run(given.count, given.seed, given.out)))
