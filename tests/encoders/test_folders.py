"""Artefact folders: what an encoder's, a joint space's, a classifier's and a predictor's have in common."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import classification_helpers as classes
import numpy as np
import predictor_helpers as grasps
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from visuotactile.encoders import (
    FrozenEncoder,
    InputContract,
    JointSpace,
    load_encoder,
    load_joint,
    save_encoder,
    untrained_encoder,
)
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.folders import ArtefactFolder
from visuotactile.encoders.frozen import ENCODER
from visuotactile.encoders.joint import JOINT, projection_head, save_joint
from visuotactile.errors import EncoderError, OutputExistsError
from visuotactile.files import sha256_bytes, sha256_file
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import PREDICTOR, load_predictor, save_predictor
from visuotactile.supervised import Attention, Classifier, load_classifier
from visuotactile.supervised.classifier_file import CLASSIFIER, save_classifier

RESNET = "test_resnet"
TOUCH = InputContract(streams=("tactile_left",), size=32)
META: dict[str, Any] = {
    "seed": 3,
    "store": "some/store",
    "fingerprint": "abc",
    "pretraining_objects": ["cup", "ball"],
    "split_hash": "def",
    "fold": 1,
}
Change = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of folder as the suite sees it.

    Attributes:
        folder: its format.
        make: an artefact with weights drawn from a seed.
        save: of an artefact, with this meta.
        load: from a folder to a device.
        output: of an artefact for fixed inputs.
        parameter: one of its weights.
        modules: those that must be frozen.
        inside: encoder folders in it.
        nonsense: changes of the description that leave no such artefact, though its hash fits.
    """

    folder: ArtefactFolder
    make: Callable[[int], Any]
    save: Callable[..., Any]
    load: Callable[..., Any]
    output: Callable[[Any], np.ndarray[Any, Any]]
    parameter: Callable[[Any], torch.Tensor]
    modules: Callable[[Any], list[torch.nn.Module]]
    inside: tuple[str, ...] = ()
    nonsense: Mapping[str, Change] = field(default_factory=dict)


def pixels(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 24, 30, 3), dtype=np.uint8)


def save(folder: Path, made: FrozenEncoder) -> None:
    save_encoder(folder, made.backbone, made.architecture, made.contract, {"method": "moco"}, overwrite=True)


def joint(seed: int) -> JointSpace:
    sight = InputContract(streams=("sight",), phase="before", reference=None, size=32)
    encoders = {"sight": untrained_encoder(RESNET, sight, seed), "touch": untrained_encoder(RESNET, TOUCH, 1)}
    torch.manual_seed(seed)
    heads = {name: projection_head(each.width, 16) for name, each in encoders.items()}
    return JointSpace(encoders, heads, 0.07, {})


def save_space(folder: Path, space: JointSpace, meta: Mapping[str, Any], overwrite: bool = False) -> Any:
    renamed = JointSpace(space.encoders, dict(space.heads.items()), space.temperature, meta)
    return save_joint(folder, renamed, overwrite)


def classifier(seed: int) -> Classifier:
    """With attention and a frozen touch."""
    torch.manual_seed(seed)
    parts = {
        "sight": classes.branches()["sight"],
        "touch": Branch(encoder=TEMPORARY[0] / "classifier-touch"),
    }
    networks = {name: part.build() for name, part in parts.items()}
    return Classifier(networks, classes.CLASSES, Attention(width=16, heads=2)).eval()


def predictor(seed: int) -> Any:
    """Of two outcomes, with a trained camera and frozen touch."""
    touch = Branch(encoder=TEMPORARY[0] / "nested", streams=("tactile_left", "tactile_right"))
    branches = {"camera": grasps.both()["camera"], "touch": touch}
    network = grasps.predictor(seed, branches=branches, outcomes=("success", "gentle"))
    network.set_calibration(CALIBRATION.slope, CALIBRATION.intercept)
    return network


@torch.no_grad()
def scores(network: Any) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = network.score(
        network.encode(grasps.observe(3)), grasps.actions(3, 9)
    ).numpy()
    return found


