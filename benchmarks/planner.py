"""One decision over 5,000 candidate actions: ours, plain concatenation, the whole network, and bare products.

    python benchmarks/planner.py                          as many threads as there are cores

The predictor is more_than_a_feeling's with ResNet-18 branches at 224×224 (camera, and both tactile
differences through tied weights) and layers of 1,024; the search is the paper's, 4,900 samples and 100 that
sweep the force. Its weights are random, which does not affect the times.

*Decision* is the whole of it, from recorded images to an action. *Ours*, *concatenation* and *CEM* are the
rest after encoding the images, which all three do once: drawing, scoring and ranking candidates.
Concatenation has the same weights and gives the same numbers (this is checked), but concatenates state and
action features for every candidate, as the network is drawn. *Bare* is the matrix products that no method can
omit, 5,000×1,024 by 1,024×1,024 for the action network's second layer and for the action's part of the fusion
layer, and 5,000×1,024 by 1,024×1 for the output, into allocated memory; no bias, no ReLU, no first layer.
*Whole* passes the prepared images through the branches for every candidate: `--whole` candidates in one batch
are timed, and scaled to 5,000. It is compared with the decision.

*Gentle* is a decision of gentle_grasping after encoding: 100,000 candidates of a hand of fingers, with
separate action networks of 1,024 for motion and hand. The factored search scores them as grids of motions ×
hands; *one by one*, the paper's 95,000 + 5,000 candidates each pass both networks. Over `--networks` random
networks, the best stability that either finds is compared, in standard deviations of the logit over random
actions, with a 95 % interval by Student's t.

The arms alternate in each round; times are medians over rounds, ratios medians of each round's ratio. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.objectives import MostLikely
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.search import (
    CrossEntropy,
    FactoredSearch,
    Problem,
    RandomSearch,
    Search,
)
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.sim.hands import fingers
from visuotactile.sim.hands.parallel import declaration

CAMERA = InputContract(streams=("rgb",), reference=None)
TOUCH = InputContract(streams=("tactile_left", "tactile_right"))
GRIPPER = declaration(224)
REGRASP = ActionSpace.of(GRIPPER)
SEARCH = RandomSearch()
CANDIDATES = SEARCH.samples + SEARCH.sweep
CEM = CrossEntropy(samples=64, elites=6, iterations=3)
FINGERS = fingers.declaration(224)
GRASP = ActionSpace.of(FINGERS)
FACTORED = FactoredSearch()
ONE_BY_ONE = RandomSearch(samples=95_000, sweep=5_000)
SPREAD_OF = 2000  # random actions over which the logit's standard deviation is taken
Score = Callable[[Tensor], Tensor]


def main() -> None:
    """Run the benchmark, print a table, and one JSON object last."""
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    predictor = Predictor(
        {
            "camera": Branch(contract=CAMERA, backbone=options.backbone),
            "touch": Branch(contract=TOUCH, backbone=options.backbone),
        },
        GRIPPER,
        width=options.width,
    ).eval()
    observation = _observation()
    with torch.no_grad():
        arms = _arms(predictor, observation, options.whole)
        times: dict[str, list[float]] = {name: [] for name in arms}
        for number in range(options.rounds + 1):
            for name, arm in arms.items():
                began = time.perf_counter()
                arm()
                if number:  # the first round warms up
                    times[name].append(1000 * (time.perf_counter() - began))
        times["whole"] = [value * CANDIDATES / options.whole for value in times["whole"]]
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"{name:14s} {value:12.1f} ms   ({min(times[name]):.1f} to {max(times[name]):.1f})")

    def ratio(one: str, other: str) -> float:
        # Per round, so that drifts of the machine's speed cancel.
        return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))

    result = {
        "decision_ms": round(median["decision"], 1),
        "speedup_vs_whole_network": round(ratio("whole", "decision")),
        "speedup_vs_concatenation": round(ratio("concatenation", "ours"), 2),
        "ratio_to_bare_matmul": round(ratio("ours", "bare"), 2),
        "cem_ms": round(median["cem"], 1),
        "encode_ms": round(median["encode"], 1),
        "search_ms": round(median["ours"], 1),
        "whole_network_timed_candidates": options.whole,
        "candidates": CANDIDATES,
        "backbone": options.backbone,
        "width": options.width,
        "threads": torch.get_num_threads(),
        "rounds": options.rounds,
        **_gentle(options),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--networks", type=int, default=12, help="random networks of the gentle planner")
    parser.add_argument("--whole", type=int, default=16, help="candidates that the whole network is timed on")
    return parser.parse_args()


def _observation() -> dict[str, Tensor]:
    """An observation of noise images and a pose."""
    images = {
        f"{stream}/{phase}": torch.randint(0, 256, (1, *shape, 3), dtype=torch.uint8)
        for stream, shape in (
            ("rgb", (224, 224)),
            ("tactile_left", (120, 160)),
            ("tactile_right", (120, 160)),
        )
        for phase in ("before", "during")
    }
    return images | {"pose": torch.tensor([[0.02, -0.01, 0.04, 0.6]]), "force": torch.tensor([[12.0]])}


def _arms(
    predictor: Predictor, observation: dict[str, Tensor], whole: int
) -> dict[str, Callable[[], object]]:
    planner = Planner(predictor, SEARCH)
    state = predictor.encode(observation)
    pictures = _pictures(predictor, observation)

    def ours(actions: Tensor) -> Tensor:
        return predictor.score(state, actions)

    once = {name: _features(predictor, name, picture) for name, picture in pictures.items()}
    concatenated = _concatenation(predictor, torch.cat(list(once.values()), 1), observation)
    some = REGRASP.sample(whole, torch.Generator().manual_seed(1))[None]

    def every() -> Tensor:
        each = [
            _features(predictor, name, picture.repeat_interleave(whole, 0))
            for name, picture in pictures.items()
        ]
        return _concatenation(predictor, torch.cat(each, 1), observation)(some)

    for other in (concatenated(some), every()):
        torch.testing.assert_close(other, ours(some), atol=1e-5, rtol=0)
    return {
        "decision": lambda: planner.decide(observation, torch.Generator().manual_seed(0)),
        "encode": lambda: predictor.encode(observation),
        "ours": _search(SEARCH, ours),
        "concatenation": _search(SEARCH, concatenated),
        "bare": _bare(predictor),
        "cem": _search(CEM, ours),
        "whole": every,
    }


def _search(search: Search, score: Score) -> Callable[[], object]:
    problem = Problem(score, REGRASP, ("success",), MostLikely("success"), robots=1)

    def run() -> Tensor:
        return search(problem, torch.Generator().manual_seed(0)).top(1)

    return run


def _pictures(predictor: Predictor, observation: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inputs of each branch's network, [streams, 3, S, S]."""
    pictures: dict[str, Tensor] = {}
    for name, branch in predictor.networks().items():
        hook = branch.backbone.register_forward_pre_hook(
            lambda _, inputs, name=name: pictures.__setitem__(name, inputs[0])
        )
        branch.look(observation)
        hook.remove()
    return pictures


