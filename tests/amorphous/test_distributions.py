import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.amorphous.distributions import pair_distributions
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
