"""Policies in the same episodes, and the file that remembers them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from unittest import mock

import gymnasium
import predictor_helpers
import pytest
from planner_helpers import GRIPPER
from shelf import ENOUGH, SHELF, Shelf, knows

import visuotactile.sim
from visuotactile.datasets.embodiment import Dimension, Vector
from visuotactile.datasets.spaces import action_space
from visuotactile.errors import EncoderError, OutputExistsError, PlanError, SimulationError
from visuotactile.grasp.episodes.closed_loop import EPISODES, PolicySpec, Record, Stage, episode_seed, play
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import save_predictor

MUGS = ["mug-1", "mug-2"]
RANDOM, FIRST, CYLINDER = (PolicySpec(kind=kind) for kind in ("random", "first", "cylinder"))


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """One that knows the shelf's rule."""
    return knows(tmp_path_factory.mktemp("knows") / "predictor")


def planner(folder, **settings):
    return PolicySpec(kind="planner", predictors=(folder,), **({"search": "random"} | settings))


def played(policies, objects=MUGS, trials=2, **settings):
    return play(SHELF, policies, objects, trials, progress=False, **settings)


def test_every_policy_meets_the_same_first_grasp(predictor):
    records = played({"ours": planner(predictor), "chance": RANDOM, "first": FIRST})
    assert [(r.object, r.trial, r.policy) for r in records] == [
        (thing, trial, name) for thing in MUGS for trial in (0, 1) for name in ("ours", "chance", "first")
    ]
    grasps = {}
    for record in records:
        first = tuple(sorted(record.turns[0].vectors.items()))
        grasps.setdefault((record.object, record.trial), set()).add((record.seed, first))
    assert all(len(one) == 1 for one in grasps.values())
    assert len(set.union(*grasps.values())) == 4
    assert {record.session for record in records} == {"monday"}


def test_an_episode_does_not_depend_on_what_else_is_played(predictor):
    policies = {"ours": planner(predictor), "chance": RANDOM}
    alone = played({"chance": RANDOM}, ["mug-2"], 1)
    assert alone == [r for r in played(policies, trials=3) if r.key == ("mug-2", 0, "chance")]
    assert played(policies) == played(policies)
    assert played(policies) != played(policies, seed=1)
    assert episode_seed(0, "mug-1", 1) != episode_seed(0, "mug-1", 2) != episode_seed(1, "mug-1", 2)


def test_workers_change_nothing_not_even_the_file(predictor, tmp_path):
    policies = {"ours": planner(predictor, search="refine"), "chance": RANDOM}
    one = played(policies, out=tmp_path / "one")
    two = played(policies, out=tmp_path / "two", workers=2)
    assert one == two
    assert (tmp_path / "one" / EPISODES).read_bytes() == (tmp_path / "two" / EPISODES).read_bytes()


def test_a_planner_lifts_when_success_is_likely_enough_and_records_what_it_predicted(predictor):
    for record in played({"ours": planner(predictor)}):
        assert record.success
        assert record.outcomes == {"success": 1.0}
        assert not record.forced
        assert record.action["force"] > 24.5  # the likeliest success is the strongest grasp
        assert record.predicted == {"success": pytest.approx(0.999, abs=2e-3)}
        assert record.predicted == record.turns[-1].predicted
    assert all(record.predicted is None for record in played({"chance": RANDOM}))


def test_the_least_force_is_what_holds_likely_enough(predictor):
    for search, tolerance in (("random", 0.5), ("refine", 0.05), ("cem", 2.0)):
        spec = planner(predictor, objective="least_force", search=search)
        for record in played({"least": spec}, trials=1):
            assert record.success
            # p passes 0.9 where the logit passes log 9; it is log 999 at 25 N and 0 at 12 N.
            assert record.action["force"] == pytest.approx(ENOUGH + 13 * 2.1972 / 6.9068, abs=tolerance)
            assert record.predicted["success"] > 0.9
    surer = planner(predictor, objective="least_force", above=0.99)
    assert played({"least": surer})[0].action["force"] > record.action["force"] + 2


def test_an_unconvinced_planner_lifts_when_no_choice_is_left(tmp_path):
    unsure = planner(knows(tmp_path / "unsure", surest=0.8))
    for record in played({"unsure": unsure}, max_regrasps=3):
        assert (len(record.turns), record.forced) == (3, True)
        assert record.predicted["success"] == pytest.approx(0.8, abs=0.01)


