"""A run that is stopped or killed resumes bitwise identical to an uninterrupted one."""

import os
import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones as ListedLennardJones
from pymatgen.core import Structure

from helpers.fork_server import fork_server
from helpers.md_program import run_argon
from helpers.pair_potentials import IdealGas, LennardJones, argon, lennard_jones
from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics.checkpoint import read_checkpoint
from vitrion.dynamics.document import md_document
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.journal import journal_path
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.trajectory import Trajectory
from vitrion.errors import InputError, SimulationError

SHORT = {
    "temperature_K": 60.0,
    "timestep_fs": 5.0,
    "duration_ps": 0.4,
    "save_interval_fs": 15.0,
    "checkpoint_interval_steps": 20,
    "bulk_modulus_GPa": 3.0,
    "seed": 5,
}
RUNS = {
    "nve": {"ensemble": "nve"},
    "bussi": {"thermostat": "bussi"},
    "nose-hoover": {"thermostat": "nose-hoover"},
    "langevin": {"thermostat": "langevin", "fix_center_of_mass": False},
    "pressure-saved": {"save_pressure": True, "save_forces": True},
    "npt": {"ensemble": "npt", "thermostat": "langevin"},
    "npt-full": {"ensemble": "npt", "barostat": "full", "thermostat": "nose-hoover"},
    "ramps": {"ensemble": "npt", "temperature_K": (30.0, 90.0), "pressure_GPa": (0.0, 0.3)},
}


def assert_same_end(first, second):
    """Compare the last checkpoints of two runs bit for bit."""
    a, b = read_checkpoint(first / "checkpoint.npz"), read_checkpoint(second / "checkpoint.npz")
    assert a.random_state == b.random_state
    assert (a.n_frames, a.complete) == (b.n_frames, b.complete)
    for name, value in vars(a.state).items():
        np.testing.assert_array_equal(value, getattr(b.state, name), err_msg=name)


@pytest.mark.parametrize("name", RUNS)
def test_stopped_run_equals_unbroken_one(tmp_path, name):
    settings = MDSettings(**{**SHORT, **RUNS[name]})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_md(argon(), lennard_jones(), settings, whole)
    steps = []
    while not steps or steps[-1] < settings.n_steps:
        steps.append(run_md(argon(), lennard_jones(), settings, parts, walltime_s=0).n_steps)
    assert steps == [20, 40, 60, 80]
    assert_same_frames(whole / "md.vtraj.h5", parts / "md.vtraj.h5")
    assert_same_end(whole, parts)


@pytest.mark.parametrize(
    ("atoms", "calculator"),
    [
        (bulk("Cu", cubic=True) * (2, 2, 1), EMT),
        (argon(), lambda: ListedLennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)),
    ],
    ids=["emt", "lennard-jones"],
)
def test_calculators_that_remember_do_not_break_the_bits(tmp_path, atoms, calculator):
    """Their neighbor lists depend on earlier calls, so the engine resets them."""
    changes = {"temperature_K": 800.0, "duration_ps": 0.3, "max_temperature_K": 1e5}
    settings = MDSettings(**{**SHORT, **changes})
    run_md(atoms, calculator(), settings, tmp_path / "whole")
    used = calculator()
    while not run_md(atoms, used, settings, tmp_path / "parts", walltime_s=0).complete:
        used = calculator()
    assert_same_frames(tmp_path / "whole" / "md.vtraj.h5", tmp_path / "parts" / "md.vtraj.h5")
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("rounds", [5, pytest.param(60, marks=pytest.mark.slow)])
def test_killed_runs_resume_bit_for_bit(tmp_path, rounds):
    """SIGKILL at random moments, many of them during a save: every other step is one."""
    frequent = {"save_interval_fs": 5.0, "checkpoint_interval_steps": 2}
    settings = MDSettings(**{**SHORT, **RUNS["npt-full"], **frequent, "duration_ps": 0.3 * rounds})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    rng = np.random.default_rng(rounds)
    steps = [0]
    server = fork_server(run_argon.__module__)
    for _ in range(rounds):
        process = server.Process(target=run_argon, args=(killed, settings))
        process.start()
        progressed(killed, steps[-1] + int(rng.integers(0, 10)), process)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.join()
        checkpoint = read_checkpoint(killed / "checkpoint.npz")
        with Trajectory(killed / "md.vtraj.h5") as run:
            assert run.n_frames >= checkpoint.n_frames
        steps.append(checkpoint.state.step)
    assert steps == sorted(set(steps)), "each round got further"
    assert run_md(argon(), lennard_jones(), settings, killed).complete
    run_md(argon(), lennard_jones(), settings, whole)
    assert_same_frames(whole / "md.vtraj.h5", killed / "md.vtraj.h5")
    assert_same_end(whole, killed)
    assert not journal_path(killed / "md.vtraj.h5").exists()


