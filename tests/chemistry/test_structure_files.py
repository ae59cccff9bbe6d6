"""Structure files of ASE, VASP and LAMMPS users, and what is wrong with those refused."""

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.io import write
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.chemistry.structure_files import read_structure_file
from vitrion.errors import InputError

LIF = bulk("LiF", "rocksalt", a=4.08, cubic=True)


@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz", "a.traj", "a.cif", "POSCAR", "a.lmp"])
def test_structures_that_ase_writes(tmp_path, name):
    path = tmp_path / name
    options = {"format": "extxyz"} if name.endswith("xyz") else {}
    if name == "a.lmp":
        options = {"format": "lammps-data", "masses": True}
    write(path, LIF, **options)
    structure = read_structure_file(path)
    assert structure.composition.formula == "Li4 F4"
    assert structure.volume == pytest.approx(4.08**3, rel=1e-4)
    shortest = structure.distance_matrix[~np.eye(8, dtype=bool)].min()
    assert shortest == pytest.approx(2.04, rel=1e-4)


@pytest.mark.parametrize("name", ["a.txt", "a", "wrong.cif", "wrong.vasp", "wrong.json"])
@pytest.mark.parametrize("kind", ["cif", "vasp", "json", "extxyz", "lammps-data", "xsf", "traj"])
def test_files_are_known_by_their_content(tmp_path, kind, name):
    written = tmp_path / f"written.{kind}"
    if kind == "json":
        written.write_text(AseAtomsAdaptor.get_structure(LIF).to_json())
    else:
        write(written, LIF, format=kind, **({"masses": True} if kind == "lammps-data" else {}))
    if kind == "traj" and name.startswith("wrong"):
        pytest.skip("binary files are recognized by ASE, unless the name is of a text format")
    path = written.rename(tmp_path / name)
    structure = read_structure_file(path)
    assert structure.composition.formula == "Li4 F4"
    assert structure.volume == pytest.approx(4.08**3, rel=1e-4)


@pytest.mark.parametrize("name", ["relax.traj", "XDATCAR"])
def test_the_last_frame_of_a_relaxation_is_taken(tmp_path, name):
    end = LIF.copy()
    end.set_cell(end.cell * 1.02, scale_atoms=True)
    write(tmp_path / name, [LIF, end])
    structure = read_structure_file(tmp_path / name)
    assert structure.volume == pytest.approx((1.02 * 4.08) ** 3)


POSCAR = "x\n{}\n 4 0 0\n 0 5 0\n 0 0 4\nLi F\n1 1\n{}\n 0 0 0\n{}\n"


@pytest.mark.parametrize("name", ["POSCAR", "relaxed.vasp", "crystal.txt"])
@pytest.mark.parametrize(
    ("scale", "lengths"),
    [("1.1", (4.4, 5.5, 4.4)), ("-640", (8.0, 10.0, 8.0)), ("1.0 1.1 0.9", (4.0, 5.5, 3.6))],
)
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("Direct", "0.5 0.5 0.5"),
        ("Cartesian", "2 2.5 2"),
        ("Selective dynamics\nCartesian", "2 2.5 2 T T F"),
    ],
)
def test_scaling_factors_of_a_poscar(tmp_path, name, scale, lengths, kind, place):
    """They scale the lattice and Cartesian coordinates; a negative one is the volume."""
    text = POSCAR.format(scale, kind, place)
    (tmp_path / name).write_text(text.replace("0 0 0\n2", "0 0 0 T T T\n2"))
    structure = read_structure_file(tmp_path / name)
    assert structure.lattice.abc == pytest.approx(lengths)
    assert structure.cart_coords[1] == pytest.approx(np.array(lengths) / 2)
    assert structure.composition.formula == "Li1 F1"


@pytest.mark.parametrize("scale", ["1 1", "1 -1 1", "0", "0 0 1"])
def test_other_scaling_factors_are_refused(tmp_path, scale):
    (tmp_path / "POSCAR").write_text(POSCAR.format(scale, "Direct", "0.5 0.5 0.5"))
    with pytest.raises(InputError, match=f"scaling factor '{scale}' .* three positive numbers"):
        read_structure_file(tmp_path / "POSCAR")


@pytest.mark.parametrize("name", ["POSCAR", "crystal.txt"])
def test_elements_of_an_old_poscar_are_read_or_asked_for(tmp_path, name):
    """VASP 4 names no elements, which pymatgen takes for H and He."""
    old = POSCAR.replace("Li F\n", "").format("1.0", "Direct", " 0.5 0.5 0.5{}")
    (tmp_path / name).write_text(old.format(""))
    with pytest.raises(InputError, match=r"names no elements \(VASP 4\): add a line"):
        read_structure_file(tmp_path / name)
    (tmp_path / name).write_text(old.replace("0 0 0\n ", "0 0 0 Li\n ").format(" F"))
    assert read_structure_file(tmp_path / name).composition.formula == "Li1 F1"


def test_what_is_wrong_is_said(tmp_path):
    write(tmp_path / "a.cif", LIF)
    full = (tmp_path / "a.cif").read_text().replace(" 1.0000", " 1.0020")
    (tmp_path / "icsd.cif").write_text(full)
    with pytest.raises(InputError, match=r"occupancy of 1.002"):
        read_structure_file(tmp_path / "icsd.cif")
    write(tmp_path / "m.xyz", molecule("H2O"))
    with pytest.raises(InputError, match="no periodic cell"):
        read_structure_file(tmp_path / "m.xyz")
    write(tmp_path / "t.lmp", LIF, format="lammps-data")
    with pytest.raises(InputError, match="section Masses"):
        read_structure_file(tmp_path / "t.lmp")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="could not be read as a structure"):
        read_structure_file(tmp_path / "notes.txt")
