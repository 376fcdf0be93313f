"""Conformance suite of the training methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from processes import ranks
from ssl_helpers import noise_store
from stopping import Poison, Stop
from training_methods import METHODS, make_stores, one_of_two, two_steps

from visuotactile.datasets.datamodule import TactileData
from visuotactile.errors import ContractError, DataError, DivergenceError, EncoderError
from visuotactile.grasp.predictor.examples import known_outcome
from visuotactile.training.checkpoints import CHECKPOINT_KEY
from visuotactile.training.export import EXPORTERS, export
from visuotactile.training.folder import SETTINGS_KEY
from visuotactile.training.module import TrainingModule

IN_RANKS = [name for name, method in METHODS.items() if method.ranks is not None]
FALLING = [name for name in METHODS if name != "predictor"]  # its rate falls in steps, whatever the end
CONTRASTIVE = [
    "moco",
    "memory_bank",
    "triplet",
    "simclr",
    "cross_modal",
    "cross_modal_intra",
    "cross_modal_queue",
]
WITH_KEYS = ["moco", "byol", "cross_modal_queue"]
ONE_OF_EACH_EXPORT = ["moco", "cross_modal", "predictor"]  # ONNX takes seconds
each_method = pytest.mark.parametrize("name", METHODS)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise, pairs and classes."""
    return make_stores(tmp_path_factory.mktemp("stores"))


def trainer(root: Path, *callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    return pl.Trainer(
        **{"precision": "32-true", "max_epochs": -1, **settings},
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=root,
        callbacks=[*callbacks, pl.callbacks.ModelCheckpoint(root / "checkpoints", filename="last")],
    )


def run(
    name: str, module: TrainingModule, stores: Path, root: Path, *callbacks: pl.Callback, **settings: Any
) -> pl.Trainer:
    resume = settings.pop("resume", None)
    made = trainer(root, *callbacks, **{"max_steps": METHODS[name].steps, **settings})
    made.fit(module, METHODS[name].data(module, stores), ckpt_path=resume, weights_only=True)
    return made


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run: its module, what it logged, its folder, and a checkpoint of its end."""

    module: TrainingModule
    logged: frozenset[str]
    root: Path
    end: Path


@pytest.fixture(scope="module")
def whole(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    """The whole run of a method, made when it is first asked for."""
    made: dict[str, Whole] = {}

    def get(name: str) -> Whole:
        if name not in made:
            root, module = tmp_path_factory.mktemp(name), METHODS[name].make(stores)
            finished = run(name, module, stores, root)
            assert finished.global_step == METHODS[name].steps
            finished.save_checkpoint(root / "end.ckpt")
            made[name] = Whole(module, frozenset(finished.callback_metrics), root, root / "end.ckpt")
        return made[name]

    return get


def same(first: Any, second: Any) -> bool:
    """True if two nested values are equal, tensors bit for bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    return bool(first == second)


@pytest.mark.parametrize(
    ("name", "stopped_after"), [(name, stop) for name, method in METHODS.items() for stop in method.stops]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    name: str, stopped_after: int, whole: Callable[[str], Whole], stores: Path, tmp_path: Path
) -> None:
    checkpoint, resumed = tmp_path / "stopped.ckpt", METHODS[name].make(stores)
    with pytest.raises(RuntimeError, match="the power went"):
        run(name, METHODS[name].make(stores), stores, tmp_path, Stop(stopped_after, checkpoint))
    torch.rand(3)  # whatever else happened to the global generator in between
    finished = run(name, resumed, stores, tmp_path, resume=checkpoint)
    assert finished.global_step == METHODS[name].steps
    finished.save_checkpoint(tmp_path / "end.ckpt")
    expected, found = whole(name).module.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    for key, value in expected.items():
        if "queue" in key and key.endswith(".recordings"):
            assert value.min() >= 0, "the queue was filled, so that a resumed run had to restore it"
    for file in ("end.ckpt", "checkpoints/best.ckpt"):
        if (whole(name).root / file).exists():
            one, other = (torch.load(root / file, weights_only=True) for root in (whole(name).root, tmp_path))
            assert same(one[CHECKPOINT_KEY], other[CHECKPOINT_KEY])
            assert same(one["state_dict"], other["state_dict"])


@each_method
def test_progress_and_collapse_are_logged(name: str, whole: Callable[[str], Whole]) -> None:
    assert METHODS[name].logged <= whole(name).logged


@each_method
def test_a_run_in_half_precision_ends_with_finite_float32_weights(
    name: str, stores: Path, tmp_path: Path
) -> None:
    # The configurations of the paper's size say bf16-mixed; views once broke under it.
    module = METHODS[name].make(stores)
    assert run(name, module, stores, tmp_path, max_steps=4, precision="bf16-mixed").global_step == 4
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(p.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("name", FALLING)
def test_a_run_without_an_end_is_refused(name: str, stores: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="max_epochs or max_steps"):
        run(name, METHODS[name].make(stores), stores, tmp_path, max_steps=-1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_epochs": 0, "max_steps": -1}, "trainer.max_epochs is 0"),
        ({"max_steps": 0}, "trainer.max_steps is 0"),
        ({"limit_train_batches": 0}, "trainer.limit_train_batches is 0"),
        ({"limit_train_batches": 0.01}, r"limit_train_batches is 0\.01, less than one of the \d+ batches"),
    ],
)
@each_method
def test_a_run_without_a_step_is_refused(
    name: str, settings: dict[str, Any], message: str, stores: Path, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=message):
        run(name, METHODS[name].make(stores), stores, tmp_path, **settings)


@each_method
def test_a_learning_rate_of_zero_is_refused(name: str, whole: Callable[[str], Whole]) -> None:
    with pytest.raises(ContractError, match="lr is 0, with which nothing is learnt; expected a positive"):
        dataclasses.replace(whole(name).module.optimizer_config, lr=0.0)


ONE_GROUP = (
    r"training samples are of one group \(data\.{} session\).* loss would always be 0; expected two groups"
)
ALONE = r"data\.batch_size is 1; a contrastive method compares samples with each other"
NOTHING: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    *((name, {}, {"recording": "session"}, ONE_GROUP.format("recording")) for name in CONTRASTIVE[:4]),
    *((name, {}, {"group": "session", "held_out": 0}, ONE_GROUP.format("group")) for name in CONTRASTIVE[4:]),
    *((name, {}, {"batch_size": 1}, ALONE) for name in CONTRASTIVE),
    (
        "triplet",
        {"by": "label"},
        {"label": "session"},
        r"two classes, found one value of session; .*data\.label",
    ),
    ("triplet", {"by": "label"}, {"label": None}, "two classes, found no labels; give another data.label"),
    (
        "classifier",
        {},
        {"where": {"object": ["dark flat"]}},
        "training trials have one class, object 'dark flat'; expected two",
    ),
]


