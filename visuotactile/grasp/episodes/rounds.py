"""`visuotactile rounds`: collect, train, collect with the trained planner, and train again.

The paper's robot did one such round (more_than_a_feeling, VI-C): with a planner trained on random grasps it
collected a second data set on the same objects, and trained again.

    OUT/rounds.json, rounds.md           the results of each round
    OUT/round-K/grasps                   the grasps of this round
    OUT/round-K/joined                   this and all rounds before, as one store (hard links: no copies)
    OUT/round-K/run, predictor           its training, and the calibrated predictor that plans the next round

Finished parts are kept and unfinished ones resumed, so that the same command continues after a kill, and a
larger number of rounds adds to the existing ones.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from visuotactile.configs import find
from visuotactile.datasets.join import join
from visuotactile.datasets.policy import Policy
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, OutputExistsError
from visuotactile.files import differences, read_json, sha256_file, write_json
from visuotactile.grasp.episodes.collecting import EPSILON, EpsilonGreedy, check_epsilon
from visuotactile.grasp.episodes.rounds_report import measure, write_report
from visuotactile.grasp.predictor.export import export_predictor
from visuotactile.grasp.predictor.file import PREDICTOR, load_predictor
from visuotactile.reports.terminal import print_line
from visuotactile.training.fit import main as train
from visuotactile.training.folder import LAST

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Round:
    """The folders of one round: number 0 collects at random, each later one with the predictor before."""

    out: Path
    number: int

    @property
    def folder(self) -> Path:
        """Folder of the round."""
        return self.out / f"round-{self.number}"

    @property
    def predictor(self) -> Path:
        """Folder of the round's predictor."""
        return self.folder / "predictor"

    @property
    def before(self) -> Round:
        """The round whose predictor chose this round's regrasps."""
        return Round(self.out, self.number - 1)


class Collection(Protocol):
    """Collector of grasps: the simulated lab, or a robot whose collection is resumable.

    Attributes:
        objects: names of the grasped objects.
        settings: all other settings that the grasps depend on, as plain JSON values, including `seed`.
    """

    objects: Sequence[str]
    settings: Mapping[str, Any]

    def __call__(
        self, store: Path, *, trials: int, first: int, policy: Policy | None, prior_regrasps: int
    ) -> Store:
        """Make a store of grasps, or continue one.

        Args:
            store: folder of the store.
            trials: number of grasps.
            first: number of the first grasp; a collection of the next numbers continues it.
            policy: policy of the regrasps; None draws them at random.
            prior_regrasps: maximum number of regrasps before the recorded one.
        """
        ...


def run(
    out: str | os.PathLike[str],
    config: str | os.PathLike[str],
    collect: Collection,
    first: int,
    trials: int,
    rounds: int = 1,
    epsilon: float = EPSILON,
    prior_regrasps: int = 0,
) -> list[dict[str, Any]]:
    """Run the unfinished parts of a random round and `rounds` on-policy ones; returns a row for each.

    The same objects are held out in every round: their grasps, including on-policy ones, calibrate and
    evaluate the predictors, and are never trained on.

    Args:
        out: folder of the results, to make or to continue.
        config: configuration of a predictor, as for `fit`; each round trains from new weights, on its
            schedule.
        collect: collector of the grasps; its seed is also that of the weights, batches and held-out objects.
        first: number of grasps of the random round, at least one of each object.
        trials: number of grasps of each on-policy round.
        rounds: number of on-policy rounds.
        epsilon: as in `EpsilonGreedy`.
        prior_regrasps: maximum number of regrasps of an on-policy grasp before the recorded one.

    Raises:
        UsageError: there is no such configuration.
        DataError: a number is out of range, or the configuration is not of a predictor.
        OutputExistsError: `out` holds other files, or rounds with other settings.
    """
    out, config, console = Path(out), find(config), Console()
    check_epsilon(epsilon)
    count, seed = len(collect.objects), int(collect.settings["seed"])
    if first < count or trials < 1 or rounds < 0:
        raise DataError(
            f"first={first}, trials={trials}, rounds={rounds}; expected at least {count} (a grasp of each "
            "object, so that the same are held out in every round), 1 and 0"
        )
    if not (out / SETTINGS).exists():
        _check_config(config)
    settings = {
        "config_sha256": sha256_file(config),
        **{"first": first, "trials": trials, "epsilon": epsilon},
        **collect.settings,
        **({"prior_regrasps": prior_regrasps} if prior_regrasps else {}),
    }
    _claim(out, settings)
    rows: list[dict[str, Any]] = []
    collected: list[Store] = []
    for now in (Round(out, number) for number in range(rounds + 1)):
        on_policy = now.number > 0
        console.rule(f"round {now.number} of {rounds} · {trials if on_policy else first} grasps")
        collected.append(
            collect(
                now.folder / "grasps",
                trials=trials if on_policy else first,
                first=first + (now.number - 1) * trials if on_policy else 0,
                policy=EpsilonGreedy(now.before.predictor, epsilon) if on_policy else None,
                prior_regrasps=prior_regrasps if on_policy else 0,
            )
        )
        store = collected[0]
        if on_policy:
            store = join([part.path for part in collected], now.folder / "joined")
        console.rule(f"round {now.number} of {rounds} · a predictor from {len(store):,} examples")
        _learn(now, config, store, seed)
        rows.append(_row(now, collected, seed))
        write_report(out, rows, {**settings, "config": str(config)})
    print_line((out / "rounds.md").read_text(encoding="utf-8"))
    return rows


