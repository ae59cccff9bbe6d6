"""Energies of defects against the direct calculation with the same toy potential."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.optimize import BFGS
from pymatgen.core import Lattice, Structure

from vitrion.defects.energies import EnergySettings, defect_energies
from vitrion.defects.enumeration import (
    distinct_ions,
    far_pairs,
    interstitials,
    move,
    near_pairs,
    vacancies,
)
from vitrion.defects.host import prepare_host
from vitrion.defects.operations import DefectOperation, apply, outcome, undo
from vitrion.defects.relaxed_states import mark_duplicates, relaxed_sites
from vitrion.defects.sites import Site, candidate_sites
from vitrion.defects.symmetry import SpaceGroup, orbit
from vitrion.errors import InputError
from vitrion.landscape.study import cache_context, study_defects
from vitrion.landscape.study_settings import DefectSettings
from vitrion.potentials.batch import batched
from vitrion.relaxation.relaxers import FixedCellRelaxer
from vitrion.runtime.cache import ResultCache

STILL = EnergySettings(rattle_A=0.0, batch_size=3)


@pytest.fixture
def host(crystal, relax):
    return prepare_host(crystal, "Li", relax, supercell_side_A=7.5)


def direct_energy(structure: Structure, calculator) -> float:
    """Relax with another optimizer, straight in ASE."""
    atoms = Atoms(
        [site.specie.symbol for site in structure],
        positions=structure.cart_coords,
        cell=structure.lattice.matrix,
        pbc=True,
        calculator=calculator,
    )
    BFGS(atoms, logfile=None).run(fmax=0.005, steps=300)
    return atoms.get_potential_energy()


def test_frenkel_pair_energy_is_the_direct_one(host, relax, calculator):
    sites = candidate_sites(host.unit_cell, host.group, min_radius_A=1.2)
    operation = max(far_pairs(host, sites), key=lambda e: sites[e.site].radius_A)
    found = defect_energies(host, [operation], relax, STILL)[0].record
    by_hand = host.structure.copy()
    by_hand.remove_sites(list(operation.remove))
    by_hand.append("Li", operation.add[0])
    expected = direct_energy(by_hand, calculator) - direct_energy(host.structure, calculator)
    assert found.energy_eV == pytest.approx(expected, abs=2e-3)
    assert found.formation_energy_eV == found.energy_eV
    assert found.converged
    assert not found.recombined
    assert found.charge_transferred == 0


def test_unrelaxed_vacancy_of_a_pair_potential_is_the_bond_energy(crystal, calculator, relax):
    """Taking an atom out, nothing else moving, costs the energy of its bonds: twice per atom."""
    frozen = FixedCellRelaxer(calculator, max_steps=0)
    host = prepare_host(crystal, "Li", relax, supercell_side_A=7.5)
    record = defect_energies(host, vacancies(host), frozen, STILL)[0].record
    bonds = -2 * host.energy_eV / len(host.structure)
    assert record.energy_eV == pytest.approx(bonds, rel=1e-5)


def test_a_pair_next_to_its_hole_recombines(host, relax):
    ion = int(host.ions[0])
    beside = host.structure.frac_coords[ion] + [0.08, 0.0, 0.0]
    operation = move(host, ion, beside.tolist())
    record = defect_energies(host, [operation], relax, STILL)[0].record
    assert record.recombined
    assert not record.counts
    assert record.energy_eV == pytest.approx(0, abs=2e-3)


def test_symmetry_leaves_the_distinct_defects_with_their_number(host):
    sites = candidate_sites(host.unit_cell, host.group, min_radius_A=1.2)
    assert sum(site.multiplicity for site in sites) == 12
    assert [ion.multiplicity for ion in distinct_ions(host)] == [1]
    assert sum(operation.weight for operation in interstitials(host, sites)) == 12
    assert sum(operation.weight for operation in vacancies(host)) == 1
    shells = near_pairs(host, sites, n_shells=1)
    distances = sorted({round(float(e.label.split()[-2]), 2) for e in shells})
    assert distances[0] == pytest.approx(3.8 * np.sqrt(3) / 4, abs=0.01)


def test_an_exchanged_ion_is_not_a_defect_and_a_displaced_one_is_flagged(host):
    a, b = (int(k) for k in host.ions[:2])
    operation = DefectOperation("interstitial", "x", add=((0.3, 0.3, 0.3),))
    start = apply(operation, host.structure, "Li", rattle_A=0, seed=0)
    kicked = start.copy()
    position = kicked[a].frac_coords.copy()
    kicked[a].frac_coords = position + 0.2
    kicked[-1].frac_coords = position
    seen = outcome(operation, host.structure, kicked, "Li")
    assert seen.displaced_ions == 1
    assert seen.vacant == ()
    assert np.allclose(seen.interstitials, [(position + 0.2) % 1])
    swapped = host.structure.copy()
    swapped[a].frac_coords, swapped[b].frac_coords = (
        host.structure[b].frac_coords,
        host.structure[a].frac_coords,
    )
    assert outcome(
        DefectOperation("move", "y", (a,), ((0, 0, 0),)), host.structure, host.structure, "Li"
    ).recombined
    assert outcome(DefectOperation("interstitial", "z"), host.structure, swapped, "Li").recombined


def test_drift_of_the_whole_cell_displaces_nothing(host):
    operation = DefectOperation("vacancy", "v", remove=(int(host.ions[0]),))
    start = apply(operation, host.structure, "Li", rattle_A=0, seed=0)
    start.translate_sites(range(len(start)), [0.2, 0.1, 0.0])
    seen = outcome(operation, host.structure, start, "Li")
    assert seen.max_displacement_A == pytest.approx(0, abs=1e-6)
    assert seen.vacant == operation.remove


@pytest.mark.parametrize("kind", ["interstitial", "vacancy", "frenkel"])
def test_undoing_a_defect_gives_the_host_back(host, relax, kind):
    ion = int(host.ions[3])
    place = tuple((host.structure.frac_coords[ion] + [0.5, 0.25, 0.0]).tolist())
    operation = {
        "interstitial": DefectOperation("interstitial", "i", add=(place,)),
        "vacancy": DefectOperation("vacancy", "v", remove=(ion,)),
        "frenkel": DefectOperation("frenkel", "f", remove=(ion,), add=(place,)),
    }[kind]
    start = apply(operation, host.structure, "Li", rattle_A=0.02, seed=1)
    back = relax([undo(host.structure, start, "Li")])[0]
    assert back.energy_eV == pytest.approx(host.energy_eV, abs=2e-3)
    record = defect_energies(host, [operation], relax, EnergySettings(anneal=True))[0].record
    assert record.annealing_energy_eV == pytest.approx(0, abs=5e-3)


def test_two_starts_of_one_interstitial_are_one(host, relax):
    octahedral = np.array([0.5, 0.5, 0.5])
    other = np.array([0.0, 0.0, 0.5])  # the same kind of void, seen from an equal place
    operations = [
        DefectOperation("interstitial", "a", add=(tuple(host.to_supercell(octahedral)),)),
        DefectOperation("interstitial", "b", add=(tuple(host.to_supercell(octahedral + 0.02)),)),
        DefectOperation("interstitial", "c", add=(tuple(host.to_supercell(other)),)),
    ]
    defects = defect_energies(host, operations, relax, STILL)
    mark_duplicates(defects, host)
    counted = [d.record for d in defects if d.record.counts]
    assert len(counted) == 2
    assert counted[1].label == "c"  # nothing but Li at the corners: the voids are not all equal


def test_a_site_beside_a_symmetry_element_has_the_multiplicity_of_its_relaxed_state(host, relax):
    """An ion beside the center of the cell relaxes into it: one state, not six."""
    beside = orbit(np.array([0.57, 0.5, 0.5]), host.group, host.unit_cell.lattice.matrix)
    sites = [Site(beside, 1.2, "given")]
    assert sites[0].multiplicity == 6
    defects = defect_energies(host, interstitials(host, sites), relax, STILL)
    (site,) = relaxed_sites(host, sites, defects)
    assert site.multiplicity == defects[0].record.weight == 1
    assert site.orbit == pytest.approx(np.full((1, 3), 0.5), abs=0.01)
    (pair,) = far_pairs(host, [site])
    assert pair.weight == 1


def test_equal_states_in_different_cells_of_a_crystal_without_symmetry_are_one(host, relax):
    """A lattice vector is a symmetry of every crystal."""
    plain = replace(host, group=SpaceGroup(np.eye(3)[None], np.zeros((1, 3))))
    operations = [
        DefectOperation("interstitial", name, add=(tuple(plain.to_supercell(place)),))
        for name, place in (("a", np.full(3, 0.5)), ("b", np.array([1.5, 0.52, 0.5])))
    ]
    defects = defect_energies(plain, operations, relax, STILL)
    mark_duplicates(defects, plain)
    assert sum(defect.record.counts for defect in defects) == 1


def test_a_killed_run_resumes(host, relax, tmp_path):
    operations = [
        *vacancies(host),
        *interstitials(host, candidate_sites(host.unit_cell, host.group)),
    ]
    calls: list[int] = []

    def counting(structures, *, max_steps=None):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(len(structures))
        return relax(structures, max_steps=max_steps)

    path = tmp_path / "defects.jsonl"
    settings = EnergySettings(batch_size=1, rattle_A=0.0)
    with pytest.raises(KeyboardInterrupt):
        defect_energies(host, operations, counting, settings, cache=ResultCache(path))
    with path.open("a") as file:
        file.write('{"key": "torn line of a ki')
    finished: list[int] = []

    def recording(structures, *, max_steps=None):
        finished.append(len(structures))
        return relax(structures, max_steps=max_steps)

    again = defect_energies(host, operations, recording, settings, cache=ResultCache(path))
    assert sum(finished) == len(operations) - 1
    straight = defect_energies(host, operations, relax, settings)
    assert [d.record for d in again] == [d.record for d in straight]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_glass_is_studied_and_the_document_survives_json(glass, calculator):
    settings = DefectSettings(
        mobile="Li",
        max_sites=2,
        min_radius_A=1.2,
        chemical_potential_eV=-1.0,
        kinds=("interstitial", "vacancy", "near"),
    )
    ticks: list[tuple[int, int]] = []
    study = study_defects(
        glass, calculator, settings, on_progress=lambda done, n: ticks.append((done, n))
    )
    doc = study.document
    assert doc.phase == "amorphous"
    assert ticks[-1] == (len(doc.records), len(doc.records))
    for record in doc.records:
        if record.charge_transferred:
            shift = record.charge_transferred * -1.0
            assert record.formation_energy_eV == pytest.approx(record.energy_eV - shift)
    interstitial = next(r for r in doc.records if r.kind == "interstitial")
    line = doc.formation_line(interstitial.label, [0.0, 1.0, 3.0])
    assert np.allclose(np.diff(line), [1.0, 2.0])
    vacancy = next(r for r in doc.records if r.kind == "vacancy")
    assert np.allclose(np.diff(doc.formation_line(vacancy.label, [0.0, 2.0])), [-2.0])
    assert all(record.annealing_energy_eV is not None for record in doc.records)
    copy = type(doc).model_validate_json(doc.model_dump_json())
    assert copy.records == doc.records
    assert copy.relaxed_structures.keys() == {r.label for r in doc.records}


def test_what_cannot_be_studied_is_refused_in_a_sentence(crystal, calculator, relax):
    def assert_refused(structure, message, **settings):
        chosen = DefectSettings(**({"mobile": "Li"} | settings))
        with pytest.raises(InputError, match=message) as caught:
            study_defects(structure, calculator, chosen)
        assert str(caught.value).count(". ") == 0

    assert_refused(crystal, "no void", min_radius_A=3.0)
    assert_refused(crystal, "too small|interact with its image", phase="amorphous")
    assert_refused(crystal, "does not contain Na", mobile="Na")
    strained = crystal.copy()
    strained[1] = "Ar", [0.5, 0.4, 0.0]
    assert_refused(strained, "not relaxed", phase="crystalline")
    disordered = crystal.copy()
    disordered[0] = {"Li": 0.5, "Na": 0.5}
    assert_refused(disordered, "ordered")
    with pytest.raises(InputError, match="does not know"):
        study_defects(
            Structure(Lattice.cubic(4), ["Li", "At"], [[0, 0, 0], [0.5] * 3]),
            calculator,
            DefectSettings(mobile="Li"),
            potential="chgnet",
        )


def test_two_ions_of_one_host_share_a_cache_and_nothing_else(relax):
    """An interstitial takes out no site, so only the element distinguishes Li from Na in a void."""
    two = Structure(
        Lattice.cubic(3.8),
        ["Li", "Na", "Ar", "Ar"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )

    def heavy(structures, *, max_steps=None):  # energies that depend on the elements
        return [
            replace(found, energy_eV=float(sum(site.specie.Z for site in found.structure)))
            for found in relax(structures, max_steps=max_steps)
        ]

    shared, operation = (
        ResultCache(None),
        DefectOperation("interstitial", "void", add=((0.25, 0.25, 0.25),)),
    )
    for mobile, number in (("Li", 3), ("Na", 11)):
        host = prepare_host(two, mobile, heavy, phase="crystalline", supercell_side_A=7.5)
        (defect,) = defect_energies(host, [operation], heavy, STILL, cache=shared)
        assert defect.record.energy_eV == pytest.approx(number)


def test_what_a_directory_keeps_belongs_to_a_potential_with_a_name(glass, calculator, tmp_path):
    settings = DefectSettings(
        mobile="Li", max_sites=1, min_radius_A=1.2, chemical_potential_eV=-1.0, kinds=("vacancy",)
    )
    with pytest.raises(InputError, match="name of the potential"):
        study_defects(glass, calculator, settings, directory=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_of_other_content_is_another_potential(tmp_path):
    file = tmp_path / "student.model"
    file.write_bytes(b"first")
    settings = DefectSettings()
    first = cache_context(f"mace:{file}", settings)
    assert cache_context(f"mace:{file}", settings) == first
    assert cache_context(f"mace:{file}", DefectSettings(batched=True)) != first
    file.write_bytes(b"second")
    assert cache_context(f"mace:{file}", settings) != first


def test_a_batch_out_of_steps_near_the_bound_is_not_converged(glass, calculator):
    """Soft cells slide for long: a force of up to four bounds is kept there, not called relaxed."""
    shaken = glass.copy()
    shaken.translate_sites([0], [0.02, 0.01, 0.0])
    start = FixedCellRelaxer(calculator, 0.02)([shaken], max_steps=0)[0].max_force_eV_per_A
    relax = FixedCellRelaxer(batched(calculator), fmax_eV_per_A=start / 2)
    (near,) = relax([shaken], max_steps=0)
    assert start / 2 < near.max_force_eV_per_A < 2 * start
    assert not near.converged
    (found,) = relax([shaken])
    assert found.converged
    assert found.max_force_eV_per_A <= start / 2
