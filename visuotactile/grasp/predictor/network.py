"""The action-conditional predictor: probability of each outcome after an action in the present state.

The network is that of more_than_a_feeling (Figure 3), for any embodiment: branches of images, an action
network of two layers that takes the action, the observed vectors and the motion in the frame of the wrist,
and a fusion layer. Both layers that join state and action are split, W[s; a] = Ws·s + Wa·a, so that the
state's part is computed once for any number of candidate actions; the sum is the same.

Or it is that of gentle_grasping (Figure 3), with an action network for the motion of the wrist and another
for the hand, and dropout. The fusion is then split in three, Ws·s + Wm·m + Wh·h, and every motion combined
with every hand costs little more than each of them alone; see `Predictor.score_grid`.

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
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import ContractError
from visuotactile.grasp.planning.actions import ActionSpace, every_pair
from visuotactile.grasp.predictor.scoring import ActionLayers, grid_in_pieces, logits_in_pieces

REACH = 0.1
"""Metres by which lengths and places are divided, the order of a workspace's half-width."""

WIDTH = 1024

METHOD = "grasp outcome predictor"
"""Name of the method in a checkpoint."""


@dataclass(frozen=True)
class Group:
    """Part of an action that has an action network of its own.

    Attributes:
        name: "action", the whole of it; or "motion" and "hand".
        columns: its dimensions, in the order of the action space.
        moves: it has the motion of the wrist, and so its turned copy and the indicator of staying.
    """

    name: str
    columns: slice
    moves: bool


