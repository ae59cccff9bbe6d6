"""Distillation for a chemistry other than the shipped student's, from the example of the guide."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.formula import Formula
from jobflow import run_locally
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure

from vitrion.distill.data.frames import read_frames, read_labelled
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.makers import DistillMaker, LabelMaker, TrainMaker
from vitrion.distill.sample.active import ActiveSettings
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import Chemistry, DynamicsSettings, Mixture, collapsed
from vitrion.distill.samplers import CollectMaker, SeedMaker, SupplementMaker, ase_cells
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.training import TrainingSettings
from vitrion.distill.training_plan import (
    ARCHITECTURE,
    CHEMISTRY,
    SUPPLEMENT,
    crystal_cells,
    defect_crystals,
    supplement_settings,
)
from vitrion.errors import InputError
from vitrion.potentials.student import file_calculator

GUIDE = Path(__file__).parents[2] / "docs" / "how_to" / "chemistry.md"
LENNARD_JONES = Teacher(name="ase.calculators.lj:LennardJones")
SODIUM = {"Na", "P", "O", "F"}
HALITE = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(4.63), ["Na", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


@pytest.fixture(scope="module")
def example():
    """Names that the guide's example defines."""
    code = next(part for part in GUIDE.read_text().split("```python\n") if "Mixture(" in part)
    names = {}
    exec(code.split("```")[0], names)
    return names


@pytest.fixture(scope="module")
def chemistry(example):
    return example["chemistry"]


def run(job):
    return run_locally(job, ensure_success=True, raise_immediately=True)[job.uuid][1].output


@pytest.mark.parametrize(
    ("ions", "bond"),
    [
        ({"Li": 6, "PS4": 2}, ("P", "S", 2.05)),
        ({"Na": 4, "SO4": 2, "Cl": 2, "K": 2}, ("S", "O", 1.48)),
    ],
)
def test_any_element_and_known_polyanions_are_packed(ions, bond):
    atoms = pack_fragments(ions, 20.0, seed=2)
    assert atoms.symbols.formula == Formula(Mixture(ions=ions).formula)
    assert not collapsed(atoms, 1.3)
    center, ligand, length = bond
    distances = atoms.get_all_distances(mic=True)
    owner = atoms.arrays["fragment"]
    same = owner[:, None] == owner
    assert distances[~same].min() > 1.7
    symbols = np.array(atoms.symbols)
    bonds = distances[(symbols == center)[:, None] & (symbols == ligand) & same]
    assert len(bonds) == 8
    np.testing.assert_allclose(bonds, length, atol=0.1)


def test_chemistry_knows_its_elements_and_what_moves(chemistry):
    assert chemistry.elements == SODIUM
    assert Chemistry(mixtures=chemistry.mixtures).mobile == "Na"
    assert Mixture(ions={"Li": 6, "PS4": 2}).formula == "Li6P2S8"
    with pytest.raises(ValueError, match="'Xy' is unknown"):
        Chemistry(mixtures=(Mixture(ions={"Xy": 1}),), mobile="Li")
    with pytest.raises(ValueError, match="name the mobile species"):
        Chemistry(mixtures=(Mixture(ions={"P": 2, "O": 5}),))


def test_crystals_that_come_along_hold_no_other_elements(chemistry):
    assert crystal_cells(chemistry) == defect_crystals(chemistry) == {}
    oxide = Chemistry(mixtures=(Mixture(ions={"Li": 6, "O": 3}),))
    assert crystal_cells(oxide).keys() == {"Li2O", "Li", "Li2O2"}
    assert len(crystal_cells()) == len(defect_crystals()) == 10


def test_supplement_follows_from_the_chemistry(chemistry):
    assert supplement_settings(CHEMISTRY) == SUPPLEMENT
    settings = supplement_settings(chemistry)
    assert settings.mobile == "Na"
    assert settings.glasses == ({"Na": 5, "PO2F2": 5}, {"Na": 9, "PO4": 3})  # NaF is denser
    assert settings.polymorphs.keys() == {"NaPO2F2", "Na3PO4", "NaF"}


