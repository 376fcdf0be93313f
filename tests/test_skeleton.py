"""The package around the code: imports, dependencies, and the commands of the Makefile."""

import ast
import itertools
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import visuotactile

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "visuotactile"
ROOMS = (
    ("demo",),
    ("grasp", "maps"),
    ("retrieval",),
    ("probes", "look"),
    ("supervised", "ssl", "estimation"),
    ("training",),
    ("views", "reports"),
    ("sim", "encoders"),
    ("datasets", "mechanics"),
)
"""From the front door to the foundation: a room imports only from the floors below its own."""

NEVER = {("grasp", "sim")}
"""A policy meets the lab through Gymnasium, as it would meet a robot."""

MAY_IMPORT = {
    room: {below for lower in ROOMS[floor + 1 :] for below in lower if (room, below) not in NEVER}
    for floor, rooms in enumerate(ROOMS)
    for room in rooms
}


@pytest.fixture(scope="module")
def project():
    """The table [project] of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def imported_modules(path):
    """Dotted names of all absolute imports in a file, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_command_line_answers_before_anything_heavy_is_imported():
    heavy = "torch mujoco gymnasium sklearn h5py matplotlib pytorch_lightning numpy rich scipy timm PIL"
    code = (
        "import sys, visuotactile.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_data_flows_one_way(room):
    for path in (PACKAGE / room).rglob("*.py"):
        for module in imported_modules(path):
            package, _, rest = module.partition(".")
            other = rest.split(".")[0]
            if package == "visuotactile" and other in MAY_IMPORT:
                assert other in MAY_IMPORT[room] | {room}, f"{path.relative_to(ROOT)} imports {module}"


def test_every_import_is_a_declared_dependency(project):
    extras = [text for name in ("onnx", "umap") for text in project["optional-dependencies"][name]]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"] + extras}
    owners = metadata.packages_distributions()
    for path in PACKAGE.rglob("*.py"):
        for module in imported_modules(path):
            top = module.split(".")[0]
            if top == "visuotactile" or top in sys.stdlib_module_names:
                continue
            found = {canonicalize_name(name) for name in owners.get(top, [])}
            assert found & declared, (
                f"{path.relative_to(ROOT)} imports {top}, which pyproject.toml does not declare"
            )


def test_every_dependency_has_a_floor_and_its_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    lines = [line for line in section.splitlines() if re.match(r'\s+"(?!visuotactile\[)', line)]
    assert len(lines) > 20
    for line in lines:
        assert re.search(r'">?[^"]*>=[0-9.]+", *# \S+', line), line


def test_the_constraints_pin_every_direct_dependency_to_a_version_that_it_allows(project):
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line).groups()
            pins[canonicalize_name(name)] = version
    direct = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    for requirement in map(Requirement, direct):
        if requirement.name != "visuotactile":
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_package_says_its_version():
    result = subprocess.run(
        [sys.executable, "-m", "visuotactile", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"visuotactile {visuotactile.__version__}\n"


def test_docstrings_open_with_a_noun_or_an_imperative():
    files = [
        path
        for room in ("visuotactile", "experiments", "benchmarks", "tests")
        for path in (ROOT / room).rglob("*.py")
    ]
    opening = re.compile(r'^ *r?"""(What|How|Whether|Which|Where|Who|When)\b.*', re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in files
        for match in opening.finditer(path.read_text(encoding="utf-8"))
    ]
    assert len(files) > 200
    assert not found


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments, cwd=ROOT):
    """Run make and return what it printed."""
    # A make above this one hands its flags and variables down.
    above = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHON", "VENV", "ARGS", "DATA", "OUT")
    environment = {key: value for key, value in os.environ.items() if key not in above}
    result = subprocess.run(
        ["make", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout


@needs_make
def test_make_demo_passes_on_where_the_data_lies():
    plain = make("--dry-run", "demo", "VENV=somewhere").splitlines()[-1]
    assert plain == '"somewhere/bin/visuotactile" demo  --out "demo"'
    given = make("--dry-run", "demo", "VENV=somewhere", "DATA=my data", "OUT=results").splitlines()[-1]
    assert given == '"somewhere/bin/visuotactile" demo --data "my data" --out "results"'


@needs_make
def test_a_second_make_installs_nothing_until_the_dependencies_change(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    log = tmp_path / "log"
    # A stand-in for Python: it writes down what it was asked, and "makes" environments with itself inside.
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$@" >> "{log}"\n'
        'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    called = ["-m venv .venv", "-m pip install --quiet -c constraints.txt -e .[test]", "-m pytest"]

    for expected in (called, ["-m pytest"]):
        make("test", f"PYTHON={python}", cwd=tmp_path)
        assert [line.strip() for line in log.read_text().splitlines()] == expected
        log.unlink()
    for changed in ("pyproject.toml", "constraints.txt"):
        later = (tmp_path / ".venv/.installed").stat().st_mtime + 5
        os.utime(tmp_path / changed, (later, later))
        make("test", f"PYTHON={python}", cwd=tmp_path)
        assert [line.strip() for line in log.read_text().splitlines()] == called
        log.unlink()
        os.utime(tmp_path / ".venv/.installed", (later + 5, later + 5))
