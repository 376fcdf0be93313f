"""`visuotactile regrasp`: policies in closed loop, beside one another, as a report on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.errors import PlanError
from visuotactile.files import provenance, refuse_overwrite, write_text, written_last
from visuotactile.grasp.episodes.closed_loop import EPISODES, Stage, play
from visuotactile.grasp.episodes.environment import find, is_simulated, object_names, opened
from visuotactile.grasp.episodes.films import choose, replay
from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.episodes.report import markdown, page, policy_table, summarise
from visuotactile.grasp.episodes.robot import MAX_REGRASPS, env_embodiment
from visuotactile.grasp.planning.policy_spec import (
    BASELINES,
    LEAST,
    PLANNER,
    PolicySpec,
    SearchName,
    playable,
)
from visuotactile.progress import working
from visuotactile.reports.terminal import print_table

REPORT = "report.json"


def regrasp(
    predictors: Sequence[str],
    env: str,
    objects: str,
    out: str | os.PathLike[str],
    *,
    trials: int = 10,
    policies: Sequence[str] | None = None,
    objective: Sequence[str] = ("",),
    required: Sequence[str] = (),
    preset: Mapping[str, float] | None = None,
    search: SearchName = "refine",
    above: float = 0.9,
    max_regrasps: int = MAX_REGRASPS,
    films: int = 6,
    camera_size: int | None = None,
    env_options: Mapping[str, Any] | None = None,
    streams: Mapping[str, str] | None = None,
    workers: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Compare regrasp policies in the same episodes of an environment.

    Writes report.json, report.md and report.html into `out`.

    Killed and started again it goes on: finished episodes are kept in episodes.jsonl.

    Args:
        predictors: predictor folders, or LABEL=FOLDER, each a planner; LABEL=FOLDER,FOLDER is one planner
            over the mean of several.
        env: id of a Gymnasium environment, such as visuotactile/Grasp-v0 or MODULE:ID.
        objects: set of the environment's objects, such as easy, or names joined by commas.
        out: folder of the report.
        trials: episodes of each object and policy.
        policies: planner, or names of baselines, in the order of the report; the first is compared with the
            others. By default all that the environment's robot can play, the planner only with predictors.
        objective: objectives of the planners, a row each: an outcome, whose probability is maximised, or
            least_DIMENSION, the action's dimension that is minimised while the required outcomes are likely
            enough. By default the predictor's main outcome.
        required: outcomes that must be likely before the planners lift; by default the main one.
        preset: hand, by dimension, for the next regrasp where no candidate meets the required outcomes.
        search: search of the planners: random, then refined along the gradient; cross-entropy method; or
            random alone.
        above: probability of each required outcome above which planners lift.
        max_regrasps: maximum number of choices in an episode; after the last, the hand lifts in any case.
        films: number of episodes shown as pictures.
        camera_size: height and width of the camera's image, best those of the predictors' training images.
        env_options: further options of the environment, such as sensor=digit.
        streams: names of the predictors' streams on the robot, where they differ, such as
            tactile_left=gelsight.
        workers: episodes to play at once.
        seed: seed of the episodes, the policies and the report.
        overwrite: replace an existing report.
        progress: show a progress bar.

    Returns:
        the content of report.json.

    Raises:
        OutputExistsError: `out` holds a report, or episodes of other settings.
        PlanError, EncoderError: something does not fit; the message names it.
    """
    out = Path(out)
    refuse_overwrite(out / REPORT, overwrite)
    if films < 0:
        raise PlanError(f"{films} films; expected 0 or more")
    options = dict(env_options or {}) | ({} if camera_size is None else {"camera_size": camera_size})
    names = object_names(find(env), options, objects)
    if policies is None:
        with opened(find(env), options) as made:
            policies = (*[PLANNER] * bool(predictors), *playable(env_embodiment(made)))
    rows = policy_rows(
        predictors,
        policies,
        objective,
        required=tuple(required),
        preset=preset,
        search=search,
        above=above,
        streams=streams,
    )
    options["objects"] = objects
    stage = Stage.of(env, rows, seed=seed, max_regrasps=max_regrasps, env_options=options)
    if (out / REPORT).exists():
        for finished in (REPORT, EPISODES):
            (out / finished).unlink(missing_ok=True)
    records = play(
        env,
        rows,
        names,
        trials,
        seed=seed,
        max_regrasps=max_regrasps,
        workers=workers,
        env_options=options,
        out=out,
        overwrite=overwrite,
        progress=progress,
    )
    chosen = choose(records, films)
    with working(f"replaying {len(chosen)} episodes", show=progress):
        shown, reach = replay(stage, records, chosen)
    report = {
        "simulated": is_simulated(stage.spec),
        **summarise(records, stage.embodiment.outcomes, stage.embodiment.hand, seed),
        "played": {**stage.described(), "set": objects, "objects": list(names), "trials": trials},
        "films": {"asked": len(chosen), "shown": [list(film.record.key) for film in shown]},
        "seen": seen_before(stage, names),
        "notes": notes(stage, names, records, len(chosen) - len(shown)),
        "episodes": [record.to_dict() for record in records],
        "provenance": provenance(
            predictors=list(predictors),
            env=env,
            objects=objects,
            out=str(out),
            trials=trials,
            policies=list(policies),
            objective=list(objective),
            required=list(required),
            preset=None if preset is None else dict(preset),
            search=search,
            above=above,
            max_regrasps=max_regrasps,
            films=films,
            env_options=options,
            streams=dict(streams or {}),
            workers=workers,
            seed=seed,
        ),
    }
    with written_last(out / REPORT, report):
        write_text(out / "report.html", page(report, shown, reach))
        write_text(out / "report.md", markdown(report))
    _print(report)
    return report


