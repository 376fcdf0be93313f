"""The action-conditional predictor: how likely each outcome is if this action follows the present state.

The network is that of more_than_a_feeling (Figure 3): branches of images, an action network of two layers
that takes action, pose and the motion in the gripper's frame, and a fusion layer. Both layers that join state
and action are split, W[s; a] = Ws·s + Wa·a, so that everything about the state is computed once for any
number of candidate actions; the sum is the same.

One input is not the paper's: whether the action stays. A hand that stays keeps its hold, one that moves by a
millimetre opens first, and layers of ramps would have to learn that jump from examples on one side of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.encoders.branch import Branch, BranchNetwork
from visuotactile.errors import ContractError
from visuotactile.grasp.planning.actions import REGRASP, ActionSpace
from visuotactile.grasp.predictor.phases import check_inputs
from visuotactile.grasp.predictor.scoring import logits_in_pieces

POSE = ("x", "y", "z", "yaw", "force")
"""The hand in the state: metres, radians, and the newtons with which it holds now (0 to 25)."""

YAW = POSE.index("yaw")

PLACE = [0, 1, 3, 4]
"""Entries of `pose_features` that say where on the table the hand is, and which way it points."""

CYLINDER = ("x", "y", "radius", "height")
"""An upright cylinder about the object, fitted to a depth image, in the pose's frame: metres."""

MOTION = ("dx", "dy", "dz")
"""Names of an action's motion, along the axes in which the pose is given."""

REACH = 0.1
"""Metres by which positions are divided: the hand works within about that distance of the table's middle."""

NEAR = 0.02
"""Metres by which the object's distance from the hand is divided: as far as one regrasp reaches."""

STRONGEST = 25.0
"""Newtons by which the present force is divided."""

WIDTH = 1024

METHOD = "grasp outcome predictor"
"""What a checkpoint says that it holds."""


@dataclass(frozen=True)
class State:
    """What the predictor keeps of B observations, all that scoring actions needs.

    For one pose the first layer of the action network is affine in the action and in whether it stays, the
    gripper's frame and the scaling of the inputs included: `[actions, stays] @ action_weight + action_bias`.

    Attributes:
        fusion: [B, H], the state's part of the fusion layer, with its bias.
        action_weight: [B, A + 1, H], the first action layer for this pose, per unit of each action dimension
            and for staying.
        action_bias: [B, H], its part that does not depend on the action.
    """

    fusion: Tensor
    action_weight: Tensor
    action_bias: Tensor

    def __len__(self) -> int:
        """Number of observations."""
        return len(self.fusion)


