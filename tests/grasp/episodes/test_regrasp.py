"""The command: policies by name, the report's files, and films that show what counted."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from unittest import mock

import numpy as np
import predictor_helpers
import pytest
from page_helpers import HOSTILE, Page, outside
from PIL import Image
from planner_helpers import GRIPPER
from shelf import SHELF, knows

from visuotactile import cli
from visuotactile.errors import OutputExistsError, PlanError, SimulationError
from visuotactile.grasp.episodes.closed_loop import EPISODES, PolicySpec, Stage, play
from visuotactile.grasp.episodes.films import choose, replay, written
from visuotactile.grasp.episodes.regrasp import policy_rows, regrasp
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import save_predictor


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A predictor that knows the shelf, and one that looks at everything and knows nothing."""
    root = tmp_path_factory.mktemp("predictors")
    looking = predictor_helpers.predictor()
    save_predictor(root / "looks", looking, Calibration.none(1), {"data": {"training_objects": ["mug-2"]}})
    return knows(root / "knows"), str(root / "looks")


@pytest.fixture(scope="module")
def made(folders, tmp_path_factory):
    """A report over four kinds of policies, and where it lies."""
    out = tmp_path_factory.mktemp("report") / "out"
    report = regrasp(
        [f"strong={folders[0]}", folders[1]],
        SHELF,
        "mugs",
        out,
        trials=2,
        objective=("success", "least_force"),
        search="random",
        max_regrasps=3,
        films=5,
        progress=False,
    )
    return report, out


def test_rows_are_named_by_what_they_are(folders):
    knowing, looking = folders
    rows = policy_rows(
        [f"touch={knowing}", looking],
        ("first", "planner"),
        ("success", "least_force"),
        search="cem",
        above=0.8,
    )
    assert list(rows) == ["first grasp", "touch", "touch, least force", "looks", "looks, least force"]
    assert rows["looks, least force"] == PolicySpec(
        kind="planner", predictors=(looking,), objective="least_force", search="cem", above=0.8
    )
    only = policy_rows([f"a={knowing}"], ("planner",), ("least_force",), search="cem")
    assert list(only) == ["a, least force"]
    mean = policy_rows([f"a={knowing},{looking}"], ("planner",), ("",), search="cem")
    assert mean == {"a": PolicySpec(kind="planner", predictors=(knowing, looking), search="cem")}
    with pytest.raises(PlanError, match="two rows are called 'a'"):
        policy_rows([f"a={knowing}", f"a={looking}"], ("planner",), ("",), search="cem")
    with pytest.raises(PlanError, match="a planner needs at least one predictor"):
        policy_rows([], ("planner",), ("",), search="cem")
    with pytest.raises(PlanError, match="a predictor the policy planner"):
        policy_rows([knowing], ("random",), ("",), search="cem")
    for odd in ("=x", "a=", "a=x,,y"):
        with pytest.raises(PlanError, match="LABEL=FOLDER"):
            policy_rows([odd], ("planner",), ("",), search="cem")
    assert list(policy_rows([], ("random", "first"), ("",), search="cem")) == [
        "random regrasp",
        "first grasp",
    ]


def test_the_report_holds_everything_that_it_says(made):
    report, out = made
    assert report == json.loads((out / "report.json").read_text())
    names = [policy["name"] for policy in report["policies"]]
    assert names == [
        "strong",
        "strong, least force",
        "looks",
        "looks, least force",
        "random regrasp",
        "first grasp",
        "cylinder fitting",
    ]
    assert len(report["episodes"]) == len(names) * 3 * 2
    by_name = {policy["name"]: policy for policy in report["policies"]}
    assert by_name["strong"]["success"]["value"] == 1
    assert by_name["cylinder fitting"]["success"]["value"] == 0  # 10 N are not enough on this shelf
    assert by_name["strong, least force"]["force"]["value"] < 18 < by_name["strong"]["force"]["value"]
    assert by_name["cylinder fitting"]["against_first"]["success"]["value"] == -1
    assert [each["policy"] for each in report["calibration"]] == names[:4]
    assert report["played"]["policies"]["strong"]["hashes"] != report["played"]["policies"]["looks"]["hashes"]
    text = (out / "report.md").read_text()
    for name in names:
        assert f"| {name} |" in text
    assert not report["simulated"]
    assert "simulated" not in text.lower()


