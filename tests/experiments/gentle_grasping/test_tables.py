"""The paper's numbers that stand beside ours, and the measures of change."""

import numpy as np

from experiments.gentle_grasping.labels import PAPER, _change
from experiments.gentle_grasping.rows import CLASSES, PAPER_BOTH, PAPER_CONFUSION


def test_the_papers_tables_are_copied_whole() -> None:
    assert sum(PAPER.values()) == 1500
    assert [sum(row) for row in PAPER_CONFUSION] == [441, 455, 732, 172]
    right = sum(PAPER_CONFUSION[number][number] for number in range(len(CLASSES)))
    assert round(100 * right / 1800, 2) == 88.83
    assert (
        round(float(PAPER_BOTH["vision + touch + action"]) - float(PAPER_BOTH["vision + action"]), 2) == 3.27
    )


def test_the_papers_folds_were_cut_by_sample() -> None:
    # Six copies of a grasp share its outcomes: by grasp, every row total would be a multiple of six.
    assert any(sum(row) % 6 for row in PAPER_CONFUSION)


def test_a_darker_pixel_is_a_change_as_large_as_a_brighter_one() -> None:
    grey = np.full((1, 8, 8, 3), 100, np.uint8)
    brighter, darker = grey.copy(), grey.copy()
    brighter[0, :2, :2], darker[0, :2, :2] = 150, 50
    np.testing.assert_array_equal(_change(brighter, grey), _change(darker, grey))
    found = _change(darker, grey)[0]
    assert found[0] == 50 * 4 / 64
    assert found[3] == 50  # the first of the 4 × 4 cells
    assert not found[4:].any()
