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


def test_the_last_frame_of_a_relaxation_is_taken(tmp_path):
    end = LIF.copy()
    end.set_cell(end.cell * 1.02, scale_atoms=True)
    write(tmp_path / "relax.traj", [LIF, end])
    structure = read_structure_file(tmp_path / "relax.traj")
    assert structure.volume == pytest.approx((1.02 * 4.08) ** 3)


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
