"""The examples of docs/grasping.md run as they stand there."""

import re
from pathlib import Path

from visuotactile.grasp import PlannerPolicy
from visuotactile.grasp.episodes.robot import run_episode

PAGE = Path(__file__).parents[3] / "docs" / "grasping.md"


def run(word):
    """Run the block in which the word stands; the names that it leaves."""
    (block,) = (text for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if word in text)
    names = {}
    exec(block, names)
    return names


def test_the_robot_of_the_documentation_is_driven(capsys):
    names = run("class Hand")
    assert capsys.readouterr().out == "{'stable': 1.0, 'gentle': 0.0} 0 0.699999988079071\n"
    assert names["run_episode"] is run_episode


def test_the_gripper_of_four_methods_in_the_documentation_is_driven(capsys):
    names = run("class Arm")
    assert capsys.readouterr().out == "{'success': 1.0} 1 10.0\n"
    assert names["episode"].steps[0].choice.action["dz"] > 0


def test_the_predictor_of_the_documentation_is_asked(monkeypatch, tmp_path):
    import predictor_helpers

    from visuotactile.grasp.predictor.calibration import Calibration
    from visuotactile.grasp.predictor.file import save_predictor

    save_predictor(tmp_path / "predictors/both", predictor_helpers.predictor(), Calibration.none(1), {})
    monkeypatch.chdir(tmp_path)
    (block,) = (
        text for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "score(" in text
    )
    names = {"observation": predictor_helpers.observe(2), "actions": predictor_helpers.actions(2, 7)}
    exec(block, names)
    assert isinstance(names["policy"], PlannerPolicy)
    assert names["predictor"].score(names["state"], names["actions"]).shape == (2, 7, 1)
