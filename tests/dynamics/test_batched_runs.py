"""Runs in common model calls: the same dynamics as alone, one by one as robust."""

import multiprocessing
import time
from functools import partial

import numpy as np
import pytest
from ase.build import bulk

from helpers.batch_program import SHORT, batch, lattice, run_batch, small_mace
from helpers.pair_potentials import LennardJones, argon, lennard_jones
from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics.batched_runs import run_batched
from vitrion.dynamics.checkpoint import read_checkpoint
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.trajectory import Trajectory
from vitrion.dynamics.workers import MDTask
from vitrion.errors import InputError
from vitrion.potentials.batch import OneByOne, batched
from vitrion.potentials.device_neighbors import is_available
from vitrion.potentials.split_calls import SplitCalls

needs_torch_sim = pytest.mark.skipif(
    not is_available(), reason="torch-sim is not installed: it needs Python 3.12 (extra 'gpu')"
)
NEIGHBORS = [
    pytest.param(False, id="matscipy"),
    pytest.param(True, id="torch-sim", marks=needs_torch_sim),
]
ARGON = {
    "temperature_K": 30,
    "timestep_fs": 5,
    "duration_ps": 0.3,
    "save_interval_fs": 25,
    "checkpoint_interval_steps": 20,
}
RUNS = {
    "nve": {"ensemble": "nve"},
    "hoover": {"thermostat": "nose-hoover", "temperature_K": (20, 60)},
    "bussi": {"temperature_K": 80, "duration_ps": 0.2, "save_pressure": True},
    "npt": {"ensemble": "npt", "barostat": "full", "bulk_modulus_GPa": 3.0},
}


def argon_tasks(folder):
    return [
        MDTask(name, argon(2 + (name == "nve")), MDSettings(**ARGON | changes), folder / name)
        for name, changes in RUNS.items()
    ]


def trajectory(folder, name):
    return folder / name / "md.vtraj.h5"


def test_runs_in_a_batch_are_the_runs_alone(tmp_path):
    """Cells of two sizes, all ensembles and two durations, with a potential without rounding."""
    outcomes = run_batched(argon_tasks(tmp_path / "batch"), lennard_jones)
    assert all(outcome.complete for outcome in outcomes)
    assert [outcome.name for outcome in outcomes] == list(RUNS)
    for task in argon_tasks(tmp_path / "alone"):
        run_md(task.structure, lennard_jones(), task.settings, task.directory)
        assert_same_frames(
            trajectory(tmp_path / "alone", task.name), trajectory(tmp_path / "batch", task.name)
        )


def test_a_batch_stops_at_its_walltime_and_resumes_bit_for_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_batched(argon_tasks(whole), lennard_jones)
    stops = []
    while not (outcomes := run_batched(argon_tasks(parts), lennard_jones, walltime_s=0)) or any(
        not outcome.complete for outcome in outcomes
    ):
        stops.append(outcomes[0].result.n_steps)
    assert stops == [20, 40]
    for name in RUNS:
        assert_same_frames(trajectory(whole, name), trajectory(parts, name))


def test_a_complete_batch_is_read_from_its_files(tmp_path):
    def refuse():
        raise AssertionError("a complete batch needs no potential")

    first = run_batched(argon_tasks(tmp_path), lennard_jones)
    again = run_batched(argon_tasks(tmp_path), refuse)
    assert [o.result.energy_eV for o in again] == [o.result.energy_eV for o in first]


class Faulty(LennardJones):
    """Explodes for a cell with xenon, and raises an error for a cell with krypton."""

    def calculate(self, atoms=None, properties=None, system_changes=None):
        if 36 in atoms.numbers:
            raise ValueError("no krypton")
        super().calculate(atoms, properties)
        if 54 in atoms.numbers:
            self.results["forces"] *= 1e4


def test_a_run_that_fails_does_not_stop_the_others(tmp_path):
    hot, broken = argon(), argon()
    hot.symbols[0], broken.symbols[0] = "Xe", "Kr"
    cells = {"a": argon(), "explodes": hot, "raises": broken, "b": argon()}
    tasks = [MDTask(k, v, MDSettings(**ARGON), tmp_path / k) for k, v in cells.items()]
    a, explodes, raises, b = run_batched(tasks, Faulty)
    assert a.complete
    assert b.complete
    assert "above the limit" in explodes.error
    assert raises.error == "ValueError: no krypton"
    assert explodes.result is not None, "its first checkpoint is kept"
    run_md(argon(), lennard_jones(), tasks[0].settings, tmp_path / "alone")
    assert_same_frames(trajectory(tmp_path, "alone"), trajectory(tmp_path, "b"))


def test_faults_before_the_first_step_are_outcomes(tmp_path):
    other = MDTask("other", argon(), MDSettings(**ARGON), tmp_path / "other")
    run_batched([other], lennard_jones, potential={"name": "another"})
    tasks = argon_tasks(tmp_path)[:1]
    taken, good = run_batched([other, *tasks], lennard_jones)
    assert "another potential" in taken.error
    assert good.complete
    (failed,) = run_batched(argon_tasks(tmp_path)[1:2], partial(lennard_jones, 1))
    assert failed.result is None
    assert failed.error.startswith("TypeError: ")
    with pytest.raises(InputError, match="share a name"):
        run_batched([other, other], lennard_jones)


class SmallMemory(OneByOne):
    """Evaluates at most a number of atoms in a call."""

    def __init__(self, most_atoms):
        super().__init__(lennard_jones())
        self.most_atoms, self.calls = most_atoms, []

    def evaluate(self, systems, stress=True):
        self.calls.append(sum(len(atoms) for atoms in systems))
        if self.calls[-1] > self.most_atoms:
            raise MemoryError
        return super().evaluate(systems, stress)


