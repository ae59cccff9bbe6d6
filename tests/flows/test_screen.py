import pytest
from monty.json import jsanitize
from pymatgen.core import Composition, Lattice, Structure

from vitrion.conductivity.document import ConductivityDoc
from vitrion.errors import InputError
from vitrion.flows.given_crystal import read_crystal
from vitrion.flows.glass_conductivity import GlassConductivityMaker
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import make_flow
from vitrion.flows.screen import (
    SEI_CRYSTALS,
    ScreenMaker,
    composition_grid,
    find_formulas,
    known_recipes,
)
from vitrion.store.job_store import SQLiteJobStore


def test_a_grid_has_every_mixture_once_and_only_conductors():
    found = composition_grid("LiF-Li3PO4-P2O5", 2)
    # Six points; P2O5 has no lithium.
    assert len(found) == 5
    assert {"LiF", "Li3PO4"} <= set(found)
    assert "P2O5" not in found
    assert composition_grid("Li2O-LiF", 1) == ["LiF", "Li2O"]


def test_a_grid_of_many_end_members_is_enumerated_by_its_points():
    """Each of 20 amounts may be 0 to 2: three billion combinations, of which 210 are points."""
    members = "LiF-LiCl-LiBr-LiI-Li2O-Li2S-Li3N-Li3P-Li3PO4-Li2CO3-Li2SO4-LiNO3-NaF-NaCl-Na2O-KF"
    found = composition_grid(f"{members}-K2O-MgO-CaO-P2O5", 2)
    assert "LiF" in found
    assert len(set(found)) == len(found) > 150


def test_every_point_of_a_grid_is_neutral():
    from vitrion.chemistry.formulas import parse_composition

    charges = {"Li": 1, "F": -1, "P": 5, "O": -2}
    for formula in composition_grid("LiF-Li3PO4-P2O5", 4):
        amounts = parse_composition(formula).get_el_amt_dict()
        assert sum(charges[symbol] * n for symbol, n in amounts.items()) == pytest.approx(0)


@pytest.mark.parametrize(("members", "steps"), [("LiF", 3), ("LiF-Li2O", 0), ("LiF-Xy", 2)])
def test_a_grid_of_nothing_is_refused(members, steps):
    with pytest.raises(InputError):
        composition_grid(members, steps)


def test_a_screen_is_one_flow_and_leaves_out_what_is_held():
    maker = ScreenMaker(maker=GlassConductivityMaker.from_preset("quick"))
    flow = maker.make(["LiF", "LiPO2F2", "F2Li2"], held=["LiF2PO2"])
    assert list(flow.output) == ["LiF"]
    with pytest.raises(InputError, match="Nothing to compute"):
        maker.make(["LiF"], held=["LiF"])


def test_the_structures_of_a_screen_are_its_crystals():
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0] * 3, [0.5] * 3]
    )
    maker = ScreenMaker(maker=IonConductorMaker(glass_maker=None))
    for given in (salt, [salt], salt.to_ase_atoms()):
        flow = maker.make(given)
        first = flow.jobs[0].jobs[0]
        assert list(flow.output) == ["LiF"]
        assert first.name == "relax crystal"
        assert first.function_args[0].matches(salt)
    with pytest.raises(InputError, match="LiF is requested twice"):
        maker.make(["LiF", salt])


def test_the_formulas_of_a_store_are_found_by_query(tmp_path):
    store = SQLiteJobStore(str(tmp_path))
    store.connect()
    for number, (formula, phase) in enumerate(
        [("LiF", "crystalline"), ("LiPO2F2", "amorphous"), ("Li2O", "amorphous")]
    ):
        document = ConductivityDoc.from_composition(
            Composition(formula),
            phase=phase,
            mobile_species={"Li": 1.0},
            temperatures_K=[],
            results=[],
        )
        output = {"uuid": str(number), "index": 1, "output": jsanitize(document, strict=True)}
        store.update({**output, "completed_at": f"2026-01-0{number + 1}T00:00:00"})
    store.close()
    assert find_formulas(tmp_path) == ["Li2O", "LiF", "LiPO2F2"]
    assert find_formulas(tmp_path, "summary", phase="amorphous") == ["Li2O", "LiPO2F2"]


def test_known_crystals_come_with_their_structures():
    recipes = known_recipes(Recipe.from_preset("quick"))
    assert [recipe.formula for recipe in recipes] == list(SEI_CRYSTALS)
    for recipe in recipes:
        jobs = [job.name for job, _ in make_flow(recipe).iterflow()]
        assert "relax crystal" in jobs
    with pytest.raises(InputError, match="vitrion has no structure of"):
        read_crystal("known", "LiPO2F2Cl4")
