"""The measurement of force evaluations."""

from itertools import cycle
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from vitrion.dynamics import force_speed


class Recorder(Calculator):
    """Free atoms whose positions are recorded."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self):
        super().__init__()
        self.places = []

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.places.append(atoms.positions.copy())
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}


class Interrupted(Recorder):
    """Takes 1 ms of the processor, and 1 ms or more until it is done."""

    def __init__(self, monkeypatch, waits_s, evaluation="native avx512 1"):
        super().__init__()
        self.evaluation, self.waits_s = evaluation, cycle(waits_s)
        self.processor_s = self.wall_s = 0.0
        clocks = {"perf_counter": lambda: self.wall_s, "thread_time": lambda: self.processor_s}
        monkeypatch.setattr(force_speed, "time", SimpleNamespace(**clocks))

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.processor_s += 0.001
        self.wall_s += 0.001 + next(self.waits_s)


def test_atoms_stay_apart_however_many_calls_fit_in_the_time(monkeypatch):
    recorder = Interrupted(monkeypatch, [0.0])
    pace = force_speed.seconds_per_force_call(recorder, ["Li", "F"] * 8, 8.0)
    assert pace == pytest.approx(0.001)
    assert len(recorder.places) == pytest.approx(1000, abs=2)
    assert not np.array_equal(recorder.places[-1], recorder.places[-2])
    assert np.abs(recorder.places - recorder.places[0]).max() < 0.2


@pytest.mark.parametrize(
    ("waits_s", "evaluation", "expected_s"),
    [
        ([0.02], "native avx512 1", 0.001),  # a program that takes the processor at every call
        ([0.02, 0.005], "torch cuda", 0.006),  # the processor waits for the GPU
    ],
)
def test_other_programs_do_not_change_the_expected_time(
    monkeypatch, waits_s, evaluation, expected_s
):
    calculator = Interrupted(monkeypatch, waits_s, evaluation)
    pace = force_speed.seconds_per_force_call(calculator, ["Li", "F"] * 8, 8.0)
    assert pace == pytest.approx(expected_s)


@pytest.mark.parametrize("n_atoms", [27, 36, 72, 144])
def test_atoms_fill_the_cell_evenly(n_atoms):
    """The first 144 points of a grid of 216 were a slab of half the cell's atoms again."""
    recorder, volume = Recorder(), 10.0
    force_speed.seconds_per_force_call(
        recorder, ["Li", "F", "F"] * (n_atoms // 3), volume, measure_s=0.0
    )
    side = (volume * n_atoms) ** (1 / 3)
    for axis in range(3):
        below = np.count_nonzero(recorder.places[0][:, axis] % side < side / 2)
        assert below == pytest.approx(n_atoms / 2, abs=2.5 * (n_atoms / 4) ** 0.5)
