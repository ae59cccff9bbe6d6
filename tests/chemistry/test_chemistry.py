import re

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from pymatgen.core import Composition, Element
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.decomposition import decompose_into_ions
from vitrion.chemistry.formulas import display_formula, parse_composition, subscripted
from vitrion.errors import InputError


@pytest.mark.parametrize("formula", ["LiPO2F2", "Li3PO4", "Li10GeP2S12", "SiO2"])
def test_parse_keeps_whole_formula_units(formula):
    assert parse_composition(formula) == parse_composition(f"({formula})3")


def test_parse_scales_fractions_to_integers():
    assert parse_composition("Li0.5P0.5O1F1").as_dict() == {"Li": 1, "P": 1, "O": 2, "F": 2}


@pytest.mark.parametrize("text", ["", "hello", "Xx2", "Li(", "12"])
def test_parse_refuses_text_that_is_not_a_formula(text):
    with pytest.raises(InputError, match="not a chemical formula"):
        parse_composition(text)


@pytest.mark.parametrize("text", ["Li2O-B2O3", "Li+1F", "LiF-"])
def test_signs_are_no_amounts(text):
    with pytest.raises(InputError, match="not a chemical formula"):
        parse_composition(text)


@pytest.mark.parametrize("text", ["Li0F", "LiF0", "Li0.0F", "Li3P04", "LiF(H2O)0", "Li O0 F2"])
def test_a_zero_is_not_an_amount(text):
    with pytest.raises(InputError, match="amount that is or begins with zero"):
        parse_composition(text)


@pytest.mark.parametrize(
    "text", ["Li2O.2SiO2", "CuSO4.5H2O", "LiI.3H2O", "LiBr.H2O", "K2SO4*Al2(SO4)3.24H2O"]
)
def test_a_period_between_compounds_is_not_a_decimal_point(text):
    with pytest.raises(InputError, match=r"write \* between compounds"):
        parse_composition(text)


def test_decimal_numbers_and_hydrates_are_read():
    hydrate = parse_composition("CuSO4*5H2O")
    assert hydrate == parse_composition("CuSO4·5H2O") == Composition("CuSO9H10")
    assert parse_composition("Li2SO4·0.5H2O") == Composition("Li4S2O9H2")
    assert parse_composition("LiV2O4.5(H2O)") == Composition("Li2V4O11H4")
    assert parse_composition("Li6PS5Cl0.5Br0.5") == Composition("Li12P2S10ClBr")


def test_amounts_of_a_formula_are_lowered_but_not_an_identifier():
    shown = subscripted("Li10GeP2S12 crystal (agm002169)")
    assert shown == "Li₁₀GeP₂S₁₂ crystal (agm002169)"
    assert subscripted("Al(PO3)3 glass 2") == "Al(PO₃)₃ glass 2"


def test_structures_have_their_composition():
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True)
    structure = AseAtomsAdaptor.get_structure(atoms)
    entry = ComputedStructureEntry(structure, -1.0)
    assert {str(parse_composition(each)) for each in (atoms, structure, entry)} == {"Li1 F1"}


@pytest.mark.parametrize("text", ["Cu(I)2O", "Pb(I)2", "V(V)2O5"])
def test_numerals_that_may_be_elements_are_refused(text):
    with pytest.raises(InputError, match="an element or an oxidation state"):
        parse_composition(text)


def test_balanced_compositions_pass_and_others_are_refused():
    for formula in ("LiPO2F2", "Li7La3Zr2O12", "Li", "P", "LiAl"):
        check_charge_balance(parse_composition(formula))
    with pytest.raises(InputError, match="balance"):
        check_charge_balance(parse_composition("LiPO2F3"))
    with pytest.warns(UserWarning, match="balance"):
        check_charge_balance(parse_composition("LiPO2F3"), allow_unbalanced=True)


