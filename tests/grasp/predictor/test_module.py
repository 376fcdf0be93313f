"""Training of a predictor: what is learnt, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from predictor_helpers import RESNET, both, grasp_store
from sklearn.metrics import roc_auc_score
from torch import Tensor

from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.examples import UNLABELLED, predict
from visuotactile.grasp.predictor.module import PredictorModule, masked_cross_entropy
from visuotactile.training.schedule import ADAMW_STEPS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve objects whose grasps succeed by a known rule."""
    return grasp_store(tmp_path_factory.mktemp("grasps") / "store")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen encoder of touch with random weights."""
    contract = InputContract(
        streams=("tactile_left",), size=32, normalisation="dataset", mean=(0.0,) * 3, std=(0.1,) * 3
    )
    folder = tmp_path_factory.mktemp("encoder") / "encoder"
    save_encoder(folder, untrained_encoder(RESNET, contract, 5).backbone, RESNET, contract, {"seed": 5})
    return folder


def module(**settings: Any) -> PredictorModule:
    schedule = replace(ADAMW_STEPS, lr=3e-3, drops=(55,))
    return PredictorModule(
        **({"branches": both(), "outcomes": ("success",), "width": 64, "optimizer": schedule} | settings)
    )


def run(
    trained: PredictorModule,
    data: pl.LightningDataModule,
    root: Path,
    *callbacks: pl.Callback,
    steps: int = 5,
    resume: Path | None = None,
    **settings: Any,
) -> pl.Trainer:
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=root,
        callbacks=list(callbacks),
        **settings,
    )
    trainer.fit(trained, data, ckpt_path=resume, weights_only=True)
    return trainer


def grasps(trained: PredictorModule, store: Store, **settings: Any) -> GraspData:
    return GraspData(store.path, trained.reads, trained.outcomes, **settings)


def auroc(trained: PredictorModule, store: Store, rows: np.ndarray, outcome: int = 0) -> float:
    logits, labels = predict(trained.predictor, store, rows)
    known = labels[:, outcome] != UNLABELLED
    return float(roc_auc_score(labels[known, outcome], logits[known, outcome]))


def test_a_rule_of_touch_and_action_is_learnt_and_holds_on_other_objects(
    store: Store, tmp_path: Path
) -> None:
    make_split(store, "object:3").save(tmp_path / "split.json")
    found = {}
    for name, changes in {
        "both": {"outcomes": ("success", "gentle")},
        "no action": {"action": False, "branches": {"touch": both()["touch"]}},
        "no touch": {"branches": {"camera": both()["camera"]}},
    }.items():
        trained = module(**changes)
        data = grasps(trained, store, split=tmp_path / "split.json")
        trainer = run(trained, data, tmp_path, steps=70, num_sanity_val_steps=0)
        found[name] = auroc(trained, store, data.rows["test"])
        if name == "both":
            assert trainer.callback_metrics["val_loss"] < 0.8
            # One outcome in three is not recorded, and the rule, force alone, is learnt all the same.
            assert auroc(trained, store, data.rows["test"], outcome=1) > 0.9
    assert found["both"] > 0.9
    # The rule needs both: either half of it says something, and less.
    assert max(found["no action"], found["no touch"]) < found["both"] - 0.03


def test_training_leaves_a_frozen_encoder_as_it_was_and_trains_the_rest(
    store: Store, encoder: Path, tmp_path: Path
) -> None:
    trained = module(branches={"touch": Branch(encoder=encoder, streams=("tactile_left", "tactile_right"))})
    assert store.embodiment is not None
    trained.build(store.embodiment)
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    assert trained.reads == {}
    run(trained, grasps(trained, store), tmp_path, steps=6)
    network = trained.predictor.networks()["touch"].backbone
    assert not any(part.training for part in network.modules())
    changed = {key for key, value in trained.state_dict().items() if not torch.equal(value, before[key])}
    assert {key for key in changed if key.startswith("predictor.branches")} == set()
    assert len(changed) == 8  # weights and biases of four layers


def test_what_a_frozen_encoder_says_is_the_same_kept_or_asked_again(
    store: Store, encoder: Path, tmp_path: Path
) -> None:
    trained = module(branches={"touch": Branch(encoder=encoder)})
    data = grasps(trained, store)
    run(trained, data, tmp_path, steps=4, check_val_every_n_epoch=None, val_check_interval=2)
    validated = trained._validated
    assert validated is not None
    logits, _ = predict(trained.predictor, store, data.rows["held_out"])
    np.testing.assert_allclose(validated["logits"].numpy(), logits, atol=1e-5)


def test_outcomes_that_were_not_recorded_do_not_count() -> None:
    logits = torch.tensor([[0.3, -2.0], [1.0, 5.0]], requires_grad=True)
    outcomes = torch.tensor([[1.0, UNLABELLED], [0.0, 1.0]])
    loss = masked_cross_entropy(logits, outcomes)

    def naive(logit: float, label: float) -> Tensor:
        p = torch.sigmoid(torch.tensor(logit))
        return -torch.log(p if label else 1 - p)

    torch.testing.assert_close(loss, (naive(0.3, 1) + naive(1.0, 0) + naive(5.0, 1)) / 3)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert masked_cross_entropy(logits, torch.full((2, 2), UNLABELLED)) == 0


def test_nothing_held_out_is_trained_without_a_validation(store: Store, tmp_path: Path) -> None:
    trained = module()
    run(trained, grasps(trained, store, held_out=0.0), tmp_path, steps=2)
    assert trained._validated is None
