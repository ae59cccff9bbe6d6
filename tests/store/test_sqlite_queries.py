"""The embedded store answers queries as MongoDB does; maggma's MemoryStore is the reference."""

import math
import random
import sqlite3
from datetime import datetime, timedelta

import bson
import pytest
from maggma.core import Sort
from maggma.stores import MemoryStore

from vitrion.errors import StoreError
from vitrion.store import sqlite_file
from vitrion.store.sqlite_store import SQLiteStore

NAN = float("nan")
START = datetime(2026, 1, 1, 12)


def documents(n=150, seed=7):
    rng = random.Random(seed)
    # No 0 beside False: the reference takes them for equal, which MongoDB does not (see below).
    kinds = ["amorphous", "crystalline", None, 3, 2.5, True, False, NAN, -1, 7, START, b"\x01"]
    docs = []
    for i in range(n):
        doc = {
            "task_id": f"t-{i}",
            "phase": rng.choice(kinds),
            "sigma": rng.choice([rng.uniform(-1, 1), 10.0 ** rng.randint(-9, 9), 0, -0.0, 1e300]),
            "elements": rng.sample(["C", "F", "Li", "O", "P"], rng.randint(0, 5)),
            "when": START + timedelta(milliseconds=rng.randint(0, 10)),
            "output": {"name": rng.choice("abc"), "runs": [{"T": rng.randint(3, 9) * 100}]},
        }
        if rng.random() < 0.3:
            del doc["sigma"]
        if rng.random() < 0.3:
            doc["output"]["runs"].append({"T": rng.randint(3, 9) * 100, "ok": True})
        docs.append(doc)
    return docs


CRITERIA = [
    {},
    {"phase": "amorphous"},
    {"phase": 3},
    {"phase": True},
    {"phase": None},
    {"phase": START},
    {"phase": {"$in": ["amorphous", 2.5, False]}},
    {"phase": {"$in": ["amorphous", None]}},
    {"phase": {"$nin": ["amorphous", 3]}},
    {"phase": {"$ne": "amorphous"}},
    {"phase": {"$gt": "a"}},
    {"phase": {"$gte": -1, "$lt": 3}},
    {"phase": {"$lte": 0}},
    {"sigma": {"$exists": False}},
    {"sigma": {"$exists": True, "$gt": 0}},
    {"sigma": {"$gte": 0, "$lte": 0}},
    {"sigma": {"$lt": 1e-3}},
    {"sigma": {"$not": {"$gt": 0}}},
    {"elements": "Li"},
    {"elements": ["Li"]},
    {"elements": []},
    {"elements": {"$all": ["Li", "P"]}},
    {"elements": {"$size": 2}},
    {"elements": {"$ne": "Li"}},
    {"elements": {"$nin": ["Li", "P"]}},
    {"elements": {"$gt": "L", "$lt": "M"}},
    {"elements": {"$exists": True}},
    {"when": {"$gt": START + timedelta(milliseconds=5, microseconds=400)}},
    {"output.name": {"$regex": "^[ab]"}},
    {"output.runs.T": 500},
    {"output.runs.T": {"$gt": 700}},
    {"output.runs.0.T": {"$lte": 400}},
    {"output.runs": {"$elemMatch": {"T": {"$gt": 400}, "ok": True}}},
    {"output.runs.ok": {"$exists": True}},
    {"$or": [{"phase": "amorphous"}, {"sigma": {"$gt": 1}}]},
    {"$or": [{"phase": None}, {"output.name": "a"}]},
    {"$and": [{"elements": "Li"}, {"elements": "P"}, {"$or": [{"phase": 7}, {"phase": -1}]}]},
    {"$nor": [{"phase": "amorphous"}, {"elements": "Li"}]},
    {"phase": "amorphous", "output": {"name": "a", "runs": [{"T": 500}]}},
]
INDEXED = ["phase", "sigma", "elements", "when", "output.name", "output.runs.T", "output.runs.0.T"]


@pytest.fixture(scope="module")
def reference():
    store = MemoryStore()
    store.connect()
    store.update(documents())
    return store


@pytest.fixture(scope="module", params=["plain", "indexed"])
def store(request, tmp_path_factory):
    store = SQLiteStore(str(tmp_path_factory.mktemp("store") / "s.sqlite"))
    store.connect()
    docs = documents()
    store.update(docs[:70])
    if request.param == "indexed":  # half of the documents are indexed late, half as they come
        assert all(store.ensure_index(field) for field in INDEXED)
    store.update(docs[70:])
    store.update(docs[30:90])  # replaced by themselves
    yield store
    store.close()