@pytest.mark.parametrize(
    "formula",
    [
        "Li1.3Al0.3Ti1.7P3O12",
        "Na2.88Sb0.88W0.12S4",
        "Li9.54Si1.74P1.44S11.7Cl0.3",
        "Li6.4La3Zr1.4Ta0.6O12",
        "Fe3O4",
        "LiClO4",
        "KClO3",
        "NaIO4",
        "Li2O2",
        "BaO2",
        "Li2B12H12",
        "Na2B12H12",
        "Li4P2S6",
        "Li2.36Al0.21PO4",  # as rounded: one charge is missing in 757 atoms
    ],
)
def test_doped_electrolytes_and_mixed_valence_balance(formula, recwarn):
    check_charge_balance(parse_composition(formula), allow_unbalanced=True)
    assert [str(found.message) for found in recwarn if "balance" in str(found.message)] == []


@pytest.mark.parametrize(
    "formula",
    [
        "LiPO2F3",
        "LiCl2",
        "LiCl3",
        "Li2PO4Cl",
        "LiP5O14",
        "Li71P24O96",
        "LiAlF2",
        "LiClO5",
        "Li5PO6",
    ],
)
def test_what_no_states_balance_is_refused(formula):
    with pytest.raises(InputError, match="balance"):
        check_charge_balance(parse_composition(formula))


@pytest.mark.parametrize(
    "formula", ["LiPO2F2", "LiPS4", "NH4NO3", "Li2B6H6", "Mn3O4", "LiHe", "N2O"]
)
def test_balance_agrees_with_the_enumeration_of_all_states(formula):
    composition = parse_composition(formula)
    try:
        check_charge_balance(composition)
        balanced = True
    except InputError:
        balanced = False
    assert balanced == bool(composition.oxi_state_guesses())


def test_mobile_species():
    assert default_mobile_species(parse_composition("LiPO2F2")) == "Li"
    assert default_mobile_species(parse_composition("Na3PS4")) == "Na"
    for formula, mobile in {"KAg4I5": "Ag", "KCu2I3": "Cu", "RbAg4I5": "Ag", "KPF6": "K"}.items():
        assert default_mobile_species(parse_composition(formula)) == mobile
    for formula, mobile in {"LiAgF2": "Li", "NaAg2I3": "Na", "LiNaKF3": "Li"}.items():
        assert default_mobile_species(parse_composition(formula)) == mobile
    with pytest.raises(InputError, match="mobile"):
        default_mobile_species(parse_composition("SiO2"))


def test_a_dopant_is_not_the_mobile_ion():
    taken = {
        "CaF2": "F",
        "BaF2": "F",
        "PbSnF4": "F",
        "NaAl11O17": "Na",
        "Li5Al1La3Zr2O11": "Li",
        "Na2.9Li0.1PS4": "Na",
        "Li3La5Ti9O27": "Li",
        "Cu6PS5Cl": "Cu",
    }
    for formula, mobile in taken.items():
        assert default_mobile_species(parse_composition(formula)) == mobile
    asked = {
        "La0.8Sr0.2Ga0.8Mg0.2O2.8": "Mg",
        "Zr0.9Ca0.1O1.9": "Ca",
        "AlPO4": "Al",
        "Li0.02Ni0.98O": "Li",
        "La2CuO4": "O",
        "CaCl2": "Ca",
    }
    for formula, candidate in asked.items():
        with pytest.raises(InputError, match=rf"ambiguous \(.*{candidate}.*name the mobile"):
            default_mobile_species(parse_composition(formula))
    assert default_mobile_species(Composition({"Li+": 1, "F-": 1})) == "Li"


def test_amounts_of_elements_are_read_from_dictionaries_and_series():
    amounts = {"Li": 1.5, "P": 1, "S": 4}
    for given in (
        amounts,
        pd.Series(amounts),
        {Element(s): np.float64(n) for s, n in amounts.items()},
    ):
        assert parse_composition(given) == Composition("Li3P2S8")
    assert default_mobile_species({"La": 0.5, "Li": 0.5, "Ti": 1, "O": 3}) == "Li"
    for wrong in ({}, {"Li": -1, "F": 1}, {"Xx": 1}, {"a": "b"}):
        with pytest.raises(InputError, match="is not a chemical formula"):
            parse_composition(wrong)


