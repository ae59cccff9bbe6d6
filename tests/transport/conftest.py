"""A run of hopping lithium in a cubic cell, whose trajectory files are read."""

import numpy as np
import pytest

from helpers.reader_checks import CELL, INTERVAL_FS
from helpers.walkers import hopping, in_crystal
from vitrion.transport import analyze


@pytest.fixture(scope="module")
def run():
    """Positions in A and elements."""
    rng = np.random.default_rng(0)
    return in_crystal(hopping(300, 10, 10.0, vibration=0.1).draw(rng), CELL, rng)


@pytest.fixture(scope="module")
def expected(run):
    return analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)
