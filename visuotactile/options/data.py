"""Options of the commands that make and show data."""

from __future__ import annotations

import argparse
from pathlib import Path

from visuotactile.options.values import condition, option, overwrite


def demo(parser: argparse.ArgumentParser) -> None:
    """Options of `demo`."""
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="recordings; otherwise simulated grasps")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results go")
    parser.add_argument("--seed", type=int)


def collect(parser: argparse.ArgumentParser) -> None:
    """Options of `collect`, with a parser for each kind of trial."""
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
        overwrite(added)
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
    grasp.add_argument(
        "--policy",
        metavar="PREDICTOR",
        help="folder of a predictor whose planner chooses the regrasps, or MODULE:NAME of a function; "
        "at random unless given",
    )
    grasp.add_argument("--epsilon", type=float, help="share of the planner's regrasps to draw at random")
    grasp.add_argument(
        "--first", type=int, metavar="N", help="number of the first grasp, to continue another collection"
    )

    grasp.add_argument(
        "--prior-regrasps",
        type=int,
        metavar="N",
        help="most regrasps before the one that is recorded, none unless given; a policy that regrasps until "
        "it is sure meets what comes of them",
    )

    press = kind("press", "presses on soft and hard hemispheres, as tactile clips")
    press.add_argument("--trials", type=int, required=True, metavar="N", help="presses to make")

    kind("connectors", "1,920 + 640 pairs of an overhead depth image and a contact image of small connectors")


def convert(parser: argparse.ArgumentParser) -> None:
    """Options of `convert`."""
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
        type=option,
        metavar="NAME=VALUE",
        help="an option of the dataset's reader, such as crop_rgb=true; may be repeated",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="trials to read at once")
    overwrite(parser)


def join(parser: argparse.ArgumentParser) -> None:
    """Options of `join`."""
    parser.add_argument(
        "stores", nargs="+", type=Path, metavar="STORE", help="of one dataset, laid out alike"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make; shards are linked, not copied")


def split(parser: argparse.ArgumentParser) -> None:
    """Options of `split`."""
    parser.add_argument("store", type=Path, metavar="STORE", help="a folder that `convert` made")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write, such as split.json")
    parser.add_argument(
        "--by",
        required=True,
        metavar="SPEC",
        help="object[:FOLDS], session[:FOLDS], random:TRAIN/TEST or column:NAME[:UNIT]",
    )
    parser.add_argument("--seed", type=int, help="of the shuffle")
    overwrite(parser)


def look(parser: argparse.ArgumentParser) -> None:
    """Options of `look`."""
    parser.add_argument("store", type=Path, metavar="STORE", help="any store")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="page to write; STORE-look.html unless given"
    )
    parser.add_argument("--trials", type=int, metavar="N", help="how many to show, spread over the objects")
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        type=condition,
        metavar="COLUMN=VALUE",
        help="only such trials, such as object=mug-03 success=0; of one column, any of its values",
    )
    parser.add_argument("--order", metavar="COLUMN", help="sort by it; by object unless given")
    parser.add_argument("--seed", type=int, help="of the draw")
    overwrite(parser)
