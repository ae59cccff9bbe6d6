"""Names of the mobile species, as people and programs write them."""

import numpy as np
import pytest
from pymatgen.core import Element, Species

from helpers.reader_checks import CELL, INTERVAL_FS, assert_agrees
from vitrion.chemistry.species import masses
from vitrion.errors import InputError
from vitrion.transport import analyze


@pytest.mark.parametrize("mobile", ["li", "LI", "Li+", "Li1+", " Li ", "Li+1", ["Li"], "Li_sv"])
def test_mobile_species_as_people_write_them(run, expected, mobile):
    result = analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, mobile, wrapped=False)
    assert_agrees(result, expected)
    assert result.mobile == {"Li": 1.0}


def test_several_mobile_species(run):
    symbols = np.array(run[1])
    symbols[np.flatnonzero(symbols == "O")[:5]] = "Na"
    for mobile in ("Li, Na", "Li,Na+", "Li Na", ["Li", "Na"], [Element("Li"), Species("Na", 1)]):
        result = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, mobile)
        assert result.mobile == {"Li": 1.0, "Na": 1.0}
        assert result.n_mobile == 15
    with pytest.raises(InputError, match="several mobile species"):
        analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, "Li,Na", 1.0)


@pytest.mark.parametrize(
    ("mobile", "charge", "message"),
    [
        ("Ca2+", 1.0, "set to both 1 and 2"),
        ("Xx", None, "'Xx' is not a"),
        ("lithium", None, "'lithium' is not a species"),
        ("C", None, "charge of mobile C is unknown"),
        ("", None, "at least one"),
        ("Na", None, r"no Na in the trajectory, which holds Li, O"),
    ],
)
def test_mobile_species_that_are_refused(run, mobile, charge, message):
    with pytest.raises(InputError, match=message):
        analyze(run[0], CELL, run[1], INTERVAL_FS, 700.0, mobile, charge)


def test_deuterium_has_its_mass(run, expected):
    symbols = ["Li" if s == "Li" else "D" for s in run[1]]
    result = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, "D", wrapped=False)
    assert result.mobile == {"D": 1.0}
    for deuterium in ("D", Element("D"), Species("D", 1)):
        symbols = [deuterium if s == "Li" else Element("O") for s in run[1]]
        as_deuterium = analyze(run[0], CELL, symbols, INTERVAL_FS, 700.0, deuterium, wrapped=False)
        assert_agrees(as_deuterium, expected)
        assert as_deuterium.mobile == {"D": 1.0}
    assert masses(["D", "H", "T", "Li"]) == pytest.approx([2.0141, 1.008, 3.0160, 6.94], abs=1e-3)
