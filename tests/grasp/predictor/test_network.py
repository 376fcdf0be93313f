"""The network: split equals not split, and nothing leaks between candidates, robots or modalities."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from planner_helpers import GRIPPER, REGRASP
from predictor_helpers import RESNET, TOUCH, actions, both, observe, predictor
from torch import Tensor

from visuotactile.datasets.embodiment import Dimension, Embodiment, Vector
from visuotactile.encoders.branch import Branch
from visuotactile.errors import ContractError
from visuotactile.grasp.planning.actions import ActionSpace, every_pair
from visuotactile.grasp.predictor.network import Predictor, State

LOCATING = ("pose", "force", "cylinder")
"""Vectors of a predictor that is told where the object stands."""


def by_concatenation(network: Predictor, observation: dict[str, Tensor], candidates: Tensor) -> Tensor:
    """The paper's Figure 3 read literally: everything concatenated, for each candidate by itself."""
    rows = []
    low, high = (torch.tensor(bound) for bound in (REGRASP.low, REGRASP.high))
    for robot in range(len(candidates)):
        one = {name: value[robot : robot + 1] for name, value in observation.items()}
        seen = [branch.look(one)[0] for branch in network.networks().values()]
        x, y, z, yaw = one["pose"][0]
        force = one["force"][0, 0]
        pose = torch.stack([x / 0.1, y / 0.1, z / 0.1, yaw.sin(), yaw.cos(), force / 25])
        for action in candidates[robot]:
            dx, dy, dz = action[:3] / 0.02
            gripper = torch.stack([yaw.cos() * dx + yaw.sin() * dy, yaw.cos() * dy - yaw.sin() * dx, dz])
            scaled = 2 * (action - low) / (high - low) - 1
            where = [pose]
            stays = torch.tensor([float((action[:4] == 0).all())])
            if len(network.vectors) == len(LOCATING):
                where = [pose * torch.tensor([0, 0, 1, 0, 0, 1])]
                cx, cy, radius, height = one["cylinder"][0]
                u = yaw.cos() * (cx - x) + yaw.sin() * (cy - y)
                v = yaw.cos() * (cy - y) - yaw.sin() * (cx - x)
                where.append(
                    torch.stack([u / 0.02, v / 0.02, (height - z) / 0.02, radius / 0.1, height / 0.1])
                )
            of_action = torch.relu(network.action_first(torch.cat([*where, scaled, gripper, stays])))
            of_action = torch.relu(network.action_second(of_action))
            fused = torch.relu(network.fusion_first(torch.cat([*seen, of_action])))
            rows.append(network.fusion_last(fused))
    return torch.stack(rows).view(*candidates.shape[:2], -1)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("cylinder", [False, True])
@pytest.mark.parametrize("outcomes", [("success",), ("success", "gentle")])
@torch.no_grad()
def test_the_split_layers_equal_concatenation(outcomes: tuple[str, ...], cylinder: bool, grad: bool) -> None:
    network = predictor(outcomes=outcomes, vectors=LOCATING if cylinder else None, width=256)
    observation, candidates = observe(3), actions(3, 20)
    candidates[:, :3, :4] = 0  # staying
    expected = by_concatenation(network, observation, candidates)
    assert expected.std() > 1e-3
    with torch.set_grad_enabled(grad):
        found = network.logits(network.encode(observation), candidates).detach()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_score_depends_on_neither_the_other_candidates_nor_the_other_robots() -> None:
    network, observation, candidates = predictor(), observe(4), actions(4, 700)
    together = network.score(network.encode(observation), candidates)
    for robot in range(4):
        one = {name: value[robot : robot + 1] for name, value in observation.items()}
        state = network.encode(one)
        for part in (slice(0, 1), slice(1, 300), slice(300, 700)):
            alone = network.score(state, candidates[robot : robot + 1, part])
            torch.testing.assert_close(alone[0], together[robot, part], atol=1e-6, rtol=0)
    assert (together > 0).all()
    assert (together < 1).all()


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("cylinder", [False, True])
def test_nobody_asks_and_nothing_is_said(cylinder: bool, grad: bool) -> None:
    network = predictor(vectors=LOCATING if cylinder else None)
    nobody = {name: value[:0] for name, value in observe(1).items()}
    with torch.set_grad_enabled(grad):
        assert network.logits(network.encode(nobody), actions(1, 4)[:0]).shape == (0, 4, 1)


