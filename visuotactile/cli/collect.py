"""`collect`: a command for each kind of simulated trial, with the options of its constructor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.cli.parser import HELP, Parser, listed
from visuotactile.cli.signatures import loaded, names_of, read
from visuotactile.errors import UsageError, did_you_mean

PROG = "visuotactile collect"
COLLECT = "visuotactile.sim.collect"
PLANNER = "visuotactile.grasp.episodes.collecting:EpsilonGreedy"
"""Policy for a `--policy` that is a predictor's folder."""


def kinds() -> dict[str, str]:
    """Kinds of simulated trials, each with its constructor as MODULE:NAME."""
    return {kind: f"visuotactile.sim.{place}" for kind, place in names_of(COLLECT)["KINDS"].items()}


def parse(words: Sequence[str]) -> dict[str, Any]:
    """The arguments of `collect`, including the constructor's and, for a kind with a policy, the planner's.

    Raises:
        UsageError: the words are not valid arguments.
    """
    signature = read(f"{COLLECT}:collect")
    if not words or words[0] in HELP:
        print(f"usage: {PROG} KIND --store STORE [options]\n\n{signature.summary}\n")
        print(listed({kind: read(path).summary for kind, path in kinds().items()}))
        print(f"\n`{PROG} KIND --help` lists the options of a kind.")
        if words:
            raise SystemExit
        raise UsageError("the kind of trial is missing")
    kind, *rest = words
    if kind not in kinds():
        hint = did_you_mean(kind, kinds())
        raise UsageError(f"there is no {kind!r} to collect{hint} ({', '.join(kinds())})")
    return {"kind": kind, **parsers()[kind].parse(rest)}


def parsers() -> dict[str, Parser]:
    """The parser of each kind's arguments."""
    found = {}
    for kind, path in kinds().items():
        made = read(path)
        planner = read(PLANNER).parameters if "policy" in made.parameters else {}
        found[kind] = Parser(f"{PROG} {kind}", made.summary)
        own = read(f"{COLLECT}:collect").parameters
        for name, parameter in {**own, **made.parameters, **planner}.items():
            if name not in ("kind", "predictor"):
                found[kind].add(parameter)
    return found


def check(arguments: Mapping[str, Any]) -> None:
    """Raise `UsageError` where a setting of the planner is given without a predictor."""
    settings = [name for name in read(PLANNER).parameters if name in arguments]
    policy = arguments.get("policy")
    if settings and (policy is None or not Path(policy).is_dir()):
        raise UsageError(f"--{settings[0]} is for a planner; give --policy a folder that `export` made")


def resolve_policy(arguments: dict[str, Any]) -> None:
    """Replace a predictor's folder by its planner, since the lab takes policies as functions."""
    settings = {name: arguments.pop(name) for name in read(PLANNER).parameters if name in arguments}
    policy = arguments.get("policy")
    if policy is not None and Path(policy).is_dir():
        arguments["policy"] = loaded(PLANNER)(policy, **settings)
