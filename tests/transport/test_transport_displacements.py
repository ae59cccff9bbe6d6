"""Unwrapping, drift, changing cells, bounded memory, and input that must be refused."""

from itertools import pairwise

import numpy as np
import pytest

from helpers.walkers import brownian, in_crystal
from vitrion.errors import InputError
from vitrion.transport import analyze
from vitrion.transport.displacements import Tracker

TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.5, 8.0, 0.0], [-1.5, 1.0, 10.0]])


@pytest.fixture
def crystal():
    rng = np.random.default_rng(0)
    paths = brownian(400, 8, 0.02).draw(rng)
    positions, symbols = in_crystal(paths, TRICLINIC, rng)
    return paths - paths[0], positions, symbols


def track(positions, cells, symbols, *, wrapped=None, pieces=1, memory_MB=500.0):
    tracker = Tracker(symbols, ["Li"], 50.0, wrapped=wrapped, memory_MB=memory_MB)
    bounds = np.linspace(0, len(positions), pieces + 1).astype(int)
    for start, end in pairwise(bounds):
        part = slice(start, end)
        tracker.add(positions[part], cells if cells.ndim == 2 else cells[part])
    return tracker.result()


def wrap(positions, cells):
    fractional = positions @ np.linalg.inv(cells)
    return (fractional % 1.0) @ cells


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("wrapped", [True, False])
def test_displacements_are_those_that_went_in(crystal, wrapped, pieces):
    """The drift of the framework is gone, and wrapping makes no difference in a triclinic cell."""
    paths, positions, symbols = crystal
    given = wrap(positions, TRICLINIC) if wrapped else positions
    motion = track(given, TRICLINIC, symbols, pieces=pieces)
    moved = motion.mobile - motion.mobile[0]
    np.testing.assert_allclose(moved, paths, atol=1e-9)
    assert motion.volume_A3 == pytest.approx(720.0)


def test_wrapping_that_starts_late_is_found(crystal):
    """The first chunks show no return into the cell, the later ones do."""
    paths, positions, symbols = crystal
    given = positions.copy()
    given[300:] = wrap(positions[300:], TRICLINIC)
    motion = track(given, TRICLINIC, symbols, pieces=40)
    np.testing.assert_allclose(motion.mobile - motion.mobile[0], paths, atol=1e-9)


def test_an_affine_change_of_the_cell_is_not_diffusion():
    """In NPT atoms ride with the cell: positions change, sites do not."""
    rng = np.random.default_rng(1)
    sites = rng.random((12, 3)) + np.array([3.0, -2.0, 1.0])  # in far images of the cell
    cells = TRICLINIC * (1.0 + 0.05 * np.sin(np.linspace(0.0, 20.0, 300)))[:, None, None]
    positions = sites @ cells
    motion = track(positions, cells, ["Li"] * 4 + ["O"] * 8, wrapped=False)
    assert np.abs(motion.mobile - motion.mobile[0]).max() < 1e-9


def test_steps_are_taken_in_the_cell_of_their_frame():
    """A fractional step of 0.1 along a cell that has grown to 11 A is 1.1 A."""
    cells = np.array([np.eye(3) * length for length in np.linspace(10.0, 11.0, 30)])
    fractional = np.full((30, 2, 3), 0.5)
    fractional[-1, 0, 0] += 0.1
    motion = track(fractional @ cells, cells, ["Li", "O"])
    assert motion.mobile[-1, 0, 0] - motion.mobile[0, 0, 0] == pytest.approx(1.1)


def test_few_ions_in_a_long_run_need_no_more_memory_than_many(crystal, monkeypatch):
    monkeypatch.setattr("vitrion.transport.displacements.MAX_FRAMES", 150)
    paths, positions, symbols = crystal
    motion = track(positions, TRICLINIC, symbols, pieces=7)
    assert motion.frame_interval_fs == 200.0
    np.testing.assert_allclose(motion.mobile - motion.mobile[0], paths[::4], atol=1e-9)


