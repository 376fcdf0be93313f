"""Cross-modal pretraining: its parts, several processes, whole runs that are resumed."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from cross_modal_helpers import CONVNEXT, RESNET, branches, contract, cross_modal, pair_store, pairs
from stopping import Stop
from torch import Tensor, multiprocessing
from torch import distributed as dist

from visuotactile.datasets.pairs import PairedData
from visuotactile.encoders.branch import Branch
from visuotactile.errors import ContractError, EncoderError, StoreError
from visuotactile.ssl import CrossModal
from visuotactile.training.monitors import retrieval_accuracy
from visuotactile.training.schedule import OptimizerConfig
from visuotactile.views import SightAugmentation, TouchAugmentation

STEPS = 8
SETTINGS: dict[str, dict[str, Any]] = {
    "in_batch": {"learn_temperature": True},
    "intra": {
        "intra_weights": {"sight": 0.5, "touch": 0.5},
        "branch": {"augmentation": SightAugmentation(p_noise=1.0)},
    },
    "queue": {"queue_size": 20, "key_momentum": 0.9, "bn_splits": 2},
}


def make(name: str, backbone: str = RESNET, **more: Any) -> CrossModal:
    settings = SETTINGS[name]
    branch = {"backbone": backbone, **settings.get("branch", {})}
    return cross_modal(**{**settings, "branch": branch, **more})


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


def test_key_networks_start_equal_take_no_gradient_and_follow_at_their_momentum() -> None:
    module = cross_modal(queue_size=20, key_momentum=0.75)
    before = copy.deepcopy(module.state_dict())
    for name, value in before.items():
        if name.startswith("key_"):
            assert torch.equal(value, before[name.removeprefix("key_")])
    with torch.no_grad():
        for network in (module.branches, module.heads):
            for parameter in network.parameters():
                parameter.add_(1)
    step(module, pairs(8)).backward()
    for name, parameter in module.named_parameters():
        if name.startswith("key_"):
            assert parameter.grad is None
            torch.testing.assert_close(parameter.data, before[name] + 0.25)


def test_three_modalities_of_unequal_sizes_share_one_loss_evenly() -> None:
    sizes = {"sight": 40, "touch": 32, "sound": 36}
    module = CrossModal(
        {name: Branch(contract=contract(name, size), backbone=CONVNEXT) for name, size in sizes.items()},
        dimension=16,
    )
    batch = pairs(6)  # sight and touch of one recorded size, sound of another
    batch |= {"sound/image": pairs(6, "sound", seed=1, side=29)["sound/image"]}
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


def test_an_exponential_rate_falls_by_the_same_factor_at_each_step() -> None:
    settings = OptimizerConfig(lr=1e-3, final_lr=1e-5, schedule="exponential", warmup_steps=2)
    rates = [settings.rate(n, 12) for n in range(14)]
    assert rates[:3] == [5e-4, 1e-3, 1e-3]
    assert [later / now for now, later in itertools.pairwise(rates[2:13])] == pytest.approx([0.01**0.1] * 10)
    assert rates[12:] == pytest.approx([1e-5, 1e-5])
    with pytest.raises(ContractError, match="final_lr above zero"):
        OptimizerConfig(final_lr=0.0, schedule="exponential")


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
    with pytest.raises(ContractError, match="no sound/image, only images of sight, touch"):
        step(module, pairs(4))


def two_steps(module: CrossModal, share: slice) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Losses of two steps, and the gradients of the second (averaged over ranks, as DDP does)."""
    losses = []
    for number in range(2):
        groups = [0, 0, 1, 2, 3, 3, 4, 5, 6, 0, 8, 9]
        batch = pairs(12, seed=number, groups=[number + group for group in groups])
        module.zero_grad()
        loss = step(module, {key: value[share] for key, value in batch.items()}, number)
        loss.backward()
        losses.append(loss.detach().clone())
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    if dist.is_initialized():
        for value in (*losses, *gradients.values()):
            dist.all_reduce(value)
            value /= dist.get_world_size()
    return losses, gradients


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name in SETTINGS:
        module = make(name, CONVNEXT, **({"bn_splits": 1} if name == "queue" else {}))
        losses, gradients = two_steps(module, slice(rank, None, 2))
        state = {k: v for k, v in module.state_dict().items() if k.startswith("queues")}
        torch.save((losses, gradients, state), f"{folder}/{name}{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one_on_the_joined_batch(tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    for name in SETTINGS:
        first, second = (torch.load(tmp_path / f"{name}{rank}.pt") for rank in range(2))
        alone = make(name, CONVNEXT, **({"bn_splits": 1} if name == "queue" else {}))
        losses, gradients = two_steps(alone, slice(None))
        assert float(losses[1]) > 0
        torch.testing.assert_close(first[0], losses, atol=1e-5, rtol=1e-4)
        assert ("logit_scale" in gradients) == (name == "in_batch")
        for key, gradient in gradients.items():
            torch.testing.assert_close(first[1][key], gradient, atol=2e-5, rtol=2e-3)
        state = alone.state_dict()
        assert bool(first[2]) == (name == "queue")
        for key, value in first[2].items():
            assert torch.equal(value, second[2][key])
            torch.testing.assert_close(value, state[key], atol=1e-5, rtol=1e-4)


POSES = {"batch_size": 8, "group": "part/y", "held_out": 0.2}


def run(
    module: CrossModal,
    store: Path,
    *callbacks: pl.Callback,
    resume: Path | None = None,
    read: dict[str, Any] = POSES,
    **settings: Any,
) -> pl.Trainer:
    trainer = pl.Trainer(
        **{"max_steps": STEPS, "precision": "32-true", **settings},
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=store.parent,
        callbacks=list(callbacks),
    )
    trainer.fit(module, PairedData(store, module.modalities, **read), ckpt_path=resume, weights_only=True)
    return trainer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 trials in pairs of one pose: four batches of eight and ten to validate."""
    return pair_store(tmp_path_factory.mktemp("pairs") / "store").path


@pytest.mark.parametrize(
    ("name", "stopped_after"), [("in_batch", 3), ("intra", 6), ("queue", 4), ("queue", 6)]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    name: str, stopped_after: int, store: Path, tmp_path: Path
) -> None:
    whole, resumed, checkpoint = make(name), make(name), tmp_path / "stopped.ckpt"
    assert run(whole, store).global_step == STEPS
    with pytest.raises(RuntimeError, match="the power went"):
        run(make(name), store, Stop(stopped_after, checkpoint))
    torch.rand(3)  # whatever else happened to the global generator in between
    assert run(resumed, store, resume=checkpoint).global_step == STEPS
    expected, found = whole.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    if name == "queue":
        assert min(queue.recordings.min() for queue in whole.queues.values()) >= 0


def test_a_run_in_half_precision_ends_with_finite_float32_weights(store: Path) -> None:
    for name in ("in_batch", "queue"):
        module = make(name)
        run(module, store, max_steps=2, precision="bf16-mixed")
        assert {p.dtype for p in module.parameters()} == {torch.float32}
        assert all(p.isfinite().all() for p in module.parameters())


def test_training_brings_what_belongs_together_close(store: Path) -> None:
    module = cross_modal(
        branch={"backbone": RESNET}, optimizer=OptimizerConfig(name="adamw", lr=2e-3, schedule="cosine")
    )
    logged = run(module, store, max_steps=60, read={"batch_size": 16, "held_out": 1 / 3}).callback_metrics
    assert logged["val_retrieval_chance"] == 1 / 16
    assert logged["val_retrieval"] > 4 / 16
    assert {"val_sight_to_touch", "val_touch_to_sight", "val_sight_effective_rank"} <= logged.keys()


def test_a_run_does_not_go_on_from_another_ones_checkpoint(store: Path, tmp_path: Path) -> None:
    run(make("queue"), store, max_steps=1).save_checkpoint(tmp_path / "queue.ckpt")
    with pytest.raises(EncoderError, match="queue_size 20, this run has 24"):
        run(make("queue", queue_size=24), store, resume=tmp_path / "queue.ckpt")


def test_a_store_that_lacks_a_modality_is_refused_by_name(store: Path) -> None:
    module = CrossModal(
        {**branches(), "smell": Branch(contract=contract("nose"), backbone=CONVNEXT)}, dimension=16
    )
    with pytest.raises(StoreError, match="no nose/during"):
        run(module, store)
