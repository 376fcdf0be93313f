"""Thousands of mutated files, each read in a forked process that has imported everything already.

    python tests/mutated_files.py --count 10000 --out mutated.json

Each mutant must end in data, or in one sentence that is a `VisuotactileError`, within `SECONDS` of CPU and
`MEMORY` more than the process had before. The same command goes on where it was interrupted, and tells how
many were tried, held and failed; `--only 1234` runs one of them in the open.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import classification_helpers
import numpy as np
import predictor_helpers
import pytorch_lightning as pl
import recordings_layouts
import torch
import yaml
from mutations import (
    Mutate,
    dumped,
    in_array,
    in_bytes,
    in_checkpoint,
    in_features,
    in_hdf5,
    in_json,
    in_png,
    in_safetensors,
    in_table,
    in_video,
    in_yaml,
    in_zip,
    no_file,
    restore,
    sealed,
)
from shipped_configs import CONFIGS, one_encoder
from ssl_helpers import noise_store
from training_methods import METHODS, make_stores

from visuotactile.cli import main
from visuotactile.datasets.embodiment import POSE, Dimension, Embodiment, Vector, streams_of
from visuotactile.datasets.readers import open_reader
from visuotactile.datasets.splits import Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import (
    InputContract,
    JointSpace,
    load_encoder,
    load_joint,
    save_encoder,
    untrained_encoder,
)
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.folders import ArtefactFolder
from visuotactile.encoders.frozen import ENCODER
from visuotactile.encoders.joint import JOINT, projection_head, save_joint
from visuotactile.errors import VisuotactileError
from visuotactile.files import sha256_bytes, sha256_file, write_json
from visuotactile.grasp.episodes.records import EpisodeFile, Record, Turn
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import PREDICTOR, load_predictor, save_predictor
from visuotactile.probes.features import trial_features
from visuotactile.supervised import load_classifier
from visuotactile.supervised.classifier_file import CLASSIFIER, save_classifier
from visuotactile.training.export import export

SECONDS = 10.0
MEMORY = 2**30
STUCK = 90.0
"""Wall seconds after which a mutant is killed, since it waits for something."""

BATCH = 40
"""Mutants of one forked process."""

LONGEST = 2000
"""Letters of a sentence."""

RESNET = "test_resnet"
TOUCH = InputContract(streams=("tactile_left",), size=32)
Read = Callable[[Path], None]


@dataclass(frozen=True)
class Target:
    """One file among the samples.

    Attributes:
        path: the file, relative to the samples.
        read: reads it, given the folder of the samples; raises `Refused` for what a command says.
        mutations: damages that suit it, besides those of bytes and of what is no file.
        weight: how often it is drawn.
        always: reading must succeed, whatever is done to the file.
        needs: parts of the samples.
    """

    path: str
    read: Read
    mutations: tuple[Mutate, ...] = ()
    weight: float = 1.0
    always: bool = False
    needs: tuple[str, ...] = ()


class Refused(Exception):
    """Status and last words of a command that did not succeed."""


def _read_all(dataset: str, source: Path, **options: str) -> None:
    reader = open_reader(dataset, source, options)
    _ = reader.embodiment
    for i in range(len(reader)):
        assert reader.trial(i).name == reader.names[i]


def _read_store(path: Path) -> None:
    store = Store(path)
    for stream, phase in store.specs:
        store.read(stream, phase, np.arange(len(store)), labelling=True)
    assert len(store.statistics) >= 0
    for name in store.columns:
        store.column(name)
    if store.embodiment is not None:
        store.embodiment.to_dict()


def _trial(i: int) -> Trial:
    rng = np.random.default_rng(i)
    return Trial(
        name=f"t{i}",
        object=f"o{i % 4}",
        session=f"s{i % 2}",
        streams={
            "tactile_left": {
                "before": recordings_layouts.picture(rng, 4, 6, 3),
                "during": recordings_layouts.picture(rng, 3, 4, 6, 3),
            },
            "depth": {"during": rng.random((4, 6), dtype=np.float32)},
        },
        outcomes={"success": float(i % 2)},
        action={"force": 3.0},
        vectors={POSE: {"yaw": 0.1}},
        hidden={"mass": 1.0},
        columns={"note": "ü", "official": "test" if i % 4 == 3 else "train"},
    )


def _embodiment(trial: Trial) -> Embodiment:
    return Embodiment(
        name="rig",
        hand=(Dimension("force", "N", 0.0, 10.0),),
        vectors=(Vector(POSE, (Dimension("yaw", "rad", -4.0, 4.0),)),),
        streams=streams_of(trial),
        outcomes=("success",),
    )


def _write(path: Path, kept: int = 8) -> Store:
    """A store of eight trials; its writing ends after `kept` of them."""

    def make(indices: Sequence[int]) -> Iterator[Trial]:
        for i in indices:
            if i >= kept:
                raise KeyboardInterrupt
            yield _trial(i)

    return write_store(
        path,
        make,
        dataset="made up",
        source="",
        settings={},
        names=[f"t{i}" for i in range(8)],
        example=_trial(0),
        embodiment=_embodiment(_trial(0)),
        shard_trials=3,
    )


def _copied(folder: Path, to: Path) -> Path:
    """A copy of a folder, pipes and broken links included."""

    def copy(one: str, other: str) -> None:
        if Path(one).is_fifo():
            os.mkfifo(other)
        else:
            shutil.copy2(one, other)

    return Path(shutil.copytree(folder, to, symlinks=True, copy_function=copy))


def _continue(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        _write(_copied(root / "unfinished", Path(folder) / "store"))


def _export(name: str) -> Read:
    def read(root: Path) -> None:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            options: dict[str, Any] = {"calibration": "none"} if name == "predictor" else {}
            export(root / f"{name}.ckpt", Path(folder) / "exported", **options)

    return read


def _command(words: Sequence[str]) -> None:
    """Run a command; raises `Refused` with its status and words unless it succeeds."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as why:  # of --print_config
            if why.code:
                raise
            return
    if status:
        said = [line for line in err.getvalue().splitlines() if not _noise(line)]
        raise Refused(status, said)


