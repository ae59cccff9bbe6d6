"""Published runs of others, where the data are at hand.

The folder is named by VITRION_TEST_DATA; by default it is ``shared/data`` beside the repository.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from vitrion.transport import analyze
from vitrion.transport.analysis import analyze_displacements
from vitrion.transport.constants import NERNST_EINSTEIN
from vitrion.transport.displacements import Tracker
from vitrion.transport.io import open_frames
from vitrion.transport.msd import mean_squares

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("VITRION_TEST_DATA", ROOT.parent / "shared" / "data"))
LGPS = Path(__file__).parent / "lgps_600K.npz"
"""Every fourth frame of the run of pymatgen-analysis-diffusion: see tools/thin_reference.py."""
N_FRAMES = 250


@pytest.fixture(scope="module")
def lgps():
    """Positions, cell, symbols, frame interval and temperature of pymatgen's LGPS run."""
    with np.load(LGPS) as run:
        positions = run["start_A"] + 1e-3 * run["displacements_mA"]
        symbols = run["symbols"].tolist()
        return (
            positions,
            run["cell_A"],
            symbols,
            float(run["interval_fs"]),
            float(run["temperature_K"]),
        )


def slopes(lgps):
    """Conductivity in mS/cm by straight lines: from one time origin, and from all of them."""
    positions, cell, symbols, interval, temperature = lgps
    tracker = Tracker(symbols, ["Li"], interval)
    tracker.add(positions, cell)
    mobile = tracker.result().mobile
    per_slope = NERNST_EINSTEIN * 0.1 / 6.0 * 20 / abs(np.linalg.det(cell)) / temperature
    from_first = np.mean(np.sum((mobile - mobile[0]) ** 2, axis=-1), axis=1)
    one = np.polyfit(interval * np.arange(N_FRAMES), from_first, 1)[0]
    lags = np.arange(1, 243)  # pymatgen's default leaves the last 3 % of the windows
    everything = np.polyfit(interval * lags, mean_squares(mobile, np.ones(20), lags).mean, 1)[0]
    return one * per_slope, everything * per_slope


def test_lgps_unsmoothed_value_is_reproduced(lgps):
    """One origin: 27.2048 mS/cm. Ours differs by the weights of the drift alone."""
    assert slopes(lgps)[0] == pytest.approx(27.2048, rel=0.02)


def test_lgps_smoothed_value_is_all_origins_with_equal_weight(lgps):
    """Why 74.1654 with smoothing: an unweighted line over window averages up to 97 % of the run.

    The longest lags decide it, which are averages over 30 windows that overlap nearly wholly.
    """
    assert slopes(lgps)[1] == pytest.approx(74.1654, rel=0.02)


def test_lgps_run_is_refused_and_its_bound_holds(lgps):
    """In 20 ps there are about ten hops and a slope of ln MSD of 0.2: no diffusion coefficient."""
    positions, cell, symbols, interval, temperature = lgps
    result = analyze(positions, cell, symbols, interval, temperature)
    assert not result.diffusive
    assert result.hops.n_hops < 20
    low, high = 27.2048 * 0.75, 27.2048 * 1.25  # the reference with its own standard error
    assert result.conductivity_bound_mS_cm > high
    apparent = result.apparent_diffusivity_cm2_s * NERNST_EINSTEIN * 20 / result.volume_A3
    apparent /= temperature
    # Ours, from the slowest modes with an error of 40 %, agrees with it within two of these.
    assert low / 1.4**2 < apparent < high * 1.4**2


@pytest.fixture(scope="module")
def lips():
    """Folder with kinisi's LiPS run, in its wheel."""
    kinisi = importlib.util.find_spec("kinisi")
    inside = Path(kinisi.origin).parent / "tests" / "inputs" if kinisi and kinisi.origin else None
    folder = Path(os.environ.get("VITRION_LIPS", inside or DATA / "reference"))
    if not (folder / "LiPS.exyz").is_file():
        pytest.skip("LiPS.exyz is absent: install kinisi, or set VITRION_LIPS to its folder")
    return folder


@pytest.mark.slow
def test_lips_msd_is_reproduced_and_not_called_diffusive(lips):
    """kinisi's MSD of 896 Li at every lag; its slope of ln MSD is near 0.6 after 20 ps.

    The difference left is the drift of the framework: by mass here, by number there.
    """
    published = np.load(lips / "LiPS_msd.npy")[:199]
    stream = open_frames(lips / "LiPS.exyz")
    tracker = Tracker(stream.symbols, ["Li"], 100.0)
    for positions, cells in stream.chunks:
        tracker.add(positions, cells)
    motion = tracker.result()
    ours = mean_squares(motion.mobile, np.ones(896), np.arange(1, 200)).mean
    np.testing.assert_allclose(ours, published, rtol=0.01)
    result = analyze_displacements(motion, 600.0, {"Li": 1.0})
    assert not result.diffusive
    assert result.regime.exponent + 3.0 * result.regime.exponent_error < 0.95
