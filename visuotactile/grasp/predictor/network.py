"""The action-conditional predictor: probability of each outcome after an action in the present state.

The network is that of more_than_a_feeling (Figure 3), for any embodiment: branches of images, an action
network of two layers that takes the action, the observed vectors and the motion in the frame of the wrist,
and a fusion layer. Both layers that join state and action are split, W[s; a] = Ws·s + Wa·a, so that the
state's part is computed once for any number of candidate actions; the sum is the same.

One input is not the paper's: an indicator of staying. A hand that stays keeps its hold, one that moves by a
millimetre opens first, and a ReLU network would have to learn that jump from examples on one side of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.datasets.embodiment import POSE, Embodiment, Vector
from visuotactile.encoders.branch import Branch, BranchNetwork
from visuotactile.errors import ContractError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.predictor.scoring import logits_in_pieces

REACH = 0.1
"""Metres by which lengths and places are divided, the order of a workspace's half-width."""

WIDTH = 1024

METHOD = "grasp outcome predictor"
"""Name of the method in a checkpoint."""


@dataclass(frozen=True)
class State:
    """Encoded state of B observations, for scoring actions.

    For a given pose the first layer of the action network is affine in the action and its indicator of
    staying, including the frame of the wrist and the scaling of inputs: `[actions, stays] @ action_weight +
    action_bias`.

    Attributes:
        fusion: [B, H], the state's part of the fusion layer, with its bias.
        action_weight: [B, A + 1, H], the first action layer for this pose, per unit of each action dimension
            and for staying; [B, A, H] without a motion.
        action_bias: [B, H], its part that does not depend on the action.
    """

    fusion: Tensor
    action_weight: Tensor
    action_bias: Tensor

    def __len__(self) -> int:
        """Number of observations."""
        return len(self.fusion)