CALIBRATION = Calibration("platt", (2.0, 0.5), (0.1, -0.3), (90, 60), 5)
TEMPORARY: list[Path] = []
KINDS = {
    "encoder": Kind(
        folder=ENCODER,
        make=lambda seed: untrained_encoder(RESNET, TOUCH, seed),
        save=lambda folder, it, meta, **how: save_encoder(
            folder, it.backbone, it.architecture, it.contract, meta, **how
        ),
        load=load_encoder,
        output=lambda it: it.encode(pixels(3), pixels(3, 1)),
        parameter=lambda it: next(it.backbone.parameters()),
        modules=lambda it: [it],
        nonsense={
            "no such architecture": lambda d: d.update(architecture="resnet_10"),
            "another architecture": lambda d: d.update(architecture="test_convnext"),
            "an architecture in numbers": lambda d: d.update(architecture=10),
            "a contract in words": lambda d: d.update(contract="moco"),
            "half a contract": lambda d: d.update(contract={"phase": "during"}),
            "the outcome": lambda d: d["contract"].update(phase="after"),
            "an endless image": lambda d: d["contract"].update(size=10**9),
            "a size in words": lambda d: d["contract"].update(size="big"),
        },
    ),
    "joint space": Kind(
        folder=JOINT,
        make=joint,
        save=save_space,
        load=load_joint,
        output=lambda it: np.concatenate([it.embed("sight", pixels(3)), it.embed("touch", *[pixels(3)] * 2)]),
        parameter=lambda it: it.heads["sight"][0].bias,
        modules=lambda it: [it.heads, *it.encoders.values()],
        inside=("encoders/sight", "encoders/touch"),
        nonsense={
            "a temperature in words": lambda d: d.update(temperature="hot"),
            "another dimension": lambda d: d.update(dimension=8),
            "an endless dimension": lambda d: d.update(dimension=10**30),
            "a single modality": lambda d: d["modalities"].pop("touch"),
            "a list of modalities": lambda d: d.update(modalities=["a"]),
            "modalities without encoders": lambda d: d.update(modalities={"sight": {}, "touch": {}}),
            "a path as a name": lambda d: d["modalities"].update({"../../touch": {}}),
        },
    ),
    "classifier": Kind(
        folder=CLASSIFIER,
        make=classifier,
        save=save_classifier,
        load=load_classifier,
        output=lambda it: it.classify(classes.observe(3)).numpy(),
        parameter=lambda it: it.linear.bias,
        modules=lambda it: [it],
        nonsense={
            "no classes": lambda d: d["network"].pop("classes"),
            "one class": lambda d: d["network"].update(classes=["one"]),
            "a number of branches": lambda d: d["network"].update(branches=3),
            "no branches": lambda d: d["network"].update(branches={}),
            "heads that do not divide": lambda d: d["network"].update(attention={"width": 16, "heads": 3}),
            "unknown attention": lambda d: d["network"].update(attention={"depth": 2}),
            "frozen or not": lambda d: d["network"]["branches"]["sight"].pop("frozen"),
            "the outcome": lambda d: d["network"]["branches"]["sight"]["contract"].update(phase="after"),
            "another architecture": lambda d: d["network"]["branches"]["sight"].update(
                architecture="test_convnext"
            ),
            "a path as a name": lambda d: d["network"]["branches"].update(
                {"../up": d["network"]["branches"].pop("sight")}
            ),
        },
    ),
    "predictor": Kind(
        folder=PREDICTOR,
        make=predictor,
        save=lambda folder, it, meta, **how: save_predictor(folder, it, CALIBRATION, meta, **how),
        load=load_predictor,
        output=scores,
        parameter=lambda it: it.fusion_last.bias,
        modules=lambda it: [it],
        inside=("encoders/touch",),
        nonsense={
            "no outcomes": lambda d: d["network"].pop("outcomes"),
            "a number of branches": lambda d: d["network"].update(branches=3),
            "an endless layer": lambda d: d["network"].update(width=10**30),
            "the outcome": lambda d: d["network"]["branches"]["camera"]["contract"].update(phase="lift"),
            "another architecture": lambda d: d["network"]["branches"]["camera"].update(
                architecture="test_convnext"
            ),
            "a path as a name": lambda d: d["network"]["branches"].update(
                {"../up": d["network"]["branches"].pop("touch")}
            ),
            "half an embodiment": lambda d: d["network"].update(embodiment={"name": "nobody"}),
            "a motion in inches": lambda d: d["network"]["embodiment"]["motion"][0].update(unit="in"),
            "a vector that nobody observes": lambda d: d["network"].update(vectors=["weight"]),
            "a falling calibration": lambda d: d["calibration"].update(slope=[-1.0, 1.0]),
            "half a calibration": lambda d: d.update(calibration={"method": "platt"}),
        },
    ),
}
NONSENSE = [(name, change) for name, kind in KINDS.items() for change in kind.nonsense]


