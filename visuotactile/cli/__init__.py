"""The command line: a table of commands and their functions.

Types, defaults and help come from the function's signature and docstring, which are read without importing
it (`signatures.py`, `parser.py`). Paths and columns are checked before it is imported (`checks.py`). Options
that are not given keep the function's defaults.
"""

from __future__ import annotations

import contextlib
import io
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from visuotactile import __version__
from visuotactile.cli import collect
from visuotactile.cli.checks import check
from visuotactile.cli.endings import ending
from visuotactile.cli.parser import HELP, MANY, MAYBE_MANY, Parser, clause, listed
from visuotactile.cli.signatures import loaded, read
from visuotactile.errors import UsageError, VisuotactileError, did_you_mean, explain
from visuotactile.files import running


@dataclass(frozen=True)
class Command:
    """Function behind a command.

    Attributes:
        function: MODULE:NAME.
        positional: positional parameters; all others are options.
        none: a positional list may be empty.
    """

    function: str
    positional: tuple[str, ...] = ()
    none: bool = False


COMMANDS = {
    "demo": Command("visuotactile.demo.run:run", ("paper",)),
    "collect": Command("visuotactile.sim.collect:collect", ("kind",)),
    "convert": Command("visuotactile.datasets.convert:convert", ("dataset", "source", "store")),
    "join": Command("visuotactile.datasets.join:join", ("stores", "out")),
    "split": Command("visuotactile.datasets.splits:write_split", ("store", "out")),
    "look": Command("visuotactile.look.sheet:look", ("store",)),
    "info": Command("visuotactile.cli.info:info", ("path",)),
    "fit": Command("visuotactile.cli.training:fit"),
    "validate": Command("visuotactile.cli.training:validate"),
    "rounds": Command("visuotactile.cli.rounds:rounds"),
    "export": Command("visuotactile.training.export:export", ("checkpoint", "folder")),
    "adapt": Command("visuotactile.encoders.adapt:adapt", ("encoder", "out")),
    "probe": Command("visuotactile.probes.run:probe", ("encoders",)),
    "classify": Command("visuotactile.supervised.report:classify", ("classifier",)),
    "estimate fit": Command("visuotactile.estimation.fit:fit", ("kind",)),
    "estimate evaluate": Command("visuotactile.estimation.evaluate:evaluate", ("models",)),
    "estimate hardness": Command("visuotactile.estimation.hardness:hardness", ("model", "clips")),
    "retrieve": Command("visuotactile.retrieval.run:retrieve", ("spaces",)),
    "map": Command("visuotactile.maps.run:embedding_map", ("encoders",)),
    "regrasp": Command("visuotactile.grasp.episodes.regrasp:regrasp", ("predictors",), none=True),
    "completion": Command("visuotactile.cli.completion:completion", ("shell",)),
}
"""Command → function. The words after `fit` and `validate` are LightningCLI's."""

TRAINING = ("fit", "validate")

AT_ONCE = ("split", "join", "info", "completion", "demo")
"""Commands that answer within a second, or begin with lines of their own."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""

CALM = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of the program, unless the user's says otherwise.

The loops and matrices outside PyTorch are small. OpenMP's threads spin while they wait, in two libraries at
once, and OpenBLAS starts more: a map of 120 points took 28 CPU seconds instead of 10 on two busy cores.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 2 for a user error, 130 when interrupted."""
    if argv is None:
        for name, value in CALM.items():
            os.environ.setdefault(name, value)
    words = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # paths may be no text
    try:
        with _interruptible():
            run(words, speak=True)
            if sys.stdout is not None:
                sys.stdout.flush()  # or the interpreter meets a closed pipe or a full disk as it ends
    except VisuotactileError as why:
        return _fail(str(why), 2)
    except BrokenPipeError:  # such as from `| head`
        _silence()
    except (OSError, MemoryError) as why:
        return _fail(explain(why), 2)
    except KeyboardInterrupt:
        return _fail("interrupted; run the same command to continue", INTERRUPTED, "")
    return 0


