"""Numbers in other types, units and orders are understood or refused, never used as they are."""

import numpy as np
import pandas as pd
import pytest
from ase import units

from helpers.reader_checks import CELL, INTERVAL_FS, LENGTH, assert_agrees, read
from helpers.trajectory_files import cubic_bounds, write_lammps
from vitrion.errors import InputError
from vitrion.transport import analyze, analyze_file


@pytest.mark.parametrize("kelvin", ["700", " 700 K", np.float32(700), np.array([700]), 700])
def test_numbers_are_understood_in_any_type(run, expected, kelvin):
    result = analyze(run[0], CELL, run[1], f"{INTERVAL_FS:g} fs", kelvin, charge="1", wrapped=False)
    assert result.temperature_K == 700.0
    assert_agrees(result, expected)


@pytest.mark.parametrize("kelvin", ["hot", [700, 800], True, None, {"T": 700}])
def test_what_is_not_one_number_is_refused(run, kelvin):
    with pytest.raises(InputError, match="temperature_K must be one number in K, not"):
        analyze(run[0], CELL, run[1], INTERVAL_FS, kelvin)


@pytest.mark.parametrize(
    "wrong", [{"skip_ps": "x"}, {"timestep_fs": "x"}, {"frame_interval_fs": "x"}, {"charge": "x"}]
)
def test_the_argument_that_is_not_a_number_is_named(tmp_path, run, wrong):
    path = tmp_path / "a.dump"
    write_lammps(path, run[0][:30] % LENGTH, run[1], cubic_bounds(LENGTH))
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be one number"):
        read(path, **wrong)


def test_a_word_is_not_taken_for_true(run):
    with pytest.raises(InputError, match="wrapped must be True, False or None, not 'no'"):
        analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, wrapped="no")


def test_swapped_interval_and_temperature_are_refused(run):
    with pytest.raises(InputError, match=r"Temperature 2 K is outside .*interval, here 700"):
        analyze(run[0], CELL, run[1], 700.0, 2.0)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0.1, "0.058 A3 per atom: give all lengths in A"),  # nm
        (1e-10, "give all lengths in A"),  # m
        (None, "give Cartesian positions in A, not fractional"),
    ],
)
def test_other_units_of_length_are_refused(run, factor, message):
    positions, cell = run[0] / LENGTH, CELL
    if factor is not None:
        positions, cell = run[0] * factor, CELL * factor
    with pytest.raises(InputError, match=message):
        analyze(positions, cell, run[1], INTERVAL_FS, 700.0)


def test_a_thin_cell_is_refused(run):
    with pytest.raises(InputError, match=r"cell is 1e-05 A thin: give all lengths in A"):
        analyze(run[0], np.diag([1e4, 1e4, 1e-5]), run[1], INTERVAL_FS, 700.0)


def test_a_huge_cell_needs_no_memory(run):
    """A mistake in one length must not fill the memory."""
    result = analyze(run[0], np.diag([12.0, 12.0, 2e7]), run[1], INTERVAL_FS, 700.0, spatial=True)
    assert result.percolation is None
    assert any("bottlenecks are not computed" in warning for warning in result.warnings)
    assert any("more than a solid" in warning for warning in result.warnings)


def test_a_cell_that_is_too_large_for_a_solid_is_pointed_out(run):
    result = analyze(run[0] / units.Bohr, CELL / units.Bohr, run[1], INTERVAL_FS, 5000.0)
    assert (
        "The cell has 389 A3 per atom, more than a solid: check that lengths are in A."
        in result.warnings
    )
    assert not analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0).warnings


def test_a_position_whose_digits_are_lost_is_refused_by_frame(run):
    positions = run[0].copy()
    positions[57, 3, 0] = 1e30
    with pytest.raises(InputError, match=r"Frame 58 .* not numbers below 1e\+08 A"):
        analyze(positions, CELL, run[1], INTERVAL_FS, 700.0)


def test_arrays_of_other_types(run, expected):
    for positions in (run[0].astype(object), run[0].astype(str), run[0].tolist()):
        found = analyze(positions, np.diag(CELL), run[1], INTERVAL_FS, 700.0, wrapped=False)
        assert_agrees(found, expected)
    with pytest.raises(InputError, match="numbers in A, not complex128"):
        analyze(run[0].astype(complex), CELL, run[1], INTERVAL_FS, 700.0)


def test_paths_in_any_container(tmp_path, run, expected, monkeypatch):
    write_lammps(tmp_path / "a.dump", run[0] % LENGTH, run[1], cubic_bounds(LENGTH))
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/a.dump", np.str_(tmp_path / "a.dump"), pd.Series([str(tmp_path / "a.dump")])):
        assert_agrees(read(path, timestep_fs=2.0), expected)
    with pytest.raises(InputError, match="is a folder: name the trajectory file"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"symbols to vitrion.analyze\(\)"):
        analyze_file(run[0], "Li", 700.0)
