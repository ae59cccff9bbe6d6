"""Trajectories as other programs write them: exchanged atoms, Windows lines, Fortran's numbers."""

import re

import numpy as np
import pytest

from helpers.trajectory_files import cubic_bounds, write_lammps, write_xyz
from helpers.walkers import hopping, in_crystal
from vitrion.errors import InputError
from vitrion.transport import analyze, analyze_file

LENGTH = 20.0
LATTICE = f'Lattice="{LENGTH} 0 0 0 {LENGTH} 0 0 0 {LENGTH}" pbc="T T T"'


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(3)
    return in_crystal(hopping(120, 16, 10.0, vibration=0.1).draw(rng), np.eye(3) * LENGTH, rng)


@pytest.fixture(scope="module")
def expected(run):
    positions, symbols = run
    found = analyze(positions, np.eye(3) * LENGTH, symbols, 100.0, 800.0)
    return found.apparent_diffusivity_cm2_s


def diffusivity(path, **options):
    return analyze_file(path, "Li", 800.0, spatial=False, **options).apparent_diffusivity_cm2_s


def test_atoms_that_are_exchanged_are_not_taken_for_the_same(run, tmp_path):
    """A grand-canonical run keeps the number and the elements, and gives new atoms new ids."""
    positions, symbols = run
    path = tmp_path / "gcmc.dump"
    write_lammps(path, positions % LENGTH, symbols, cubic_bounds(LENGTH))
    frames = path.read_text().split("ITEM: TIMESTEP")
    last = len(symbols)
    for k in range(60, len(frames)):
        frames[k] = re.sub(rf"\n{last} ", f"\n{last + 7} ", frames[k])
    path.write_text("ITEM: TIMESTEP".join(frames))
    with pytest.raises(InputError, match=rf"frame 60 .* id {last + 7} in place of {last}: "):
        diffusivity(path, timestep_fs=2.0)


@pytest.mark.parametrize("kind", ["lines", "exponents", "times"])
def test_spellings_of_other_programs(run, expected, tmp_path, kind):
    positions, symbols = run
    path = tmp_path / "a.extxyz"
    time = " time_fs={}" if kind == "times" else ""
    write_xyz(path, positions % LENGTH, symbols, lambda k: LATTICE + time.format(100.0 * k))
    text = path.read_text()
    if kind == "lines":
        path.write_bytes(text.replace("\n", "\r\n").encode())
    if kind == "exponents":
        rows = [
            line if "Lattice" in line else re.sub(r"(\.\d+)", r"\1D+00", line)
            for line in text.splitlines()
        ]
        assert "D+00" in rows[2]
        path.write_text("\n".join(rows) + "\n")
    options = {} if kind == "times" else {"frame_interval_fs": 100.0}
    assert diffusivity(path, **options) == pytest.approx(expected, rel=1e-3)
