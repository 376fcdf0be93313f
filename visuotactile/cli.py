"""The command line: one small function per command, each importing what it needs when it runs.

Nothing heavy is imported here, so that `--help` and a misspelt option answer at once. Options have no
defaults of their own: what is not given is not passed on, and the function's default holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from visuotactile import __version__
from visuotactile.errors import VisuotactileError

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
    from visuotactile import training

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

    collect(arguments.pop("kind"), arguments.pop("store"), **arguments)


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
    from visuotactile.export import export

    export(arguments.pop("checkpoint"), arguments.pop("folder"), **arguments)


def _probe(arguments: Arguments) -> None:
    from visuotactile.probes.run import probe

    probe(**arguments)


def _map(arguments: Arguments) -> None:
    from visuotactile.probes.map import embedding_map

    embedding_map(**arguments)


def _demo(arguments: Arguments) -> None:
    from visuotactile import demo

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

    _add_demo(command("demo", _demo, "everything, small: pretrain, probe and map in a few minutes"))
    _add_collect(command("collect", _collect, "simulate trials into a store"))
    _add_convert(command("convert", _convert, "turn a public dataset, or your own folder, into a store"))
    _add_split(command("split", _split, "write a split of a store to a file"))
    _add_look(command("look", _look, "make a page of a store's trials, to see what was recorded"))
    for name, about in TRAINING.items():
        commands.add_parser(name, help=about)
    _add_export(
        command(
            "export", _export, "take the frozen encoder, or the calibrated predictor, out of a checkpoint"
        )
    )
    _add_probe(command("probe", _probe, "measure frozen encoders with simple classifiers"))
    _add_map(command("map", _map, "draw the features of encoders in the plane"))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="recordings; otherwise simulated grasps")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results go")
    parser.add_argument("--seed", type=int)


def _add_collect(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)

    def kind(name: str, about: str) -> argparse.ArgumentParser:
        added = kinds.add_parser(
            name, help=about, description=about, argument_default=argparse.SUPPRESS, allow_abbrev=False
        )
        added.add_argument(
            "--store", type=Path, required=True, metavar="STORE", help="folder to make, or to continue"
        )
        added.add_argument("--workers", type=int, metavar="N", help="trials to simulate at once")
        added.add_argument("--seed", type=int, help="of everything")
        _overwrite(added)
        return added

    grasp = kind("grasp", "grasps and regrasps of a parallel gripper with a tactile sensor on each finger")
    grasp.add_argument("--trials", type=int, required=True, metavar="N", help="grasps to make")
    grasp.add_argument("--objects", metavar="SET", help="train, easy, hard, or names joined by commas")
    grasp.add_argument(
        "--scheme",
        choices=("regrasp", "single"),
        help="regrasp once before the lift, and keep three state-action pairs of each grasp; or lift at once",
    )
    grasp.add_argument("--sensor", choices=("gelsight", "digit"), help="kind of the tactile sensors")
    grasp.add_argument("--camera-size", type=int, metavar="S", help="height and width of the camera's image")
    grasp.add_argument("--policy", metavar="MODULE:NAME", help="function that chooses the regrasps")

    press = kind("press", "presses on soft and hard hemispheres, as tactile clips")
    press.add_argument("--trials", type=int, required=True, metavar="N", help="presses to make")

    kind("connectors", "1,920 + 640 pairs of an overhead depth image and a contact image of small connectors")


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="such as calandra2017, folder or shapes")
    parser.add_argument(
        "source",
        nargs="?",
        default=None,
        metavar="SOURCE",
        help="its folder; shapes is built in and has none",
    )
    parser.add_argument("store", type=Path, metavar="STORE", help="folder to make, or to continue")
    parser.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="resize every image, in pixels")
    parser.add_argument(
        "--option",
        dest="options",
        action="append",
        type=_option,
        metavar="NAME=VALUE",
        help="an option of the dataset's reader, such as crop_rgb=true; may be repeated",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="trials to read at once")
    _overwrite(parser)


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="a folder that `convert` made")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write, such as split.json")
    parser.add_argument(
        "--by",
        required=True,
        metavar="SPEC",
        help="object[:FOLDS], session[:FOLDS], random:TRAIN/TEST or column:NAME",
    )
    parser.add_argument("--seed", type=int, help="of the shuffle")
    _overwrite(parser)


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="any store")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="page to write; STORE-look.html unless given"
    )
    parser.add_argument("--trials", type=int, metavar="N", help="how many to show, spread over the objects")
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        type=_condition,
        metavar="COLUMN=VALUE",
        help="only such trials, such as object=mug-03 success=0; of one column, any of its values",
    )
    parser.add_argument("--order", metavar="COLUMN", help="sort by it; by object unless given")
    parser.add_argument("--seed", type=int, help="of the draw")
    _overwrite(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .ckpt file that `fit` wrote")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to make")
    parser.add_argument(
        "--onnx", action="store_true", help="of an encoder: add encoder.onnx, for robots without PyTorch"
    )
    parser.add_argument(
        "--calibration",
        choices=("platt", "temperature", "none"),
        help="of a predictor: what turns its logits into probabilities; platt unless given",
    )
    _overwrite(parser)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "encoders",
        nargs="+",
        metavar="ENCODER",
        help="a folder that `export` made, a folder of one per fold, or LABEL=FOLDER",
    )
    parser.add_argument("--store", type=Path, required=True, help="a folder that `convert` made")
    parser.add_argument("--target", required=True, help="the outcome to predict, such as success")
    parser.add_argument("--split", required=True, help="a split file, or what `split --by` takes")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the report goes")
    parser.add_argument(
        "--probes", nargs="+", metavar="NAME", help="of knn, svm, mlp, linear; all by default"
    )
    parser.add_argument(
        "--budgets",
        nargs="*",
        type=float,
        metavar="SHARE",
        help="shares of the training labels; none for none",
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="how many shuffles of the split, and of the probes"
    )
    parser.add_argument("--within", metavar="COLUMN", help="also rank within its values, such as session")
    _running_encoders(parser)
    parser.add_argument("--jobs", dest="n_jobs", type=int, metavar="N", help="folds to work on at once")
    parser.add_argument("--seed", type=int, help="the first seed; the others follow it")
    _overwrite(parser)


def _add_map(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("encoders", nargs="+", metavar="ENCODER", help="a folder that `export` made")
    parser.add_argument("--store", type=Path, required=True, help="a folder that `convert` made")
    parser.add_argument(
        "--color",
        dest="colors",
        nargs="+",
        required=True,
        metavar="COLUMN",
        help="columns to colour by, such as object and success; the first is shown first",
    )
    parser.add_argument("--method", choices=("tsne", "umap"), help="of the layout; umap is an extra")
    parser.add_argument(
        "--max-points", type=int, metavar="N", help="trials drawn at random where there are more"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the map goes")
    parser.add_argument("--wandb", action="store_true", help="log it to Weights & Biases as well")
    _running_encoders(parser)
    parser.add_argument("--seed", type=int, help="of the draw and of the layout")
    _overwrite(parser)


def _running_encoders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="where encoders run, such as cpu or cuda")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where their features are kept")


def _overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace a finished result")


def _condition(text: str) -> tuple[str, str]:
    """COLUMN=VALUE, the value as it was typed: an object may be called 007."""
    column, separator, value = text.partition("=")
    if not column or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=VALUE")
    return column, value


def _option(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is any (true, 3, 0.5) and as text otherwise."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