def test_the_force_of_cylinder_fitting_is_what_was_asked_for():
    weak, strong = (PolicySpec(kind="cylinder", options={"force": force}) for force in (10.0, 14.0))
    records = played({"weak": weak, "strong": strong})
    assert {(r.policy, r.action["force"], r.success) for r in records} == {
        ("weak", 10, False),
        ("strong", 14, True),
    }


def test_a_record_survives_json():
    for record in played({"chance": RANDOM, "first": FIRST}, trials=1):
        assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record


# Interrupted, and begun again


class Counter:
    """Plays on, and counts; after `most` episodes it is interrupted."""

    def __init__(self, most=1000):
        self.count, self.most, self.run = 0, most, Stage.run

    def __call__(self, stage, *key):
        if self.count == self.most:
            raise KeyboardInterrupt
        self.count += 1
        return self.run(stage, *key)


def counting(counter):
    return mock.patch.object(Stage, "run", lambda stage, *key: counter(stage, *key))


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(predictor, tmp_path):
    policies = {"ours": planner(predictor), "chance": RANDOM}
    whole = played(policies, out=tmp_path / "whole")
    with counting(Counter(3)), pytest.raises(KeyboardInterrupt):
        played(policies, out=tmp_path / "out")
    with counting(rest := Counter()):
        assert played(policies, out=tmp_path / "out") == whole
    assert rest.count == len(whole) - 3
    assert (tmp_path / "out" / EPISODES).read_bytes() == (tmp_path / "whole" / EPISODES).read_bytes()
    with counting(again := Counter()):
        assert played(policies, out=tmp_path / "out") == whole
    assert again.count == 0


def test_a_line_that_a_power_cut_broke_off_is_played_again(tmp_path):
    whole = played({"chance": RANDOM}, out=tmp_path)
    file = tmp_path / EPISODES
    content = file.read_bytes()
    for cut in (1, 40):
        file.write_bytes(content[:-cut])
        with counting(again := Counter()):
            assert played({"chance": RANDOM}, out=tmp_path) == whole
        assert again.count == 1
        assert file.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"what\n", b"\xff\xfe\n", b'{"settings": {}}'])
def test_a_file_of_something_else_is_not_taken_for_episodes(tmp_path, content):
    (tmp_path / EPISODES).write_bytes(content)
    with pytest.raises(PlanError, match=r"episodes\.jsonl holds no episodes, or damaged ones; remove it"):
        played({"chance": RANDOM}, out=tmp_path)
    assert (tmp_path / EPISODES).read_bytes() == content


def test_damaged_episodes_are_not_believed(tmp_path):
    played({"chance": RANDOM}, out=tmp_path)
    file = tmp_path / EPISODES
    file.write_text(file.read_text().replace('"forced"', '"farced"'))
    with pytest.raises(PlanError, match="holds damaged episodes"):
        played({"chance": RANDOM}, out=tmp_path)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"seed": 1}, "seed 0 → 1"),
        ({"trials": 3}, "trials 2 → 3"),
        ({"objects": ["mug-1"]}, r'objects \["mug-1", "mug-2"\] → \["mug-1"\]'),
        ({"max_regrasps": 2}, "max_regrasps 10 → 2"),
        ({"env_options": {"moody": True}}, "env_options.moody null → true"),
        ({"policies": {"chance": FIRST}}, "policies.chance.kind random → "),
    ],
)
def test_other_settings_are_refused_in_one_clear_sentence(tmp_path, other, said):
    settings = {"policies": {"chance": RANDOM}, "out": tmp_path}
    played(**settings)
    content = (tmp_path / EPISODES).read_bytes()
    with pytest.raises(OutputExistsError, match=f"was begun with other settings.*{said}"):
        played(**(settings | other))
    assert (tmp_path / EPISODES).read_bytes() == content
    assert len(played(**(settings | other), overwrite=True)) == len(played(**(settings | other)))


def test_another_predictor_is_refused_and_a_moved_one_is_not(tmp_path):
    one = knows(tmp_path / "one")
    before = played({"ours": planner(one)}, out=tmp_path / "out")
    moved = str(shutil.copytree(one, tmp_path / "moved"))
    with counting(again := Counter()):
        assert played({"ours": planner(moved)}, out=tmp_path / "out") == before
    assert again.count == 0
    with pytest.raises(OutputExistsError, match="policies"):
        played({"ours": planner(knows(tmp_path / "two", enough=13))}, out=tmp_path / "out")


