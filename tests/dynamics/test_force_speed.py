"""The measurement of force evaluations."""

from itertools import count
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
    assert len(recorder.places) == pytest.approx(1000, abs=2)
    assert not np.array_equal(recorder.places[-1], recorder.places[-2])
    assert np.abs(recorder.places - recorder.places[0]).max() < 0.2