@dataclass(frozen=True)
class State:
    """Encoded state of B observations, for scoring actions.

    For a given pose the first layer of an action network is affine in its part of the action and the
    indicator of staying, including the frame of the wrist and the scaling of inputs: `[actions, stays] @
    action_weight + action_bias`.

    Attributes:
        fusion: [B, H], the state's part of the fusion layer, with its bias.
        action_weight: for each action network [B, A + 1, H], its first layer for this pose, per unit of each
            dimension and for staying; [B, A, H] where it does not move the wrist.
        action_bias: for each action network [B, H], the part that does not depend on the action.
    """

    fusion: Tensor
    action_weight: tuple[Tensor, ...]
    action_bias: tuple[Tensor, ...]

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
        separate: an action network each for the motion and for the hand, as in gentle_grasping, instead of
            one for both.
        dropout: share of the hidden units of action networks and fusion layer that are dropped in training.

    Attributes:
        slope, intercept: [O], calibration: probability = sigmoid(slope · logit + intercept).
        meta: description of the training and calibration data, if loaded.

    Raises:
        ContractError: there are no outcomes, an outcome or a vector is not the embodiment's, a branch has no
            name or an input after the action, an object is located but the wrist is not, or motion and hand
            are to be separate where there is only one of them.
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
        separate: bool = False,
        dropout: float = 0.0,
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
        self.action, self.separate, self.dropout = action, separate, dropout
        if not 0 <= dropout < 1:
            raise ContractError(f"dropout is {dropout}; expected a share of the units, 0 to below 1")
        self.groups = self._action_groups()
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
        for group in self.groups:
            dimensions = len(self.action_space.names[group.columns])
            extra = len(self._turned) + bool(names) if group.moves else 0
            setattr(self, f"{group.name}_first", nn.Linear(self.state_width + dimensions + extra, width))
            setattr(self, f"{group.name}_second", nn.Linear(width, width))
        self.fusion_first = nn.Linear(seen + width * len(self.groups), width)
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

    def rename_streams(self, names: StreamNames) -> None:
        """Take observations of a robot or a store whose streams have other names, from now on.

        Raises:
            ContractError: no branch looks at a mapped stream, or two streams of a branch become one, whose
                features it takes side by side.
        """
        for network in self.networks().values():
            streams = network.contract.streams
            if len(names.of(streams)) < len(streams):
                raise ContractError(
                    f"a predictor that looks at {' and '.join(streams)} side by side needs as many streams; "
                    f"found {', '.join(names.of(streams))}"
                )
        names.networks(self.networks().values())
        self.embodiment = names.embodiment(self.embodiment)

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
            "width": self.fusion_first.out_features,
            "separate": self.separate,
            "dropout": self.dropout,
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
        fusion = self.fusion_first.weight[:, : -self.fusion_first.out_features * len(self.groups)]
        if seen:
            fused = F.linear(torch.cat(seen, dim=1), fusion, self.fusion_first.bias)
        else:
            fused = self.fusion_first.bias.expand(robots, -1)
        where = self._features(vectors, fused.new_empty(robots, 0))
        layers = [self._first_layer(group, where, vectors) for group in self.groups]
        return State(fused, tuple(weight for weight, _ in layers), tuple(bias for _, bias in layers))

    def _first_layer(
        self, group: Group, where: Tensor, vectors: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """First action layer in the present state: [B, A + 1, H] and [B, H], as in `State`."""
        first = self._layer(f"{group.name}_first")
        robots, dimensions = len(where), len(self.action_space.names[group.columns])
        of_state, of_action = first.weight[:, : self.state_width], first.weight[:, self.state_width :]
        bias = F.linear(where, of_state, first.bias)
        stays = group.moves and bool(self.embodiment.motion)
        if not self.action:
            return bias.new_zeros(robots, dimensions + stays, bias.shape[1]), bias
        plain = of_action[:, :dimensions].T / self._half[group.columns, None]
        weight = plain.expand(robots, -1, -1)
        if self._turned and group.moves:
            # The wrist's frame rotates with its yaw, so this part of the layer depends on the pose.
            turn = self._to_wrist(vectors[POSE][:, self._pose["yaw"]], dimensions) / self._stride
            of_turned = of_action[:, dimensions : dimensions + len(self._turned)]
            weight = weight + torch.einsum("hm,bma->bah", of_turned, turn)
        if stays:
            weight = torch.cat([weight, of_action[:, -1].expand(robots, 1, -1)], dim=1)
        return weight, bias - self._middle[group.columns] @ plain

    def logits(self, state: State, actions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits [B, N, O], before the calibration of `score`, of actions [B, N, A] in their own units.

        Args:
            state: encoded state of the B observations.
            actions: candidates of each.
            generator: CPU generator of the dropout, in training; None drops nothing.

        Raises:
            ContractError: the actions have another shape.
        """
        dimensions = len(self.action_space)
        if actions.ndim != 3 or len(actions) != len(state) or actions.shape[2] != dimensions:
            raise ContractError(
                f"actions are {list(actions.shape)}; expected [{len(state)}, N, {dimensions}]: "
                f"{', '.join(self.action_space.names)} for each of the {len(state)} observations"
            )
        count = actions.shape[1]
        if not self.action:
            actions = actions[:, :1]
        inputs = [self._inputs(group, actions[..., group.columns]) for group in self.groups]
        if generator is None and not (
            torch.is_grad_enabled() or torch.is_autocast_enabled(actions.device.type)
        ):
            logits = logits_in_pieces(inputs, self._action_layers(state), state.fusion, self.fusion_last)
            return logits.expand(-1, count, -1)
        fused = state.fusion[:, None]
        for some, layers in zip(inputs, self._action_layers(state), strict=True):
            hidden = torch.baddbmm(layers.bias[:, None], some, layers.weight).relu_()
            hidden = self._dropped(hidden, generator)
            hidden = self._dropped(layers.second(hidden).relu_(), generator)
            fused = F.linear(hidden, layers.fusion).add_(fused)
        logits = self.fusion_last(self._dropped(fused.relu_(), generator))
        return logits.expand(-1, count, -1)

    def _action_layers(self, state: State) -> list[ActionLayers]:
        """Layers of each action network in the present state."""
        width = self.fusion_first.out_features
        columns = self.fusion_first.weight[:, -width * len(self.groups) :].split(width, dim=1)
        return [
            ActionLayers(weight, bias, self._layer(f"{group.name}_second"), fusion)
            for group, weight, bias, fusion in zip(
                self.groups, state.action_weight, state.action_bias, columns, strict=True
            )
        ]

    def _inputs(self, group: Group, part: Tensor) -> Tensor:
        """A group's part of actions [B, N, A_g], with the indicator of staying behind it."""
        motions = len(self.embodiment.motion)
        if not (group.moves and motions):
            return part
        stays = (part[..., :motions] == 0).all(-1, keepdim=True)
        return torch.cat([part, stays.to(part.dtype)], dim=2)

    def _dropped(self, hidden: Tensor, generator: torch.Generator | None) -> Tensor:
        """Inverted dropout, whose mask is drawn on the CPU, so that a resumed run draws the same."""
        if generator is None or not self.dropout:
            return hidden
        kept = torch.rand(hidden.shape, generator=generator) >= self.dropout
        return hidden * (kept.to(hidden.device, hidden.dtype) / (1 - self.dropout))

    def _layer(self, name: str) -> nn.Linear:
        found = getattr(self, name)
        assert isinstance(found, nn.Linear)
        return found

    def score(self, state: State, actions: Tensor) -> Tensor:
        """Calibrated probabilities [B, N, O] of the outcomes of actions [B, N, A], in their own units."""
        return torch.sigmoid(self.slope * self.logits(state, actions) + self.intercept)

    @torch.no_grad()
    def score_grid(self, state: State, motions: Tensor, hands: Tensor) -> Tensor:
        """Calibrated probabilities [B, M, N, O] of every motion with every hand, without a gradient.

        With separate action networks only their sum, the ReLU and the last layer are left for each pair, so
        that 316 × 316 candidates cost little more than 632.

        Args:
            state: encoded state of the B observations.
            motions: [B, M, motions of the wrist], in their own units.
            hands: [B, N, dimensions of the hand].
        """
        if not (self.separate and self.action):
            actions = every_pair(motions, hands)
            return self.score(state, actions).unflatten(1, (motions.shape[1], hands.shape[1]))
        inputs = [
            self._inputs(group, part) for group, part in zip(self.groups, (motions, hands), strict=True)
        ]
        logits = grid_in_pieces(inputs, self._action_layers(state), state.fusion, self.fusion_last)
        return torch.sigmoid(self.slope * logits + self.intercept)

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

    def _action_groups(self) -> tuple[Group, ...]:
        motions = len(self.action_space.motion)
        if not self.separate:
            return (Group("action", slice(None), moves=True),)
        if not motions or not self.action_space.hand:
            raise ContractError(
                f"{self.embodiment.name} has {motions} motions and {len(self.action_space.hand)} dimensions "
                "of a hand; separate action networks need both"
            )
        return Group("motion", slice(motions), moves=True), Group("hand", slice(motions, None), moves=False)

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

    def _to_wrist(self, yaw: Tensor, dimensions: int) -> Tensor:
        """Rotations [B, M, dimensions] of the motion, the first of them, from the world's axes to the
        wrist's."""
        cos, sin = torch.cos(yaw), torch.sin(yaw)
        rotation = torch.zeros(len(yaw), len(self._turned), dimensions, device=yaw.device)
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