def _fail(said: str, status: int, kind: str = "error: ") -> int:
    """Say why the command ends, where that can still be said; returns the exit status."""
    try:
        print(f"visuotactile: {kind}{said}", file=sys.stderr, flush=True)
    except OSError:
        _silence()
    return status


def _silence() -> None:
    """Lead standard output and error nowhere, since what took them is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Take a scheduler's SIGTERM, and the end of the terminal, for Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = {
        number: signal.signal(number, _interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, before in taken.items():
            signal.signal(number, before)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def run(words: Sequence[str], speak: bool = False) -> None:
    """Run one command, given as words, which its results record.

    Args:
        words: the command and its arguments.
        speak: say at once what begins, and at the end where the result lies and what comes next.

    Raises:
        UsageError: the words are not valid arguments of a command.
    """
    with running(["visuotactile", *words]):
        if not words or words[0] in HELP:
            print(overview())
            if not words:
                raise UsageError("no command was given")
        elif words[0] == "--version":
            print(f"visuotactile {__version__}")
        elif words[0] in TRAINING:
            pkgutil.resolve_name(COMMANDS[words[0]].function)(words[1:], speak)
        else:
            name, arguments = parse(words)
            check(name, arguments)
            if name == "collect":
                collect.check(arguments)
            if speak and name not in AT_ONCE:
                print(beginning(name), file=sys.stderr, flush=True)
            _call(name, dict(arguments))
            if speak:
                print(*ending(name, arguments), sep="\n")


def parse(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command and its arguments, by name; raises `UsageError` for invalid ones."""
    name, *rest = words
    inner = {each.partition(" ")[2]: each for each in COMMANDS if each.startswith(f"{name} ")}
    if inner:
        name, rest = _inner(name, inner, rest), rest[1:]
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        raise UsageError(f"there is no command {name!r}{hint} (`visuotactile --help` lists them)")
    return name, collect.parse(rest) if name == "collect" else parser_of(name).parse(rest)


def parser_of(name: str) -> Parser:
    """The parser of a command's arguments."""
    command = COMMANDS[name]
    signature = read(command.function)
    parser = Parser(f"visuotactile {name}", signature.summary)
    for each in command.positional:
        nargs = MAYBE_MANY if command.none else MANY
        parser.add(signature.parameters[each], positional=True, nargs=nargs)
    for each, parameter in signature.parameters.items():
        if each not in command.positional:
            parser.add(parameter)
    return parser


def _inner(name: str, inner: Mapping[str, str], rest: Sequence[str]) -> str:
    """The command of two words; prints those that there are where that is asked."""
    if not rest or rest[0] in HELP:
        print(f"usage: visuotactile {name} COMMAND …\n")
        print(listed({each: read(COMMANDS[whole].function).summary for each, whole in inner.items()}))
        if rest:
            raise SystemExit
        raise UsageError(f"{name} needs one of {', '.join(inner)}")
    if rest[0] not in inner:
        hint = did_you_mean(rest[0], inner)
        raise UsageError(f"there is no command {name} {rest[0]!r}{hint} ({', '.join(inner)})")
    return inner[rest[0]]


def _call(name: str, arguments: dict[str, Any]) -> None:
    if name == "collect":
        collect.resolve_policy(arguments)
    if name == "regrasp":
        import visuotactile.sim  # noqa: F401  registers the simulated lab
    positional = [arguments.pop(each) for each in COMMANDS[name].positional]
    loaded(COMMANDS[name].function)(*positional, **arguments)


def beginning(name: str) -> str:
    """The first line of a command, said before anything heavy is imported."""
    summary = clause(read(COMMANDS[name].function).summary)
    return f"{name}: {summary[0].lower()}{summary[1:]} …"


def overview() -> str:
    """Help of the program, with one line for each command."""
    lines = {name: read(command.function).summary for name, command in COMMANDS.items()}
    width = max(map(len, lines)) + 2
    return (
        "usage: visuotactile COMMAND …\n\n"
        "Self-supervised learning from touch, sight and sound for robot grasping.\n\n"
        f"{listed(lines, width)}\n\n"
        "`visuotactile COMMAND --help` explains a command; `visuotactile --version` prints the version."
    )
