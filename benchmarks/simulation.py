"""Speed of the simulated lab: physics alone, with rendering, and collection with two workers.

    python benchmarks/simulation.py

A trial is a whole grasp: place, locate, approach, close, lift, shake, hold for 4 s, of random training
objects in random sessions. *Physics* renders nothing. *Rendered* takes the camera's 224×224 colour and depth
image and both 120×160 gels at three phases (before, during, after). *Scaling* is the rate of `collect` with
two workers over that with one, both writing a store, once the workers have started. *Presses* are clips of
12 frames: on smooth hemispheres, whose contact has a closed form, and *wide*, on every shape and texture,
oblique and rolling, whose contacts are solved. *Gentle* trials are those of the hand of fingers on the toy,
both closings heard: without pictures, and with all of them (camera and pads at five moments). Where
`../shared/prototypes/grasp_trial.py` and `hand_trial.py` exist, the rates of one core are also given as
shares of theirs: one grasp of a cylinder, physics alone, and one trial of the hand with its sound, without
pictures, as those scripts measure themselves.

Rates on one core are by CPU time, of the best round: other programs can only slow a round. The first round
also compiles the objects' scenes and draws the gels, which a collection does once. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import runpy
import tempfile
import time
from pathlib import Path
from typing import Any

import joblib
import mujoco
import numpy as np
import threadpoolctl

from visuotactile.sim.collect import collect
from visuotactile.sim.gentle_grasps import GentleGrasps
from visuotactile.sim.hardness.presses import Presses
from visuotactile.sim.lab import Lab
from visuotactile.sim.objects import object_names
from visuotactile.sim.session import TRIALS, Session

WIDE: dict[str, Any] = {
    "shapes": "all",
    "textures": "all",
    "hardness": "rigid",
    "motion": "press,roll",
    "angle": 15.0,
    "sensors": "gelsight,digit",
}
PROTOTYPES = Path(__file__).parents[2] / "shared" / "prototypes"
PROTOTYPE, GENTLE_PROTOTYPE = PROTOTYPES / "grasp_trial.py", PROTOTYPES / "hand_trial.py"


def main() -> None:
    """Run the benchmark, and print one JSON object last."""
    options = _options()
    with threadpoolctl.threadpool_limits(1):
        rounds = [
            (
                _prototype(),
                _rate(options.trials, rendered=False),
                _rate(options.trials, rendered=True),
                _press_rate(options.trials),
                _press_rate(options.trials, **WIDE),
                _gentle_prototype(options.gentle),
                _gentle_rate(options.gentle, rendered=False),
                _gentle_rate(options.gentle, rendered=True),
            )
            for _ in range(options.rounds)
        ]
    best = [max(rates) for rates in zip(*rounds, strict=True)]
    prototype, physics, rendered, presses, wide, hand, gentle, seen = best
    print(f"physics {physics:.1f} trials/s, rendered {rendered:.1f} trials/s, on one core")
    print(f"presses {presses:.1f}/s, wide ones {wide:.1f}/s, on one core")
    shares = {}
    if prototype:
        shares = {
            "physics_of_prototype": round(physics / prototype, 2),
            "rendered_of_prototype": round(rendered / prototype, 3),
        }
        print(f"the prototype {prototype:.1f} trials/s; " + ", ".join(f"{k} {v}" for k, v in shares.items()))
    print(f"gentle trials {gentle:.1f}/s with sound, {seen:.1f}/s with all pictures, on one core")
    if hand:
        shares |= {
            "gentle_of_prototype": round(gentle / hand, 2),
            "gentle_rendered_of_prototype": round(seen / hand, 3),
        }
        print(f"its prototype {hand:.1f} trials/s")
    scaling = max(_scaling(options.trials) for _ in range(options.rounds))
    figures = {
        "physics_trials_per_s_per_core": round(physics, 1),
        "rendered_trials_per_s_per_core": round(rendered, 1),
        "presses_per_s_per_core": round(presses, 1),
        "wide_presses_per_s_per_core": round(wide, 1),
        "gentle_trials_per_s_per_core": round(gentle, 1),
        "gentle_rendered_trials_per_s_per_core": round(seen, 1),
        **shares,
        "scaling_2_workers": round(scaling, 2),
        "trials": options.trials,
        "cpus": joblib.cpu_count(),
    }
    print(json.dumps(figures))


def _rate(trials: int, *, rendered: bool) -> float:
    """Trials per second of this process."""
    names = object_names("train")
    began = time.process_time()
    for i in range(trials):
        lab = Lab(Session.draw(0, i // TRIALS), np.random.default_rng(i), rendered=rendered)
        lab.begin(names[(37 * i) % len(names)])
        lab.observe()
        lab.lift()
        lab.observe()
    return trials / (time.process_time() - began)


def _press_rate(count: int, **settings: Any) -> float:
    """Presses per second of this process."""
    presses = Presses(trials=count, **settings)
    began = time.process_time()
    for i in range(count):
        presses.trial(i)
    return count / (time.process_time() - began)


def _prototype(trials: int = 40) -> float:
    """The prototype's trials per second of this process; 0 without it."""
    if not PROTOTYPE.is_file():
        return 0.0
    grasp = runpy.run_path(str(PROTOTYPE))
    model = mujoco.MjModel.from_xml_string(grasp["xml"]("cylinder", (0.025, 0.05), 0.3, 0.6))
    began = time.process_time()
    for _ in range(trials):
        grasp["trial"](model, 8.0)
    return trials / (time.process_time() - began)


def _gentle_rate(trials: int, *, rendered: bool) -> float:
    """Gentle trials per second of this process; the first, which compiles the scene, is not counted."""
    grasps = GentleGrasps(trials + 1)
    each = (lambda i: grasps.trial(len(grasps.examples) * i)) if rendered else grasps.outcome
    each(trials)
    began = time.process_time()
    for i in range(trials):
        each(i)
    return trials / (time.process_time() - began)


def _gentle_prototype(trials: int) -> float:
    """The hand's prototype's trials per second of this process; 0 without it."""
    if not GENTLE_PROTOTYPE.is_file():
        return 0.0
    hand = runpy.run_path(str(GENTLE_PROTOTYPE))
    bench, microphone = hand["Bench"](), hand["Microphone"]()
    hand["trial"](bench, np.random.default_rng(trials), microphone)
    began = time.process_time()
    for i in range(trials):
        hand["trial"](bench, np.random.default_rng((0, i)), microphone)
    return trials / (time.process_time() - began)


def _scaling(trials: int) -> float:
    """Ratio of the collection rates with two workers and with one."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            settings = {"scheme": "single", "workers": workers, "progress": False}
            collect("grasp", Path(folder) / f"warm-{workers}", trials=2 * TRIALS, **settings)
            began = time.perf_counter()
            collect("grasp", Path(folder) / f"{workers}", trials=trials, **settings)
            seconds[workers] = time.perf_counter() - began
            print(f"{workers} worker(s): {trials / seconds[workers]:.1f} trials/s into a store")
    return seconds[1] / seconds[2]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--gentle", type=int, default=40, help="trials of the hand of fingers")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many is reported")
    return parser.parse_args()


if __name__ == "__main__":
    main()
