"""How fast the simulated lab is: physics alone, with all pictures, and collected with two workers.

    python benchmarks/simulation.py

A trial is a whole grasp: place, locate, approach, close, lift, shake, hold for 4 s, of random training
objects in random sessions. *Physics* renders nothing. *Rendered* takes the camera's 224×224 colour and depth
image and both 120×160 gels at three phases (before, during, after). *Scaling* is the rate of `collect` with
two workers over that with one, both writing a store, once the workers have started. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import threadpoolctl

from visuotactile.sim.collect import collect
from visuotactile.sim.lab import Lab
from visuotactile.sim.objects import object_names
from visuotactile.sim.session import TRIALS, Session


def main() -> None:
    """Measure, and print one JSON object last."""
    options = _options()
    with threadpoolctl.threadpool_limits(1):
        _rate(10, rendered=False)  # imports and first compilations
        physics = max(_rate(options.trials, rendered=False) for _ in range(options.rounds))
        rendered = max(_rate(options.trials, rendered=True) for _ in range(options.rounds))
    print(f"physics {physics:.1f} trials/s, rendered {rendered:.1f} trials/s, on one core")
    scaling = max(_scaling(options.trials) for _ in range(options.rounds))
    figures = {
        "physics_trials_per_s_per_core": round(physics, 1),
        "rendered_trials_per_s_per_core": round(rendered, 1),
        "scaling_2_workers": round(scaling, 2),
        "trials": options.trials,
        "cpus": joblib.cpu_count(),
    }
    print(json.dumps(figures))


def _rate(trials: int, *, rendered: bool) -> float:
    """Trials a second in this process."""
    names = object_names("train")
    began = time.perf_counter()
    for i in range(trials):
        lab = Lab(Session.draw(0, i // TRIALS), np.random.default_rng(i), rendered=rendered)
        lab.begin(names[(37 * i) % len(names)])
        lab.observe()
        lab.lift()
        lab.observe()
    return trials / (time.perf_counter() - began)


def _scaling(trials: int) -> float:
    """Collection's rate with two workers over that with one."""
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
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many is reported")
    return parser.parse_args()


if __name__ == "__main__":
    main()
