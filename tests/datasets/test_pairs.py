"""Paired modalities: one trial in every row, groups that are no negatives, and no test trial anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from stopping import Stop
from torch import Tensor, nn

from visuotactile.datasets.batches import GroupedBatchSampler
from visuotactile.datasets.pairs import PairedData
from visuotactile.datasets.resize import square
from visuotactile.datasets.source import Source
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.errors import ContractError, DataError, SplitError, StoreError
from visuotactile.sim.connectors.pairs import Connectors

SIGHT = Source(streams=("sight",), phase="before", side=24)
TOUCH = Source(streams=("tactile_left", "tactile_right"), reference="before", side=16)
FINGERS = "tactile_left+tactile_right"
BOTH = {"sight": SIGHT, "touch": TOUCH}
POSE = "object+part/y+part/yaw"
MakePairs = Callable[..., Store]


def trial(i: int, frames: int = 0) -> Trial:
    """Every fourth trial shows the pose of the one before it; eight trials to an object."""
    rng = np.random.default_rng(i)
    pose = i - 1 if i % 4 == 3 else i

    def picture(*shape: int) -> np.ndarray:
        return rng.integers(1, 256, (*shape, 3), dtype=np.uint8)

    clip = (frames,) if frames else ()
    return Trial(
        name=f"t{i:02d}",
        streams={
            "sight": {"before": picture(24, 30)},
            "side": {"during": picture(2 * frames, 10, 10) if frames else picture(10, 10)},
            **{
                f"tactile_{finger}": {
                    "before": picture(16, 16),
                    "during": picture(*clip, 16, 16),
                    "after": picture(16, 16),
                }
                for finger in ("left", "right")
            },
        },
        object=f"object {i // 8}",
        vectors={"part": {"y": pose % 8 / 10, "yaw": pose / 3}},
        hidden={"friction": 0.5},
        columns={"example": ("released", "stay")[i % 2], "split": "validation" if i % 5 == 4 else "train"},
    )


@pytest.fixture(scope="module")
def make_pairs(tmp_path_factory: pytest.TempPathFactory) -> MakePairs:
    """A store of 40 such trials; `change` may replace any of them."""

    def make(change: Callable[[Trial], Trial] = lambda whole: whole, frames: int = 0) -> Store:
        trials = [change(trial(i, frames)) for i in range(40)]
        return write_store(
            tmp_path_factory.mktemp("pairs") / "store",
            lambda indices: (trials[i] for i in indices),
            dataset="pairs",
            source="",
            settings={},
            names=[each.name for each in trials],
            example=trials[0],
            shard_trials=16,
        )

    return make


@pytest.fixture(scope="module")
def store(make_pairs: MakePairs) -> Store:
    return make_pairs()


def data_of(store: Store, reads: dict[str, Source] = BOTH, **settings: Any) -> PairedData:
    data = PairedData(store.path, reads, **{"batch_size": 8, **settings})
    data.setup()
    return data


def exact(store: Store, source: Source, stream: int, phase: str, rows: Tensor) -> Tensor:
    return square(store.read(source.streams[stream], phase, rows.numpy()), source.side)


def test_each_row_of_a_batch_is_one_trial_through_every_modality(store: Store) -> None:
    for batch in data_of(store, label="object").train_dataloader():
        assert set(batch) == {
            "row",
            "group",
            "label",
            "sight/before",
            f"{FINGERS}/during",
            f"{FINGERS}/before",
        }
        assert batch["sight/before"].shape == (8, 24, 24, 3)
        assert batch[f"{FINGERS}/during"].shape == batch[f"{FINGERS}/before"].shape == (8, 16, 16, 3)
        assert batch[f"{FINGERS}/during"].dtype == torch.uint8
        rows = batch["row"]
        assert torch.equal(batch["sight/before"], exact(store, SIGHT, 0, "before", rows))
        fingers = torch.stack([exact(store, TOUCH, finger, "during", rows) for finger in (0, 1)])
        references = torch.stack([exact(store, TOUCH, finger, "before", rows) for finger in (0, 1)])
        felt = (fingers == batch[f"{FINGERS}/during"]).flatten(2).all(dim=2)
        assert (felt.sum(dim=0) == 1).all()
        assert torch.equal(references[felt.int().argmax(0), torch.arange(8)], batch[f"{FINGERS}/before"])
        assert torch.equal(batch["label"], rows // 8)


def test_each_trial_comes_once_an_epoch_and_its_finger_is_drawn_anew(store: Store) -> None:
    data = data_of(store, held_out=0.0)

    def epoch(number: int) -> dict[int, int]:
        places = np.arange(40)
        batches = GroupedBatchSampler(
            places, 8, 3, lambda rng: data.images.draw(places, rng), start=lambda whole: (number, 0)
        )
        chosen = np.concatenate(list(batches))
        assert np.array_equal(chosen[:, 1], chosen[:, 0])
        assert np.array_equal(chosen[:, 2] // 2, chosen[:, 0])
        return dict(zip(chosen[:, 0].tolist(), (chosen[:, 2] % 2).tolist(), strict=True))

    first, second = epoch(0), epoch(1)
    assert set(first) == set(second) == set(range(40))
    assert set(first.values()) == {0, 1}
    assert first != second
    assert first == epoch(0)


def test_of_clips_the_same_moment_is_drawn_in_every_modality(make_pairs: MakePairs) -> None:
    clips = make_pairs(frames=3)
    sources = {
        "left": Source(streams=("tactile_left",), side=16),
        "right": Source(streams=("tactile_right",), side=16),
        "slow": Source(streams=("side",), side=10),
    }
    data = data_of(clips, sources, held_out=0.2)
    seen = set()
    for batch in data.train_dataloader():
        for n, row in enumerate(batch["row"].tolist()):
            frames = {}
            for name, source in sources.items():
                clip = torch.from_numpy(clips.read(source.streams[0], "during", [row])[0])
                same = (clip == batch[f"{source.streams[0]}/during"][n]).flatten(1).all(dim=1)
                frames[name] = int(same.nonzero().item())
            assert frames["left"] == frames["right"] == frames["slow"] // 2
            seen.add(frames["slow"])
    assert seen == set(range(6))
    middle = data.images.middle(np.arange(40))
    assert (middle[:, 1:] % [3, 3, 6] == [1, 1, 3]).all()


def test_one_modality_or_three_make_batches_too(store: Store) -> None:
    (alone,) = {tuple(sorted(batch)) for batch in data_of(store, {"sight": SIGHT}).train_dataloader()}
    assert alone == ("group", "label", "row", "sight/before")
    three = {**BOTH, "side": Source(streams=("side",), side=10)}
    batch = next(iter(data_of(store, three).train_dataloader()))
    assert [batch[source.keys[0]].shape[1] for source in three.values()] == [24, 16, 10]
    assert (batch["label"] == -1).all()


def test_trials_of_one_pose_are_one_group_in_every_batch(store: Store) -> None:
    groups: dict[int, int] = {}
    for batch in data_of(store, group=POSE, held_out=0.0).train_dataloader():
        groups |= dict(zip(batch["row"].tolist(), batch["group"].tolist(), strict=True))
    for one in range(40):
        for other in range(one):
            assert (groups[one] == groups[other]) == (one % 4 == 3 and other == one - 1)


def test_without_a_group_each_trial_is_its_own(store: Store) -> None:
    for batch in data_of(store).train_dataloader():
        assert torch.equal(batch["group"], batch["row"])


def test_a_group_is_spread_over_the_epoch(store: Store) -> None:
    for batch in data_of(store, group="object", batch_size=10, held_out=0.0).train_dataloader():
        assert batch["group"].bincount().tolist() == [2] * 5


def test_what_is_held_out_shares_no_group_with_what_is_learned_from(store: Store) -> None:
    data = data_of(store, group=POSE, held_out=0.3, batch_size=4)
    held_out = [int(row) for batch in data.val_dataloader() for row in batch["row"]]
    learned = [int(row) for batch in data.train_dataloader() for row in batch["row"]]
    assert len(set(held_out)) == len(held_out) == len(data.rows["held_out"])
    assert set(learned) <= set(data.rows["train"].tolist())
    assert sorted([*data.rows["train"], *data.rows["held_out"]]) == list(range(40))
    numbers = data.groups
    assert not set(numbers[held_out]) & set(numbers[data.rows["train"]])
    assert len(set(numbers[held_out])) == round(0.3 * 30)
    assert data_of(store, held_out=0.0).val_dataloader() == []


def test_held_out_pairs_are_always_seen_the_same_way(store: Store) -> None:
    data = data_of(store, held_out=0.3)
    first, second = (list(data.val_dataloader()) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert torch.equal(one[f"{FINGERS}/during"], exact(store, TOUCH, 0, "during", one["row"]))


def test_pretraining_on_a_fold_never_reads_its_test_trials(store: Store, tmp_path: Path) -> None:
    split = make_split(store, "object:5")
    split.save(tmp_path / "split.json")
    data = data_of(store, split=tmp_path / "split.json", fold=2, held_out=0.2)
    train, test = split.indices(store, 2)
    read = np.concatenate([each.samples.trial for each in data.images.images.values()])
    assert set(read.tolist()) == set(train.tolist())
    seen = {
        int(r)
        for loader in (data.train_dataloader(), data.val_dataloader())
        for b in loader
        for r in b["row"]
    }
    assert seen
    assert not seen & set(test.tolist())
    said = data.description()
    assert said["split_hash"] == split.hash
    assert not set(said["pretraining_objects"]) & set(store.objects[test].tolist())
    assert said["pretraining_images"] == len(data.rows["train"])


def test_only_trials_with_the_values_asked_for_are_read(store: Store) -> None:
    data = data_of(store, where={"example": ["stay"], "object": ["object 1", "object 3"]}, held_out=0.0)
    assert data.rows["train"].tolist() == [9, 11, 13, 15, 25, 27, 29, 31]
    with pytest.raises(StoreError, match="no trial has example=moved"):
        data_of(store, where={"example": ["moved"]})


def test_labels_are_classes_in_sorted_order(store: Store) -> None:
    data = data_of(store, label="object")
    assert data.classes == tuple(f"object {n}" for n in range(5))
    for batch in data.train_dataloader():
        named = [data.classes[label] for label in batch["label"].tolist()]
        assert named == store.objects[batch["row"].numpy()].tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_resident_images_equal_those_read_from_disk(store: Store, workers: int) -> None:
    resident = data_of(store, group=POSE, held_out=0.2)
    on_disk = data_of(store, group=POSE, held_out=0.2, resident="disk", workers=workers)
    for loader in ("train_dataloader", "val_dataloader"):
        for fast, slow in zip(getattr(resident, loader)(), getattr(on_disk, loader)(), strict=True):
            assert fast.keys() == slow.keys()
            assert all(torch.equal(fast[key], slow[key]) for key in fast)


class Recorder(pl.LightningModule):
    """Writes down the pixels that it meets."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.met: list[tuple[list[int], int]] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        self.met.append((batch["row"].tolist(), int(batch[f"{FINGERS}/during"].sum())))
        return self.weight.square()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def record(store: Store, model: Recorder, *callbacks: pl.Callback, resume: Path | None = None) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    data = PairedData(store.path, BOTH, batch_size=8, group=POSE, held_out=0.1, seed=5)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_meets_the_batches_that_it_would_have_met(store: Store, tmp_path: Path) -> None:
    whole, first, rest = Recorder(), Recorder(), Recorder()
    record(store, whole)
    assert len(whole.met) == 12
    with pytest.raises(RuntimeError, match="the power went"):
        record(store, first, Stop(6, tmp_path / "last.ckpt"))
    record(store, rest, resume=tmp_path / "last.ckpt")
    assert first.met + rest.met == whole.met