def names(docs):
    return [doc["task_id"] for doc in docs]


def test_nan_selects_nan_as_in_mongodb(store):
    """Stated, because older versions of the reference compare NaN as Python does."""
    expected = [
        d["task_id"]
        for d in documents()
        if isinstance(d.get("phase"), float) and math.isnan(d["phase"])
    ]
    assert len(expected) > 3
    assert sorted(names(store.query({"phase": NAN}))) == sorted(expected)


@pytest.mark.parametrize("criteria", CRITERIA, ids=str)
def test_filters_select_what_mongodb_selects(store, reference, criteria):
    expected = sorted(names(reference.query(criteria)))
    assert sorted(names(store.query(criteria))) == expected
    assert store.count(criteria) == len(expected)


@pytest.mark.parametrize("field", ["sigma", "when", "output.name", "elements", "phase"])
@pytest.mark.parametrize("way", [1, -1])
def test_sorting_agrees_and_pages_join_up(store, reference, field, way):
    from vitrion.store.sorting import sort_rank

    def keys(docs):
        return [sort_rank(doc, {field: way}) for doc in docs]

    criteria = {"elements": {"$ne": []}}  # the reference does not sort empty lists below null
    whole = list(store.query(criteria, sort={field: way, "task_id": 1}))
    assert keys(whole) == sorted(keys(whole), reverse=way < 0)
    # The reference cannot order NaN, and orders lists as a whole, where MongoDB takes the least
    # element (the greatest when descending).
    if field not in ("phase", "elements"):
        assert keys(whole) == keys(reference.query(criteria, sort={field: way}))
    pages = [
        doc
        for skip in range(0, 150, 40)
        for doc in store.query(criteria, sort={field: way, "task_id": 1}, skip=skip, limit=40)
    ]
    assert names(pages) == names(whole)


def test_sort_takes_maggma_enumeration(store):
    up = names(store.query({}, sort={"task_id": Sort.Ascending}, limit=3))
    assert up == ["t-0", "t-1", "t-10"]
    assert names(store.query({}, sort={"task_id": Sort.Descending}, limit=1)) == ["t-99"]


@pytest.mark.parametrize(
    "properties",
    [
        ["task_id", "output.name"],
        ["task_id", "output.runs.T"],
        {"output.runs": 0, "phase": 0, "_id": 0},
        ["task_id", "not.there"],
        ["_id"],
        {"_id": 0},
    ],
    ids=str,
)
def test_projections_agree(store, reference, properties):
    expected = list(reference.query({}, properties))
    for doc in expected:
        doc.pop("_id", None)
    got = {str(doc) for doc in store.query({}, properties)}
    assert got == {str(doc) for doc in expected}


def test_distinct_and_groupby_agree(store, reference):
    assert set(store.distinct("output.name")) == set(reference.distinct("output.name"))
    assert set(store.distinct("elements")) == {"C", "F", "Li", "O", "P"}
    assert set(store.distinct("output.runs.T", {"phase": "amorphous"})) == set(
        reference.distinct("output.runs.T", {"phase": "amorphous"})
    )

    def groups(source):
        criteria = {"phase": {"$in": ["amorphous", "crystalline"]}}
        found = source.groupby(["output.name", "phase"], criteria, ["task_id"])
        return {str(label): sorted(names(docs)) for label, docs in found}

    assert groups(store) == groups(reference)
    assert store.last_updated_field == "last_updated"


