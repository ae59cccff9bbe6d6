"""Phonons and a short run of the winner, with the shipped potential."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Composition

from vitrion.cli.results import stability_line
from vitrion.generation.candidate import Origin
from vitrion.polymorphs.group import JudgedCandidate
from vitrion.polymorphs.hull import Hull, shipped_references
from vitrion.polymorphs.rank import make_document
from vitrion.polymorphs.search_settings import SearchSettings
from vitrion.polymorphs.search_state import SearchState
from vitrion.polymorphs.stability import _run, stability
from vitrion.relaxation.relax import RelaxSettings, relax_many


def test_rock_salt_stays_and_stretched_it_is_soft():
    from vitrion.potentials.batch import load_batch_potential

    potential = load_batch_potential("vitrion-lipof", symbols=["Li", "F"])
    tight = RelaxSettings(fmax_eV_per_A=0.002)
    (rock_salt,) = relax_many([shipped_references()["LiF"]], potential, tight)
    found = stability(rock_salt.structure, "vitrion-lipof", duration_ps=0.1)
    assert found.lowest_phonon_per_cm > -5
    assert 300 < found.highest_phonon_per_cm < 900  # measured LO mode: 660/cm
    assert found.n_atoms == 2 * found.supercell[0] * found.supercell[1] * found.supercell[2]
    assert found.coordination_before["Li"] == {"F6": 1.0}
    assert len(found.coordination_during) == 8
    assert found.coordination_during[-1]["Li"]["F6"] > 0.7  # a few bonds stretch past the limit
    assert "no soft mode" in stability_line(found)
    assert "have stayed" in stability_line(found)
    stretched = rock_salt.structure.copy()
    stretched.scale_lattice(1.6 * stretched.volume)
    soft = stability(stretched, "vitrion-lipof", duration_ps=0.02)
    assert soft.lowest_phonon_per_cm < -20
    assert "a soft mode" in stability_line(soft)
    changed = found.model_copy(update={"coordination_during": [{"Li": {"F4": 1.0}}]})
    assert "have changed" in stability_line(changed)


def test_a_potential_without_double_precision_is_taken_as_it_is(monkeypatch):
    monkeypatch.setattr("vitrion.polymorphs.stability.SHORTEST_SIDE_A", 2.0)
    found = stability(shipped_references()["LiF"], "chgnet", device="cpu", duration_ps=0.01)
    assert found.n_atoms == 2
    assert 200 < found.highest_phonon_per_cm < 500  # measured TO mode: 305/cm


def test_a_test_that_fails_leaves_the_document_and_a_remark():
    state = SearchState()
    crystal = shipped_references()["LiF"]
    best = JudgedCandidate(
        structure=crystal,
        origin=Origin(generator="random"),
        energy_eV_per_atom=-4.8,
        max_force_eV_per_A=0.0,
        steps=1,
    )
    state.add([best])
    doc = make_document(
        Composition("LiF"),
        state,
        Hull({}),
        "done",
        "vitrion-lipof",
        0,
        SearchSettings(stability=True),
        device="no such device",
    )
    assert doc.polymorphs[0].energy_eV_per_atom == -4.8
    assert doc.stability is None
    (remark,) = doc.remarks
    assert "could not be tested" in remark
    assert "device" in remark


class Free(Calculator):
    """Atoms that fly as they like, and leave their positions behind."""

    implemented_properties = ("energy", "forces")

    def __init__(self):
        super().__init__()
        self.seen = []

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.seen.append(atoms.positions.copy())
        self.results = {"energy": 0.0, "forces": np.zeros_like(atoms.positions)}


@pytest.mark.parametrize(("light", "step_fs"), [("Li", 2.0), ("H", 1.0)])
def test_hydrogen_moves_in_short_steps_for_the_same_time(light, step_fs):
    atoms = bulk(f"{light}F", "rocksalt", a=4.0, cubic=True) * (2, 2, 2)
    atoms.calc = Free()
    _run(atoms, 300.0, 0.08, seed=1)
    assert len(atoms.calc.seen) - 1 == round(80 / step_fs)
    # The run begins at twice the temperature, so the first steps are those of 600 K.
    moves = np.diff(atoms.calc.seen[:4], axis=0)[:, atoms.symbols == light]
    mass = atoms.get_masses()[atoms.symbols == light][0]
    expected = step_fs * units.fs * np.sqrt(units.kB * 600.0 / mass)
    assert np.sqrt((moves**2).mean()) == pytest.approx(expected, rel=0.15)
