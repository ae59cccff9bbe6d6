"""From a barrier network to the diffusivity of its carriers, on fields with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Lattice, Structure

from vitrion.defects.energies import EnergySettings, defect_energies
from vitrion.defects.enumeration import vacancies
from vitrion.defects.host import prepare_host
from vitrion.errors import InputError
from vitrion.migration.attempt_frequencies import AttemptFrequencies
from vitrion.migration.bands import Band
from vitrion.migration.barriers import barrier_network, vacancy_carriers
from vitrion.migration.network_walk import network_walk
from vitrion.relaxation.relaxers import FixedCellRelaxer
from vitrion.transport.constants import KB_EV_PER_K

A = 4.0
HEIGHT = 0.4


class CosineField(Calculator):
    """Li in ``HEIGHT sum_k sin^2(pi x_k / A)``; Xe on springs at the body centers."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions
        free = np.array([s == "Li" for s in self.atoms.get_chemical_symbols()])[:, None]
        spring = np.where(free, 0.0, x - np.round(x / A - 0.5) * A - A / 2)
        phase = np.pi * x / A
        energy = (HEIGHT * np.sin(phase) ** 2)[free[:, 0]].sum() + 0.5 * (spring**2).sum()
        forces = np.where(free, -HEIGHT * np.pi / A * np.sin(2 * phase), 0.0) - spring
        self.results = {"energy": energy, "forces": forces}


def relax_band(images):
    from ase.mep import NEB
    from ase.optimize import FIRE
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = [AseAtomsAdaptor.get_atoms(image, msonable=False) for image in images]
    for image in atoms:
        image.calc = CosineField()
    band = NEB(atoms, climb=True, method="improvedtangent")
    done = FIRE(band, logfile=None).run(fmax=0.01, steps=200)
    energies = tuple(float(a.get_potential_energy()) for a in atoms)
    saddle = AseAtomsAdaptor.get_structure(atoms[int(np.argmax(energies))])
    return Band(energies, bool(done), saddle)


@pytest.fixture(scope="module")
def network():
    cubic = Structure(Lattice.cubic(A), ["Li", "Xe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    relax = FixedCellRelaxer(CosineField(), fmax_eV_per_A=0.005)
    host = prepare_host(cubic, "Li", relax, supercell_side_A=8.0)
    settings = EnergySettings(rattle_A=0.0)
    carriers = vacancy_carriers(host, defect_energies(host, vacancies(host), relax, settings))
    return barrier_network(
        host, carriers, relax, relax_band, settings, n_between=3, vibrate=CosineField()
    )


def test_attempt_frequency_is_that_of_an_ion_in_the_cosine_field(network):
    """All other modes cancel, but for the one translation that the field does not leave free."""
    from ase import units

    (hop,) = network.hops
    mass = Atoms("Li").get_masses()[0] * units._amu
    curvature = 2 * HEIGHT * (np.pi / A) ** 2 * units._e * 1e20
    assert hop.attempt_frequency_Hz == pytest.approx(
        np.sqrt(curvature / mass) / (2 * np.pi), rel=0.25
    )
    assert hop.backward_attempt_frequency_Hz == pytest.approx(hop.attempt_frequency_Hz, rel=0.05)


def test_network_of_one_hop_walks_as_the_simple_cubic_lattice(network):
    (hop,) = network.hops
    cells = [[abs(x) for x in cell] for _, _, cell in hop.copies]
    assert sorted(cells) == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    walk = network_walk(network, A * np.eye(3), 500.0)
    frequency = np.sqrt(hop.attempt_frequency_Hz * hop.backward_attempt_frequency_Hz)
    barrier = hop.saddle_energy_eV - network.site_energies_eV[0]
    assert barrier == pytest.approx(HEIGHT, abs=5e-3)
    rate = frequency * np.exp(-barrier / (KB_EV_PER_K * 500.0))
    assert walk.isotropic_cm2_s == pytest.approx(rate * A**2 * 1e-16)


def test_hop_without_attempt_frequency_has_ten_terahertz(network):
    plain = network.model_copy(
        update={"hops": [network.hops[0].model_copy(update={"attempt_frequency_Hz": None})]}
    )
    ratio = (
        network_walk(plain, A * np.eye(3), 500.0).isotropic_cm2_s
        / network_walk(network, A * np.eye(3), 500.0).isotropic_cm2_s
    )
    hop = network.hops[0]
    frequency = np.sqrt(hop.attempt_frequency_Hz * hop.backward_attempt_frequency_Hz)
    assert ratio == pytest.approx(1e13 / frequency)


def test_hop_that_did_not_relax_is_closed_and_places_are_needed(network):
    closed = network.model_copy(
        update={"hops": [network.hops[0].model_copy(update={"converged": False})]}
    )
    assert network_walk(closed, A * np.eye(3), 500.0).isotropic_cm2_s == 0.0
    with pytest.raises(InputError, match="places"):
        network_walk(network.model_copy(update={"site_places": []}), A * np.eye(3), 500.0)


def test_band_without_saddle_point_says_so():
    cell = Structure(Lattice.cubic(A), ["Li"], [[0, 0, 0]])
    found = AttemptFrequencies(CosineField()).of_hop(
        (0, 0), cell, cell, Band((0.0, HEIGHT, 0.0), converged=True)
    )
    assert "saddle point" in found["failure"]


def test_vibrations_of_a_site_are_computed_once():
    class Counting(CosineField):
        calls = 0

        def calculate(self, *args, **kwargs):
            self.calls += 1
            super().calculate(*args, **kwargs)

    places = [[0, 0, 0], [0.5, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]
    cell = Structure(Lattice.orthorhombic(2 * A, A, A), ["Li", "Li", "Xe", "Xe"], places)
    top = cell.copy()
    top.translate_sites([0], [0.25, 0, 0])
    band = Band((0.0, HEIGHT, 0.0), converged=True, saddle=top)
    found, calls = [], []
    for sites in ((0, 1), (0, 0)):
        calculator = Counting()
        found.append(AttemptFrequencies(calculator).of_hop(sites, cell, cell, band))
        calls.append(calculator.calls)
    assert set(found[0]) == {"forward_Hz", "backward_Hz", "soft_modes"}
    assert found[1] == pytest.approx(found[0])
    assert calls[0] - calls[1] >= 24  # two forces for each of twelve coordinates
