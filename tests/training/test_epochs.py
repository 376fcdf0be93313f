"""Epochs of accumulated, limited and overfitted batches: no sample is lost; resumed runs go on exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from ssl_helpers import SMALL, noise_store

from visuotactile.datasets.batches import batches_done
from visuotactile.datasets.datamodule import TactileData
from visuotactile.ssl import MemoryBank, MoCo
from visuotactile.ssl.module import SelfSupervised
from visuotactile.training.schedule import OptimizerConfig
from visuotactile.views import ContrastiveAugmentation

EPOCHS, BATCHES, BATCH = 3, 4, 8


class Trace(pl.Callback):
    """Writes down the samples of each batch; saves and breaks off after some batches, if told to."""

    def __init__(self, path: Path | None = None, after: int = -1) -> None:
        self.path, self.after = path, after
        self.seen: list[tuple[int, ...]] = []
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.seen.append(tuple(batch["sample"].tolist()))
        self.losses.append(float(outputs["loss"]))
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))
        if batches_done(trainer) == self.after:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("the power went")


def run(
    store: Path,
    trace: Trace,
    resume: Path | None = None,
    module: SelfSupervised | None = None,
    **settings: Any,
) -> SelfSupervised:
    module = module or MoCo(SMALL, queue_size=20, bn_splits=2)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[trace],
        **{"max_epochs": EPOCHS, **settings},
    )
    trainer.fit(
        module, TactileData(store, module.reads, batch_size=BATCH), ckpt_path=resume, weights_only=True
    )
    return module


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise enough for four batches of eight."""
    return noise_store(tmp_path_factory.mktemp("noise") / "store").path


@pytest.mark.parametrize("accumulate", [2, 3, 5])
def test_an_epoch_of_accumulated_batches_gives_every_sample_once(store: Path, accumulate: int) -> None:
    trace = Trace()
    module = run(store, trace, accumulate_grad_batches=accumulate)
    steps = -(-BATCHES // accumulate)
    assert module.trainer.global_step == EPOCHS * steps
    epochs = [trace.seen[n * BATCHES : (n + 1) * BATCHES] for n in range(EPOCHS)]
    assert [len({sample for batch in epoch for sample in batch}) for epoch in epochs] == [32] * EPOCHS
    assert len(set(map(tuple, epochs))) == EPOCHS, "each epoch has an order of its own"
    assert trace.rates[-1] == pytest.approx(module.optimizer_config.final_lr)


def test_limited_epochs_differ_and_overfitted_ones_do_not(store: Path) -> None:
    for settings, different in (
        ({"limit_train_batches": 2}, EPOCHS),
        ({"limit_train_batches": 0.5}, EPOCHS),
        ({"overfit_batches": 2}, 1),
    ):
        trace = Trace()
        run(store, trace, **settings)
        assert len(trace.seen) == EPOCHS * 2
        assert len({tuple(trace.seen[n : n + 2]) for n in range(0, EPOCHS * 2, 2)}) == different, settings


def test_overfitted_batches_are_learnt_by_heart(store: Path) -> None:
    plain = ContrastiveAugmentation(crop_scale=(1.0, 1.0), p_jitter=0, p_gray=0, p_flip=0, p_blur=0)
    ends = []
    for settings in ({"overfit_batches": 2}, {"limit_train_batches": 2}):
        module = MemoryBank(replace(SMALL, augmentation=plain), OptimizerConfig(lr=0.03))
        trace = Trace()
        run(store, trace, module=module, max_epochs=10, **settings)
        ends.append(sum(trace.losses[-2:]) / sum(trace.losses[:2]))
    assert ends[0] < 0.2
    assert ends[0] < 0.5 * ends[1], "other batches in every epoch are learnt more slowly"


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        ({"accumulate_grad_batches": 3}, 12),
        ({"accumulate_grad_batches": 2, "limit_train_batches": 3}, 9),
        ({"limit_train_batches": 0.75}, 9),
        ({"overfit_batches": 2}, 6),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    store: Path, tmp_path: Path, settings: dict[str, Any], batches: int
) -> None:
    whole_trace = Trace()
    whole = run(store, whole_trace, **settings)
    assert len(whole_trace.seen) == batches
    for after in range(1, batches, 2 if batches > 6 else 1):
        first, rest = Trace(tmp_path / "stopped.ckpt", after), Trace()
        with pytest.raises(RuntimeError, match="the power went"):
            run(store, first, **settings)
        resumed = run(store, rest, resume=tmp_path / "stopped.ckpt", **settings)
        assert first.seen + rest.seen == whole_trace.seen, after
        assert rest.rates == whole_trace.rates[after:], after
        found = resumed.state_dict()
        assert [key for key, value in whole.state_dict().items() if not torch.equal(value, found[key])] == []