def progressed(folder, step, process):
    """Wait until the process has written a checkpoint beyond that step."""
    path = folder / "checkpoint.npz"
    while not (path.is_file() and read_checkpoint(path).state.step > step):
        assert process.is_alive(), "the run ended before it was killed"
        time.sleep(0.005)


class Named(LennardJones):
    """States which evaluation it is."""

    def __init__(self, evaluation):
        super().__init__()
        self.evaluation = evaluation


def test_a_run_may_continue_on_another_evaluation_and_says_so(tmp_path):
    settings = MDSettings(**SHORT)
    for name in ("native avx512 1", "native avx512 1", "torch"):
        stopped = run_md(argon(), Named(name), settings, tmp_path / "parts", walltime_s=0)
    assert stopped.n_steps == 60
    finished = run_md(argon(), Named("torch"), settings, tmp_path / "parts")
    assert finished.complete
    assert finished.evaluated_by == [(0, "native avx512 1"), (40, "torch")]
    documented = [(part.first_step, part.name) for part in md_document(finished).evaluated_by]
    assert documented == finished.evaluated_by
    whole = run_md(argon(), lennard_jones(), settings, tmp_path / "whole")
    assert whole.evaluated_by == [(0, "LennardJones")]
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_a_checkpoint_needs_four_syncs_of_the_disk(tmp_path, monkeypatch):
    """Two of the journal and its name, one of the trajectory, one of the checkpoint."""
    synced = []
    original = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), original(handle)))
    counts = []
    for steps in (80, 20):
        synced.clear()
        settings = MDSettings(**{**SHORT, "checkpoint_interval_steps": steps})
        run_md(argon(), lennard_jones(), settings, tmp_path / str(steps))
        counts.append(len(synced))
    assert counts[1] - counts[0] == 3 * 4


def test_a_kill_while_a_checkpoint_is_written_leaves_no_file_behind(tmp_path, monkeypatch):
    settings = MDSettings(**SHORT)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        patch.setattr(np, "savez", killed)
        with pytest.raises(KeyboardInterrupt):
            run_md(argon(), lennard_jones(), settings, tmp_path)
    run_md(argon(), lennard_jones(), settings, tmp_path)
    assert [path.name for path in tmp_path.glob("*.tmp")] == []


def test_finished_run_returns_from_its_files(tmp_path):
    settings = MDSettings(**SHORT)
    first = run_md(argon(), lennard_jones(), settings, tmp_path)

    def refuse():
        raise AssertionError("a finished run needs no calculator")

    again = run_md(argon(), refuse, settings, tmp_path)
    assert again.complete
    assert again.structure == first.structure
    assert again.n_frames == first.n_frames == 27
    assert again.energy_drift_meV_per_atom_ps == first.energy_drift_meV_per_atom_ps


def test_directory_of_another_run_is_refused(tmp_path):
    settings = MDSettings(**SHORT)
    run_md(argon(), lennard_jones(), settings, tmp_path, walltime_s=0, potential={"name": "lj"})
    changed = MDSettings(**{**SHORT, "timestep_fs": 2.5})
    with pytest.raises(InputError, match=r"timestep_fs = 5\.0, not 2\.5"):
        run_md(argon(), lennard_jones(), changed, tmp_path, potential={"name": "lj"})
    with pytest.raises(InputError, match="another structure"):
        run_md(argon(3), lennard_jones(), settings, tmp_path, potential={"name": "lj"})
    with pytest.raises(InputError, match="another potential"):
        run_md(argon(), lennard_jones(), settings, tmp_path, potential={"name": "emt"})


def test_resumed_run_goes_by_its_own_start(tmp_path):
    """A start that went through a document may have lost its last digits; the bits have not."""
    settings = MDSettings(**{**SHORT, **RUNS["npt-full"]})
    rounded = argon()
    rounded.set_cell(rounded.cell.array * (1 + 1e-9), scale_atoms=True)
    rounded.set_masses(rounded.get_masses() + 1e-7)
    run_md(argon(), lennard_jones(), settings, tmp_path / "whole")
    run_md(argon(), lennard_jones(), settings, tmp_path / "parts", walltime_s=0)
    run_md(rounded, lennard_jones(), settings, tmp_path / "parts")
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    assert_same_frames(tmp_path / "whole" / "md.vtraj.h5", tmp_path / "parts" / "md.vtraj.h5")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(tmp_path, kept):
    settings = MDSettings(**SHORT)
    run_md(argon(), lennard_jones(), settings, tmp_path, walltime_s=0)
    path = tmp_path / "checkpoint.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        run_md(argon(), lennard_jones(), settings, tmp_path)