def test_memory_is_bounded_and_the_diffusivity_stays():
    """A run thinned to a twentieth of its frames gives the same D within its error."""
    rng = np.random.default_rng(2)
    positions, symbols = in_crystal(brownian(8000, 10, 0.01).draw(rng), np.eye(3) * 20.0, rng)
    cell = np.eye(3) * 20.0
    motion = track(positions, cell, symbols, pieces=23, memory_MB=0.1)
    assert motion.mobile.nbytes <= 0.1e6
    assert motion.n_frames_read == 8000
    assert motion.duration_fs == pytest.approx(7999 * 50.0, rel=0.01)
    whole = analyze(positions, cell, symbols, 50.0, 500.0).self_diffusivity
    thin = analyze(positions, cell, symbols, 50.0, 500.0, memory_MB=0.1).self_diffusivity
    assert thin.value == pytest.approx(whole.value, rel=4.0 * thin.relative_error)


@pytest.mark.parametrize(("memory_MB", "kept", "stride"), [(0.02, 63, 32), (1e-9, 32, 64)])
def test_few_frames_in_memory_are_pointed_out(memory_MB, kept, stride):
    """Many ions leave memory for few frames, in which a regime may not be recognized."""
    rng = np.random.default_rng(2)
    positions, symbols = in_crystal(brownian(2000, 10, 0.01).draw(rng), np.eye(3) * 20.0, rng)
    motion = track(positions, np.eye(3) * 20.0, symbols, memory_MB=memory_MB)
    assert len(motion.mobile) == kept
    assert motion.warnings[-1].startswith(f"Only {kept} of 2000 frames, one in {stride},")
    assert track(positions, np.eye(3) * 20.0, symbols, memory_MB=0.2).warnings == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mobile": "Na"}, "no Na"),
        ({"mobile": ["Li", "O"]}, "no framework"),
        ({"frame_interval_fs": 0.0}, "frame interval"),
        ({"frame_interval_fs": float("nan")}, "frame interval"),
        ({"temperature_K": -5.0}, "Temperature"),
        ({"cells": np.zeros((3, 3))}, "no periodic cell"),
        ({"cells": np.eye(2)}, "shape"),
        ({"n_frames": 5}, "too few"),
        ({"charge": 0.0}, "charge"),
        ({"memory_MB": 0.0}, "positive number of MB"),
        ({"memory_MB": float("nan")}, "positive number of MB"),
        ({"symbols": ["Li"] * 3 + ["Xx"] * 25}, "not a chemical symbol"),
        ({"symbols": ["Li", "O"]}, "shape"),
    ],
)
def test_bad_input_is_one_clear_sentence(crystal, change, message):
    _, positions, symbols = crystal
    values = {
        "positions": positions[: change.pop("n_frames", None)],
        "cells": TRICLINIC,
        "symbols": symbols,
        "frame_interval_fs": 50.0,
        "temperature_K": 600.0,
        **change,
    }
    with pytest.raises(InputError, match=message) as caught:
        analyze(**values)
    assert str(caught.value).count(". ") == 0


def test_wrapped_frames_too_far_apart_are_refused():
    rng = np.random.default_rng(3)
    positions, symbols = in_crystal(brownian(50, 8, 20.0).draw(rng), TRICLINIC, rng)
    with pytest.raises(InputError, match="cannot be unwrapped"):
        analyze(wrap(positions, TRICLINIC), TRICLINIC, symbols, 50.0, 600.0)


def test_positions_that_are_not_numbers_are_refused(crystal):
    _, positions, symbols = crystal
    broken = positions.copy()
    broken[100, 3] = np.nan
    with pytest.raises(InputError, match="not numbers below"):
        analyze(broken, TRICLINIC, symbols, 50.0, 600.0)


def test_a_time_step_given_for_the_frame_interval_is_noticed(crystal):
    """Ions would be faster than their temperature allows."""
    _, positions, symbols = crystal
    with pytest.raises(InputError, match="faster"):
        analyze(positions, TRICLINIC, symbols, 0.5, 300.0)
