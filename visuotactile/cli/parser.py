"""Options from signatures: a parameter is an option, its annotation the type, its docstring the help.

It uses argparse, not jsonargparse (as LightningCLI does), which takes flags and lists as YAML (`--overwrite
true`, `--probes '[a, b]'`), adds `--config` and dotted help to every command, and imports what it describes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from visuotactile.cli.signatures import REQUIRED, Parameter
from visuotactile.errors import UsageError, did_you_mean

HELP = ("-h", "--help")
LARGEST_COUNT = 10**6
"""Trials, pixels, seeds, workers: a larger count is a slip of the keyboard."""

NUMBERS = ("seed", "first")
LARGEST_NUMBER = 2**31 - 1
"""A number that names something: a seed, a trial."""

MANY, MAYBE_MANY = "+", "*"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, raised as `UsageError`, and whose help fits on a screen.

    Args:
        prog: the command, as typed.
        about: summary of the command, one sentence.
    """

    def __init__(self, prog: str, about: str) -> None:
        super().__init__(
            prog,
            description=about,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=False,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=26),
        )
        self._required = self.add_argument_group("required")
        self._optional = self.add_argument_group("options")
        self._optional.add_argument("-h", "--help", action="help", help="show this page")
        self._usage: list[str] = []

    def add(self, parameter: Parameter, positional: bool = False, nargs: str = MANY) -> None:
        """Add a parameter as an option, or as a positional argument.

        Args:
            parameter: the parameter; ignored if its type cannot be typed in a shell.
            positional: add it as a positional argument.
            nargs: of a positional list, `MANY` or `MAYBE_MANY`.
        """
        form = _form(parameter.annotation, parameter.name)
        if form is None:
            return
        text = parameter.help.partition(". In Python ")[0] + _default(parameter.default)
        text = text.replace("%", "%%")
        if positional:
            if "nargs" in form:
                form["nargs"] = nargs
                form |= {"default": []} if nargs == MAYBE_MANY else {}
            elif _optional(parameter.annotation):
                form |= {"nargs": "?", "default": None}
            many = form.get("nargs") in (MANY, MAYBE_MANY)
            form["metavar"] = word = (_singular(parameter.name) if many else parameter.name).upper()
            self.add_argument(parameter.name, help=text, **form)
            word += "…" if many else ""
            self._usage.append(f"[{word}]" if form.get("nargs") in ("?", MAYBE_MANY) else word)
            return
        flag = "--" + parameter.name.replace("_", "-")
        if form.get("action") == "store_true" and parameter.default is True:
            flag, form["action"], text = f"--no-{flag[2:]}", "store_false", f"do not {text}"
        required = parameter.default is REQUIRED
        group = self._required if required else self._optional
        group.add_argument(flag, dest=parameter.name, help=text, required=required, **form)
        if required:
            self._usage.append(f"{flag} {form['metavar']}")

    def parse(self, words: Sequence[str]) -> dict[str, Any]:
        """The given arguments, by name; raises `UsageError` for invalid ones."""
        self.usage = " ".join([self.prog, *self._usage, "[options]"]).replace("%", "%%")
        for word in words:
            if word == "--":
                break
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in self._option_string_actions:
                self.error(f"there is no option {flag}{did_you_mean(flag, self._option_string_actions)}")
            if word == f"{flag}=--":  # argparse would make an empty list of it
                self.error(f"{flag} has no value")
        return vars(self.parse_args(words))

    def flags(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Each option's flag → its help, and the values among which it chooses, if it does."""
        found = {}
        for action in self._actions:
            metavar = str(action.metavar or "")
            choices = tuple(metavar[1:-1].split(",")) if metavar.startswith("{") else ()
            for flag in action.option_strings:
                if flag.startswith("--"):
                    found[flag] = (str(action.help).replace("%%", "%"), choices)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        message = message.replace("the following arguments are required:", "missing:")
        raise UsageError(f"{message} (`{self.prog} --help` shows what it takes)")


def listed(lines: Mapping[str, str], width: int = 12) -> str:
    """Lines of names and the first sentence about each, without text in brackets."""
    return "\n".join(
        f"  {name:<{width}}{textwrap.shorten(clause(text), 118 - width, placeholder=' …')}"
        for name, text in lines.items()
    )


def clause(text: str) -> str:
    """The first sentence of a text, or its first part."""
    for end in (". ", "; ", " ("):
        text = text.partition(end)[0]
    return text.removesuffix(".")


def condition(text: str) -> tuple[str, str]:
    """Parse COLUMN=VALUE, with the value as text: an object may be called 007."""
    column, separator, value = text.partition("=")
    if not column or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=VALUE")
    return column, value


def setting(text: str) -> tuple[str, Any]:
    """Parse NAME=VALUE, with the value as JSON where valid (true, 3, 0.5), otherwise as text."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


class _Together(argparse.Action):
    """Store the values of an option with a fixed number of them as a tuple."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, tuple(values))


class _Extend(argparse.Action):
    """Collect the values of a repeated option in one list or mapping."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        before = getattr(namespace, self.dest, None)
        mapping = self.type is setting
        joined = {**(before or {}), **dict(values)} if mapping else [*(before or ()), *values]
        setattr(namespace, self.dest, joined)


def _form(annotation: Any, name: str) -> dict[str, Any] | None:
    """Arguments of `add_argument` for a type; None where no value of it can be typed in a shell."""
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    for kind in kinds:
        origin, inner = get_origin(kind), get_args(kind)
        if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
            return {"action": _Extend, "nargs": "*", "type": setting, "metavar": "NAME=VALUE"}
        if origin is tuple and Ellipsis not in inner and len(set(inner)) == 1:
            kind = inner[0]
            return {
                "action": _Together,
                "nargs": len(inner),
                "type": _typed(kind),
                "metavar": _metavar(kind, name),
            }
        if origin is not None and isinstance(origin, type) and issubclass(origin, Sequence):
            if get_origin(inner[0]) is tuple:
                return {"action": _Extend, "nargs": "*", "type": condition, "metavar": "COLUMN=VALUE"}
            one = _form(inner[0], _singular(name))
            return one and one | {"action": _Extend, "nargs": "*"}
        if origin is Literal:
            return {"type": _one_of(inner), "metavar": "{" + ",".join(map(str, inner)) + "}"}
    if bool in kinds:
        return {"action": "store_true"}
    for kind in (str, Path, int, float):
        if kind in kinds:
            return {"type": _typed(kind, name), "metavar": _metavar(kind, name)}
    return (
        {"type": Path, "metavar": name.upper()}
        if os.PathLike in [get_origin(kind) for kind in kinds]
        else None
    )


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; any other type alone."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _optional(annotation: Any) -> bool:
    return type(None) in members(annotation)


def _metavar(kind: type, name: str) -> str:
    return {int: "N", float: "X"}.get(kind, name.upper().replace("_", "-"))


def _singular(name: str) -> str:
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            hint = did_you_mean(text, values)
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(values)}{hint}")
        return text

    return parse


def _typed(kind: type, name: str = "") -> Callable[[str], Any]:
    if kind not in (int, float):
        return kind
    what = "a whole number" if kind is int else "a finite number"
    most = LARGEST_NUMBER if name in NUMBERS else LARGEST_COUNT

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text:.40} is not {what}") from None
        if kind is float and not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text:.40} is not {what}")
        if kind is int and abs(value) > most:
            raise argparse.ArgumentTypeError(f"{text:.40} is beyond measure; up to {most:,} is accepted")
        return value

    return parse


def _default(value: Any) -> str:
    if value is REQUIRED or value is None or isinstance(value, bool) or value in ("", ()):
        return ""
    shown = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
    return f" (default: {shown})" if shown != "" else ""