def test_two_processes_cannot_run_in_one_directory(tmp_path):
    def load():  # while this run holds the directory
        with pytest.raises(InputError, match="Another process"):
            run_md(argon(), lennard_jones(), settings, tmp_path)
        return lennard_jones()

    settings = MDSettings(**{**SHORT, "duration_ps": 0.05})
    assert run_md(argon(), load, settings, tmp_path).complete


def test_velocities_go_from_run_to_run(tmp_path):
    """Two runs of nve in a row are one run: energy and motion continue."""
    long = MDSettings(**{**SHORT, "ensemble": "nve"})
    half = MDSettings(**{**SHORT, "ensemble": "nve", "duration_ps": 0.2})
    whole = run_md(argon(), lennard_jones(), long, tmp_path / "whole").structure
    first = run_md(argon(), lennard_jones(), half, tmp_path / "first").structure
    second = run_md(first, lennard_jones(), half, tmp_path / "second").structure
    np.testing.assert_allclose(second.cart_coords, whole.cart_coords, rtol=0, atol=1e-9)
    bare = Structure.from_sites(first)
    bare.remove_site_property("velocities")
    third = run_md(
        bare, lennard_jones(), half, tmp_path / "third", prev_dir=tmp_path / "first"
    ).structure
    np.testing.assert_allclose(third.cart_coords, whole.cart_coords, rtol=0, atol=1e-9)


def test_stale_velocities_are_not_taken(tmp_path):
    """A structure that has changed since the previous run gets fresh velocities."""
    settings = MDSettings(**SHORT)
    structure = run_md(argon(), lennard_jones(), settings, tmp_path / "first").structure
    structure.remove_site_property("velocities")
    structure.translate_sites([0], [0.05, 0, 0], frac_coords=False)
    with_previous = run_md(
        structure, lennard_jones(), settings, tmp_path / "a", prev_dir=tmp_path / "first"
    )
    without = run_md(structure, lennard_jones(), settings, tmp_path / "b")
    assert with_previous.structure == without.structure


