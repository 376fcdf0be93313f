"""Simulated grasps as trials: the paper's state-action pairs, the same for the same seed."""

from __future__ import annotations

import hashlib

import mujoco
import numpy as np
import pytest
from lab_policies import Pressing, straight_down
from trials import same

from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, DataError, SimulationError
from visuotactile.sim.grasps import Grasps
from visuotactile.sim.objects import object_names

SMALL = {"trials": 3, "camera_size": 48}
DIGESTS = [
    "e257e73654035766",
    "8bbbefed3c65a432",
    "51b96ddd0edfac02",
    "6412e90edabd5d81",
    "4db329e2eae61f2b",
    "a624be9c803244bd",
]


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    grasps = Grasps(**SMALL)
    return [grasps.trial(i) for i in range(len(grasps))]


def test_one_grasp_gives_three_state_action_pairs_with_one_outcome(trials: list[Trial]) -> None:
    regrasp, released, stay = trials[:3]
    assert [trial.name for trial in trials[:3]] == [
        "grasp-000000-regrasp",
        "grasp-000000-released",
        "grasp-000000-stay",
    ]
    assert regrasp.action == released.action
    assert regrasp.vectors["pose"] == released.vectors["pose"]
    assert regrasp.vectors["force"] == released.vectors["force"]
    assert [stay.action[name] for name in ("dx", "dy", "dz", "dyaw")] == [0, 0, 0, 0]
    assert stay.action["force"] == regrasp.action["force"] == stay.vectors["force"]["force"]
    assert regrasp.outcomes == released.outcomes == stay.outcomes


def test_the_hand_is_where_the_action_moved_it_unless_something_was_in_its_way(trials: list[Trial]) -> None:
    for regrasp, stay in zip(trials[0::3], trials[2::3], strict=True):
        there, here = stay.vectors["pose"], regrasp.vectors["pose"]
        for name in ("x", "y", "yaw"):
            assert there[name] == pytest.approx(here[name] + regrasp.action[f"d{name}"])
        assert there["z"] >= here["z"] + regrasp.action["dz"] - 1e-9


def test_a_released_gel_shows_no_contact(trials: list[Trial]) -> None:
    for trial in trials[1::3]:
        for stream in ("tactile_left", "tactile_right"):
            change = trial.streams[stream]["during"].astype(float) - trial.streams[stream]["before"]
            assert abs(change.mean()) < 3


def test_actions_and_forces_stay_within_the_papers_ranges(trials: list[Trial]) -> None:
    for trial in trials:
        assert max(abs(trial.action[name]) for name in ("dx", "dy", "dz")) <= 0.02
        assert abs(trial.action["dyaw"]) <= np.deg2rad(17)
        assert 4 <= trial.action["force"] <= 25


def test_every_phase_has_its_pictures_and_depth_does_not_show_the_outcome(trials: list[Trial]) -> None:
    streams = trials[0].streams
    assert list(streams["tactile_left"]) == ["before", "during", "lift", "after"]
    assert list(streams["rgb"]) == ["before", "during", "after"]
    assert list(streams["depth"]) == ["before", "during"]
    assert streams["tactile_left"]["during"].shape == (120, 160, 3)
    assert streams["rgb"]["during"].shape == (48, 48, 3)
    assert streams["depth"]["during"].dtype == np.uint16


def test_a_trial_is_the_same_whoever_makes_it_and_after_whatever(trials: list[Trial]) -> None:
    again = Grasps(**SMALL)
    for i in (8, 0, 4):
        assert same(again.trial(i), trials[i])


def test_another_seed_is_another_collection(trials: list[Trial]) -> None:
    assert not same(Grasps(**SMALL, seed=1).trial(0), trials[0])


def test_every_object_gets_its_equal_share() -> None:
    grasps = Grasps(trials=3 * 11, objects="easy")
    counts = np.unique([grasps.object_of(g) for g in range(33)], return_counts=True)
    assert sorted(counts[0]) == sorted(object_names("easy"))
    assert set(counts[1]) == {3}


def test_the_single_scheme_lifts_at_once() -> None:
    grasps = Grasps(**SMALL, scheme="single")
    assert len(grasps) == 3
    assert grasps.trial(0).action["dz"] == 0


def test_a_policy_chooses_the_regrasp() -> None:
    grasps = Grasps(**SMALL, policy="lab_policies:straight_down")
    trial = grasps.trial(0)
    assert trial.action == {"dx": 0, "dy": 0, "dz": -0.02, "dyaw": 0, "force": 9}


def test_an_action_that_moves_nothing_closes_again_where_it_was() -> None:
    grasps = Grasps(**SMALL, policy="lab_policies:twice_as_hard")
    for g in range(3):
        regrasp, stay = grasps.trial(3 * g), grasps.trial(3 * g + 2)
        assert stay.vectors["pose"] == pytest.approx(regrasp.vectors["pose"])


