"""The measurement of force evaluations."""

from itertools import count, cycle
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


def test_atoms_stay_apart_however_many_calls_fit_in_the_time(monkeypatch):
    ticks = count()
    clock = SimpleNamespace(perf_counter=lambda: 0.001 * next(ticks))
    monkeypatch.setattr(force_speed, "time", clock)
    recorder = Recorder()
    pace = force_speed.seconds_per_force_call(recorder, ["Li", "F"] * 8, 8.0)
    assert pace == pytest.approx(0.001, rel=0.01)
    assert len(recorder.places) == pytest.approx(1000 / 3, abs=2)  # the clock is read three times
    assert not np.array_equal(recorder.places[-1], recorder.places[-2])
    assert np.abs(recorder.places - recorder.places[0]).max() < 0.2


def test_other_programs_do_not_change_the_expected_time(monkeypatch):
    """They take the processor from most evaluations, for 20 ms, as a loaded machine does."""
    now, pauses = [0.0], cycle([0.02, 0.02, 0.0])

    class Interrupted(Recorder):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            now[0] += 0.001 + next(pauses)

    monkeypatch.setattr(force_speed, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    pace = force_speed.seconds_per_force_call(Interrupted(), ["Li", "F"] * 8, 8.0)
    assert pace == pytest.approx(0.001)


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
