"""Markdown of reports, for a paper or a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column aligned left, the others right; the text of a cell cannot break out of it."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Text on one line in which neither HTML nor Markdown takes effect."""
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "\\`"), ("\n", " ")):
        text = text.replace(letter, safe)
    return text


def made_with(provenance: Mapping[str, Any]) -> list[str]:
    """The closing section of a report, as paragraphs: the command and the versions that made it."""
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    return ["## Made with", "    " + " ".join(provenance["command"].split()), versions]