def test_the_report_says_what_one_must_know_to_believe_it(made):
    notes = " ".join(made[0]["notes"])
    said = "The predictor of looks was trained on 1 of the 3 objects: mug-2."
    assert said in made[0]["seen"]
    assert said in (made[1] / "report.md").read_text().partition("\n## ")[0], "beside the figures"
    assert said in (made[1] / "report.html").read_text().partition("<h2>Objects")[0]
    assert "looks is not calibrated" in notes
    assert "looks: 6 of 6 lifts were forced" in notes
    assert "strong: " not in notes
    assert "zero width" in notes


def test_the_page_needs_nothing_else_and_shows_every_policy_and_film(made):
    report, out = made
    text = (out / "report.html").read_text()
    assert outside(text) == []
    assert "script-src 'none'" in text
    words = " ".join(Page(text).text)
    for policy in report["policies"]:
        assert policy["name"] in words
    assert len(report["films"]["shown"]) == 5
    assert text.count('class="film card"') == 5
    images = [attributes for tag, attributes in Page(text).tags if tag == "img"]
    assert all(image["alt"] for image in images)
    chosen = [
        r for r in report["episodes"] if [r["object"], r["trial"], r["policy"]] in report["films"]["shown"]
    ]
    # A camera image, two fingers and the candidates' scores for each turn.
    assert len(images) == 4 * sum(len(r["turns"]) for r in chosen)
    kinds = {image["src"].split(";")[0] for image in images}
    assert kinds == {"data:image/jpeg", "data:image/png"}
    for image in images[:4]:
        picture = Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1])))
        assert picture.size == (int(image["width"]), int(image["height"]))


def test_no_name_is_taken_for_markup(folders, tmp_path):
    report = regrasp(
        [f"{HOSTILE}={folders[0]}"],
        SHELF,
        f"{HOSTILE},mug-1",
        tmp_path / "out",
        trials=1,
        search="cem",
        progress=False,
    )
    text = (tmp_path / "out" / "report.html").read_text()
    assert outside(text) == []
    assert "script" not in [tag for tag, _ in Page(text).tags]
    assert HOSTILE in [each["name"] for each in report["objects"]]
    assert "<script>" not in (tmp_path / "out" / "report.md").read_text()


def test_a_finished_report_is_replaced_only_if_told_so(folders, tmp_path):
    settings = {"predictors": [folders[0]], "env": SHELF, "objects": "mugs", "out": tmp_path, "trials": 1}
    settings |= {"films": 0, "search": "cem", "progress": False}
    first = regrasp(**settings)
    with pytest.raises(OutputExistsError, match=r"report\.json exists already"):
        regrasp(**settings)
    calls = []
    run = Stage.run
    with mock.patch.object(Stage, "run", lambda *a: calls.append(a) or run(*a)):
        again = regrasp(**settings, overwrite=True)
    assert len(calls) == len(first["episodes"])
    assert again["episodes"] == first["episodes"]
    (tmp_path / "report.json").unlink()  # as if it had been killed before the end
    with mock.patch.object(Stage, "run", side_effect=AssertionError):
        assert regrasp(**settings)["policies"] == first["policies"]
    other = regrasp(**{**settings, "seed": 5}, overwrite=True)
    assert other["episodes"] != first["episodes"]


def test_an_unfinished_run_of_other_settings_is_not_mixed_in(folders, tmp_path):
    settings = {"predictors": [folders[0]], "env": SHELF, "objects": "mugs", "out": tmp_path, "trials": 1}
    settings |= {"films": 0, "search": "cem", "progress": False}
    with pytest.raises(SimulationError):
        regrasp(**settings, env_options={"breaks_on": "mug-3"})
    assert (tmp_path / EPISODES).exists()
    with pytest.raises(OutputExistsError, match="begun with other settings"):
        regrasp(**settings)
    assert len(regrasp(**settings, overwrite=True)["objects"]) == 3


def test_sets_of_objects_that_cannot_be_played(folders, tmp_path):
    settings = {"env": SHELF, "out": tmp_path, "progress": False}
    with pytest.raises(PlanError, match="there is no object in 'none'"):
        regrasp([folders[0]], objects="none", **settings)
    with pytest.raises(PlanError, match=r"Pendulum-v1 cannot be made with objects"):
        regrasp([folders[0]], objects="mugs", **{**settings, "env": "Pendulum-v1"})
    with pytest.raises(PlanError, match="-1 films"):
        regrasp([folders[0]], objects="mugs", films=-1, **settings)
    assert list(tmp_path.iterdir()) == []


# Films


def spec_stage(folder, **settings):
    policies = {
        "ours": PolicySpec(kind="planner", predictors=(folder,), search="cem"),
        "chance": PolicySpec(kind="random"),
    }
    stage = Stage.of(SHELF, policies, **({"seed": 0, "max_regrasps": 2, "env_options": None} | settings))
    options = dict(stage.options)
    records = play(
        SHELF, policies, ["mug-1", "mug-2", "mug-3"], 2, max_regrasps=2, env_options=options, progress=False
    )
    return stage, records


