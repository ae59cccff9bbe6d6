"""What the filters of a search find, for any values: judged on documents, not on their spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrion.database.query import ELEMENT_FILTERS, TEXT_FILTERS, build_criteria, build_sort
from vitrion.errors import InputError
from vitrion.store.criteria import normalize
from vitrion.store.matching import compile_filter

FIELDS = {"barrier_eV": "barrier.value", "label": "label"}
SYMBOLS = "Li Na C O F P S Cl Mg".split()
ELEMENTS = st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=4)
NUMBERS = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)
SCALARS = NUMBERS | st.booleans() | st.text("abT1.e-", max_size=4)
EXAMPLES = settings(max_examples=80, deadline=None, derandomize=True)


def found(filters, **fields):
    """Whether a search finds a document."""
    document = {"deprecated": False, **fields}
    return compile_filter(normalize(build_criteria(filters, FIELDS)))(normalize(document))


@EXAMPLES
@given(NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS)
def test_bounds_include_their_ends(value, low, high):
    within = (low is None or low <= value) and (high is None or value <= high)
    filters = {"barrier_eV_min": low, "barrier_eV_max": high}
    assert found(filters, barrier={"value": value}) == within


@EXAMPLES
@given(SCALARS)
def test_a_value_is_found_as_itself_and_as_it_is_typed(value):
    assert found({"label": value}, label=value)
    assert found({"label": str(value)}, label=value)


@EXAMPLES
@given(NUMBERS, NUMBERS)
def test_another_number_is_not_found(asked, stored):
    assert found({"barrier_eV": str(asked)}, barrier={"value": stored}) == (asked == stored)


@EXAMPLES
@given(ELEMENTS, ELEMENTS, ELEMENTS)
def test_elements_are_all_there_and_excluded_ones_are_not(stored, wanted, excluded):
    expected = set(wanted) <= set(stored) and not set(excluded) & set(stored)
    filters = {"elements": wanted or None, "exclude_elements": excluded}
    assert found(filters, elements=stored) == expected


@EXAMPLES
@given(
    st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 9), min_size=2, max_size=4),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_any_spelling_of_a_composition_finds_the_same(amounts, factor, random):
    names = list(amounts)
    random.shuffle(names)
    other = "".join(f"{name}{factor * amounts[name]}" for name in names)
    first = build_criteria({"formula": "".join(f"{s}{n}" for s, n in amounts.items())}, FIELDS)
    assert build_criteria({"formula": other}, FIELDS) == first
    assert found({"chemsys": "-".join(names)}, chemsys="-".join(sorted(names)))


@EXAMPLES
@given(
    st.sampled_from([*TEXT_FILTERS, *ELEMENT_FILTERS, *FIELDS, "barrier_eV_min", "deprecated"]),
    st.dictionaries(
        st.sampled_from(["$ne", "$where", "$regex", "$gt", "a"]), SCALARS, min_size=1, max_size=2
    ),
    st.booleans(),
)
def test_no_operator_gets_through(name, value, listed):
    with pytest.raises(InputError, match=f"'{name}'"):
        build_criteria({name: [value] if listed else value}, FIELDS)


@EXAMPLES
@given(st.permutations(["formula_pretty", "barrier_eV", "label"]), st.lists(st.booleans()))
def test_the_order_of_a_sort_is_kept(names, descending):
    signs = dict(zip(names, [*descending, False, False, False], strict=False))
    order = build_sort([("-" if signs[name] else "") + name for name in names], FIELDS)
    expected = [(FIELDS.get(name, name), -1 if signs[name] else 1) for name in names]
    assert list(order.items()) == expected
