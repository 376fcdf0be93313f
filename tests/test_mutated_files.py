"""A small share of the mutants of `python tests/mutated_files.py --count 10000`."""

from pathlib import Path

import mutated_files
import pytest
from processes import ranks


@pytest.mark.timeout(300)
def test_a_mutated_file_is_data_or_one_sentence_in_little_time_and_memory(tmp_path: Path) -> None:
    ranks(mutated_files.check, 1, tmp_path, 150, 3)
