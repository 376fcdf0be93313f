"""Action spaces: what a robot can be asked to do, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_helpers import GRIPPER, REGRASP

from visuotactile.datasets.embodiment import Dimension
from visuotactile.errors import ContractError, PlanError
from visuotactile.grasp.planning.actions import ActionSpace

EDGES = st.floats(-1e3, 1e3, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
BOUNDS = st.lists(
    st.tuples(EDGES, EDGES).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-3), min_size=1, max_size=6
)


def space_of(bounds: list[tuple[float, float]]) -> ActionSpace:
    return ActionSpace(
        (), tuple(Dimension(f"a{i}", "m", min(pair), max(pair)) for i, pair in enumerate(bounds))
    )


JOINTS = tuple(Dimension(f"joint_{i}", "rad", 0.1 * i, 1.0 + i) for i in range(3))
FINGERS = ActionSpace((Dimension("dx", "m", -0.01, 0.01), Dimension("dyaw", "rad", -0.3, 0.3)), JOINTS)
"""Of a hand of three joints."""


def within(space: ActionSpace, actions: torch.Tensor) -> bool:
    """By hand, in Python's own numbers."""
    return all(
        low <= value <= high
        for row in actions.reshape(-1, len(space)).tolist()
        for low, value, high in zip(space.low, row, space.high, strict=True)
    )


def test_the_regrasps_are_the_papers() -> None:
    assert REGRASP.names == ("dx", "dy", "dz", "dyaw", "force")
    assert [each.unit for each in REGRASP.dimensions] == ["m", "m", "m", "rad", "N"]
    assert (REGRASP.motion, REGRASP.hand) == (GRIPPER.motion, GRIPPER.hand)
    assert REGRASP.high == (0.02, 0.02, 0.02, math.radians(17), 25)
    assert REGRASP.low == (-0.02, -0.02, -0.02, -math.radians(17), 4)


@settings(deadline=None, max_examples=60)
@given(bounds=BOUNDS, seed=st.integers(0, 2**31))
def test_every_sample_is_within_the_bounds_although_float32_cannot_hold_them(
    bounds: list[tuple[float, float]], seed: int
) -> None:
    space = space_of(bounds)
    actions = space.sample(50, torch.Generator().manual_seed(seed))
    assert actions.dtype == torch.float32
    assert within(space, actions)
    space.check(actions)


@settings(deadline=None, max_examples=60)
@given(bounds=BOUNDS, seed=st.integers(0, 2**31), reach=st.floats(0, 1e6))
def test_clipping_brings_anything_within_the_bounds_and_leaves_what_is_there(
    bounds: list[tuple[float, float]], seed: int, reach: float
) -> None:
    space = space_of(bounds)
    wild = reach * torch.randn(4, 7, len(space), generator=torch.Generator().manual_seed(seed))
    clipped = space.clip(wild)
    assert within(space, clipped)
    assert torch.equal(space.clip(clipped), clipped)
    inside = space.contains(wild)
    assert torch.equal(clipped[inside], wild[inside])


