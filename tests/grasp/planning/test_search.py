"""Searches and objectives on functions whose best action is known."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_helpers import REGRASP, bump, problem, share
from torch import Tensor

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace, every_pair
from visuotactile.grasp.planning.gripper import LEAST_FORCE
from visuotactile.grasp.planning.objectives import (
    Candidates,
    Constrained,
    Least,
    MostLikely,
    Objective,
)
from visuotactile.grasp.planning.search import (
    CrossEntropy,
    FactoredSearch,
    GradientRefinement,
    RandomSearch,
    Ranked,
    Search,
)

PEAK = (0.3, 0.8, 0.5, 0.1, 0.6)
SEARCHES: dict[str, Search] = {
    "random": RandomSearch(),
    "factored": FactoredSearch(first=70, later=50),
    "cem": CrossEntropy(samples=256, elites=16, iterations=10),
    "gradient": GradientRefinement(),
    "gradient from cem": GradientRefinement(CrossEntropy(), best=6),
}
REACHES = {"random": 0.25, "factored": 0.06, "cem": 0.02, "gradient": 0.02, "gradient from cem": 0.02}
"""Tolerated distance from the best action, in shares of the bounds; 5,000 random points are no closer."""

with_each_search = pytest.mark.parametrize("name", SEARCHES)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def best(found: Ranked) -> Tensor:
    """The best action of each robot, as shares of the bounds, [B, A]."""
    return share(found.top(1)[:, 0])


@with_each_search
def test_the_top_of_a_hill_is_found(name: str) -> None:
    for seed in range(3):
        found = SEARCHES[name](problem(bump(PEAK, 0.4)), generator(seed))
        assert torch.dist(best(found)[0], torch.tensor(PEAK)) < REACHES[name]


@with_each_search
def test_the_top_of_a_hill_at_a_corner_of_the_bounds_is_found(name: str) -> None:
    corner = (0.0, 1.0, 1.0, 0.0, 1.0)
    found = SEARCHES[name](problem(bump(corner, 0.5)), generator())
    assert torch.dist(best(found)[0], torch.tensor(corner)) < 1.6 * REACHES[name]


@pytest.mark.parametrize("name", ["random", "cem", "gradient"])  # 192 candidates may all lie on the other
def test_of_two_hills_the_higher_one_is_found(name: str) -> None:
    low, high = bump((0.2,) * 5, 0.2, 0.6), bump((0.8,) * 5, 0.2, 1.0)
    for seed in range(3):
        found = SEARCHES[name](problem(lambda x: torch.maximum(low(x), high(x))), generator(seed))
        assert torch.dist(best(found)[0], torch.full((5,), 0.8)) < REACHES[name]


@with_each_search
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**31), outside=st.lists(st.floats(-2, 3), min_size=5, max_size=5))
def test_no_candidate_is_ever_out_of_bounds_wherever_the_hill_is(
    name: str, seed: int, outside: list[float]
) -> None:
    found = SEARCHES[name](problem(bump(outside, 1.0)), generator(seed))
    REGRASP.check(found.candidates.actions)
    assert torch.isfinite(found.ranks).all()
    assert ((found.ranks >= 0) & (found.ranks <= 1)).all()


@with_each_search
def test_the_same_seed_gives_the_same_candidates(name: str) -> None:
    one, other, third = (SEARCHES[name](problem(bump(PEAK, 0.4)), generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.candidates.actions, other.candidates.actions)
    assert torch.equal(one.ranks, other.ranks)
    assert not torch.equal(one.candidates.actions, third.candidates.actions)


@with_each_search
def test_several_robots_at_once_find_what_each_finds_alone(name: str) -> None:
    peaks = torch.tensor([[0.2] * 5, [0.9, 0.1, 0.5, 0.5, 0.5], [1.2] * 5])

    def hills(peaks: Tensor) -> Search:
        return lambda x: torch.exp(-((x - peaks[:, None]) ** 2).sum(-1))

    together = SEARCHES[name](problem(hills(peaks), robots=3), generator(2))
    for i in range(3):
        alone = SEARCHES[name](problem(hills(peaks[i : i + 1])), generator(2))
        torch.testing.assert_close(together.candidates.actions[i], alone.candidates.actions[0])
        torch.testing.assert_close(together.ranks[i], alone.ranks[0])


def test_random_search_is_the_papers_4900_and_100_that_only_sweep_the_force() -> None:
    actions = RandomSearch()(problem(bump(PEAK, 0.4)), generator()).candidates.actions
    assert actions.shape == (1, 5000, 5)
    still = REGRASP.stays(actions[0])
    assert still.tolist() == [False] * 4900 + [True] * 100
    torch.testing.assert_close(actions[0, 4900:, 4], torch.linspace(4, 25, 100))


def test_the_cross_entropy_method_scores_64_three_times_and_some_of_the_first_stay() -> None:
    asked: list[Tensor] = []

    def watched(x: Tensor) -> Tensor:
        asked.append(x)
        return bump(PEAK, 0.4)(x)

    found = CrossEntropy()(problem(watched), generator())
    assert [tuple(x.shape) for x in asked] == [(1, 64, 5)] * 3
    assert found.candidates.actions.shape == (1, 192, 5)
    assert REGRASP.stays(found.candidates.actions[0]).sum() == 8


def test_each_round_of_the_cross_entropy_method_is_drawn_about_the_elites_of_the_one_before() -> None:
    search = CrossEntropy(samples=4000, elites=40, iterations=2, sweep=0)
    found = search(problem(bump((0.5,) * 5, 0.4)), generator())
    first, second = found.candidates.actions[0].split(4000)
    order = found.ranks[0, :4000].argsort(descending=True)
    elites = first[order[:40]]
    torch.testing.assert_close(share(second).mean(0), share(elites).mean(0), atol=0.01, rtol=0)
    spread = (share(elites).std(0, correction=0) + 1 / 12**0.5) / 2
    inner = share(second)[((share(second) > 0.01) & (share(second) < 0.99)).all(1)]
    assert len(inner) > 3000  # few enough are clipped that the rest show the Gaussian
    torch.testing.assert_close(inner.std(0), spread, atol=0, rtol=0.1)


def test_the_cross_entropy_method_beats_random_search_on_a_narrow_peak_at_equal_cost() -> None:
    narrow = problem(bump(PEAK, 0.12))
    values = {"cem": [], "random": []}
    for seed in range(30):
        values["cem"].append(CrossEntropy(sweep=0)(narrow, generator(seed)).ranks.max())
        values["random"].append(RandomSearch(192, 0)(narrow, generator(seed)).ranks.max())
    cem, chance = (torch.stack(values[name]) for name in ("cem", "random"))
    assert (cem > chance).sum() >= 25
    assert cem.median() > 2 * chance.median()


def test_refinement_never_ends_below_where_it_began() -> None:
    torch.manual_seed(0)
    for seed in range(10):
        wave = torch.randn(5, generator=generator(seed)) * 15
        rough = problem(lambda x, wave=wave: torch.sigmoid(5 * torch.sin((x * wave).sum(-1))))
        start = RandomSearch(50, 5)
        before = start(rough, generator(seed)).ranks.max()
        assert GradientRefinement(start, best=4)(rough, generator(seed)).ranks.max() >= before


def test_refinement_climbs_where_the_probability_is_all_but_zero_or_one() -> None:
    for offset in (-30.0, 2.0):
        slope = problem(lambda x, offset=offset: torch.sigmoid(offset + 3 * x.sum(-1)))
        start = RandomSearch(20, 0)
        found = GradientRefinement(start, best=1)(slope, generator())
        before, after = best(start(slope, generator()))[0], best(found)[0]
        assert ((after > before + 0.1) | (after == 1)).all()


def test_refinement_stays_where_the_function_is_flat() -> None:
    flat = problem(lambda x: 0.5 + 0 * x.sum(-1))
    found = GradientRefinement(RandomSearch(10, 0), best=3, steps=2)(flat, generator())
    kept = found.candidates.actions[0]
    assert torch.equal(kept[10:13], kept[13:16])


def test_a_function_without_a_gradient_cannot_be_refined() -> None:
    with pytest.raises(PlanError, match="have no gradient"):
        GradientRefinement()(problem(lambda x: bump(PEAK, 0.4)(x).detach()), generator())


# Objectives


def firmer_is_surer(x: Tensor) -> Tensor:
    """Success passes 0.9 where force and two motions together do; force costs the most to leave away."""
    return torch.sigmoid(12 * (0.6 * x[..., 4] + 0.4 * x[..., 0] * x[..., 1] - 0.3))


def needed_force() -> float:
    """The least share of the force with which that is above 0.9: with both motions at their bound."""
    return (torch.logit(torch.tensor(0.9)).item() / 12 + 0.3 - 0.4) / 0.6


@with_each_search
def test_minimum_force_is_the_least_that_is_sure_enough(name: str) -> None:
    found = SEARCHES[name](problem(firmer_is_surer, LEAST_FORCE), generator())
    row = found.ranks[0].argmax()
    assert found.candidates.probability("success")[0, row] > 0.9
    qualified = found.candidates.probability("success")[0] > 0.9
    force = found.candidates.dimension("force")[0]
    assert force[row] == force[qualified].min()
    # In shares of the bounds: random search has no samples near the corner of the motions, small CEM few.
    slack = {"random": 0.15, "gradient from cem": 0.1}.get(name, 0.02)
    assert needed_force() < share(found.candidates.actions)[0, row, 4] < needed_force() + slack


@with_each_search
def test_minimum_force_takes_the_likeliest_when_nothing_is_sure_enough(name: str) -> None:
    hopeless = bump(PEAK, 0.5, height=0.85)
    least, likeliest = (
        SEARCHES[name](problem(hopeless, objective), generator())
        for objective in (LEAST_FORCE, MostLikely("success"))
    )
    assert torch.equal(best(least), best(likeliest))


def test_among_equal_forces_the_surest_wins() -> None:
    sure = problem(lambda x: 0.91 + 0.08 * x[..., 0], LEAST_FORCE)
    actions = REGRASP.sample(200, generator())[None]
    actions[..., 4] = 4
    assert sure.evaluate(actions).ranks.argmax() == actions[0, :, 0].argmax()


def two_outcomes(x: Tensor) -> Tensor:
    """Success grows with the force; gentleness falls with it."""
    return torch.stack([x[..., 4], 1 - x[..., 4] ** 2], -1)


@with_each_search
def test_a_constraint_on_a_second_outcome_holds(name: str) -> None:
    objective = Constrained(MostLikely("success"), outcome="gentle", above=0.75)
    found = SEARCHES[name](problem(two_outcomes, objective, ("success", "gentle")), generator())
    row = found.ranks[0].argmax()
    assert found.candidates.probability("gentle")[0, row] > 0.75
    assert found.candidates.probability("success")[0, row] == pytest.approx(0.5, abs=0.02)


@with_each_search
def test_a_constraint_that_nothing_meets_is_met_as_nearly_as_can_be(name: str) -> None:
    objective = Constrained(MostLikely("success"), outcome="gentle", above=0.95)
    rough = problem(lambda x: two_outcomes(x) * 0.9, objective, ("success", "gentle"))
    found = SEARCHES[name](rough, generator())
    row = found.ranks[0].argmax()
    assert found.candidates.probability("gentle")[0, row] == found.candidates.probability("gentle").max()


def test_constraints_stand_inside_one_another_and_the_outermost_weighs_most() -> None:
    objective = Constrained(LEAST_FORCE, outcome="gentle", above=0.5)
    names = ("success", "gentle")
    probabilities = torch.tensor([[[0.99, 0.4], [0.95, 0.6], [0.95, 0.6], [0.5, 0.9], [0.99, 0.0]]])
    force = torch.tensor([4.0, 12.0, 11.0, 4.0, 4.0])
    actions = torch.zeros(1, 5, 5)
    actions[0, :, 4] = force
    ranks = objective.rank(Candidates(actions, probabilities, REGRASP, names))
    # Gentle and sure by force, then gentle alone by success, then by gentleness.
    assert ranks[0].argsort(descending=True).tolist() == [2, 1, 3, 0, 4]


OBJECTIVES: dict[str, Objective] = {
    "likeliest": MostLikely("success"),
    "least force": LEAST_FORCE,
    "gentle": Constrained(MostLikely("success"), "gentle", 0.5),
    "gentle, then least force": Constrained(LEAST_FORCE, "gentle", 0.5),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_ranks_lie_between_0_and_1_and_order_as_a_naive_comparison_does(name: str, seed: int) -> None:
    actions = REGRASP.sample(12, generator(seed))[None]
    probabilities = torch.rand(1, 12, 2, generator=generator(seed + 1))
    candidates = Candidates(actions, probabilities, REGRASP, ("success", "gentle"))
    ranks = OBJECTIVES[name].rank(candidates)[0]
    assert ((ranks >= 0) & (ranks <= 1)).all()

    def naive(objective: Objective, i: int) -> tuple[float, ...]:
        success, gentle = probabilities[0, i].tolist()
        if isinstance(objective, Constrained):
            value = success if objective.outcome == "success" else gentle
            return (1.0, *naive(objective.objective, i)) if value > objective.above else (0.0, value)
        return (success,) if isinstance(objective, MostLikely) else (-actions[0, i, 4].item(),)

    expected = sorted(range(12), key=lambda i: naive(OBJECTIVES[name], i), reverse=True)
    assert ranks.argsort(descending=True).tolist() == expected


def test_probability_exactly_at_the_threshold_does_not_qualify() -> None:
    half = Candidates(torch.full((1, 2, 5), 4.0), torch.tensor([[[0.5], [0.5001]]]), REGRASP, ("success",))
    assert Constrained(Least("force"), "success", above=0.5).qualifies(half).tolist() == [[False, True]]


# What is refused


def test_scores_that_are_not_probabilities_are_refused() -> None:
    for value in (float("nan"), 1.5, -0.1):
        with pytest.raises(PlanError, match="5000 of 5000 candidates have a score that is not a probability"):
            RandomSearch()(problem(lambda x, value=value: x[..., 0] * 0 + value), generator())
    with pytest.raises(PlanError, match=r"scored \[1, 5000, 5\] actions as \[1, 5000, 1\]; expected .* 2\]"):
        RandomSearch()(
            dataclasses.replace(problem(bump(PEAK, 1)), outcomes=("success", "gentle")), generator()
        )


def test_an_objective_about_what_is_not_predicted_says_what_is() -> None:
    with pytest.raises(PlanError, match="'gentle' is not predicted; this predictor knows success"):
        RandomSearch()(problem(bump(PEAK, 1), MostLikely("gentle")), generator())
    with pytest.raises(PlanError, match="no 'effort'; it has dx, dy"):
        RandomSearch()(problem(bump(PEAK, 1), Least("effort")), generator())


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomSearch(0, 0),
        lambda: RandomSearch(-1, 5),
        lambda: CrossEntropy(samples=4, elites=5),
        lambda: CrossEntropy(iterations=0),
        lambda: CrossEntropy(samples=4, elites=2, sweep=5),
        lambda: GradientRefinement(best=0),
        lambda: GradientRefinement(steps=0),
        lambda: Constrained(MostLikely("success"), "success", above=1.0),
        lambda: Constrained(MostLikely("success"), "success", above=-0.1),
    ],
)
def test_sizes_that_cannot_be_are_refused(make: object) -> None:
    with pytest.raises(PlanError, match="expected"):
        make()  # type: ignore[operator]


def test_the_factored_search_keeps_its_best_and_tries_staying_with_every_hand() -> None:
    grids: list[tuple[Tensor, Tensor]] = []

    def grid(motions: Tensor, hands: Tensor) -> Tensor:
        grids.append((motions, hands))
        values = bump(PEAK, 0.4)(share(every_pair(motions, hands)))
        return values.view(1, motions.shape[1], hands.shape[1], 1)

    asked = dataclasses.replace(problem(bump(PEAK, 0.4)), grid=grid)
    found = FactoredSearch(first=12, later=8, rounds=3)(asked, generator())
    assert found.ranks.shape == (1, 12**2 + 3 * 8**2)
    bests = [ranks.max().item() for ranks in found.ranks[0].split([144, 64, 64, 64])]
    assert bests == sorted(bests)
    for motions, hands in grids:
        still = (motions[0] == 0).all(1)
        assert still.sum() == 1
        assert len(hands[0].unique(dim=0)) == len(hands[0])


def test_a_factored_search_needs_a_hand_and_a_motion() -> None:
    space = ActionSpace((), REGRASP.hand)
    with pytest.raises(PlanError, match="combines both"):
        FactoredSearch()(dataclasses.replace(problem(bump(PEAK, 0.4)), space=space), generator())
    with pytest.raises(PlanError, match="2 or more"):
        FactoredSearch(first=1)