def _features(predictor: Predictor, name: str, pictures: Tensor) -> Tensor:
    """Features [N, streams × D] of pictures [streams × N, 3, S, S]."""
    branch = predictor.networks()[name]
    streams = len(branch.contract.streams)
    return torch.cat(branch(pictures).chunk(streams), 1)


def _concatenation(predictor: Predictor, features: Tensor, observation: dict[str, Tensor]) -> Score:
    """The network as drawn: `features` [1 or N, F] concatenated with the action features."""
    low, high = REGRASP.bounds()
    middle, half = (low + high) / 2, (high - low) / 2
    motion = [REGRASP.index(name) for name in ("dx", "dy", "dz")]
    yaw = observation["pose"][0, 3]
    cos, sin, zero, one = torch.cos(yaw), torch.sin(yaw), torch.zeros(()), torch.ones(())
    turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one]).view(3, 3) / half[motion].max()

    def score(actions: Tensor) -> Tensor:
        flat = actions.flatten(0, 1)
        here = predictor.vector_features(observation).expand(len(flat), -1)
        stays = REGRASP.stays(flat)[:, None].float()
        inputs = torch.cat([here, (flat - middle) / half, flat[:, motion] @ turn, stays], 1)
        hidden = F.relu(predictor.action_second(F.relu(predictor.action_first(inputs))))
        fused = torch.cat([features.expand(len(flat), -1), hidden], 1)
        logits = predictor.fusion_last(F.relu(predictor.fusion_first(fused)))
        return torch.sigmoid(predictor.slope * logits + predictor.intercept).view(*actions.shape[:2], -1)

    return score


