"""Tables I and II and Figures 4 to 8 of more_than_a_feeling, in simulation, and label efficiency.

    python -m experiments.more_than_a_feeling --preset laptop --jobs 2
    python -m experiments.more_than_a_feeling --preset paper

Finished parts (grasps, networks, episodes, tables) are kept, and training resumes from its last checkpoint,
so the same command continues an interrupted run. Stores, networks and episodes go to --work; tables and
pictures to results/ beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
import torch

from experiments.more_than_a_feeling import figures, label_budget, sweeps, table1, table2
from experiments.more_than_a_feeling.experiment import (
    BOTH,
    CAMERA,
    FOLDS,
    TOUCH,
    Branches,
    Experiment,
    add_options,
)
from experiments.more_than_a_feeling.predicted import Part, Predicted, held_out_objects, tested
from experiments.more_than_a_feeling.presets import ENCODERS
from experiments.more_than_a_feeling.trials import chosen_for_training, collected
from visuotactile.datasets.splits import Split
from visuotactile.encoders.frozen import load_encoder, save_encoder, untrained_encoder
from visuotactile.sim.objects import object_names
from visuotactile.training.runs import Changes, Run, fit

RANDOM = "tactile + vision, random grasps alone"
NO_POSE = "no pose"
UNSEEN_GRASPS = 220
NOWHERE: Changes = {"model.init_args.vectors": []}
"""Figure 5's network must infer the hand's height from sight and touch."""
PARTS = ("predictors", "table1", "table2", "labels", "figures")


def encoders(experiment: Experiment, methods: Sequence[str]) -> dict[str, Path]:
    """Self-supervised touch encoders, pretrained on the training side of fold 0, and an untrained one.

    Examples of the open hand, which feels nothing, are left out.
    """
    preset, store = experiment.preset, experiment.small
    contact = store.column("column/example") != "released"
    file = experiment.work / "splits" / f"{store.fingerprint[:12]}-contact.json"
    split = chosen_for_training(store, experiment.split(store), contact, file)
    runs = [
        Run(
            folder=experiment.work / "encoders" / method,
            config=preset.encoders / f"{method}.yaml",
            changes={
                **preset.encoder_changes,
                "model.init_args.seed": 0,
                "data.init_args.store": str(store.path),
                "data.init_args.split": str(split),
                "data.init_args.fold": 0,
                "data.init_args.seed": 0,
            },
        )
        for method in methods
    ]
    folders = joblib.Parallel(n_jobs=experiment.jobs, batch_size=1)(
        joblib.delayed(fit)(run, experiment.threads) for run in runs
    )
    found = dict(zip(methods, folders, strict=True))
    like, folder = load_encoder(found["moco"]), experiment.work / "encoders" / label_budget.UNTRAINED
    if not folder.exists():
        fresh = untrained_encoder(like.architecture, like.contract, seed=0)
        save_encoder(folder, fresh.backbone, fresh.architecture, fresh.contract, fresh.meta)
    return found | {label_budget.UNTRAINED: folder}


def policies(experiment: Experiment, moco: Path) -> dict[str, list[Part]]:
    """The closed loop's predictors, on all training objects: row of Table II → its networks.

    The first is trained on random grasps alone. Its planner chooses more grasps, and a second one, trained on
    all of them, the next round's. The last ones train on all rounds, and longer. Figure 5's, without a pose,
    is among them.
    """
    random = latest = experiment.part("all/tactile-vision", BOTH)
    store = experiment.small
    for number, objective in enumerate(experiment.preset.rounds, start=1):
        experiment.fit([latest])
        store = experiment.with_on_policy(latest.predictor, number, objective)
        latest = experiment.part(f"round-{number}/tactile-vision", BOTH, store=store)
    frozen: Branches = {"camera": {}, "touch": {"encoder": str(moco)}}
    branches = {table2.OURS: BOTH, table2.SIGHT: CAMERA, table2.FROZEN: frozen}
    names = {table2.OURS: "tactile-vision", table2.SIGHT: "vision", table2.FROZEN: "frozen"}
    preset = experiment.preset
    # The rounds' planners were trained on most objects: their choices there hold more often than on a new
    # object, and a network calibrated on them would be overconfident.
    changes = {**preset.last_changes, "data.init_args.held_out": held_out_objects(random)}
    last = {
        row: [
            experiment.part(f"last/{names[row]}-{seed}", own, store=store, changes=changes, seed=seed)
            for seed in range(preset.last_networks)
        ]
        for row, own in branches.items()
    }
    return {**last, RANDOM: [random], NO_POSE: [experiment.part("all/no-pose", BOTH, changes=NOWHERE)]}


def folds(experiment: Experiment) -> dict[str, list[list[Part]]]:
    """Row of Table I → seed → fold."""
    split = experiment.split(experiment.small)
    return {
        name: [
            [
                experiment.part(
                    f"table1/{name.replace(' + ', '-').replace(', ', '-').replace(' ', '-')}-{seed}-{fold}",
                    {branch: {} for branch in branches},
                    split=split,
                    fold=fold,
                    seed=seed,
                    changes={"model.init_args.action": action},
                )
                for fold in range(FOLDS)
            ]
            for seed in range(experiment.preset.seeds)
        ]
        for name, (branches, action) in table1.CONFIGURATIONS.items()
    }


def closed_loop(experiment: Experiment, predictors: Mapping[str, Sequence[Part]]) -> table2.Episodes:
    """Play every policy on the easy and the hard set; write and draw Table II."""
    preset, results = experiment.preset, experiment.results
    folders = {name: own for name, own in _folders(predictors).items() if name != NO_POSE}
    policies, alone = table2.specifications(folders), table2.each_alone(folders)
    episodes = table2.play_sets(
        policies | {name: policy for own in alone.values() for name, policy in own.items()},
        preset.episodes,
        {"camera_size": preset.camera_size},
        experiment.work / "episodes",
        experiment.jobs,
    )
    networks = {name: len(policy.predictors) for name, policy in policies.items()}
    figures.draw_table2(results / "table2.png", table2.write_table2(results, episodes, networks, alone))
    return episodes


def _folders(predictors: Mapping[str, Sequence[Part]]) -> dict[str, list[Path]]:
    return {name: [part.predictor for part in parts] for name, parts in predictors.items()}


def labels(
    experiment: Experiment, found: Mapping[str, Path]
) -> tuple[label_budget.Trials, dict[str, dict[str, list[Predicted]]]]:
    """Touch under a predictor on fold 0, by encoder and number of labelled grasps."""
    preset, store = experiment.preset, experiment.grasps
    split = experiment.split(store)
    train, test = (side.astype(np.int64) for side in Split.load(split, store).indices(store, 0))
    trials = label_budget.Trials(store, train, test)
    folder = experiment.work / "labels"
    jobs = [
        (encoder, budget, seed)
        for encoder in found
        for budget in preset.budgets
        for seed in range(preset.budget_seeds)
    ]
    joblib.Parallel(n_jobs=experiment.jobs)(
        joblib.delayed(label_budget.features)(store, path, folder / f"{name}.npy", experiment.threads)
        for name, path in found.items()
    )
    answers = joblib.Parallel(n_jobs=experiment.jobs)(
        joblib.delayed(label_budget.learn)(
            trials,
            found[encoder],
            folder / f"{encoder}.npy",
            budget,
            seed,
            experiment.threads,
            folder / f"{encoder}-{_named(budget)}-{seed}.npz",
        )
        for encoder, budget, seed in jobs
    )
    results: dict[str, dict[str, list[Predicted]]] = {}
    for (encoder, budget, _), one in zip(jobs, answers, strict=True):
        results.setdefault(encoder, {}).setdefault(_named(budget), []).append(one)
    results[label_budget.END_TO_END] = _end_to_end(experiment, trials)
    return trials, results


def _end_to_end(experiment: Experiment, trials: label_budget.Trials) -> dict[str, list[Predicted]]:
    """Predictions with the touch network trained end to end; with all labels, those of Table I."""
    preset, store = experiment.preset, experiment.small
    parts: dict[str, list[Part]] = {}
    for budget, changes in preset.end_to_end.items():
        for seed in range(preset.budget_seeds):
            chosen = np.zeros(len(store), bool)
            chosen[trials.budget(budget, seed)] = True  # rows are the same in both stores
            file = experiment.work / "splits" / f"{store.fingerprint[:12]}-{budget}-{seed}.json"
            split = chosen_for_training(store, experiment.split(store), chosen, file)
            name = f"labels/{budget}-{seed}"
            part = experiment.part(name, TOUCH, changes=changes, split=split, seed=seed)
            parts.setdefault(_named(budget), []).append(part)
    if None in preset.budgets:
        parts[_named(None)] = [seeds[0] for seeds in folds(experiment)["tactile + action"]]
    experiment.fit([part for seeds in parts.values() for part in seeds])
    return {budget: [tested(part) for part in seeds] for budget, seeds in parts.items()}


def _named(budget: int | None) -> str:
    return "all" if budget is None else str(budget)


def main() -> None:
    """Run the unfinished parts, then write the tables and draw the figures."""
    options = _options()
    experiment, wanted = Experiment.of(options), set(options.parts)
    results = experiment.results
    torch.set_num_threads(experiment.threads)
    print(f"{len(experiment.small):,} simulated examples in {experiment.small.path}", flush=True)
    found: dict[str, Path] = {}
    if wanted != {"table1"}:
        found = encoders(experiment, ENCODERS if "labels" in wanted else ENCODERS[:1])
    predictors: dict[str, list[Part]] = {}
    if {"predictors", "table2", "figures"} & wanted:
        predictors = policies(experiment, found["moco"])
        experiment.fit([part for parts in predictors.values() for part in parts])
    table = folds(experiment)
    if "table1" in wanted:
        experiment.fit([part for seeds in table.values() for own in seeds for part in own])
        figures.draw_table1(results / "table1.png", table1.write_table1(results, experiment.small, table))
    if "table2" in wanted:
        both = table2.both_sets(closed_loop(experiment, predictors))
        figures.draw_actions(results / "figure6.png", both[table2.OURS])
        figures.draw_least_force(results / "figure8.png", both)
    if "labels" in wanted:
        content = label_budget.write_label_budget(results, *labels(experiment, found))
        figures.draw_label_budget(results / "label_budget.png", content)
    if "figures" in wanted:
        _understanding(experiment, predictors)


def _understanding(experiment: Experiment, predictors: Mapping[str, Sequence[Part]]) -> None:
    """Draw Figures 4, 5 and 7."""
    preset, work = experiment.preset, experiment.work

    def swept(dimension: str, values: list[float]) -> sweeps.Sweep:
        file = work / "sweeps" / f"{dimension}.json"
        folders = _folders(predictors)[table2.OURS]
        return sweeps.sweep(
            folders, dimension, values, preset.states, preset.camera_size, file, experiment.jobs
        )

    force, height = swept("force", sweeps.FORCES), swept("dz", sweeps.HEIGHTS)
    figures.draw_force(experiment.results / "figure4.png", force)
    figures.draw_height(experiment.results / "figure7.png", height)
    sweeps.write_sweeps(experiment.results, force, height)
    names = ",".join(name for which in table2.SETS for name in object_names(which))
    unseen = collected(
        work / "unseen", UNSEEN_GRASPS, preset.camera_size, seed=1, workers=experiment.jobs, objects=names
    )
    rows = np.flatnonzero(unseen.column("column/example") == "regrasp").astype(np.int64)
    figures.draw_downward(experiment.results / "figure5.png", predictors[NO_POSE][0].predictor, unseen, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="all by default")
    add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
