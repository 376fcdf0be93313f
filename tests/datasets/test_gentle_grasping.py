import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visuotactile.datasets.convert import convert
from visuotactile.datasets.readers.gentle_grasping import GentleGrasping
from visuotactile.datasets.splits import make_split
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.errors import ContractError, DataError
from visuotactile.grasp.predictor.examples import read_images

WriteGentle = Callable[..., Path]


def test_a_grasp_gives_three_states_each_with_its_picture_and_action(
    tmp_path: Path, write_gentle: WriteGentle
) -> None:
    write_gentle(tmp_path)
    reader = GentleGrasping(tmp_path)
    trials = [reader.trial(i) for i in range(3)]
    assert [trial.columns["example"] for trial in trials] == ["regrasp", "released", "stay"]
    for trial, moment in zip(trials, (1, 2, 3), strict=True):  # of the pictures 0, 1, 12, 2, 3
        seen = {phase: int(image.flat[0]) for phase, image in trial.streams["rgb"].items()}
        assert seen == {"before": 200, "during": 200 - 10 * moment, "after": 160}
        assert trial.streams["tactile_middle"]["during"].flat[0] == 199 - 10 * moment
        assert trial.streams["tactile_thumb"]["during"].shape == (8, 6, 3)
    assert trials[0].action == trials[1].action
    assert trials[0].action == pytest.approx(
        {
            **{"dx": 0.010, "dy": -0.005, "dz": 0.0025, "dyaw": math.radians(-15)},
            **{"joint_5": 1.7, "joint_6": 0.1, "joint_7": 0.2, "joint_14": 0.4, "joint_15": 0.3},
        }
    )
    assert [trials[2].action[name] for name in ("dx", "dy", "dz", "dyaw")] == [0, 0, 0, 0]
    assert trials[2].action["joint_14"] == 0.4
    commanded = [[trial.vectors["joints"][f"joint_{n}"] for n in (0, 5, 14)] for trial in trials]
    assert commanded == [[-0.5, 1.6, 0.35], [-0.5, 1.45, 0.2], [-0.5, 1.7, 0.4]]
    for trial in trials:
        assert reader.embodiment.check_action(trial.action)
    assert reader.embodiment.motion[0].high == 0.010
    assert reader.embodiment.hand[0].name == "joint_5"


@pytest.mark.parametrize(("labels", "other"), [("supervised", "automatic"), ("automatic", "supervised")])
def test_both_labels_are_read_and_the_chosen_ones_are_the_outcome(
    tmp_path: Path, write_gentle: WriteGentle, labels: Any, other: str
) -> None:
    write_gentle(tmp_path)
    trial = GentleGrasping(tmp_path, labels=labels).trial(0)
    gentle = {"supervised": 1.0, "automatic": 0.0}
    assert trial.outcomes == {"stable": 1.0, "gentle": gentle[labels]}
    assert trial.columns[f"{other}_gentle"] == gentle[other]
    assert f"{labels}_gentle" not in trial.columns


def test_the_authors_grasps_become_a_store_whose_sound_no_model_hears(
    tmp_path: Path, write_gentle: WriteGentle
) -> None:
    for day in (17, 18):
        write_gentle(tmp_path / "raw", f"data_2024_05_{day}_101500")
    store = convert("gentle-grasping", tmp_path / "raw", tmp_path / "store", progress=False)
    assert len(store) == 6
    assert store.sessions.tolist() == ["2024_05_17"] * 3 + ["2024_05_18"] * 3
    assert store.specs[("sound", "regrasp")].shape == (132_096, 2)
    with pytest.raises(ContractError, match="comes after the action"):
        read_images(store, "sound/regrasp", np.arange(1))
    with pytest.raises(ContractError):
        store.read("sound", "regrasp", [0])
    train, test = make_split(store, "unit:grasp:2").indices(store, 0)
    assert not {*store.column("column/grasp")[train]} & {*store.column("column/grasp")[test]}
    before, during = (store.read("tactile_thumb", phase, [0]) for phase in ("before", "during"))
    contract = InputContract(
        streams=("tactile_thumb",), size=4, normalisation="dataset", mean=(0.0,) * 3, std=(1.0,) * 3
    )
    found = prepare(contract, torch.from_numpy(during), torch.from_numpy(before))
    torch.testing.assert_close(found, torch.full_like(found, -10 / 255))  # not 246 / 255


def test_coloured_depth_is_read_where_asked_for(tmp_path: Path, write_gentle: WriteGentle) -> None:
    write_gentle(tmp_path)
    assert "depth_colours" not in GentleGrasping(tmp_path).trial(0).streams
    reader = GentleGrasping(tmp_path, depth=True)
    assert reader.trial(0).streams["depth_colours"]["during"].dtype == np.uint8
    assert {stream.name for stream in reader.embodiment.streams} >= {"depth_colours", "sound"}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"action1_hand": np.zeros(15)}, "expected 16 numbers"),
        ({"action1_hand": np.array([None] * 16)}, "cannot be read"),  # an object array is a pickle
        ({"action0_hand": np.zeros(5000)}, "expected 16 numbers"),
        ({"action1_regrasp_pose": np.array([0, 0, 0, np.nan])}, "NaN"),
        ({"labels_supervised": np.array([1, 2])}, "expected 0 or 1"),
        ({"sound": np.zeros((132_300, 2), np.int16)}, "129 chunks"),
        ({"sound": np.zeros((132_096, 2), np.float32)}, "expected int16"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, write_gentle: WriteGentle, arrays: dict[str, Any], said: str
) -> None:
    folder = write_gentle(tmp_path, **arrays)
    with pytest.raises(DataError, match=said) as why:
        GentleGrasping(tmp_path).trial(0)
    file = {"sound": "record_s2.wav"}.get(next(iter(arrays)), f"{next(iter(arrays))}.npy")
    assert str(folder / file) in str(why.value)


def test_a_missing_or_cut_file_is_named(tmp_path: Path, write_gentle: WriteGentle) -> None:
    folder = write_gentle(tmp_path)
    (folder / "touch_thumb_12.png").unlink()
    reader = GentleGrasping(tmp_path)
    reader.trial(0)
    with pytest.raises(DataError, match="touch_thumb_12"):
        reader.trial(1)
    (folder / "record_s2.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="record_s2"):
        reader.trial(0)


def test_another_folder_or_option_is_refused(tmp_path: Path, write_gentle: WriteGentle) -> None:
    with pytest.raises(DataError, match="holds no folder data_"):
        GentleGrasping(tmp_path)
    with pytest.raises(DataError, match="needs the folder"):
        GentleGrasping(None)
    write_gentle(tmp_path)
    with pytest.raises(DataError, match="supervised or automatic"):
        GentleGrasping(tmp_path, labels="both")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="true or false"):
        GentleGrasping(tmp_path, depth=1)  # type: ignore[arg-type]
