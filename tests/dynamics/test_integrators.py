"""The equations of motion: order of the error, and the averages of each ensemble."""

import numpy as np
import pytest
from ase import Atoms, units

from helpers.pair_potentials import IdealGas, argon, lennard_jones
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.trajectory import Trajectory

ENSEMBLES = {
    "nve": {"ensemble": "nve"},
    "bussi": {"thermostat": "bussi"},
    "nose-hoover": {"thermostat": "nose-hoover"},
    "langevin": {"thermostat": "langevin"},
    "npt": {"ensemble": "npt"},
    "npt-full": {"ensemble": "npt", "barostat": "full", "thermostat": "nose-hoover"},
    "ramps": {"ensemble": "npt", "temperature_K": (30.0, 60.0), "pressure_GPa": (0.0, 0.3)},
}
SOFT = {"bulk_modulus_GPa": 3.0, "barostat_time_fs": 1000.0, "checkpoint_interval_steps": 10**6}


def simulate(folder, atoms, calculator, **settings):
    result = run_md(atoms, calculator, MDSettings(**{**SOFT, **settings}), folder)
    return result, Trajectory(result.trajectory)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_conserved_energy_is_kept_to_second_order(tmp_path, name):
    """A quarter of the step has a sixteenth of the error, the work of the baths included."""
    errors = []
    for step in (20.0, 5.0):
        settings = {"temperature_K": 40.0, **ENSEMBLES[name], "thermostat_time_fs": 400.0}
        _, run = simulate(
            tmp_path / str(step),
            argon(),
            lennard_jones(),
            timestep_fs=step,
            duration_ps=4.0,
            save_interval_fs=20.0,
            seed=1,
            **settings,
        )
        conserved = run.conserved()
        errors.append(np.std(conserved[20:]))
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.5)
    assert errors[1] < 1e-3 * 32 * units.kB * 40


def test_nve_keeps_momentum_and_goes_back_the_way_it_came(tmp_path):
    settings = MDSettings(ensemble="nve", temperature_K=60, timestep_fs=5, duration_ps=1)
    forward = run_md(argon(), lennard_jones(), settings, tmp_path / "there").structure
    velocities = np.array(forward.site_properties["velocities"])
    np.testing.assert_allclose(velocities.mean(axis=0), 0, atol=1e-15)
    forward.add_site_property("velocities", (-velocities).tolist())
    backward = run_md(forward, lennard_jones(), settings, tmp_path / "back").structure
    start = argon()
    moved = backward.frac_coords - start.get_scaled_positions()
    assert np.abs(moved - np.round(moved)).max() < 1e-9


@pytest.mark.parametrize("thermostat", ["bussi", "nose-hoover", "langevin"])
def test_kinetic_energy_is_canonical(tmp_path, thermostat):
    """Mean and variance of the kinetic energy with 3N-3 degrees of freedom."""
    _, run = simulate(
        tmp_path,
        argon(),
        lennard_jones(),
        thermostat=thermostat,
        temperature_K=80.0,
        timestep_fs=10.0,
        thermostat_time_fs=50.0,
        duration_ps=30.0,
        save_interval_fs=50.0,
    )
    kelvin = run.temperatures()[100:]
    n_dof = 3 * run.n_atoms - 3
    assert kelvin.mean() == pytest.approx(80, rel=0.02)
    assert kelvin.var() == pytest.approx(2 * 80**2 / n_dof, rel=0.2)


def test_single_atoms_need_no_fixed_center_of_mass(tmp_path):
    atoms = Atoms("Ar", [[1, 2, 3]], cell=np.eye(3) * 10, pbc=True)
    _, run = simulate(
        tmp_path,
        atoms,
        IdealGas(),
        fix_center_of_mass=False,
        thermostat="langevin",
        temperature_K=100.0,
        timestep_fs=10.0,
        duration_ps=40.0,
        max_temperature_K=1e5,
    )
    assert run.temperatures().mean() == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize("barostat", ["isotropic", "full"])
