"""Laws of reading and writing formulas, for any elements and amounts."""

from functools import reduce
from math import gcd

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from vitrion.chemistry.elements import electronegativity
from vitrion.chemistry.formulas import (
    display_formula,
    parse_composition,
    plain_formula,
    subscripted,
    whole_amounts,
)
from vitrion.errors import InputError

SYMBOLS = "H Li B C N O F Na Mg Al Si P S Cl K Ca Ti Co Cu Zn Ge Br Y Zr Nb Cs La Ta".split()
# Of two elements or more: the formula unit of hydrogen is H2.
AMOUNTS = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 24), min_size=2, max_size=6)
EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)


def reduced(amounts):
    """Amounts of one formula unit, by integers alone."""
    unit = reduce(gcd, amounts.values())
    return {symbol: count // unit for symbol, count in amounts.items()}


def typed(amounts):
    return "".join(f"{symbol}{'' if n == 1 else n}" for symbol, n in amounts.items())


@EXAMPLES
@given(AMOUNTS)
def test_what_is_written_is_read_back(amounts):
    composition = parse_composition(typed(amounts))
    assert whole_amounts(composition) == reduced(amounts)
    for text in (
        plain_formula(composition),
        composition.formula,
        composition.reduced_formula,
        display_formula(plain_formula(composition)),
    ):
        assert parse_composition(text) == composition


@EXAMPLES
@given(AMOUNTS, st.integers(2, 9))
def test_a_multiple_is_the_same_composition(amounts, factor):
    multiple = {symbol: factor * count for symbol, count in amounts.items()}
    once = parse_composition(typed(amounts))
    assert parse_composition(typed(multiple)) == once
    assert parse_composition(f"({typed(amounts)}){factor}") == once
    assert parse_composition(Composition(multiple)) == once


@EXAMPLES
@given(AMOUNTS, st.integers(2, 99))
def test_fractions_of_a_formula_unit_are_read_as_the_whole(amounts, parts):
    unit = reduced(amounts)
    assume(Composition(unit).reduced_composition == Composition(unit))  # HO is read as H2O2
    fractions = {symbol: count / parts for symbol, count in unit.items()}
    assert whole_amounts(parse_composition(Composition(fractions))) == unit


@EXAMPLES
@given(AMOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_the_elements_does_not_matter(amounts, random):
    names = list(amounts)
    random.shuffle(names)
    shuffled = typed({name: amounts[name] for name in names})
    assert parse_composition(shuffled) == parse_composition(typed(amounts))
    shown = display_formula(shuffled)
    assert shown == display_formula(typed(amounts))
    order = [electronegativity(symbol) for symbol in Composition(shown).as_dict()]
    assert order == sorted(order)


@EXAMPLES
@given(AMOUNTS, st.sampled_from("DT"), st.integers(1, 9))
def test_isotopes_are_refused_wherever_they_stand(amounts, isotope, count):
    for text in (
        f"{isotope}{count}{typed(amounts)}",
        f"{typed(amounts)}{isotope}{count}",
        f"({isotope}{typed(amounts)}){count}",
    ):
        with pytest.raises(InputError, match=f"isotope {isotope}"):
            parse_composition(text)


@EXAMPLES
@given(AMOUNTS)
def test_subscripts_are_the_numbers(amounts):
    back = {0x2080 + digit: str(digit) for digit in range(10)}
    shown = subscripted(typed(amounts))
    assert shown.translate(back) == typed(amounts)
    assert not any(character.isascii() and character.isdigit() for character in shown)
