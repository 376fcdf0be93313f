"""Label efficiency: frozen touch encoders under a predictor, by number of labelled grasps.

Touch and action only, since sight would mask the effect. Features are computed once; the action network and
the fusion layer are then trained on the same grasps for every encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from experiments.more_than_a_feeling.predicted import Predicted
from visuotactile.datasets.splits import hold_out
from visuotactile.datasets.store import Store
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch
from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.grasp.predictor.examples import (
    actions,
    outcome_columns,
    read_images,
    store_embodiment,
    vectors,
)
from visuotactile.grasp.predictor.module import masked_cross_entropy
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.probes.metrics import Predictions, accuracy, auroc
from visuotactile.reports.intervals import Estimate, Figure, draw_units, estimate, format_figure, json_number
from visuotactile.reports.markdown import table

Index = npt.NDArray[np.int64]

END_TO_END, UNTRAINED = "end to end", "untrained"
HELD_OUT = 0.1
BATCH, RATE, WEIGHT_DECAY = 32, 3e-4, 1e-4
LEAST_STEPS, MOST_STEPS, PASSES = 100, 1500, 20
LOOKS = 10
"""Number of validations on the held-out objects in a training; the best state is kept."""

AT_ONCE = 256


@dataclass(frozen=True)
class Trials:
    """One fold's labelled grasps.

    Attributes:
        train, test: rows of the store; test objects take part in no training, calibration or pretraining.
    """

    store: Store
    train: Index
    test: Index

    def budget(self, grasps: int | None, seed: int) -> Index:
        """Training rows of this number of random grasps; of all for None."""
        if grasps is None:
            return self.train
        number = self.store.column("column/grasp")[self.train]
        names = np.unique(number)
        chosen = np.random.default_rng(seed).permutation(names)[:grasps]
        return self.train[np.isin(number, chosen)]


@torch.no_grad()
def features(store: Store, encoder: Path, file: Path, threads: int) -> None:
    """Save a frozen encoder's features of both fingers in `file`: float32 [trials of the store, width]."""
    if file.exists():
        return
    torch.set_num_threads(threads)
    network = Branch(encoder=encoder).build()
    found = np.empty((len(store), network.look_width), np.float32)
    for start in range(0, len(store), AT_ONCE):
        some = np.arange(start, min(start + AT_ONCE, len(store)))
        seen = {name: torch.from_numpy(read_images(store, name, some)) for name in network.keys}
        found[some] = network.look(seen).numpy()
    with atomic_path(file) as path, open(path, "wb") as opened:
        np.save(opened, found)


