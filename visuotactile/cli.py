"""The command line: one small function per command, each importing what it needs when it runs.

Nothing heavy is imported here, so that `--help` and a misspelt option answer at once. Options have no
defaults of their own: what is not given is not passed on, and the function's default holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from visuotactile import __version__
from visuotactile.errors import SimulationError, VisuotactileError
from visuotactile.options import data, models

TRAINING = {
    "fit": "train an encoder or a predictor, such as --config configs/ssl/moco.yaml --data.store STORE",
    "validate": "measure a checkpoint as `fit` does after each epoch",
}
"""Commands of Lightning's command line, with options of their own: `visuotactile fit --help`."""

INTERRUPTED = 130
"""Exit status of a program that was stopped with Ctrl-C, as shells have it."""

Arguments = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 2 for an error to be mended, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        if argv and argv[0] in TRAINING:
            _train(argv)
        else:
            arguments = vars(build_parser().parse_args(argv))
            run: Callable[[Arguments], None] = arguments.pop("run")
            run(arguments)
    except VisuotactileError as why:
        print(f"visuotactile: error: {why}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("visuotactile: interrupted; run the same command to continue", file=sys.stderr)
        return INTERRUPTED
    return 0


def _train(argv: list[str]) -> None:
    from visuotactile.training import fit as training

    training.main(argv)


def _convert(arguments: Arguments) -> None:
    from visuotactile.datasets.convert import convert

    if "size" in arguments:
        arguments["size"] = tuple(arguments["size"])
    if "options" in arguments:
        arguments["options"] = dict(arguments["options"])
    convert(**arguments)


def _collect(arguments: Arguments) -> None:
    from visuotactile.sim.collect import collect

    if "policy" in arguments and Path(arguments["policy"]).is_dir():
        from visuotactile.grasp.episodes.collecting import EpsilonGreedy

        exploring = {"epsilon": arguments.pop("epsilon")} if "epsilon" in arguments else {}
        arguments["policy"] = EpsilonGreedy(Path(arguments["policy"]), **exploring)
    elif "epsilon" in arguments:
        raise SimulationError("--epsilon is for a planner; give --policy a folder that `export` made")
    collect(arguments.pop("kind"), arguments.pop("store"), **arguments)


def _rounds(arguments: Arguments) -> None:
    from visuotactile.grasp.episodes import rounds

    rounds.run(**arguments)


def _join(arguments: Arguments) -> None:
    from visuotactile.datasets.join import join

    store = join(**arguments)
    print(f"{store.path}: {len(store)} trials of {store.name}")


def _split(arguments: Arguments) -> None:
    from visuotactile.datasets.splits import make_split
    from visuotactile.datasets.store import Store
    from visuotactile.files import refuse_overwrite

    store, out = Store(arguments.pop("store")), arguments.pop("out")
    refuse_overwrite(out, arguments.pop("overwrite", False))
    split = make_split(store, arguments.pop("by"), **arguments)
    split.save(out)
    print(f"{out}: by {split.unit}, hash {split.hash[:12]}")
    for number, fold in enumerate(split.folds):
        print(f"fold {number}: {len(fold.train)} trials to train, {len(fold.test)} to test")


def _look(arguments: Arguments) -> None:
    from visuotactile.look import look

    look(arguments.pop("store"), **arguments)


def _export(arguments: Arguments) -> None:
    from visuotactile.training.export import export

    export(arguments.pop("checkpoint"), arguments.pop("folder"), **arguments)


def _probe(arguments: Arguments) -> None:
    from visuotactile.probes.run import probe

    probe(**arguments)


def _classify(arguments: Arguments) -> None:
    from visuotactile.supervised.report import classify

    classify(**arguments)


def _retrieve(arguments: Arguments) -> None:
    from visuotactile.retrieval.retrieve import retrieve

    retrieve(**arguments)


def _map(arguments: Arguments) -> None:
    from visuotactile.maps.map import embedding_map

    embedding_map(**arguments)


def _regrasp(arguments: Arguments) -> None:
    import visuotactile.sim  # noqa: F401  registers the simulated lab
    from visuotactile.grasp.episodes.regrasp import regrasp

    if "env_options" in arguments:
        arguments["env_options"] = dict(arguments["env_options"])
    regrasp(**arguments)


def _demo(arguments: Arguments) -> None:
    from visuotactile.demo import run as demo

    demo.run(**arguments)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command but Lightning's, which only show in its help."""
    parser = argparse.ArgumentParser(
        prog="visuotactile",
        description="Self-supervised learning from touch, sight and sound for robot grasping.",
        epilog="`visuotactile COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"visuotactile {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[Arguments], None], about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=about, description=about, argument_default=argparse.SUPPRESS, allow_abbrev=False
        )
        added.set_defaults(run=run)
        return added

    data.demo(command("demo", _demo, "everything, small: simulate, pretrain, probe, map and regrasp"))
    data.collect(command("collect", _collect, "simulate trials into a store"))
    data.convert(command("convert", _convert, "turn a public dataset, or your own folder, into a store"))
    data.join(command("join", _join, "make one store of several"))
    data.split(command("split", _split, "write a split of a store to a file"))
    data.look(command("look", _look, "make a page of a store's trials, to see what was recorded"))
    for name, about in TRAINING.items():
        commands.add_parser(name, help=about)
    models.rounds(
        command("rounds", _rounds, "collect grasps, train, collect with what was learnt, train again")
    )
    models.export(
        command("export", _export, "take frozen encoders, or the calibrated predictor, out of a checkpoint")
    )
    models.probe(command("probe", _probe, "measure frozen encoders with simple classifiers"))
    models.classify(command("classify", _classify, "measure a classifier on what it has not learned from"))
    models.retrieve(command("retrieve", _retrieve, "measure joint spaces: look one modality up by another"))
    models.map(command("map", _map, "draw the features of encoders in the plane"))
    models.regrasp(command("regrasp", _regrasp, "let policies regrasp in an environment, and compare them"))
    return parser
