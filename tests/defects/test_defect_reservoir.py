"""The metal, the voltages of a host, and the same defect in other supercells."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from pymatgen.analysis.phase_diagram import PDEntry
from pymatgen.core import Composition

from helpers.displacements import displace
from vitrion.defects import convergence, reservoir
from vitrion.defects.convergence import check_convergence, supercell_error, transfer
from vitrion.defects.energies import EnergySettings, defect_energies
from vitrion.defects.enumeration import far_pairs, interstitials, near_pairs, vacancies
from vitrion.defects.host import prepare_host, repeat_host
from vitrion.defects.reservoir import given_reservoir, metal_reservoir, voltage_window
from vitrion.defects.sites import candidate_sites
from vitrion.errors import InputError, SimulationError
from vitrion.landscape.study import study_defects
from vitrion.landscape.study_settings import DefectSettings
from vitrion.potentials.batch import batched
from vitrion.relaxation.relax import RelaxSettings
from vitrion.relaxation.relaxers import FixedCellRelaxer


def test_the_metal_is_relaxed_to_its_minimum():
    from ase.build import bulk
    from scipy.optimize import minimize_scalar

    def energy(a):
        atoms = bulk("Cu", a=a)
        atoms.calc = EMT()
        return atoms.get_potential_energy()

    expected = minimize_scalar(energy, bounds=(3.4, 3.8), method="bounded").fun
    found = metal_reservoir("Cu", EMT())
    assert found.chemical_potential_eV == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match="chemical potential"):
        metal_reservoir("Xx", EMT())


class Collapsing(Calculator):
    """Energies that decrease without limit as the cell shrinks, so that no metal relaxes."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        volume = self.atoms.get_volume()
        self.results = {
            "energy": 0.2 * volume,
            "forces": np.zeros((len(self.atoms), 3)),
            "stress": 0.2 * np.array([1.0, 1.0, 1.0, 0, 0, 0]),
        }


def test_a_metal_that_does_not_relax_is_refused(crystal, tmp_path):
    """Its energy would shift all formation energies, so no defect is computed either."""
    with pytest.raises(SimulationError, match=r"Metallic Li did not relax .*chemical_potential_eV"):
        metal_reservoir("Li", Collapsing())


def test_the_metal_is_relaxed_before_the_defects(crystal, calculator, monkeypatch):
    monkeypatch.setattr(reservoir, "SETTINGS", RelaxSettings(fmax_eV_per_A=1e-9, max_steps=2))
    done = []
    with pytest.raises(SimulationError, match="Metallic Li did not relax"):
        study_defects(crystal, calculator, on_progress=lambda *counts: done.append(counts))
    assert not done
    given = DefectSettings(
        chemical_potential_eV=-1.0, kinds=("vacancy",), supercell_side_A=7.5, convergence_sides_A=()
    )
    assert study_defects(crystal, calculator, given).document.reservoir.source == "given"


def test_voltage_window_is_that_of_the_reactions_at_its_ends():
    """Li2O forms from Li at 0 V and gives Li2O2 up, so both ends follow by hand."""
    reservoir = given_reservoir("Li", -2.0)
    energies = {"O2": -10.0, "Li2O": -15.0, "Li2O2": -21.0}
    entries = [PDEntry(Composition(f), e) for f, e in energies.items()]
    low, high = voltage_window(entries, Composition("Li2O"), reservoir)
    # 2 Li2O -> Li2O2 + 2 Li: V = (E(Li2O2) + 2 mu - 2 E(Li2O)) / 2
    assert low == pytest.approx(0.0, abs=1e-9)
    assert high == pytest.approx((-21.0 - 4.0 + 30.0) / 2)
    assert voltage_window(entries, Composition("LiO"), reservoir) is not None
    worse = [*entries[:2], PDEntry(Composition("Li2O2"), -17.0)]
    assert voltage_window(worse, Composition("Li2O2"), reservoir) is None
    with pytest.raises(InputError, match="hull"):
        voltage_window([], Composition("Li2O"), reservoir)


