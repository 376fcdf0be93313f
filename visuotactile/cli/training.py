"""`fit` and `validate`: a screen of help, and checks of their arguments without importing PyTorch.

The commands themselves are LightningCLI's, which is imported when the arguments look right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from visuotactile import configs
from visuotactile.cli.checks import existing, finished_store
from visuotactile.cli.endings import after_fit
from visuotactile.cli.parser import HELP, listed, members
from visuotactile.cli.signatures import Foreign, Parameter, loaded, names_of, read
from visuotactile.errors import UsageError, did_you_mean

ROOMS = ("visuotactile.ssl", "visuotactile.supervised", "visuotactile.estimation", "visuotactile.grasp")
"""Packages whose public modules can be trained."""

TRAINER = "pytorch_lightning.trainer.trainer.Trainer"
DATA = (
    *("visuotactile.datasets.datamodule:TactileData", "visuotactile.datasets.pairs:PairedData"),
    "visuotactile.grasp.predictor.data:GraspData",
)
OWN = (
    *("config", "print_config", "seed_everything", "ckpt_path", "weights_only", "verbose"),
    *("optimizer", "lr_scheduler", "streams"),
)
SECTIONS = ("trainer", "model", "data")
EXAMPLE = "laptop/moco"
ALL = ("--help=all", "--help-all")


def fit(words: Sequence[str], speak: bool = False) -> None:
    """Train an encoder, a classifier or a predictor.

    Args:
        words: arguments of LightningCLI.
        speak: as in `visuotactile.cli.run`.

    Raises:
        UsageError: nothing was given, an option does not exist, or a path does not.
    """
    _train("fit", words, speak)


def validate(words: Sequence[str], speak: bool = False) -> None:
    """Measure a checkpoint as `fit` does after each epoch.

    Args:
        words, speak: as in `fit`.

    Raises:
        UsageError: as `fit` does.
    """
    _train("validate", words, speak)


def _train(command: str, words: Sequence[str], speak: bool) -> None:
    if any(word in HELP for word in words):
        print(overview(command))
        return
    if not words:
        raise UsageError(
            f"{command} needs a configuration and a store, such as `visuotactile {command} --config "
            f"{EXAMPLE} --data.store STORE` (`visuotactile {command} --help` lists the configurations)"
        )
    check(words)
    if speak:
        print(f"{command}: loading …", file=sys.stderr, flush=True)
    run = loaded("visuotactile.training.fit:main")([command, *_for_lightning(_with_streams(words))])
    if speak and run is not None:
        print(*after_fit(run), sep="\n")


def _with_streams(words: Sequence[str]) -> list[str]:
    """The words with `--streams a=b c=d`, as the other commands take it, in one JSON value."""
    kept: list[str] = []
    names: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word != "--streams" and not word.startswith("--streams="):
            kept.append(word)
            continue
        given = [word.partition("=")[2]] if "=" in word else []
        while left and not left[0].startswith("--"):
            given.append(left.pop(0))
        for each in given:
            own, separator, other = each.partition("=")
            if not (own and separator and other):
                raise UsageError(
                    f"streams is {each!r}; expected NETWORKS_NAME=STORES_NAME, such as tactile_left=finger"
                )
            names[own] = other
    return [*kept, *([f"--streams.names={json.dumps(names)}"] if names else [])]


def _for_lightning(words: Sequence[str]) -> Iterator[str]:
    """The words, with the files of named configurations, and LightningCLI's own help for --help=all."""
    before = ""
    for word in words:
        if word in ALL:
            word = "--help"
        elif word.startswith("--config="):
            word = f"--config={configs.find(word.partition('=')[2])}"
        elif before == "--config":
            word = str(configs.find(word))
        yield word
        before = word


def overview(command: str) -> str:
    """The help of a command: how it is used, the shipped configurations, and the methods."""
    files = configs.configurations()
    small = {name: f"laptop/{name}" for name in files if f"laptop/{name}" in files}
    shipped = {
        f"{name}, {small[name]}" if name in small else name: configs.title(path)
        for name, path in files.items()
        if name not in small.values()
    }
    methods = {path.replace(":", "."): read(path).summary for path in methods_of()}
    lines = [
        f"usage: visuotactile {command} --config CONFIG --data.store STORE [--SECTION.OPTION VALUE …]",
        "",
        read(f"{__name__}:{command}").summary,
        "",
        "configurations, for --config, besides files of your own:",
        listed(shipped, 44),
        "",
        "methods, for --model.class_path:",
        listed(methods, 44),
        "",
        "--streams MODELS_NAME=STORES_NAME … trains on streams of other names: --streams tactile_left=finger",
        "Every setting of a configuration is an option, such as",
        "  --trainer.max_epochs 40 --data.batch_size 64 --model.init_args.temperature 0.1",
        f"`visuotactile {command} --help=all` lists all of them; add `--model.help CLASS` for a method's.",
        "An interrupted run continues when the same command is given again.",
    ]
    return "\n".join(lines)