@torch.no_grad()
def test_staying_is_not_the_limit_of_ever_smaller_motions() -> None:
    network = predictor(branches={})
    state = network.encode(observe(1))

    def logit(dx: float, force: float) -> float:
        return network.logits(state, torch.tensor([[[dx, 0.0, 0.0, 0.0, force]]])).item()

    moved = abs(logit(1e-5, 10) - logit(2e-5, 10))
    assert abs(logit(0.0, 10) - logit(1e-5, 10)) > 20 * max(moved, 1e-6)
    assert abs(logit(0.0, 10) - logit(0.0, 10.0001)) < 2e-4


@torch.no_grad()
def test_where_on_the_table_it_happens_is_not_told_where_the_object_is() -> None:
    candidates = actions(3, 5)
    for cylinder in (True, False):
        network, here = predictor(branches={}, vectors=LOCATING if cylinder else None), observe(3)
        shift = torch.tensor([0.03, -0.02])
        there = {name: value.clone() for name, value in here.items()}
        there["pose"][:, :2] += shift
        there["cylinder"][:, :2] += shift
        same = torch.allclose(
            *(network.logits(network.encode(it), candidates) for it in (here, there)), atol=1e-5
        )
        assert same is cylinder


@torch.no_grad()
def test_moving_along_the_grippers_axis_is_the_same_whichever_way_the_gripper_points() -> None:
    network = predictor(branches={})
    plain = network.action_first.weight
    plain[:, :6] = 0  # the pose itself
    plain[:, 6:11] = 0  # the action in the world's axes
    yaw = torch.tensor([0.0, 0.7, -2.0])
    pose = torch.zeros(3, 4)
    pose[:, 3] = yaw
    here = {"pose": pose, "force": torch.zeros(3, 1)}
    ahead = torch.stack([0.01 * yaw.cos(), 0.01 * yaw.sin()], dim=1)
    action = torch.cat([ahead, torch.zeros(3, 3)], dim=1)[:, None]
    scores = network.score(network.encode(here), action)[:, 0, 0]
    torch.testing.assert_close(scores, scores[:1].expand(3))
    across = action.clone()
    across[:, 0, :2] = across[:, 0, :2].flip(-1)
    assert network.score(network.encode(here), across)[:, 0, 0].std() > 1e-5


@torch.no_grad()
def test_one_network_looks_at_both_fingers() -> None:
    touch = predictor().networks()["touch"]
    observation = observe(2)
    features = touch.look(observation)
    swapped = {
        name.replace("left", "?").replace("right", "left").replace("?", "right"): value
        for name, value in observation.items()
    }
    half = touch.width
    torch.testing.assert_close(
        touch.look(swapped), torch.cat([features[:, half:], features[:, :half]], dim=1)
    )
    only_left = dataclasses.replace(TOUCH, streams=("tactile_left",))
    alone = predictor(branches={"touch": Branch(contract=only_left, backbone=RESNET)}).networks()["touch"]
    count = [sum(p.numel() for p in branch.parameters()) for branch in (touch, alone)]
    assert count[0] == count[1]


@torch.no_grad()
def test_a_modality_that_is_left_out_is_neither_needed_nor_looked_at() -> None:
    observation, candidates = observe(2), actions(2, 5)
    for name, own in (("camera", "rgb"), ("touch", "tactile")):
        network = predictor(branches={name: both()[name]})
        expected = network.score(network.encode(observation), candidates)
        needed = {key: value for key, value in observation.items() if key.startswith((own, "pose", "force"))}
        assert torch.equal(network.score(network.encode(needed), candidates), expected)
        with pytest.raises(ContractError, match=f"lacks {own}.*looks at"):
            network.encode({name: observation[name] for name in ("pose", "force")})


