"""Nothing under grasp/ knows which hand it is, outside the one module that says so."""

from __future__ import annotations

import re
from pathlib import Path

import visuotactile.grasp

ROOM = Path(visuotactile.grasp.__file__).parent
GRIPPER = ROOM / "planning" / "gripper.py"
WORDS = re.compile(r"(?<![a-z])(?:force(?!d)|newton|cylinder|gripper|finger(?!print))", re.I)
IMPORTED = re.compile(r"^from visuotactile\.grasp\.planning\.gripper import .*\n", re.M)
EXPORTED = re.compile(r'"?\b(LEAST_FORCE|CylinderFitting|GripperRobot|GRIPPER_BASELINES)\b"?')


def named(path: Path) -> list[str]:
    """Lines of a file that name a gripper, but for imports of that module and the names that it exports."""
    text = EXPORTED.sub("", IMPORTED.sub("", path.read_text(encoding="utf-8")))
    return [line.strip() for line in text.splitlines() if WORDS.search(line)]


def test_only_one_module_names_a_gripper() -> None:
    files = [path for path in ROOM.rglob("*") if path.suffix in (".py", ".html") and path != GRIPPER]
    assert len(files) > 20
    assert {str(path.relative_to(ROOM)): lines for path in files if (lines := named(path))} == {}


def test_and_it_does() -> None:
    assert len(named(GRIPPER)) > 20