@pytest.mark.parametrize(
    "velocities", [[None] * 31 + [[0, 0, 1]], [[0, 1]] * 32, [[0, 0, np.nan]] * 32]
)
def test_broken_velocities_are_refused(tmp_path, velocities):
    structure = Structure.from_ase_atoms(argon())
    structure.add_site_property("velocities", velocities)
    with pytest.raises(InputError, match="velocities"):
        run_md(structure, lennard_jones(), MDSettings(**SHORT), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nve", "bussi", "nose-hoover"])
@pytest.mark.parametrize("velocity", [(0.0, 0.0, 0.0), (0.3, -0.1, 0.7)], ids=["rest", "drift"])
def test_atoms_without_motion_of_their_own_have_no_velocities(tmp_path, name, velocity):
    """Zeros in a file stand for velocities not known: they are drawn, and restarts know it."""
    settings = MDSettings(**{**SHORT, **RUNS[name]})
    atoms = argon()
    atoms.set_velocities([velocity] * len(atoms))
    structure = Structure.from_ase_atoms(argon())
    structure.add_site_property("velocities", [velocity] * len(structure))
    run_md(argon(), lennard_jones(), settings, tmp_path / "drawn")
    for start, folder in ((atoms, tmp_path / "atoms"), (structure, tmp_path / "structure")):
        while not run_md(start, lennard_jones(), settings, folder, walltime_s=0).complete:
            pass
        with Trajectory(folder / "md.vtraj.h5") as run:
            assert run.temperatures()[0] == pytest.approx(60.0)
    assert_same_frames(tmp_path / "drawn" / "md.vtraj.h5", tmp_path / "atoms" / "md.vtraj.h5")


class Explosive(LennardJones):
    """Gives forces that are not a number, or pushes two atoms together, from a call on."""

    def __init__(self, call, how):
        super().__init__()
        self.calls, self.call, self.how = 0, call, how

    def calculate(self, atoms=None, properties=None, system_changes=None):
        super().calculate(atoms, properties)
        self.calls += 1
        if self.calls < self.call:
            return
        forces = self.results["forces"]
        if self.how == "nan":
            forces[3, 1] = np.nan
        elif self.how == "hot":
            forces *= 1e4
        else:
            gap = atoms.get_distance(0, 1, mic=True, vector=True)
            forces[0], forces[1] = 0.3 * gap, -0.3 * gap


@pytest.mark.parametrize(
    ("how", "said"), [("nan", "not a number"), ("hot", "above the limit"), ("close", "A apart")]
)
def test_blown_up_run_stops_and_keeps_its_good_frames(tmp_path, how, said):
    settings = MDSettings(**{**SHORT, "duration_ps": 1.0, "min_distance_A": 1.5})
    with pytest.raises(SimulationError, match=said):
        run_md(argon(), Explosive(50, how), settings, tmp_path)
    with Trajectory(tmp_path / "md.vtraj.h5") as run:
        assert run.n_frames >= 48 * 5 // 15  # those after the last checkpoint too
        for column in (run.positions(), run.energies(), run.temperatures()):
            assert np.isfinite(column).all()
        assert run.temperatures().max() < settings.temperature_limit_K
    assert not read_checkpoint(tmp_path / "checkpoint.npz").complete
    assert run_md(argon(), lennard_jones(), settings, tmp_path).complete


def test_evaporating_cell_stops_the_run(tmp_path):
    settings = MDSettings(
        **{
            **SHORT,
            "ensemble": "npt",
            "temperature_K": 2000.0,
            "duration_ps": 20.0,
            "seed": 1,
            "barostat_time_fs": 200.0,
            "max_volume_ratio": 2.0,
            "min_distance_A": 0.0,
        }
    )
    with pytest.raises(SimulationError, match="times the initial volume"):
        run_md(argon(1), IdealGas(), settings, tmp_path)


def test_unwrapped_positions_are_right_across_boundaries(tmp_path):
    """Free flight through many cells, in a cell that shrinks: fractional motion is steady."""
    settings = MDSettings(
        ensemble="nve",
        timestep_fs=5.0,
        duration_ps=5.0,
        save_interval_fs=50.0,
        min_distance_A=0,
        temperature_K=5000,
    )
    result = run_md(argon(1), IdealGas(), settings, tmp_path)
    with Trajectory(result.trajectory) as run:
        moved = run.positions() - run.positions()[0]
        times = run.times_ps()[:, None, None]
    assert np.abs(moved[-1]).max() > 2 * 5.26
    np.testing.assert_allclose(moved, moved[-1] * times / times[-1], rtol=0, atol=1e-5)
    back = result.structure.frac_coords - (moved[-1] / 5.26 + argon(1).get_scaled_positions())
    np.testing.assert_allclose(back, np.round(back), atol=1e-6)


def test_unwrapped_positions_move_with_the_cell(tmp_path):
    """Under pressure an atom far outside its cell keeps its fractional coordinate."""
    atoms = argon()
    atoms.positions[5] += 4 * atoms.cell[0] - 3 * atoms.cell[2]
    near, far = tmp_path / "near", tmp_path / "far"
    settings = MDSettings(**{**SHORT, **RUNS["npt-full"], "pressure_GPa": 0.5, "duration_ps": 2.0})
    run_md(argon(), lennard_jones(), settings, near)
    run_md(atoms, lennard_jones(), settings, far)
    with Trajectory(near / "md.vtraj.h5") as a, Trajectory(far / "md.vtraj.h5") as b:
        inverse = np.linalg.inv(a.cells())
        shift = (b.positions() - a.positions()) @ inverse
        assert np.linalg.det(a.cells())[-1] < 0.97 * np.linalg.det(a.cells())[0]
    np.testing.assert_allclose(shift[:, 5], [[4, 0, -3]] * len(shift), atol=1e-5)
    np.testing.assert_allclose(np.delete(shift, 5, axis=1), 0, atol=1e-5)


def test_a_slab_may_do_without_its_third_vector(tmp_path):
    slab = argon()
    slab.center(vacuum=6.0, axis=2)
    slab.pbc = (True, True, False)
    full = run_md(
        slab,
        ListedLennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True),
        MDSettings(**SHORT),
        tmp_path / "full",
    ).structure
    slab.cell[2] = 0.0
    bare = run_md(
        slab,
        ListedLennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True),
        MDSettings(**SHORT),
        tmp_path / "bare",
        cutoff_A=5.0,
    ).structure
    assert bare.cart_coords == pytest.approx(full.cart_coords, abs=1e-6)


def test_atoms_without_a_cell_are_refused_before_they_run(tmp_path):
    cluster = Atoms("Ar4", [[0, 0, 0], [3.8, 0, 0], [0, 3.8, 0], [0, 0, 3.8]])
    calculator = ListedLennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)
    with pytest.raises(InputError, match="no cell"):
        run_md(cluster, calculator, MDSettings(**SHORT), tmp_path / "new")
    assert not list(tmp_path.iterdir())
    cluster.center(vacuum=10.0)
    result = run_md(cluster, calculator, MDSettings(**SHORT), tmp_path / "new")
    assert result.complete
    assert result.structure.lattice.pbc == (False, False, False)