class Predictor(nn.Module):
    """Probabilities of outcomes, given what is seen and felt, and a candidate action.

    Args:
        branches: name → what is looked at, or a network for it; a modality that is not named is left out.
        outcomes: names of what is predicted; more than one share everything but the last layer.
        action_space: names, units and bounds of an action, among them dx, dy, dz.
        action: False for the paper's "no action" row: every action then gets the same score.
        pose: False leaves out where the hand is and how hard it holds (the paper's Figure 5).
        cylinder: True tells where the object stands from the gripper and how large it is, as a depth camera
            sees it, in the place of where on the table the hand is and which way it points: by those a
            network tells its training grasps apart, and no object holds better on the left of a table. Not
            in the paper, whose camera network comes from ImageNet: from random weights, some thousand
            grasps do not teach a network to find the object in an image.
        width: of the two action layers and of the fusion layer.

    Attributes:
        slope, intercept: [O], the calibration: probability = sigmoid(slope · logit + intercept).
        meta: of one that was loaded, what it was trained and calibrated on.

    Raises:
        ContractError: there is nothing to predict, the action space has no motion, or a branch no name.
    """

    slope: Tensor
    intercept: Tensor
    _middle: Tensor
    _half: Tensor

    def __init__(
        self,
        branches: Mapping[str, Branch | BranchNetwork],
        outcomes: Sequence[str] = ("success",),
        action_space: ActionSpace = REGRASP,
        action: bool = True,
        pose: bool = True,
        cylinder: bool = False,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        if not outcomes or len(set(outcomes)) < len(outcomes):
            raise ContractError(
                f"outcomes are {tuple(outcomes)}; expected distinct names, such as ('success',)"
            )
        odd = [name for name in branches if not name.isidentifier()]
        if odd:
            raise ContractError(f"a branch is called {odd[0]!r}; expected a name such as 'camera'")
        missing = [name for name in MOTION if name not in action_space.names]
        if missing:
            raise ContractError(f"the action space {action_space.names} lacks {', '.join(missing)}")
        self.outcomes, self.action_space = tuple(outcomes), action_space
        self.meta: dict[str, Any] = {}
        self.action, self.pose, self.cylinder = action, pose, cylinder
        self.branches = nn.ModuleDict(
            {name: it.build(crop=True) if isinstance(it, Branch) else it for name, it in branches.items()}
        )
        for network in self.networks().values():
            check_inputs(network.contract)
        seen = sum(network.look_width for network in self.networks().values())
        dimensions = len(action_space.names)
        self.state_width = len(POSE) + 1 + cylinder * (len(CYLINDER) + 1)
        self.action_first = nn.Linear(self.state_width + dimensions + len(MOTION) + 1, width)
        self.action_second = nn.Linear(width, width)
        self.fusion_first = nn.Linear(seen + width, width)
        self.fusion_last = nn.Linear(width, len(self.outcomes))
        self.register_buffer("slope", torch.ones(len(self.outcomes)), persistent=False)
        self.register_buffer("intercept", torch.zeros(len(self.outcomes)), persistent=False)
        low, high = (
            torch.tensor(bound, dtype=torch.float32, device="cpu")
            for bound in (action_space.low, action_space.high)
        )
        self.register_buffer("_middle", (low + high) / 2, persistent=False)
        self.register_buffer("_half", (high - low) / 2, persistent=False)
        self._stride = max(self._half[action_space.names.index(name)].item() for name in MOTION)

    def networks(self) -> dict[str, BranchNetwork]:
        """The branches' networks by name."""
        return {
            name: network for name, network in self.branches.items() if isinstance(network, BranchNetwork)
        }

    @property
    def inputs(self) -> tuple[str, ...]:
        """What an observation must hold."""
        images = dict.fromkeys(key for network in self.networks().values() for key in network.keys)
        return (*images, "pose", *(("cylinder",) if self.cylinder else ()))

    def description(self) -> dict[str, Any]:
        """What it is, as plain JSON values: enough to build it again, weights and calibration apart."""
        space = self.action_space
        return {
            "branches": {name: network.description() for name, network in self.networks().items()},
            "outcomes": list(self.outcomes),
            "action_space": {key: list(value) for key, value in dataclasses.asdict(space).items()},
            "action": self.action,
            "pose": self.pose,
            "cylinder": self.cylinder,
            "width": self.action_second.out_features,
        }

    def set_calibration(self, slope: Sequence[float], intercept: Sequence[float]) -> None:
        """From now on: probability = sigmoid(slope · logit + intercept), for each outcome."""
        count = len(self.outcomes)
        finite = all(map(math.isfinite, [*slope, *intercept]))
        if (len(slope), len(intercept)) != (count, count) or not finite or min(slope) <= 0:
            raise ContractError(
                f"slope {tuple(slope)}, intercept {tuple(intercept)}; expected {count} finite numbers of "
                "each, each slope above 0"
            )
        self.slope.copy_(torch.tensor(slope))
        self.intercept.copy_(torch.tensor(intercept))

    def encode(
        self,
        observation: Mapping[str, Tensor],
        generator: torch.Generator | None = None,
        features: Mapping[str, Tensor] | None = None,
    ) -> State:
        """Everything about the state, once, however many actions are to be scored.

        Args:
            observation: images uint8 [B, H, W, 3] under STREAM/PHASE, `pose` float [B, 5] as in `POSE`, and
                `cylinder` float [B, 4] as in `CYLINDER` if it was asked for. What else is in it is not
                looked at.
            generator: of random crops, in training; None takes the middle.
            features: outputs [B, width] of branches that were computed before, by name.

        Raises:
            ContractError: an image, the pose or the cylinder is missing, or of another shape, type or number.
        """
        pose = _vector(observation, "pose", POSE)
        known = features or {}
        seen = [
            known[name] if name in known else network.look(observation, generator)
            for name, network in self.networks().items()
        ]
        first, fusion = self.action_first.weight, self.fusion_first.weight
        split = fusion.shape[1] - self.action_second.out_features
        if seen:
            counts = {len(features) for features in seen} | {len(pose)}
            if len(counts) > 1:
                raise ContractError(f"images and poses of {sorted(counts)} robots; expected as many of each")
            fused = F.linear(torch.cat(seen, dim=1), fusion[:, :split], self.fusion_first.bias)
        else:
            fused = self.fusion_first.bias.expand(len(pose), -1)
        of_state, of_action = first[:, : self.state_width], first[:, self.state_width :]
        bias = F.linear(self._where(observation, pose), of_state, self.action_first.bias)
        names = len(self.action_space.names)
        if not self.action:
            return State(fused, bias.new_zeros(len(pose), names + 1, bias.shape[1]), bias)
        plain, staying = of_action[:, :names].T / self._half[:, None], of_action[:, -1]
        # The gripper's frame turns with its yaw: this part of the layer is another one for each pose.
        turned = torch.einsum(
            "hm,bma->bah", of_action[:, names:-1], self._to_gripper(pose[:, YAW]) / self._stride
        )
        weight = torch.cat([plain + turned, staying.expand(len(pose), 1, -1)], dim=1)
        return State(fused, weight, bias - self._middle @ plain)

    def logits(self, state: State, actions: Tensor) -> Tensor:
        """What `score` turns into probabilities: [B, N, O] for actions [B, N, A] in their own units."""
        dimensions = len(self.action_space.names)
        if actions.ndim != 3 or len(actions) != len(state) or actions.shape[2] != dimensions:
            raise ContractError(
                f"actions are {list(actions.shape)}; expected [{len(state)}, N, {dimensions}]: "
                f"{', '.join(self.action_space.names)} for each of the {len(state)} observations"
            )
        count = actions.shape[1]
        if not self.action:
            actions = actions[:, :1]
        stays = self.action_space.stays(actions)
        actions = torch.cat([actions, stays[..., None].to(actions.dtype)], dim=2)
        split = self.fusion_first.in_features - self.action_second.out_features
        of_action = self.fusion_first.weight[:, split:]
        if torch.is_grad_enabled() or torch.is_autocast_enabled(actions.device.type):
            hidden = torch.baddbmm(state.action_bias[:, None], actions, state.action_weight).relu_()
            hidden = self.action_second(hidden).relu_()
            hidden = F.linear(hidden, of_action).add_(state.fusion[:, None]).relu_()
            logits: Tensor = self.fusion_last(hidden)
        else:
            logits = logits_in_pieces(
                actions,
                state.action_weight,
                state.action_bias,
                self.action_second,
                of_action,
                state.fusion,
                self.fusion_last,
            )
        return logits.expand(-1, count, -1)

    def score(self, state: State, actions: Tensor) -> Tensor:
        """Calibrated probabilities [B, N, O] of the outcomes of actions [B, N, A], in their own units."""
        return torch.sigmoid(self.slope * self.logits(state, actions) + self.intercept)

    def _where(self, observation: Mapping[str, Tensor], pose: Tensor) -> Tensor:
        """Pose and cylinder as the network takes them, [B, state_width]."""
        hand = pose_features(pose)
        known = hand.new_full(hand.shape[1:], float(self.pose))
        if self.cylinder:
            known[PLACE] = 0
        parts = [hand * known]
        if self.cylinder:
            parts.append(cylinder_features(_vector(observation, "cylinder", CYLINDER), pose))
        return torch.cat(parts, dim=1)

    def _to_gripper(self, yaw: Tensor) -> Tensor:
        """Rotations [B, 3, A] of an action's motion from the world's axes to the gripper's."""
        cos, sin = torch.cos(yaw), torch.sin(yaw)
        x, y, z = (self.action_space.names.index(name) for name in MOTION)
        rotation = torch.zeros(len(yaw), len(MOTION), len(self.action_space.names), device=yaw.device)
        rotation[:, 0, x], rotation[:, 0, y] = cos, sin
        rotation[:, 1, x], rotation[:, 1, y] = -sin, cos
        rotation[:, 2, z] = 1
        return rotation


def _vector(observation: Mapping[str, Tensor], name: str, entries: Sequence[str]) -> Tensor:
    if name not in observation:
        raise ContractError(f"the observation lacks {name} [B, {len(entries)}]: {', '.join(entries)}")
    vector = observation[name]
    if vector.ndim != 2 or vector.shape[1] != len(entries) or not vector.is_floating_point():
        raise ContractError(
            f"{name} is {vector.dtype} {list(vector.shape)}; "
            f"expected float [B, {len(entries)}]: {', '.join(entries)}"
        )
    return vector.float()


def pose_features(pose: Tensor) -> Tensor:
    """Pose [B, 5] as the network takes it [B, 6]: position / `REACH`, sin and cos of yaw, force / 25 N."""
    yaw = pose[:, 3:4]
    return torch.cat([pose[:, :3] / REACH, torch.sin(yaw), torch.cos(yaw), pose[:, 4:] / STRONGEST], dim=1)


def cylinder_features(cylinder: Tensor, pose: Tensor) -> Tensor:
    """Cylinder [B, 4] as the network takes it [B, 5]: its axis from the hand along the gripper's two axes,
    its top from the hand, all / `NEAR`, its radius and its height / `REACH`.
    """
    x, y = (cylinder[:, :2] - pose[:, :2]).unbind(1)
    cos, sin = torch.cos(pose[:, YAW]), torch.sin(pose[:, YAW])
    above = cylinder[:, 3] - pose[:, 2]
    near = torch.stack([cos * x + sin * y, cos * y - sin * x, above], dim=1) / NEAR
    return torch.cat([near, cylinder[:, 2:] / REACH], dim=1)
