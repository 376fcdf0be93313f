"""`visuotactile estimate fit`: from a store to an estimator's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from visuotactile.datasets.splits import find_fold
from visuotactile.datasets.store import Store
from visuotactile.encoders.frozen import load_encoder
from visuotactile.errors import ContractError
from visuotactile.estimation.contact_mechanics import WINDOW, ContactMechanics
from visuotactile.estimation.estimator import Estimator
from visuotactile.estimation.features import FrozenFeatures
from visuotactile.estimation.file import save_estimator
from visuotactile.estimation.task import measure_presses
from visuotactile.files import refuse_overwrite
from visuotactile.reports.terminal import print_line


def fit(
    kind: Literal["contact", "features"],
    store: str | Path,
    out: str | Path,
    *,
    target: str = "log_modulus",
    radius: str | None = None,
    encoder: str | Path | None = None,
    head: Literal["ridge", "gru", "attention"] = "ridge",
    window: float = WINDOW,
    split: Path | None = None,
    fold: int = 0,
    group: str = "object",
    stream: str | None = None,
    device: str = "cpu",
    seed: int = 0,
    overwrite: bool = False,
) -> Estimator:
    """Fit an estimator of a number, such as hardness, to clips of presses.

    Measured clips are kept in the user's cache, so that an interrupted command continues, and another fit
    to the same clips takes seconds. A network is trained end to end by `visuotactile fit --config
    hardness`.

    Args:
        kind: contact for contact mechanics, of balls of known radius; features for a regression on a frozen
            encoder's features.
        store: store of the clips.
        out: folder of the estimator.
        target: column of the number; contact mechanics takes log10 of Young's modulus in pascals.
        radius: column of the samples' radii [m]; contact needs it, and features takes it as a further input.
        encoder: folder of the frozen encoder, for features.
        head: regression on the features.
        window: millimetres of gel across the picture, for contact.
        split: split file, of which only the training side of the fold is read; by default every trial.
        fold: number of the fold.
        group: columns, joined by +, whose values are the independent units of the stated intervals.
        stream: tactile stream; by default the only one with clips.
        device: PyTorch device of the encoder.
        seed: seed of the folds by which intervals are calibrated, and of the weights.
        overwrite: replace an existing estimator.

    Raises:
        OutputExistsError: `out` exists and `overwrite` is False.
        ContractError, StoreError, SplitError, DataError, EncoderError: the inputs do not fit together.
    """
    refuse_overwrite(out, overwrite)
    estimator: Estimator
    if kind == "contact":
        if encoder is not None:
            raise ContractError("contact mechanics has no encoder; leave --encoder out, or fit features")
        if radius is None:
            raise ContractError(
                "contact mechanics is fitted to samples of known radius; name their column, such as --radius "
                "radius, or fit features"
            )
        estimator = ContactMechanics(window)
    else:
        if encoder is None:
            raise ContractError("features come from an encoder; give its folder as --encoder")
        estimator = FrozenFeatures(load_encoder(encoder, device), head, radius=radius is not None)
    presses = Store(store)
    train, _, split_hash = find_fold(presses, split, fold)
    found = measure_presses(
        estimator, presses, train, target=target, group=group, radius=radius, stream=stream
    )
    estimator.fit(found.measured, found.target, found.units, found.known, seed=seed)
    objects = sorted(set(presses.objects[found.rows].tolist()))
    data = {
        "store": presses.name,
        "fingerprint": presses.fingerprint,
        "split_hash": split_hash,
        "fold": fold if split_hash else None,
        "target": target,
        "group": group,
        "radius": radius,
        "training_objects": objects,
        "training_examples": len(found.rows),
    }
    save_estimator(out, estimator, {"method": kind, "seed": seed, "data": data}, overwrite=overwrite)
    left_out = f", {found.blank} without contact left out" if found.blank else ""
    count = f"{len(found.rows)} clips of {len(objects)} objects"
    print_line(f"Fitted {estimator.kind} to {count}{left_out}")
    return estimator
