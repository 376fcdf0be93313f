"""Baseline cues: slip predicted from single numbers, in each of the two rigs of the slip recordings.

    python -m experiments.contrastive_grasp_outcomes.cues runs/contrastive_grasp_outcomes/incipient-slip

Run it after the experiment, whose --work folder it takes, with the dataset's name.

Contact is the mean |during − before|, motion the mean difference of neighbouring frames, each as the
logarithm of the stronger and of the weaker finger. The AUROC of a linear probe on object-grouped folds is
taken over all trials and within each rig, also for every encoder of the laptop preset and untrained ones.
Writes results/incipient-slip-laptop/cues.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.samples import class_labels, group_numbers
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.encoders import load_encoder, untrained_encoder
from visuotactile.files import write_text
from visuotactile.probes.features import trial_features
from visuotactile.probes.nested import fit_probes
from visuotactile.reports.markdown import table

OUT = Path(__file__).parent / "results" / "incipient-slip-laptop" / "cues.md"
STREAMS, SEEDS = ("tactile_left", "tactile_right"), (0, 1, 2)
Values = npt.NDArray[np.floating]


def main(work: Path) -> None:
    """Measure every cue and encoder, and write the table."""
    store, cache = Store(work / "store-laptop"), work / "features"
    groups: dict[str, list[Values]] = {
        "session only": [np.eye(2)[(store.sessions == "rig-45px").astype(int)]]
    }
    groups |= {name: [values] for name, values in cues(store).items()}
    folders = sorted((work / "laptop" / "encoders").glob("*/encoder.json"))
    first = load_encoder(folders[0].parent)
    groups["untrained"] = [
        trial_features(untrained_encoder(first.architecture, first.contract, draw), store, cache=cache)
        for draw in range(5)
    ]
    for folder in folders:
        encoder = load_encoder(folder.parent)
        groups.setdefault(folder.parent.name.rpartition("-")[0], []).append(
            trial_features(encoder, store, cache=cache)
        )
    rigs = sorted(set(store.sessions.tolist()))
    lines = [
        "# Slip from the first second, by rig",
        "",
        "AUROC of a linear probe, object-grouped 5-fold, mean over 3 shuffles (and over an encoder's seeds).",
        "",
    ]
    rows = []
    for name, members in groups.items():
        figures = np.mean([auroc_by_rig(store, member, rigs) for member in members], axis=0)
        rows.append([name, *(f"{figure:.3f}" for figure in figures)])
        print(*rows[-1], sep="  ", flush=True)
    write_text(OUT, "\n".join([*lines, table(["cue", "all", *rigs], rows), ""]))


def cues(store: Store) -> dict[str, Values]:
    """Cue → its numbers [trials, 2]."""
    trials = np.arange(len(store))
    contact, motion = [], []
    for stream in STREAMS:
        clip = store.read(stream, "during", trials).astype(np.float32)
        before = store.read(stream, "before", trials).astype(np.float32)
        contact.append(np.abs(clip - before[:, None]).mean(axis=(1, 2, 3, 4)))
        motion.append(np.abs(np.diff(clip, axis=1)).mean(axis=(1, 2, 3, 4)))
    found = {}
    for name, fingers in (("contact", contact), ("motion", motion)):
        values = np.log(np.stack(fingers, axis=1))
        found[name] = np.sort(values, axis=1).astype(np.float64)
    return found | {"contact and motion": np.concatenate(list(found.values()), axis=1)}


def auroc_by_rig(store: Store, values: Values, rigs: list[str]) -> list[float]:
    """AUROC over all trials and within each rig."""
    labels, _ = class_labels(store, "slip")
    objects = group_numbers(store, "object")
    right, pairs = np.zeros(1 + len(rigs)), np.zeros(1 + len(rigs))
    for seed in SEEDS:
        split = make_split(store, "object:5", seed)
        for fold in range(len(split.folds)):
            train, test = split.indices(store, fold)
            fitted = fit_probes(["linear"], values[train], values[test], labels[train], objects[train], seed)
            scores = fitted["linear"].scores()[:, 1]
            for place, rig in enumerate([None, *rigs]):
                here = np.ones(len(test), bool) if rig is None else store.sessions[test] == rig
                slips, holds = (scores[here & (labels[test] == label)] for label in (1, 0))
                difference = slips[:, None] - holds[None]
                right[place] += (difference > 0).sum() + 0.5 * (difference == 0).sum()
                pairs[place] += difference.size
    return list(right / pairs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