def test_samples_fill_the_space_evenly() -> None:
    actions = REGRASP.sample(20_000, torch.Generator().manual_seed(0))
    low, high = REGRASP.bounds()
    share = (actions - low) / (high - low)
    torch.testing.assert_close(share.mean(0), torch.full((5,), 0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(share.var(0), torch.full((5,), 1 / 12), atol=0.003, rtol=0)
    assert torch.corrcoef(share.T).fill_diagonal_(0).abs().max() < 0.03


def test_the_same_seed_gives_the_same_samples() -> None:
    one, other, third = (REGRASP.sample(9, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_a_sweep_stays_in_place_and_goes_through_all_forces_evenly() -> None:
    actions = REGRASP.sweep(100)
    assert (actions[:, :4] == 0).all()
    torch.testing.assert_close(actions[:, 4], torch.linspace(4, 25, 100))
    assert REGRASP.stays(actions).all()
    assert not REGRASP.stays(REGRASP.sample(100, torch.Generator().manual_seed(0))).any()


def test_a_sweep_of_several_joints_covers_all_of_them_together() -> None:
    actions = FINGERS.sweep(64)
    assert within(FINGERS, actions)
    assert FINGERS.stays(actions).all()
    share = (actions[:, 2:] - torch.tensor([0.0, 0.1, 0.2])) / torch.tensor([1.0, 1.9, 2.8])
    assert len((share * 4 + 1e-3).floor().clamp(max=3).unique(dim=0)) == 64
    assert torch.equal(actions, FINGERS.sweep(64))


def test_whatever_the_hand_does_a_wrist_that_does_not_move_stays() -> None:
    actions = FINGERS.sample(5, torch.Generator().manual_seed(0))
    assert not FINGERS.stays(actions).any()
    actions[:, :2] = 0
    assert FINGERS.stays(actions).all()
    assert ActionSpace((), JOINTS).stays(actions[:, 2:]).all()


def test_a_robot_that_cannot_stand_still_has_no_sweep() -> None:
    moving = ActionSpace((Dimension("dx", "m", 0.01, 0.02),), (Dimension("force", "N", 4, 25),))
    with pytest.raises(PlanError, match="cannot stay"):
        moving.sweep(3)
    assert (ActionSpace((Dimension("dx", "m", -1, 1),), ()).sweep(3) == 0).all()


def test_an_action_out_of_bounds_is_named_with_its_value_unit_and_bounds() -> None:
    actions = REGRASP.sample(10, torch.Generator().manual_seed(0))
    actions[7, 4] = 26
    with pytest.raises(PlanError, match=r"action force is 26 N; expected 4 to 25"):
        REGRASP.check(actions)
    actions[7, 4] = math.nan
    with pytest.raises(PlanError, match=r"action force is nan N"):
        REGRASP.check(actions)
    with pytest.raises(PlanError, match=r"shape \[10, 4\]; expected \[..., 5\]: dx"):
        REGRASP.check(actions[:, :4])


def test_an_action_by_name_is_the_same_as_its_row() -> None:
    row = torch.tensor([0.01, -0.02, 0.0, 0.1, 12.0])
    assert torch.equal(REGRASP.action(REGRASP.named(row)), row)
    with pytest.raises(PlanError, match="with dx, force; expected dx, dy, dz, dyaw, force"):
        REGRASP.action({"dx": 0, "force": 5})
    with pytest.raises(PlanError, match=r"dz is 0.021 m"):
        REGRASP.action({"dx": 0, "dy": 0, "dz": 0.021, "dyaw": 0, "force": 5})


def test_a_bound_that_float32_rounds_outwards_is_still_an_action() -> None:
    assert torch.tensor(0.1).item() > 0.1  # or this test would show nothing
    space = ActionSpace((Dimension("dx", "m", -0.1, 0.1), Dimension("dy", "m", 0.0, 0.1)), ())
    assert within(space, space.action({"dx": -0.1, "dy": 0.1}))
    assert within(space, space.clip(torch.tensor([-9.0, 9.0])))


@pytest.mark.parametrize(
    ("names", "low", "high", "message"),
    [
        ((), (), (), "at least one"),
        (("a", "a"), (0, 0), (1, 1), "no name twice"),
        (("a",), (1,), (1,), "low < high"),
        (("a",), (0,), (math.inf,), "finite"),
        (("a",), (math.nan,), (1,), "finite"),
        (("a",), (0.1,), (0.1 + 1e-12,), "too narrow"),
    ],
)
def test_a_space_that_cannot_be_is_refused(
    names: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...], message: str
) -> None:
    with pytest.raises((PlanError, ContractError), match=message):
        ActionSpace(
            (), tuple(Dimension(name, "m", *ends) for name, *ends in zip(names, low, high, strict=True))
        )