@torch.no_grad()
def _gentle(options: argparse.Namespace) -> dict[str, float | int | list[float]]:
    """Time and quality of the factored search, beside as many candidates one by one."""
    times: dict[str, list[float]] = {"gentle": [], "one by one": []}
    gains = []
    for seed in range(options.networks):
        torch.manual_seed(seed)
        predictor = Predictor({}, FINGERS, vectors=["joints"], width=options.width, separate=True).eval()
        joints = torch.tensor([[*fingers.all_joints(fingers.PRESET)]], dtype=torch.float32)
        seen = {"pose": torch.tensor([[0.02, -0.01, 0.02, 0.3]]), "joints": joints}
        state = predictor.encode(seen)
        problem = Problem(
            score=lambda actions, p=predictor, s=state: p.score(s, actions),  # type: ignore[misc]
            space=GRASP,
            outcomes=predictor.outcomes,
            objective=MostLikely("stable"),
            robots=1,
            grid=lambda motions, hands, p=predictor, s=state: p.score_grid(s, motions, hands),  # type: ignore[misc]
        )
        best = {}
        for name, search in (("gentle", FACTORED), ("one by one", ONE_BY_ONE)):
            for _ in range(options.rounds if name == "gentle" else 1):
                began = time.perf_counter()
                found = search(problem, torch.Generator().manual_seed(seed))
                times[name].append(1000 * (time.perf_counter() - began))
            best[name] = predictor.logits(state, found.top(1))[0, 0, 0]
        drawn = GRASP.sample(SPREAD_OF, torch.Generator().manual_seed(seed + 1))[None]
        gains.append(
            float((best["gentle"] - best["one by one"]) / predictor.logits(state, drawn)[..., 0].std())
        )
    median = {name: statistics.median(values) for name, values in times.items()}
    mean = statistics.mean(gains)
    half = stats.t.ppf(0.975, len(gains) - 1) * statistics.stdev(gains) / len(gains) ** 0.5
    print(f"gentle         {median['gentle']:12.1f} ms")
    print(
        f"  one by one   {median['one by one']:12.1f} ms; best found {mean:+.2f} ± {half:.2f} sd of the logit"
    )
    return {
        "gentle_decision_ms": round(median["gentle"], 1),
        "gentle_one_by_one_ms": round(median["one by one"], 1),
        "gentle_speedup": round(median["one by one"] / median["gentle"], 1),
        "gentle_candidates": FACTORED.first**2 + FACTORED.rounds * FACTORED.later**2,
        "gentle_gain_sd": round(mean, 2),
        "gentle_gain_sd_interval": [round(mean - half, 2), round(mean + half, 2)],
        "gentle_networks": options.networks,
    }


def _bare(predictor: Predictor) -> Callable[[], object]:
    width = predictor.action_second.in_features
    first, second = (torch.randn(width, width) for _ in range(2))
    last = torch.randn(width, len(predictor.outcomes))
    hidden, fused, other = (torch.randn(CANDIDATES, width) for _ in range(3))
    output = torch.empty(CANDIDATES, len(predictor.outcomes))

    def run() -> None:
        torch.mm(hidden, first, out=other)
        torch.mm(other, second, out=fused)
        torch.mm(fused, last, out=output)

    return run


if __name__ == "__main__":
    main()