def _noise(line: str) -> bool:
    """True for a line on standard error that is none of the command's own words."""
    return (
        not line.strip()
        or line.endswith("…")
        or line.lstrip().startswith(("warnings.warn", "Seed set"))
        or "Warning: " in line
    )


def _words(root: Path, config: Path, run: Path) -> list[str]:
    """`fit` with a configuration for one batch at most, whatever it says."""
    return [
        *("fit", f"--config={config}", f"--data.store={root / 'noise'}"),
        *(f"--trainer.default_root_dir={run}", "--trainer.accelerator=cpu", "--trainer.logger=false"),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"),
    ]


def _configure(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        _command([*_words(root, root / "config.yaml", Path(folder) / "run"), "--print_config"])


def _try(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        words = _words(root, root / "tiny.yaml", Path(folder) / "run")
        _command([*words, "--trainer.fast_dev_run=1"])


def _resume(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        run = _copied(root / "run", Path(folder) / "run")
        made = json.loads((root / "words.json").read_text())["words"]
        _command([word.replace("RUN", str(run)) for word in made])


def _features(root: Path) -> None:
    store, encoder = Store(root / "store"), load_encoder(root / "encoder")
    found = trial_features(encoder, store, cache=root / "cache")
    np.testing.assert_array_equal(found, np.load(root / "features.npy"))


def _episodes(root: Path) -> None:
    for record in EpisodeFile(root / "episodes.jsonl", EPISODES).records:
        assert record.success in (True, False)
        assert len(record.key) == 3
        assert record.action is not None
        json.dumps(record.to_dict(), allow_nan=False)


EPISODES: dict[str, Any] = {"env": "tests/Shelf-v0", "seed": 0, "policies": {"random": {"kind": "random"}}}


def _rounds(root: Path) -> None:
    from visuotactile.grasp.episodes import rounds

    with tempfile.TemporaryDirectory(dir=root) as folder:
        out = _copied(root / "rounds", Path(folder) / "out")
        rounds._claim(out, {"first": 12, "seed": 0, "objects": ["a", "b"]})


def _split(root: Path) -> None:
    store = Store(root / "store")
    split = Split.load(root / "split.json", store)
    for fold in range(len(split.folds)):
        split.indices(store, fold)
    json.dumps(split.hash)


def _check(root: Path) -> None:
    """The front door's own look at a store, before the command is imported."""
    from visuotactile.cli.checks import check

    check("probe", {"encoders": [str(root / "encoder")], "store": str(root / "store"), "target": "success"})


def _seal(kind: ArtefactFolder) -> Callable[[Path], None]:
    """Put both hashes of an artefact folder right."""

    def seal(path: Path) -> None:
        file = path.parent / kind.description
        described = json.loads(file.read_bytes())
        described["weights_sha256"] = sha256_file(path.parent / kind.weights)
        described.pop("hash", None)
        text = json.dumps(described, sort_keys=True)
        file.write_bytes(dumped(described | {"hash": sha256_bytes(text.encode())}))

    return seal


def _seal_split(path: Path) -> None:
    content = json.loads(path.read_bytes())
    content.pop("hash", None)
    found = sha256_bytes(json.dumps(content, sort_keys=True).encode())
    path.write_bytes(dumped(content | {"hash": found}))


def _weights(kind: ArtefactFolder) -> Mutate:
    """Changes of the weights file, whose hashes are put right most of the time."""

    def mutate(path: Path, rng: np.random.Generator) -> str:
        description = (path.parent / kind.description).read_bytes()
        BESIDES[path.parent / kind.description] = description
        how = in_safetensors(path, rng)
        if rng.random() < 0.85:
            _seal(kind)(path)
        return how

    return mutate


def _members(path: Path, rng: np.random.Generator) -> str:
    """Changes of a ZIP file's members, but of no values under right checksums, which nobody could tell."""
    before = path.read_bytes()
    while (how := in_zip(path, rng)).startswith("spoil"):
        path.write_bytes(before)
    return how


BESIDES: dict[Path, bytes] = {}
"""Files that a mutation changed besides its own, with their content before."""


GRASP = "collected_data/data_2024_05_17_101500"


def _gentle(root: Path) -> None:
    _read_all("gentle-grasping", root / "gentle")


def _targets() -> dict[str, Target]:
    found = {
        "calandra shard": Target(
            "calandra/a.h5", lambda r: _read_all("calandra2017", r / "calandra"), (in_hdf5,), 2
        ),
        "raw grasp": Target("raw/a.h5", lambda r: _read_all("calandra2017-raw", r / "raw"), (in_hdf5,), 2),
        "video": Target(
            "slip/base_data_for_training/mug/exp_num_1/camera_2.avi",
            lambda r: _read_all("incipient-slip", r / "slip", before="early"),
            (in_video,),
        ),
        "sound": Target(f"gentle/{GRASP}/record_s2.wav", _gentle, (), 1),
        "array": Target(f"gentle/{GRASP}/labels.npy", _gentle, (in_array,), 1),
        "table": Target("mine/trials.csv", lambda r: _read_all("folder", r / "mine"), (in_table,), 2),
        "declaration": Target(
            "mine/embodiment.json", lambda r: _read_all("folder", r / "mine"), (in_json,), 2
        ),
        "clip": Target("clips/b.avi", lambda r: _read_all("folder", r / "clips"), (in_video,), 1),
        "png": Target("mine/images/0-before.png", lambda r: _read_all("folder", r / "mine"), (in_png,)),
        "jpeg": Target("mine/images/0-during.jpg", lambda r: _read_all("folder", r / "mine")),
        "index": Target("store/store.json", lambda r: _read_store(r / "store"), (in_json,), 3),
        "front door": Target("store/store.json", _check, (in_json,)),
        "shard": Target("store/shard-00001.h5", lambda r: _read_store(r / "store"), (in_hdf5,), 2),
        "plan": Target("unfinished/store.part.json", _continue, (in_json,)),
        "begun shard": Target("unfinished/shard-00000.h5", _continue, (in_hdf5,)),
        "split": Target("split.json", _split, (in_json, sealed(_seal_split)), 2),
        "features": Target("cache", _features, (_members, in_features), 1, always=True, needs=("artefacts",)),
        "episodes": Target("episodes.jsonl", _episodes, (in_json, in_json), 3),
        "rounds": Target("rounds/settings.json", _rounds, (in_json,), 0.5),
        "configuration": Target("config.yaml", _configure, (in_yaml, in_yaml), 0.25, needs=("run",)),
        "tried configuration": Target("tiny.yaml", _try, (in_yaml, in_yaml, in_yaml), 0.25, needs=("run",)),
        "run": Target("run/run.json", _resume, (in_json,), 0.1, needs=("run",)),
        "resumed checkpoint": Target(
            "run/checkpoints/last.ckpt", _resume, (in_checkpoint, in_checkpoint, in_zip), 0.3, needs=("run",)
        ),
    }
    kinds = (
        ("encoder", ENCODER, load_encoder, ""),
        ("joint", JOINT, load_joint, "encoders/touch"),
        ("classifier", CLASSIFIER, load_classifier, ""),
        ("predictor", PREDICTOR, load_predictor, "encoders/touch"),
    )
    for name, kind, load, inside in kinds:

        def read(root: Path, name: str = name, load: Callable[[Path], Any] = load) -> None:
            load(root / name)

        needs = ("artefacts",)
        found[name] = Target(f"{name}/{kind.description}", read, (sealed(_seal(kind)),) * 3, 1, needs=needs)
        found[f"{name} weights"] = Target(f"{name}/{kind.weights}", read, (_weights(kind),), 0.5, needs=needs)
        if inside:
            path = f"{name}/{inside}/{ENCODER.description}"
            found[f"{name}, inside"] = Target(path, read, (sealed(_seal(ENCODER)),), 0.3, needs=needs)
    for name in ("moco", "cross_modal", "classifier", "predictor"):
        changes = (in_checkpoint, in_checkpoint, in_zip)
        found[f"{name} checkpoint"] = Target(
            f"{name}.ckpt", _export(name), changes, 0.7, needs=("checkpoints",)
        )
    return found


TARGETS = _targets()


def make_samples(root: Path, names: Sequence[str] = tuple(TARGETS)) -> None:
    """Write a whole file for each target in `names`."""
    needs = {part for name in names for part in TARGETS[name].needs}
    recordings_layouts.write_calandra(root / "calandra/a.h5", ["mug", "can", "can o"])
    recordings_layouts.write_raw(root / "raw/a.h5")
    for camera in (0, 2):
        place = root / f"slip/base_data_for_training/mug/exp_num_1/camera_{camera}.avi"
        recordings_layouts.write_clip(place, 26, 32, (48, 96))
    recordings_layouts.write_gentle(root / "gentle")
    for name in "ab":
        recordings_layouts.write_clip(root / f"clips/{name}.avi", 26, 32, (48, 96))
    (root / "clips/trials.csv").write_text("name,object,finger/during\na,mug,a.avi\nb,mug,b.avi\n")
    recordings_layouts.write_folder(root / "mine", 2)
    example = open_reader("folder", root / "mine").trial(0)
    write_json(root / "mine/embodiment.json", _embodiment(example).to_dict())
    make_split(_write(root / "store"), "object:2").save(root / "split.json")
    with contextlib.suppress(KeyboardInterrupt):
        _write(root / "unfinished", kept=5)
    write_json(root / "rounds/settings.json", {"first": 12, "seed": 0, "objects": ["a", "b"]})
    file = EpisodeFile(root / "episodes.jsonl", EPISODES)
    turn = Turn(vectors={POSE: (0.1, 0.2)}, action={"dx": 0.0, "force": 8.0}, predicted={"success": 0.7})
    for trial in range(3):
        file.append(
            Record(
                policy="random",
                object="mug",
                trial=trial,
                seed=trial,
                session="",
                outcomes={"success": 1.0},
                regrasps=1,
                forced=False,
                turns=(turn, turn),
            )
        )
    if "artefacts" in needs:
        _make_artefacts(root)
    if "checkpoints" in needs:
        _make_checkpoints(root)
    if "run" in needs:
        _make_run(root)


def _make_artefacts(root: Path) -> None:
    meta = {"seed": 3, "pretraining_objects": ["cup"], "split_hash": "abc", "fold": 1, "store": "x"}
    for name in ("encoder", "touch"):
        made = untrained_encoder(RESNET, TOUCH, 1)
        save_encoder(root / name, made.backbone, RESNET, TOUCH, meta)
    sight = InputContract(streams=("sight",), phase="before", reference=None, size=32)
    encoders = {"sight": untrained_encoder(RESNET, sight, 0), "touch": untrained_encoder(RESNET, TOUCH, 1)}
    heads = {name: projection_head(each.width, 16) for name, each in encoders.items()}
    save_joint(root / "joint", JointSpace(encoders, heads, 0.07, meta))
    network = classification_helpers.classifier()
    network = network.classifier if hasattr(network, "classifier") else network
    save_classifier(root / "classifier", network, meta)
    branches = {
        "camera": predictor_helpers.both()["camera"],
        "touch": Branch(encoder=root / "touch", streams=("tactile_left", "tactile_right")),
    }
    calibration = Calibration("platt", (2.0,), (0.1,), (90,), 5)
    save_predictor(
        root / "predictor", predictor_helpers.predictor(branches=branches), calibration, {"seed": 0}
    )
    features = trial_features(load_encoder(root / "encoder"), Store(root / "store"), cache=root / "features")
    np.save(root / "features.npy", features)
    (root / "cache").mkdir()
    (file,) = (root / "features").iterdir()
    (root / "cache.txt").write_text(file.name)
    file.rename(root / "cache" / file.name)


def _make_checkpoints(root: Path) -> None:
    stores = make_stores(root / "stores")
    for name in ("cross_modal", "classifier", "predictor"):
        module = METHODS[name].make(stores)
        trainer = pl.Trainer(
            max_steps=1,
            precision="32-true",
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=root / "trained",
        )
        trainer.fit(module, METHODS[name].data(module, stores))
        trainer.save_checkpoint(root / f"{name}.ckpt")


def _make_run(root: Path) -> None:
    noise_store(root / "noise", trials=24, frames=1)
    words = one_encoder(
        CONFIGS / "moco.yaml",
        root / "noise",
        Path("RUN"),
        *("--trainer.max_epochs=1", "--trainer.precision=32-true", "--trainer.limit_val_batches=0"),
        *("--model.init_args.bn_splits=1", "--data.batch_size=8", "--trainer.logger=false"),
    )
    write_json(root / "words.json", {"words": words})
    _command([word.replace("RUN", str(root / "run")) for word in words])
    shutil.copy(root / "run/checkpoints/last.ckpt", root / "moco.ckpt")
    shutil.copy(CONFIGS / "laptop" / "moco.yaml", root / "config.yaml")
    (root / "tiny.yaml").write_text(yaml.safe_dump(TINY))


TINY: dict[str, Any] = {
    "model": {
        "class_path": "visuotactile.ssl.MoCo",
        "init_args": {
            "branch": {
                "backbone": RESNET,
                "contract": {
                    "streams": ["tactile_left"],
                    "phase": "during",
                    "reference": "before",
                    "size": 32,
                },
            },
            "optimizer": {"name": "sgd", "lr": 0.01, "final_lr": 1e-6},
            "dimension": 16,
            "queue_size": 16,
            "bn_splits": 1,
        },
    },
    "data": {"class_path": "visuotactile.datasets.datamodule.TactileData", "init_args": {"batch_size": 8}},
    "trainer": {"max_epochs": 1, "precision": "32-true", "log_every_n_steps": 1},
    "seed_everything": 0,
}


def draw(number: int, seed: int, names: Sequence[str]) -> tuple[str, np.random.Generator]:
    """Target and generator of a mutant."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([TARGETS[name].weight for name in names])
    return str(rng.choice(list(names), p=weights / weights.sum())), rng


def place_of(root: Path, name: str) -> Path:
    """The file of a target."""
    path = root / TARGETS[name].path
    return next(iter(path.iterdir())) if TARGETS[name].path == "cache" else path


def attempt(root: Path, name: str, path: Path, whole: bytes, rng: np.random.Generator) -> dict[str, Any]:
    """Mutate the target's file, read it, put it back, and tell what came of it."""
    target = TARGETS[name]
    chances = rng.random()
    mutate: Mutate = in_bytes
    if chances < 0.04:
        mutate = no_file
    elif chances < 0.7 and target.mutations:
        mutate = target.mutations[int(rng.integers(len(target.mutations)))]
    BESIDES.clear()
    told: dict[str, Any] = {"target": name}
    try:
        told["how"] = f"{mutate.__name__}: {mutate(path, rng)}"
    except Exception as why:
        # The generator met its own earlier damage or what it cannot write; that is no mutant.
        restore(path, whole)
        return told | {"how": f"{mutate.__name__}: none ({why!r:.80})", "end": "unchanged"}
    began = time.process_time()
    try:
        told |= _end_of(target, root)
    finally:
        told["seconds"] = round(time.process_time() - began, 3)
        if target.path == "cache":
            shutil.rmtree(path.parent)
            path.parent.mkdir()
        restore(path, whole)
        for other, before in BESIDES.items():
            restore(other, before)
    return told


def _end_of(target: Target, root: Path) -> dict[str, Any]:
    try:
        target.read(root)
    except Refused as why:
        status, said = why.args
        fine = status == 2 and len(said) == 1 and said[0].startswith("visuotactile: error: ")
        return {"end": "sentence" if fine else "noise", "said": "\n".join(said)[:4000]}
    except VisuotactileError as why:
        said = str(why)
        first, *rows = said.split("\n")
        fine = not target.always and 10 < len(first) < LONGEST and "Traceback" not in said
        # The errors of a table are listed, all at once.
        fine = fine and (not rows or (" errors in " in first and len(rows) < 30))
        return {"end": "sentence" if fine else "noise", "said": said[:4000]}
    except (Exception, SystemExit):
        return {"end": "traceback", "said": traceback.format_exc()[-3000:]}
    return {"end": "data"}


def _serve(root: Path, numbers: Sequence[int], seed: int, names: Sequence[str], answers: int) -> None:
    """Try mutants in this process, and write a line before and after each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.chdir(root)
    for number in numbers:
        name, rng = draw(number, seed, names)
        path = place_of(root, name)
        whole = path.read_bytes()
        _tell(answers, {"number": number, "target": name, "path": str(path)})
        told = attempt(root, name, path, whole, rng)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) * 1024
        told |= {"number": number, "grown": grown}
        if told["end"] in ("data", "sentence") and told["seconds"] > SECONDS:
            told["end"] = "slow"
        if grown > MEMORY:
            told["end"] = "memory"
        _tell(answers, told)
        if grown > MEMORY // 4:
            return  # the next one is not to be blamed for it


def _tell(answers: int, value: dict[str, Any]) -> None:
    os.write(answers, (json.dumps(value) + "\n").encode())


def results(
    root: Path, numbers: Sequence[int], seed: int = 0, names: Sequence[str] = tuple(TARGETS)
) -> Iterator[dict[str, Any]]:
    """Ends of the mutants, from forked processes one after another."""
    left = list(numbers)
    whole = {name: place_of(root, name).read_bytes() for name in names}
    while left:
        done, begun, how = 0, None, ""
        for told in _forked(root, left[:BATCH], seed, names):
            if "died" in told:
                how = str(told["died"])
            elif "end" in told:
                done, begun = done + 1, None
                yield told
            else:
                begun = told
        if begun is not None:  # it ended within a mutant
            restore(Path(str(begun["path"])), whole[str(begun["target"])])
            for name, content in whole.items():
                path = root / TARGETS[name].path
                if path.is_file() and path.read_bytes() != content:
                    restore(path, content)
            yield {"number": left[done], "target": begun["target"], "how": "", "end": how}
            done += 1
        elif done == 0:
            raise RuntimeError(f"the process of mutant {left[0]} ended before it began: {how}")
        left = left[done:]


def _forked(root: Path, numbers: Sequence[int], seed: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Lines of a forked process; last how it died, where it did not end by itself."""
    come, answers = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(come)
            _serve(root, numbers, seed, names, answers)
            status = 0
        finally:
            os._exit(status)
    os.close(answers)
    text, since, died = b"", time.monotonic(), ""
    while True:
        ready, _, _ = select.select([come], [], [], 0.1)
        if ready:
            some = os.read(come, 65536)
            if not some:
                break
            since, text = time.monotonic(), text + some
            *lines, text = text.split(b"\n")
            yield from map(json.loads, lines)
        elif not died and (time.monotonic() - since > STUCK or _resident(child) > 4 * MEMORY):
            died = "hang" if _resident(child) < 4 * MEMORY else "memory"
            os.kill(child, signal.SIGKILL)
    os.close(come)
    _, status = os.waitpid(child, 0)
    if died or status:
        yield {"died": died or f"died ({status})"}


def _resident(process: int) -> int:
    """Bytes of memory of a process."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def check(rank: int, root: Path, count: int, seed: int) -> None:
    """Try some mutants of all files but three; raises `AssertionError` where one fails."""
    names = [name for name, target in TARGETS.items() if "checkpoints" not in target.needs]
    make_samples(root, names)
    found = list(results(root, range(count), seed, names))
    failed = [told for told in found if told["end"] not in HELD]
    assert not failed, failed
    ends = Counter(told["end"] for told in found)
    assert min(3 * ends["sentence"], 20 * ends["data"]) > count, ends


HELD = ("data", "sentence", "unchanged")


def run(count: int, seed: int, out: Path | None, only: Sequence[int] = ()) -> int:
    """Try mutants, go on where `out` ends, and print counts; returns the number that failed."""
    torch.set_num_threads(1)
    found = [json.loads(line) for line in out.read_text().splitlines()] if out and out.exists() else []
    known = {each["number"] for each in found}
    left = [number for number in (only or range(count)) if number not in known]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        os.environ["XDG_CACHE_HOME"] = str(root / "home")
        make_samples(root)
        for told in results(root, left, seed):
            found.append(told)
            if out:
                with open(out, "a") as file:
                    file.write(json.dumps(told) + "\n")
            if told["end"] not in HELD or only:
                print(json.dumps(told, indent=1).replace("\\n", "\n"), flush=True)
    ends = Counter(each["end"] for each in found)
    failed = sum(number for end, number in ends.items() if end not in HELD)
    slowest = max(found, key=lambda each: each.get("seconds", 0))
    widest = max(found, key=lambda each: each.get("grown", 0))
    print(f"tried {len(found):,}, held {len(found) - failed:,}, failed {failed:,}: {dict(ends)}")
    print(f"slowest {slowest['seconds']} CPU s ({slowest['target']}, number {slowest['number']})")
    print(f"widest {widest['grown'] / 2**20:.0f} MB ({widest['target']}, number {widest['number']})")
    for name in TARGETS:
        mine = Counter(each["end"] for each in found if each["target"] == name)
        print(f"{name}: {dict(mine)}")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a line of JSON for each mutant; it goes on where it ends")
    parser.add_argument("--only", type=int, nargs="+", default=())
    given = parser.parse_args()
    sys.exit(bool(run(given.count, given.seed, given.out, given.only)))
