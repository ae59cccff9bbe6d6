import numpy as np
import pytest

from vitrion.dynamics.trajectory import Trajectory

COLUMNS = ("steps", "positions", "cells", "energies", "temperatures", "pressures", "conserved")


@pytest.fixture
def same_frames():
    """Compare two trajectory files bit for bit."""

    def compare(first, second):
        with Trajectory(first) as a, Trajectory(second) as b:
            assert a.n_frames == b.n_frames > 1
            for column in COLUMNS:
                x, y = getattr(a, column)(), getattr(b, column)()
                np.testing.assert_array_equal(x, y, err_msg=column, strict=True)

    return compare
