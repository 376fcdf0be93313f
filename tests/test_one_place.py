"""Each of these is written once: `python -m pytest tests/test_one_place.py -v` lists them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ONCE = {
    "Wilson interval": (r"\.proportion_ci\(|wilson.*=|1\.96\b", "visuotactile/reports/intervals.py"),
    "bootstrap over units": (r"def draw_units\(|\.multinomial\(", "visuotactile/reports/intervals.py"),
    "Markdown table": (r"[\"'|]-{3}", "visuotactile/reports/markdown.py"),
    "Jinja environment": (r"jinja2\.Environment\(", "visuotactile/reports/page.py"),
    "data URI": (r"data:image/", "visuotactile/reports/page.py"),
    "progress bar": (r"\(Progress\)|\bProgress\(|\btrack\(.*\bdescription=", "visuotactile/progress.py"),
    "learning-rate schedule": (r"LambdaLR\(|\bmath\.cos\(math\.pi", "visuotactile/training/"),
    "grouped batch sampler": (r"^class \w*(Sampler|Batches)\b", "visuotactile/datasets/batches.py"),
    "data loader": (r"\bDataLoader\(", "visuotactile/datasets/batches.py"),
    "Branch": (r"^class \w*Branch\b", "visuotactile/encoders/branch.py"),
    "Policy protocol": (r"^class \w*Policy\(.*Protocol", "visuotactile/datasets/policy.py"),
    "writer of an artefact folder": (r"\bsave_file\(", "visuotactile/encoders/folders.py"),
    "description of an option": (r"\.add_argument\(", "visuotactile/cli/parser.py"),
    "poses of the fingers": (r"\[1\.45, |\[1\.60?, |deg2rad\(15\)", "visuotactile/sim/hands/fingers.py"),
    "bounds of the gripper": (
        r"(radians|deg2rad)\(17\)|\b4\.0, 25\.0\b|MOTION *(:.*)?= *0\.02",
        "visuotactile/sim/hands/parallel.py",
    ),
}
"""Thing that is written once → pattern of its lines, and the file or room that has them all."""

IN_EXPERIMENTS = ("Wilson interval", "bootstrap over units", "Markdown table", "data URI")
"""Things that experiments share with the package; their options and modules are their own."""


def places(what):
    """FILE:LINE of each line of the package (and of the experiments) that makes it."""
    rooms = ["visuotactile", *(["experiments"] if what in IN_EXPERIMENTS else [])]
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(ONCE[what][0], line) and not line.lstrip().startswith(("|", "#"))
    ]


@pytest.mark.parametrize("what", ONCE)
def test_it_is_written_in_one_place(what):
    found, (_, home) = places(what), ONCE[what]
    assert found, "the pattern is out of date"
    assert [place for place in found if not place.startswith(home)] == []
