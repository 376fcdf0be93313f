"""Shipped configurations of `fit`, by name: `moco` is the paper's size, `laptop/moco` runs on two CPU cores.

Each file's header gives its commands, the time that it takes and the result.
"""

from __future__ import annotations

import os
from pathlib import Path

from visuotactile.errors import UsageError, did_you_mean

FOLDER = Path(__file__).parent


def configurations() -> dict[str, Path]:
    """File of each shipped configuration, by name, the papers' sizes first."""
    files = sorted(FOLDER.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in files}


def find(config: str | os.PathLike[str]) -> Path:
    """The file at a path or, where there is none, of the shipped configuration of that name.

    Raises:
        UsageError: there is neither.
    """
    path, shipped = Path(config), configurations()
    if path.is_file():
        return path
    if str(config) in shipped:
        return shipped[str(config)]
    if path.exists():
        raise UsageError(f"{path} is no file; expected a configuration, such as laptop/moco or my.yaml")
    beside = [str(each) for each in sorted(path.parent.glob("*.yaml"))]
    raise UsageError(
        f"{path} does not exist, and no shipped configuration is called so"
        f"{did_you_mean(str(config), [*beside, *shipped])} (`visuotactile fit --help` lists them)"
    )


def title(config: Path) -> str:
    """The first line of a configuration's header."""
    return config.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
