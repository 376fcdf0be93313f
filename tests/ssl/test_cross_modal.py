"""Cross-modal pretraining: its loss, and what it learns. training/test_method.py asks for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from cross_modal_helpers import CONVNEXT, RESNET, branches, contract, cross_modal, pair_store, pairs
from torch import Tensor

from visuotactile.datasets.pairs import PairedData
from visuotactile.encoders.branch import Branch
from visuotactile.errors import ContractError, EncoderError, StoreError
from visuotactile.ssl import CrossModal
from visuotactile.training.monitors import retrieval_accuracy
from visuotactile.training.schedule import OptimizerConfig
from visuotactile.views import SightAugmentation, TouchAugmentation


def step(module: CrossModal, batch: dict[str, Tensor], number: int = 0) -> Tensor:
    return module.loss(batch, module.generator(number))[0]


def test_with_a_queue_that_holds_the_batch_the_loss_is_the_in_batch_one() -> None:
    # A key network without momentum is the query network, so the queue holds what the batch holds.
    groups = [0, 0, 1, 2, 3, 3, 4, 5]
    queued = cross_modal(queue_size=8, key_momentum=0.0)
    plain = cross_modal()
    plain.load_state_dict(
        {key: value for key, value in queued.state_dict().items() if not key.startswith(("key_", "queues"))}
    )
    batch = pairs(8, groups=groups)
    assert float(step(queued, batch).detach()) == 0  # nothing to be mistaken for yet
    torch.testing.assert_close(step(queued, batch), step(plain, batch))


def test_keys_enter_the_queue_after_they_were_scored_with_their_groups() -> None:
    module = cross_modal(queue_size=20, mask_group=False)
    for number in range(3):
        groups = list(range(8 * number, 8 * number + 8))
        # Were the batch's own keys among the negatives, the loss of an empty queue would not be 0.
        assert (float(step(module, pairs(8, seed=number, groups=groups), number).detach()) == 0) == (
            number == 0
        )
    for queue in module.queues.values():
        assert sorted(queue.recordings.tolist()) == list(range(4, 24))


def test_three_modalities_of_unequal_sizes_share_one_loss_evenly() -> None:
    sizes = {"sight": 40, "touch": 32, "sound": 36}
    module = CrossModal(
        {name: Branch(contract=contract(name, size), backbone=CONVNEXT) for name, size in sizes.items()},
        dimension=16,
    )
    batch = pairs(6)  # sight and touch of one recorded size, sound of another
    batch |= {"sound/during": pairs(6, "sound", seed=1, side=29)["sound/during"]}
    terms, features = module.terms(batch, module.generator(0))
    assert list(terms) == [("sight", "touch"), ("sight", "sound"), ("touch", "sound")]
    torch.testing.assert_close(module.total(terms), torch.stack(list(terms.values())).mean())
    assert {name: len(some) for name, some in features.items()} == dict.fromkeys(sizes, 6)
    module.total(terms).backward()
    for name in sizes:
        assert any(p.grad.abs().sum() > 0 for p in module.branches[name].parameters())


@pytest.mark.parametrize("queue_size", [0, 12])
def test_an_intra_modal_term_compares_two_views_at_its_weight(queue_size: int) -> None:
    views = {"sight": SightAugmentation(p_noise=1.0), "touch": TouchAugmentation()}
    module = CrossModal(
        {
            name: Branch(contract=contract(name), backbone=CONVNEXT, augmentation=views[name])
            for name in ("sight", "touch")
        },
        intra_weights={"sight": 0.25},
        dimension=16,
        queue_size=queue_size,
    )
    step(module, pairs(8, seed=3, groups=list(range(8, 16))))  # so that a queue holds something
    terms, _ = module.terms(pairs(8), module.generator(1))
    cross, within = ("sight", "touch"), ("sight", "sight")
    assert list(terms) == [cross, within]
    torch.testing.assert_close(module.total(terms), terms[cross] + 0.25 * terms[within])
    assert float(terms[within].detach()) > 0


def test_a_learned_temperature_stops_at_clips_bound_does_not_decay_and_a_fixed_one_stays() -> None:
    module = cross_modal(learn_temperature=True)
    (scale,) = (group for group in module.parameter_groups() if group["params"][0] is module.logit_scale)
    assert scale["weight_decay"] == 0
    assert module.temperature.item() == pytest.approx(0.07)
    with torch.no_grad():
        module.logit_scale.fill_(9.0)
    step(module, pairs(8)).backward()
    assert module.temperature.item() == pytest.approx(0.01)
    assert module.logit_scale.grad is not None
    assert module.logit_scale.grad.isfinite()
    fixed = cross_modal()
    assert all(p is not fixed.logit_scale for group in fixed.parameter_groups() for p in group["params"])


def test_retrieval_counts_any_pair_of_the_same_group_as_right() -> None:
    axes = torch.eye(4)
    found = axes[[1, 0, 2, 0]]  # whom each query lies nearest to
    assert retrieval_accuracy(found, axes, torch.arange(4)) == 0.25
    assert retrieval_accuracy(found, axes, torch.tensor([5, 5, 6, 7])) == 0.75


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branches": branches("sight")}, "at least 2"),
        ({"branches": branches("sight", "keys")}, "'keys'"),
        ({"branches": {**branches(), "../up": branches()["touch"]}}, r"'\.\./up'"),
        ({"temperature": 0.0}, "0.01 to 1"),
        ({"bn_splits": 4}, "without a queue"),
        ({"intra_weights": {"sight": -1.0}}, "intra_weight"),
        ({"intra_weights": {"smell": 1.0}}, "some of sight, touch"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        CrossModal(**{"branches": branches(), **settings})


def test_a_batch_that_lacks_a_modality_is_refused_by_name() -> None:
    module = cross_modal("sight", "touch", "sound")
    with pytest.raises(ContractError, match=r"lacks sound/during, .*it has .*sight/before, touch/during"):
        step(module, pairs(4))


def run(module: CrossModal, store: Path, max_steps: int, **read: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        max_steps=max_steps,
        precision="32-true",
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=store.parent,
    )
    trainer.fit(module, PairedData(store, module.reads, **read))
    return trainer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 trials."""
    return pair_store(tmp_path_factory.mktemp("pairs") / "store").path


def test_training_brings_what_belongs_together_close(store: Path) -> None:
    module = cross_modal(
        branch={"backbone": RESNET}, optimizer=OptimizerConfig(name="adamw", lr=2e-3, schedule="cosine")
    )
    logged = run(module, store, 60, batch_size=16, held_out=1 / 3).callback_metrics
    assert logged["val_retrieval_chance"] == 1 / 16
    assert logged["val_retrieval"] > 4 / 16
    assert {"val_sight_to_touch", "val_touch_to_sight", "val_sight_effective_rank"} <= logged.keys()


def test_a_store_that_lacks_a_modality_is_refused_by_name(store: Path) -> None:
    module = CrossModal(
        {**branches(), "smell": Branch(contract=contract("nose"), backbone=CONVNEXT)}, dimension=16
    )
    with pytest.raises(StoreError, match="no nose/during"):
        run(module, store, 1, batch_size=8)
