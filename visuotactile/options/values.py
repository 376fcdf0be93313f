"""Options that several commands share, and what is read out of a word."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def running_encoders(parser: argparse.ArgumentParser) -> None:
    """Options of every command that runs encoders."""
    parser.add_argument("--device", help="where encoders run, such as cpu or cuda")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where their features are kept")


def overwrite(parser: argparse.ArgumentParser) -> None:
    """The option of every command that writes a result."""
    parser.add_argument("--overwrite", action="store_true", help="replace a finished result")


def condition(text: str) -> tuple[str, str]:
    """COLUMN=VALUE, the value as it was typed: an object may be called 007."""
    column, separator, value = text.partition("=")
    if not column or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=VALUE")
    return column, value


def option(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is any (true, 3, 0.5) and as text otherwise."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