def blanked(names: set[str], *arrays: tuple[str, str]) -> Callable[[Trial], Trial]:
    """In the named trials, these arrays hold what marks them as not recorded."""

    def change(whole: Trial) -> Trial:
        if whole.name in names:
            for stream, phase in arrays:
                whole.streams[stream][phase][:] = 0
        return whole

    return change


@pytest.mark.parametrize("resident", ["memory", "disk"])
def test_unpaired_trials_are_named_with_what_they_lack(make_pairs: MakePairs, resident: str) -> None:
    unpaired = make_pairs(blanked({"t07", "t31"}, ("sight", "before"), ("tactile_right", "during")))
    with pytest.raises(DataError) as caught:
        data_of(unpaired, resident=resident)
    said = str(caught.value)
    assert "2 unpaired trials" in said
    assert "t07 (sight/before, tactile_right/during); t31" in said
    assert "data.where" in said
    # What is not asked for may be missing: of a modality, of trials that are left out.
    data_of(unpaired, {"touch": Source(streams=("tactile_left",), side=16)}, resident=resident)
    data_of(unpaired, where={"example": ["released"]}, resident=resident)


def test_a_missing_reference_makes_a_trial_unpaired(make_pairs: MakePairs) -> None:
    unpaired = make_pairs(blanked({f"t{n:02d}" for n in range(9)}, ("tactile_left", "before")))
    with pytest.raises(DataError, match=r"t04 \(tactile_left/before\); and 4 more"):
        data_of(unpaired)


