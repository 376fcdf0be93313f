"""Training of a classifier: its loss and views, and the choice of the epoch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from classification_helpers import CLASSES, branches, pair_store
from torch.nn import functional as F

from visuotactile.datasets.pairs import PairedData
from visuotactile.errors import ContractError
from visuotactile.supervised import ClassifierModule
from visuotactile.training.folder import BEST
from visuotactile.training.schedule import ADAMW_EXPONENTIAL
from visuotactile.views import SightAugmentation, TouchAugmentation

EPOCHS, STEPS_AN_EPOCH = 3, 3
QUICK = dataclasses.replace(ADAMW_EXPONENTIAL, lr=3e-3, final_lr=3e-4)
SHAKEN = {
    "sight": SightAugmentation(p_occlusion=0.5, p_noise=0.5),
    "touch": TouchAugmentation(p_morphology=0.0),
}


def module(*modalities: str, shaken: bool = False, **settings: Any) -> ClassifierModule:
    parts = {
        name: dataclasses.replace(branch, augmentation=SHAKEN[name] if shaken else None)
        for name, branch in branches().items()
        if name in (modalities or ("sight", "touch"))
    }
    return ClassifierModule(parts, **{"optimizer": QUICK, **settings})


def run(
    model: pl.LightningModule, store: Path, root: Path, *callbacks: pl.Callback, **settings: Any
) -> pl.Trainer:
    resume, label = settings.pop("resume", None), settings.pop("label", "object")
    trainer = pl.Trainer(
        **{
            "max_epochs": EPOCHS,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": root,
            "callbacks": [*callbacks, pl.callbacks.ModelCheckpoint(root / "checkpoints", filename="last")],
            **settings,
        }
    )
    reads = getattr(model, "reads", {})
    data = PairedData(
        store,
        reads,
        batch_size=26,
        split=store.parent / "split.json",
        group="object+part/x",
        label=label,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return trainer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 pairs to learn from, of which about a tenth are held out: three batches of 26."""
    return pair_store(tmp_path_factory.mktemp("pairs") / "store").path


def best(root: Path) -> dict[str, Any]:
    return torch.load(root / BEST, weights_only=True)


class Losses(pl.Callback):
    """Writes down what each step's loss was."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, model: pl.LightningModule, outputs: Any, *_: object
    ) -> None:
        self.seen.append(float(outputs["loss"]))


def test_the_best_checkpoint_is_the_epoch_with_the_lowest_training_loss(store: Path, tmp_path: Path) -> None:
    losses, made = Losses(), module("touch")
    plain = made.loss
    # From its fourth epoch on it does worse, so that the best one is not the last.
    made.loss = lambda batch, step: plain(batch, step) + 5.0 * (made.current_epoch > 2)  # type: ignore[method-assign]
    trainer = run(made, store, tmp_path, losses, max_epochs=6)
    means = torch.tensor(losses.seen).view(6, STEPS_AN_EPOCH).mean(dim=1)
    chosen = int(means.argmin())
    found = best(tmp_path)
    assert found["global_step"] == (chosen + 1) * STEPS_AN_EPOCH
    assert found["visuotactile"]["lowest"] == pytest.approx(float(means.min()))
    assert chosen < 3
    assert trainer.global_step == 6 * STEPS_AN_EPOCH


def test_the_loss_is_cross_entropy_of_the_recorded_images_where_nothing_is_augmented(
    store: Path, tmp_path: Path
) -> None:
    model = module()
    run(model, store, tmp_path)
    batch = next(iter(model.data.train_dataloader()))
    with torch.no_grad():
        logits = model.eval().classifier(model.classifier.prepared(batch))
        expected = -logits.log_softmax(1).gather(1, batch["label"][:, None]).mean()
        torch.testing.assert_close(model.loss(batch, 0), expected)
        assert float(F.cross_entropy(logits, batch["label"])) == pytest.approx(float(expected))


def test_what_is_drawn_for_sight_does_not_depend_on_touch(store: Path, tmp_path: Path) -> None:
    seen = {}
    for modalities in (("sight", "touch"), ("sight",)):
        model = module(*modalities, shaken=True)
        run(model, store, tmp_path / "-".join(modalities), max_epochs=1)
        model.classifier.forward = lambda views, at=modalities: (  # type: ignore[method-assign,misc]
            seen.update({at: views["sight"].clone()}),
            torch.zeros(26, len(CLASSES)),
        )[1]
        batch = {name: x.clone() for name, x in next(iter(model.data.train_dataloader())).items()}
        model.loss(batch, 5)
        first = seen[modalities]
        model.loss(batch, 6)
        assert not torch.equal(first, seen[modalities])
        seen[modalities] = first
    assert torch.equal(seen["sight", "touch"], seen["sight",])


def test_equal_seeds_give_equal_weights_and_sight_starts_alike_with_or_without_touch(
    store: Path, tmp_path: Path
) -> None:
    models = [module(seed=seed) for seed in (3, 3, 4)] + [module("sight", seed=3)]
    for number, model in enumerate(models):
        run(model, store, tmp_path / str(number), max_steps=1, max_epochs=-1)
    weights = [model.classifier.state_dict() for model in models]
    assert all(torch.equal(weights[0][key], value) for key, value in weights[1].items())
    assert not torch.equal(weights[0]["linear.weight"], weights[2]["linear.weight"])
    fresh = [module(*m, seed=3)._networks["sight"].state_dict() for m in ((), ("sight",))]
    assert all(torch.equal(fresh[0][name], value) for name, value in fresh[1].items())


def test_data_without_classes_are_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"name their column with data\.label"):
        run(module(), store, tmp_path, label=None)