def test_flow_of_the_guide_gives_its_chemistry_to_every_stage(example, chemistry):
    jobs = {job.name: job for job in example["flow"].jobs}
    for name in ("seed frames", "collect", "supplement"):
        assert jobs[name].maker.chemistry == chemistry, name
    collect = CollectMaker(chemistry=chemistry, crystals={"NaF": HALITE})
    maker = DistillMaker(collect_maker=collect, seed_maker=SeedMaker(packed=3))
    again = json.loads(json.dumps(maker, cls=MontyEncoder), cls=MontyDecoder)
    jobs = {job.name: job for job in again.make("out").jobs}
    for name in ("seed frames", "collect", "supplement"):
        assert jobs[name].maker.crystals == {"NaF": HALITE}, name
        assert jobs[name].maker.chemistry == chemistry, name
    assert jobs["seed frames"].maker.packed == 3
    own = DistillMaker(collect_maker=collect, supplement_maker=SupplementMaker(crystals={}))
    assert {j.name: j for j in own.make("out").jobs}["supplement"].maker.crystals == {}


def test_disordered_crystals_are_refused():
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    with pytest.raises(InputError, match="mixed has partial occupancies"):
        ase_cells({"NaF": HALITE, "mixed": mixed})


@pytest.mark.slow
def test_guide_is_sampled_trained_and_explored(chemistry, tmp_path):
    """Seeds, labels, a student of default energies of holes, and dynamics with it; at toy size."""
    small = ARCHITECTURE.model_copy(
        update={"channels": 8, "max_ell": 1, "correlation": 1, "radial_layers": (8,)}
    )
    assert small.hole_energy_eV
    crystals = {"NaF": HALITE}
    seeds = SeedMaker(chemistry=chemistry, crystals=crystals, per_crystal=2, packed=10)
    folder = tmp_path / "iteration-000"
    assert run(seeds.make(str(folder), 1))["frames"] == 12
    frames = read_frames(folder / "frames.xyz")
    assert {s for atoms in frames for s in atoms.symbols} == SODIUM
    assert {a.info["config_type"] for a in frames} == {"crystal:NaF", "packed"}
    labels = run(LabelMaker(teacher=LENNARD_JONES).make(str(folder)))
    settings = TrainingSettings(epochs=1, validation_fraction=0.3, largest_force_eV_per_A=1e3)
    train = TrainMaker(settings=settings, architecture=small)
    trained = run(train.make(str(tmp_path / "student"), [labels]))["student"]
    student = file_calculator(trained)
    labelled = read_labelled([folder / "labelled.xyz"])
    assert np.isfinite([student.get_potential_energy(atoms) for atoms in labelled]).all()
    short = ActiveSettings(
        runs=2, frames_per_run=1, dynamics=DynamicsSettings(duration_ps=0.02, interval_fs=10)
    )
    collect = CollectMaker(chemistry=chemistry, settings=short)
    for _ in range(2):
        run(collect.make(str(tmp_path / "iteration-001"), [trained, trained], 2))
    with pytest.raises(InputError, match="other settings"):
        run(collect.make(str(tmp_path / "iteration-001"), [trained, trained], 3))
    other = CollectMaker(settings=short)
    with pytest.raises(InputError, match="other chemistry and crystals"):
        run(other.make(str(tmp_path / "iteration-001"), [trained, trained], 2))
    for atoms in read_frames(tmp_path / "iteration-001" / "frames.xyz"):
        assert set(atoms.symbols) <= SODIUM


def test_energies_of_holes_are_left_out_where_electrons_cannot_be_counted():
    assert ARCHITECTURE.fitting([3, 8, 9, 15]) == ARCHITECTURE
    other = ARCHITECTURE.fitting([8, 11, 15])
    assert (other.hole_energy_eV, other.electron_energy_eV) == (0, 0)
    assert other.channels == ARCHITECTURE.channels
    description = Architecture(hole_energy_eV=0.8).description([9, 11])
    assert description["hole_energy_eV"] == 0