def test_a_missing_modality_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="has no sound/during; it has"):
        data_of(store, {**BOTH, "sound": Source(streams=("sound",))})
    with pytest.raises(StoreError, match="has no sight/during"):
        data_of(store, {"sight": Source(streams=("sight",))})


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"reads": {}}, DataError, "sight, touch"),
        ({"reads": {"a/b": SIGHT}}, DataError, "named"),
        ({"held_out": 1.0}, DataError, "share of the groups"),
        ({"held_out": -0.1}, DataError, "share of the groups"),
        ({"held_out": 0.9, "group": "session"}, DataError, "1 of 1 groups would be held out"),
        ({"batch_size": 41}, DataError, "do not fill one batch"),
        ({"group": "object+colour"}, StoreError, "no column 'colour'"),
        ({"group": "hidden/friction"}, ContractError, "hidden truth"),
        ({"label": "hidden/friction"}, ContractError, "hidden truth"),
        ({"fold": 0, "split": Path("nowhere.json")}, Exception, "nowhere.json"),
    ],
)
def test_what_cannot_be_paired_is_refused(
    store: Store, settings: dict[str, Any], kind: type[Exception], said: str
) -> None:
    def batches() -> None:
        data_of(store, **settings).train_dataloader()

    with pytest.raises(kind, match=said):
        batches()


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"phase": "after"}, ContractError),
        ({"reference": "after"}, ContractError),
        ({"side": 0}, DataError),
        ({"streams": ()}, DataError),
    ],
)
def test_an_impossible_source_is_refused(wrong: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Source(**{"streams": ("a",), **wrong})


def test_two_modalities_that_read_the_same_images_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="sight/before is read by more than one of sight, again"):
        data_of(store, {"sight": SIGHT, "again": Source(streams=("sight",), phase="before", side=8)})


