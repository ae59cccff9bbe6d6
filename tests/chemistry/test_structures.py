"""The check that every step begins with: one atom a site."""

import pytest
from pymatgen.core import Lattice, Structure

from vitrion.amorphous.start_cell import melt_start
from vitrion.chemistry.geometry import site_symbols
from vitrion.chemistry.ions import ions_from_crystal
from vitrion.chemistry.structures import check_ordered, without_site_properties
from vitrion.dynamics.start import read_start
from vitrion.errors import InputError
from vitrion.generation.inpainting import inpaint
from vitrion.relaxation.relax import relax_many

SITES = [[0, 0, 0], [0.5, 0.5, 0.5]]
SHARED = Structure(Lattice.cubic(4), [{"Li": 0.5, "Na": 0.5}, "F"], SITES)
PARTLY_EMPTY = Structure(Lattice.cubic(4), [{"Li": 0.5}, "F"], SITES)


def test_ordered_structures_pass_and_others_are_named():
    ordered = Structure(Lattice.cubic(4), ["Li", "F"], SITES)
    assert check_ordered(ordered) is ordered
    for structure in (SHARED, PARTLY_EMPTY):
        with pytest.raises(InputError, match=r"^mine\.cif has partial occupancies: order it"):
            check_ordered(structure, "mine.cif")


@pytest.mark.parametrize(
    "step",
    [
        lambda structure: read_start(structure, fix_center_of_mass=True),
        melt_start,
        ions_from_crystal,
        site_symbols,
        lambda structure: relax_many([structure], None),
        lambda structure: inpaint(structure, {"Li": 1}, 1, seed=0),
    ],
    ids=["dynamics", "melting", "ions", "defects", "relaxation", "inpainting"],
)
def test_every_step_refuses_partial_occupancies(step):
    with pytest.raises(InputError, match="has partial occupancies"):
        step(PARTLY_EMPTY)


def test_what_is_left_on_the_sites_can_be_dropped():
    left = {"selective_dynamics": [[False] * 3] * 2, "velocities": [[0.1, 0, 0]] * 2}
    structure = Structure(Lattice.cubic(4), ["Li+", "F-"], SITES, site_properties=left)
    del structure[1].properties["velocities"]  # as of an atom that was added
    plain = without_site_properties(structure)
    assert plain.site_properties == {}
    assert plain == Structure(Lattice.cubic(4), ["Li+", "F-"], SITES)
    assert set(structure.site_properties) == set(left), "the caller's is as it was"
