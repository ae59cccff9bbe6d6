"""What callers do with a relaxation that did not converge: refuse it or record it."""

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Composition
from pymatgen.io.ase import AseAtomsAdaptor

from helpers.displacements import displace
from vitrion.distill.data.relaxed_cells import relaxed, relaxed_cell
from vitrion.errors import SimulationError
from vitrion.generation.candidate import Candidate, Origin
from vitrion.polymorphs.filters import LEEWAY, unphysical
from vitrion.polymorphs.group import Group
from vitrion.polymorphs.hull import Hull
from vitrion.polymorphs.iteration import relax_candidates
from vitrion.polymorphs.search_settings import SearchSettings
from vitrion.potentials.batch import OneByOne
from vitrion.relaxation.relax import RelaxSettings, relax_one
from vitrion.relaxation.relaxers import CachedRelaxer, FixedCellRelaxer
from vitrion.runtime.cache import ResultCache

STILL = RelaxSettings(max_steps=0)


def copper(a=3.59):
    return AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True, a=a))


def swollen_by(factor):
    """Return copper whose force on the cell is a multiple of the tolerance."""
    low, high = 3.59, 4.2
    for _ in range(30):
        middle = (low + high) / 2
        force = relax_one(copper(middle), EMT(), STILL).residual_eV_per_A
        low, high = (middle, high) if force < factor * STILL.fmax_eV_per_A else (low, middle)
    return copper(high)


@pytest.mark.parametrize(("factor", "kept"), [(LEEWAY / 2, True), (1.5 * LEEWAY, False)])
def test_a_candidate_out_of_steps_is_kept_near_the_tolerance_and_recorded(factor, kept):
    candidate = Candidate(structure=swollen_by(factor), origin=Origin(generator="random"))
    settings = SearchSettings(relax=STILL)
    (found,) = relax_candidates([candidate], OneByOne(EMT()), settings, None)
    assert found.converged is False
    assert (found.rejected is None) == kept
    if kept:
        assert Group.of(found, 1).converged is False
    else:
        assert "were left after 0 steps" in found.rejected
    done = SearchSettings(relax=RelaxSettings())
    (found,) = relax_candidates([candidate], OneByOne(EMT()), done, None)
    assert found.converged
    assert found.rejected is None


def test_a_structure_that_cannot_be_relaxed_is_never_kept():
    lost = relax_one(copper(), EMT(), RelaxSettings(lowest_eV_per_atom=1.0, fmax_eV_per_A=1e-9))
    assert not lost.converged
    assert "below anything physical" in unphysical(lost, residual_eV_per_A=float("inf"))


@pytest.mark.parametrize(
    ("factor", "message", "n_kept"),
    [(LEEWAY / 2, "copper did not converge", 1), (1.5 * LEEWAY, "copper is left out", 0)],
)
def test_a_reference_that_did_not_converge_is_said(factor, message, n_kept):
    with pytest.warns(UserWarning, match=f"Reference {message}: forces of"):
        hull = Hull.relaxed({"copper": swollen_by(factor)}, OneByOne(EMT()), STILL)
    assert len(hull.energies) == n_kept
    assert (hull.energy_eV_per_atom(Composition("Cu")) is not None) == bool(n_kept)


def test_the_minima_of_a_student_say_whether_they_converged():
    atoms = bulk("Cu", cubic=True, a=3.75)
    atoms.rattle(0.1, seed=1)
    for relax in (relaxed_cell, relaxed):
        assert relax(atoms, EMT(), steps=1).info["converged"] is False
        done = relax(atoms, EMT(), steps=200)
        assert done.info["converged"] is True
        done.calc = EMT()
        assert done.get_potential_energy() == pytest.approx(done.info["energy"], abs=1e-9)


def test_a_cache_remembers_what_did_not_converge(tmp_path):
    start = copper()
    displace(start, 0.1, seed=2)
    path = tmp_path / "cache.jsonl"
    first = CachedRelaxer(FixedCellRelaxer(EMT(), max_steps=2), ResultCache(path), "few")
    (found,) = first([start])
    (again,) = CachedRelaxer(None, ResultCache(path), "few")([start])
    assert not again.converged
    assert again.reason == found.reason
    assert again.structure.lattice == found.structure.lattice
    assert again.energy_eV == found.energy_eV
    with pytest.raises(SimulationError, match=r"The host did not relax: forces of .* 2 steps"):
        again.require_converged("The host")
