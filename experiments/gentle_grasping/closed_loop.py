"""Figure 9: policies in the closed loop, on the toy and on fragile objects that no predictor has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

import visuotactile.sim
from experiments.gentle_grasping.experiment import OUTCOMES, Experiment
from experiments.gentle_grasping.heads import train
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.episodes.closed_loop import play
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.planning.policy_spec import PolicySpec
from visuotactile.grasp.predictor.file import save_predictor
from visuotactile.reports.intervals import Estimate, draw_units, format_figure, mean_over_units
from visuotactile.reports.markdown import table
from visuotactile.sim.hands.fingers import HAND, PRESET
from visuotactile.sim.objects.fragile import fragile_names

TOUCH, VISION, RANDOM = "touch + vision", "vision", "random regrasp"
SENSES: Mapping[str, tuple[str, ...]] = {TOUCH: ("camera", "touch"), VISION: ("camera",)}
ABOVE = 0.95
REGRASPS = 3
SEEN, UNSEEN = "toy", "unseen"
MEASURES = (*OUTCOMES, "both")


def predictors(experiment: Experiment) -> dict[str, list[Path]]:
    """Policy → folders of its networks, trained on all grasps of the store."""
    jobs = [(name, seed) for name in SENSES for seed in range(experiment.preset.networks)]
    folders = joblib.Parallel(n_jobs=experiment.jobs, batch_size=1)(
        joblib.delayed(_trained)(experiment, *job) for job in jobs
    )
    found: dict[str, list[Path]] = {}
    for (name, _), folder in zip(jobs, folders, strict=True):
        found.setdefault(name, []).append(folder)
    return found


def _trained(experiment: Experiment, name: str, seed: int) -> Path:
    torch.set_num_threads(1)
    folder = experiment.work / "predictors" / f"{name.replace(' + ', '-')}-{seed}"
    if folder.exists():
        return folder
    store = experiment.store
    encoders = {branch: it for branch, it in experiment.encoders().items() if branch in SENSES[name]}
    every = np.arange(len(store))
    made = train(experiment, encoders, every, every[:0], experiment.grasp.astype(str), seed)
    objects = sorted(set(store.objects.tolist()))
    data = {
        "store": store.name,
        "fingerprint": store.fingerprint,
        "split_hash": "",
        "fold": None,
        "training_objects": objects,
        "held_out_objects": [],
        "training_examples": len(store),
    }
    save_predictor(folder, made.predictor, made.calibration, {"seed": seed, "step": 0, "data": data})
    return folder


def specifications(experiment: Experiment) -> dict[str, PolicySpec]:
    """The policies: planners with the paper's rule, and a random regrasp."""
    preset = {joint.name: float(angle) for joint, angle in zip(HAND, PRESET, strict=True)}
    planners = {
        name: PolicySpec(
            kind="planner",
            predictors=tuple(map(str, folders)),
            objective="stable",
            required=OUTCOMES,
            search="factored",
            above=ABOVE,
            preset=preset,
        )
        for name, folders in predictors(experiment).items()
    }
    return {**planners, RANDOM: PolicySpec(kind="random")}


def episodes(experiment: Experiment, *sets: str) -> dict[str, list[Record]]:
    """Set → episodes, every policy in the same ones."""
    policies, preset = specifications(experiment), experiment.preset
    options = {"camera_size": experiment.store.specs["rgb", "during"].shape[0]}
    known = {
        SEEN: (fragile_names("toy"), preset.episodes),
        UNSEEN: (fragile_names("unseen")[: preset.unseen_objects], preset.unseen),
    }
    return {
        which: play(
            visuotactile.sim.GENTLE_GRASP,
            policies,
            objects,
            trials,
            seed=1,
            max_regrasps=REGRASPS,
            workers=experiment.jobs,
            env_options={"objects": which, **options},
            out=experiment.work / "episodes" / which,
        )
        for which, (objects, trials) in known.items()
        if which in sets
    }


def write_closed_loop(experiment: Experiment) -> dict[str, Any]:
    """Write figure9.md and figure9.json, of the toy; returns the content."""
    return _write(experiment, "figure9", SEEN)


def write_unseen(experiment: Experiment) -> dict[str, Any]:
    """Write unseen.md and unseen.json, of fragile objects that no predictor has seen; returns the content."""
    return _write(experiment, "unseen", UNSEEN)


def _write(experiment: Experiment, file: str, *sets: str) -> dict[str, Any]:
    content: dict[str, Any] = {"sets": {}, **provenance()}
    for which, records in episodes(experiment, *sets).items():
        rows = _rows(records)
        found = {policy: _estimates(own) for policy, own in rows.items()}
        content["sets"][which] = {
            "objects": len({record.object for record in records}),
            "episodes of each policy": len(rows[TOUCH]),
            "unit": _unit(records),
            "policies": {
                policy: {
                    **{measure: value.figure() for measure, value in own.items()},
                    "regrasps": float(np.mean([record.regrasps for record in rows[policy]])),
                    "forced": float(np.mean([record.forced for record in rows[policy]])),
                }
                for policy, own in found.items()
            },
            "differences": {
                f"{one} − {other}": {m: (found[one][m] - found[other][m]).figure() for m in MEASURES}
                for one, other in ((TOUCH, VISION), (VISION, RANDOM), (TOUCH, RANDOM))
            },
        }
    write_json(experiment.results / f"{file}.json", content)
    write_text(experiment.results / f"{file}.md", "\n".join(_lines(content)))
    return content


def _rows(records: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.policy, []).append(record)
    return found


def _unit(records: Sequence[Record]) -> str:
    return "objects" if len({record.object for record in records}) > 1 else "episodes"


def _estimates(records: Sequence[Record]) -> dict[str, Estimate]:
    """Means with intervals over objects, or over episodes where there is one object."""
    outcomes = np.array([[record.outcomes[name] for name in OUTCOMES] for record in records])
    values = {**dict(zip(OUTCOMES, outcomes.T, strict=True)), "both": outcomes.all(1).astype(float)}
    names = [record.object if _unit(records) == "objects" else str(record.trial) for record in records]
    units = np.unique(names, return_inverse=True)[1].astype(np.int64)
    counts = draw_units(np.ones(units.max() + 1, bool), seed=0)
    return {name: mean_over_units(value, units, counts) for name, value in values.items()}


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines = [
        "# Figure 9: the closed loop, simulated",
        "",
        f"At most {REGRASPS} regrasps; a lift where both probabilities are above {ABOVE}. The paper, 100 "
        "tests of a policy on its toy: touch + vision 17 points of both above vision, 44 above random.",
    ]
    for which, own in content["sets"].items():
        lines += [
            "",
            f"## {which}: {own['objects']} objects, {own['episodes of each policy']} episodes of each policy",
            "",
            f"%, [95 % interval over {own['unit']}].",
            "",
            table(
                ["", *MEASURES, "regrasps", "lifted without choice, %"],
                [
                    [
                        policy,
                        *(format_figure(row[measure], 1, scale=100) for measure in MEASURES),
                        f"{row['regrasps']:.2f}",
                        f"{100 * row['forced']:.0f}",
                    ]
                    for policy, row in own["policies"].items()
                ],
            ),
            "",
            table(
                ["points, paired", *MEASURES],
                [
                    [name, *(format_figure(row[m], 1, scale=100, signed=True) for m in MEASURES)]
                    for name, row in own["differences"].items()
                ],
            ),
        ]
    return [*lines, ""]
