"""`completion`: completion of commands, options and their values in bash, zsh and fish.

A script is written from the table of commands, and knows nothing else of the program: it starts no Python
while you type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from visuotactile.cli import collect, training
from visuotactile.cli.checks import TABLES
from visuotactile.cli.parser import clause
from visuotactile.cli.signatures import names_of, read
from visuotactile.configs import configurations

Shell = Literal["bash", "zsh", "fish"]


@dataclass(frozen=True)
class Completed:
    """One command.

    Attributes:
        about: what it does, in a clause.
        options: flag → its help.
        values: flag → the values that it takes; those of other flags are files.
        words: values of its first positional argument.
    """

    about: str
    options: Mapping[str, str]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def completion(shell: Shell) -> None:
    """Print a script that completes commands, options and names; its first lines say where to put it.

    Args:
        shell: bash, zsh or fish.
    """
    print(SCRIPTS[shell](completed()))


def completed() -> dict[str, Completed]:
    """Everything that is completed of each command, from the table of commands."""
    from visuotactile import cli

    found = {}
    for name, command in cli.COMMANDS.items():
        summary = clause(read(command.function).summary)
        if name in cli.TRAINING:
            found[name] = Completed(summary, training.options(), {"--config": tuple(configurations())})
            continue
        parsers = collect.parsers() if name == "collect" else {"": cli.parser_of(name)}
        flags = {flag: each for parser in parsers.values() for flag, each in parser.flags().items()}
        named = {flag: _named(flag.removeprefix("--")) or choices for flag, (_, choices) in flags.items()}
        whole = Completed(
            summary,
            {flag: _short(text) for flag, (text, _) in flags.items()},
            {flag: words for flag, words in named.items() if words},
            tuple(filter(None, parsers)) or _named(command.positional[0] if command.positional else ""),
        )
        first, _, second = name.partition(" ")
        found[first] = _joined(found.get(first), whole, second) if second else whole
    return found


def _joined(before: Completed | None, added: Completed, word: str) -> Completed:
    """The commands of two words that begin alike, `word` the second one of `added`."""
    if before is None:
        return replace(added, words=(word,))
    return Completed(
        before.about,
        {**before.options, **added.options},
        {**before.values, **added.values},
        (*before.words, word),
    )


def _named(parameter: str) -> tuple[str, ...]:
    """The values of a parameter that have names."""
    if parameter in TABLES:
        module, table = TABLES[parameter]
        return tuple(names_of(module)[table])
    if parameter == "shell":
        return tuple(SCRIPTS)
    return tuple(configurations()) if parameter == "config" else ()


def bash(commands: Mapping[str, Completed]) -> str:
    """The script for bash."""
    values = [
        f'    "{name} {flag}") words="{" ".join(words)}" ;;'
        for name, command in commands.items()
        for flag, words in command.values.items()
    ]
    options = [f'    {name}) words="{" ".join(each.options)}" ;;' for name, each in commands.items()]
    worded = {name: " ".join(each.words) for name, each in commands.items() if each.words}
    first = [f'    {name}) words="{words}" ;;' for name, words in worded.items()]
    return "\n".join(
        [
            "# visuotactile completion bash >> ~/.bash_completion",
            "_visuotactile() {",
            '  local cur="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}" words="" flag=""',
            "  local i",
            "  for ((i = COMP_CWORD - 1; i > 1; i--)); do",
            '    case "${COMP_WORDS[i]}" in -*) flag="${COMP_WORDS[i]}"; break ;; esac',
            "  done",
            "  COMPREPLY=()",
            "  if ((COMP_CWORD == 1)); then",
            f'    words="{" ".join(commands)}"',
            '  elif [[ "$cur" == -* ]]; then',
            '    case "$command" in',
            *options,
            "    esac",
            "  elif ((COMP_CWORD == 2)); then",
            '    case "$command" in',
            *first,
            "    esac",
            "  else",
            '    case "$command $flag" in',
            *values,
            "    esac",
            "  fi",
            '  [[ -n "$words" ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))',
            "}",
            "complete -o default -F _visuotactile visuotactile",
        ]
    )


def zsh(commands: Mapping[str, Completed]) -> str:
    """The script for zsh."""

    def described(lines: Mapping[str, str]) -> str:
        return " ".join(_quoted(f"{name}:{text}") for name, text in lines.items())

    values = [
        f"    '{name} {flag}') compadd -- {' '.join(words)}; _files; return ;;"
        for name, command in commands.items()
        for flag, words in command.values.items()
    ]
    options = [f"    {name}) options=({described(each.options)}) ;;" for name, each in commands.items()]
    worded = {name: " ".join(each.words) for name, each in commands.items() if each.words}
    first = [f"    {name}) compadd -- {words} ;;" for name, words in worded.items()]
    abouts = {name: command.about for name, command in commands.items()}
    return "\n".join(
        [
            "#compdef visuotactile",
            "# visuotactile completion zsh > ~/.zfunc/_visuotactile, with fpath+=~/.zfunc before compinit",
            "_visuotactile() {",
            "  local -a options commands",
            "  local i flag=''",
            "  if ((CURRENT == 2)); then",
            f"    commands=({described(abouts)})",
            "    _describe command commands",
            "    return",
            "  fi",
            '  if [[ "${words[CURRENT]}" == -* ]]; then',
            '    case "${words[2]}" in',
            *options,
            "    esac",
            "    _describe -o option options",
            "    return",
            "  fi",
            "  for ((i = CURRENT - 1; i > 2; i--)); do",
            '    if [[ "${words[i]}" == -* ]]; then flag="${words[i]}"; break; fi',
            "  done",
            '  case "${words[2]} $flag" in',
            *values,
            "  esac",
            '  if ((CURRENT == 3)); then case "${words[2]}" in',
            *first,
            "  esac; fi",
            "  _files",
            "}",
            'if [[ "$funcstack[1]" == _visuotactile ]]; then _visuotactile "$@"',
            "else compdef _visuotactile visuotactile; fi",
        ]
    )


def fish(commands: Mapping[str, Completed]) -> str:
    """The script for fish."""
    lines = ["# visuotactile completion fish > ~/.config/fish/completions/visuotactile.fish"]
    for name, command in commands.items():
        first = "complete -c visuotactile -n __fish_use_subcommand -f"
        lines.append(f"{first} -a {name} -d {_quoted(command.about)}")
        inside = f"complete -c visuotactile -n '__fish_seen_subcommand_from {name}'"
        if command.words:
            lines.append(f"{inside} -a {_quoted(' '.join(command.words))}")
        for flag, text in command.options.items():
            words = command.values.get(flag)
            given = f" -r -a {_quoted(' '.join(words))}" if words else ""
            lines.append(f"{inside} -l {flag.removeprefix('--')}{given} -d {_quoted(text)}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Text in single quotes, as all three shells read them."""
    return "'" + text.replace("'", "’").replace("\\", "/") + "'"


def _short(text: str) -> str:
    """The help of an option in a clause of at most sixty characters."""
    short = clause(text)
    return short if len(short) <= 60 else f"{short[:57].rstrip()} …"


SCRIPTS: dict[Shell, Callable[[Mapping[str, Completed]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
