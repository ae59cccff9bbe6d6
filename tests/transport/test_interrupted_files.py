"""Files of a run that was killed while it wrote, and files whose names say little."""

import bz2
import gzip
import lzma

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.io import Trajectory, write

from helpers.reader_checks import CELL, INTERVAL_FS, LENGTH, assert_agrees, read
from helpers.trajectory_files import (
    cubic_bounds,
    write_lammps,
    write_vaspout,
    write_vasprun,
    write_xdatcar,
    write_xyz,
)
from vitrion.errors import InputError
from vitrion.transport import analyze

LATTICE = f'Lattice="{LENGTH} 0 0 0 {LENGTH} 0 0 0 {LENGTH}" Properties=species:S:1:pos:R:3'
TAGS = {"POTIM": INTERVAL_FS, "TEBEG": 700.0, "IBRION": 0, "SMASS": 0.0}


def write_gro(path, positions, symbols):
    with path.open("w") as file:
        for frame in positions / 10.0:
            file.write(f"made by hand\n{len(frame)}\n")
            for i, (symbol, place) in enumerate(zip(symbols, frame, strict=True)):
                places = "".join(f"{x:10.5f}" for x in place)
                file.write(f"{1:5d}{'MOL':<5}{symbol:>5}{i + 1:5d}{places}\n")
            file.write("   1.20000   1.20000   1.20000\n")


def write_as(kind, path, run):
    positions, symbols = run[0] % LENGTH, run[1]
    if kind == "lammps":
        write_lammps(path, positions, symbols, cubic_bounds(LENGTH))
    elif kind == "xdatcar":
        write_xdatcar(path, positions, CELL)
    elif kind == "xyz":
        write_xyz(path, positions, symbols, lambda k: LATTICE)
    else:
        write_gro(path, positions, symbols)


@pytest.mark.parametrize("kind", ["lammps", "xdatcar", "xyz", "gro"])
def test_a_last_number_without_all_its_digits_is_not_read(tmp_path, run, kind):
    """The last number may be 1 instead of 11.2; every row still has all its columns."""
    path = tmp_path / "run"
    write_as(kind, path, run)
    path.write_text(path.read_text()[:-7])
    result = read(path, frame_interval_fs=INTERVAL_FS)
    whole = analyze(run[0][:-1], CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)
    assert_agrees(result, whole)
    assert any("is incomplete and is left out" in warning for warning in result.warnings)


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
@pytest.mark.parametrize("name", ["run", "run.lammpstrj"])
def test_compressed_files_are_known_by_content(tmp_path, run, expected, module, name):
    plain = tmp_path / "plain"
    write_as("lammps", plain, run)
    (tmp_path / name).write_bytes(module.compress(plain.read_bytes()))
    assert_agrees(read(tmp_path / name, timestep_fs=2.0), expected)


def test_a_compressed_file_is_read_up_to_its_cut(tmp_path, run):
    path = tmp_path / "run.lammpstrj.gz"
    write_as("lammps", path, run)
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    result = read(path, timestep_fs=2.0)
    n_frames = result.n_frames
    assert 100 < n_frames < 200
    whole = analyze(run[0][:n_frames], CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)
    assert_agrees(result, whole)
    assert any("is incomplete and is left out" in warning for warning in result.warnings)


def test_a_vasprun_of_two_runs_is_not_read_by_half(tmp_path, run):
    path = tmp_path / "vasprun.xml"
    write_vasprun(path, run[0], CELL, run[1], TAGS)
    text = path.read_text()
    cut = text[: text.rindex("<calculation>") + 300]
    path.write_text(cut)
    result = read(path, temperature_K=None)
    assert result.n_frames == len(run[0]) - 1
    assert any("file ends before the end of the run" in warning for warning in result.warnings)
    path.write_text(cut + text)
    with pytest.raises(InputError, match=r"XML is broken in line \d+ .* another one appended"):
        read(path, temperature_K=None)


def test_an_hdf5_file_that_is_open_elsewhere_is_read(tmp_path, run, expected):
    path = tmp_path / "vaspout.h5"
    write_vaspout(path, run[0], CELL, list(run[1]), TAGS)
    for locking in (True, False):
        with h5py.File(path, "r", locking=locking):
            assert_agrees(read(path, temperature_K=None), expected)


def test_the_cell_of_a_pdb_file_is_stated_once(tmp_path, run):
    path = tmp_path / "run.pdb"
    write(path, [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0][:60]])
    lines = path.read_text().splitlines(keepends=True)
    cells = [k for k, line in enumerate(lines) if line.startswith("CRYST1")]
    kept = [line for k, line in enumerate(lines) if k not in cells[1:]]
    path.write_text("".join([*kept, "END\n"]))
    result = read(path, frame_interval_fs=INTERVAL_FS)
    assert (result.n_frames, result.volume_A3) == (60, pytest.approx(np.linalg.det(CELL)))


def test_a_slice_of_an_ase_trajectory_is_a_trajectory(tmp_path, run):
    path = tmp_path / "run.traj"
    write(path, [Atoms(run[1], frame, cell=CELL, pbc=True) for frame in run[0]])
    every = analyze(run[0][::2], CELL, run[1], 2 * INTERVAL_FS, 700.0, wrapped=False)
    with Trajectory(path) as frames:
        assert_agrees(read(frames[::2], frame_interval_fs=2 * INTERVAL_FS), every)


@pytest.mark.parametrize("start", [b"\x28\xb5\x2f\xfd", b"\x1f\x9d", b"PK\x03\x04"])
def test_files_of_other_compressions_are_refused(tmp_path, start):
    path = tmp_path / "run.dump.zst"
    path.write_bytes(start + bytes(100))
    with pytest.raises(InputError, match=r"Decompress .*run\.dump\.zst, or compress it with gzip"):
        read(path)


def test_saved_arrays_are_refused_with_the_way_to_read_them(tmp_path, run):
    path = tmp_path / "run.npz"
    np.savez(path, positions=run[0])
    with pytest.raises(InputError, match="positions, cells and symbols to vitrion"):
        read(path)


def test_overlapping_atoms_are_named(run):
    """A cell in A for positions in Bohr puts atoms of neighboring cells on one another."""
    wrong = run[0].copy()
    wrong[:, -1] = wrong[:, 0] + [LENGTH + 0.2, 0.0, 0.0]
    result = analyze(wrong, CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)
    names = f"Atoms 1 (Li) and {len(run[1])} (O) of the first frame are 0.2 A apart"
    assert any(names in warning for warning in result.warnings)
    right = analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, wrapped=False)
    assert not any("apart" in warning for warning in right.warnings)
