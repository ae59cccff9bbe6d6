"""Grouping, hull, ranking, and whole searches with the shipped potential."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Lattice, Structure

from vitrion.errors import InputError
from vitrion.generation.candidate import Origin
from vitrion.polymorphs.describe import coordination, space_groups
from vitrion.polymorphs.document import PolymorphDoc
from vitrion.polymorphs.group import JudgedCandidate, same_crystal
from vitrion.polymorphs.hull import Hull, shipped_crystals, shipped_references
from vitrion.polymorphs.iteration import (
    _fill_hosts,
    candidates_within,
    generate,
    settings_of_iteration,
)
from vitrion.polymorphs.prescreen import PASSED_OVER
from vitrion.polymorphs.rank import make_document
from vitrion.polymorphs.search import polish, search
from vitrion.polymorphs.search_settings import SearchSettings, check_search_request, host_species
from vitrion.polymorphs.search_state import SearchState
from vitrion.potentials.batch import Evaluation, load_batch_potential
from vitrion.relaxation.relax import RelaxSettings, relax_many


def rock_salt(a=4.03):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def finding(structure, energy, generator="random", rejected=None):
    return JudgedCandidate(
        structure=structure,
        origin=Origin(generator=generator),
        energy_eV_per_atom=energy,
        max_force_eV_per_A=0.01,
        steps=20,
        rejected=rejected,
    )


def stop_at(found_again, max_relaxations, max_iterations):
    return SearchSettings(
        found_again=found_again, max_relaxations=max_relaxations, max_iterations=max_iterations
    )


def zinc_blende():
    return Structure.from_spacegroup(
        "F-43m", Lattice.cubic(4.3), ["Li", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )


def test_the_same_crystal_in_another_cell_is_one_group():
    other = rock_salt(4.05).get_primitive_structure()
    other.translate_sites([0], [1.2, 0, 0])
    turned = rock_salt().make_supercell([[1, 1, 0], [-1, 1, 0], [0, 0, 1]], in_place=False)
    assert same_crystal(rock_salt(), other)
    state = SearchState()
    state.add(
        [
            finding(rock_salt(), -4.80),
            finding(zinc_blende(), -4.797),
            finding(other, -4.803, "diffusion"),
            finding(turned, -4.801, "inpainting"),
            finding(turned, -4.801, "inpainting"),
            finding(rock_salt(2.0), 3.0, rejected="two atoms overlap (0.31 of their ...)"),
        ]
    )
    assert [group.count for group in state.ranked] == [4, 1]
    best = state.ranked[0]
    assert best.energy_eV_per_atom == -4.803
    assert best.found_by == {"random": 1, "diffusion": 1, "inpainting": 2}
    assert best.independent_count == 3
    assert state.rejected == {"atoms overlap": 1}
    assert state.n_relaxations == 6
    assert state.best_energies == [-4.80, -4.80, -4.803, -4.803, -4.803, -4.803]
    assert state.stop_reason(stop_at(3, 100, 9)) == "the best crystal was found 3 times"
    assert state.stop_reason(stop_at(4, 6, 9)) == "the budget of 6 relaxations is spent"
    assert state.stop_reason(stop_at(4, 100, 9)) is None
    state.n_iterations = 1
    assert state.stop_reason(stop_at(4, 100, 1)) == "the limit of 1 iteration is reached"
    state.n_iterations = 3
    assert state.stop_reason(stop_at(4, 100, 3)) == "the limit of 3 iterations is reached"


def test_what_was_only_looked_at_counts_as_an_evaluation():
    state = SearchState()
    looked_at = finding(rock_salt(4.4), 0.0, rejected=PASSED_OVER)
    state.add(
        [
            looked_at.model_copy(update={"steps": 0, "screened": True}),
            finding(rock_salt(), -4.8).model_copy(update={"screened": True}),
            finding(zinc_blende(), -4.7, "diffusion"),
        ]
    )
    assert state.evaluations == {"random": 22, "diffusion": 20}
    assert state.relaxations == {"random": 1, "diffusion": 1}
    assert state.rejected == {"passed over before relaxation": 1}


def test_hull_agrees_with_pymatgen():
    energies = {"Li": -1.9, "Li2O": -4.7, "O2": -4.9, "Li2O2": -4.85, "LiF": -4.8, "F2": -1.8}
    hull = Hull({name: (Composition(name), energy) for name, energy in energies.items()})
    entries = [PDEntry(Composition(n), e * Composition(n).num_atoms) for n, e in energies.items()]
    diagram = PhaseDiagram(entries)
    for formula in ("LiO2", "Li4OF", "Li3O2"):
        composition = Composition(formula)
        energy, parts = hull.energy_eV_per_atom(composition)
        assert energy == pytest.approx(diagram.get_hull_energy_per_atom(composition))
        assert sum(parts.values()) == pytest.approx(1.0)
    assert hull.energy_eV_per_atom(Composition("Li3PO4")) is None


def test_references_ship_and_are_crystals():
    phases = shipped_references()
    assert {"LiF", "Li2O", "Li3PO4", "Li2CO3"} <= set(phases)
    assert coordination(phases["LiF"])["Li"] == {"F6": 1.0}
    assert coordination(phases["Li3PO4"])["P"] == {"O4": 1.0}
    assert not any(s.composition.reduced_formula == "LiP(OF)2" for s in phases.values())
    found = shipped_crystals()["LiPO2F2 (found here)"]
    assert coordination(found)["P"] == {"F2O2": 1.0}


def test_symmetry_falls_with_the_tolerance():
    structure = rock_salt()
    structure.perturb(0.04)
    numbers = [number for _, number, _ in space_groups(structure)]
    assert numbers[0] < 16
    assert numbers[-1] == 225


def tilted_perovskite(shift_A):
    """Oxygen atoms of SrTiO3 turned about c, the opposite way in neighboring cells."""
    made = Structure(
        Lattice.cubic(3.9),
        ["Sr", "Ti", "O", "O", "O"],
        [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    ).make_supercell([2, 2, 2], in_place=False)
    for number, site in enumerate(made):
        halves = np.rint(4 * site.frac_coords).astype(int)
        if site.specie.symbol == "O" and halves[2] % 2 == 0:
            turn = shift_A * (-1) ** int((halves // 2).sum())
            vector = [0, turn, 0] if halves[0] % 2 else [-turn, 0, 0]
            made.translate_sites([number], vector, frac_coords=False)
    return made


@pytest.mark.parametrize(
    ("shift_A", "n_sites", "groups"),
    [
        (0.0, 5, ["Pm-3m", "Pm-3m", "Pm-3m"]),
        (0.01, 5, ["I4/mcm", "Pm-3m", "Pm-3m"]),
        (0.1, 10, ["I4/mcm", "I4/mcm", "Pm-3m"]),
    ],
)
def test_a_small_distortion_is_not_averaged_away(shift_A, n_sites, groups):
    state, settings = SearchState(), SearchSettings(host_species="Sr")
    state.add([finding(tilted_perovskite(shift_A), -7.0)])
    formula = check_search_request("SrTiO3", settings)
    doc = make_document(formula, state, Hull({}), "done", None, 0, settings)
    (crystal,) = doc.polymorphs
    assert len(crystal.structure) == n_sites
    assert [at.symbol for at in crystal.space_groups] == groups


def test_invalid_requests():
    with pytest.raises(InputError, match="no generator 'magic'"):
        check_search_request("LiF", SearchSettings(candidates={"magic": 3}))
    with pytest.raises(InputError, match="at least one generator"):
        check_search_request("LiF", SearchSettings(candidates={}))
    with pytest.raises(InputError, match="does not contain host_species Na"):
        check_search_request("LiF", SearchSettings(host_species="Na"))
    pressed = SearchSettings(relax=RelaxSettings(pressure_GPa=5.0))
    with pytest.raises(InputError, match=r"leave relax\.pressure_GPa at 0"):
        check_search_request("LiF", pressed)
    with pytest.raises(InputError, match="does not know Na"):
        search("NaF", potential="vitrion-lipof")


SMALL = SearchSettings(
    candidates={"diffusion": 8, "random": 2},
    formula_units=(1, 2),
    oversampling=2,
    hosts=1,
    fillings=1,
    max_iterations=1,
)


@pytest.fixture(scope="module")
def lithium_fluoride():
    told = []
    doc = search(
        "LiF", SMALL, potential="vitrion-lipof", seed=0, on_progress=lambda s, _: told.append(s)
    )
    return doc, told


def test_finds_rock_salt_from_the_formula_alone(lithium_fluoride):
    doc, told = lithium_fluoride
    best = doc.polymorphs[0]
    assert same_crystal(best.structure, rock_salt())
    assert best.coordination["Li"] == {"F6": 1.0}
    assert abs(best.energy_above_hull_eV_per_atom) < 5e-3
    assert best.space_groups[1].symbol == "Fm-3m"
    never_relaxed = {"atoms overlap", "passed over before relaxation"}
    assert doc.n_relaxations == sum(p.times_found for p in doc.polymorphs) + sum(
        n for reason, n in doc.rejected.items() if reason not in never_relaxed
    )
    assert doc.rejected["passed over before relaxation"] > 5
    # Each relaxation takes a step and a look before, each candidate passed over a look.
    looks = doc.n_relaxations + doc.rejected["passed over before relaxation"]
    assert sum(doc.n_evaluations_by_generator.values()) >= doc.n_relaxations + looks
    energies = [p.energy_eV_per_atom for p in doc.polymorphs]
    assert energies == sorted(energies)
    assert doc.provenance.seeds == {"search": 0}
    assert doc.provenance.potential.name == "vitrion-lipof"
    assert told[0].endswith("reference phases relaxed")
    assert PolymorphDoc.model_validate_json(doc.model_dump_json()).polymorphs[0].structure == (
        doc.polymorphs[0].structure
    )


def test_the_same_seed_finds_the_same(lithium_fluoride):
    again = search("LiF", SMALL, potential="vitrion-lipof", seed=0)
    first = [p.energy_eV_per_atom for p in lithium_fluoride[0].polymorphs]
    np.testing.assert_allclose([p.energy_eV_per_atom for p in again.polymorphs], first, atol=1e-4)


def test_the_budget_is_not_overdrawn():
    limits = {"max_iterations": 4, "max_relaxations": 5, "found_again": 99}
    settings = SMALL.model_copy(update={"candidates": {"diffusion": 2, "random": 1}, **limits})
    doc = search("LiF", settings, potential="vitrion-lipof", references={})
    assert doc.n_relaxations == 5
    assert doc.n_relaxations_by_generator["inpainting"] >= 1
    assert doc.stop_reason == "the budget of 5 relaxations is spent"


@pytest.mark.parametrize("budget", [0, 1, 10, 51, 52, None])
def test_a_small_round_keeps_the_shares(budget):
    settings = SearchSettings()  # 24, 8 and 8 candidates, 12 fillings
    counts = candidates_within(settings, budget)
    if budget is None or budget >= 52:
        assert counts == settings.candidates
    else:
        assert sum(counts.values()) == (0 if budget == 0 else max(1, round(budget * 40 / 52)))
        assert counts["diffusion"] >= 3 * counts["random"] - 2


def test_a_search_of_files_alone_generates_nothing():
    settings = SearchSettings(candidates={"random": 0}, files=("x.cif",))
    assert candidates_within(settings, 3) == {"random": 0}


def test_a_generator_that_cannot_gives_its_share_to_another():
    formula = check_search_request("Li4P2O7", SearchSettings())
    assert host_species(formula, SearchSettings()) == "Li"
    assert host_species(check_search_request("P2O5", SearchSettings()), SearchSettings()) is None
    settings, told = SearchSettings(formula_units=(1,)), []
    made = generate(formula, settings, {"substitution": 2, "random": 1}, [1, 2, 3, 4], told.append)
    assert [candidate.origin.generator for candidate in made] == ["random"] * 3
    assert len({candidate.origin.seed for candidate in made}) == 3
    assert "No prototype matches" in told[0]
    with pytest.raises(InputError, match="No prototype matches"):
        generate(formula, settings, {"substitution": 2}, [1, 2, 3], told.append)


class Pull:
    """A pull of some eV per atom along the third axis: nothing holds the crystal together."""

    def __init__(self, strength):
        self.strength = strength

    def evaluate(self, systems):
        found = []
        for atoms in systems:
            length, volume = atoms.cell.array[2, 2], atoms.get_volume()
            stress = np.zeros((3, 3))
            stress[2, 2] = -self.strength * len(atoms) / volume
            energy = -self.strength * len(atoms) * np.log(length)
            found.append(Evaluation(energy, np.zeros((len(atoms), 3)), stress))
        return found


def known_rock_salt(energy):
    state = SearchState()
    state.add([finding(rock_salt(), energy)])
    return state


def test_polishing_keeps_the_crystal_that_would_fall_apart():
    """Its first relaxation ends under a pull that the tight one follows without an end."""
    pull, before = Pull(0.01), rock_salt()  # 0.03 eV/A on the cell of 8 atoms
    (loose,) = relax_many([before], pull)
    assert loose.converged
    state = known_rock_salt(loose.energy_eV_per_atom)
    polish(state, pull, SearchSettings(stability=True))
    assert state.ranked[0].structure.volume == pytest.approx(before.volume)
    assert state.ranked[0].energy_eV_per_atom == loose.energy_eV_per_atom


def test_polishing_keeps_out_of_holes():
    bottom = load_batch_potential("vitrion-lipof", symbols=["Li", "F"])
    (relaxed,) = relax_many([rock_salt()], bottom, RelaxSettings(fmax_eV_per_A=1e-3))
    squeezed, lowest = rock_salt(4.2), relaxed.energy_eV_per_atom
    for floor, moves in ((None, True), (lowest - 0.1, True), (lowest + 1e-3, False)):
        state = SearchState()
        state.add([finding(squeezed, lowest + 0.05)])
        polish(state, bottom, SearchSettings(), floor)
        assert (state.ranked[0].energy_eV_per_atom < lowest + 0.01) == moves
        assert (state.ranked[0].structure.lattice.a < 4.15) == moves


def test_the_floor_lies_below_the_hull():
    hull = Hull({"LiF": (Composition("LiF"), -4.8)})
    assert hull.floor(Composition("LiF")) == pytest.approx(-5.0)
    assert hull.floor(Composition("Li2O")) is None


def test_an_element_has_no_hosts():
    settings = SMALL.model_copy(update={"candidates": {"random": 4}, "oversampling": 1})
    doc = search("Li", settings, potential="vitrion-lipof", references={})
    assert host_species(Composition("Li"), SearchSettings(host_species="Li")) is None
    assert doc.n_relaxations_by_generator == {"random": 4}
    assert doc.polymorphs[0].structure.composition.reduced_formula == "Li"


def test_a_parent_without_hosts_does_not_stop_the_round():
    lithium = Structure(Lattice.cubic(3.44), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    parents = [lithium, rock_salt()]
    settings = SMALL.model_copy(update={"sampler": {"levels": 3}})
    fillings = _fill_hosts(Composition("LiF"), settings, [], parents, seed=0)
    assert len(fillings) == settings.oversampling * settings.fillings
    assert {made.structure.composition.reduced_formula for made in fillings} == {"LiF"}


def test_later_candidates_have_the_volume_of_the_best():
    state = SearchState()
    state.add([finding(rock_salt(a), -4.8 + 0.1 * a) for a in (3.8, 4.0, 4.4)])
    learned = settings_of_iteration(SearchSettings(), state)
    assert learned.volume_per_atom_A3 == pytest.approx(4.0**3 / 8)
    given = SearchSettings(volume_per_atom_A3=9.0)
    assert settings_of_iteration(given, state).volume_per_atom_A3 == 9.0
    assert settings_of_iteration(SearchSettings(), SearchState()).volume_per_atom_A3 is None


def test_files_are_candidates_of_the_first_iteration_alone():
    settings = SearchSettings(files=("a.cif",))
    assert settings_of_iteration(settings, SearchState()).files == ("a.cif",)
    assert settings_of_iteration(settings, SearchState(n_iterations=1)).files == ()


def test_a_reference_that_is_missing_leaves_the_hull_open():
    doc = search(
        "LiF", SMALL.model_copy(update={"hosts": 0}), potential="vitrion-lipof", references={}
    )
    assert doc.polymorphs[0].energy_above_hull_eV_per_atom is None
    assert doc.polymorphs[0].energy_above_best_eV_per_atom == 0.0
