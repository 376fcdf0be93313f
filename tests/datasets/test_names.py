"""The public names of the room are there, and cost nothing until they are asked for."""

import subprocess
import sys

import pytest

import visuotactile.datasets as datasets


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_public_name_is_what_its_module_defines(name: str) -> None:
    found = getattr(datasets, name)
    assert found.__name__ == name
    assert found.__module__.startswith("visuotactile.datasets.")
    assert name in dir(datasets)


def test_a_name_that_is_not_there_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Shop'"):
        datasets.Shop  # noqa: B018


def test_importing_the_room_imports_nothing_heavy() -> None:
    code = (
        "import sys, visuotactile.datasets; assert 'numpy' not in sys.modules;"
        "from visuotactile.datasets import Store, Trial, make_split, write_store;"
        "assert 'h5py' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
