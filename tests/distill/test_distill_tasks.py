"""Tasks of a distillation are done once, and the clock states the time left."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator

from vitrion.chemistry.crystals import known_crystals
from vitrion.cli.outside import outside_message
from vitrion.distill import task_functions
from vitrion.distill.data.frames import made_once
from vitrion.distill.distill_clock import DistillClock
from vitrion.distill.distill_run import DistillRun
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.sample.packed_cells import (
    Subject,
    draw_cell,
    packed_atoms,
    packed_cell,
    pressed,
    usual_mobile,
)
from vitrion.distill.sample.sampling_settings import SamplingSettings
from vitrion.distill.start_crystals import chosen_crystals, of_low_energy
from vitrion.distill.tasks import FrameTask, run_tasks, worker_pool
from vitrion.errors import InputError
from vitrion.potentials.student import load_student, save_student, student_path


def test_finished_tasks_are_not_repeated(tmp_path):
    crystal = known_crystals()["LiF"]
    tasks = [
        FrameTask(
            tmp_path / "shaken" / f"{k}.xyz",
            task_functions.shaken,
            {"atoms": crystal, "seed": k, "count": 3},
        )
        for k in range(3)
    ]
    fractions, seconds = [], []
    with worker_pool(1) as pool:
        found = run_tasks(tasks, pool, fractions.append, seconds.append)
        assert [len(frames) for frames in found] == [3, 3, 3]
        assert fractions[-1] == 1.0
        assert len(seconds) == 3
        tasks[1].path.unlink()
        before = tasks[0].path.stat().st_mtime_ns
        again = run_tasks(tasks, pool)
    assert tasks[0].path.stat().st_mtime_ns == before
    for old, new in zip(found, again, strict=True):
        assert old[0].positions == pytest.approx(new[0].positions, abs=1e-6)


def test_a_full_disk_is_one_sentence(tmp_path):
    """The device /dev/full stands in for a full disk."""
    path = tmp_path / "frames.xyz"
    path.with_name("frames.xyz.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        made_once(path, lambda: [known_crystals()["LiF"]])
    assert not path.exists()
    sentence = outside_message(caught.value)
    assert sentence == "The disk is full: free space, then rerun the command to resume."
    assert outside_message(OSError(28, "No space left on device", "/data")).startswith(
        "The disk of /data"
    )


def test_a_full_disk_stops_the_writing_of_a_student(tmp_path):
    path = tmp_path / "student.safetensors"
    path.with_name("student.safetensors.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        save_student(load_student(student_path()), path)
    assert not path.exists()
    assert outside_message(caught.value).startswith("The disk is full")


def test_the_clock_learns_its_pace_and_remembers_earlier_calls(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines = []
    clock = DistillClock({"a": 100.0, "b": 50.0, "c": 50.0}, tmp_path, lines.append)
    with clock.stage("a"):
        clock.add_cpu(150.0)
        now[0] += 200.0
    with clock.stage("b"):
        assert clock.seconds_left(0.5) == pytest.approx(2 * (25 + 50))
        now[0] += 100.0
    assert lines == ["a, about 3 min left", "b, about 3 min left"]
    again = DistillClock({"a": 100.0, "b": 50.0, "c": 50.0}, tmp_path, lines.append)
    with again.stage("a"):
        now[0] += 10.0
    assert json.loads((tmp_path / "times.json").read_text()) == {"a": 210.0, "b": 100.0}
    assert json.loads((tmp_path / "cpu.json").read_text()) == {"a": 150.0}


def test_the_time_of_a_stage_that_fails_or_is_killed_counts(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = DistillClock({"a": 100.0}, tmp_path, lambda line: None)

    def fail():
        with clock.stage("a"):
            now[0] += 40.0
            clock.add_cpu(30.0)
            clock.fraction(0.4)
            times = json.loads((tmp_path / "times.json").read_text())
            assert times == {"a": 40.0}  # what a kill leaves
            now[0] += 10.0
            raise InputError

    with pytest.raises(InputError):
        fail()
    assert json.loads((tmp_path / "times.json").read_text()) == {"a": 50.0}
    assert json.loads((tmp_path / "cpu.json").read_text()) == {"a": 30.0}


def test_frames_are_divided_as_in_the_first_call_for_any_number_of_workers(tmp_path, monkeypatch):
    frames = [known_crystals()["LiF"] for _ in range(40)]
    first = DistillRun(None, tmp_path, 2, None, None, Teacher(name="module:factory"))
    parts = []
    monkeypatch.setattr(
        DistillRun, "tasks", lambda self, folder, make, each: parts.append(len(each)) or []
    )
    for workers in (2, 4, 1):
        replace(first, workers=workers).labelled(frames, "labels")
    assert parts == [2, 2, 2]


def test_packed_cells_have_one_composition_or_a_mixture():
    import numpy as np

    rng = np.random.default_rng(0)
    formulas = ("Na3PS4", "NaCl")
    found = {str(packed_cell(formulas, 24, rng).symbols) for _ in range(6)}
    assert len(found) > 1
    dense = packed_cell(("Na3PS4",), 24, rng, volume=0.95)
    loose = packed_cell(("Na3PS4",), 24, rng, volume=1.4)
    assert loose.get_volume() > 1.2 * dense.get_volume()
    assert usual_mobile(formulas) == "Na"


def test_a_cell_grows_until_it_holds_its_ions():
    import numpy as np

    formula = "LiN(SO2CF3)2"
    cell = packed_cell((formula,), 24, np.random.default_rng(0), volume=1.2)
    assert len(cell) % 16 == 0
    assert packed_atoms(formula, 24) >= len(cell) > 48
    assert packed_atoms("LiF", 24) == 24
    first = cell.get_distances(len(cell) // 16, range(len(cell)), mic=True)
    assert np.sort(first)[1] < 1.7  # bonded in its ion


def test_some_cells_lose_or_gain_mobile_ions():
    import numpy as np

    settings = SamplingSettings(n_atoms=16, crystal_share=1.0, defect_share=1.0)
    subject = Subject(("LiF",), {"LiF": known_crystals()["LiF"]}, "Li")
    counts = set()
    for seed in range(6):
        atoms, temperature = draw_cell(subject, settings, np.random.default_rng(seed))
        counts.add(atoms.symbols.count("Li") - atoms.symbols.count("F"))
        assert 300 <= temperature <= 1.2 * 1500
    assert counts == {-1, 1}
    assert subject.elements == [3, 9]


def test_crystals_are_distinct_of_plausible_volume_and_low_energy():
    def minimum(energy, stretch):
        atoms = known_crystals()["LiF"].copy()
        atoms.set_cell(atoms.cell.array * stretch, scale_atoms=True)
        atoms.info = {"energy_eV_per_atom": energy}
        return atoms

    expected = minimum(0, 1).get_volume() / len(minimum(0, 1))
    relaxed = [
        minimum(-5.0, 1.2),  # open
        minimum(-4.8, 1.0),
        minimum(-4.798, 1.001),  # the same
        minimum(-4.797, 1.05),
        minimum(-4.9, 1.02),
        minimum(-4.0, 1.03),
    ]
    chosen = chosen_crystals(relaxed, expected, 3)
    assert [atoms.info["energy_eV_per_atom"] for atoms in chosen] == [-4.9, -4.8, -4.797]
    assert chosen_crystals(relaxed[:1], expected, 3) == relaxed[:1]


def test_crystals_near_the_lowest_of_their_composition_are_validated():
    def crystal(symbols, energy):
        atoms = Atoms(symbols, np.arange(3 * len(Atoms(symbols))).reshape(-1, 3), cell=[9, 9, 9])
        atoms.info = {} if energy is None else {"energy_eV_per_atom": energy}
        return atoms

    crystals = {
        "low": crystal("LiF", -5.0),
        "near": crystal("Li2F2", -4.95),
        "high": crystal("LiF", -4.85),
        "other": crystal("Li2O", -4.0),
        "given": crystal("LiF", None),
    }
    assert list(of_low_energy(crystals)) == ["low", "near", "other", "given"]


def test_pressed_pairs_are_closer_than_a_bond_and_taken_in_turn():
    import numpy as np
    from ase.data import atomic_numbers, covalent_radii

    crystal = known_crystals()["LiF"].repeat((2, 1, 1))
    found = set()
    for number in range(3):
        cell = pressed(crystal, np.random.default_rng(number), number)
        distances = cell.get_all_distances(mic=True) + 99 * np.eye(len(cell))
        moved = np.flatnonzero(np.abs(cell.positions - crystal.positions).max(axis=1) > 1e-6)
        assert len(moved) == 2
        pair = sorted(cell[int(i)].symbol for i in moved)
        radii = sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair)
        assert 0.59 * radii < distances[moved[0], moved[1]] < 1.01 * radii
        found.add("".join(pair))
    assert found == {"FF", "FLi", "LiLi"}


class Springs(Calculator):
    """Atoms bound to their first positions; refuses to evaluate after a number of calls."""

    implemented_properties = ("energy", "forces")

    def __init__(self, sites, most_calls=10_000):
        super().__init__()
        self.sites, self.most_calls, self.calls = sites, most_calls, 0

    def calculate(self, atoms=None, properties=None, system_changes=()):
        self.calls += 1
        if self.calls > self.most_calls:
            raise InputError("Atoms 1 and 2 are 0.1 A apart.")
        shift = atoms.positions - self.sites
        self.results = {"energy": (shift**2).sum(), "forces": -2.0 * shift}


def test_a_potential_that_refuses_close_atoms_ends_a_run():
    import numpy as np

    from vitrion.distill.sample.sampling import DynamicsSettings, explore
    from vitrion.distill.validate.endurance import hot_run

    atoms = known_crystals()["LiF"].copy()
    outcome = hot_run(atoms, Springs(atoms.positions.copy(), 120), 1.0, seed=0)
    assert outcome.failure == "two atoms collapsed"
    settings = DynamicsSettings(duration_ps=1.0, interval_fs=50.0, relax_steps=0)
    refusing = Springs(atoms.positions.copy(), 120)
    frames = explore(atoms, refusing, 300.0, settings, np.random.default_rng(0))
    marked = [bool(frame.info.get("before_failure")) for frame in frames]
    assert marked == 5 * [False] + 4 * [True]


def test_langevin_dynamics_reaches_its_temperature_and_moves_the_atoms_given():
    """The mean kinetic energy of harmonic atoms is that of the thermostat."""
    import numpy as np

    from vitrion.distill.sample.langevin_run import LangevinRun

    atoms = known_crystals()["LiF"].repeat(2)
    sites = atoms.positions.copy()
    atoms.calc = Springs(sites)
    rng = np.random.default_rng(0)
    run = LangevinRun(atoms, 700.0, timestep_fs=1.0, friction_per_fs=0.02, rng=rng)
    run.run(300)
    found = []
    for _ in range(200):
        run.run(10)
        found.append(atoms.get_temperature())
    degrees = 1 - 1 / len(atoms)  # ASE counts those of the center of mass, too
    assert np.mean(found) / degrees == pytest.approx(700, rel=0.04)
    assert np.abs(atoms.positions - sites).max() > 0.05
