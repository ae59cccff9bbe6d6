"""``import vitrion`` is light and offers the names that people need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vitrion

HEAVY = ("numpy", "scipy", "torch", "pymatgen", "ase", "jobflow", "maggma", "emmet", "pydantic",
         "matplotlib", "pandas", "h5py", "atomate2", "importlib.metadata")  # fmt: skip


def test_the_import_loads_nothing_heavy():
    code = "import sys, vitrion; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "vitrion" in loaded
    plain = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    added = set(loaded) - set(plain)
    assert not added & set(HEAVY)
    assert not [name for name in added if name.startswith("vitrion.")]


@pytest.mark.parametrize("name", [name for name in vitrion.__all__ if name != "__version__"])
def test_each_name_is_the_object_of_its_module(name):
    found = getattr(vitrion, name)
    assert found.__module__ == vitrion._HOMES[name]
    assert name in dir(vitrion)


def test_the_version_is_that_of_the_package():
    assert vitrion.__version__.count(".") >= 2


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        vitrion.Nonsense  # noqa: B018


def test_the_types_list_the_same_names():
    stub = ast.parse(Path(vitrion.__file__).with_suffix(".pyi").read_text())
    imported = {
        alias.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == vitrion._HOMES
