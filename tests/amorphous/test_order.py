import tracemalloc

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure

from helpers.glass_crystals import NAMES, crystal, displaced
from helpers.pages import DOCS
from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.order import bragg_intensity, long_range_order
from vitrion.amorphous.pack import pack
from vitrion.amorphous.start_cell import melt_start
from vitrion.database.document_file import read_documents
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError

MAP = DOCS / "results" / "interphase"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("primitive", [True, False])
def test_crystals_at_rest_map_onto_themselves(name, primitive):
    cell = melt_start(crystal(name, primitive=primitive), n_atoms=60).structure
    order = long_range_order(cell)
    assert order.overlap == pytest.approx(1, abs=1e-3)
    assert not order.is_amorphous


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width_A", [0.15, 0.25])
def test_vibrating_crystals_are_not_amorphous(name, width_A):
    rng = np.random.default_rng(int(100 * width_A))
    cell = melt_start(crystal(name, primitive=True), n_atoms=60).structure
    order = long_range_order(displaced(cell, width_A, rng))
    # the overlap of two independently displaced copies, averaged over the Gaussian
    expected = (1 + 2 * width_A**2 / 0.5**2) ** -1.5
    assert order.overlap == pytest.approx(expected, abs=0.15)
    assert not order.is_amorphous


def test_the_isometry_that_is_found_maps_a_garnet_onto_itself():
    cell = crystal("garnet", primitive=True)
    order = long_range_order(cell)
    assert abs(round(np.linalg.det(order.rotation))) == 1
    assert not np.array_equal(order.rotation, np.eye(3))  # the cell is one primitive cell


@pytest.mark.parametrize("formula", ["LiPO2F2", "Li3PO4", "SiO2", "LiF", "Li2P2O5F2"])
@pytest.mark.parametrize("seed", [0, 1])
def test_packed_cells_are_amorphous(formula, seed):
    cell = pack(formula, n_atoms=64, seed=seed).structure
    cell.scale_lattice(cell.volume / 1.35)  # as dense as the crystal
    assert long_range_order(cell).is_amorphous


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_a_few_atoms_of_a_nonmetal_are_not_a_framework(seed):
    cell = pack("Cu15P", n_atoms=64, seed=seed).structure
    cell.scale_lattice(cell.volume / 1.35)
    assert long_range_order(cell).is_amorphous  # by its four P alone it is not
    few = pack("Cu20P", n_atoms=63, seed=seed).structure
    assert long_range_order(few).is_amorphous


@pytest.fixture(scope="module")
def melted_and_vibrating(tmp_path_factory):
    """Copper that has been melted at 3000 K, and fcc copper at 600 K: real dynamics."""
    folder = tmp_path_factory.mktemp("copper")
    start = bulk("Cu", cubic=True) * (2, 2, 2)
    runs = {}
    for name, temperature, scale, duration in (("hot", 3000, 1.06, 1.2), ("warm", 600, 1.0, 0.6)):
        atoms = Atoms(start)
        atoms.set_cell(start.cell * scale, scale_atoms=True)
        settings = MDSettings(
            temperature_K=temperature, duration_ps=duration, timestep_fs=4.0, seed=1
        )
        runs[name] = run_md(atoms, EMT(), settings, folder / name).structure
    return runs


def test_a_melt_is_amorphous_and_a_hot_crystal_is_not(melted_and_vibrating):
    assert long_range_order(melted_and_vibrating["hot"]).is_amorphous
    assert not long_range_order(melted_and_vibrating["warm"]).is_amorphous


def test_a_crystal_with_molten_lithium_is_not_amorphous():
    rng = np.random.default_rng(3)
    cell = melt_start(crystal("antifluorite"), n_atoms=90).structure
    positions = cell.cart_coords + rng.normal(0, 0.15, (len(cell), 3))
    lithium = [i for i, site in enumerate(cell) if site.specie.symbol == "Li"]
    positions[lithium] = rng.random((len(lithium), 3)) @ cell.lattice.matrix
    molten = Structure(cell.lattice, cell.species, positions, coords_are_cartesian=True)
    assert not long_range_order(molten).is_amorphous
    # asked about all atoms, two thirds of them are disordered
    assert long_range_order(molten, mobile=()).overlap < long_range_order(molten).overlap


def test_a_displaced_half_lowers_the_overlap():
    rng = np.random.default_rng(4)
    cell = melt_start(crystal("rock salt"), n_atoms=100).structure
    positions = cell.frac_coords.copy()
    half = positions[:, 2] < 0.5
    positions[half] = rng.random((half.sum(), 3)) * [1, 1, 0.5]
    overlap = long_range_order(Structure(cell.lattice, cell.species, positions)).overlap
    assert 0.3 < overlap < 0.8


def test_bragg_intensity_is_one_for_a_lattice_and_small_for_a_gas():
    grid = np.stack(np.meshgrid(*3 * [np.arange(4) / 4], indexing="ij"), axis=-1).reshape(-1, 3)
    species = ["Li", "F"] * (len(grid) // 2)
    assert bragg_intensity(Structure(Lattice.cubic(12.0), species, grid)) == pytest.approx(1)
    assert bragg_intensity(crystal("cesium chloride")) == pytest.approx(1), "no peaks cancel"
    gas = np.random.default_rng(0).random((500, 3))
    # exponentially distributed with mean 1/N: the largest of n wave vectors is about ln(n) / N
    assert bragg_intensity(Structure(Lattice.cubic(12.0), ["Li"] * 500, gas)) < 25 / 500


def test_memory_of_bragg_peaks_is_limited(monkeypatch):
    monkeypatch.setattr("vitrion.amorphous.order.PHASES_AT_ONCE", 10**6, raising=False)
    gas = np.random.default_rng(0).random((500, 3))
    structure = Structure(Lattice.cubic(12.0), ["Li"] * 500, gas)
    tracemalloc.start()
    bragg_intensity(structure)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 30e6


def test_a_cell_that_ordered_in_the_quench_is_found_by_its_bragg_peaks():
    """No isometry maps most of its ions onto each other, but its planes are of a crystal."""
    (document,) = [
        found
        for found in read_documents(MAP / "glass-Li4PO4F-1.jsonl.gz")
        if isinstance(found, AmorphousDoc)
    ]
    order = long_range_order(document.structure)
    assert order.overlap < 0.5
    assert order.bragg == pytest.approx(0.66, abs=0.01)
    assert not order.is_amorphous
    assert document.crystallized


def test_too_few_atoms_are_refused():
    with pytest.raises(InputError, match="at least four"):
        long_range_order(Structure(Lattice.cubic(4), ["Li", "F"], [[0] * 3, [0.5] * 3]))
