import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.amorphous.pair_distributions import (
    PairDistributions,
    mean_distributions,
    pair_distributions,
)
from vitrion.errors import InputError


def ideal_gas(rng, n_first, n_second, lattice):
    symbols = ["Li"] * n_first + ["F"] * n_second
    return Structure(lattice, symbols, rng.random((len(symbols), 3)))


@pytest.mark.parametrize(
    "lattice", [Lattice.cubic(12.0), Lattice.from_parameters(11, 13, 12, 75, 100, 110)]
)
def test_an_ideal_gas_has_no_structure(lattice):
    rng = np.random.default_rng(1)
    frames = [ideal_gas(rng, 12, 30, lattice) for _ in range(150)]
    pdf = pair_distributions(frames, r_max_A=9.0, bin_width_A=0.5)
    shells = 4 / 3 * np.pi * np.diff(np.arange(0, 9.01, 0.5) ** 3) / lattice.volume
    for (a, b), pairs in {("Li", "Li"): 132, ("Li", "F"): 360, ("F", "F"): 870}.items():
        # like pairs are counted twice, so their fluctuations are those of half as many
        independent = pairs / (2 if a == b else 1) * len(frames) * shells
        error = 1 / np.sqrt(independent)
        beyond = slice(2, None)
        assert np.all(np.abs(pdf.pair(a, b)[beyond] - 1) < 4.5 * error[beyond])
        assert np.mean(pdf.pair(a, b)[8:]) == pytest.approx(1, abs=0.01)


@pytest.fixture(scope="module")
def rock_salt():
    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    return structure.make_supercell([2, 2, 2])


def test_rock_salt_has_its_shells_where_they_belong(rock_salt):
    rng = np.random.default_rng(0)
    frames = [
        Structure(
            rock_salt.lattice,
            rock_salt.species,
            rock_salt.cart_coords + rng.normal(0, 0.08, (len(rock_salt), 3)),
            coords_are_cartesian=True,
        )
        for _ in range(20)
    ]
    pdf = pair_distributions(frames, r_max_A=7.0)
    peak, end = pdf.first_shell("Na", "Cl")
    assert peak == pytest.approx(5.64 / 2, abs=0.05)
    assert 3.1 < end < 4.6
    assert pdf.coordination("Na", "Cl", end) == pytest.approx(6, abs=0.01)
    assert pdf.coordination("Cl", "Na", end) == pytest.approx(6, abs=0.01)
    peak, end = pdf.first_shell("Na", "Na")
    assert peak == pytest.approx(5.64 / np.sqrt(2), abs=0.05)
    assert pdf.coordination("Na", "Na", end) == pytest.approx(12, abs=0.02)
    third = 5.64 * np.sqrt(3) / 2
    assert pdf.coordination("Na", "Cl", third + 0.5) == pytest.approx(14, abs=0.02)


def test_coordination_numbers_of_unlike_amounts():
    fluorite = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    pdf = pair_distributions([fluorite], r_max_A=5.0)
    assert pdf.coordination("Ca", "F", 2.8) == pytest.approx(8)
    assert pdf.coordination("F", "Ca", 2.8) == pytest.approx(4)
    assert pdf.coordination("F", "F", 3.0) == pytest.approx(6)


def test_the_order_of_the_elements_does_not_matter(rock_salt):
    pdf = pair_distributions([rock_salt])
    np.testing.assert_array_equal(pdf.pair("Na", "Cl"), pdf.pair("Cl", "Na"))
    assert list(pdf.g) == [("Na", "Na"), ("Na", "Cl"), ("Cl", "Cl")]


def test_a_gas_has_no_first_shell():
    rng = np.random.default_rng(2)
    frames = [ideal_gas(rng, 40, 40, Lattice.cubic(12.0)) for _ in range(80)]
    pdf = pair_distributions(frames, r_max_A=6.0, bin_width_A=0.2)
    assert pdf.first_shell("F", "F") is None


def test_no_frames_no_distribution():
    with pytest.raises(InputError, match="one frame"):
        pair_distributions([])


def real_glasses():
    kept = json.loads(Path(__file__).with_name("lipo2f2_glasses.json").read_text())
    for glass in kept["glasses"]:
        g = {tuple(pair.split("-")): np.array(values) for pair, values in glass["g"].items()}
        yield PairDistributions(
            r_A=0.05 * (np.arange(len(g["Li", "F"])) + 0.5),
            g=g,
            densities_per_A3={s: n / glass["volume_A3"] for s, n in glass["atoms"].items()},
            counts=glass["atoms"],
            n_frames=glass["n_frames"],
        )


@pytest.mark.parametrize("number", [1, 2])
def test_the_few_contacts_of_li_and_f_in_a_real_glass_are_its_first_shell(number):
    glass = list(real_glasses())[number]
    peak, end = glass.first_shell("Li", "F")
    assert glass.pair("Li", "F")[glass.r_A < 3.0].max() < 1.0  # lower than a gas would be
    assert 1.9 < peak < 2.25  # 2.01 A in LiF
    assert 2.3 < end < 2.9
    assert 0.05 < glass.coordination("Li", "F", end) < 1.0
    assert glass.first_shell("Li", "O")[0] == pytest.approx(1.95, abs=0.08)
    assert glass.coordination("Li", "O", glass.first_shell("Li", "O")[1]) > 3.0
    assert glass.coordination("P", "F", glass.first_shell("P", "F")[1]) == pytest.approx(
        2, abs=0.02
    )


def test_the_edge_of_po2f2_is_distinguished_from_the_contacts_behind_it():
    for glass in real_glasses():
        peak, end = glass.first_shell("O", "O")
        assert peak == pytest.approx(2.6, abs=0.08)  # O-P-O, with P-O of 1.48 A
        assert end < 3.0
        assert 1.0 < glass.coordination("O", "O", end) < 1.5


def test_the_mean_over_replicas_shows_a_shell_that_one_replica_does_not_resolve():
    replicas = list(real_glasses())
    assert replicas[0].first_shell("Li", "F")[0] > 3.0  # its contacts are but a shoulder
    mean = mean_distributions(replicas)
    assert mean.n_frames == 300
    peak, end = mean.first_shell("Li", "F")
    assert 1.9 < peak < 2.25
    numbers = [glass.coordination("Li", "F", end) for glass in replicas]
    assert min(numbers) < mean.coordination("Li", "F", end) < max(numbers)


def test_a_single_frame_of_a_gas_has_no_shell_by_chance():
    rng = np.random.default_rng(4)
    found = [
        pair_distributions([ideal_gas(rng, 12, 24, Lattice.cubic(9.5))]).first_shell("Li", "F")
        for _ in range(40)
    ]
    assert sum(shell is not None for shell in found) <= 2