def test_of_an_ensemble_all_must_be_sure(predictor, tmp_path):
    bold, shy = predictor, knows(tmp_path / "shy", enough=18)
    settings = {"kind": "planner", "search": "random", "objective": "least_force"}
    policies = {
        "bold": PolicySpec(predictors=(bold,), **settings),
        "both": PolicySpec(predictors=(bold, shy), **settings),
    }
    forces = {name: [r.action["force"] for r in played({name: spec})] for name, spec in policies.items()}
    assert max(forces["bold"]) < 18 < min(forces["both"])
    assert policies["both"].settings()["hashes"] == [
        *policies["bold"].settings()["hashes"],
        *PolicySpec(predictors=(shy,), **settings).settings()["hashes"],
    ]
    played({"ours": policies["bold"]}, out=tmp_path / "out")
    with pytest.raises(OutputExistsError, match="policies"):
        played({"ours": policies["both"]}, out=tmp_path / "out")


def test_a_predictor_that_is_replaced_in_the_middle_is_noticed(tmp_path):
    spec = planner(knows(tmp_path / "one"))
    stage = Stage.of(SHELF, {"ours": spec}, seed=0, max_regrasps=3, env_options=None)
    stale = replace(stage, settings={"ours": {**spec.settings(), "hashes": ["f" * 64]}})
    with pytest.raises(
        EncoderError, match=r"mug-1, trial 0, policy 'ours': .*another predictor than when this"
    ):
        stale.run("mug-1", 0, "ours")


# What cannot be played


def test_an_environment_that_there_is_not():
    for name in ("tests/Nowhere-v0", "Nowhere", "no_such_module:Shelf-v0", "a b"):
        with pytest.raises(PlanError, match=r"there is no environment .*MODULE:ID"):
            play(name, {"chance": RANDOM}, MUGS, 1, progress=False)


def test_an_environment_named_with_its_module_is_imported():
    records = play(f"shelf:{SHELF}", {"chance": RANDOM}, MUGS, 1, progress=False)
    assert records == played({"chance": RANDOM}, trials=1)


def test_an_image_that_a_predictor_needs_and_the_environment_lacks_is_named(tmp_path):
    save_predictor(tmp_path / "p", predictor_helpers.predictor(), Calibration.none(1), {})
    spec = planner(str(tmp_path / "p"))
    assert len(played({"ours": spec}, trials=1, max_regrasps=1)) == 2
    with pytest.raises(
        PlanError, match=r"'ours' looks at tactile_left/before, which tests/Shelf-v0 does not"
    ):
        played({"ours": spec}, env_options={"lacks": "tactile_left/before"})


def test_what_a_policy_or_a_robot_needs_is_asked_for_before_anything_is_played(tmp_path):
    with pytest.raises(PlanError, match="policy 'fit' needs the vector cylinder, which tests"):
        played({"fit": CYLINDER}, env_options={"lacks": "cylinder"}, out=tmp_path)
    with pytest.raises(PlanError, match=r"force of the hand is not observed"):
        played({"first": FIRST}, env_options={"lacks": "force"}, out=tmp_path)
    with pytest.raises(PlanError, match=r"CartPole-v1 declares no embodiment"):
        play("CartPole-v1", {"chance": RANDOM}, MUGS, 1, progress=False)
    with pytest.raises(PlanError, match=r"cannot be made with colour: .*unexpected keyword"):
        played({"chance": RANDOM}, env_options={"colour": "red"}, out=tmp_path)
    with pytest.raises(PlanError, match="at most 10, the steps of an episode"):
        played({"chance": RANDOM}, max_regrasps=11, out=tmp_path)
    with pytest.raises(PlanError, match="max_regrasps is 0"):
        played({"chance": RANDOM}, max_regrasps=0, out=tmp_path)
    with pytest.raises(PlanError, match="'ours' predicts gentle, which tests/Shelf-v0 does not report"):
        played({"ours": planner(knows(tmp_path / "gentle", outcome="gentle"))}, out=tmp_path)
    with pytest.raises(PlanError, match="expected no name twice"):
        played({"chance": RANDOM}, ["mug-1", "mug-1"], out=tmp_path)
    for policies, objects, trials in (
        ({}, MUGS, 1),
        ({"chance": RANDOM}, [], 1),
        ({"chance": RANDOM}, MUGS, 0),
    ):
        with pytest.raises(PlanError, match="expected at least one of each"):
            played(policies, objects, trials, out=tmp_path)
    with pytest.raises(EncoderError, match="is not a predictor"):
        played({"ours": planner(str(tmp_path))}, out=tmp_path)
    assert not (tmp_path / EPISODES).exists()