@pytest.fixture(scope="module", autouse=True)
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind, not to be changed."""
    root = tmp_path_factory.mktemp("folders")
    TEMPORARY.append(root)
    save(root / "nested", untrained_encoder(RESNET, TOUCH, 1))
    save(root / "classifier-touch", untrained_encoder(RESNET, classes.TOUCH, 5))
    for name, kind in KINDS.items():
        kind.save(root / name, kind.make(0), META)
    return {name: root / name for name in KINDS}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def folder(kind: Kind, pristine: dict[str, Path], tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    (name,) = (name for name, each in KINDS.items() if each is kind)
    return Path(shutil.copytree(pristine[name], tmp_path / "copy" / "folder"))


def rewrite(kind: Kind, folder: Path, change: Change) -> None:
    """Change the description as someone would who mends the hash, too."""
    path = folder / kind.folder.description
    described = json.loads(path.read_text())
    change(described)
    described.pop("hash", None)
    text = json.dumps(described, sort_keys=True)
    path.write_text(json.dumps(described | {"hash": sha256_bytes(text.encode())}))


def rewrite_weights(kind: Kind, folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change the weights as someone would who mends both hashes, too."""
    path = folder / kind.folder.weights
    state = load_file(path)
    change(state)
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    mend(kind, folder)


def mend(kind: Kind, folder: Path) -> None:
    weights = sha256_file(folder / kind.folder.weights)
    rewrite(kind, folder, lambda described: described.update(weights_sha256=weights))


def test_a_loaded_artefact_is_the_one_that_was_saved(kind: Kind, folder: Path) -> None:
    loaded = kind.load(folder)
    np.testing.assert_array_equal(kind.output(loaded), kind.output(kind.make(0)))
    assert np.abs(kind.output(loaded) - kind.output(kind.make(1))).max() > 1e-6
    assert {key: loaded.meta[key] for key in META} == META
    assert {"python", "torch", "visuotactile"} <= set(loaded.meta["versions"])
    for module in kind.modules(loaded):
        assert not any(part.training for part in module.modules())
        assert not any(parameter.requires_grad for parameter in module.parameters())


def test_a_folder_holds_what_its_kind_says_and_others_may_read_it(kind: Kind, folder: Path) -> None:
    modes = {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in folder.rglob("*")
        if path.is_file()
    }
    inside = {f"{part}/encoder.{end}" for part in kind.inside for end in ("json", "safetensors")}
    assert set(modes) == {kind.folder.weights, kind.folder.description} | inside
    assert len(set(modes.values())) == 1


def test_each_encoder_inside_is_an_ordinary_encoder(kind: Kind, folder: Path) -> None:
    for part in kind.inside:
        assert load_encoder(folder / part).architecture == RESNET


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_whatever_is_missing_or_damaged_is_one_clear_error(kind: Kind, folder: Path, damage: str) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.unlink()
        if damage == "truncated":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "altered":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(EncoderError, match=f"{path.parent.name}|{path.name}"):
            kind.load(folder)
        path.write_bytes(content)
    kind.load(folder)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_truncated_weights_are_refused_wherever_they_end(kind: Kind, folder: Path, share: float) -> None:
    path, description = folder / kind.folder.weights, folder / kind.folder.description
    whole, text = path.read_bytes(), description.read_text()
    os.truncate(path, int(len(whole) * share))
    with pytest.raises(EncoderError, match="truncated"):
        kind.load(folder)
    # Nor does a hash that was taken over the truncated file make it a safetensors file.
    mend(kind, folder)
    with pytest.raises(EncoderError, match="not a safetensors file"):
        kind.load(folder)
    path.write_bytes(whole)
    description.write_text(text)


def test_a_pickle_is_never_opened(kind: Kind, folder: Path) -> None:
    torch.save({"a": 1}, folder / kind.folder.weights)
    mend(kind, folder)
    with pytest.raises(EncoderError, match="not a safetensors file"):
        kind.load(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "\x00", '{"format": 1', "[" * 100_000, '{"format": 1' + 5000 * "0" + "}"],
    ids=["empty", "half", "list", "null", "binary", "cut", "deep", "long number"],
)
def test_a_description_that_is_no_json_object_is_refused(kind: Kind, folder: Path, text: str) -> None:
    (folder / kind.folder.description).write_text(text)
    with pytest.raises(EncoderError, match=kind.folder.description):
        kind.load(folder)


