"""Production runs in the mean cell of dynamics at constant pressure."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from pymatgen.io.ase import AseAtomsAdaptor

from helpers.pair_potentials import VectorizedLennardJones
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.conductivity.mean_cell import DENSITY_SEGMENT, at_mean_volume, mean_cell
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.run_result import load_result

MD = MDSettings(timestep_fs=4.0, save_interval_fs=20.0, bulk_modulus_GPa=5.0, seed=2)


def make_maker(folder, **changes):
    values = {
        "temperatures_K": (60.0, 240.0),
        "density_ps": 1.0,
        "equilibration_ps": 0.2,
        "first_ps": 0.6,
        "extension": 0.0,
        "md": MD,
    }
    return ConductivityMaker(
        settings=ConductivitySettings(**{**values, **changes}),
        workers=1,
        phase="crystalline",
        root_dir=str(folder),
        force_field_name={
            "@module": VectorizedLennardJones.__module__,
            "@callable": VectorizedLennardJones.__name__,
        },
        calculator_kwargs={"sigma": 2.5, "epsilon": 0.1, "rc": 6.0, "smooth": True},
    )


@pytest.fixture(scope="module")
def crystal():
    """A face-centered cubic Lennard-Jones crystal, a quarter of it called lithium."""
    atoms = bulk("Ar", "fcc", a=3.95, cubic=True) * (2, 2, 2)
    atoms.set_chemical_symbols(["Li", "F", "F", "F"] * 8)
    return AseAtomsAdaptor.get_structure(atoms)


@pytest.fixture(scope="module")
def measured(crystal, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    document, finished = make_maker(root).advance([crystal], root)
    assert finished
    return document, root


def test_production_keeps_the_mean_volume_of_its_temperature(measured):
    document, root = measured
    for result in document.results:
        folder = root / f"s0-{result.temperature_K:g}K-r0"
        expected = abs(np.linalg.det(mean_cell(folder / DENSITY_SEGMENT)))
        assert result.volume_A3 == pytest.approx(expected, rel=1e-9)


def test_crystal_expands_with_temperature_and_the_document_says_so(measured):
    document, _ = measured
    cold, hot = (point.density_g_per_cm3.mean for point in document.densities)
    # The thermal expansion of Lennard-Jones argon between half and 0.2 of its melting point is 5 %.
    assert 0.85 * cold < hot < 0.99 * cold
    assert [point.temperature_K for point in document.densities] == [60.0, 240.0]


def test_density_is_that_of_the_mean_volume(measured, crystal):
    document, root = measured
    volume = abs(np.linalg.det(mean_cell(root / "s0-60K-r0" / DENSITY_SEGMENT)))
    mass = crystal.composition.weight * 1.66053906892
    assert document.densities[0].density_g_per_cm3.mean == pytest.approx(mass / volume)


def test_pressure_of_the_production_is_about_zero(measured):
    """At the volume of the cold crystal the hot one would stand under a pressure of 1 GPa."""
    _, root = measured
    start = at_mean_volume(root / "s0-240K-r0" / DENSITY_SEGMENT)
    last = load_result(root / "s0-240K-r0" / "segment-001").structure
    assert last.volume == pytest.approx(start.volume)
    atoms = AseAtomsAdaptor.get_atoms(last, msonable=False)
    atoms.calc = VectorizedLennardJones(sigma=2.5, epsilon=0.1, rc=6.0, smooth=True)
    kinetic = len(atoms) * 8.617e-5 * 240.0 / atoms.get_volume()
    pressure = (kinetic - atoms.get_stress(voigt=True)[:3].mean()) * 160.2177
    assert abs(pressure) < 0.7


def test_run_again_changes_nothing(measured, crystal):
    document, root = measured
    again, finished = make_maker(root).advance([crystal], root)
    assert finished
    assert again.densities == document.densities
    for found, before in zip(again.results, document.results, strict=True):
        assert found.model_dump_json() == before.model_dump_json()  # NaN equals itself here


def test_without_the_segment_the_cell_of_the_structure_is_kept(crystal, tmp_path):
    maker = make_maker(tmp_path, density_ps=0.0, temperatures_K=(60.0,))
    document, _ = maker.advance([crystal], tmp_path)
    assert document.results[0].volume_A3 == pytest.approx(crystal.volume)
    assert document.densities == []
