"""A decision of the planner: all candidates in the plane of stable × gentle, with the threshold."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import visuotactile.sim
from experiments.gentle_grasping.closed_loop import ABOVE, TOUCH, specifications
from experiments.gentle_grasping.experiment import OUTCOMES, Experiment
from visuotactile.datasets.policy import Choice
from visuotactile.files import atomic_path, provenance, write_json
from visuotactile.grasp.episodes.environment import find, opened
from visuotactile.grasp.episodes.robot import EnvRobot, run_episode
from visuotactile.grasp.planning.policies import PlannedChoice

DECISIONS, SHOWN = 4, 20_000
SEED = 5


def write_candidates(experiment: Experiment) -> dict[str, Any]:
    """Draw candidates.png, the first decisions of four episodes; returns what was chosen."""
    spec = specifications(experiment)[TOUCH]
    size = experiment.store.specs["rgb", "during"].shape[0]
    drawn: list[Any] = []
    policy = spec.build(SEED, spec.settings(), experiment_embodiment(experiment))
    with opened(find(visuotactile.sim.GENTLE_GRASP), {"objects": "toy", "camera_size": size}) as env:
        robot = EnvRobot(env)
        for number in range(DECISIONS):
            robot.reset(seed=SEED + number)
            choice = policy(robot.observe(), np.random.default_rng(number))
            assert isinstance(choice, PlannedChoice)
            outcomes = run_episode(robot, _only(choice), 1).outcomes
            drawn.append((choice, outcomes))
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(12, 3.3), layout="constrained")
        for axis, (choice, outcomes) in zip(figure.subplots(1, DECISIONS), drawn, strict=True):
            decision = choice.decision
            stable, gentle = decision.candidates.probabilities[0].T.numpy()
            some = np.random.default_rng(0).permutation(len(stable))[:SHOWN]
            still = decision.candidates.space.stays(decision.candidates.actions[0]).numpy()
            for where, colour, name in ((~still, "#8899aa", "moves"), (still, "#e07b1f", "only the hand")):
                part = some[where[some]]
                axis.scatter(stable[part], gentle[part], s=1, alpha=0.3, color=colour, label=name)
            axis.axhline(ABOVE, color="#2a9d58", lw=0.8)
            axis.axvline(ABOVE, color="#2a9d58", lw=0.8, ls=":")
            chosen = decision.probabilities[0].numpy()
            axis.scatter(*chosen, marker="*", s=90, color="#b03060", label="chosen")
            held = ", ".join(name if outcomes[name] else f"not {name}" for name in OUTCOMES)
            axis.set(
                xlabel="probability of stable",
                ylabel="probability of gentle",
                xlim=(0, 1.02),
                ylim=(0, 1.02),
                title=f"{'lifts' if choice.lift else 'regrasps'}; if lifted: {held}",
            )
        figure.axes[0].legend(fontsize=6, markerscale=3, loc="lower left")
        with atomic_path(experiment.results / "candidates.png") as path:
            figure.savefig(path, format="png", dpi=110)
    content = {
        "decisions": [
            {
                "action": dict(choice.action),
                "probabilities": dict(zip(OUTCOMES, choice.decision.probabilities[0].tolist(), strict=True)),
                "candidates": len(choice.decision.ranks[0]),
                "lift": choice.lift,
                "outcomes if lifted": dict(outcomes),
            }
            for choice, outcomes in drawn
        ],
        **provenance(),
    }
    write_json(experiment.results / "candidates.json", content)
    return content


def experiment_embodiment(experiment: Experiment) -> Any:
    """Embodiment of the store's hand."""
    return experiment.store.embodiment


def _only(choice: Choice) -> Any:
    return lambda observation, rng, last=False: Choice(choice.action)
