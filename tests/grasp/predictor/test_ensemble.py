"""Several predictors as one: their mean, what it looks at, and what cannot be one."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from planner_helpers import GRIPPER
from predictor_helpers import CAMERA, RESNET, TOUCH, actions, both, observe, predictor

from visuotactile.datasets.embodiment import Dimension, Vector
from visuotactile.encoders.branch import Branch
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.gripper import LEAST_FORCE
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.search import CrossEntropy, RandomSearch
from visuotactile.grasp.predictor.ensemble import Ensemble

SEEN = {
    "branches": {"camera": Branch(contract=CAMERA, backbone=RESNET)},
    "vectors": ("pose", "force", "cylinder"),
}
FELT = {"branches": {"touch": Branch(contract=TOUCH, backbone=RESNET)}}


def test_it_says_the_mean_of_what_its_members_say():
    members = [predictor(seed) for seed in range(3)]
    for number, member in enumerate(members):
        member.set_calibration([40.0 + number], [number - 1.0])  # far from ½, and from one another
    asked, tried = observe(2), actions(2, 7)
    ensemble = Ensemble(members)
    said = ensemble.score(ensemble.encode(asked), tried)
    each = torch.stack([member.score(member.encode(asked), tried) for member in members])
    torch.testing.assert_close(said, each.mean(0))
    assert (each.max(0).values - each.min(0).values).min() > 0.05
    assert len(ensemble) == 3
    assert list(ensemble) == members


def test_one_alone_says_exactly_what_it_says():
    member = predictor()
    asked, tried = observe(2), actions(2, 7)
    ensemble = Ensemble([member])
    said = ensemble.score(ensemble.encode(asked), tried)
    assert torch.equal(said, member.score(member.encode(asked), tried))


def test_it_needs_what_any_of_its_members_looks_at():
    seeing, feeling = predictor(**SEEN), predictor(**FELT)
    ensemble = Ensemble([feeling, seeing])
    assert set(ensemble.inputs) == {*seeing.inputs, *feeling.inputs}
    assert len(ensemble.inputs) == len(set(ensemble.inputs))
    assert "cylinder" in ensemble.inputs
    only = {name: value for name, value in observe(2).items() if name in ensemble.inputs}
    assert ensemble.score(ensemble.encode(only), actions(2, 3)).shape == (2, 3, 1)


@pytest.mark.parametrize("search", [RandomSearch(40, 8), CrossEntropy()])
def test_it_is_planned_over_like_a_predictor(search):
    ensemble = Ensemble([predictor(0), predictor(1)])
    planner = Planner(ensemble, search, LEAST_FORCE)
    decision = planner.decide(observe(3), torch.Generator().manual_seed(0))
    said = ensemble.score(ensemble.encode(observe(3)), decision.action[:, None])
    torch.testing.assert_close(decision.probabilities, said[:, 0])


def test_what_cannot_be_one_is_refused():
    with pytest.raises(PlanError, match="no predictors"):
        Ensemble([])
    with pytest.raises(PlanError, match=r"predictor 2 of an ensemble has outcomes \('success', 'gentle'\)"):
        Ensemble([predictor(), predictor(outcomes=("success", "gentle"))])
    other = dataclasses.replace(GRIPPER, motion=GRIPPER.motion[:3])
    with pytest.raises(PlanError, match="predictor 2 of an ensemble has action space"):
        Ensemble([predictor(), predictor(embodiment=other)])
    weighing = (Vector("force", (Dimension("force", "kgf", 0, 3),)),)
    other = dataclasses.replace(GRIPPER, vectors=(GRIPPER.vectors[0], *weighing))
    with pytest.raises(PlanError, match=r"predictor 2 of an ensemble takes Vector\(name='force'.*kgf"):
        Ensemble([predictor(), predictor(embodiment=other)])


def test_one_that_still_learns_is_not_planned_over():
    learning = predictor(1, branches=both()).train()
    with pytest.raises(PlanError, match="training mode"):
        Planner(Ensemble([predictor(0), learning]))
    assert learning.training  # and is left as it was
