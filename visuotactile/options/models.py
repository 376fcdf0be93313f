"""Options of the commands that make, measure and use models."""

from __future__ import annotations

import argparse
from pathlib import Path

from visuotactile.options.values import condition, option, overwrite, running_encoders


def rounds(parser: argparse.ArgumentParser) -> None:
    """Options of `rounds`."""
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="of a predictor, for `fit`"
    )
    parser.add_argument("--first", type=int, required=True, metavar="N", help="random grasps to begin with")
    parser.add_argument("--trials", type=int, required=True, metavar="N", help="grasps of each later round")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds after the first")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="to make, or to continue")
    parser.add_argument("--objects", metavar="SET", help="train, easy, hard, or names joined by commas")
    parser.add_argument("--camera-size", type=int, metavar="S", help="height and width of the camera's image")
    parser.add_argument("--epsilon", type=float, help="share of the planner's regrasps to draw at random")
    parser.add_argument(
        "--prior-regrasps",
        type=int,
        metavar="N",
        help="most regrasps of an on-policy grasp before the one that is recorded; none unless given",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="grasps to simulate at once")
    parser.add_argument("--seed", type=int, help="of everything")


def export(parser: argparse.ArgumentParser) -> None:
    """Options of `export`."""
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
    overwrite(parser)


def probe(parser: argparse.ArgumentParser) -> None:
    """Options of `probe`."""
    parser.add_argument(
        "encoders",
        nargs="+",
        metavar="ENCODER",
        help="a folder that `export` made, a folder of one per fold, FOLDER+FOLDER for both side by side, a "
        "joint space for each of its modalities and all together; or any of them as LABEL=FOLDER",
    )
    parser.add_argument("--store", type=Path, required=True, help="a folder that `convert` made")
    parser.add_argument(
        "--target",
        required=True,
        help="the outcome to predict, such as success; or object, to tell them apart",
    )
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
    parser.add_argument(
        "--group",
        metavar="COLUMN[+COLUMN…]",
        help="trials that agree in them are one independent unit; those of an object unless given",
    )
    running_encoders(parser)
    parser.add_argument("--jobs", dest="n_jobs", type=int, metavar="N", help="folds to work on at once")
    parser.add_argument("--seed", type=int, help="the first seed; the others follow it")
    overwrite(parser)


def classify(parser: argparse.ArgumentParser) -> None:
    """Options of `classify`."""
    parser.add_argument("classifier", metavar="CLASSIFIER", help="a folder that `export` made")
    parser.add_argument("--store", type=Path, required=True, help="the trials")
    parser.add_argument(
        "--split",
        type=Path,
        metavar="FILE",
        help="it was trained with, whose test side is classified; without it, every trial of another store",
    )
    parser.add_argument(
        "--occlude", nargs="+", metavar="MODALITY", help="seen with something in front of it, such as sight"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--device", help="where it runs, such as cpu or cuda")
    parser.add_argument("--seed", type=int, help="of the occlusions")
    overwrite(parser)


def retrieve(parser: argparse.ArgumentParser) -> None:
    """Options of `retrieve`."""
    parser.add_argument(
        "spaces",
        nargs="+",
        metavar="JOINT",
        help="a folder that `export` made of a cross-modal checkpoint, or LABEL=FOLDER",
    )
    parser.add_argument("--store", type=Path, required=True, help="a folder that `convert` or `collect` made")
    parser.add_argument(
        "--split", required=True, help="a split file, or what `split --by` takes: that of the pretraining"
    )
    parser.add_argument("--fold", type=int, metavar="N", help="whose test side is searched; 0 unless given")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the report goes")
    parser.add_argument(
        "--group",
        metavar="COLUMN[+COLUMN…]",
        help="trials that agree in them are each other's right answers; as in pretraining unless given",
    )
    parser.add_argument("--label", metavar="COLUMN", help="judge clusters by it; by object unless given")
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        type=condition,
        metavar="COLUMN=VALUE",
        help="only such trials, such as example=stay; of one column, any of its values",
    )
    running_encoders(parser)
    parser.add_argument("--seed", type=int, help="of resamples, clusters and the untrained networks")
    overwrite(parser)


def map(parser: argparse.ArgumentParser) -> None:
    """Options of `map`."""
    parser.add_argument(
        "encoders",
        nargs="+",
        metavar="ENCODER",
        help="a folder that `export` made; or all of them joint spaces",
    )
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
    parser.add_argument("--split", help="draw the test side of a split file, or of what `split --by` takes")
    parser.add_argument("--fold", type=int, metavar="N", help="whose test side; 0 unless given")
    parser.add_argument(
        "--max-points",
        type=int,
        metavar="N",
        help="of the map; trials are drawn at random where there are more",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the map goes")
    parser.add_argument("--wandb", action="store_true", help="log it to Weights & Biases as well")
    running_encoders(parser)
    parser.add_argument("--seed", type=int, help="of the draw and of the layout")
    overwrite(parser)


def regrasp(parser: argparse.ArgumentParser) -> None:
    """Options of `regrasp`."""
    parser.add_argument(
        "predictors",
        nargs="*",
        metavar="PREDICTOR",
        help="a folder that `export` made, or LABEL=FOLDER; several are compared; LABEL=FOLDER,FOLDER "
        "is one planner over the mean of both",
    )
    parser.add_argument("--env", required=True, metavar="ID", help="such as visuotactile/Grasp-v0, MODULE:ID")
    parser.add_argument("--objects", required=True, metavar="SET", help="as the environment names them: easy")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--trials", type=int, metavar="N", help="episodes of each object and policy; 10")
    parser.add_argument(
        "--policies",
        nargs="+",
        choices=("planner", "random", "cylinder", "first"),
        help="in the report's order; all unless given",
    )
    parser.add_argument(
        "--objective",
        nargs="+",
        choices=("success", "least_force"),
        help="of the planner, each a row: the likeliest success, or the least force that is likely enough",
    )
    parser.add_argument(
        "--search",
        choices=("refine", "cem", "random"),
        help="of the planner: random and refined along the gradient, cross-entropy method, random alone",
    )
    parser.add_argument(
        "--above", type=float, metavar="P", help="the planner lifts above it; 0.9 if not given"
    )
    parser.add_argument("--max-regrasps", type=int, metavar="N", help="then it lifts whatever it expects")
    parser.add_argument("--films", type=int, metavar="N", help="episodes to show in pictures")
    parser.add_argument("--camera-size", type=int, metavar="S", help="best that of the training images")
    parser.add_argument(
        "--option",
        dest="env_options",
        action="append",
        type=option,
        metavar="NAME=VALUE",
        help="an option of the environment, such as sensor=digit; may be repeated",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="episodes to play at once")
    parser.add_argument("--seed", type=int, help="of everything")
    overwrite(parser)
