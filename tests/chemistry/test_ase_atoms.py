"""Makers take ASE Atoms where they take Structures, and leave them as they are."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from jobflow import run_locally
from pymatgen.core import Composition, Molecule, Structure
from pymatgen.entries.computed_entries import ComputedEntry

from vitrion.amorphous.makers import MeltQuenchMaker
from vitrion.chemistry.formulas import parse_composition
from vitrion.chemistry.structures import from_atoms
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.makers import MDMaker
from vitrion.errors import InputError
from vitrion.landscape.makers import DefectMaker, LandscapeMaker
from vitrion.relaxation.makers import RelaxMaker

LIF = bulk("LiF", "rocksalt", a=4.08, cubic=True) * (2, 2, 2)


def test_positions_cell_and_velocities_are_kept():
    atoms = LIF.copy()
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(0))
    before = atoms.copy()
    structure = from_atoms(atoms)
    assert structure.cart_coords == pytest.approx(atoms.positions)
    assert structure.lattice.matrix == pytest.approx(atoms.cell.array)
    velocities = np.array(structure.site_properties["velocities"])
    masses = atoms.get_masses()[:, None]
    kinetic_eV = 0.5 * np.sum(masses * (velocities / units.fs) ** 2)
    assert kinetic_eV == pytest.approx(atoms.get_kinetic_energy())
    assert atoms == before
    with pytest.raises(InputError, match="no periodic cell"):
        from_atoms(molecule("H2O"))


@pytest.mark.parametrize("kind", [MDMaker, ConductivityMaker, DefectMaker, MeltQuenchMaker])
def test_makers_take_atoms(kind):
    made = kind().make(LIF)
    job = next(iter(made)) if hasattr(made, "jobs") else made
    given = [value for value in job.function_args if isinstance(value, Structure)]
    assert not any(isinstance(value, Atoms) for value in job.function_args)
    assert given
    assert given[0].formula == "Li32 F32"


def test_composition_of_a_structure_and_of_an_entry():
    structure = from_atoms(LIF)
    for given in (LIF, structure, ComputedEntry(structure.composition, -1.0)):
        assert parse_composition(given) == Composition("LiF")
    with pytest.raises(InputError, match="A Lattice is not a composition"):
        parse_composition(structure.lattice)


def test_lists_of_atoms_and_a_run(tmp_path):
    flow = LandscapeMaker().make([LIF, LIF])
    assert sum(job.name.startswith("defects") for job in flow.jobs) == 2
    settings = {"temperature_K": 300, "duration_ps": 0.01, "save_interval_fs": 2.0}
    job = MDMaker(settings=settings).make(LIF)
    responses = run_locally(
        job, root_dir=tmp_path, create_folders=True, ensure_success=True, log=False
    )
    assert responses[job.uuid][1].output.formula_pretty == "LiF"


@pytest.mark.parametrize("kind", [ConductivityMaker, MDMaker, RelaxMaker, DefectMaker])
def test_makers_refuse_what_is_not_a_structure(kind):
    disordered = Structure(LIF.cell.array, [{"Li": 0.5, "Na": 0.5}], [[0, 0, 0]])
    for wrong in ("LiF.cif", None, Molecule(["Li", "F"], [[0, 0, 0], [0, 0, 1.6]])):
        with pytest.raises(InputError, match=f"A {type(wrong).__name__} is not a structure"):
            kind().make(wrong)
    with pytest.raises(InputError, match="partial occupancies"):
        kind().make(structure=disordered)
    with pytest.raises(InputError, match="list"):
        kind().make([])


def test_makers_take_stored_structures_and_tuples():
    structure = from_atoms(LIF)
    stored = MDMaker().make(structure.as_dict())
    assert stored.function_args == (structure,)
    several = ConductivityMaker().make((structure, LIF))
    assert several.function_args == ([structure, structure],)
    reference = RelaxMaker().make(structure).output.structure
    assert MDMaker().make(reference).function_args == (reference,)
