"""Settings are compared in one way, by whatever would continue, replace or read what an earlier run wrote."""

import pytest

from visuotactile.files import NAMED, differences


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        ({"lr": 0.1}, {"lr": 0.1}, ""),
        ({"lr": 0.1}, {"lr": 0.2}, "lr 0.1 → 0.2"),
        ({"sizes": {"touch": 64, "sight": 8}}, {"sizes": {"touch": 32, "sight": 8}}, "sizes.touch 64 → 32"),
        ({"seed": None}, {"seed": 0}, "seed null → 0"),
        ({"shuffle": None}, {"shuffle": False}, "shuffle null → false"),
        ({}, {"masked": None, "streams": [], "limits": {}}, ""),
        ({"version": 1}, {}, "version 1 → null"),
        ({"names": "a" * 80 + "b"}, {"names": "a" * 80 + "c"}, "names (values of 81 characters)"),
    ],
)
def test_what_differs_is_named_with_both_values(found, expected, said):
    assert differences(found, expected) == said


def test_a_long_list_of_differences_is_counted_not_printed():
    said = differences({}, {f"option_{i}": i for i in range(NAMED + 3)})
    assert said.endswith(f"option_{NAMED - 1} null → {NAMED - 1} and 3 more")
