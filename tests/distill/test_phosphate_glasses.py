"""Glasses of the phosphate map: compositions, volumes, and what a run returns."""

import numpy as np
import pytest

from phosphate_glasses import UNITS, glass_ions, melt_and_cool, ternary_grid
from vitrion.distill.sample.packing import fragment
from vitrion.errors import InputError
from vitrion.potentials.student import student_calculator


def atoms_of(ions):
    symbols = [s for ion, count in ions.items() for s in count * [*fragment(ion).symbols]]
    return {symbol: symbols.count(symbol) for symbol in set(symbols)}


def test_the_grid_has_all_mixtures_once():
    grid = ternary_grid(4)
    assert len({tuple(mixture.items()) for mixture in grid}) == len(grid) == 15
    assert all(sum(mixture.values()) == 4 for mixture in grid)


def test_reactions_keep_the_composition():
    mixture = {"LiF": 2, "Li3PO4": 1, "LiPO3": 1, "P2O5": 1}  # Li6 F2 P4 O12
    for seed in range(10):
        ions, volume = glass_ions(mixture, 48, np.random.default_rng(seed))
        assert atoms_of(ions) == {"Li": 12, "F": 4, "P": 8, "O": 24}
        assert volume == pytest.approx((4 * 9.0 + 8 * 10.3 + 5 * 12.6 + 7 * 14.2) / 24)
    with pytest.raises(InputError, match="NaCl is unknown"):
        glass_ions({"NaCl": 1}, 10, np.random.default_rng(0))


@pytest.mark.parametrize("name", UNITS)
def test_units_have_the_atoms_of_their_formula(name):
    from pymatgen.core import Composition

    expected = {element.symbol: int(n) for element, n in Composition(name).items()}
    assert atoms_of(UNITS[name].ions) == expected
    assert sum(expected.values()) == UNITS[name].n_atoms


def test_a_run_returns_a_melt_and_a_glass_at_one_volume():
    frames = melt_and_cool(
        student_calculator(), {"LiF": 2, "LiPO3": 1}, 9, np.random.default_rng(2)
    )
    assert [frame.info["config_type"] for frame in frames] == ["map:melt", "map:melt", "map:glass"]
    assert len({round(frame.get_volume(), 6) for frame in frames}) == 1
    assert 8 < frames[0].get_volume() / len(frames[0]) < 14