def options() -> dict[str, str]:
    """The options that all trainings share, each with its help; those of a method follow `--model.`."""
    found = {f"--{name}": "" for name in (*OWN, "model.class_path", "data.class_path")}
    for section, path in (("trainer", TRAINER), *(("data", path) for path in DATA)):
        for name, parameter in read(path.replace(".Trainer", ":Trainer")).parameters.items():
            found[f"--{section}.{name}"] = parameter.help.partition(". ")[0][:60]
    return found


def methods_of() -> list[str]:
    """Every module that can be trained, as MODULE:NAME."""
    return [
        f"{room}:{name}"
        for room in ROOMS
        for name in names_of(room)["__all__"]
        if room == ROOMS[0] or name.endswith("Module")
    ]


def check(words: Sequence[str]) -> None:
    """Check the settings and paths among LightningCLI's arguments.

    Settings of a nested group are checked here because jsonargparse drops an unknown one without a word.

    Raises:
        UsageError: a setting does not exist, or a path does not.
    """
    given = list(_options(words))
    settings: dict[str, Any] = {}
    written: list[tuple[str, str, str]] = []
    for name, value in given:
        if name == "config" and value:
            content = _content(configs.find(value))
            settings |= content
            written += [("", each, f"{value} has no setting ") for each in _flat(content)]
        elif name == "ckpt_path" and value:
            existing(value, "file")
        elif name in ("data.store", "data.init_args.store") and value:
            finished_store(value)
        written.append(("--", name, "there is no option "))
    classes = {section: _class(section, settings, dict(given)) for section in SECTIONS}
    for dashes, name, message in written:
        _known(name.removesuffix("+"), classes, dashes, message)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Each option, without its dashes, and its value."""
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--") and word not in ALL:
            name, separator, value = word[2:].partition("=")
            yield name, value if separator else None if following.startswith("--") else following


def _content(config: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as why:
        raise UsageError(f"{config} is not readable YAML ({' '.join(str(why).split())})") from None
    if not isinstance(content, dict):
        raise UsageError(f"{config} holds no settings; expected model, data and trainer")
    return content


def _flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    for name, value in content.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")


def _class(section: str, settings: Mapping[str, Any], given: Mapping[str, str | None]) -> type | None:
    """The trainer's, the model's or the data module's class, where it can be told."""
    named = settings.get(section)
    path = named.get("class_path") if isinstance(named, Mapping) else None
    path = TRAINER if section == "trainer" else given.get(section, given.get(f"{section}.class_path")) or path
    module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    return type(name, (Foreign,), {"path": f"{module}:{name}"}) if module else None


def _known(option: str, classes: Mapping[str, type | None], dashes: str, message: str) -> None:
    """Refuse a setting that neither Lightning nor the model or data module at hand has."""
    section, *parts = option.split(".")
    if section not in (*SECTIONS, *OWN):
        nested = [f"{each}.{name}" for each, kind in classes.items() for name in _parameters(kind) or ()]
        known = [*OWN, *SECTIONS, *nested]
    elif section in OWN:
        return
    else:
        walked, kind = f"{section}.", classes[section]
        while parts:
            part = parts.pop(0)
            if part in ("init_args", "class_path", "dict_kwargs", "help"):
                walked += f"{part}."
                continue
            parameters = _parameters(kind)
            if parameters is None:
                return
            if part not in parameters:
                option, known = f"{walked}{part}", [f"{walked}{name}" for name in parameters]
                break
            walked, kind = f"{walked}{part}.", parameters[part].annotation
            if parts and (values := _values(kind)):
                walked, kind = f"{walked}{parts.pop(0)}.", values
        else:
            return
    hint = did_you_mean(f"{dashes}{option}", [f"{dashes}{each}" for each in known])
    raise UsageError(f"{message}{dashes}{option}{hint}")


def _parameters(annotation: Any) -> dict[str, Parameter] | None:
    """Parameters of the one class in an annotation; None where they cannot be told."""
    found = [
        kind.path for kind in members(annotation) if isinstance(kind, type) and issubclass(kind, Foreign)
    ]
    try:
        signature = read(found[0]) if len(found) == 1 and found[0] else None
    except (LookupError, NameError, AttributeError, SyntaxError, TypeError):
        return None
    return None if signature is None or signature.takes_more else signature.parameters


def _values(annotation: Any) -> Any:
    """Type of the values of a mapping; None for anything else."""
    for kind in members(annotation):
        origin = get_origin(kind)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(kind)[1]
    return None
