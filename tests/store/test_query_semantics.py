"""The embedded store finds, sorts and refuses what MongoDB's manual says.

With TEST_MONGODB_URI the same table is asked of a MongoDB server.
"""

import os
from contextlib import closing
from uuid import uuid4

import pytest
from maggma.stores import MongoURIStore

from helpers.mongodb_paths import CONTENTS, FURTHER
from helpers.mongodb_semantics import DOCUMENTS, FOUND, NOT_SUPPORTED, ORDER, REFUSED
from vitrion.errors import StoreError
from vitrion.store.sqlite_store import SQLiteStore

ENTRIES = [{"task_id": name, **content} for name, content in DOCUMENTS.items()]


KINDS = ["plain", "indexed", *(["server"] if "TEST_MONGODB_URI" in os.environ else [])]


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    if request.param == "server":
        server = MongoURIStore(os.environ["TEST_MONGODB_URI"], uuid4().hex, f"t{uuid4().hex[:8]}")
        server.connect()
        server.update(ENTRIES)
        yield server
        server._coll.database.client.drop_database(server.database)
        server.close()
        return
    with closing(SQLiteStore(str(tmp_path_factory.mktemp("s") / "s.sqlite"))) as embedded:
        embedded.connect()
        if request.param == "indexed":
            for path in ("a", "a.b", "a.0", "a.0.1", "a.0.b", "a.1.b", "a.00"):
                embedded.ensure_index(path)
        embedded.update(ENTRIES)
        yield embedded


def names(documents):
    return [document["task_id"] for document in documents]


@pytest.mark.parametrize(("criteria", "expected"), FOUND, ids=[str(row[0]) for row in FOUND])
def test_filters_find_what_the_manual_says(store, criteria, expected):
    assert set(names(store.query(criteria))) == expected
    assert store.count(criteria) == len(expected)


@pytest.fixture(scope="module")
def further(tmp_path_factory):
    with closing(SQLiteStore(str(tmp_path_factory.mktemp("s") / "s.sqlite"))) as embedded:
        embedded.connect()
        embedded.update([{"task_id": name, **content} for name, content in CONTENTS.items()])
        yield embedded


@pytest.mark.parametrize(("criteria", "expected"), FURTHER, ids=[str(row[0]) for row in FURTHER])
def test_further_filters_find_what_the_manual_says(further, criteria, expected):
    assert set(names(further.query(criteria))) == expected
    assert further.count(criteria) == len(expected)


@pytest.mark.parametrize("criteria", REFUSED, ids=str)
def test_what_mongodb_refuses_is_refused(store, criteria):
    with pytest.raises((StoreError, Exception) if isinstance(store, MongoURIStore) else StoreError):
        list(store.query(criteria))


@pytest.mark.parametrize("criteria", NOT_SUPPORTED, ids=str)
def test_what_is_not_supported_is_refused(store, criteria):
    if isinstance(store, MongoURIStore):
        pytest.skip("a server takes these")
    with pytest.raises(StoreError):
        list(store.query(criteria))
    with pytest.raises(StoreError):
        store.count({"$or": [{"a": 1}, criteria]})


@pytest.mark.parametrize("way", [1, -1])
def test_kinds_sort_in_the_order_of_the_manual(store, way):
    places = {name: place for place, group in enumerate(ORDER) for name in group}
    assert places.keys() == DOCUMENTS.keys()
    if way < 0:  # downwards a list counts by its greatest item
        order = ["code", "date", "true", "[1,true]", "false", "bytes", "[[1,5]]", "[[]]"]
        found = names(store.query({}, sort={"a": way}))
        assert found[:8] == order
        assert found[-1] == "[]"
        assert found.index("[1,5]") < found.index("one")
        return
    found = [places[name] for name in names(store.query({}, sort={"a": way}))]
    assert found == sorted(found)


@pytest.mark.parametrize("way", [1, -1])
def test_a_sort_by_a_field_of_documents_in_a_list_counts_what_is_missing(store, way):
    criteria = {"task_id": {"$in": ["{b:1}", "[{b:1},{}]", "[{b:1},{b:9}]", "[{b:[1,5]}]", "[]"]}}
    found = names(store.query(criteria, sort={"a.b": way, "task_id": 1}))
    if way > 0:  # a list without documents, and a document without the field, count as null
        assert set(found[:2]) == {"[]", "[{b:1},{}]"}
    else:
        assert found == ["[{b:1},{b:9}]", "[{b:[1,5]}]", "[{b:1},{}]", "{b:1}", "[]"]


