"""Which candidates are relaxed, with the shipped potential."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from vitrion.generation.candidate import Candidate, Origin
from vitrion.polymorphs.prescreen import PASSED_OVER, screen


@pytest.fixture(scope="module")
def potential():
    from vitrion.potentials.batch import load_batch_potential

    return load_batch_potential("vitrion-lipof", symbols=["Li", "F"])


def candidate(a, generator="random", units=1, **details):
    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    origin = Origin(generator=generator, formula_units=units, details=details)
    return Candidate(structure=structure.get_primitive_structure(), origin=origin)


def lengths(chosen):
    return [round((4 * c.structure.volume) ** (1 / 3), 2) for c in chosen]


def test_the_lowest_of_each_kind_is_relaxed(potential):
    made = [candidate(a) for a in (4.9, 4.1, 4.5)] + [candidate(a, units=2) for a in (5.2, 4.8)]
    made += [candidate(5.5, "diffusion", cell="space group 225")]
    made += [candidate(a, "diffusion", cell="cubic") for a in (4.6, 4.3)]
    chosen, left_out = screen(made, {"random": 2, "diffusion": 2}, potential)
    assert sorted(lengths(chosen)) == [4.1, 4.3, 4.8, 5.5]
    assert {finding.rejected for finding in left_out} == {PASSED_OVER}
    assert [finding.evaluations for finding in left_out] == [1] * 4
    # Batches of one structure a call choose the same.
    assert screen(made, {"random": 2, "diffusion": 2}, potential, batch_atoms=1)[0] == chosen


def test_overlaps_holes_and_repetitions_are_left_out(potential):
    made = [candidate(a) for a in (1.5, 4.1, 4.1, 4.6)]
    chosen, left_out = screen(made, {"random": 3}, potential)
    assert lengths(chosen) == [4.1, 4.6]
    assert "overlap" in left_out[0].rejected
    assert [finding.evaluations for finding in left_out] == [0, 1]
    chosen, left_out = screen(made, {"random": 3}, potential, floor_eV_per_atom=-4.0)
    assert chosen == []
    assert "below anything physical" in left_out[1].rejected


def test_others_fill_the_share_of_a_generator_that_has_too_few(potential):
    made = [candidate(4.4, "substitution")] + [candidate(a) for a in (4.1, 4.2, 4.3)]
    chosen, _ = screen(made, {"substitution": 2, "random": 1}, potential)
    assert lengths(chosen) == [4.1, 4.4, 4.2]
