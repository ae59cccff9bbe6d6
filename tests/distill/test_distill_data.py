"""Packing, sampling, splitting, fitting and selection of training frames."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.frames import ENERGY, fit_atomic_energies, low_energies, split
from vitrion.distill.sample.committee import disagreement, select
from vitrion.distill.sample.packing import MOLECULES, fragment, pack_fragments
from vitrion.distill.sample.sampling import (
    DynamicsSettings,
    collapsed,
    draw_start,
    explore,
    with_interstitial,
    with_vacancy,
)
from vitrion.distill.training_plan import CHEMISTRY, seed_frames
from vitrion.distill.validate.heldout import _stated
from vitrion.distill.validate.pair_distribution import overlap, pair_distribution
from vitrion.errors import InputError
from vitrion.potentials.student import student_calculator


@pytest.mark.parametrize("volume", [12.5, 16.0])
def test_packed_ions_are_whole_and_apart(volume):
    atoms = pack_fragments({"Li": 6, "PO2F2": 6}, volume, seed=4)
    assert atoms.get_volume() / len(atoms) == pytest.approx(volume)
    assert atoms.symbols.formula.count() == {"Li": 6, "P": 6, "O": 12, "F": 12}
    distances = atoms.get_all_distances(mic=True)
    owner = atoms.arrays["fragment"]
    same = owner[:, None] == owner[None, :]
    assert distances[~same].min() > 1.8
    for phosphorus in np.flatnonzero(atoms.numbers == 15):
        ligands = np.flatnonzero(same[phosphorus] & (atoms.numbers != 15))
        np.testing.assert_allclose(
            distances[phosphorus, ligands], [1.48, 1.48, 1.57, 1.57], atol=0.08
        )


def test_packing_follows_its_seed():
    first, again, other = (
        pack_fragments({"Li": 3, "CO3": 2}, 11, seed=s).positions for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_unknown_fragment_is_refused():
    with pytest.raises(InputError, match="fragment 'SO9' is unknown"):
        pack_fragments({"SO9": 1}, 12, seed=0)


def test_no_fragment_is_collapsed_and_the_held_out_composition_is_absent():
    used = {name for mixture in CHEMISTRY.mixtures for name in mixture.ions}
    for name in used | MOLECULES.keys():
        assert not collapsed(fragment(name), 1.1), name
    held_out = Atoms("Li2PO3F").symbols.formula.reduce()[0]
    for frame in seed_frames(1, per_crystal=1, packed=20):
        assert frame.symbols.formula.reduce()[0] != held_out
    for mixture in CHEMISTRY.mixtures:
        assert "PO3F" not in mixture.ions


def test_known_crystals_have_expected_bonds():
    expected = {"LiF": 2.01, "Li2O": 2.00, "Li2CO3": 1.28, "Li3PO4": 1.54, "LiPF6": 1.6}
    for name, length in expected.items():
        distances = known_crystals()[name].repeat(2).get_all_distances(mic=True)
        np.fill_diagonal(distances, np.inf)
        assert distances.min() == pytest.approx(length, abs=0.05), name


def test_defect_cells():
    crystal = known_crystals()["Li2O"].repeat(2)
    rng = np.random.default_rng(0)
    vacancy = with_vacancy(crystal, "Li", rng)
    assert vacancy.symbols.count("Li") == crystal.symbols.count("Li") - 1
    interstitial = with_interstitial(crystal, "Li", rng)
    gaps = interstitial.get_distances(-1, range(len(crystal)), mic=True)
    # The octahedral void of the antifluorite cell lies a/2 from O and 0.433 a from Li.
    assert gaps.min() > 0.8 * 0.433 * 4.62
    with pytest.raises(InputError, match="no C"):
        with_vacancy(crystal, "C", rng)


def test_atomic_energies_are_recovered_from_varied_compositions():
    true = {3: -2.1, 8: -6.5, 9: -4.0, 15: -3.3}
    frames = []
    for name in ("LiF", "Li2O", "Li3PO4", "Li3P", "Li2O2", "LiPF6"):
        atoms = known_crystals()[name]
        atoms.info["REF_energy"] = sum(true[z] for z in atoms.numbers)
        frames.append(atoms)
    fitted = fit_atomic_energies(frames)
    assert fitted == pytest.approx(true, abs=1e-6)


def test_frames_never_change_sides_when_data_grow():
    rng = np.random.default_rng(0)
    frames = [Atoms("LiF", rng.random((2, 3))) for _ in range(400)]
    for index, frame in enumerate(frames):
        frame.info["index"] = index
    _, few = split(frames[:200], 0.1)
    _, many = split(frames, 0.1)
    assert {a.info["index"] for a in many if a.info["index"] < 200} == {
        a.info["index"] for a in few
    }
    assert 20 < len(many) < 65


def test_selection_takes_the_worst_apart_and_one_at_random():
    scores = np.array([0.1, 0.9, 0.8, 0.2, 0.7, 0.05])
    chosen = select(scores, np.random.default_rng(0), limit=2, threshold=0.5)
    assert {1, 4} <= set(chosen)
    assert len(chosen) <= 3
    assert len(select(scores * 0.1, np.random.default_rng(0), limit=2, threshold=0.5)) == 1


def test_exploration_and_disagreement():
    calculator = student_calculator()
    rng = np.random.default_rng(3)
    atoms, temperature = draw_start(CHEMISTRY, {"Li2O": known_crystals()["Li2O"]}, rng)
    short = DynamicsSettings(duration_ps=0.03, interval_fs=10, relax_steps=3)
    frames = explore(atoms, calculator, temperature, short, rng)
    assert len(frames) == 4
    assert all(frame.get_chemical_formula() == atoms.get_chemical_formula() for frame in frames)
    assert np.abs(frames[-1].positions - frames[0].positions).max() > 1e-3
    # Forces in two precisions are the same potential: no disagreement, and no frame is worse.
    scores = disagreement(frames, [calculator, student_calculator(dtype="float64")])
    assert scores.shape == (4,)
    assert scores.max() < 1e-3
    with pytest.raises(InputError, match="at least two"):
        disagreement(frames, [calculator])


def test_pair_distribution_of_an_ideal_gas_is_one():
    rng = np.random.default_rng(0)
    gas = [Atoms(f"Li{400}", 20 * rng.random((400, 3)), cell=[20] * 3, pbc=True) for _ in range(5)]
    _, g = pair_distribution(gas)
    assert g[40:].mean() == pytest.approx(1.0, abs=0.02)
    assert overlap(g, g) == pytest.approx(1.0)
    assert overlap(g, np.roll(g, 3) * 2) < 0.75


def test_temperatures_of_a_regime():
    assert _stated("LiPO2F2 glass, 300 K", 300)
    assert not _stated("LiPO2F2 glass, 300 K", 1200)
    assert _stated("Li2PO3F, 600-1000 K", 1000)


def test_frames_far_above_their_composition_are_left_out():
    frames = []
    for energy, size in ((-10.0, 1), (-8.5, 1), (-17.0, 2), (-3.0, 1)):
        atoms = bulk("LiF", "rocksalt", a=4.0).repeat((1, 1, size))
        atoms.info[ENERGY] = energy
        frames.append(atoms)
    kept = low_energies(frames, 1.0)
    assert [atoms.info[ENERGY] for atoms in kept] == [-10.0, -8.5, -17.0]


def test_pair_distribution_of_two_elements():
    atoms = bulk("LiF", "rocksalt", a=4.0, cubic=True)
    distance, unlike = pair_distribution([atoms], pair=("Li", "F"))
    _, like = pair_distribution([atoms], pair=("Li", "Li"))
    _, total = pair_distribution([atoms])
    assert distance[unlike.argmax()] == pytest.approx(2.0, abs=0.05)
    assert like[distance < 2.7].sum() == 0
    np.testing.assert_allclose(total, (like + unlike) / 2)  # as many Li as F
    shell = (distance > 1.9) & (distance < 2.1)
    width = distance[1] - distance[0]
    neighbors = (4 * np.pi * distance**2 * unlike * width)[shell].sum() * 4 / atoms.get_volume()
    assert neighbors == pytest.approx(6, rel=0.01)