def test_decorated_compositions_are_those_of_their_elements():
    decorated = Composition({"Li+": 4, "Fe2+": 2, "Fe3+": 2, "O2-": 7})
    for given in (decorated, str(decorated), decorated.formula):
        assert parse_composition(given).as_dict() == {"Li": 4, "Fe": 4, "O": 7}
    for given in (Composition("Li4F4"), "Li4 F4", "Li+4 F-4", " LiF "):
        assert parse_composition(given).as_dict() == {"Li": 1, "F": 1}


@pytest.mark.parametrize("text", ["LiF NaCl", "Li3PO4 Li2S", "Li Na", "Li1 Li2"])
def test_a_list_is_not_one_formula(text):
    with pytest.raises(InputError, match="not one chemical formula"):
        parse_composition(text)


@pytest.mark.parametrize("text", ["D2O", "LiT", "Li3PD4", "LiBr·D2O"])
def test_isotopes_are_refused(text):
    with pytest.raises(InputError, match="names the isotope"):
        parse_composition(text)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("LiTFSI", "LiN(SO2CF3)2"),
        ("LiFSI", "LiN(SO2F)2"),
        ("LiBOB", "LiB(C2O4)2"),
        ("LiPON", "Li2PO2N"),
        ("LGPS", "Li10GeP2S12"),
        ("LLZO", "Li7La3Zr2O12"),
        ("LATP", "Li1.3Al0.3Ti1.7(PO4)3"),
        ("LPSCl", "Li6PS5Cl"),
        ("NASICON", "Na3Zr2Si2PO12"),
        ("lipon", "Li2PO2N"),
        ("KFSI", "KN(SO2F)2"),
        ("LiBETI", "LiN(SO2C2F5)2"),
        ("NaDFOB", "NaBC2O4F2"),
        ("NaOTf", "NaSO3CF3"),
        ("Mg(TFSI)2", "Mg(N(SO2CF3)2)2"),
        ("ZnTFSI2", "Zn(N(SO2CF3)2)2"),
        ("litfsi", "LiN(SO2CF3)2"),
        ("LITFSI", "LiN(SO2CF3)2"),
        ("LPSI", "Li6PS5I"),
        ("LLTO", "Li3La5Ti9O27"),
    ],
)
def test_names_are_answered_with_their_formula(name, formula):
    with pytest.raises(
        InputError, match=re.escape(f"'{name}' is a name, not a formula: write {formula} (")
    ):
        parse_composition(name)
    parse_composition(formula)


@pytest.mark.parametrize("text", ["TFSI", "EMIMTFSI", "EMIM(FSI)", "NH4OTf"])
def test_the_name_of_an_ion_is_not_read_as_isotopes(text):
    with pytest.raises(InputError, match="contains the name of an ion: write it as"):
        parse_composition(text)


def test_an_alloy_spelled_like_a_name_is_a_formula():
    assert parse_composition("LiBeTi").num_atoms == 3  # LiBETI is a salt


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("75Li2S-25P2S5", "Li3PS4"),
        ("75Li2S - 25P2S5", "Li3PS4"),
        ("75 Li2S \u2014 25 P2S5", "Li3PS4"),
        ("Li2O-2B2O3", "Li2B4O7"),
        ("Li2O-B2O3-2SiO2", "LiBSiO4"),
        ("Fe(III)2O3", "Fe2O3"),
        ("70Li2S\u201330P2S5", "Li7P3S11"),
        ("0.5Li2O-0.5P2O5", "LiPO3"),
        ("Li₃PO₄", "Li3PO4"),
        ("Li₁₀GeP₂S₁₂", "Li10GeP2S12"),
        ("50Li2O-25P4O10", "LiPO3"),
        ("LiBr·H2O", "LiBrH2O"),
        ("LiClO4 · 3H2O", "LiClH6O7"),
        ("CuSO4*5H2O", "CuSO9H10"),
        ("Li$_3$PO$_4$", "Li3PO4"),
        ("Li$_{10}$GeP$_{2}$S$_{12}$", "Li10GeP2S12"),
        ("Li_3PO_4", "Li3PO4"),
        ("Li\u200b3PO4", "Li3PO4"),
        ("Li<sub>6</sub>PS<sub>5</sub>Cl", "Li6PS5Cl"),
        (r"\ce{Li6PS5Cl}", "Li6PS5Cl"),
        (r"$\mathrm{Li_6PS_5Cl}$", "Li6PS5Cl"),
        ("\uff2c\uff493\uff30\uff2f4", "Li3PO4"),
    ],
)
def test_amounts_of_compounds_and_subscripts_are_read(text, formula):
    assert parse_composition(text) == parse_composition(formula)