def test_unrelaxed_defects_of_a_pair_potential_are_the_same_in_every_supercell(
    crystal, relax, calculator
):
    host = prepare_host(crystal, "Li", relax, supercell_side_A=11.0)
    other = repeat_host(host.unit_cell, "Li", relax, 15.0, host.group)
    assert other.repeats == (4, 4, 4)
    frozen = FixedCellRelaxer(calculator, max_steps=0)
    settings = EnergySettings(rattle_A=0.0)
    sites = candidate_sites(host.unit_cell, host.group, min_radius_A=1.2)
    operations = [*vacancies(host), interstitials(host, sites)[0], near_pairs(host, sites)[-1]]
    first = defect_energies(host, operations, frozen, settings)
    moved = [transfer(operation, host, other) for operation in operations]
    second = defect_energies(other, moved, frozen, settings)
    for a, b in zip(first, second, strict=True):
        assert b.record.energy_eV == pytest.approx(a.record.energy_eV, abs=1e-6)
        assert b.record.pair_distance_A == pytest.approx(a.record.pair_distance_A)


def test_convergence_lists_each_size_once(crystal, relax):
    host = prepare_host(crystal, "Li", relax, supercell_side_A=7.5)
    operations = vacancies(host)
    settings = EnergySettings(rattle_A=0.0)
    defects = defect_energies(host, operations, relax, settings)
    points = check_convergence(host, defects, operations, relax, settings, (7.0, 11.0))
    assert [point.n_atoms for point in points] == [32, 108]
    energies = [point.energy_eV for point in points]
    assert np.ptp(energies) < 0.05
    assert supercell_error(points) == pytest.approx(np.ptp(energies))
    assert supercell_error(points[:1]) is None


def test_a_size_at_which_the_defect_did_not_relax_is_left_out(crystal, relax, calculator):
    host = prepare_host(crystal, "Li", relax, supercell_side_A=7.5)
    settings = EnergySettings(rattle_A=0.05)
    defects = defect_energies(host, vacancies(host), relax, settings)
    frozen = FixedCellRelaxer(calculator, fmax_eV_per_A=0.02, max_steps=0)
    points = check_convergence(host, defects, vacancies(host), frozen, settings, (11.0,))
    assert [point.n_atoms for point in points] == [32]
    assert supercell_error(points) is None


def test_pairs_far_apart_or_recombined_do_not_measure_the_supercell(crystal, relax, monkeypatch):
    def recombine(*args, **options):
        found = defect_energies(*args, **options)
        for defect in found:
            defect.record.recombined = True
        return found

    host = prepare_host(crystal, "Li", relax, supercell_side_A=7.5)
    sites = candidate_sites(host.unit_cell, host.group)[:1]
    settings = EnergySettings(rattle_A=0.0)
    unrelaxed = FixedCellRelaxer(relax.potential, fmax_eV_per_A=100.0, max_steps=0)
    for pairs, n_atoms in ((far_pairs, []), (near_pairs, [32, 108])):
        operations = pairs(host, sites)
        defects = defect_energies(host, operations, unrelaxed, settings)
        request = (host, defects, operations, unrelaxed, settings, (11.0,))
        assert [point.n_atoms for point in check_convergence(*request)] == n_atoms
    monkeypatch.setattr(convergence, "defect_energies", recombine)
    assert [point.n_atoms for point in check_convergence(*request)] == [32]


def test_an_annealed_host_that_did_not_relax_gives_no_annealing_energy(glass, relax, calculator):
    host = prepare_host(glass, "Li", relax, phase="amorphous")
    settings = EnergySettings(rattle_A=0.05, anneal=True)
    (found,) = defect_energies(host, vacancies(host)[:1], relax, settings)
    assert found.record.annealing_energy_eV is not None

    def second_fails(structures, *, max_steps=None):
        steps = 0 if len(structures[0]) == len(host.structure) else max_steps
        return relax(structures, max_steps=steps)

    operation = vacancies(host)[0]
    (found,) = defect_energies(host, [operation], second_fails, settings)
    assert found.record.converged
    assert found.record.annealing_energy_eV is None


def test_batches_relax_to_the_same_place_as_one_by_one(crystal, calculator):
    start = crystal.copy()
    start.make_supercell(2)
    start.remove_sites([0])
    displace(start, 0.05, seed=1)
    single = FixedCellRelaxer(calculator, fmax_eV_per_A=0.005)([start])[0]
    many = FixedCellRelaxer(batched(calculator), fmax_eV_per_A=0.005, max_steps=500)(
        [start, crystal]
    )
    assert many[0].converged
    assert many[0].energy_eV == pytest.approx(single.energy_eV, abs=1e-3)
    assert len(many[1].structure) == len(crystal)
    still = FixedCellRelaxer(batched(calculator))([start], max_steps=0)[0]
    assert still.n_steps == 0
    assert np.allclose(still.structure.frac_coords % 1, start.frac_coords % 1)