def policy_rows(
    predictors: Sequence[str], policies: Sequence[str], objective: Sequence[str], **planners: Any
) -> dict[str, PolicySpec]:
    """The rows of a report by name: a planner for each predictor and objective, and the others once.

    Args:
        predictors, policies, objective: as `regrasp` takes them.
        planners: their further settings; see `PolicySpec`.

    Raises:
        PlanError: there is no policy, or no predictor for a planner; or two rows have one name.
    """
    if not policies or not objective:
        raise PlanError("give at least one policy, and one objective")
    if (PLANNER in policies) != bool(predictors):
        raise PlanError(
            f"{len(predictors)} predictors, policies {', '.join(policies)}; a planner needs at least one "
            "predictor, and a predictor the policy planner"
        )
    rows: list[tuple[str, PolicySpec]] = []
    for kind in policies:
        if kind != PLANNER:
            spec = PolicySpec(kind=kind)  # refuses an unknown kind
            rows.append((BASELINES[kind].title, spec))
            continue
        for source in predictors:
            label, folders = _parse(source)
            for aim in objective:
                plain = aim == objective[0] and not aim.startswith(LEAST)
                name = label if plain else f"{label}, {_words(aim)}"
                spec = PolicySpec(kind=kind, predictors=folders, objective=aim, **planners)
                rows.append((name, spec))
    names = [name for name, _ in rows]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise PlanError(f"two rows are called {twice[0]!r}; name predictors with LABEL=FOLDER")
    return dict(rows)


def _parse(source: str) -> tuple[str, tuple[str, ...]]:
    """LABEL=FOLDER or LABEL=FOLDER,FOLDER; or a folder, whose own name is the label."""
    if "=" not in source or Path(source).exists():
        return Path(source).resolve().name, (source,)
    label, _, given = source.partition("=")
    folders = (given,) if Path(given).exists() else tuple(given.split(","))
    if not label or not all(folders):
        raise PlanError(f"predictor {source!r}; expected a folder, LABEL=FOLDER or LABEL=FOLDER,FOLDER")
    return label, folders


def _words(aim: str) -> str:
    return aim.replace("_", " ") if aim.startswith(LEAST) else f"likeliest {aim or 'main outcome'}"


def seen_before(stage: Stage, objects: Sequence[str]) -> list[str]:
    """Sentences on the objects that a policy's predictor was trained or calibrated on."""
    found = []
    for name, policy in stage.policies.items():
        if not policy.predictors:
            continue
        metas = [predictor.meta for predictor in policy.load(stage.settings[name])]
        for how, key in (("trained", "training_objects"), ("calibrated", "held_out_objects")):
            known = {thing for meta in metas for thing in meta.get("data", {}).get(key, ())}
            seen = sorted(known.intersection(objects))
            if seen:
                found.append(
                    f"The predictor of {name} was {how} on {len(seen)} of the {len(objects)} objects: "
                    f"{', '.join(seen)}."
                )
    return found


def notes(stage: Stage, objects: Sequence[str], records: Sequence[Record], not_shown: int) -> list[str]:
    """Caveats that belong beside the tables."""
    found = []
    if is_simulated(stage.spec):
        found.append("Every episode is simulated: no robot lifted anything.")
    for name, policy in stage.policies.items():
        if not policy.predictors:
            continue
        metas = [predictor.meta for predictor in policy.load(stage.settings[name])]
        if any(meta.get("calibration", {}).get("method") == "none" for meta in metas):
            found.append(f"The predictor of {name} is not calibrated: its threshold is not a probability.")
    for name in stage.policies:
        own = [record for record in records if record.policy == name]
        forced = sum(record.forced for record in own)
        if forced:
            found.append(
                f"{name}: {forced} of {len(own)} lifts were forced: no choice was left after "
                f"{stage.max_regrasps}."
            )
    succeeded = {name: [r.success for r in records if r.policy == name] for name in stage.policies}
    if len(objects) > 1 and any(all(own) or not any(own) for own in succeeded.values()):
        found.append(
            "An interval of zero width at 0 or 100% only means that no resample of these objects differs."
        )
    if len(objects) < 2:
        found.append("With a single object there are no intervals.")
    if not_shown:
        found.append(f"{not_shown} films are left out: the environment did not repeat those episodes.")
    return found


def _print(report: Mapping[str, Any]) -> None:
    units = report["units"]
    kind = "simulated episodes" if report["simulated"] else "episodes"
    title = f"{units['trials']} {kind} of each of {units['objects']} objects; 95% over objects"
    print_table(title, *policy_table(report))