@pytest.mark.parametrize(
    "properties",
    [
        {"a": 1, "a.b": 1},
        ["a.b", "a"],
        {"a.b": 0, "a": 0},
        {"a": 1, "task_id": 0},
        {"a.": 1},
        {"a..b": 1},
        {"$a": 1},
        {"a.$": 1},
        [5],
    ],
    ids=str,
)
def test_projections_that_mongodb_refuses_are_refused(store, properties):
    with pytest.raises(Exception if isinstance(store, MongoURIStore) else StoreError):
        list(store.query({}, properties))


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (["a.b"], {"a": [{"b": 1}, {"b": 9}]}),
        ({"a.b": 0, "task_id": 0}, {"a": [{}, {}]}),
        (["a.c"], {"a": [{}, {}]}),
        (["a.0"], {"a": [{}, {}]}),
        (["b"], {}),
        ({"a": 1.5}, {"a": [{"b": 1}, {"b": 9}]}),
    ],
    ids=str,
)
def test_projections_reach_into_lists(store, properties, expected):
    found = next(iter(store.query({"task_id": "[{b:1},{b:9}]"}, properties)))
    found.pop("_id", None)
    assert found == expected


@pytest.mark.parametrize(
    "page", [{"limit": -1}, {"skip": -1}, {"limit": 1.5}, {"limit": True}, {"skip": "1"}], ids=str
)
def test_pages_are_whole_and_not_negative(store, page):
    if isinstance(store, MongoURIStore):
        pytest.skip("the server takes a negative limit for one batch")
    with pytest.raises(StoreError, match="zero or more"):
        list(store.query({}, **page))


@pytest.mark.parametrize("sort", [{"a": 2}, {"a": "up"}, {"$a": 1}, {"": 1}, {"a.": 1}], ids=str)
def test_wrong_sorts_are_refused(store, sort):
    with pytest.raises(Exception if isinstance(store, MongoURIStore) else StoreError):
        list(store.query({}, sort=sort))


@pytest.mark.parametrize(
    "options", [{"sort": {"_id": 1}}, {"sort": [("a", 1)]}, {"properties": "a"}], ids=str
)
def test_sorts_and_projections_of_another_form_are_refused(store, options):
    if isinstance(store, MongoURIStore):
        pytest.skip("a server takes these")
    with pytest.raises(StoreError):
        list(store.query({}, **options))


def test_a_sort_by_two_lists_is_refused(store):
    with pytest.raises(
        Exception if isinstance(store, MongoURIStore) else StoreError, match=r"list|array"
    ):
        list(store.query({"task_id": "[{b:1},{b:9}]"}, sort={"a": 1, "a.b": 1}))


def test_distinct_values_are_of_one_kind_each(store):
    found = store.distinct("a")
    assert sum(value == 1 for value in found) == 2, "1 and True"
    assert sum(value == 0 and value != {} for value in found) == 2, "0 and False"
    assert [value for value in found if isinstance(value, list)] == [[], [1, 5]]
    assert sum(isinstance(value, dict) for value in found) == 7
    assert sum(value is None for value in found) == 1


def test_documents_are_as_large_as_mongodb_takes(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.update({"task_id": "a", "text": "x" * (16 * 2**20 - 100)})
        with pytest.raises(StoreError, match="larger than the 16 MB"):
            store.update([{"task_id": "b"}, {"task_id": "c", "text": "x" * (16 * 2**20)}])
        assert store.distinct("task_id") == ["a"]
        with pytest.raises(StoreError, match="more than 16 MB"):
            store.count({"text": "x" * (16 * 2**20)})
    with SQLiteStore(str(tmp_path / "s.sqlite"), "blobs", large_documents=True) as store:
        store.update({"task_id": "c", "text": "x" * (16 * 2**20)})
        assert len(store.query_one({"task_id": "c"})["text"]) == 16 * 2**20


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        (r"^\d+$", "300", "٣"),  # digits and letters are ASCII's
        (r"^\w+$", "Li_2", "ö"),
        (r"a\b", "aö", "ab"),
        (r"a\z", "a", "a\n"),
        (r"a\Z", "a\n", "a\n\n"),
        (r"a$", "a\n", "ab"),
        (r"\x{4c}i", "Li", "li"),
        (r"(?<el>Li)\1", "LiLi", "Li"),
        (r"[\]a]+$", "]a]", "b"),
        (r"[]a]+$", "]a]", "b"),
        (r"^[^[:space:][:punct:]]+$", "Li2O", "Li-O"),
        (r"(?i)^li", "LI", "O"),
        (r"^a++b", "aab", "b"),
        (r"^(?>a|ab)c", "ac", "abc"),
        (r"\{x\}", "{x}", "x"),
    ],
)
def test_patterns_mean_what_they_mean_in_pcre(store, pattern, found, missed):
    if isinstance(store, MongoURIStore):
        pytest.skip("the table is of the embedded store")
    from vitrion.store.regexes import compile_regex

    compiled = compile_regex(pattern)
    assert compiled.search(found)
    assert not compiled.search(missed)
