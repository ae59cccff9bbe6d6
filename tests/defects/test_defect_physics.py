"""Known crystals with the shipped potential: minutes, not seconds."""

import pytest
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.landscape.study import study_defects
from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
from vitrion.potentials import load_calculator

POTENTIAL = "vitrion-lipof"
CRYSTALS = {
    "LiF": Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.07), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ),
    "Li2O": Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.66), ["O", "Li"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    ),
}
SETTINGS = DefectSettings(
    kinds=("interstitial", "vacancy", "far"),
    min_radius_A=1.6,
    supercell_side_A=8.0,
    barriers=BarrierSettings(n_between=3),
)


@pytest.fixture(scope="module")
def studies():
    calculator = load_calculator(POTENTIAL)
    found = {}
    for name, crystal in CRYSTALS.items():
        atoms = AseAtomsAdaptor.get_atoms(crystal, msonable=False)
        atoms.calc = calculator
        BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.01, steps=50)
        bands = SETTINGS.barriers.elastic_band(calculator)
        relaxed = AseAtomsAdaptor.get_structure(atoms)
        found[name] = study_defects(relaxed, calculator, SETTINGS, relax_band=bands).document
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CRYSTALS)
def test_a_far_pair_costs_less_than_its_neutral_parts(studies, name):
    """A neutral vacancy has a hole and a neutral interstitial an electron; in a pair one fills the
    other, which sets free an energy up to the band gap (PBE, Materials Project: 5 eV in Li2O, 9 in
    LiF). A potential that knows no holes would have it zero."""
    doc = studies[name]
    parts = doc.interstitial_energy_eV.minimum_eV + doc.vacancy_energy_eV.minimum_eV
    assert 0.5 < parts - doc.frenkel_energy_eV.minimum_eV < {"Li2O": 5.0, "LiF": 9.0}[name]
    assert 1.0 < doc.frenkel_energy_eV.minimum_eV < 4.0


@pytest.mark.slow
def test_vacancies_of_the_oxide_are_faster_than_those_of_the_fluoride(studies):
    """DFT: 0.152 and 0.729 eV (Chen et al., J. Phys. Chem. C 115, 7044 (2011))."""
    barriers = {name: doc.networks[0].percolation[-1].barrier_eV for name, doc in studies.items()}
    assert 0.0 < barriers["Li2O"] < barriers["LiF"] < 1.0


@pytest.mark.slow
def test_the_next_smaller_supercell_says_nearly_the_same(studies):
    assert all(
        doc.supercell_error_eV is None or doc.supercell_error_eV < 0.3 for doc in studies.values()
    )
