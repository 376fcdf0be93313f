"""Whole runs: resuming equals not having stopped, and two processes equal one on the joined batch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from ssl_helpers import NO_NORM, SMALL, batch_of, noise_store
from stopping import Stop
from torch import Tensor, multiprocessing
from torch import distributed as dist

from visuotactile.datasets.datamodule import TactileData
from visuotactile.encoders.frozen import load_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.ssl import Autoencoder, MemoryBank, MoCo, Triplet
from visuotactile.ssl.export import export_encoder
from visuotactile.ssl.module import SelfSupervised

EPOCHS, STEPS_AN_EPOCH = 2, 4
METHODS: dict[str, Any] = {
    "moco": lambda: MoCo(SMALL, queue_size=20, bn_splits=2),
    "memory_bank": lambda: MemoryBank(SMALL, negatives=5),
    "triplet": lambda: Triplet(SMALL),
    "autoencoder": lambda: Autoencoder(SMALL),
}


def run(
    module: SelfSupervised,
    store: Path,
    root: Path,
    *callbacks: pl.Callback,
    resume: Path | None = None,
    precision: Any = "32-true",
) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        precision=precision,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=root,
        callbacks=list(callbacks),
    )
    data = TactileData(store, size=32, batch_size=8, positive="contact", label="success")
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    return trainer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise enough for four batches of eight."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store").path


@pytest.mark.parametrize("stopped_after", [2, STEPS_AN_EPOCH, STEPS_AN_EPOCH + 3])
@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    name: str, stopped_after: int, store: Path, tmp_path: Path
) -> None:
    whole = METHODS[name]()
    assert run(whole, store, tmp_path / "whole").global_step == EPOCHS * STEPS_AN_EPOCH
    checkpoint = tmp_path / "stopped.ckpt"
    with pytest.raises(RuntimeError, match="the power went"):
        run(METHODS[name](), store, tmp_path / "first", Stop(stopped_after, checkpoint))
    torch.rand(3)  # whatever else happened to the global generator in between
    resumed = METHODS[name]()
    assert run(resumed, store, tmp_path / "second", resume=checkpoint).global_step == EPOCHS * STEPS_AN_EPOCH
    expected, found = whole.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


@pytest.mark.parametrize("name", METHODS)
def test_a_run_in_half_precision_ends_with_finite_float32_weights(
    name: str, store: Path, tmp_path: Path
) -> None:
    # The configurations of the paper's size say bf16-mixed; views once broke under it.
    module = METHODS[name]()
    trainer = run(module, store, tmp_path, precision="bf16-mixed")
    assert trainer.global_step == EPOCHS * STEPS_AN_EPOCH
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(p.isfinite().all() for p in module.parameters())


def test_a_run_without_an_end_is_refused(store: Path, tmp_path: Path) -> None:
    trainer = pl.Trainer(max_epochs=-1, accelerator="cpu", logger=False, default_root_dir=tmp_path)
    with pytest.raises(ContractError, match="max_epochs or max_steps"):
        trainer.fit(METHODS["moco"](), TactileData(store, size=32, batch_size=8))


def test_a_checkpoint_of_another_architecture_is_refused_by_name(store: Path, tmp_path: Path) -> None:
    run(METHODS["moco"](), store, tmp_path).save_checkpoint(tmp_path / "moco.ckpt")
    other = MoCo(NO_NORM, queue_size=20)
    with pytest.raises(EncoderError, match="architecture 'test_resnet', this run has 'test_convnext'"):
        run(other, store, tmp_path, resume=tmp_path / "moco.ckpt")


def test_an_exported_encoder_gives_the_features_of_the_trained_backbone(store: Path, tmp_path: Path) -> None:
    module = METHODS["moco"]()
    run(module, store, tmp_path).save_checkpoint(tmp_path / "moco.ckpt")
    export_encoder(tmp_path / "moco.ckpt", tmp_path / "encoder")
    encoder = load_encoder(tmp_path / "encoder")
    x = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(encoder(x), module.network.eval()(x).detach())
    assert encoder.meta["method"] == "moco"
    assert encoder.meta["pretraining_objects"] == [f"object {i}" for i in range(4)]


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing"])
def test_a_damaged_checkpoint_is_one_clear_error(damage: str, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    if damage == "truncated":
        run(METHODS["moco"](), store, tmp_path).save_checkpoint(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        torch.save({"state_dict": {}}, path)
    with pytest.raises(EncoderError, match=r"a\.ckpt"):
        export_encoder(path, tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_a_checkpoint_with_code_inside_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"state_dict": {}, "trap": Trap()}, tmp_path / "trap.ckpt")
    with pytest.raises(EncoderError):
        export_encoder(tmp_path / "trap.ckpt", tmp_path / "encoder")
    assert not (tmp_path / "sprung").exists()


def two_steps(module: SelfSupervised, share: slice) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Losses of two steps, and the gradients of the second (averaged over ranks, as DDP does)."""
    losses = []
    for step in range(2):
        batch = {key: value[share] for key, value in batch_of(16, seed=step).items()}
        module.zero_grad()
        loss, _ = module.loss(batch, module.generator(step))
        loss.backward()
        losses.append(loss.detach().clone())
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    if dist.is_initialized():
        for value in (*losses, *gradients.values()):
            dist.all_reduce(value)
            value /= dist.get_world_size()
    return losses, gradients


def make(name: str, splits: int) -> SelfSupervised:
    torch.manual_seed(0)
    if name == "moco":
        return MoCo(SMALL, queue_size=24, key_momentum=0.5, bn_splits=splits)
    if name == "memory_bank":
        module = MemoryBank(NO_NORM, negatives=6)
        module.make_bank(torch.arange(16) // 2)
        return module
    return Triplet(NO_NORM, miner="all")


def one_of_two(rank: int, name: str, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    module = make(name, splits=1)
    losses, gradients = two_steps(module, slice(rank, None, 2))
    state = {k: v for k, v in module.state_dict().items() if k.startswith(("queue", "bank"))}
    torch.save((losses, gradients, state), f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("name", ["moco", "memory_bank", "triplet"])
def test_two_processes_equal_one_on_the_joined_batch(name: str, tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_two, (name, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    alone = make(name, splits=2)
    losses, gradients = two_steps(alone, slice(None))
    torch.testing.assert_close(first[0], losses, atol=1e-5, rtol=1e-4)
    assert float(losses[1]) != 0
    for key, gradient in gradients.items():
        torch.testing.assert_close(first[1][key], gradient, atol=2e-5, rtol=2e-3)
    state = copy.copy(alone.state_dict())
    for key, value in first[2].items():
        assert torch.equal(value, second[2][key])
        torch.testing.assert_close(value, state[key], atol=1e-5, rtol=1e-4)