class Predictor(nn.Module):
    """Predictor of outcome probabilities from an observation and a candidate action.

    Args:
        branches: name → input and network.
        embodiment: embodiment of the robot, with the dimensions of its action and its vectors.
        outcomes: names of the predicted outcomes, the main one first, which share all but the last layer. By
            default all of the embodiment's.
        vectors: names of the observed vectors that are inputs; by default those that are not `located`. A
            located one enters in the frame of the wrist, and replaces the wrist's place and heading on the
            table, by which a network recognises training grasps although they do not affect success. It is
            not in the paper, whose camera network starts from ImageNet's weights: from random weights, some
            thousand grasps do not suffice to learn to locate the object in an image.
        action: False for the paper's "no action" row: every action then gets the same score.
        width: width of the two action layers and of the fusion layer.

    Attributes:
        slope, intercept: [O], calibration: probability = sigmoid(slope · logit + intercept).
        meta: description of the training and calibration data, if loaded.

    Raises:
        ContractError: there are no outcomes, an outcome or a vector is not the embodiment's, a branch has no
            name or an input after the action, or an object is located but the wrist is not.
    """

    slope: Tensor
    intercept: Tensor
    _middle: Tensor
    _half: Tensor

    def __init__(
        self,
        branches: Mapping[str, Branch | BranchNetwork],
        embodiment: Embodiment,
        outcomes: Sequence[str] = (),
        vectors: Sequence[str] | None = None,
        action: bool = True,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.embodiment, self.outcomes = embodiment, tuple(outcomes or embodiment.outcomes)
        if not self.outcomes or len(set(self.outcomes)) < len(self.outcomes):
            raise ContractError(
                f"outcomes are {self.outcomes}; expected distinct names, such as ('success',)"
            )
        odd = [name for name in branches if not name.isidentifier()]
        if odd:
            raise ContractError(f"a branch is called {odd[0]!r}; expected a name such as 'camera'")
        if vectors is None:
            vectors = [vector.name for vector in embodiment.vectors if not vector.located]
        self.vectors = tuple(embodiment.vector(name) for name in vectors)
        self.action_space = ActionSpace.of(embodiment)
        self.meta: dict[str, Any] = {}
        self.action = action
        self.branches = nn.ModuleDict(
            {name: it.build(crop=True) if isinstance(it, Branch) else it for name, it in branches.items()}
        )
        for name in self.images:
            check_input(name, embodiment)
        seen = sum(network.look_width for network in self.networks().values())
        self._locates = any(vector.located for vector in self.vectors)
        self._pose = self._pose_entries()
        # Motions rotated to the wrist's frame; without a yaw, it is the world's.
        names = [each.name for each in embodiment.motion]
        turned = "yaw" in self._pose and {"dx", "dy"} <= set(names)
        self._turned = tuple(name for name in ("dx", "dy", "dz") if turned and name in names)
        self.state_width = sum(map(_width, self.vectors))
        self.action_first = nn.Linear(
            self.state_width + len(self.action_space) + len(self._turned) + bool(names), width
        )
        self.action_second = nn.Linear(width, width)
        self.fusion_first = nn.Linear(seen + width, width)
        self.fusion_last = nn.Linear(width, len(self.outcomes))
        self.register_buffer("slope", torch.ones(len(self.outcomes)), persistent=False)
        self.register_buffer("intercept", torch.zeros(len(self.outcomes)), persistent=False)
        low, high = (
            torch.tensor(bound, dtype=torch.float32, device="cpu")
            for bound in (self.action_space.low, self.action_space.high)
        )
        self.register_buffer("_middle", (low + high) / 2, persistent=False)
        self.register_buffer("_half", (high - low) / 2, persistent=False)
        half = ((high - low) / 2).tolist()
        shifts = [half[place] for place, name in enumerate(names) if name in ("dx", "dy", "dz")]
        self._stride = max(shifts, default=REACH)

    def networks(self) -> dict[str, BranchNetwork]:
        """The branches' networks by name."""
        return {
            name: network for name, network in self.branches.items() if isinstance(network, BranchNetwork)
        }

    @property
    def images(self) -> tuple[str, ...]:
        """STREAM/PHASE of every image input of a branch."""
        return tuple(dict.fromkeys(key for network in self.networks().values() for key in network.keys))

    @property
    def observed(self) -> tuple[Vector, ...]:
        """Required vectors of an observation: the inputs, and the pose for its frame."""
        pose = (self.embodiment.vector(POSE),) if self._turned or self._locates else ()
        return tuple(dict.fromkeys((*pose, *self.vectors)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the required observations."""
        return (*self.images, *(vector.name for vector in self.observed))

    def description(self) -> dict[str, Any]:
        """Architecture as plain JSON values, enough to rebuild it without weights and calibration."""
        return {
            "branches": {name: network.description() for name, network in self.networks().items()},
            "embodiment": self.embodiment.to_dict(),
            "outcomes": list(self.outcomes),
            "vectors": [vector.name for vector in self.vectors],
            "action": self.action,
            "width": self.action_second.out_features,
        }

    def set_calibration(self, slope: Sequence[float], intercept: Sequence[float]) -> None:
        """Set the calibration, probability = sigmoid(slope · logit + intercept), of each outcome."""
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
        """Encode the state, once for any number of actions.

        Args:
            observation: images uint8 [B, H, W, 3] under STREAM/PHASE, and vectors float [B, entries] by name;
                further entries are ignored.
            generator: generator of random crops, in training; None crops the centre.
            features: precomputed outputs [B, width] of branches, by name.

        Raises:
            ContractError: an image or a vector is missing, or of another shape, type or number.
        """
        vectors = {vector.name: _values(observation, vector) for vector in self.observed}
        known = features or {}
        seen = [
            known[name] if name in known else network.look(observation, generator)
            for name, network in self.networks().items()
        ]
        counts = {len(each) for each in (*seen, *vectors.values())}
        if len(counts) != 1:
            raise ContractError(
                f"images and vectors of {sorted(counts)} robots; expected as many of each, and at least one "
                "of either"
            )
        robots = counts.pop()
        first, fusion = self.action_first.weight, self.fusion_first.weight
        split = fusion.shape[1] - self.action_second.out_features
        if seen:
            fused = F.linear(torch.cat(seen, dim=1), fusion[:, :split], self.fusion_first.bias)
        else:
            fused = self.fusion_first.bias.expand(robots, -1)
        of_state, of_action = first[:, : self.state_width], first[:, self.state_width :]
        where = self._features(vectors, fused.new_empty(robots, 0))
        bias = F.linear(where, of_state, self.action_first.bias)
        dimensions = len(self.action_space)
        if not self.action:
            rows = dimensions + bool(self.embodiment.motion)
            return State(fused, bias.new_zeros(robots, rows, bias.shape[1]), bias)
        plain = of_action[:, :dimensions].T / self._half[:, None]
        weight = plain.expand(robots, -1, -1)
        if self._turned:
            # The wrist's frame rotates with its yaw, so this part of the layer depends on the pose.
            turn = self._to_wrist(vectors[POSE][:, self._pose["yaw"]]) / self._stride
            of_turned = of_action[:, dimensions : dimensions + len(self._turned)]
            weight = weight + torch.einsum("hm,bma->bah", of_turned, turn)
        if self.embodiment.motion:
            weight = torch.cat([weight, of_action[:, -1].expand(robots, 1, -1)], dim=1)
        return State(fused, weight, bias - self._middle @ plain)

    def logits(self, state: State, actions: Tensor) -> Tensor:
        """Logits [B, N, O], before the calibration of `score`, of actions [B, N, A] in their own units."""
        dimensions = len(self.action_space)
        if actions.ndim != 3 or len(actions) != len(state) or actions.shape[2] != dimensions:
            raise ContractError(
                f"actions are {list(actions.shape)}; expected [{len(state)}, N, {dimensions}]: "
                f"{', '.join(self.action_space.names)} for each of the {len(state)} observations"
            )
        count = actions.shape[1]
        if not self.action:
            actions = actions[:, :1]
        if self.embodiment.motion:
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

    def vector_features(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Input features of the vectors, [B, state_width]."""
        vectors = {vector.name: _values(observation, vector) for vector in self.observed}
        return self._features(vectors, next(iter(vectors.values()))[:, :0])

    def _features(self, vectors: Mapping[str, Tensor], none: Tensor) -> Tensor:
        parts = [none]
        for vector in self.vectors:
            values = vectors[vector.name]
            if vector.located:
                parts.append(self._located(vector, values, vectors[POSE]))
                continue
            # The wrist's place on the table is omitted where the object's is known.
            hidden = ("x", "y", "yaw") if vector.name == POSE and self._locates else ()
            for place, entry in enumerate(vector.entries):
                scaled = _scaled(values[:, place], entry.unit, max(abs(entry.low), abs(entry.high)))
                parts.append(scaled * float(entry.name not in hidden))
        return torch.cat(parts, dim=1)

    def _located(self, vector: Vector, values: Tensor, pose: Tensor) -> Tensor:
        """Features of a located vector: its place in the wrist's frame, in units of the largest motion, then
        its sizes."""
        entries = {entry.name: values[:, place] for place, entry in enumerate(vector.entries)}
        here = {name: pose[:, place] for name, place in self._pose.items()}
        x, y = entries["x"] - here["x"], entries["y"] - here["y"]
        if "yaw" in here:
            cos, sin = torch.cos(here["yaw"]), torch.sin(here["yaw"])
            x, y = cos * x + sin * y, cos * y - sin * x
        above = [entries[name] - here["z"] for name in ("z", "height") if name in entries][:1]
        near = torch.stack([x, y, *above], dim=1) / self._stride
        sizes = [
            _scaled(entries[entry.name], entry.unit, max(abs(entry.low), abs(entry.high)))
            for entry in vector.entries
            if entry.name not in PLACE
        ]
        return torch.cat([near, *sizes], dim=1)

    def _pose_entries(self) -> dict[str, int]:
        """Entry of the pose → its index in the vector; empty without a pose.

        Raises:
            ContractError: a vector is located, but the pose lacks its frame.
        """
        poses = [vector for vector in self.embodiment.vectors if vector.name == POSE]
        found = {name: place for place, name in enumerate(poses[0].names)} if poses else {}
        for vector in self.vectors:
            needed = {"x", "y"} | ({"z"} if {"z", "height"} & set(vector.names) else set())
            if vector.located and not (needed <= set(found) and {"x", "y"} <= set(vector.names)):
                raise ContractError(
                    f"{vector.name} locates something by {', '.join(vector.names)}, seen from a pose of "
                    f"{', '.join(found) or 'nothing'}; expected x and y in both, and z in the pose for a z "
                    "or height"
                )
        return found

    def _to_wrist(self, yaw: Tensor) -> Tensor:
        """Rotations [B, M, A] of an action's motion from the world's axes to the wrist's."""
        cos, sin = torch.cos(yaw), torch.sin(yaw)
        rotation = torch.zeros(len(yaw), len(self._turned), len(self.action_space), device=yaw.device)
        x, y = self.action_space.index("dx"), self.action_space.index("dy")
        rotation[:, 0, x], rotation[:, 0, y] = cos, sin
        rotation[:, 1, x], rotation[:, 1, y] = -sin, cos
        if "dz" in self._turned:
            rotation[:, 2, self.action_space.index("dz")] = 1
        return rotation


PLACE = ("x", "y", "z")
"""Entries of a located vector that are only a place; a height is also a size."""


def check_input(name: str, embodiment: Embodiment) -> None:
    """Raise `ContractError` unless the phase of STREAM/PHASE is observed before an action."""
    phase = name.rpartition("/")[2]
    if embodiment.phases.get(phase) != "observation":
        known = [each for each, access in embodiment.phases.items() if access == "observation"]
        raise ContractError(
            f"phase {phase!r} comes after the action whose outcome is predicted, or is unknown to "
            f"{embodiment.name}; a predictor may look at {' and '.join(known)}"
        )


def _values(observation: Mapping[str, Tensor], vector: Vector) -> Tensor:
    name, entries = vector.name, vector.names
    if name not in observation:
        raise ContractError(f"the observation lacks {name} [B, {len(entries)}]: {', '.join(entries)}")
    values = observation[name]
    if values.ndim != 2 or values.shape[1] != len(entries) or not values.is_floating_point():
        raise ContractError(
            f"{name} is {values.dtype} {list(values.shape)}; "
            f"expected float [B, {len(entries)}]: {', '.join(entries)}"
        )
    return values.float()


def _scaled(values: Tensor, unit: str, largest: float) -> Tensor:
    """Input features of one entry [B]: sin and cos of an angle [B, 2], lengths / `REACH` and anything else /
    its largest value [B, 1]."""
    if unit == "rad":
        return torch.stack([torch.sin(values), torch.cos(values)], dim=1)
    return values[:, None] / (REACH if unit == "m" else largest)


def _width(vector: Vector) -> int:
    """Number of features of a vector."""
    entries = [entry for entry in vector.entries if not vector.located or entry.name not in PLACE]
    place = 2 + bool({"z", "height"} & set(vector.names)) if vector.located else 0
    return place + sum(2 if entry.unit == "rad" else 1 for entry in entries)