def test_a_policy_may_regrasp_before_what_is_recorded() -> None:
    settings = {**SMALL, "trials": 6, "seed": 2, "policy": "lab_policies:twice_as_hard"}
    once, often = Grasps(**settings), Grasps(**settings, prior_regrasps=2)
    assert "prior_regrasps" not in once.settings
    assert often.settings["prior_regrasps"] == 2
    harder = []
    for g in range(6):
        plain, later = (grasps.trial(3 * g) for grasps in (once, often))
        doubled = [min(25.0, plain.vectors["force"]["force"] * 2**count) for count in range(3)]
        assert min(abs(later.vectors["force"]["force"] - force) for force in doubled) < 1e-3
        assert later.action["force"] == pytest.approx(
            min(25.0, 2 * later.vectors["force"]["force"]), abs=1e-3
        )
        assert often.trial(3 * g + 1).action == later.action  # of the released state
        harder.append(later.vectors["force"]["force"] > plain.vectors["force"]["force"] + 1e-3)
    assert set(harder) == {True, False}


def test_a_policy_may_be_an_object_that_says_what_it_is() -> None:
    alike = [Grasps(**SMALL, policy=policy) for policy in (Pressing(12.0), "lab_policies:firmly")]
    for grasps in alike:
        assert grasps.settings["policy"] == {"class": "lab_policies:Pressing", "force": 12.0}
        assert grasps.trial(0).action == {"dx": 0, "dy": 0, "dz": 0, "dyaw": 0, "force": 12}
    by_name = Grasps(**SMALL, policy="lab_policies:straight_down")
    assert by_name.settings["policy"] == "lab_policies:straight_down"
    with pytest.raises(SimulationError, match="has no settings, and a store must say how it was made"):
        Grasps(**SMALL, policy=straight_down)


@pytest.mark.parametrize(
    "policy",
    ["no_such_module:choose", "math:no_such_name", "math:pi", "nonsense", ".math:pi", ":", "", "a/b"],
)
def test_a_policy_that_is_none_gives_one_clear_error(policy: str) -> None:
    with pytest.raises(SimulationError, match="policy"):
        Grasps(**SMALL, policy=policy)


def test_a_policy_that_chooses_no_action_is_told_what_one_is() -> None:
    with pytest.raises(SimulationError, match=r"'gently': 1}.*: .* expected dx, dy, dz, dyaw, force"):
        Grasps(**SMALL, policy="lab_policies:nonsense").trial(0)
    with pytest.raises(SimulationError, match="force is 26"):
        Grasps(**SMALL, policy=Pressing(26.0)).trial(0)


def test_a_collection_that_continues_another_makes_what_that_one_would_have_made(trials: list[Trial]) -> None:
    rest = Grasps(**{**SMALL, "trials": 1}, first=2)
    assert rest.names == ("grasp-000002-regrasp", "grasp-000002-released", "grasp-000002-stay")
    assert all(same(rest.trial(i), trials[6 + i]) for i in range(3))


def test_a_later_collection_has_sessions_and_objects_of_its_own_turn() -> None:
    objects = len(object_names("easy"))
    early, late = Grasps(trials=40, objects="easy"), Grasps(trials=44, objects="easy", first=40)
    assert not set(early.names) & set(late.names)
    assert early.trial(0).session == "simulated-0000"
    assert late.trial(0).session == "simulated-0001"
    turns = [(early if g < 40 else late).object_of(g) for g in range(84)]
    counts = np.unique(turns[: 84 // objects * objects], return_counts=True)[1]
    assert set(counts) == {84 // objects}


def test_a_store_begun_before_collections_could_be_continued_can_still_be_finished() -> None:
    keys = ("trials", "objects", "scheme", "sensor", "camera_size", "policy", "seed")
    assert tuple(Grasps(**SMALL).settings) == keys
    assert Grasps(**SMALL, first=7).settings == {**Grasps(**SMALL).settings, "first": 7}


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"seed": -1},
        {"scheme": "twice"},
        {"camera_size": 1},
        {"sensor": "nose"},
        {"first": -1},
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SimulationError):
        Grasps(**{**SMALL, **options})


def test_unknown_objects_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="unicorn"):
        Grasps(**SMALL, objects="unicorn-01")


def test_a_regrasp_out_of_range_is_refused_by_name() -> None:
    lab = Grasps(**SMALL).lab(0)
    stay = {"dx": 0.0, "dy": 0.0, "dz": 0.0, "dyaw": 0.0, "force": 4.0}
    with pytest.raises(ContractError, match=r"force is 40; .* takes 4 to 25 N"):
        lab.regrasp({**stay, "force": 40})
    with pytest.raises(ContractError, match="dz is nan"):
        lab.regrasp({**stay, "dz": float("nan")})


def digest(trial: Trial) -> str:
    """SHA-256, abridged, of the streams, and of the numbers but for their last digits."""
    found = hashlib.sha256()
    for stream, phases in trial.streams.items():
        for phase, array in phases.items():
            found.update(f"{stream}/{phase} {array.dtype} {array.shape}".encode() + array.tobytes())
    numbers = {"action": trial.action, "outcome": trial.outcomes, **trial.vectors}
    for group, values in numbers.items():
        found.update("".join(f"{group}/{name}={value:.6f} " for name, value in values.items()).encode())
    return found.hexdigest()[:16]


@pytest.mark.skipif(mujoco.__version__ != "4.0.1", reason="another version of the physics")
def test_trials_are_those_of_commit_d05e18a() -> None:
    """Before embodiments: pose and force were one vector there, and the cylinder was columns."""
    grasps = Grasps(trials=2, camera_size=32, seed=5)
    assert [digest(grasps.trial(i)) for i in range(6)] == DIGESTS