@pytest.mark.parametrize(
    ("duration_ps", "tolerance"),
    [(60.0, 0.08), pytest.param(1200.0, 0.02, marks=pytest.mark.slow)],
)
def test_volume_of_an_ideal_gas_is_a_gamma_distribution(tmp_path, barostat, duration_ps, tolerance):
    """p(V) is proportional to V^(N-1) exp(-PV/kT): mean N kT/P, variance N (kT/P)^2."""
    n, kelvin, gpa = 8, 300.0, 0.05
    expected = n * units.kB * kelvin / (gpa * units.GPa)
    length = expected ** (1 / 3)
    positions = np.random.default_rng(0).random((n, 3)) * length
    atoms = Atoms("Ar" * n, positions, cell=np.eye(3) * length, pbc=True)
    _, run = simulate(
        tmp_path,
        atoms,
        IdealGas(),
        ensemble="npt",
        barostat=barostat,
        temperature_K=kelvin,
        pressure_GPa=gpa,
        timestep_fs=10.0,
        thermostat_time_fs=50.0,
        bulk_modulus_GPa=gpa,
        barostat_time_fs=250.0,
        duration_ps=duration_ps,
        save_interval_fs=50.0,
        min_distance_A=0.0,
    )
    volume = np.abs(np.linalg.det(run.cells()[40:]))
    assert volume.mean() == pytest.approx(expected, rel=tolerance)
    assert volume.std() / volume.mean() == pytest.approx(n**-0.5, rel=2 * tolerance)
    assert run.pressures()[40:].mean() == pytest.approx(gpa, rel=tolerance)


def test_full_barostat_relaxes_a_strained_crystal(tmp_path):
    atoms = argon()
    atoms.set_cell(atoms.cell.array @ np.diag([1.04, 1.0, 0.97]), scale_atoms=True)
    _, run = simulate(
        tmp_path,
        atoms,
        lennard_jones(),
        ensemble="npt",
        barostat="full",
        temperature_K=10.0,
        pressure_GPa=0.1,
        timestep_fs=10.0,
        thermostat_time_fs=200.0,
        duration_ps=30.0,
    )
    cell = run.cells()[100:].mean(axis=0)
    lengths = np.linalg.norm(cell, axis=1)
    assert np.ptp(lengths) < 0.015 * lengths.mean()
    np.testing.assert_allclose(cell - np.diag(np.diag(cell)), 0, atol=0.02 * lengths.mean())
    assert run.pressures()[100:].mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("name", ["bussi", "nose-hoover", "langevin", "npt", "npt-full"])
def test_temperature_ramp_is_followed_to_its_end(tmp_path, name):
    _, run = simulate(
        tmp_path,
        argon(),
        lennard_jones(),
        **{**ENSEMBLES[name], "temperature_K": (20.0, 60.0)},
        timestep_fs=10.0,
        thermostat_time_fs=100.0,
        duration_ps=20.0,
        save_interval_fs=50.0,
    )
    times, kelvin = run.times_ps(), run.temperatures()
    late = times > 5
    slope, start = np.polyfit(times[late], kelvin[late], 1)
    assert slope == pytest.approx(2.0, rel=0.15)
    assert start + slope * 20 == pytest.approx(60, abs=2.5)


@pytest.mark.parametrize("barostat", ["isotropic", "full"])
def test_pressure_ramp_is_followed_to_its_end(tmp_path, barostat):
    _, run = simulate(
        tmp_path,
        argon(),
        lennard_jones(),
        ensemble="npt",
        barostat=barostat,
        temperature_K=20.0,
        pressure_GPa=(0.0, 0.5),
        timestep_fs=10.0,
        thermostat_time_fs=100.0,
        duration_ps=20.0,
        save_interval_fs=50.0,
    )
    times, pressure = run.times_ps(), run.pressures()
    slope, start = np.polyfit(times[100:], pressure[100:], 1)
    assert start + slope * 20 == pytest.approx(0.5, abs=0.03)
    volume = np.abs(np.linalg.det(run.cells()))
    assert volume[-40:].mean() < 0.95 * volume[:40].mean()