def test_a_description_too_large_to_be_one_is_not_read(kind: Kind, folder: Path) -> None:
    os.truncate(folder / kind.folder.description, 2**34)  # takes no room on the disk
    with pytest.raises(EncoderError, match=r"17,179,869,184 bytes, more than any JSON of ours"):
        kind.load(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format=99), "has format 99"),
        (lambda d: d.pop("format"), "has format None"),
        (lambda d: d.update(colour="BGR"), r"unknown \['colour'\]"),
        (lambda d: d.pop("meta"), r"lacks \['meta'\]"),
        (lambda d: d.update(meta=[1]), "meta is a list, expected a dict"),
        (lambda d: d.update(weights_sha256="0" * 64), "from another folder"),
        (lambda d: d["meta"].update(pretraining_objects="cup"), "expected a list of names"),
        (lambda d: d["meta"].update(pretraining_objects=[1]), "expected a list of names"),
        (lambda d: d["meta"].update(fingerprint=7), "expected text"),
        (lambda d: d["meta"].update(fold="1"), "expected a whole number or null"),
        (lambda d: d["meta"].update(fold=None), "a split but no fold"),
        (lambda d: d["meta"].update(data=[1]), "expected an object"),
        (lambda d: d["meta"].update(where="example"), "expected an object of columns"),
        (lambda d: d["meta"].update(where={"example": "stay"}), "expected an object of columns"),
        (lambda d: d["meta"].update(data={"group": 3}), "data: group is '3'"),
        (lambda d: d["meta"].update(data={"training_objects": 1}), "data: training_objects is '1'"),
        (lambda d: d["meta"].update(loss=float("nan")), "NaN, which is no JSON number"),
    ],
)
def test_a_description_of_another_shape_is_refused_though_its_hash_fits(
    kind: Kind, folder: Path, change: Change, says: str
) -> None:
    rewrite(kind, folder, change)
    with pytest.raises(EncoderError, match=says):
        kind.load(folder)


@pytest.mark.parametrize(("name", "change"), NONSENSE)
def test_a_description_that_makes_no_sense_is_refused_though_its_hash_fits(
    name: str, change: str, pristine: dict[str, Path], tmp_path: Path
) -> None:
    kind = KINDS[name]
    folder = Path(shutil.copytree(pristine[name], tmp_path / "folder"))
    rewrite(kind, folder, kind.nonsense[change])
    with pytest.raises(EncoderError, match=str(folder)):
        kind.load(folder)


def test_every_entry_of_a_description_is_in_its_hash(kind: Kind, folder: Path) -> None:
    """The pretraining objects are included, or a report would deny a leak."""
    path = folder / kind.folder.description
    text = path.read_text()
    described = json.loads(text)
    changes: list[dict[str, Any]] = [
        {"meta": {**described["meta"], "pretraining_objects": []}},
        {"meta": {**described["meta"], "split_hash": "", "fold": None}},
        {"meta": {}},
        {"hash": "0" * 64},
    ]
    changes += [{name: _altered(described[name])} for name in kind.folder.entries]
    for change in changes:
        path.write_text(json.dumps(described | change))
        with pytest.raises(EncoderError, match="was edited: its hash does not fit"):
            kind.load(folder)
    path.write_text(text)
    kind.load(folder)


def _altered(value: Any) -> Any:
    return {**value, "more": 1} if isinstance(value, dict) else value + type(value)(1)


def test_weights_that_do_not_fit_are_refused_and_the_first_differing_key_named(
    kind: Kind, folder: Path
) -> None:
    first = sorted(load_file(folder / kind.folder.weights))[0]
    content = (folder / kind.folder.weights).read_bytes()
    changes: list[Callable[[dict[str, torch.Tensor]], Any]] = [
        lambda state: state.pop(first),
        lambda state: state.update({f"a.{first}": torch.ones(3)}),
        lambda state: state.update({first: torch.ones(7)}),
        lambda state: state.update({first: state[first].half()}),
    ]
    for change in changes:
        rewrite_weights(kind, folder, change)
        with pytest.raises(EncoderError, match=rf"first differing key is '(a\.)?{first}'"):
            kind.load(folder)
        (folder / kind.folder.weights).write_bytes(content)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_weights_that_diverged_are_neither_read_nor_written(
    kind: Kind, folder: Path, tmp_path: Path, poison: float
) -> None:
    rewrite_weights(kind, folder, lambda state: _floats(state).view(-1)[0].fill_(poison))
    with pytest.raises(EncoderError, match="NaN or infinity in"):
        kind.load(folder)
    made = kind.make(0)
    kind.parameter(made).data.fill_(poison)
    with pytest.raises(EncoderError, match="training diverged"):
        kind.save(tmp_path / "new", made, META)
    assert not (tmp_path / "new").exists()


