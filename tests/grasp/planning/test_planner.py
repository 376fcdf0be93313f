"""Decisions: what a planner makes of a predictor, for one robot and for several."""

from __future__ import annotations

import pytest
import torch
from planner_helpers import GRIPPER, REGRASP, Known, hill_at, share
from torch import Tensor

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.gripper import LEAST_FORCE
from visuotactile.grasp.planning.objectives import Constrained, MostLikely
from visuotactile.grasp.planning.planner import Planner, PresetHand
from visuotactile.grasp.planning.search import (
    CrossEntropy,
    FactoredSearch,
    GradientRefinement,
    RandomSearch,
    Search,
)
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.grasp.predictor.scoring import PIECE

SEARCHES: dict[str, Search] = {
    "random": RandomSearch(900, 100),
    "factored": FactoredSearch(20, 12),
    "cem": CrossEntropy(256, 16, 6),
    "gradient": GradientRefinement(RandomSearch(500, 20), best=4),
}
WHERE = torch.tensor([[0.2] * 5, [0.7, 0.3, 0.5, 0.9, 0.4], [0.5] * 5])

with_each_search = pytest.mark.parametrize("name", SEARCHES)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def predictor(outcomes: tuple[str, ...] = ("success",), width: int = 32) -> Predictor:
    """A small one, random but steep, that knows pose and force alone."""
    torch.manual_seed(1)
    model = Predictor({}, GRIPPER, outcomes, width=width).eval()
    with torch.no_grad():
        for layer in (model.action_first, model.action_second, model.fusion_first, model.fusion_last):
            layer.weight *= 2
    return model


def poses(robots: int) -> dict[str, Tensor]:
    near = torch.tensor([0.05, 0.05, 0.1, 3.0, 20.0])
    drawn = torch.rand(robots, 5, generator=generator(9)) * near
    return {"pose": drawn[:, :4], "force": drawn[:, 4:]}


@with_each_search
def test_each_robot_is_sent_to_its_own_best_action(name: str) -> None:
    decision = Planner(Known(hill_at), SEARCHES[name]).decide({"where": WHERE}, generator())
    assert decision.action.shape == (3, 5)
    assert (torch.linalg.norm(share(decision.action) - WHERE, dim=1) < 0.35).all()
    torch.testing.assert_close(
        decision.probability("success"), hill_at(WHERE[:, None], share(decision.action)[:, None])[:, 0]
    )


