"""What lies between the integrator and the calculators."""

import numpy as np
import pytest

from helpers.pair_potentials import DirectLennardJones, LennardJones, argon, lennard_jones
from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.forces import Forces, cutoff_of
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.progress_bar import ns_per_day
from vitrion.errors import InputError


def provider(calculator, atoms, **kwargs):
    return Forces(calculator, atoms.numbers, atoms.get_masses(), atoms.pbc, **kwargs)


@pytest.fixture(scope="module")
def small_mace():
    """MACE with random weights, as mace-torch runs it."""
    pytest.importorskip("mace")
    import torch
    from mace import modules  # isort: skip
    from e3nn import o3
    from mace.calculators import MACECalculator

    torch.manual_seed(0)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    model = modules.ScaleShiftMACE(
        r_max=4.0,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=1,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=1,
        hidden_irreps=o3.Irreps("4x0e"),
        MLP_irreps=o3.Irreps("4x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(1),
        avg_num_neighbors=12.0,
        atomic_numbers=[18],
        correlation=2,
        radial_type="bessel",
        atomic_inter_scale=0.1,
        atomic_inter_shift=0.0,
    )
    calculator = MACECalculator(models=[model], default_dtype="float64")
    yield calculator
    torch.set_default_dtype(before)


def test_mace_leaves_the_stress_out_until_it_is_asked_for(small_mace):
    atoms = argon(1)
    atoms.rattle(0.1, seed=1)
    atoms.calc = small_mace
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    stress = atoms.get_stress(voigt=False)
    assert np.abs(forces).max() > 1e-4
    asked = []
    original = small_mace.models[0].forward

    def watch(data, compute_stress=False, **kwargs):
        asked.append(compute_stress)
        return original(data, compute_stress=compute_stress, **kwargs)

    small_mace.models[0].forward = watch
    force_call = provider(small_mace, atoms, remove_net_force=False)
    for wanted in (False, True):
        found = force_call(atoms.positions, atoms.cell.array, wanted)
        assert found[0] == pytest.approx(energy, abs=1e-10)
        np.testing.assert_allclose(found[1], forces, atol=1e-10)
    np.testing.assert_allclose(found[2], stress, atol=1e-12)
    assert asked == [False, True]
    atoms.positions += 0.01
    assert np.abs(atoms.get_stress()).max() > 0, "the calculator is given back as it was"


def test_images_do_not_matter(small_mace):
    """A float32 model would lose digits far from the origin; the provider brings atoms back."""
    atoms = argon(1)
    atoms.rattle(0.1, seed=1)
    near = provider(small_mace, atoms)(atoms.positions, atoms.cell.array)
    far_positions = atoms.positions + np.outer([0, 1, -2, 300], atoms.cell.array[1])
    far = provider(small_mace, atoms)(far_positions, atoms.cell.array)
    np.testing.assert_allclose(far[1], near[1], atol=1e-9)


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_a_calculator_may_offer_its_arrays_directly(tmp_path, ensemble):
    settings = MDSettings(
        ensemble=ensemble,
        temperature_K=40,
        timestep_fs=5,
        duration_ps=0.5,
        save_interval_fs=25,
        save_forces=True,
        bulk_modulus_GPa=3.0,
        checkpoint_interval_steps=30,
    )
    run_md(argon(), lennard_jones(), settings, tmp_path / "ase")
    run_md(argon(), DirectLennardJones(), settings, tmp_path / "direct")
    assert_same_frames(tmp_path / "ase" / "md.vtraj.h5", tmp_path / "direct" / "md.vtraj.h5")


def test_the_net_force_is_removed_without_doing_work():
    class Pushed(LennardJones):
        def calculate(self, atoms=None, properties=None, system_changes=None):
            super().calculate(atoms, properties)
            self.results["forces"] += [0.0, 0.2, 0.0]

    atoms = argon()
    atoms.rattle(0.1, seed=1)
    atoms.symbols[:7] = "Xe"
    masses = atoms.get_masses()[:, None]
    _, clean, _ = provider(lennard_jones(), atoms)(atoms.positions, atoms.cell.array)
    _, pushed, _ = provider(Pushed(), atoms)(atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(pushed.sum(axis=0), 0, atol=1e-12)
    velocities = np.random.default_rng(0).normal(size=(32, 3))
    velocities -= np.sum(masses * velocities, axis=0) / masses.sum()
    external = np.full((32, 3), [0.0, 0.2, 0.0])
    work = np.sum((pushed - clean) * velocities)
    assert work == pytest.approx(np.sum(external * velocities), abs=1e-10)


def test_a_cell_narrower_than_the_reach_of_the_model_is_refused(small_mace, tmp_path):
    assert cutoff_of(small_mace) == 4.0
    with pytest.raises(
        InputError, match=r"3\.00 A wide, less than the potential's cutoff of 4\.00 A"
    ):
        run_md(argon(1, a=3.0), small_mace, MDSettings(), tmp_path / "new")
    assert cutoff_of(lennard_jones()) is None


def test_runs_are_silent_away_from_a_terminal(tmp_path, capfd):
    settings = MDSettings(temperature_K=30, timestep_fs=5, duration_ps=0.1)
    result = run_md(argon(), lennard_jones(), settings, tmp_path)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert result.ns_per_day == pytest.approx(ns_per_day(100.0, result.elapsed_s))
    assert ns_per_day(1e6, 86400) == pytest.approx(1.0)


def test_constant_pressure_needs_a_stress(tmp_path):
    class WithoutStress(LennardJones):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results.pop("stress", None)

    settings = MDSettings(
        ensemble="npt", temperature_K=50, pressure_GPa=0.0, duration_ps=0.01, seed=0
    )
    with pytest.raises(InputError, match="WithoutStress does not implement stress"):
        run_md(argon(2), WithoutStress(), settings, tmp_path / "npt")
    still = settings.model_copy(update={"ensemble": "nvt", "pressure_GPa": None, "barostat": None})
    assert run_md(argon(2), WithoutStress(), still, tmp_path / "nvt").n_steps == still.n_steps
