"""Programs that tests start find the package ``helpers`` as the tests do.

No test sees the students in the user's folder. Each process of the tests computes on one thread:
several on the same cores slow each other down.
"""

import os
import tempfile
from pathlib import Path

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy and torch are imported

os.environ["VITRION_STUDENTS"] = tempfile.mkdtemp(prefix="students-")

os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)


@pytest.fixture(scope="session", autouse=True)
def rock_salt_group():
    """pymatgen keeps a space group only while it is in use, and takes a second to make this one."""
    from pymatgen.symmetry.groups import SpaceGroup

    return SpaceGroup("Fm-3m")


@pytest.fixture
def pickles_trusted(monkeypatch):
    """Allow potentials that are pickles."""
    from vitrion.settings import get_settings

    monkeypatch.setenv("VITRION_ALLOW_PICKLE", "1")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
