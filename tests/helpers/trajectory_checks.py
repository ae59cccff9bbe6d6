"""Comparison of the trajectory files of two runs."""

import numpy as np

from vitrion.dynamics.trajectory import Trajectory

COLUMNS = ("steps", "positions", "cells", "energies", "temperatures", "pressures", "conserved")


def assert_same_frames(first, second):
    """Compare two trajectory files bit for bit."""
    with Trajectory(first) as a, Trajectory(second) as b:
        assert a.n_frames == b.n_frames > 1
        for column in COLUMNS:
            x, y = getattr(a, column)(), getattr(b, column)()
            np.testing.assert_array_equal(x, y, err_msg=column, strict=True)
