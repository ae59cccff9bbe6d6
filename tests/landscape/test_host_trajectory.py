"""A trajectory is compared with the structure whose sites it is to show."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.errors import InputError
from vitrion.landscape.makers import trajectory_barrier, trajectory_peaks

LIF = bulk("LiF", "rocksalt", a=4.08, cubic=True)
STRUCTURE = AseAtomsAdaptor.get_structure(LIF)


def shaken(atoms, n=60):
    rng = np.random.default_rng(0)
    frames = [atoms.copy() for _ in range(n)]
    for frame in frames:
        frame.positions += rng.normal(scale=0.08, size=frame.positions.shape)
    return frames


def distances(peaks):
    """Return the distance of each peak from the nearest lithium site, in A."""
    lithium = STRUCTURE.frac_coords[[site.specie.symbol == "Li" for site in STRUCTURE]]
    return STRUCTURE.lattice.get_all_distances(peaks, lithium).min(axis=1)


@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 2, 2), (3, 1, 1), "primitive", "turned"])
def test_peaks_of_a_supercell_are_folded_back(tmp_path, repeat):
    """Peaks taken for fractions of the unit cell would lie 2 A away from the sites."""
    atoms = LIF.copy()
    if repeat == "turned":
        atoms = LIF * (2, 1, 1)
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    elif repeat == "primitive":
        atoms.set_cell(np.array([[1, 1, 0], [1, -1, 0], [0, 0, 1]]) @ atoms.cell, scale_atoms=False)
        shifted = LIF.copy()
        shifted.positions += LIF.cell[0]
        atoms = Atoms(
            [*LIF.symbols, *shifted.symbols],
            np.concatenate([LIF.positions, shifted.positions]),
            cell=atoms.cell,
            pbc=True,
        )
        atoms.wrap()
    else:
        atoms = LIF * repeat
    write(tmp_path / "run.traj", shaken(atoms))
    peaks = trajectory_peaks(STRUCTURE, str(tmp_path / "run.traj"), "Li+")
    assert len(peaks) == 4
    assert distances(peaks).max() < 0.15


def test_another_material_or_cell_is_refused(tmp_path):
    path = tmp_path / "run.traj"

    def refused(atoms, message):
        write(path, shaken(atoms))
        with pytest.raises(InputError, match=message):
            trajectory_peaks(STRUCTURE, str(path), "Li")

    refused(bulk("LiCl", "rocksalt", a=4.08, cubic=True), "holds Cl4Li4 and the structure F4Li4")
    stretched = LIF * (2, 1, 1)
    stretched.set_cell(stretched.cell * 1.2, scale_atoms=True)
    refused(stretched, r"9\.79 x 4\.90 x 4\.90 A\) is neither the cell of the structure")
    shifted = LIF.copy()
    shifted.positions += [1.0, 1.0, 1.0]
    refused(shifted, "framework of the trajectory is 1.7 A from")
    with pytest.raises(InputError, match="of LiF, not of LiCl"):
        trajectory_barrier(str(path), "Li", "LiCl")
