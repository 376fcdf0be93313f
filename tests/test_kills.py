"""A few of the kills of `python tests/kills.py --count 300`."""

from pathlib import Path

import kills
import pytest
from processes import ranks


@pytest.mark.timeout(300)
def test_a_killed_command_loses_nothing_and_ends_when_run_again(tmp_path: Path) -> None:
    ranks(kills.check, 1, tmp_path, 8, 1, ("convert", "fit, resumed", "export, replacing", "join"))