def _floats(state: dict[str, torch.Tensor]) -> torch.Tensor:
    return next(values for values in state.values() if values.is_floating_point())


def test_weights_exchanged_without_both_hashes_are_noticed(kind: Kind, folder: Path, tmp_path: Path) -> None:
    kind.save(tmp_path / "other", kind.make(1), META)
    shutil.copy(tmp_path / "other" / kind.folder.weights, folder)
    with pytest.raises(EncoderError, match="is not the file that"):
        kind.load(folder)
    path = folder / kind.folder.description
    described = json.loads(path.read_text())
    path.write_text(json.dumps(described | {"weights_sha256": sha256_file(folder / kind.folder.weights)}))
    with pytest.raises(EncoderError, match="was edited"):
        kind.load(folder)


@pytest.mark.parametrize(("architecture", "seed"), [(RESNET, 9), ("test_convnext", 1)])
def test_another_encoder_in_its_place_is_refused(
    kind: Kind, folder: Path, architecture: str, seed: int
) -> None:
    for part in kind.inside:
        contract = load_encoder(folder / part).contract
        (folder / part).rename(folder.parent / "kept")
        save(folder / part, untrained_encoder(architecture, contract, seed))
        with pytest.raises(EncoderError, match=f"{part} is not the encoder that .* was trained with"):
            kind.load(folder)
        shutil.rmtree(folder / part)
        (folder.parent / "kept").rename(folder / part)
    kind.load(folder)


def test_a_giant_that_is_not_there_is_refused_without_being_built(pristine: dict[str, Path]) -> None:
    """A ViT-g takes 4.5 GB; the file of weights says at once that it holds another network."""
    kind, before = KINDS["encoder"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    folder = Path(shutil.copytree(pristine["encoder"], TEMPORARY[0] / "giant"))
    rewrite(kind, folder, lambda d: d.update(architecture="vit_giant_patch14_dinov2"))
    rewrite(kind, folder, lambda d: d["contract"].update(size=56))
    with pytest.raises(EncoderError, match="does not hold vit_giant_patch14_dinov2 weights"):
        kind.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


def test_a_finished_folder_is_replaced_only_when_told_to(kind: Kind, folder: Path) -> None:
    other = kind.make(1)
    with pytest.raises(OutputExistsError, match="exists already"):
        kind.save(folder, other, META)
    kind.save(folder, other, META, overwrite=True)
    np.testing.assert_array_equal(kind.output(kind.load(folder)), kind.output(other))
    assert [item.name for item in folder.parent.iterdir()] == [folder.name]


def test_a_folder_with_other_things_in_it_is_never_replaced(kind: Kind, folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for place in (folder, alone):
        (place / "thesis.tex").write_text("the only copy")
        with pytest.raises(OutputExistsError, match=f"holds more than {kind.folder.kind}"):
            kind.save(place, kind.make(0), META, overwrite=True)
        assert (place / "thesis.tex").read_text() == "the only copy"


@pytest.mark.parametrize(
    "step", ["encoders.folders.save_file", "encoders.folders.write_json", "files._put_in_place"]
)
def test_a_save_that_fails_leaves_what_was_there(
    kind: Kind, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made = kind.make(1)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(f"visuotactile.{step}", fail)
    with pytest.raises(OSError, match="disk full"):
        kind.save(folder, made, META, overwrite=True)
    with pytest.raises(OSError, match="disk full"):
        kind.save(folder.parent / "new", made, META)
    assert [item.name for item in folder.parent.iterdir()] == [folder.name]
    np.testing.assert_array_equal(kind.output(kind.load(folder)), kind.output(kind.make(0)))


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"loss": float("nan")}, "JSON"),
        ({"model": object()}, "JSON"),
        ({"pretraining_objects": "cup"}, "expected a list of names"),
        ({"split_hash": "abc"}, "a split but no fold"),
    ],
)
def test_meta_that_could_not_be_read_again_is_refused(
    kind: Kind, tmp_path: Path, meta: dict[str, Any], says: str
) -> None:
    with pytest.raises(EncoderError, match=says):
        kind.save(tmp_path / "folder", kind.make(0), meta)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_refused(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=f"is not {kind.folder.kind}: it has no {kind.folder.description}"):
        kind.load(tmp_path / "nowhere")


def test_a_device_that_is_not_there_is_refused(kind: Kind, folder: Path) -> None:
    for device in ("cuda:99", "abacus"):
        with pytest.raises(EncoderError, match="cannot be used here"):
            kind.load(folder, device)
