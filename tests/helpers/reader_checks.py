"""A run whose trajectory file is read, and the comparison of the result."""

import numpy as np
import pytest

from vitrion.transport import analyze_file

LENGTH = 12.0
CELL = np.diag([LENGTH] * 3)
INTERVAL_FS = 100.0


def read(path, **options):
    options = {"temperature_K": 700.0, "spatial": False, **options}
    return analyze_file(path, "Li", **options)


def assert_agrees(result, expected):
    """Compare what a wrong cell, time or order of atoms would change."""
    assert result.n_frames == expected.n_frames
    assert result.frame_interval_fs == pytest.approx(expected.frame_interval_fs)
    assert result.volume_A3 == pytest.approx(expected.volume_A3, rel=1e-4)
    assert result.apparent_diffusivity_cm2_s == pytest.approx(
        expected.apparent_diffusivity_cm2_s, rel=1e-3
    )