@with_each_search
@pytest.mark.parametrize(
    "objective", [MostLikely("success"), LEAST_FORCE, Constrained(MostLikely("success"), "gentle", 0.6)]
)
def test_robots_decide_together_as_they_would_alone(name: str, objective: MostLikely | Constrained) -> None:
    planner = Planner(predictor(("success", "gentle")), SEARCHES[name], objective)
    together = planner.decide(poses(3), generator(4))
    for i in range(3):
        one = {vector: values[i : i + 1] for vector, values in poses(3).items()}
        alone = planner.decide(one, generator(4))
        torch.testing.assert_close(together.action[i], alone.action[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.probabilities[i], alone.probabilities[0], atol=1e-4, rtol=0)


@with_each_search
def test_the_same_seed_gives_the_same_decision(name: str) -> None:
    planner = Planner(predictor(), SEARCHES[name])
    one, other, third = (planner.decide(poses(2), generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.action, other.action)
    assert torch.equal(one.candidates.actions, other.candidates.actions)
    assert not torch.equal(one.candidates.actions, third.candidates.actions)


@with_each_search
def test_the_state_is_encoded_once_for_each_decision(name: str) -> None:
    known = Known(hill_at)
    decision = Planner(known, SEARCHES[name]).decide({"where": WHERE}, generator())
    assert known.encoded == 1
    assert known.scored >= decision.candidates.actions.shape[1]


@with_each_search
def test_no_candidate_scored_higher_than_the_chosen_one_and_all_are_there_to_be_drawn(name: str) -> None:
    decision = Planner(predictor(), SEARCHES[name]).decide(poses(2), generator())
    all_scores = decision.candidates.probability("success")
    assert decision.ranks.shape == all_scores.shape == decision.candidates.actions.shape[:2]
    assert torch.equal(decision.probability("success"), all_scores.max(1).values)
    REGRASP.check(decision.candidates.actions)
    assert not decision.action.requires_grad


def test_where_a_robot_would_stay_its_best_motion_can_be_had_and_the_others_keep_theirs() -> None:
    decision = Planner(Known(hill_at), SEARCHES["random"]).decide({"where": WHERE}, generator())
    assert decision.stays.tolist() == [False, False, True]
    moving = decision.moving()
    assert not moving.stays.any()
    assert torch.equal(moving.action[:2], decision.action[:2])
    moves = ~REGRASP.stays(decision.candidates.actions[2])
    best = decision.candidates.probabilities[2, moves].max()
    assert moving.probability("success")[2] == best < decision.probability("success")[2]
    only_staying = Planner(Known(hill_at), RandomSearch(0, 20)).decide({"where": WHERE}, generator())
    assert torch.equal(only_staying.moving().action, only_staying.action)
    assert only_staying.moving().stays.all()


def gentle_in_the_middle(where: Tensor, x: Tensor) -> Tensor:
    """Stability is a wide hill about `where`; only a weak grasp is gentle."""
    return torch.stack([hill_at(where, x), 0.9 - 0.8 * x[..., 4]], -1)


def test_where_no_candidate_satisfies_the_constraint_the_likeliest_to_do_so_is_taken() -> None:
    known = Known(gentle_in_the_middle, ("stable", "gentle"))
    objective = Constrained(MostLikely("stable"), "gentle", 0.95)
    decision = Planner(known, RandomSearch(900, 100), objective).decide({"where": WHERE}, generator())
    assert torch.equal(
        decision.probability("gentle"), decision.candidates.probability("gentle").max(1).values
    )
    assert (decision.action[:, 4] == 4).all()


def test_or_the_hand_moves_to_where_stability_is_likeliest_and_closes_as_it_was_preset() -> None:
    known = Known(gentle_in_the_middle, ("stable", "gentle"))
    objective = Constrained(MostLikely("stable"), "gentle", 0.95)
    planner = Planner(known, RandomSearch(900, 100), objective, PresetHand("stable", {"force": 8.0}))
    decision = planner.decide({"where": WHERE}, generator())
    assert not decision.stays.any()
    assert (decision.action[:, 4] == 8).all()
    moving = ~REGRASP.stays(decision.candidates.actions)
    best = decision.candidates.probability("stable").masked_fill(~moving, -1).argmax(1)
    assert torch.equal(decision.action[:, :4], decision.candidates.actions[torch.arange(3), best, :4])
    again = known.score(WHERE[:, None], decision.action[:, None])[:, 0]
    torch.testing.assert_close(decision.probabilities, again)


def test_a_preset_hand_leaves_the_robots_alone_that_have_what_they_need() -> None:
    def first_is_gentle(where: Tensor, x: Tensor) -> Tensor:
        gentle = (where[..., :1].mean(-1) < 0.3).float().expand(x.shape[:-1])
        return torch.stack([hill_at(where, x), 0.99 * gentle], -1)

    known = Known(first_is_gentle, ("stable", "gentle"))
    objective, search = Constrained(MostLikely("stable"), "gentle", 0.95), RandomSearch(900, 100)
    plain = Planner(known, search, objective).decide({"where": WHERE}, generator())
    preset = PresetHand("stable", {"force": 8.0})
    decision = Planner(known, search, objective, preset).decide({"where": WHERE}, generator())
    assert torch.equal(decision.action[0], plain.action[0])
    assert torch.equal(decision.probabilities[0], plain.probabilities[0])
    assert (decision.action[1:, 4] == 8).all()
    for wrong in ({"grip": 8.0}, {"force": 26.0}):
        with pytest.raises(PlanError, match="force"):
            Planner(known, search, objective, PresetHand("stable", wrong)).decide(
                {"where": WHERE}, generator()
            )


def test_staying_wins_when_only_staying_holds() -> None:
    def keep_hold(where: Tensor, x: Tensor) -> Tensor:
        still = (x[..., :4] - 0.5).abs().amax(-1) < 1e-6
        return torch.where(still, 0.5 + 0.4 * x[..., 4], 0.3)

    for search in (RandomSearch(), CrossEntropy()):
        decision = Planner(Known(keep_hold), search).decide({"where": WHERE}, generator())
        assert decision.stays.all()
        assert (decision.action[:, :4] == 0).all()
        assert (decision.action[:, 4] == 25).all()


def test_a_trained_score_can_be_refined_by_its_gradient() -> None:
    start = RandomSearch(300, 20)
    model = predictor()
    coarse = Planner(model, start).decide(poses(4), generator())
    fine = Planner(model, GradientRefinement(start)).decide(poses(4), generator())
    assert (fine.probability("success") >= coarse.probability("success")).all()
    assert (fine.probability("success") > coarse.probability("success") + 1e-4).any()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("robots", "count"), [(1, 7), (3, PIECE + 5), (40, 64), (2, 2 * PIECE), (3, 1)])
def test_scoring_in_pieces_equals_scoring_at_once(robots: int, count: int) -> None:
    model = predictor(("success", "gentle"))
    actions = REGRASP.sample(robots * count, generator()).view(robots, count, 5)
    with torch.enable_grad():
        at_once = model.score(model.encode(poses(robots)), actions)
    with torch.no_grad():
        in_pieces = model.score(model.encode(poses(robots)), actions)
    assert at_once.requires_grad
    assert not in_pieces.requires_grad
    assert at_once.std() > 0.02
    torch.testing.assert_close(in_pieces, at_once.detach(), atol=1e-6, rtol=0)


def test_no_candidates_have_no_scores() -> None:
    model = predictor()
    with torch.no_grad():
        assert model.score(model.encode(poses(2)), torch.zeros(2, 0, 5)).shape == (2, 0, 1)


def test_a_predictor_in_training_mode_is_refused() -> None:
    with pytest.raises(PlanError, match=r"call its eval\(\)"):
        Planner(predictor().train())


def test_an_observation_of_different_numbers_of_robots_is_refused() -> None:
    with pytest.raises(PlanError, match="'where': 3, 'other': 2"):
        Planner(Known(hill_at)).decide({"where": WHERE, "other": WHERE[:2]}, generator())
    with pytest.raises(PlanError, match=r"of \{\} robots"):
        Planner(Known(hill_at)).decide({}, generator())