@torch.no_grad()
def test_without_action_every_action_gets_the_same_score_and_the_pose_still_counts() -> None:
    network, observation = predictor(action=False), observe(2)
    scores = network.score(network.encode(observation), actions(2, 9))
    assert scores.shape == (2, 9, 1)
    assert torch.equal(scores, scores[:, :1].expand(-1, 9, -1))
    elsewhere = observation | {"pose": observation["pose"] + 0.1}
    assert not torch.equal(network.score(network.encode(elsewhere), actions(2, 9)), scores)


@torch.no_grad()
def test_without_pose_where_the_hand_is_says_nothing_but_the_grippers_frame_still_turns() -> None:
    network, observation, candidates = predictor(vectors=()), observe(2), actions(2, 5)
    scores = network.score(network.encode(observation), candidates)
    assert network.inputs[-1:] == ("pose",)
    for column, name in enumerate(GRIPPER.vector("pose").names):
        pose = observation["pose"].clone()
        pose[:, column] += 0.5
        other = network.score(network.encode(observation | {"pose": pose}), candidates)
        assert torch.equal(other, scores) == (name != "yaw")


def test_the_gradient_of_a_score_reaches_the_action() -> None:
    network = predictor()
    state = network.encode(observe(1))
    (weight,), (bias,) = state.action_weight, state.action_bias
    state = State(state.fusion.detach().double(), (weight.detach().double(),), (bias.detach().double(),))
    network.double()
    action = actions(1, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a: network.score(state, a), (action,), eps=1e-6, atol=1e-4)


@torch.no_grad()
def test_calibration_moves_probabilities_and_keeps_their_order() -> None:
    network, observation, candidates = predictor(outcomes=("success", "gentle")), observe(1), actions(1, 50)
    state = network.encode(observation)
    logits = network.logits(state, candidates)
    network.set_calibration((3.0, 0.5), (0.2, -1.0))
    expected = torch.sigmoid(logits * torch.tensor([3.0, 0.5]) + torch.tensor([0.2, -1.0]))
    torch.testing.assert_close(network.score(state, candidates), expected)
    with pytest.raises(ContractError, match="above 0"):
        network.set_calibration((-1.0, 1.0), (0.0, 0.0))


@pytest.mark.parametrize("phase", ["lift", "after"])
@pytest.mark.parametrize("role", ["phase", "reference"])
def test_what_comes_after_the_action_is_refused_as_an_input(phase: str, role: str) -> None:
    with pytest.raises(ContractError, match=phase):
        predictor(
            branches={
                "touch": Branch(
                    contract=dataclasses.replace(TOUCH, **{"reference": None} | {role: phase}),
                    backbone=RESNET,
                )
            }
        )


@pytest.mark.parametrize("damage", ["missing", "width", "integers"])
def test_a_pose_that_is_none_is_refused(damage: str) -> None:
    observation = observe(2)
    pose = observation.pop("pose")
    if damage != "missing":
        observation["pose"] = pose[:, :3] if damage == "width" else pose.long()
    with pytest.raises(ContractError, match=r"pose .*x, y, z, yaw"):
        predictor().encode(observation)


@pytest.mark.parametrize("shape", [(2, 5), (1, 3, 5), (2, 3, 4)])
def test_actions_that_do_not_fit_the_state_are_refused(shape: tuple[int, ...]) -> None:
    network = predictor()
    with pytest.raises(ContractError, match=r"expected \[2, N, 5\]: dx, dy, dz, dyaw, force"):
        network.score(network.encode(observe(2)), torch.zeros(shape))


def test_images_and_poses_are_of_as_many_robots() -> None:
    with pytest.raises(ContractError, match=r"of \[2, 3\] robots"):
        predictor().encode(observe(3) | {"pose": observe(2)["pose"]})
    blind = predictor(branches={}, embodiment=dataclasses.replace(GRIPPER, vectors=()))
    with pytest.raises(ContractError, match="at least one of either"):
        blind.encode({})


def test_outcomes_have_distinct_names() -> None:
    with pytest.raises(ContractError, match="distinct names"):
        predictor(outcomes=("success", "success"))
    with pytest.raises(ContractError, match="distinct names"):
        predictor(embodiment=dataclasses.replace(GRIPPER, outcomes=()))


