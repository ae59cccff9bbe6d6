"""The test server answers pymongo as MongoDB does; TEST_MONGODB_URI asks MongoDB itself."""

import threading

import pytest
from gridfs import GridFS
from pymongo import MongoClient, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure


@pytest.fixture
def db(mongo_uri, mongo_database):
    with MongoClient(mongo_uri) as client:
        yield client[mongo_database]


def test_documents_are_written_found_and_removed(db):
    things = db.things
    things.insert_many([{"n": n, "even": n % 2 == 0} for n in range(500)])
    assert things.count_documents({"even": True}) == 250
    found = list(things.find({"n": {"$gte": 250}}, {"_id": 0}, batch_size=30).sort("n", -1))
    assert [d["n"] for d in found] == list(range(499, 249, -1)), "over several batches"
    assert [d["n"] for d in things.find().sort("n").skip(5).limit(3)] == [5, 6, 7]
    assert things.update_many({"even": True}, {"$inc": {"n": 1000}}).modified_count == 250
    assert things.delete_one({"n": 1}).deleted_count == 1
    assert things.delete_many({"even": True}).deleted_count == 250
    assert sorted(things.distinct("n", {"n": {"$lt": 10}})) == [3, 5, 7, 9]
    rows = things.aggregate([{"$group": {"_id": "$even", "sum": {"$sum": 1}}}])
    assert list(rows) == [{"_id": False, "sum": 249}]


def test_large_messages_pass(db):
    db.big.insert_many([{"n": n, "data": "x" * 4_000_000} for n in range(6)])
    assert sum(len(d["data"]) for d in db.big.find()) == 24_000_000


def test_upserts_and_bulk_writes(db):
    result = db.a.update_one({"k": 1}, {"$set": {"v": 1}}, upsert=True)
    assert result.upserted_id is not None
    bulk = db.a.bulk_write(
        [
            ReplaceOne({"k": 1}, {"k": 1, "v": 2}),
            UpdateOne({"k": 2}, {"$set": {"v": 3}}, upsert=True),
        ],
        ordered=False,
    )
    assert (bulk.matched_count, bulk.upserted_count) == (1, 1)
    assert {d["k"]: d["v"] for d in db.a.find()} == {1: 2, 2: 3}


def test_unique_indexes_hold(db):
    db.u.create_index("k", unique=True)
    db.u.insert_one({"k": 1})
    with pytest.raises(DuplicateKeyError):
        db.u.insert_one({"k": 1})
    with pytest.raises(BulkWriteError) as error:
        db.u.insert_many([{"k": 2}, {"k": 1}, {"k": 3}], ordered=False)
    assert error.value.details["nInserted"] == 2
    assert db.u.index_information()["k_1"]["unique"] is True


def test_find_and_modify_takes_the_first_in_order(db):
    db.q.insert_many([{"state": "ready", "p": p} for p in (1, 3, 2)])
    taken = [
        db.q.find_one_and_update({"state": "ready"}, {"$set": {"state": "run"}}, sort=[("p", -1)])
        for _ in range(4)
    ]
    assert [d and d["p"] for d in taken] == [3, 2, 1, None]
    new = db.q.find_one_and_replace(
        {"p": 9}, {"p": 9}, upsert=True, return_document=ReturnDocument.AFTER
    )
    assert new["p"] == 9
    assert db.q.find_one_and_delete({"p": 9})["p"] == 9
    assert db.q.count_documents({"p": 9}) == 0


def test_one_document_goes_to_one_of_many_threads(db):
    db.q.insert_many([{"state": "ready"} for _ in range(40)])
    taken = []

    def work():
        while True:
            found = db.q.find_one_and_update({"state": "ready"}, {"$set": {"state": "run"}})
            if found is None:
                return
            taken.append(found["_id"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40


def test_gridfs(db):
    files = GridFS(db)
    key = files.put(b"abc" * 500_000, filename="f")
    assert files.get(key).read() == b"abc" * 500_000


def test_unknown_commands_and_operators_are_errors(db):
    with pytest.raises(OperationFailure):
        db.command("noSuchCommand")
    with pytest.raises(OperationFailure):
        list(db.a.find({"$noSuchOperator": 1}))


def test_confirmed_writes_survive_a_kill(mongo_process):
    with MongoClient(mongo_process.uri) as client:
        client.kill.a.create_index("k", unique=True)
        client.kill.a.insert_many([{"k": k} for k in range(50)])
        client.kill.a.update_one({"k": 0}, {"$set": {"v": [1, {"x": None}]}})
        client.kill.a.delete_many({"k": {"$gt": 40}})
        client.kill.gone.insert_one({})
        client.kill.gone.drop()
    mongo_process.kill()
    mongo_process.start()
    with MongoClient(mongo_process.uri) as client:
        assert client.kill.a.count_documents({}) == 41
        assert client.kill.a.find_one({"k": 0})["v"] == [1, {"x": None}]
        assert client.kill.list_collection_names() == ["a"]
        with pytest.raises(DuplicateKeyError):
            client.kill.a.insert_one({"k": 1})
        client.drop_database("kill")
