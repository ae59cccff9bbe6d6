"""The native kernel against torch in float64, for models of many sizes and cells of many shapes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet

from helpers.native_models import (
    GPA,
    Reference,
    heldout,
    imbalance,
    random_cell,
    random_model,
    reference,
)
from vitrion.errors import InputError
from vitrion.potentials.native import (
    NativeCalculator,
    NativeModel,
    TableSource,
    Workspace,
    extract,
    usable_variants,
)
from vitrion.potentials.student import load_student, student_card, student_path, student_tables

VARIANTS = usable_variants()
pytestmark = pytest.mark.skipif(not VARIANTS, reason="the kernel was not compiled")


@pytest.fixture(scope="module")
def student():
    return load_student(student_path())


@pytest.fixture(scope="module")
def source():
    return student_tables(student_path(), student_card()["sha256"])


def source_of(model) -> TableSource:
    return TableSource(lambda: model, [int(z) for z in model.atomic_numbers])


def assert_agrees_with_torch(
    model, native: NativeModel, systems: list[Atoms], exact_results: list[Reference] | None = None
) -> None:
    """Compare every quantity with torch; bounds are those of the shipped student, or relative."""
    relative = 2e-5
    exact_results = exact_results or [reference(model, atoms) for atoms in systems]
    found = Workspace(native.library).evaluate(native, systems, virials=True, features=True)
    assert found.message == ""
    start = 0
    for k, atoms in enumerate(systems):
        exact, own = exact_results[k], slice(start, start + len(atoms))
        start += len(atoms)
        force = np.abs(exact.forces).max()
        assert np.abs(found.forces[own] - exact.forces).max() < max(5e-4, relative * force)
        spread = np.abs(exact.atom_energies).max()
        assert abs(found.energies[k] - exact.energy) / len(atoms) < max(2e-5, 1e-6 * spread)
        energies = found.atom_energies[own]
        assert np.abs(energies - exact.atom_energies).max() < max(2e-4, 1e-5 * spread)
        assert found.energies[k] == pytest.approx(energies.sum() + imbalance(model, atoms))
        virial = 0.5 * (found.virials[k] + found.virials[k].T)
        limit = max(1e-3 / GPA * atoms.get_volume(), relative * np.abs(exact.virial).max())
        assert np.abs(virial - exact.virial).max() < limit
        scale = np.abs(exact.features).max()
        assert np.abs(found.features[own] - exact.features).max() < 2e-5 * scale


def test_student_on_frames_kept_out_of_the_training(student, source):
    frames = heldout(24)
    exact = [reference(student, atoms) for atoms in frames]
    tables = source.tables({z for a in frames for z in a.numbers})
    for variant in VARIANTS:
        assert_agrees_with_torch(student, NativeModel(tables, variant), frames, exact)


@pytest.mark.slow
def test_student_on_all_frames_kept_out_of_the_training(student, source):
    frames = heldout()
    exact = [reference(student, atoms) for atoms in frames]
    tables = source.tables({z for a in frames for z in a.numbers})
    for variant in VARIANTS:
        assert_agrees_with_torch(student, NativeModel(tables, variant), frames, exact)


SIZES = [
    {"channels": 8, "max_ell": 1, "correlation": 1, "atomic_numbers": [3]},
    {"channels": 20, "max_ell": 1, "correlation": 2, "num_interactions": 3},
    {"channels": 48, "max_ell": 2, "correlation": 3, "num_interactions": 1},
    {"channels": 96, "max_ell": 3, "correlation": 2, "atomic_numbers": [3, 6, 8, 9, 15, 16]},
    {"channels": 16, "max_ell": 3, "correlation": 3, "pair_repulsion": False},
    {"channels": 16, "max_ell": 2, "correlation": 2, "distance_transform": "Soft"},
    {"channels": 16, "max_ell": 3, "correlation": 1, "distance_transform": "None"},
    {"channels": 33, "max_ell": 1, "correlation": 3, "radial_MLP": [40, 40], "r_max": 6.0},
    {"channels": 24, "interaction_cls_first": "RealAgnosticInteractionBlock"},
    {"channels": 16, "hole_energy_eV": 0.8, "electron_energy_eV": 16.0, "MLP_irreps": "20x0e"},
]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: "-".join(str(v) for v in s.values()))
def test_models_of_other_sizes(size):
    model = random_model(**size)
    elements = [int(z) for z in model.atomic_numbers]
    systems = [random_cell(seed, elements, n) for seed, n in enumerate((1, 5, 17))]
    exact = [reference(model, atoms) for atoms in systems]
    tables = extract(model, elements)
    for variant in VARIANTS:
        assert_agrees_with_torch(model, NativeModel(tables, variant), systems, exact)


def skewed() -> Atoms:
    """A small cell, so skewed that the cutoff reaches over several images."""
    atoms = random_cell(3, [3, 8, 15], 3)
    atoms.set_cell(atoms.cell.array + np.outer([0, 1, 1], 1.5 * atoms.cell[0]), scale_atoms=True)
    return atoms


def cluster(pbc: tuple[bool, bool, bool], with_cell: bool) -> Atoms:
    atoms = random_cell(5, [3, 8, 15], 24)
    atoms.pbc = pbc
    if not with_cell:
        atoms.cell[~atoms.pbc] = 0
    return atoms


CELLS = {
    "skewed": skewed,
    "moved out of the cell": lambda: moved(random_cell(4, [3, 8, 15], 20)),
    "large": lambda: random_cell(6, [3, 8, 15], 40).repeat((2, 2, 2)),
    "large, moved": lambda: moved(random_cell(6, [3, 8, 15], 40).repeat((2, 2, 1))),
    "left-handed": lambda: left_handed(random_cell(7, [3, 8, 15], 11)),
    "slab": lambda: cluster((True, True, False), with_cell=True),
    "wire without vectors": lambda: cluster((False, False, True), with_cell=False),
    "cluster": lambda: cluster((False, False, False), with_cell=False),
    "large cluster": lambda: opened(random_cell(6, [3, 8, 15], 40).repeat((2, 2, 2))),
    "one atom": lambda: Atoms("O"),
    "two far atoms": lambda: Atoms("OP", [[0, 0, 0], [0, 0, 7]]),
}


def moved(atoms: Atoms) -> Atoms:
    rng = np.random.default_rng(0)
    atoms.positions += rng.integers(-3, 4, (len(atoms), 3)) @ atoms.cell.array
    return atoms


def left_handed(atoms: Atoms) -> Atoms:
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    return atoms


def opened(atoms: Atoms) -> Atoms:
    atoms.pbc, atoms.cell[:] = False, 0
    return atoms


@pytest.fixture(scope="module")
def small():
    """A small model in torch, and in the kernel."""
    model = random_model(channels=16, max_ell=2, r_max=4.0)
    return model, NativeModel(extract(model, [3, 8, 15]))


@pytest.mark.parametrize("kind", CELLS)
def test_cells_of_all_shapes(small, kind):
    atoms = CELLS[kind]()
    model, native = small
    found = Workspace(native.library).evaluate(native, [atoms], virials=True)
    exact = reference(model, atoms)
    assert found.energies[0] == pytest.approx(exact.energy, abs=2e-5 * len(atoms))
    np.testing.assert_allclose(found.forces, exact.forces, atol=3e-4)
    if atoms.pbc.all():
        virial = 0.5 * (found.virials[0] + found.virials[0].T)
        np.testing.assert_allclose(virial, exact.virial, atol=2e-3 * len(atoms) ** 0.5)


def test_forces_and_stress_are_derivatives_of_the_energy(source):
    atoms = heldout(40)[1]
    calculator = NativeCalculator(source)
    calculator.calculate(atoms, ["forces", "stress"])
    forces, stress = calculator.results["forces"], calculator.results["stress"]
    rng = np.random.default_rng(2)
    direction = rng.normal(size=forces.shape)
    direction /= np.linalg.norm(direction)

    def energy(shift: float, strain: np.ndarray) -> float:
        changed = atoms.copy()
        changed.positions += shift * direction
        changed.set_cell(changed.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        calculator.calculate(changed, ["energy"])
        return calculator.results["energy"]

    h, zero = 2e-3, np.zeros((3, 3))
    slope = (energy(h, zero) - energy(-h, zero)) / (2 * h)
    assert slope == pytest.approx(-(forces * direction).sum(), abs=2e-3)
    for voigt, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[a, b] += 1e-3 / 2
        strain[b, a] += 1e-3 / 2
        slope = (energy(0, strain) - energy(0, -strain)) / 2e-3 / atoms.get_volume()
        assert slope == pytest.approx(stress[voigt], abs=0.01 / GPA)


@pytest.mark.parametrize("pair", [("Li", "O"), ("P", "O"), ("F", "F"), ("P", "P")])
def test_short_distances_down_to_the_limit(student, source, pair):
    native = NativeModel(source.tables([3, 8, 9, 15]))
    workspace = Workspace(native.library)
    for r in (0.3001, 0.35, 0.5, 0.7, 0.9, 1.1, 1.3):
        atoms = Atoms(pair, [[0, 0, 0], [0.36 * r, 0.48 * r, 0.8 * r]])
        found, exact = workspace.evaluate(native, [atoms]), reference(student, atoms)
        scale = max(np.abs(exact.forces).max(), abs(exact.energy))  # eV/A, of the repulsion
        assert np.abs(found.forces - exact.forces).max() < 5e-4 + 1e-4 * scale
        assert found.energies[0] == pytest.approx(exact.energy, rel=1e-5, abs=3e-4)


def test_results_do_not_depend_on_what_was_evaluated_before(source):
    atoms = heldout(20)[2].repeat((2, 2, 2))  # linked cells
    fresh, used = (NativeCalculator(source) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(25):
        atoms.positions += rng.normal(scale=0.03, size=atoms.positions.shape)
        atoms.set_cell(atoms.cell.array * (1 + 1e-4 * rng.normal()), scale_atoms=True)
        used.calculate(atoms, ["forces", "stress"])
    assert 1 < used._system.workspace.list_builds < 25
    fresh.calculate(atoms, ["forces", "stress"])
    for name in ("energy", "forces", "stress", "energies"):
        np.testing.assert_array_equal(fresh.results[name], used.results[name])


def test_neighbor_list_outlives_small_moves_only(source):
    calculator = NativeCalculator(source)
    atoms = heldout(20)[2]
    calculator.calculate(atoms)
    atoms.positions[0] += [0.2, 0, 0]
    atoms.set_cell(atoms.cell.array * 1.001, scale_atoms=True)
    calculator.calculate(atoms)
    assert calculator._system.workspace.list_builds == 1
    atoms.positions[0] += [0.2, 0, 0]
    calculator.calculate(atoms)
    assert calculator._system.workspace.list_builds == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_many_systems_in_one_call_are_evaluated_as_one_by_one(source, variant):
    systems = heldout(9)
    native = NativeModel(source.tables({z for a in systems for z in a.numbers}), variant)
    joined = Workspace(native.library).evaluate(native, systems, virials=True)
    start = 0
    for k, atoms in enumerate(systems):
        alone = Workspace(native.library).evaluate(native, [atoms], virials=True)
        assert joined.energies[k] == pytest.approx(alone.energies[0], abs=1e-6 * len(atoms))
        own = slice(start, start := start + len(atoms))
        np.testing.assert_allclose(joined.forces[own], alone.forces, atol=5e-5)
        np.testing.assert_allclose(joined.virials[k], alone.virials[0], atol=1e-3)


def test_a_system_that_cannot_be_evaluated_does_not_stop_the_others(source):
    good = bulk("LiF", "rocksalt", 4.03)
    bad = good.copy()
    bad.positions[1] = bad.positions[0] + [0.1, 0, 0]
    native = NativeModel(source.tables([3, 9]))
    found = Workspace(native.library).evaluate(native, [good, bad, good])
    assert found.status.tolist() == [0, 5, 0]
    assert np.isnan(found.energies[1])
    assert found.energies[0] == found.energies[2]
    assert "Structure 1: Atoms 0 and 1 are 0.100 A apart" in found.message


def test_what_cannot_be_evaluated_is_refused_in_a_sentence(source):
    calculator = NativeCalculator(source)
    good = bulk("LiF", "rocksalt", 4.03)

    def changed(**changes) -> Atoms:
        atoms = good.copy()
        for name, value in changes.items():
            setattr(atoms, name, value)
        return atoms

    nan = good.positions.copy()
    nan[1, 2] = np.nan
    flat = good.cell.array.copy()
    flat[2] = flat[0] + flat[1]
    for atoms, words in (
        (changed(positions=nan), "The position of atom 1 is not finite"),
        (changed(cell=flat), "spans no volume"),
        (changed(cell=np.full((3, 3), np.inf)), "cell is not finite"),
        (changed(positions=good.positions + np.diag([0, 1e9, 0])[:2]), "1e6 cells away"),
        (changed(positions=np.array([[0.0, 0, 0], [0, 0.2, 0]])), "0.200 A apart"),
        (changed(numbers=[3, 17]), r"does not know the atomic numbers \[17\]"),
        (Atoms(), "without atoms"),
    ):
        with pytest.raises(InputError, match=words):
            calculator.calculate(atoms, ["energy", "forces"])


def test_threads_evaluate_at_the_same_time(source):
    atoms = heldout(20)[2].repeat((2, 1, 1))
    native = NativeModel(source.tables(set(atoms.numbers)))
    expected = Workspace(native.library).evaluate(native, [atoms]).forces
    wrong = []

    def work() -> None:
        workspace = Workspace(native.library)
        for _ in range(10):
            if not np.array_equal(workspace.evaluate(native, [atoms]).forces, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.slow
def test_energy_is_conserved(source):
    atoms = next(a for a in heldout() if len(a) == 48)
    atoms.calc = NativeCalculator(source)
    MaxwellBoltzmannDistribution(atoms, temperature_K=720, rng=np.random.default_rng(0))
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    dynamics.run(1000)
    energies = []
    for _ in range(200):
        dynamics.run(50)
        energies.append(atoms.get_total_energy() / len(atoms))
    drift = np.polyfit(0.05 * np.arange(len(energies)), energies, 1)[0]
    assert abs(drift) < 1e-5  # eV an atom and ps