def vectors_of(network: Predictor, hand: Tensor, thing: Tensor) -> Tensor:
    """The features of the cylinder."""
    return network.vector_features({"pose": hand[:, :4], "force": hand[:, 4:], "cylinder": thing})[:, 6:]


def test_where_the_object_stands_is_seen_from_the_gripper() -> None:
    """Turned and moved together, hand and object are in the same state; moved alone, in another."""
    network = predictor(branches={}, vectors=LOCATING)
    hand = torch.tensor([[0.01, -0.02, 0.04, 0.3, 10.0]])
    thing = torch.tensor([[0.02, -0.01, 0.03, 0.1]])
    turn, shift = 0.5, torch.tensor([0.05, 0.03])
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    turned = [vector.clone() for vector in (hand, thing)]
    for vector in turned:
        vector[:, :2] = vector[:, :2] @ rotation.T + shift
    turned[0][:, 3] += turn
    here = vectors_of(network, hand, thing)
    assert torch.allclose(here, vectors_of(network, *turned), atol=1e-6)
    across = here[0, :2] * 0.02
    assert torch.linalg.vector_norm(across) == pytest.approx(math.hypot(0.01, 0.01), rel=1e-5)
    moved = hand + torch.tensor([[0.01, 0, 0, 0, 0]])
    assert not torch.allclose(here, vectors_of(network, moved, thing))


def test_a_place_without_a_pose_to_see_it_from_is_refused() -> None:
    nowhere = dataclasses.replace(GRIPPER, vectors=GRIPPER.vectors[1:])
    with pytest.raises(
        ContractError, match="cylinder locates something by x, y, radius, height, seen from a"
    ):
        predictor(embodiment=nowhere, vectors=("cylinder",))


def test_a_predictor_that_is_told_where_the_object_stands_needs_to_be_told() -> None:
    network = predictor(vectors=LOCATING)
    seen = observe(2)
    del seen["cylinder"]
    with pytest.raises(ContractError, match=r"lacks cylinder \[B, 4\]: x, y, radius, height"):
        network.encode(seen)
    near, far = (torch.tensor([[x, 0.0, 0.02, 0.1]]).expand(len(seen["pose"]), -1) for x in (0.0, 0.04))
    actions = REGRASP.sample(5, torch.Generator().manual_seed(0)).expand(len(near), -1, -1)
    first, second = (network.score(network.encode({**seen, "cylinder": c}), actions) for c in (near, far))
    assert not torch.allclose(first, second)
    assert network.inputs[-3:] == LOCATING


JOINTS = tuple(Dimension(f"joint_{i}", "rad", 0.0, 1.5) for i in range(3))
FINGERS = Embodiment(
    name="fingers",
    motion=(Dimension("dx", "m", -0.01, 0.01), Dimension("dyaw", "rad", -0.3, 0.3)),
    hand=JOINTS,
    vectors=(Vector("joints", JOINTS), Vector("current", (Dimension("mean", "A", -2.0, 1.0),))),
    outcomes=("stable", "gentle"),
)
"""A hand without a pose, whose frame is the world's."""


@torch.no_grad()
def test_any_other_hand_is_scored_as_concatenation_would() -> None:
    network = predictor(branches={}, embodiment=FINGERS)
    assert network.inputs == ("joints", "current")
    seen = {"joints": torch.rand(2, 3), "current": torch.randn(2, 1)}
    candidates = ActionSpace.of(FINGERS).sample(14, torch.Generator().manual_seed(0)).view(2, 7, 5)
    candidates[:, :2, :2] = 0  # the wrist stays, whatever the joints do
    found = network.logits(network.encode(seen), candidates)
    low, high = ActionSpace.of(FINGERS).bounds()
    for robot in range(2):
        angles = torch.stack([seen["joints"][robot].sin(), seen["joints"][robot].cos()], 1).flatten()
        state = torch.cat([angles, seen["current"][robot] / 2])
        for number, action in enumerate(candidates[robot]):
            scaled = 2 * (action - low) / (high - low) - 1
            hidden = torch.cat([state, scaled, torch.tensor([float(number < 2)])])
            hidden = torch.relu(network.action_second(torch.relu(network.action_first(hidden))))
            expected = network.fusion_last(torch.relu(network.fusion_first(hidden)))
            torch.testing.assert_close(found[robot, number], expected, atol=1e-5, rtol=0)
    assert found.shape == (2, 7, 2)


