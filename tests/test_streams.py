"""A lab's own names of streams, and networks that were trained on others, wherever the two meet."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import predictor_helpers
import pytest
import torch
from shipped_configs import CONFIGS, one_encoder

from visuotactile.cli import main
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders import load_encoder
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.frozen import encoder_contract
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import ContractError, PlanError
from visuotactile.grasp.embodiments import check_embodiment
from visuotactile.grasp.planning.policy_spec import PolicySpec
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.examples import predict
from visuotactile.grasp.predictor.file import load_predictor, save_predictor
from visuotactile.probes.features import trial_features
from visuotactile.supervised.classifier_file import save_classifier
from visuotactile.supervised.network import Classifier

LEFT = {"tactile_left": "finger"}


def renamed_store(path: Path, store: Store, names: dict[str, str]) -> Store:
    """The trials of a store with other names of streams, and without the streams that have none."""

    def trial(i: int) -> Trial:
        streams: dict[str, dict[str, np.ndarray]] = {}
        for stream, phase in store.specs:
            if stream in names:
                image = store.read(stream, phase, [i], labelling=True)[0]
                streams.setdefault(names[stream], {})[phase] = image
        groups: dict[str, dict[str, float | str]] = {}
        for column in store.columns:
            group, slash, key = column.partition("/")
            if slash:
                groups.setdefault(group, {})[key] = store.column(column)[i].item()
        return Trial(
            name=str(store.names[i]),
            object=str(store.objects[i]),
            session=str(store.sessions[i]),
            streams=streams,
            outcomes=groups.pop("outcome", {}),
            action=groups.pop("action", {}),
            hidden=groups.pop("hidden", {}),
            columns=groups.pop("column", {}),
            vectors=groups,
        )

    embodiment = store.embodiment
    if embodiment is not None:
        known = [
            dataclasses.replace(each, name=names[each.name])
            for each in embodiment.streams
            if each.name in names
        ]
        embodiment = dataclasses.replace(embodiment, streams=tuple(known))
    return write_store(
        path,
        lambda indices: (trial(i) for i in indices),
        dataset="lab",
        source="",
        settings={},
        names=store.names.tolist(),
        example=trial(0),
        embodiment=embodiment,
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Store:
    """A lab with one finger."""
    return renamed_store(tmp_path_factory.mktemp("stores") / "lab", store, LEFT)


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Store:
    """A lab with two, called otherwise."""
    names = {"tactile_left": "thumb", "tactile_right": "finger"}
    return renamed_store(tmp_path_factory.mktemp("stores") / "hand", store, names)


def test_names_are_mapped_in_order_and_absent_fingers_left_out() -> None:
    names = StreamNames(LEFT)
    assert names.of(("tactile_left", "tactile_right"), ("finger", "rgb")) == ("finger",)
    assert names.of(("tactile_left", "tactile_right"), ("finger", "tactile_right")) == (
        "finger",
        "tactile_right",
    )
    assert names.of(("rgb", "depth"), ("finger",)) == ("rgb", "depth")  # none is mapped: the store will say
    both = StreamNames({"tactile_left": "finger", "tactile_right": "finger"})
    assert both.of(("tactile_left", "tactile_right"), ("finger",)) == ("finger",)
    with pytest.raises(ContractError, match="streams maps 'tactile_left' to 3; expected names"):
        StreamNames({"tactile_left": 3})  # type: ignore[dict-item]


def test_a_mapped_encoder_sees_what_it_would_see_under_its_own_names(store, lab, encoders) -> None:
    encoder = load_encoder(encoders[0])
    mapped = StreamNames(LEFT).encoder(encoder, lab)
    assert (mapped.contract.streams, encoder.contract.streams[0]) == (("finger",), "tactile_left")
    assert mapped.hash == encoder.hash  # it is that encoder
    alone = load_encoder(encoders[0])
    alone.contract = dataclasses.replace(encoder.contract, streams=("tactile_left",))
    np.testing.assert_array_equal(
        trial_features(mapped, lab, cache=None), trial_features(alone, store, cache=None)
    )


def test_probe_and_map_take_an_encoder_of_other_names(lab, encoders, tmp_path, capsys) -> None:
    argv = [str(encoders[0]), "--store", str(lab.path)]
    probe = ["probe", *argv, "--target", "success", "--split", "object:3", "--probes", "knn", "--budgets",
             "--seeds", "1", "--out", str(tmp_path / "probe")]  # fmt: skip
    assert main(probe) == 2
    error = capsys.readouterr().err
    assert "has no tactile_left/during; it has finger/before, finger/during" in error
    assert "give --streams tactile_left=NAME" in error
    assert main([*probe, "--streams", "tactile_left=finger"]) == 0
    report = json.loads((tmp_path / "probe/report.json").read_text())
    assert report["provenance"]["settings"]["streams"] == LEFT
    seen = [each["contracts"][0]["streams"] for each in report["encoders"] if "contracts" in each]
    assert seen == [["finger"]] * len(seen)
    assert main(["map", *argv, "--colors", "object", "--out", str(tmp_path / "map"), "--streams",
                 "tactile_left=finger"]) == 0  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tactile_lef=finger", "no network looks at 'tactile_lef'; did you mean tactile_left?"),
        ("tactile_left=fingr", "has no stream 'fingr'; did you mean finger?"),
        ("tactile_left=2", "expected names"),
    ],
)
def test_a_misspelt_stream_is_one_sentence(lab, encoders, tmp_path, capsys, given, said) -> None:
    argv = ["map", str(encoders[0]), "--store", str(lab.path), "--colors", "object"]
    assert main([*argv, "--out", str(tmp_path / "map"), "--streams", given]) == 2
    assert said in capsys.readouterr().err


def test_retrieve_takes_a_joint_space_of_other_names(hand, joint_folder, tmp_path) -> None:
    argv = ["retrieve", str(joint_folder), "--store", str(hand.path), "--split", "random:24/24"]
    names = ["--streams", "tactile_left=thumb", "tactile_right=finger"]
    assert main([*argv, "--out", str(tmp_path / "report"), *names]) == 0
    assert json.loads((tmp_path / "report/retrieval.json").read_text())["methods"]


def test_classify_takes_a_classifier_of_other_names(hand, encoders, tmp_path) -> None:
    torch.manual_seed(0)
    classes = tuple(sorted(set(hand.objects.tolist())))
    network = Classifier({"touch": Branch(encoder=encoders[0]).build()}, classes, None)
    data = {"label": "object", "group": None, "fingerprint": "another", "split_hash": "", "fold": None,
            "where": {}, "pretraining_objects": []}  # fmt: skip
    save_classifier(tmp_path / "classifier", network, {"data": data, "seed": 0})
    argv = ["classify", str(tmp_path / "classifier"), "--store", str(hand.path), "--out", str(tmp_path / "r")]
    assert main([*argv, "--streams", "tactile_left=thumb", "tactile_right=finger"]) == 0


def test_fit_trains_a_shipped_configuration_on_the_labs_finger(lab, tmp_path, capsys) -> None:
    argv = one_encoder(CONFIGS / "moco.yaml", lab.path, tmp_path / "run", "--trainer.max_steps=1")
    assert main(argv) == 2
    assert "give --streams tactile_left=NAME" in capsys.readouterr().err
    assert main([*argv, "--streams", "tactile_left=finger"]) == 0
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "encoder")]) == 0
    assert encoder_contract(tmp_path / "encoder").streams == ("finger",)  # no mapping is needed any more
    assert main([*argv, "--streams", "tactile_left=finger", "--trainer.max_steps=2"]) == 0  # goes on
    assert main([*argv, "--streams", "tactile_left"]) == 2
    assert "expected NETWORKS_NAME=STORES_NAME" in capsys.readouterr().err


def test_a_predictor_takes_a_store_and_a_robot_of_other_names(tmp_path) -> None:
    store = predictor_helpers.grasp_store(tmp_path / "grasps", trials=12)
    names = {"rgb": "camera", "tactile_left": "thumb", "tactile_right": "finger"}
    lab = renamed_store(tmp_path / "lab", store, names)
    made = predictor_helpers.predictor(embodiment=store.embodiment)
    count = len(made.outcomes)
    save_predictor(tmp_path / "predictor", made, Calibration.none(count), {"data": {}})
    rows = np.arange(12)
    own = load_predictor(tmp_path / "predictor")
    with pytest.raises(PlanError, match=r"looks at rgb/during.*give --streams rgb=NAME"):
        predict(own, lab, rows)
    mapped = load_predictor(tmp_path / "predictor", streams=names)
    np.testing.assert_array_equal(predict(mapped, lab, rows)[0], predict(own, store, rows)[0])
    spec = PolicySpec(kind="planner", predictors=(str(tmp_path / "predictor"),), streams=names)
    (loaded,) = spec.load(spec.settings())
    assert set(loaded.images) == {f"{names[key.split('/')[0]]}/{key.split('/')[1]}" for key in own.images}
    assert spec.settings()["streams"] == names
    check_embodiment(loaded.embodiment, lab.embodiment, loaded.inputs, "the predictor", "the robot")
    with pytest.raises(ContractError, match="side by side needs as many streams; found finger"):
        load_predictor(tmp_path / "predictor", streams={"tactile_left": "finger", "tactile_right": "finger"})


def test_the_next_command_of_a_lab_maps_its_finger(lab, store, tmp_path, capsys) -> None:
    for made, said in ((lab, "--streams tactile_left=finger"), (store, None)):
        assert main(["split", str(made.path), str(tmp_path / f"{made.name}.json"), "--by", "object:3"]) == 0
        written = capsys.readouterr()
        assert ("--streams" in written.out + written.err) == (said is not None)
        assert said is None or said in written.out + written.err