def _learn(now: Round, config: Path, store: Store, seed: int) -> None:
    """Train, export and calibrate the round's predictor, unless that is done."""
    if not PREDICTOR.lies_at(now.predictor):
        options = _fit(config, store.path, now.folder / "run", seed)
        if now.number:
            held_out = load_predictor(now.before.predictor).meta["data"]["held_out_objects"]
            options.append(f"--data.held_out={json.dumps(held_out)}")
        train(options)
        export_predictor(now.folder / "run" / LAST, now.predictor)
    learnt = load_predictor(now.predictor).meta["data"]["fingerprint"]
    if learnt != store.fingerprint:
        raise DataError(
            f"{now.predictor} was trained on another store than {store.path}; delete it and "
            f"{now.folder / 'run'}, and run the command again"
        )


def _row(now: Round, collected: Sequence[Store], seed: int) -> dict[str, Any]:
    """Results of a round, cached, since they need every held-out image."""
    path = now.folder / "round.json"
    if not path.exists():
        before = load_predictor(now.before.predictor) if now.number else None
        write_json(path, measure(load_predictor(now.predictor), before, collected, seed))
    return read_json(path, DataError)


def _fit(config: Path, store: Path, root: Path, seed: int) -> list[str]:
    return [
        *("fit", f"--config={config}", f"--data.store={store}", f"--data.seed={seed}"),
        *(f"--model.init_args.seed={seed}", f"--trainer.default_root_dir={root}"),
    ]


def _check_config(config: Path) -> None:
    """Check the configuration before an hour of simulation."""
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            train([*_fit(config, Path("store"), Path("run"), 0), "--print_config"])
    except SystemExit as stopped:
        if stopped.code:
            raise
    if "PredictorModule" not in text.getvalue():
        raise DataError(f"{config} trains no predictor; take one such as laptop/predictor")
    wrong = re.search(r"^ +(split: (?!null$).*|held_out: 0(?:\.0)?)$", text.getvalue(), re.MULTILINE)
    if wrong:
        raise DataError(
            f"{config} has {wrong[1]}; rounds take no split, and calibrate on held-out objects: leave split "
            "out, and give a held_out such as 0.1"
        )


def _claim(out: Path, settings: dict[str, Any]) -> None:
    path = out / SETTINGS
    if not path.exists():
        if out.is_dir() and any(out.iterdir()):
            raise OutputExistsError(f"{out} is not empty and holds no rounds; give another --out")
        write_json(path, settings)
        return
    if different := differences(read_json(path, OutputExistsError), settings):
        raise OutputExistsError(
            f"{out} was begun with other settings: {different}; run the command as it was, or give another "
            "--out"
        )
