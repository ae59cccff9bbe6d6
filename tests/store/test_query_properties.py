"""Laws that MongoDB's operators obey, for any documents, operators and values.

The same question is asked of documents with an index and without one, and in two ways that must
agree; where mongomock is right (it is not for null, flags and lists in lists), it is asked too.
"""

from datetime import datetime, timedelta

import pytest
from bson.int64 import Int64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongomock_ng.filtering import filter_applies

from vitrion.store import sqlite_store
from vitrion.store.bson_order import rank
from vitrion.store.criteria import normalize
from vitrion.store.matching import compile_filter
from vitrion.store.sqlite_store import SQLiteStore

NAMES = st.sampled_from(["a", "b", "0", "1"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([0.5, 1.0, -0.0, float("nan"), float("inf"), Int64(2**53), Int64(2**53 + 1)]),
    st.sampled_from(["", "a", "Li", "ä"]),
    st.sampled_from([b"", b"\x01\x02", b"\x02"]),
    st.integers(0, 3).map(lambda ms: datetime(2026, 1, 1) + timedelta(milliseconds=ms)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=6)
COMPARISONS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
LISTED = st.tuples(st.sampled_from(["$in", "$nin", "$all"]), st.lists(VALUES, max_size=3))
CONDITIONS = st.one_of(
    st.tuples(COMPARISONS, VALUES),
    LISTED,
    st.tuples(st.just("$exists"), st.booleans()),
    st.tuples(st.just("$size"), st.integers(0, 3)),
    st.tuples(st.just("$mod"), st.tuples(st.integers(1, 3), st.integers(-2, 2)).map(list)),
    st.tuples(st.just("$type"), st.sampled_from(["number", "string", "array", "null", 8])),
).map(lambda pair: dict([pair]))
FEW = st.sampled_from([0, 1000])
PART = st.dictionaries(st.sampled_from(["a", "b", "a.b", "b.1", "c"]), CONDITIONS, max_size=2)
FILTERS = st.recursive(
    PART,
    lambda inner: st.tuples(
        st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)
    ).map(lambda pair: dict([pair])),
    max_leaves=4,
)
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def applies(criteria, document):
    return compile_filter(normalize(criteria))(normalize(document))


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """Two stores, one of them with an index on every short path."""
    folder = tmp_path_factory.mktemp("stores")
    plain, indexed = (SQLiteStore(str(folder / f"{name}.sqlite")) for name in "ab")
    with plain, indexed:
        for path in ("a", "b", "a.b", "a.0", "0.a", "a.a", "b.1"):
            indexed.ensure_index(path)
        yield plain, indexed


@EXAMPLES
@given(DOCUMENTS, PATHS, CONDITIONS, st.sampled_from([1, -1]))
def test_an_index_changes_no_answer(twins, documents, path, condition, way):
    entries = [{**document, "task_id": str(i)} for i, document in enumerate(documents)]
    answers = []
    for store in twins:
        store.remove_docs({})
        store.update(entries)
        found = [doc["task_id"] for doc in store.query({path: condition})]
        assert store.count({path: condition}) == len(found)
        order = [doc["task_id"] for doc in store.query({}, sort={path: way})]
        distinct = {rank(value) for value in store.distinct(path, {path: condition})}
        answers.append((found, order, distinct))
    assert answers[0] == answers[1]
    assert answers[0][0] == [e["task_id"] for e in entries if applies({path: condition}, e)]


@EXAMPLES
@given(DOCUMENTS, FILTERS, PATHS, st.sampled_from([1, -1]), st.integers(0, 4), FEW)
def test_pages_of_combined_conditions_are_the_same(
    twins, documents, criteria, path, way, limit, few
):
    entries = [{**document, "task_id": str(i)} for i, document in enumerate(documents)]
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_store, "_FEW", few)  # 0: pages are read in the order of an index
        for store in twins:
            store.remove_docs({})
            store.update(entries)
            page = store.query(criteria, sort={path: way}, skip=limit // 3, limit=limit)
            answers.append(([doc["task_id"] for doc in page], store.count(criteria)))
    assert answers[0] == answers[1]
    assert answers[0][1] == sum(applies(criteria, entry) for entry in entries)


def test_an_index_with_as_many_entries_as_documents_may_lack_some(twins, monkeypatch):
    monkeypatch.setattr(sqlite_store, "_FEW", 0)
    for store in twins:
        store.remove_docs({})
        store.update([{"task_id": "0", "a": [{"b": 1}, {"b": 2}]}, {"task_id": "1"}])
        found = store.query({}, sort={"a.b": 1}, limit=2)
        assert [document["task_id"] for document in found] == ["1", "0"]


@EXAMPLES
@given(st.dictionaries(NAMES, VALUES), PATHS, VALUES, st.lists(VALUES, max_size=3), CONDITIONS)
def test_operators_agree_with_what_they_abbreviate(document, path, value, values, condition):
    def holds(wanted):
        return applies({path: wanted}, document)

    assert holds({"$ne": value}) != holds({"$eq": value})
    assert holds({"$nin": values}) != holds({"$in": values})
    assert holds({"$in": values}) == any(holds({"$eq": item}) for item in values)
    assert holds({"$all": values}) == (
        bool(values) and all(holds({"$eq": item}) for item in values)
    )
    assert holds({"$not": condition}) != holds(condition)
    for strict, loose in (("$gt", "$gte"), ("$lt", "$lte")):
        assert holds({loose: value}) == (holds({strict: value}) or holds({"$eq": value}))
    both = [{path: condition}, {path: {"$eq": value}}]
    assert applies({"$nor": both}, document) != applies({"$or": both}, document)
    assert applies({"$and": both}, document) == all(applies(part, document) for part in both)


@EXAMPLES
@given(st.lists(VALUES, min_size=1, max_size=4), CONDITIONS)
def test_element_match_asks_each_item(items, condition):
    found = applies({"a": {"$elemMatch": condition}}, {"a": items})
    name, operand = next(iter(condition.items()))
    if name in ("$size",):
        assert found == any(isinstance(i, list) and len(i) == operand for i in items)
    elif not any(isinstance(item, list) for item in items):
        assert found == any(applies({"a": condition}, {"a": item}) for item in items)


@EXAMPLES
@given(VALUES, VALUES, VALUES)
def test_the_order_is_total(one, two, three):
    first, second, third = map(rank, (one, two, three))
    assert (first < second) + (second < first) + (first == second) == 1
    if first <= second <= third:
        assert first <= third
    if first[0] == second[0] and one == one and two == two and not isinstance(one, (list, dict)):
        assert applies({"a": {"$lt": two}}, {"a": one}) == (first < second and first[1:] != (0,))


@EXAMPLES
@given(
    st.dictionaries(NAMES, st.integers(-3, 3) | st.sampled_from(["a", "Li"]), max_size=3),
    NAMES,
    st.tuples(COMPARISONS, st.integers(-3, 3) | st.sampled_from(["a", "Li"])),
)
def test_mongomock_agrees_on_numbers_and_texts(document, name, pair):
    condition = {name: dict([pair])}
    assert applies(condition, document) == filter_applies(condition, document)


@EXAMPLES
@given(st.dictionaries(NAMES, VALUES, max_size=3), PATHS, VALUES)
def test_a_missing_field_is_found_as_null(document, path, value):
    if applies({path: {"$exists": False}}, document) and "0" not in path and "1" not in path:
        for condition in ({"$eq": value}, {"$gte": value}, {"$in": [value]}):
            if value is not None:
                assert not applies({path: condition}, document)
