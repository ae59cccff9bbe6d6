"""pymatgen's and ASE's objects are accepted in the whole public API, and never changed."""

import copy

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore
from pydantic import BaseModel
from pymatgen.core import Composition, Element, IStructure, Lattice, Structure

from vitrion.amorphous.contents import plan_composition
from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.chemistry import default_mobile_species
from vitrion.chemistry.structures import from_atoms
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.database.query import build_criteria
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.makers import MDMaker, MDSeriesMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError
from vitrion.flows.glass_conductivity import CrystalConductivityMaker, GlassConductivityMaker
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import complete_recipe
from vitrion.flows.screen import ScreenMaker
from vitrion.generation.makers import GenerateMaker, InpaintMaker
from vitrion.landscape.makers import DefectMaker, LandscapeMaker
from vitrion.polymorphs.makers import PolymorphSearchMaker
from vitrion.potentials import load_calculator
from vitrion.relaxation.makers import RelaxMaker
from vitrion.relaxation.relax import RelaxSettings
from vitrion.transport import analyze, analyze_file


class RelaxedDoc(BaseModel):
    """A document of a relaxation, as of other packages."""

    structure: Structure


SHORT = MDSettings(temperature_K=300, duration_ps=0.004, save_interval_fs=2.0)
POTENTIAL = "vitrion-lipof"


def atoms():
    made = bulk("LiF", "rocksalt", a=4.05, cubic=True) * (2, 2, 2)
    made.set_momenta(np.random.default_rng(0).normal(size=(len(made), 3)))
    made.info["origin"] = "a file"
    made.set_initial_charges([1.0, -1.0] * 32)
    return made


def structure():
    made = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.05), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ) * (2, 2, 2)
    made.add_oxidation_state_by_element({"Li": 1, "F": -1})
    made.add_site_property("selective_dynamics", [[True, False, True]] * 64)
    return made


def immutable():
    return IStructure.from_sites(structure())


def same(one, other):
    if isinstance(one, IStructure):
        return one.as_dict() == other.as_dict()
    if isinstance(one, list):
        return all(map(same, one, other))
    return one == other and one.info == other.info and one.arrays.keys() == other.arrays.keys()


TAKE_A_STRUCTURE = {
    "MDMaker": lambda s: MDMaker(potential=POTENTIAL).make(s),
    "MDSeriesMaker": lambda s: MDSeriesMaker(potential=POTENTIAL).make([s, s]),
    "RelaxMaker": lambda s: RelaxMaker(potential=POTENTIAL).make(s),
    "ConductivityMaker": lambda s: ConductivityMaker(potential=POTENTIAL).make([s]),
    "CrystalConductivityMaker": lambda s: CrystalConductivityMaker().make(s),
    "GlassConductivityMaker": lambda s: GlassConductivityMaker().make(s),
    "MeltQuenchMaker": lambda s: MeltQuenchMaker().make(s),
    "GlassReplicasMaker": lambda s: GlassReplicasMaker().make(s),
    "DefectMaker": lambda s: DefectMaker(potential=POTENTIAL).make(s),
    "LandscapeMaker": lambda s: LandscapeMaker().make([s]),
    "InpaintMaker": lambda s: InpaintMaker().make(s, {"Li": 1}),
    "IonConductorMaker": lambda s: IonConductorMaker(glass_maker=None).make("LiF", crystal=s),
    "Recipe": lambda s: complete_recipe(Recipe.from_preset("quick", formula="LiF", crystal=s)),
    "document": lambda s: ConductivityDoc.from_results(s, {}),
}


@pytest.mark.parametrize("make", [atoms, structure], ids=["ASE", "pymatgen"])
@pytest.mark.parametrize("name", TAKE_A_STRUCTURE)
def test_structures_are_accepted_and_not_changed(name, make):
    given = make()
    before = copy.deepcopy(given)
    assert TAKE_A_STRUCTURE[name](given) is not None
    assert same(given, before)


@pytest.mark.parametrize("name", ["MDMaker", "MeltQuenchMaker", "IonConductorMaker", "Recipe"])
def test_immutable_structures_are_accepted(name):
    assert TAKE_A_STRUCTURE[name](immutable()) is not None


RUN_A_STRUCTURE = {
    "relaxation": lambda s: RelaxMaker(
        potential=POTENTIAL, settings=RelaxSettings(max_steps=1)
    ).run(s),
    "dynamics": lambda s: run_md(s, load_calculator(POTENTIAL), SHORT, "md"),
}