def test_a_batch_too_large_for_the_memory_is_split_and_stays_so():
    systems = [bulk("Ar", cubic=True, a=a) for a in np.linspace(5.0, 5.5, 6)]
    potential = SmallMemory(10)
    calls = SplitCalls(potential)
    first, tried = calls.evaluate(systems), len(potential.calls)
    second = calls.evaluate(systems)
    assert max(potential.calls[:tried]) == 24
    assert max(potential.calls[tried:]) <= 10
    for found in (first, second):
        expected = OneByOne(lennard_jones()).evaluate(systems)
        assert [one.energy_eV for one in found] == [one.energy_eV for one in expected]


@pytest.mark.parametrize("on_device", NEIGHBORS)
def test_forces_of_a_batch_are_those_of_the_calculator(on_device):
    calculator = small_mace(on_device, "float64")
    far = lattice(2, seed=2)
    far.positions += np.random.default_rng(0).integers(-2, 3, (8, 3)) * far.cell.lengths()
    slab = lattice(3)
    slab.pbc = (True, True, False)
    slab.center(6.0, axis=2)
    skew = lattice(2)
    skew.set_cell([[5.2, 0, 0], [1.5, 5.2, 0], [0, -1.0, 5.2]], scale_atoms=True)
    systems = [lattice(2), far, slab, skew]
    expected = OneByOne(small_mace(False, "float64")).evaluate(systems)
    for one, many in zip(expected, batched(calculator).evaluate(systems), strict=True):
        assert many.energy_eV == pytest.approx(one.energy_eV, abs=1e-9)
        assert np.abs(one.forces).max() > 0.01
        np.testing.assert_allclose(many.forces, one.forces, atol=1e-9)
        np.testing.assert_allclose(many.stress, one.stress, atol=1e-11)


@pytest.fixture(scope="module", params=NEIGHBORS)
def whole(request, tmp_path_factory):
    """A batch that ran from start to end: where neighbors were found, folder, and outcomes."""
    folder = tmp_path_factory.mktemp("whole")
    return request.param, folder, run_batch(folder, request.param)


def test_mace_in_a_batch_moves_as_alone(whole, tmp_path):
    on_device, _, outcomes = whole
    assert [outcome.error for outcome in outcomes] == [None] * 4
    calculator = small_mace(False)
    for task, outcome in zip(batch(tmp_path / "alone"), outcomes, strict=True):
        alone = run_md(task.structure, calculator, task.settings, task.directory)
        assert alone.evaluated_by == [(0, "torch")]
        ((_, name),) = outcome.result.evaluated_by
        assert name.endswith(", batched")
        assert ("torch-sim" in name) == on_device
        with Trajectory(alone.trajectory) as one, Trajectory(outcome.result.trajectory) as many:
            np.testing.assert_allclose(many.positions(), one.positions(), atol=2e-4)
            np.testing.assert_allclose(many.temperatures(), one.temperatures(), rtol=2e-3)
            moved = np.abs(one.positions()[-1] - one.positions()[0]).max()
        assert moved > 0.02


@pytest.mark.parametrize("on_device", NEIGHBORS)
def test_energy_is_conserved_and_temperature_follows(tmp_path, on_device):
    changes = {"ensemble": "nve", "timestep_fs": 0.5, "duration_ps": 0.05, "temperature_K": 100}
    settings = MDSettings(**SHORT | changes)
    nve = [MDTask(f"nve{n}", lattice(2, seed=n), settings, tmp_path / f"{n}") for n in range(2)]
    cooled = SHORT | {"temperature_K": 50, "thermostat_time_fs": 5, "duration_ps": 0.1}
    nvt = MDTask("nvt", lattice(2), MDSettings(**cooled), tmp_path / "nvt")
    *still, cold = run_batched([*nve, nvt], partial(small_mace, on_device, "float64"))
    for outcome in still:
        with Trajectory(outcome.result.trajectory) as run:
            kinetic = run.conserved() - run.energies()
            assert np.ptp(run.conserved()) < 0.02 * np.ptp(kinetic)
    assert 30 < cold.result.temperature_K < 90


def test_mace_in_a_batch_resumes_bit_for_bit(whole, tmp_path):
    on_device, folder, _ = whole
    stopped = run_batch(tmp_path, on_device, walltime_s=0)
    assert [outcome.result.n_steps for outcome in stopped] == [4] * 4
    run_batch(tmp_path, on_device)
    for task in batch(folder):
        assert_same_frames(trajectory(folder, task.name), trajectory(tmp_path, task.name))


def test_a_killed_batch_resumes(whole, tmp_path):
    """SIGKILL at a random moment: bit for bit the same, unless it hit the save of a checkpoint."""
    (on_device, folder, _), killed = whole, tmp_path
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_batch, args=(killed, on_device))
    process.start()
    last = killed / "large" / "checkpoint.npz"  # the last one that is written after a step
    while not (last.exists() and read_checkpoint(last).state.step >= 8):
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    steps = {read_checkpoint(t.directory / "checkpoint.npz").state.step for t in batch(killed)}
    assert all(outcome.complete for outcome in run_batch(killed, on_device))
    for task in batch(folder):
        first, second = trajectory(folder, task.name), trajectory(killed, task.name)
        if len(steps) == 1:
            assert_same_frames(first, second)
        with Trajectory(first) as one, Trajectory(second) as other:
            assert other.n_frames == 11
            np.testing.assert_allclose(other.positions(), one.positions(), atol=2e-4)