@torch.no_grad()
def test_a_hand_that_never_moves_needs_no_word_for_staying() -> None:
    network = predictor(branches={}, embodiment=dataclasses.replace(FINGERS, motion=()))
    assert network.action_first.in_features == 6 + 1 + 3
    seen = {"joints": torch.rand(2, 3), "current": torch.randn(2, 1)}
    assert network.score(network.encode(seen), torch.rand(2, 4, 3)).shape == (2, 4, 2)


@torch.no_grad()
def test_separate_networks_for_motion_and_hand_are_scored_as_concatenation_would() -> None:
    network = predictor(branches={}, embodiment=FINGERS, separate=True, width=256)
    seen = {"joints": torch.rand(2, 3), "current": torch.randn(2, 1)}
    candidates = ActionSpace.of(FINGERS).sample(14, torch.Generator().manual_seed(0)).view(2, 7, 5)
    candidates[:, :2, :2] = 0
    found = network.logits(network.encode(seen), candidates)
    low, high = ActionSpace.of(FINGERS).bounds()
    for robot in range(2):
        angles = torch.stack([seen["joints"][robot].sin(), seen["joints"][robot].cos()], 1).flatten()
        state = torch.cat([angles, seen["current"][robot] / 2])
        for number, action in enumerate(candidates[robot]):
            scaled = 2 * (action - low) / (high - low) - 1
            motion = torch.cat([state, scaled[:2], torch.tensor([float(number < 2)])])
            hand = torch.cat([state, scaled[2:]])
            motion = torch.relu(network.motion_second(torch.relu(network.motion_first(motion))))
            hand = torch.relu(network.hand_second(torch.relu(network.hand_first(hand))))
            fused = torch.relu(network.fusion_first(torch.cat([motion, hand])))
            torch.testing.assert_close(found[robot, number], network.fusion_last(fused), atol=1e-5, rtol=0)
    assert found.std() > 1e-3


@pytest.mark.parametrize("separate", [True, False])
def test_the_score_of_a_grid_is_that_of_each_of_its_actions(separate: bool) -> None:
    network = predictor(separate=separate, outcomes=("success", "gentle"), width=256)
    network.set_calibration((3.0, 0.5), (0.2, -1.0))
    state, candidates = network.encode(observe(3)), actions(3, 300)
    motions, hands = candidates[:, :7, :4].clone(), candidates[..., 4:]
    motions[:, 2] = 0  # staying
    found = network.score_grid(state, motions, hands)
    plain = network.score(state, every_pair(motions, hands)).detach()
    torch.testing.assert_close(found, plain.view(3, 7, 300, 2), atol=1e-5, rtol=0)
    assert found.std() > 1e-3


def test_a_robot_without_a_hand_has_no_separate_networks() -> None:
    with pytest.raises(ContractError, match="need both"):
        predictor(branches={}, embodiment=dataclasses.replace(FINGERS, motion=()), separate=True)


@pytest.mark.parametrize("separate", [True, False])
def test_units_are_dropped_in_training_alone_and_the_mean_stays(separate: bool) -> None:
    network = predictor(separate=separate, dropout=0.25, width=64)
    candidates = actions(1, 1).expand(-1, 4000, -1)
    state = network.encode(observe(1))
    plain = network.logits(state, candidates[:, :1]).detach()

    def dropped(seed: int) -> Tensor:
        return network.logits(state, candidates, torch.Generator().manual_seed(seed)).detach()

    assert torch.equal(dropped(0), dropped(0))
    assert not torch.equal(dropped(0), dropped(1))
    network.train()
    torch.testing.assert_close(network.logits(state, candidates[:, :1]), plain)
    noise = dropped(0).std()
    assert noise > 1e-3
    assert abs(dropped(0).mean() - plain.item()) < noise / 4  # the ReLU of a noisy sum is a little larger


def test_a_predictor_that_drops_every_unit_is_refused() -> None:
    with pytest.raises(ContractError, match="dropout is 1"):
        predictor(dropout=1.0)
