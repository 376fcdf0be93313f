"""Labels of gentle grasps against the paper's table and the simulator's truth.

    python benchmarks/gentle_labels.py STORE     of `visuotactile collect gentle --trials 1500 …`
    python benchmarks/gentle_labels.py           simulates 1,500 grasps of the toy, without pictures

It counts the four kinds of grasps beside the paper's (gentle_grasping, Table I) and beside the lab's stated
target, which was set from 3,000 grasps of the seeds 0 and 12: other seeds test it. It compares each label
with the truth: gentle by ear; stable by the displacement of the fingertips, from 100 watched lifts on,
refined after each further hundred, alone and with the displacement of the targets; and, with pictures, gentle
by the change of the gels, whose threshold comes from the first 100 grasps. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from visuotactile.datasets.grasp_labels import StabilityLabels, best_threshold, gel_change
from visuotactile.datasets.store import Store
from visuotactile.sim.gentle_grasps import GentleGrasps

Columns = dict[str, npt.NDArray[np.float64]]

KINDS = ("stable and gentle", "stable and loud", "failed and gentle", "failed and loud")
PAPER = (364, 385, 609, 142)
TARGET = (395, 362, 578, 165)
"""Per 1,500 grasps of the toy."""
WATCHED = 100


def main() -> None:
    """Count and compare, and print one JSON object last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path, nargs="?")
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found = _stored(given.store) if given.store else _simulated(given.trials, given.seed, given.workers)
    figures = {**_counted(found), **_compared(found)}
    print(json.dumps(figures))


def _counted(found: Columns) -> dict[str, Any]:
    """Counts of the four kinds, and how many standard errors of a binomial they are from the target."""
    stable, gentle = found["stable"] > 0, found["gentle"] > 0
    count = len(stable)
    counts = [
        int(each.sum()) for each in (stable & gentle, stable & ~gentle, ~stable & gentle, ~stable & ~gentle)
    ]
    off = []
    for kind, number, target, paper in zip(KINDS, counts, TARGET, PAPER, strict=True):
        share = target / sum(TARGET)
        off.append((number - count * share) / math.sqrt(count * share * (1 - share)))
        print(
            f"{kind:18s} {number:5d} of {count}; per 1,500 {1500 * number / count:4.0f}, target {target} "
            f"({off[-1]:+.1f} standard errors), paper {paper}"
        )
    return {"grasps": count, "counts": counts, "errors_from_target": [round(each, 2) for each in off]}


def _compared(found: Columns) -> dict[str, float]:
    """Share of each label that equals the truth."""
    truth = {name: found[f"hidden/{name}"] > 0 for name in ("stable", "gentle")}
    own = np.stack([found["moved_middle_mm"], found["moved_thumb_mm"]], axis=1) / 1e3
    sent = np.column_stack([own, found["displacement_mm"] / 1e3])
    figures = {"gentle_by_ear": float(np.mean((found["gentle"] > 0) == truth["gentle"]))}
    for name, moved in (("stable_by_fingers", own), ("stable_by_fingers_and_targets", sent)):
        labels = StabilityLabels(moved[:WATCHED], truth["stable"][:WATCHED])
        rest = [labels.label(moved[at : at + WATCHED]) for at in range(WATCHED, len(moved), WATCHED)]
        figures[name] = float(np.mean(np.concatenate(rest) == truth["stable"][WATCHED:]))
    if "gel" in found:
        limit = best_threshold(found["gel"][:WATCHED], truth["gentle"][:WATCHED])
        by_touch, later = found["gel"][WATCHED:] <= limit, slice(WATCHED, None)
        figures |= {
            "gentle_by_touch": float(np.mean(by_touch == truth["gentle"][later])),
            "by_touch_as_by_ear": float(np.mean(by_touch == (found["gentle"][later] > 0))),
            "gentle_by_touch_auc": float(roc_auc_score(~truth["gentle"], found["gel"])),
        }
    figures["always_gentle"] = float(np.mean(truth["gentle"]))
    for name, share in figures.items():
        print(f"{name:30s} {share:.3f}")
    return {name: round(share, 3) for name, share in figures.items()}


def _stored(path: Path) -> Columns:
    store = Store(path)
    rows = np.flatnonzero(store.column("column/example") == "stay")
    names = [name for name in store.columns if name.startswith(("outcome/", "hidden/"))]
    found = {name.removeprefix("outcome/"): store.column(name)[rows] for name in names}
    found["gel"] = np.sum(
        [
            np.concatenate(
                [
                    gel_change(*(store.read(pad, phase, some) for phase in ("before", "during")))
                    for some in _some(rows)
                ]
            )
            for pad in ("tactile_middle", "tactile_thumb")
        ],
        axis=0,
    )
    return found


def _some(rows: npt.NDArray[np.int64], count: int = 64) -> list[npt.NDArray[np.int64]]:
    return [rows[at : at + count] for at in range(0, len(rows), count)]


def _simulated(trials: int, seed: int, workers: int) -> Columns:
    parts = Parallel(n_jobs=workers)(
        delayed(_outcomes)(trials, seed, at, min(at + 25, trials)) for at in range(0, trials, 25)
    )
    rows = [row for part in parts for row in part]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _outcomes(trials: int, seed: int, first: int, end: int) -> list[Mapping[str, float]]:
    grasps = GentleGrasps(trials, seed=seed)
    return [grasps.outcome(number) for number in range(first, end)]


if __name__ == "__main__":
    main()
