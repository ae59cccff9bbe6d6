"""GROMACS' .gro files: lengths in nm, times in ps, names of atoms."""

import numpy as np
import pytest

from helpers.reader_checks import CELL, LENGTH, assert_agrees, read
from vitrion.errors import InputError
from vitrion.transport.io import open_frames


def write_gro(path, run, title="run t= {:.5f} step= {}", decimals=5, **options):
    """Write frames; ``names`` replaces names of atoms, ``box`` is in nm."""
    names = options.get("names", {})
    width = decimals + 5
    with path.open("w") as file:
        for k, frame in enumerate(run[0] % LENGTH):
            file.write(f"{title.format(0.1 * k, 50 * k)}\n{len(frame)}\n")
            for i, (symbol, place) in enumerate(zip(run[1], frame / 10.0, strict=True)):
                name = names.get(symbol, symbol.upper())
                places = "".join(f"{x:{width}.{decimals}f}" for x in place)
                velocities = "".join(f"{0.1:{width}.4f}" for _ in range(3))
                file.write(f"{1:5d}{'MOL':<5}{name:>5}{i + 1:5d}{places}{velocities}\n")
            file.write(options.get("box", "   1.20000   1.20000   1.20000\n"))


@pytest.mark.parametrize("names", [{}, {"Li": "LI1", "O": "O12"}, {"Li": "Li+", "O": "O"}])
def test_times_cell_and_names_are_read(tmp_path, run, expected, names):
    path = tmp_path / "traj.gro"
    write_gro(path, run, names=names)
    assert_agrees(read(path), expected)
    with pytest.raises(InputError, match="100 fs apart by what the trajectory states"):
        read(path, frame_interval_fs=1000.0)


def test_frames_without_times_need_the_interval(tmp_path, run, expected):
    path = tmp_path / "conf"
    write_gro(path, run, title="made by hand")
    with pytest.raises(InputError, match="does not state the time between its frames"):
        read(path)
    assert_agrees(read(path, frame_interval_fs=100.0), expected)


def test_a_triclinic_box_has_nine_numbers(tmp_path, run):
    path = tmp_path / "traj.gro"
    write_gro(path, run, box="   1.2 1.2 1.2 0.0 0.0 0.3 0.0 0.0 0.0\n")
    assert read(path).volume_A3 == pytest.approx(np.linalg.det(CELL))
    write_gro(path, run, box="   1.2 1.2\n")
    with pytest.raises(InputError, match=r"box of frame 1 \(line 2\) cannot be read"):
        read(path)


def test_a_box_of_zeros_is_replaced_by_a_cell(tmp_path, run, expected):
    path = tmp_path / "traj.gro"
    write_gro(path, run, box="   0.00000   0.00000   0.00000\n")
    with pytest.raises(InputError, match=r"no periodic cell in frame 1 .*--cell a,b,c"):
        read(path)
    assert_agrees(read(path, cell="12"), expected)
    write_gro(path, run)
    with pytest.raises(InputError, match="states its own cell"):
        read(path, cell="12")


def test_a_truncated_frame_is_left_out(tmp_path, run):
    path = tmp_path / "traj.gro"
    write_gro(path, run)
    path.write_text(path.read_text()[:-200])
    assert read(path).n_frames == len(run[0]) - 1


@pytest.mark.parametrize("name", ["OS", "OG1", "CA", "HO"])
def test_names_of_force_fields_are_not_heavy_elements(tmp_path, run, name):
    """OS is an oxygen of an ether in a force field, and osmium otherwise."""
    path = tmp_path / "traj.gro"
    write_gro(path, run, names={"O": name})
    letters = name.rstrip("1")
    with pytest.raises(InputError, match=f"{name} in frame 1 .* write {letters.capitalize()} or"):
        read(path)


@pytest.mark.parametrize(("residue", "name", "symbol"), [("CA", "CA", "Ca"), ("MOL", "Os", "Os")])
def test_ions_and_elements_with_a_small_letter_are_themselves(tmp_path, run, residue, name, symbol):
    path = tmp_path / "traj.gro"
    write_gro(path, run, names={"O": name})
    path.write_text(path.read_text().replace(f"MOL  {name:>5}", f"{residue:<5}{name:>5}"))
    assert set(open_frames(path).symbols) == {"Li", symbol}
