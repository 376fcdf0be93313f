"""`fit` and `validate`: a screen of help, and checks of their arguments without importing PyTorch.

The commands themselves are LightningCLI's, which is imported when the arguments look right.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import visuotactile
from visuotactile.cli.checks import existing, finished_store
from visuotactile.cli.parser import UsageError, did_you_mean
from visuotactile.cli.signatures import names_of, read

CONFIGS = Path(visuotactile.__file__).parents[1] / "configs"
ROOMS = ("visuotactile.ssl", "visuotactile.supervised", "visuotactile.grasp")
"""Packages whose public modules can be trained."""

TRAINER = "pytorch_lightning.trainer.trainer:Trainer"
OWN = ("config", "print_config", "seed_everything", "ckpt_path", "weights_only", "verbose")
SECTIONS = ("trainer", "model", "data")
EXAMPLE = "configs/ssl/laptop/moco.yaml"
ALL = ("--help=all", "--help-all")


def fit(words: Sequence[str]) -> None:
    """Train an encoder, a classifier or a predictor.

    Raises:
        UsageError: nothing was given, an option does not exist, or a path does not.
    """
    _train("fit", words)


def validate(words: Sequence[str]) -> None:
    """Measure a checkpoint as `fit` does after each epoch.

    Raises:
        UsageError: as `fit` does.
    """
    _train("validate", words)


def _train(command: str, words: Sequence[str]) -> None:
    if any(word in ("-h", "--help") for word in words):
        print(overview(command))
        return
    if not words:
        raise UsageError(
            f"{command} needs a configuration and a store, such as `visuotactile {command} --config "
            f"{EXAMPLE} --data.store STORE` (`visuotactile {command} --help` lists the configurations)"
        )
    check(words)
    from visuotactile.training.fit import main

    main([command, *("--help" if word in ALL else word for word in words)])


def overview(command: str) -> str:
    """The help of a command: how it is used, the shipped configurations, and the methods."""
    configs = {str(path.relative_to(CONFIGS.parent)): title(path) for path in configurations()}
    methods = {path.replace(":", "."): read(path).summary for path in methods_of()}
    lines = [
        f"usage: visuotactile {command} --config CONFIG --data.store STORE [--SECTION.OPTION VALUE …]",
        "",
        read(f"{__name__}:{command}").summary,
        "",
        "configurations (each header gives the commands, the time and the result):",
        *_listed(configs),
        "",
        "methods, for --model.class_path:",
        *_listed(methods),
        "",
        "Every setting of a configuration is an option, such as",
        "  --trainer.max_epochs 40 --data.batch_size 64 --model.init_args.temperature 0.1",
        f"`visuotactile {command} --help=all` lists all of them; add `--model.help CLASS` for a method's.",
        "An interrupted run continues when the same command is given again.",
    ]
    return "\n".join(lines)


def methods_of() -> list[str]:
    """Every module that can be trained, as MODULE:NAME."""
    return [
        f"{room}:{name}"
        for room in ROOMS
        for name in names_of(room)["__all__"]
        if room == ROOMS[0] or name.endswith("Module")
    ]


def configurations() -> list[Path]:
    """Configurations of the checkout; none where the package is installed without it."""
    return sorted(CONFIGS.rglob("*.yaml"))


def title(config: Path) -> str:
    """The first sentence of a configuration's header, without what stands in brackets."""
    line = config.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return line.partition(" (")[0].partition(". ")[0].rstrip(".")


def check(words: Sequence[str]) -> None:
    """Look at the options and paths among LightningCLI's arguments.

    Raises:
        UsageError: an option does not exist, or a path does not.
    """
    given = list(_options(words))
    settings: dict[str, Any] = {}
    for name, value in given:
        if name == "config" and value:
            settings |= _content(existing(value, "file"))
        elif name == "ckpt_path" and value:
            existing(value, "file")
    for name, value in given:
        if name in ("data.store", "data.init_args.store") and value:
            finished_store(value)
        _known(name, settings, given)


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


def _known(option: str, settings: dict[str, Any], given: Sequence[tuple[str, str | None]]) -> None:
    """Refuse an option that neither Lightning nor the model or data module at hand has."""
    section, *rest = option.removesuffix("+").split(".")
    if section not in SECTIONS:
        if section not in OWN:
            known = [
                *OWN,
                *(f"{each}.{name}" for each in SECTIONS for name in _parameters(each, settings, given)),
            ]
            raise UsageError(f"there is no option --{option}{_hint(option, known)}")
        return
    rest = rest[1:] if rest[:1] == ["init_args"] else rest
    known = list(_parameters(section, settings, given))
    if rest and known and rest[0] not in [*known, "class_path", "help", "dict_kwargs"]:
        written = f"{section}.init_args." if "init_args" in option else f"{section}."
        hint = _hint(f"{written}{rest[0]}", [f"{written}{name}" for name in known])
        raise UsageError(f"there is no option --{option}{hint}")


def _parameters(
    section: str, settings: dict[str, Any], given: Sequence[tuple[str, str | None]]
) -> Sequence[str]:
    """Parameters of the trainer, the model or the data module; none where they cannot be told."""
    if section == "trainer":
        return list(read(TRAINER).parameters)
    named = settings.get(section)
    path = named.get("class_path") if isinstance(named, dict) else None
    path = dict(given).get(section, dict(given).get(f"{section}.class_path")) or path
    if not isinstance(path, str) or "." not in path:
        return ()
    module, _, name = path.rpartition(".")
    try:
        found = read(f"{module}:{name}")
    except (LookupError, NameError, AttributeError, SyntaxError):
        return ()
    return () if found.takes_more else list(found.parameters)


def _listed(lines: dict[str, str]) -> list[str]:
    texts = [
        textwrap.shorten(text.partition(". ")[0].rstrip("."), 72, placeholder=" …") for text in lines.values()
    ]
    return [f"  {name:<44}{text}" for name, text in zip(lines, texts, strict=True)]


def _hint(option: str, known: Sequence[str]) -> str:
    return did_you_mean(f"--{option}", [f"--{each}" for each in known])