@pytest.mark.parametrize(("name", "changes", "data", "message"), NOTHING)
def test_data_that_cannot_teach_a_method_anything_are_refused(
    name: str, changes: dict[str, Any], data: dict[str, Any], message: str, stores: Path, tmp_path: Path
) -> None:
    module = METHODS[name].make(stores, **changes)
    given = METHODS[name].data(module, stores)
    for attribute, value in data.items():
        setattr(given, attribute, value)
    with pytest.raises(DataError, match=message):
        trainer(tmp_path, max_steps=1).fit(module, given)


@pytest.mark.parametrize("name", ["moco", "memory_bank", "triplet"])
def test_recordings_of_one_group_teach_where_they_are_not_masked(
    name: str, stores: Path, tmp_path: Path
) -> None:
    module = METHODS[name].make(stores, mask_recording=False)
    data: Any = METHODS[name].data(module, stores)
    data.recording = "session"
    trainer(tmp_path, max_steps=1, limit_val_batches=0).fit(module, data)


def test_a_single_image_is_refused_by_contrastive_methods(stores: Path, tmp_path: Path) -> None:
    noise_store(tmp_path / "store", trials=1, frames=1)
    for name in CONTRASTIVE[:3]:
        module: Any = METHODS[name].make(stores)
        with pytest.raises(DataError, match="there is 1 training sample, which has no negatives"):
            trainer(tmp_path, max_steps=1).fit(module, TactileData(tmp_path / "store", module.reads, 1))


