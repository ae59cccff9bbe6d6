"""The site builds without a warning, without a network, and holds every public object."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import zlib

import pytest

import vitrion
from helpers.pages import DOCS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("myst_nb", reason="pip install 'vitrion[docs]'")
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "VITRION_DOCS_EXECUTE": "off"}
    environment.pop("READTHEDOCS", None)
    environment.pop("VITRION_DOCS_ONLINE", None)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def public_objects():
    """Yield the full names of all public functions and classes."""
    for module in pkgutil.walk_packages(vitrion.__path__, "vitrion."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.startswith("_"):
                continue
            defined = inspect.isclass(value) or inspect.isfunction(value)
            if defined and (value.__module__, value.__name__) == (module.name, name):
                yield f"{module.name}.{name}"


def test_every_public_object_has_its_place(site):
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1])
    documented = {line.split()[0] for line in inventory.decode().splitlines()}
    missing = [name for name in public_objects() if name not in documented]
    assert not missing, f"{len(missing)} are missing: {missing[:20]}"


def test_every_command_has_its_section(site):
    page = (site / "reference/cli.html").read_text()
    for command in ("vitrion run", "vitrion config init", "vitrion potential list"):
        assert f'id="{command.replace(" ", "-")}"' in page
    assert "--temperatures" in page