def test_connectors_are_learned_from_on_the_grid_and_tested_off_it(tmp_path: Path) -> None:
    pairs = Connectors(size=16)
    chosen = [*range(0, 1920, 30), *range(1, 1920, 30), *range(1920, 2560, 16)]
    connectors = write_store(
        tmp_path / "store",
        lambda indices: (pairs.trial(chosen[i]) for i in indices),
        dataset=pairs.name,
        source="",
        settings={},
        names=[pairs.names[i] for i in chosen],
        example=pairs.trial(0),
    )
    with pytest.raises(SplitError, match=r"'aux' is on both sides .* by column:split:trial"):
        make_split(connectors, "column:split")
    split = make_split(connectors, "column:split:trial")
    tested = connectors.names[split.indices(connectors, 0)[1]]
    assert all(name.startswith("validation-") for name in tested)
    split.save(tmp_path / "split.json")
    sources = {
        "sight": Source(streams=("sight",), phase="before", side=16),
        "touch": Source(streams=("touch",), side=16),
    }
    data = data_of(connectors, sources, split=tmp_path / "split.json", group="contact", label="object")
    assert all(name.startswith("train-") for name in connectors.names[data.rows["train"]])
    assert len(data.rows["train"]) + len(data.rows["held_out"]) == 128
    assert data.classes == ("aux", "pin", "stud", "usb")
    felt: dict[int, list[Tensor]] = {}
    for batch in data.train_dataloader():
        for group, image in zip(batch["group"].tolist(), batch["touch/during"], strict=True):
            felt.setdefault(group, []).append(image)
    assert any(len(images) > 1 for images in felt.values())
    assert all(torch.equal(image, images[0]) for images in felt.values() for image in images)