def test_outcomes_that_never_vary_are_refused_by_name(stores: Path, tmp_path: Path) -> None:
    module: Any = METHODS["predictor"].make(stores)
    data: Any = METHODS["predictor"].data(module, stores)
    data.setup()
    successful = np.flatnonzero(known_outcome(data.store, "success") == 1)
    data.rows["train"] = successful
    with pytest.raises(
        DataError, match=r"no outcome varies .* \(success is always 1\); expected both 0 and 1"
    ):
        trainer(tmp_path, max_steps=1).fit(module, data)


def test_queues_and_banks_without_a_negative_are_refused(stores: Path, tmp_path: Path) -> None:
    for name in ("moco", "cross_modal_queue"):
        with pytest.raises(ContractError, match="queue_size is -1; expected 1 or more"):
            METHODS[name].make(stores, queue_size=-1)
    with pytest.raises(ContractError, match="queue_size is 0; expected 1 or more"):
        METHODS["moco"].make(stores, queue_size=0)
    with pytest.raises(DataError, match="0 negatives from a bank of 36; expected at least 1 and fewer"):
        run("memory_bank", METHODS["memory_bank"].make(stores, negatives=0), stores, tmp_path)


@each_method
def test_a_run_does_not_go_on_from_another_ones_checkpoint(
    name: str, whole: Callable[[str], Whole], stores: Path, tmp_path: Path
) -> None:
    changes, message = METHODS[name].another
    with pytest.raises(EncoderError, match=message):
        run(name, METHODS[name].make(stores, **changes), stores, tmp_path, resume=whole(name).end)
    with pytest.raises(EncoderError, match="other settings: seed 0 → 1; continue"):
        run(name, METHODS[name].make(stores, seed=1), stores, tmp_path, resume=whole(name).end)
    other = dataclasses.replace(whole(name).module.optimizer_config, lr=0.25)
    with pytest.raises(EncoderError, match=r"other settings: model\.optimizer\.lr 0\.\d+ → 0\.25; continue"):
        run(name, METHODS[name].make(stores, optimizer=other), stores, tmp_path, resume=whole(name).end)


@each_method
def test_a_run_does_not_go_on_with_other_data(
    name: str, whole: Callable[[str], Whole], stores: Path, tmp_path: Path
) -> None:
    module = METHODS[name].make(stores)
    data: Any = METHODS[name].data(module, stores)
    batch, data.batch_size = data.batch_size, 5
    with pytest.raises(EncoderError, match=rf"data\.batch_size {batch} → 5; continue with the old ones"):
        trainer(tmp_path, max_steps=99).fit(module, data, ckpt_path=whole(name).end, weights_only=True)
    content = torch.load(whole(name).end, weights_only=True)
    content[SETTINGS_KEY]["settings"] |= {"data.store": "fingerprint of another", "data.fold": 7}
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(
        EncoderError, match=r"data\.store fingerprint of another → fingerprint \w+, data\.fold 7"
    ):
        run(name, METHODS[name].make(stores), stores, tmp_path, max_steps=99, resume=tmp_path / "other.ckpt")


class Rates(pl.Callback):
    """The learning rate of each step, as the optimiser used it and as it was logged."""

    def __init__(self) -> None:
        self.used: list[float] = []
        self.logged: list[float] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: object) -> None:
        self.used.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self.logged.append(float(trainer.callback_metrics["lr"]))


@each_method
def test_a_run_that_is_made_longer_uses_and_logs_the_rate_of_its_new_length(
    name: str, whole: Callable[[str], Whole], stores: Path, tmp_path: Path
) -> None:
    rates, module, done = Rates(), METHODS[name].make(stores), METHODS[name].steps
    run(name, module, stores, tmp_path, rates, max_steps=done + 3, resume=whole(name).end)
    expected = [module.optimizer_config.rate(step, done + 3) for step in range(done, done + 3)]
    assert rates.used == pytest.approx(expected, rel=1e-6)
    assert rates.logged == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [{}, {"accumulate_grad_batches": 2}, {"precision": "bf16-mixed"}],
    ids=["", "accumulate", "half"],
)
@each_method
def test_a_run_that_diverges_ends_within_a_step_and_is_not_saved(
    name: str, settings: dict[str, Any], stores: Path, tmp_path: Path
) -> None:
    made = trainer(tmp_path, Poison(1), max_steps=6, **settings)
    module = METHODS[name].make(stores)
    with pytest.raises(
        DivergenceError, match=r"^the run diverged: .*last finite loss -?\d.*lower model\.opt"
    ):
        made.fit(module, METHODS[name].data(module, stores))
    assert made.global_step == 2
    (tmp_path / "kept.ckpt").write_text("good")
    with pytest.raises(
        DivergenceError, match=r"\d+ of \d+ weights, such as \S+, are NaN or infinite at step 2"
    ):
        made.save_checkpoint(tmp_path / "kept.ckpt")
    assert (tmp_path / "kept.ckpt").read_text() == "good"
    assert not list(tmp_path.rglob("*.part"))