def learn(
    trials: Trials, encoder: Path, file: Path, grasps: int | None, seed: int, threads: int, kept: Path
) -> Predicted:
    """Train on some labelled grasps with the frozen features in `file`, and predict the test side.

    Predictions are saved in `kept`, and loaded from there if it exists.
    """
    if kept.exists():
        return Predicted.load(kept)
    torch.set_num_threads(threads)
    seen = torch.from_numpy(np.load(file))
    store, everything = trials.store, np.arange(len(trials.store))
    train, held = hold_out(store.objects, trials.budget(grasps, seed), HELD_OUT, seed)
    with seeded(seed):
        predictor = Predictor({"touch": Branch(encoder=encoder)}, store_embodiment(store))
    felt = vectors(store, predictor.observed, everything)
    action = actions(store, predictor.embodiment, everything)
    outcome = outcome_columns(store, predictor.outcomes, everything)

    def logits(rows: Index) -> Tensor:
        state = predictor.encode(
            {name: values[rows] for name, values in felt.items()}, features={"touch": seen[rows]}
        )
        found: Tensor = predictor.logits(state, action[rows, None])
        return found[:, 0]

    learned = [p for p in predictor.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)
    order = _order(train, np.random.default_rng(seed))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(order))
    lowest, best = float("inf"), logits(trials.test[:0])
    for step, rows in enumerate(order, start=1):
        loss = masked_cross_entropy(logits(rows), outcome[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % max(1, len(order) // LOOKS) == 0:
            with torch.no_grad():
                validated = float(masked_cross_entropy(logits(held), outcome[held]))
                if validated < lowest:
                    lowest, best = validated, logits(trials.test)
    labels = outcome[trials.test, 0].numpy().astype(np.int64)
    predicted = Predicted(trials.test, best[:, 0].double().numpy(), labels)
    predicted.save(kept)
    return predicted


def _order(train: Index, rng: np.random.Generator) -> list[Index]:
    """Rows of each step: whole passes in random order, their number set by the budget."""
    size = min(BATCH, len(train))
    steps = int(np.clip(PASSES * len(train) // size, LEAST_STEPS, MOST_STEPS))
    passes = -(-steps * size // len(train))
    joined = np.concatenate([rng.permutation(train) for _ in range(passes)])[: steps * size]
    return np.split(joined, steps)


def write_label_budget(
    folder: Path, trials: Trials, found: Mapping[str, Mapping[str, Sequence[Predicted]]]
) -> dict[str, Any]:
    """Write label_budget.md and label_budget.json into `folder`.

    Args:
        folder: folder of the results.
        trials: training and test trials.
        found: encoder → budget → seed → predictions on the test side.
    """
    store = trials.store
    _, objects = np.unique(store.objects, return_inverse=True)
    tested = np.isin(np.arange(objects.max() + 1), objects[trials.test])
    counts = draw_units(tested, seed=0)
    contact = store.column("column/example")[trials.test] != "released"

    def rows(predicted: Predicted, where: npt.NDArray[np.bool_]) -> Predictions:
        return Predictions(
            trials=predicted.rows[where],
            labels=predicted.labels[where],
            predicted=(predicted.logits[where] > 0).astype(np.int64),
            scores=np.stack([-predicted.logits[where], predicted.logits[where]], axis=1),
            objects=objects[predicted.rows[where]].astype(np.int64),
            folds=np.zeros(int(where.sum()), np.int64),
        )

    def estimates(where: npt.NDArray[np.bool_], metric: Any) -> dict[str, dict[str, Estimate]]:
        return {
            encoder: {
                budget: estimate(metric, [rows(predicted, where) for predicted in seeds], counts)
                for budget, seeds in budgets.items()
            }
            for encoder, budgets in found.items()
        }

    every = np.ones(len(trials.test), bool)
    measures = {
        "AUROC": estimates(every, auroc),
        "AUROC while holding": estimates(contact, auroc),
        "accuracy": estimates(every, accuracy),
    }
    content = {
        "test examples": len(trials.test),
        "test objects": int(tested.sum()),
        "labelled grasps in all": len(np.unique(store.column("column/grasp")[trials.train])),
        "figures": {
            measure: {
                encoder: {budget: _figure(value) for budget, value in budgets.items()}
                for encoder, budgets in own.items()
            }
            for measure, own in measures.items()
        },
        "gain over the untrained encoder": {
            measure: {
                encoder: {
                    budget: _figure(value - own[UNTRAINED][budget]) for budget, value in budgets.items()
                }
                for encoder, budgets in own.items()
                if encoder != UNTRAINED
            }
            for measure, own in measures.items()
        },
        **provenance(),
    }
    write_json(folder / "label_budget.json", content)
    write_text(folder / "label_budget.md", "\n".join(_lines(content)))
    return content


def _figure(value: Estimate) -> dict[str, float | int | None]:
    return {**value.figure(), "spread": json_number(value.spread), "seeds": len(value.per_seed)}


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines = [
        "# Does self-supervision pay? In simulation",
        "",
        f"Touch and action, {content['test examples']:,} simulated examples of {content['test objects']} "
        "objects that neither pretraining nor training saw. Columns: labelled grasps (three examples each), "
        f"the last of them all {content['labelled grasps in all']:,}. Value [95% interval over objects] "
        "± spread over seeds: another draw of the grasps, other weights above the encoder. "
        "Each encoder is of one pretraining.",
    ]
    for measure in content["figures"]:
        for heading, values, signed in (
            (f"{measure}, %", content["figures"][measure], False),
            (
                f"{measure}: gain over the untrained encoder",
                content["gain over the untrained encoder"][measure],
                True,
            ),
        ):
            budgets = list(next(iter(values.values())))
            rows = [
                [
                    encoder,
                    *(_percent(own[budget], signed=signed) if budget in own else "" for budget in budgets),
                ]
                for encoder, own in values.items()
            ]
            lines += ["", f"## {heading}", "", table(["", *budgets], rows)]
    return [*lines, ""]


def _percent(found: Figure, *, signed: bool) -> str:
    return format_figure(found, 1, scale=100, signed=signed, spread=found["spread"])