def test_equal_numbers_are_one_value(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        temperatures = {"a": 300, "b": 300.0, "c": True, "d": 1, "e": 500, "f": None}
        store.update([{"task_id": name, "T": T} for name, T in temperatures.items()])
        for _ in range(2):  # without an index and with one
            assert len(store.distinct("T")) == 5
            groups = [names(docs) for _, docs in store.groupby("T")]
            assert groups == [["a", "b"], ["c"], ["d"], ["e"], ["f"]]
            store.ensure_index("T")


@pytest.mark.parametrize("word", ["$or", "$and"])
def test_filters_of_any_length_are_taken(store, reference, word):
    condition = {"$or": {"task_id": "t-7"}, "$and": {"phase": {"$ne": "crystalline"}}}[word]
    expected = sorted(names(reference.query(condition)))
    assert sorted(names(store.query({word: [condition] * 1100}))) == expected


def test_lists_of_values_of_any_length_are_taken(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        usual = 32766  # some builds of SQLite take more
        store.file._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, usual)
        store.ensure_index("n")
        store.update([{"task_id": f"t-{i}", "n": i} for i in range(4)])
        some = {"task_id": {"$in": [f"t-{i}" for i in range(1, 20_000)]}}
        assert store.count({**some, "n": {"$in": list(range(-20_000, 3))}}) == 2


def test_code_is_refused(store):
    for criteria in ({"$where": "1"}, {"$or": [{"a": {"$where": "1"}}]}):
        with pytest.raises(StoreError, match="runs code"):
            list(store.query(criteria))


def test_removal_is_complete(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.update(documents(40))
        store.ensure_index("output.name")
        store.remove_docs({"output.name": "a"})
        assert store.count({"output.name": "a"}) == 0
        left = [d for d in documents(40) if d["output"]["name"] != "a"]
        assert sorted(names(store.query())) == sorted(names(left))
        keys = store.file.rows("SELECT count(DISTINCT doc) FROM entries")
        assert keys == [(len(left),)]


def test_what_is_not_plain_is_made_so(tmp_path):
    from pathlib import Path

    import numpy as np
    from pymatgen.core import Lattice

    lattice = Lattice.cubic(3.1)
    document = {
        "task_id": "a",
        "_id": "from elsewhere",
        "array": np.arange(3),
        "number": np.float32(0.5),
        "pair": (1, 2),
        "lattice": lattice,
        "path": Path("/x"),
        3: "three",
    }
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.ensure_index("pair")
        store.update([document, {"task_id": "b", "pair": (5, 6)}])
        found = store.query_one({"pair": 2})
        assert store.query_one({"pair": 6})["task_id"] == "b"
    assert found["array"] == [0, 1, 2]
    assert found["number"] == 0.5
    assert found["pair"] == [1, 2]
    assert Lattice.from_dict(found["lattice"]) == lattice
    assert found["3"] == "three"
    assert "_id" not in found


FLAGS = {"a": False, "b": 0, "c": [True, 5], "d": 1, "e": None}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (False, "a"),
        (0, "b"),
        (True, "c"),
        (1, "d"),
        ({"$in": [False, 1]}, "ad"),
        ({"$nin": [False, 1]}, "bcef"),
        ({"$ne": 0}, "acdef"),
        ({"$gte": 0}, "bcd"),
        ({"$not": {"$in": [0, True]}}, "adef"),
        ({"$gte": 0, "$lt": 2}, "bd"),
        ({"$exists": True, "$ne": True}, "abde"),
    ],
    ids=str,
)
def test_false_is_not_zero(tmp_path, condition, expected, indexed):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        if indexed:
            store.ensure_index("flag")
        store.update([{"task_id": name, "flag": flag} for name, flag in FLAGS.items()])
        store.update({"task_id": "f"})
        assert "".join(sorted(names(store.query({"flag": condition})))) == expected
        either = {"$or": [{"flag": condition}, {"flag": {"$regex": "x"}}]}
        assert "".join(sorted(names(store.query(either)))) == expected


def test_a_unique_index_refuses_a_second_document(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.update([{"task_id": "a", "label": "x"}, {"task_id": "b"}, {"task_id": "c"}])
        assert store.ensure_index("label", unique=True)
        with pytest.raises(StoreError, match="has the same 'label'"):
            store.update([{"task_id": "d", "label": "y"}, {"task_id": "e", "label": "x"}])
        assert store.count() == 3, "all or nothing"
        store.update([{"task_id": "a", "label": "x", "n": 1}, {"task_id": "b", "label": "y"}])
        with SQLiteStore(str(tmp_path / "s.sqlite")) as other, pytest.raises(StoreError):
            other.update({"task_id": "c", "label": ["z", "y"]})
        store.ensure_index("label")
        with pytest.raises(StoreError):
            store.update({"task_id": "c", "label": "x"})
        store.update([{"task_id": "f", "n": 1}, {"task_id": "g", "n": 2}])
        assert not store.ensure_index("n", unique=True), "two documents agree already"
        store.update({"task_id": "h", "n": 2})


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "s.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(sqlite_file._TABLES + "; PRAGMA user_version = 1")
    body = b"\0" + bson.encode({"task_id": "a", "n": 1})
    connection.execute("INSERT INTO docs(collection, body) VALUES ('docs', ?)", (body,))
    connection.commit()
    connection.close()
    with SQLiteStore(str(path)) as store:
        assert store.ensure_index("n", unique=True)
        assert names(store.query({"n": 1})) == ["a"]
    with SQLiteStore(str(path)) as store, pytest.raises(StoreError, match="same 'n'"):
        store.update({"task_id": "b", "n": 1})