@each_method
def test_data_of_another_kind_are_refused(name: str, stores: Path, tmp_path: Path) -> None:
    class Nothing(pl.LightningDataModule):
        """No data at all."""

    with pytest.raises(ContractError, match=r"learns from \w+Data, found Nothing"):
        trainer(tmp_path, max_steps=1).fit(METHODS[name].make(stores), Nothing())


@each_method
def test_a_checkpoint_is_exported_with_the_options_that_fit_its_method(
    name: str, whole: Callable[[str], Whole], tmp_path: Path
) -> None:
    module = whole(name).module
    assert module.method in EXPORTERS
    options, fit = {"onnx": True, "calibration": "none"}, METHODS[name].options
    given = fit if name in ONE_OF_EACH_EXPORT else fit - {"onnx"}
    export(whole(name).end, tmp_path / "exported", **{option: options[option] for option in given})
    assert any((tmp_path / "exported").rglob("*.safetensors"))
    assert any((tmp_path / "exported").rglob("*.onnx")) == ("onnx" in given)
    for option in options.keys() - fit:
        with pytest.raises(EncoderError, match=f"by '{module.method}', whose export has no --{option}"):
            export(whole(name).end, tmp_path / "again", **{option: options[option]})
        assert not (tmp_path / "again").exists()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two steps of each method on each of two processes."""
    folder = tmp_path_factory.mktemp("ranks")
    ranks(one_of_two, 2, str(folder))
    return folder


@pytest.mark.parametrize("name", IN_RANKS)
def test_two_processes_equal_one_on_the_joined_batch(name: str, two_processes: Path) -> None:
    first, second = (torch.load(two_processes / f"{name}-{rank}.pt") for rank in range(2))
    losses, gradients, stored = two_steps(name, 1)
    torch.testing.assert_close(first[0], losses, atol=1e-5, rtol=1e-4)
    assert float(losses[1]) != 0
    assert first[1].keys() == gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(first[1][key], gradient, atol=2e-5, rtol=2e-3)
    assert first[2].keys() == stored.keys()
    assert bool(stored) == (name in ("moco", "cross_modal_queue", "memory_bank"))
    assert ("logit_scale" in gradients) == (name == "cross_modal")
    for key, value in stored.items():
        assert torch.equal(first[2][key], second[2][key])
        torch.testing.assert_close(first[2][key], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", WITH_KEYS)
def test_key_networks_start_equal_take_no_gradient_and_are_a_moving_average(name: str, stores: Path) -> None:
    module: Any = METHODS[name].make(stores, key_momentum=0.75)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    keys = [key for key in before if key.startswith("key_")]
    assert len(keys) == len(before) - len(keys) - sum(
        key.startswith(("queue", "logit", "prediction")) for key in before
    )
    assert all(torch.equal(before[key], before[key.removeprefix("key_")]) for key in keys)
    parameters = dict(module.named_parameters())
    for key, parameter in parameters.items():
        assert parameter.requires_grad != key.startswith(("key_", "logit"))
    with torch.no_grad():
        for key in keys:
            if key in parameters:
                parameters[key.removeprefix("key_")].add_(1)
    loss, _ = module.loss(METHODS[name].batch(0), module.generator(0))
    loss.backward()
    for key in keys:
        if key in parameters:
            assert parameters[key].grad is None
            torch.testing.assert_close(parameters[key].data, before[key] + 0.25)