@pytest.mark.parametrize("make", [atoms, structure], ids=["ASE", "pymatgen"])
@pytest.mark.parametrize("name", RUN_A_STRUCTURE)
def test_structures_that_run_are_not_changed(name, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = make()
    if name == "relaxation" and make is atoms:
        pytest.skip("run takes a Structure; make takes Atoms")
    before = copy.deepcopy(given)
    RUN_A_STRUCTURE[name](given)
    assert same(given, before)


@job
def give(value):
    return value


def run_on_output(maker, value, folder):
    """Run a maker on the output of a job, which is not known before."""
    given = give(value)
    flow = Flow([given, maker(given.output)])
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    return run_locally(
        flow, store=store, root_dir=folder, create_folders=True, raise_immediately=True, log=False
    )[flow.jobs[-1].uuid][1].output


TAKE_AN_OUTPUT = [
    *("MDMaker", "MDSeriesMaker", "RelaxMaker", "ConductivityMaker", "CrystalConductivityMaker"),
    *("DefectMaker", "InpaintMaker"),
]


@pytest.mark.parametrize("name", TAKE_AN_OUTPUT)
def test_outputs_that_are_not_structures_are_refused_when_the_job_runs(name, tmp_path):
    maker, mistaken = TAKE_A_STRUCTURE[name], RelaxedDoc(structure=structure())
    with pytest.raises(InputError, match=r"A RelaxedDoc is not a structure: give its structure"):
        run_on_output(maker, mistaken, tmp_path)
    disordered = Structure(Lattice.cubic(4), [{"Li": 0.5, "F": 0.5}], [[0, 0, 0]])
    with pytest.raises(InputError, match="has partial occupancies"):
        run_on_output(maker, disordered, tmp_path)


def test_outputs_are_accepted_as_structures_are(tmp_path):
    relax = RelaxMaker(potential=POTENTIAL, settings=RelaxSettings(max_steps=1)).make
    given = from_atoms(atoms())
    found, expected = (run_on_output(relax, s, tmp_path) for s in (given.to_ase_atoms(), given))
    assert found.energy_eV_per_atom == expected.energy_eV_per_atom


def packed_formula(flow):
    """Return the composition that the first job of a melt-quench packs."""
    return flow.jobs[0].function_args[0]


SMALL = MeltQuenchSettings(n_atoms=60)
TAKE_A_COMPOSITION = {
    "IonConductorMaker": lambda c: IonConductorMaker(crystal_maker=None).make(c).name,
    "GlassConductivityMaker": lambda c: GlassConductivityMaker().make(c).name,
    "MeltQuenchMaker": lambda c: packed_formula(MeltQuenchMaker(settings=SMALL).make(c)),
    "count_atoms": lambda c: MeltQuenchMaker(settings=SMALL).count_atoms(c),
    "PolymorphSearchMaker": lambda c: PolymorphSearchMaker().make(c).name,
    "GenerateMaker": lambda c: GenerateMaker().make(c).function_args,
    "ScreenMaker": lambda c: sorted(ScreenMaker().make([c]).output),
    "Recipe": lambda c: complete_recipe(Recipe.from_preset("quick", formula=c)).run_id,
    "packing": lambda c: plan_composition(c, n_atoms=60).symbols,
    "mobile species": default_mobile_species,
    "query": lambda c: build_criteria({"formula": c}, {}),
}


AMOUNTS = {"Li": 2, "P": 2, "O": 4, "F": 4}
COMPOSITIONS = {
    "Composition": Composition({"Li+": 2, "P5+": 2, "O2-": 4, "F-": 4}),
    "dictionary": {Element(symbol): np.int64(n) for symbol, n in AMOUNTS.items()},
}


@pytest.mark.parametrize("kind", COMPOSITIONS)
@pytest.mark.parametrize("name", TAKE_A_COMPOSITION)
def test_compositions_give_what_formulas_give(name, kind):
    given = COMPOSITIONS[kind]
    before = dict(given)
    made = TAKE_A_COMPOSITION[name](given)
    assert made == TAKE_A_COMPOSITION[name]("LiPO2F2")
    assert dict(given) == before


def test_one_composition_is_a_screen_of_one():
    for given in ("LiPO2F2", AMOUNTS, COMPOSITIONS["Composition"]):
        assert list(ScreenMaker().make(given).output) == ["LiPO2F2"]


def test_atoms_to_insert_are_amounts_that_are_not_reduced():
    maker = InpaintMaker(n=1, sampler={"levels": 2, "correctors": 0})
    for insert in ({"Li": 2}, Composition("Li2"), "Li2"):
        made = maker.make.original(maker, structure(), insert)
        assert made[0].structure.composition["Li"] == 34


def test_elements_are_accepted_where_symbols_are():
    li, f = Element("Li"), Element("F")
    assert build_criteria({"elements": [li, f]}, {}) == build_criteria(
        {"elements": ["Li", "F"]}, {}
    )
    assert Recipe.from_preset("quick", formula="LiF", mobile=li).mobile == "Li"


def walk(n_frames=60):
    rng = np.random.default_rng(1)
    start = rng.random((16, 3)) * 12
    steps = rng.normal(scale=0.3, size=(n_frames, 16, 3)) * ([[[1.0]] * 8 + [[0.1]] * 8])
    return start + np.cumsum(steps, axis=0), ["Li"] * 8 + ["O"] * 8


@pytest.mark.parametrize("kind", ["ASE", "pymatgen"])
def test_trajectories_are_not_changed(kind):
    positions, symbols = walk()
    expected = analyze(positions, np.eye(3) * 12, symbols, 100.0, 600.0)
    lattice = Lattice.cubic(12)
    if kind == "pymatgen":
        frames = [Structure(lattice, symbols, p, coords_are_cartesian=True) for p in positions]
    else:
        frames = [Atoms(symbols, p, cell=np.eye(3) * 12, pbc=True) for p in positions]
    before = copy.deepcopy(frames)
    found = analyze_file(frames, Element("Li"), 600.0, 100.0)
    assert found.apparent_diffusivity_cm2_s == pytest.approx(expected.apparent_diffusivity_cm2_s)
    assert same(frames, before)