@pytest.mark.parametrize(
    ("formula", "ions"),
    [
        ("LiPO2F2", {"Li": 1, "PO2F2": 1}),
        ("Li3PO4", {"Li": 3, "PO4": 1}),
        ("Li2PO3F", {"Li": 2, "PO3F": 1}),
        ("Li2CO3", {"Li": 2, "CO3": 1}),
        ("LiF", {"Li": 1, "F": 1}),
        ("Li4P2O7", {"Li": 4, "P2O7": 1}),
        ("Li10GeP2S12", {"Li": 10, "GeS4": 1, "PS4": 2}),
        ("Li6PS5Cl", {"Li": 6, "PS4": 1, "S": 1, "Cl": 1}),
        ("Li7P3S11", {"Li": 7, "PS4": 1, "P2S7": 1}),
        ("Li3AlF6", {"Li": 3, "Al": 1, "F": 6}),
        ("Li4P2S6", {"Li": 4, "P2S6": 1}),
        ("LiClO4", {"Li": 1, "ClO4": 1}),
        ("Li2O2", {"Li": 2, "O2": 1}),
        ("Li2O", {"Li": 2, "O": 1}),
        ("Li2B12H12", {"Li": 2, "B12H12": 1}),
        ("Na2B10H10", {"Na": 2, "B10H10": 1}),
        ("Na4P2S6", {"Na": 4, "P2S6": 1}),
        ("Li4PO4F", {"Li": 4, "PO4": 1, "F": 1}),
        ("Li5P3O9F2", {"Li": 5, "PO3F": 2, "PO3": 1}),
        ("LiN(SO2CF3)2", {"Li": 1, "C2S2NO4F6": 1}),
        ("LiN(SO2F)2", {"Li": 1, "S2NO4F2": 1}),
        ("LiB(C2O4)2", {"Li": 1, "BC4O8": 1}),
        ("LiSO3CF3", {"Li": 1, "CSO3F3": 1}),
        ("Li9.81Sn0.81P2.19S12", {"Li": 327, "PS4": 73, "SnS4": 27}),
    ],
)
def test_whole_ions(formula, ions):
    found = decompose_into_ions(parse_composition(formula))
    assert found is not None
    assert found.ions == ions
    assert sum(found.charges[ion] * n for ion, n in found.ions.items()) == 0
    whole = sum((Composition(ion) * n for ion, n in found.ions.items()), Composition())
    assert whole == parse_composition(formula) * found.formula_units


@pytest.mark.parametrize("formula", ["SiO2", "P2O5", "LiAl", "Li2SO2", "CuO", "Li5PO6", "LiO2"])
def test_no_ions_where_there_are_none(formula):
    assert decompose_into_ions(parse_composition(formula)) is None


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("LiP(OF)2", "LiPO2F2"), ("Li2CO3", "Li2CO3"), ("Li4P2O7", "Li4P2O7"), ("LiF", "LiF")],
)
def test_formulas_are_shown_as_people_write_them(stored, shown):
    assert display_formula(stored) == shown


def test_amounts_that_are_not_whole_are_shown():
    assert display_formula("Li1.5Al0.5Ge1.5P3O12") == "Li1.5Al0.5Ge1.5P3O12"
    with pytest.raises(InputError, match=r"mobile ion of Ca0\.4Mg0\.6O is ambiguous"):
        default_mobile_species("Ca0.4Mg0.6O")