def test_a_film_shows_the_episode_that_counted(folders):
    stage, records = spec_stage(folders[1])
    chosen = choose(records, 2)
    assert {record.policy for record in chosen} == {"ours"}
    films, reach = replay(stage, records, chosen)
    assert [film.record for film in films] == chosen
    assert reach >= 8
    for film in films:
        assert [frame.predicted for frame in film.frames] == [turn.predicted for turn in film.record.turns]
        assert [frame.lifted for frame in film.frames] == [False, True]
        assert len(film.frames[0].felt) == 2
        assert len(film.frames[0].seen) == 1
        same = [
            r
            for r in records
            if (r.object, r.trial, r.policy) == (film.record.object, film.record.trial, "chance")
        ]
        assert film.others == {"chance": same[0].success}


def test_an_ensemble_is_reported_as_one_policy_and_by_all_its_members(folders, tmp_path):
    report = regrasp(
        [f"both={folders[0]},{folders[1]}"],
        SHELF,
        "mugs",
        tmp_path,
        trials=1,
        policies=("planner",),
        max_regrasps=2,
        films=1,
        progress=False,
    )
    assert [policy["name"] for policy in report["policies"]] == ["both"]
    assert len(report["played"]["policies"]["both"]["hashes"]) == 2
    assert "the mean of predictors " in (tmp_path / "report.md").read_text()
    assert report["seen"] == ["The predictor of both was trained on 1 of the 3 objects: mug-2."]
    assert len(report["films"]["shown"]) == 1


def test_an_environment_that_does_not_repeat_itself_is_not_filmed(folders, tmp_path):
    stage, records = spec_stage(folders[0], env_options={"moody": True})
    assert replay(stage, records, choose(records, 3))[0] == []
    report = regrasp(
        [folders[0]],
        SHELF,
        "mugs",
        tmp_path,
        trials=1,
        search="cem",
        films=2,
        env_options={"moody": True},
        progress=False,
    )
    assert report["films"] == {"asked": 2, "shown": []}
    assert "2 films are left out" in " ".join(report["notes"])


def test_films_alternate_between_successes_and_failures_and_go_round_planners_and_objects(folders):
    _, records = spec_stage(folders[0])
    ours = [record for record in records if record.policy == "ours"]
    mixed = [replace(record, outcomes={"success": float(record.trial == 0)}) for record in ours]
    mixed += [replace(record, policy="theirs") for record in mixed]
    found = choose(mixed, 6)
    assert [record.success for record in found] == [True, False] * 3
    assert [record.policy for record in found] == ["ours", "ours", "theirs", "theirs", "ours", "ours"]
    assert all(count == 2 for count in np.unique([r.object for r in found], return_counts=True)[1])
    assert choose(list(reversed(mixed)), 6)[0].object == found[0].object  # whatever the order
    assert len(choose(mixed, 100)) == len(mixed)
    assert choose(mixed, 0) == []
    chance = [record for record in records if record.policy == "chance"]
    assert len(choose(chance, 2)) == 2  # without a planner, any policy


def test_actions_are_written_in_millimetres_degrees_and_newtons():
    dx, dyaw, force = (GRIPPER.action[place] for place in (0, 3, 4))
    assert written(dx, -0.0123, signed=True) == "−12 mm"
    assert written(dyaw, 0.2967, signed=True) == "+17°"
    assert written(force, 12.345) == "12.3 N"


# The front door


def test_the_command_plays_in_the_simulated_lab_and_says_simulated(folders, tmp_path, capsys):
    command = f"regrasp tiny={folders[1]} --env visuotactile/Grasp-v0 --objects golf-ball --trials 1"
    more = f"--out {tmp_path / 'out'} --camera-size 32 --search cem --max-regrasps 1 --films 2"
    assert cli.main([*command.split(), *more.split(), "--policies", "planner", "cylinder"]) == 0
    printed = capsys.readouterr().out
    assert "1 simulated episodes of each of 1 objects" in printed
    assert all(word in printed for word in ("tiny", "cylinder", "fitting"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["simulated"]
    assert report["played"]["env_options"] == {"camera_size": 32, "objects": "golf-ball"}
    assert report["notes"][0] == "Every episode is simulated: no robot lifted anything."
    assert "With a single object there are no intervals." in report["notes"]
    assert "Simulated" in " ".join(Page((tmp_path / "out" / "report.html").read_text()).text)
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Simulated regrasping")
