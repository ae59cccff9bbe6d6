"""Schottky defects, and the vacancies of charge neutrality."""

import math
from dataclasses import replace

import pytest

from vitrion.defects.host import prepare_host
from vitrion.defects.schottky import schottky_energy
from vitrion.defects.statistics import log_vacancy_fraction
from vitrion.polymorphs.hull import shipped_references
from vitrion.potentials import load_calculator
from vitrion.relaxation.relaxers import FixedCellRelaxer


@pytest.fixture(scope="module")
def relax():
    return FixedCellRelaxer(load_calculator("vitrion-lipof"), 0.05, 200)


def host_of(structure, relax, side_A=8.0, **options):
    return prepare_host(structure, "Li", relax, supercell_side_A=side_A, **options)


def test_the_vacancies_of_a_formula_unit_are_taken_far_apart(relax):
    removed = []

    def watched(structures):
        removed.append(structures[0].composition)
        return relax(structures)

    host = host_of(shipped_references()["Li2O"], relax)
    energy = schottky_energy(host, watched)
    lost = host.structure.composition - removed[0]
    assert lost.as_dict() == {"Li": 2, "O": 1}
    # Calculated and measured energies of the Schottky defect of Li2O are of some eV.
    assert 2.0 < energy < 8.0


def test_the_energy_is_that_of_the_cell_without_the_unit(relax):
    host = host_of(shipped_references()["LiF"], relax)
    holed = host.structure.copy()
    distances = host.structure.distance_matrix
    lithium = next(k for k, site in enumerate(holed) if site.specie.symbol == "Li")
    fluorine = [k for k, site in enumerate(holed) if site.specie.symbol == "F"]
    farthest = max(fluorine, key=lambda k: round(distances[lithium, k], 3))
    holed.remove_sites([lithium, farthest])
    expected = relax([holed])[0].energy_eV - host.energy_eV * len(holed) / len(host.structure)
    assert schottky_energy(host, relax) == pytest.approx(expected, abs=5e-3)


def test_it_is_not_defined_for_molecular_ions_and_glasses(relax):
    assert schottky_energy(host_of(shipped_references()["Li2CO3"], relax), relax) is None
    crystal = host_of(shipped_references()["LiF"], relax)
    assert schottky_energy(replace(crystal, phase="amorphous"), relax) is None


def test_an_unconverged_relaxation_gives_no_value(relax):
    host = host_of(shipped_references()["LiF"], relax)
    hasty = FixedCellRelaxer(load_calculator("vitrion-lipof"), 1e-6, 1)
    assert schottky_energy(host, hasty) is None


def vacancies(frenkel, excess=0.0, schottky=0.0, n=1):
    log_products = [math.log(product) if product else -math.inf for product in (frenkel, schottky)]
    return math.exp(log_vacancy_fraction(log_products[0], excess, log_products[1], n))


def test_frenkel_pairs_alone():
    assert vacancies(1e-8) == pytest.approx(1e-4)
    assert vacancies(1e-8, excess=0.01) == pytest.approx(0.01 + 1e-6, rel=1e-6)
    assert vacancies(0.0, excess=0.02) == pytest.approx(0.02, rel=1e-12)


@pytest.mark.parametrize(("n", "expected"), [(1, 1e-6), (2, 1e-4)])
def test_schottky_defects_alone(n, expected):
    assert vacancies(0.0, schottky=1e-12, n=n) == pytest.approx(expected)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("excess", [0.0, 1e-6, 1e-3])
def test_charges_balance(n, excess):
    frenkel, schottky = 1e-11, 1e-13
    v = vacancies(frenkel, excess, schottky, n)
    assert v == pytest.approx(excess + frenkel / v + schottky / v**n, rel=1e-9)


def test_products_that_underflow_keep_their_precision():
    assert log_vacancy_fraction(-2000.0) == pytest.approx(-1000.0)
    assert log_vacancy_fraction(-3000.0, log_schottky=-2000.0) == pytest.approx(-1000.0)