def test_an_environment_must_give_the_object_that_it_is_asked_for():
    with pytest.raises(PlanError, match=r"someone-else, trial 0, policy 'chance': .*gave 'mug-1'"):
        played({"chance": RANDOM}, ["someone-else"], 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_says_in_which_episode_and_what_was_finished_is_kept(tmp_path, workers):
    options = {"breaks_on": "mug-2"}
    with pytest.raises(SimulationError, match="mug-2, trial 0, policy 'chance': it fell through the table"):
        played({"chance": RANDOM}, env_options=options, out=tmp_path, workers=workers)
    lines = (tmp_path / EPISODES).read_text().splitlines()
    assert len(lines) == 1 + 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "planner"}, "a planner needs at least one"),
        ({"kind": "random", "predictors": ("p",)}, "no other has any"),
        ({"kind": "lucky"}, "kind is 'lucky'; expected one of planner, random"),
        ({"kind": "planner", "predictors": ("p",), "search": "grid"}, "search is 'grid'"),
        ({"kind": "cylinder", "options": {"speed": 1.0}}, "no option 'speed'; it has force"),
        ({"kind": "planner", "predictors": ("p",), "above": 1.0}, "lifts above 1.0"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(settings, said):
    with pytest.raises(PlanError, match=said):
        PolicySpec(**settings)


def test_an_objective_about_nothing_that_there_is_is_refused(predictor):
    for settings, said in (
        ({"objective": "speed"}, "'speed' is not predicted; expected one of success"),
        ({"objective": "least_speed"}, "an action has no 'speed'; it has dx"),
        ({"required": ("success", "gentle")}, "'gentle' is not predicted"),
    ):
        with pytest.raises(PlanError, match=said):
            played({"ours": planner(predictor, **settings)})


def test_the_hand_moves_on_as_it_was_preset_until_it_is_sure(tmp_path):
    unsure = planner(knows(tmp_path / "unsure", surest=0.8), preset={"force": 9.0})
    for record in played({"unsure": unsure}, max_regrasps=3):
        assert record.forced
        assert {turn.action["force"] for turn in record.turns} == {9.0}
        assert record.regrasps == 3


def restrained(**changes):
    """The shelf's robot with other declarations."""

    class Other(Shelf):
        def __init__(self, **options):
            super().__init__(**options)
            self.embodiment = replace(self.embodiment, **changes)
            self.action_space = action_space(self.embodiment)

    return Other


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hand": (Dimension("force", "kgf", 0, 3),)}, "takes force in 'N', .* has it in 'kgf'"),
        ({"hand": (Dimension("force", "N", 4, 20),)}, "may choose force from 4 to 25, .* allows 4 to 20"),
        (
            {"hand": (Dimension("grip", "N", 4, 25),)},
            "needs force, which .* lacks; it has dx, dy, dz, dyaw, grip",
        ),
        (
            {"hand": (*GRIPPER.hand, Dimension("speed", "m/s", 0, 1))},
            "takes speed in an action, which .* not",
        ),
        ({"vectors": GRIPPER.vectors[:1]}, "needs the vector force, which .* does not have; it has pose"),
        (
            {"vectors": (GRIPPER.vectors[0], Vector("force", (Dimension("force", "lbf", 0, 9),)))},
            "takes force in 'N', force of .* has it in 'lbf'",
        ),
    ],
)
def test_a_robot_that_means_something_else_by_a_number_is_refused(predictor, changes, said):
    name = f"tests/Other{abs(hash(said))}-v0"
    gymnasium.register(name, entry_point=restrained(**changes), max_episode_steps=10)
    with pytest.raises(PlanError, match=said):
        play(name, {"ours": planner(predictor)}, MUGS, 1, progress=False)


def test_a_robot_may_do_more_than_the_policy_asks_for(predictor):
    name = "tests/Stronger-v0"
    more = restrained(hand=(Dimension("force", "N", 1, 50),))
    gymnasium.register(name, entry_point=more, max_episode_steps=10)
    assert all(r.success for r in play(name, {"ours": planner(predictor)}, MUGS, 1, progress=False))


def test_the_simulated_lab_plays_the_same_episode_again(predictor):
    policies = {"ours": planner(predictor, search="cem"), "fit": CYLINDER}
    settings = {"env_options": {"camera_size": 32}, "max_regrasps": 2, "progress": False}
    once, again = (play(visuotactile.sim.GRASP, policies, ["golf-ball"], 1, **settings) for _ in range(2))
    assert once == again
    assert once[0].turns[0].vectors == once[1].turns[0].vectors
    assert once[0].session.startswith("simulated-")
