"""Embodiments: contradictions are refused, two are compared by name and unit, and stores follow theirs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visuotactile.datasets.embodiment import PHASES, Dimension, Embodiment, Stream, Vector, streams_of
from visuotactile.datasets.fill import fill
from visuotactile.datasets.join import join
from visuotactile.datasets.readers.folder import Folder
from visuotactile.datasets.readers.shapes import Shapes
from visuotactile.datasets.spaces import action_space, observation_space
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, DataError, StoreError

MakeStore = Callable[..., Store]

FORCE = Dimension("force", "N", 4, 25)
ROBOT: dict[str, Any] = {
    "name": "robot",
    "motion": (Dimension("dx", "m", -0.02, 0.02),),
    "hand": (FORCE,),
    "vectors": (Vector("pose", (Dimension("x", "m", -1, 1),)), Vector("force", (FORCE,))),
    "streams": (Stream("rgb", "image", {"before": (4, 6, 3), "after": (4, 6, 3)}),),
    "outcomes": ("success",),
}


def robot(**changes: Any) -> Embodiment:
    return Embodiment(**(ROBOT | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"motion": (Dimension("dx", "mm", -20, 20),)}, "by dx in 'mm'; expected some of dx in 'm'"),
        ({"motion": (Dimension("forward", "m", -1, 1),)}, "by forward in 'm'"),
        ({"hand": (Dimension("dx", "m", 0, 1),)}, "dimensions of an action: dx, dx; expected no name twice"),
        ({"vectors": (Vector("pose", (Dimension("angle", "rad", 0, 1),)),)}, "pose with angle in 'rad'"),
        ({"vectors": ROBOT["vectors"][:1] * 2}, "vectors: pose, pose"),
        ({"outcomes": ("held", "held")}, "outcomes: held, held"),
        ({"phases": {"before": "observation"}}, "unknown phase 'after'; expected one of before"),
        ({"phases": {**PHASES, "after": "observation"}}, "'after' as 'observation'; expected outcome"),
        ({"phases": {**PHASES, "later": "maybe"}}, "'later' as 'maybe'; expected observation, "),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        robot(**changes)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Dimension("dx", "m", 1, 1), "bounded by 1 and 1; expected two finite numbers"),
        (lambda: Dimension("dx", "m", 0, float("inf")), "bounded by 0 and inf"),
        (lambda: Dimension("d x", "m", 0, 1), "called 'd x'"),
        (lambda: Vector("joints", (FORCE, FORCE)), "vector joints: force, force"),
        (lambda: Stream("rgb", "picture", {}), "of kind 'picture'; expected image, depth, map, sound"),
        (lambda: Stream("rgb", "image", {"before": (4, 6)}), r"rgb/before has shape \(4, 6\)"),
        (lambda: Stream("ear", "sound", {"before": (4,)}), r"ear/before has shape \(4,\)"),
        (lambda: Embodiment.from_dict({"name": "robot"}), "this is no embodiment .*motion"),
        (lambda: robot().vector("joints"), "robot observes no vector 'joints'; it observes pose, force"),
    ],
)
def test_parts_that_mean_nothing_are_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        make()


def test_an_embodiment_survives_json() -> None:
    for embodiment in (robot(), Shapes.embodiment):
        assert Embodiment.from_dict(json.loads(json.dumps(embodiment.to_dict()))) == embodiment


def test_an_action_is_checked_by_name_and_bounds() -> None:
    assert robot().check_action({"force": 25.0000005, "dx": 0}) == {"dx": 0, "force": 25.0000005}
    for action, said in (
        ({"dx": 0.0}, "an action of robot has dx; expected dx, force"),
        ({"dx": 0.0, "force": 5.0, "dy": 0.0}, "has dx, force, dy; expected dx, force"),
        ({"dx": 0.0, "force": 26.0}, "action force is 26; robot takes 4 to 25 N"),
        ({"dx": float("nan"), "force": 5.0}, "action dx is nan; robot takes -0.02 to 0.02 m"),
    ):
        with pytest.raises(ContractError, match=said):
            robot().check_action(action)


def test_actions_are_drawn_from_all_that_is_allowed_and_stay_where_nothing_moves() -> None:
    rng = np.random.default_rng(0)
    drawn = [robot().check_action(robot().sample_action(rng)) for _ in range(300)]
    for name, low, high in (("dx", -0.02, 0.02), ("force", 4, 25)):
        values = [(action[name] - low) / (high - low) for action in drawn]
        assert min(values) < 0.03
        assert max(values) > 0.97
    assert not any(robot().stays(action) for action in drawn)
    assert robot().stays({"dx": 0.0, "force": 9.0})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "the name is 'other', not 'robot'"),
        (
            {"motion": (Dimension("dx", "m", -0.03, 0.02),)},
            "motion dx is -0.03 to 0.02 m, not -0.02 to 0.02 m",
        ),
        ({"hand": (Dimension("force", "kgf", 4, 25),)}, "hand force is 4 to 25 kgf, not 4 to 25 N"),
        ({"hand": ()}, "hand force is absent, not 4 to 25 N"),
        ({"vectors": ROBOT["vectors"][:1]}, "vector force: force is absent"),
        ({"outcomes": ("success", "gentle")}, "outcomes is success, gentle, not success"),
        ({"phases": {**PHASES, "between": "outcome"}}, "phase between is outcome, not absent"),
    ],
)
def test_a_difference_is_named(changes: dict[str, Any], said: str) -> None:
    assert said in robot().difference(robot(**changes))
    assert robot().difference(robot()) == ""


def test_spaces_are_those_of_what_is_declared() -> None:
    streams = (
        Stream("rgb", "image", {"before": (4, 6, 3), "after": (4, 6, 3)}),
        Stream("touch", "image", {"during": (5, 4, 6, 3)}),
        Stream("depth", "depth", {"before": (4, 6)}),
        Stream("height", "map", {"before": (4, 6)}),
        Stream("ear", "sound", {"before": (9, 2), "lift": (9, 2)}, rate=16_000),
    )
    seen = observation_space(robot(streams=streams))
    found = {name: (space.shape, space.dtype) for name, space in seen.items()}
    assert found == {
        "rgb/before": ((4, 6, 3), np.uint8),
        "touch/during": ((5, 4, 6, 3), np.uint8),
        "depth/before": ((4, 6), np.uint16),
        "height/before": ((4, 6), np.float32),
        "ear/before": ((9, 2), np.int16),
        "pose": ((1,), np.float32),
        "force": ((1,), np.float32),
    }
    assert (seen["ear/before"].low == -32768).all()
    assert action_space(robot()).high.tolist() == np.float32([0.02, 25, 1]).tolist()


def trial(i: int, **changes: Any) -> Trial:
    image = np.full((4, 6, 3), i, np.uint8)
    fields: dict[str, Any] = {
        "name": f"trial-{i}",
        "streams": {"rgb": {"before": image, "after": image}},
        "object": "mug",
        "outcomes": {"success": 1.0},
        "action": {"dx": 0.01, "force": 5.0},
        "vectors": {"pose": {"x": 0.1}, "force": {"force": 4.0}},
    }
    return Trial(**(fields | changes))


class Recorded:
    """A `Reader` of such trials."""

    name, description = "recorded", "trials of the tests"

    def __init__(self, embodiment: Embodiment | None, first: int = 0, **changes: Any) -> None:
        self.settings: dict[str, Any] = {}
        self.embodiment, self.first, self.changes = embodiment, first, changes
        self.names = tuple(f"trial-{first + i}" for i in range(3))

    def __len__(self) -> int:
        return len(self.names)

    def trial(self, i: int) -> Trial:
        return trial(self.first + i, **self.changes)


def test_a_store_opens_with_its_embodiment_at_the_size_that_it_was_made_with(tmp_path: Path) -> None:
    store = fill(Recorded(robot()), tmp_path / "store", progress=False)
    assert Store(store.path).embodiment == robot()
    small = fill(Recorded(robot()), tmp_path / "small", size=(2, 3), progress=False)
    assert small.embodiment == robot(
        streams=(Stream("rgb", "image", {"before": (2, 3, 3), "after": (2, 3, 3)}),)
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"action": {"force": 5.0}}, "number action/dx is absent, but present in the declaration of robot"),
        ({"action": {"dx": 0.0, "force": 5.0, "dy": 0.0}}, "number action/dy is present, but absent"),
        ({"vectors": {"pose": {"x": 0.1}}}, "number force/force is absent"),
        ({"vectors": {"pose": {"x": 0.1, "y": 0.0}, "force": {"force": 4.0}}}, "number pose/y is present"),
        ({"outcomes": {"held": 1.0}}, "number outcome/success is absent"),
        ({"streams": {"rgb": {"before": np.zeros((4, 6, 3), np.uint8)}}}, "stream rgb/after is absent"),
        (
            {"streams": {"rgb": dict.fromkeys(("before", "after"), np.zeros((2, 6, 3), np.uint8))}},
            r"stream rgb/before is uint8 \(2, 6, 3\), but uint8 \(4, 6, 3\)",
        ),
    ],
)
def test_a_trial_that_is_not_as_declared_is_not_stored(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        fill(Recorded(robot(), **changes), tmp_path / "store", progress=False)
    measured = {"success": 1.0, "hardness": 12.5}
    assert fill(Recorded(robot(), outcomes=measured), tmp_path / "store", progress=False).embodiment


def test_a_phase_that_nobody_declares_is_refused(tmp_path: Path) -> None:
    odd = {"rgb": {"between": np.zeros((4, 6, 3), np.uint8)}}
    with pytest.raises(ContractError, match="unknown phase 'between'; expected one of before, during, lift"):
        fill(Recorded(None, streams=odd), tmp_path / "store", progress=False)
    declared = robot(
        streams=streams_of(trial(0, streams=odd)), phases={"before": "observation", "between": "outcome"}
    )
    store = fill(Recorded(declared, streams=odd), tmp_path / "store", progress=False)
    with pytest.raises(ContractError, match=r"'between' shows the outcome, .* choose one of before"):
        store.read("rgb", "between", [0])
    assert store.read("rgb", "between", [0], labelling=True).shape == (1, 4, 6, 3)


def test_stores_of_different_robots_are_not_joined(tmp_path: Path) -> None:
    def store(name: str, embodiment: Embodiment | None, first: int) -> Store:
        return fill(Recorded(embodiment, first), tmp_path / name, progress=False)

    one, more = store("one", robot(), 0), store("more", robot(), 3)
    assert join([one.path, more.path], tmp_path / "joined").embodiment == robot()
    stronger = store("stronger", robot(hand=(dataclasses.replace(FORCE, high=40),)), 6)
    with pytest.raises(StoreError, match="different embodiments: hand force is 4 to 40 N, not 4 to 25 N"):
        join([one.path, stronger.path], tmp_path / "never")
    with pytest.raises(StoreError, match="one of them declares no embodiment"):
        join([one.path, store("unknown", None, 9).path], tmp_path / "never")


def test_a_store_of_format_1_is_read_without_an_embodiment(make_store: MakeStore) -> None:
    store = make_store()
    index = json.loads((store.path / "store.json").read_text())
    del index["embodiment"]
    (store.path / "store.json").write_text(json.dumps(index | {"format": 1}))
    older = Store(store.path)
    assert older.embodiment is None
    assert older.fingerprint == store.fingerprint
    assert dict(older.phases) == dict(PHASES)


def test_a_folder_may_declare_its_robot(tmp_path: Path, write_folder: Callable[..., None]) -> None:
    mine = tmp_path / "mine"
    write_folder(mine)
    table = (mine / "trials.csv").read_text().splitlines()
    rows = [f"{line},{cell}" for line, cell in zip(table, ["joints/thumb", "0.1", "0.2", "0.3"], strict=True)]
    (mine / "trials.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match="'thumb' is no phase"):
        Folder(mine)
    declared = Embodiment(
        name="my robot",
        hand=(FORCE,),
        vectors=(
            Vector("pose", (Dimension("yaw", "rad", -4, 4),)),
            Vector("joints", (Dimension("thumb", "rad", 0, 1),)),
        ),
        streams=(Stream("tactile_left", "image", dict.fromkeys(("before", "during"), (8, 9, 3))),),
        outcomes=("success",),
    )
    (mine / "embodiment.json").write_text(json.dumps(declared.to_dict()))
    assert Folder(mine).trial(1).vectors["joints"] == {"thumb": 0.2}
    assert fill(Folder(mine), tmp_path / "store", progress=False).embodiment == declared
    (mine / "embodiment.json").write_text("{}")
    with pytest.raises(DataError, match=r"embodiment\.json: this is no embodiment"):
        Folder(mine)
