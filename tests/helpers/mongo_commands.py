"""The commands of the test server, carried out by mongomock-ng."""

import itertools
import threading

import bson
import mongomock_ng
from pymongo.errors import DuplicateKeyError, PyMongoError

from helpers.mongo_state import State

MAX_BATCH_BYTES = 15_000_000
FIRST_BATCH = 101
ALL = 10**9
INDEX_OPTIONS = ("unique", "sparse", "name", "expireAfterSeconds", "partialFilterExpression")
WRITES = ("insert", "update", "delete", "findandmodify")
GREETING = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "connectionId": 1,
    "logicalSessionTimeoutMinutes": 30,
}


class CommandError(Exception):
    """An error that the client sees with its MongoDB code."""

    def __init__(self, code, message):
        self.code = code
        super().__init__(message)


def is_replacement(update):
    return isinstance(update, dict) and not any(name.startswith("$") for name in update)


def write_error(position, error):
    is_duplicate = (
        isinstance(error, DuplicateKeyError) or type(error).__name__ == "DuplicateKeyError"
    )
    code = 11000 if is_duplicate else getattr(error, "code", None) or 8
    return {"index": position, "code": code, "errmsg": str(error)}


class Engine:
    """Runs one command at a time on databases in memory, kept in a state file if there is one."""

    def __init__(self, state_file=None):
        self.client = mongomock_ng.MongoClient()
        self.lock = threading.RLock()
        self.cursors = {}
        self.cursor_ids = itertools.count(1000)
        self.writes_left = None
        self.writes_until_stall = None
        self.released = threading.Event()
        self.state = State(state_file) if state_file else None
        for space, documents, indexes in self.state.load() if self.state else ():
            database, name = space.split(".", 1)
            collection = self.client[database][name]
            for specification in indexes:
                self._create_index(collection, specification)
            for document in documents:
                collection.insert_one(document)

    def run(self, command):
        """Carry out a command and return its reply, without its ``ok``."""
        name = next(iter(command))
        method = getattr(self, f"do_{name.lower()}", None)
        if method is None:
            raise CommandError(59, f"no such command: '{name}'")
        if command.get("startTransaction"):
            raise CommandError(20, "Transaction numbers are only allowed on a replica set member")
        if name.lower() in ("hello", "ismaster"):  # a client takes a silent server for dead
            return method(command, command.get("$db", "test"), command[name])
        if name.lower() in WRITES:
            self._stall_if_told()
        with self.lock:
            self._fail_if_told(name.lower())
            return method(command, command.get("$db", "test"), command[name])

    def _fail_if_told(self, name):
        if self.writes_left is None or name == "testfault":
            return
        if self.writes_left <= 0:
            raise ConnectionAbortedError
        if name in WRITES:
            self.writes_left -= 1

    def do_testfault(self, command, database, writes):
        """Drop every connection after so many writes; -1 ends that. No command of MongoDB's."""
        self.writes_left = None if writes < 0 else writes
        return {}

    def _stall_if_told(self):
        with self.lock:
            left = self.writes_until_stall
            self.writes_until_stall = left - 1 if left else None
        if left == 0:
            self.released.wait()

    def do_teststall(self, command, database, writes):
        """Delay one write, after so many; -1 lets it through. No command of MongoDB's."""
        self.writes_until_stall = writes if writes >= 0 else None
        self.released.set() if writes < 0 else self.released.clear()
        return {}

    def do_teststalled(self, command, database, _):
        """Return whether the write that is delayed has come. No command of MongoDB's."""
        return {"stalled": self.writes_until_stall is None}

    # Administration

    def do_hello(self, command, database, _):
        return dict(GREETING)

    do_ismaster = do_hello

    def do_ping(self, command, database, _):
        return {}

    do_endsessions = do_killsessions = do_ping

    def do_buildinfo(self, command, database, _):
        version = {"version": "7.0.0-test", "versionArray": [7, 0, 0, 0]}
        return {**version, "maxBsonObjectSize": GREETING["maxBsonObjectSize"], "bits": 64}

    def do_listdatabases(self, command, database, _):
        names = self.client.list_database_names()
        rows = [{"name": name, "sizeOnDisk": 0, "empty": False} for name in names]
        return {"databases": rows, "totalSize": 0}

    def do_listcollections(self, command, database, _):
        wanted = (command.get("filter") or {}).get("name")
        rows = [
            {"name": name, "type": "collection", "options": {}, "info": {"readOnly": False}}
            for name in self.client[database].list_collection_names()
            if not isinstance(wanted, str) or name == wanted
        ]
        return self._cursor(database, "$cmd.listCollections", rows, ALL)

    def do_dropdatabase(self, command, database, _):
        self.client.drop_database(database)
        if self.state:
            self.state.drop(f"{database}.")
        return {"dropped": database}

    def do_create(self, command, database, name):
        if name not in self.client[database].list_collection_names():
            self.client[database].create_collection(name)
        return {}

    def do_drop(self, command, database, name):
        self.client[database][name].drop()
        if self.state:
            self.state.drop(f"{database}.{name}")
        return {}

    def do_renamecollection(self, command, database, source):
        (database, old), (target, new) = source.split(".", 1), command["to"].split(".", 1)
        if database != target:
            raise CommandError(20, "renaming across databases is not supported")
        self.client[database][old].rename(new, dropTarget=bool(command.get("dropTarget")))
        if self.state:
            self.state.rename(source, command["to"])
        return {}

    def do_createindexes(self, command, database, name):
        for specification in command["indexes"]:
            self._create_index(self.client[database][name], specification)
            if self.state:
                self.state.save_index(f"{database}.{name}", specification)
        return {"createdCollectionAutomatically": False}

    def do_listindexes(self, command, database, name):
        if name not in self.client[database].list_collection_names():
            raise CommandError(26, f"ns does not exist: {database}.{name}")
        rows = [
            {"v": 2, "key": dict(index["key"]), "name": label, "unique": bool(index.get("unique"))}
            for label, index in self.client[database][name].index_information().items()
        ]
        return self._cursor(database, name, rows, ALL)

    def do_dropindexes(self, command, database, name):
        collection, index = self.client[database][name], command["index"]
        if index == "*":
            collection.drop_indexes()
        else:
            collection.drop_index(index)
        if self.state:
            self.state.drop_index(f"{database}.{name}", index)
        return {}

    def _create_index(self, collection, specification):
        options = {name: specification[name] for name in INDEX_OPTIONS if name in specification}
        collection.create_index(list(specification["key"].items()), **options)

    # Reading

    def do_find(self, command, database, name):
        cursor = self.client[database][name].find(
            command.get("filter") or {}, command.get("projection") or None
        )
        if command.get("sort"):
            cursor = cursor.sort(list(command["sort"].items()))
        if command.get("skip"):
            cursor = cursor.skip(command["skip"])
        if command.get("limit"):
            cursor = cursor.limit(abs(command["limit"]))
        size = ALL if command.get("singleBatch") else command.get("batchSize")
        return self._cursor(database, name, list(cursor), size)

    def do_aggregate(self, command, database, name):
        rows = list(self.client[database][name].aggregate(command["pipeline"]))
        return self._cursor(database, name, rows, (command.get("cursor") or {}).get("batchSize"))

    def do_count(self, command, database, name):
        options = {word: command[word] for word in ("skip", "limit") if command.get(word)}
        query = command.get("query") or {}
        return {"n": self.client[database][name].count_documents(query, **options)}

    def do_distinct(self, command, database, name):
        query = command.get("query") or {}
        return {"values": self.client[database][name].distinct(command["key"], query)}

    def do_getmore(self, command, database, number):
        if number not in self.cursors:
            raise CommandError(43, f"cursor id {number} not found")
        space, rows = self.cursors.pop(number)
        batch = self._batch(rows, command.get("batchSize") or ALL)
        if rows:
            self.cursors[number] = (space, rows)
        left = number if rows else 0
        return {"cursor": {"id": left, "ns": space, "nextBatch": batch}}

    def do_killcursors(self, command, database, _):
        for number in command["cursors"]:
            self.cursors.pop(number, None)
        return {"cursorsKilled": command["cursors"], "cursorsNotFound": [], "cursorsAlive": []}

    def _cursor(self, database, name, rows, size):
        space = f"{database}.{name}"
        batch = self._batch(rows, FIRST_BATCH if size is None else size)
        number = next(self.cursor_ids) if rows else 0
        if rows:
            self.cursors[number] = (space, rows)
        return {"cursor": {"id": number, "ns": space, "firstBatch": batch}}

    @staticmethod
    def _batch(rows, size):
        """Take rows off the front: at most ``size`` of them, and no more than one message holds."""
        taken, used = 0, 0
        while taken < min(size, len(rows)):
            used += len(bson.encode(rows[taken]))
            if taken and used > MAX_BATCH_BYTES:
                break
            taken += 1
        batch = rows[:taken]
        del rows[:taken]
        return batch

    # Writing

    def do_insert(self, command, database, name):
        collection = self.client[database][name]

        def insert(document):
            return {"n": 1}, [collection.insert_one(document).inserted_id]

        return self._write(command, database, name, command.get("documents", []), insert)

    def do_update(self, command, database, name):
        collection = self.client[database][name]

        def update(item):
            ids = self._ids(collection, item["q"], item.get("multi", False))
            result = self._apply(collection, item, ids)
            counts = {"n": result.matched_count, "nModified": result.modified_count or 0}
            if result.upserted_id is not None:
                counts.update(n=1, upserted=result.upserted_id)
                ids.append(result.upserted_id)
            return counts, ids

        return self._write(command, database, name, command.get("updates", []), update)

    def do_delete(self, command, database, name):
        collection = self.client[database][name]

        def delete(item):
            ids = self._ids(collection, item["q"], item.get("limit", 0) == 0)
            collection.delete_many({"_id": {"$in": ids}})
            return {"n": len(ids)}, ids

        return self._write(command, database, name, command.get("deletes", []), delete)

    def do_findandmodify(self, command, database, name):
        collection = self.client[database][name]
        fields = command.get("fields") or None
        query = command.get("query") or {}
        sort = list((command.get("sort") or {}).items()) or None
        found = collection.find_one(query, {"_id": 1}, sort=sort)
        ids = [] if found is None else [found["_id"]]
        before = collection.find_one({"_id": ids[0]}, fields) if ids else None
        outcome = {"n": len(ids), "updatedExisting": bool(ids)}
        if command.get("remove"):
            collection.delete_many({"_id": {"$in": ids}})
        elif ids or command.get("upsert"):
            item = {"q": query, "u": command["update"], "upsert": command.get("upsert", False)}
            item["arrayFilters"] = command.get("arrayFilters")
            result = self._apply(collection, item, ids)
            if result.upserted_id is not None:
                ids = [result.upserted_id]
                outcome.update(n=1, upserted=result.upserted_id)
        self._persist(database, name, ids)
        after = collection.find_one({"_id": ids[0]}, fields) if ids else None
        return {"value": after if command.get("new") else before, "lastErrorObject": outcome}

    def _apply(self, collection, item, ids):
        """Apply an update to the documents that were chosen, or to the query to insert one."""
        query = item["q"]
        if ids and not item.get("multi"):  # the query stays, for the positional operator "$"
            query = {"$and": [query, {"_id": ids[0]}]} if query else {"_id": ids[0]}
        upsert = bool(item.get("upsert")) and not ids
        if is_replacement(item["u"]):
            query = {"_id": ids[0]} if ids else query
            return collection.replace_one(query, item["u"], upsert=upsert)
        filters = {"array_filters": item["arrayFilters"]} if item.get("arrayFilters") else {}
        change = collection.update_many if item.get("multi") else collection.update_one
        return change(query, item["u"], upsert=upsert, **filters)

    @staticmethod
    def _ids(collection, query, multi):
        found = collection.find(query, {"_id": 1})
        return [document["_id"] for document in (found if multi else found.limit(1))]

    def _write(self, command, database, name, items, write):
        totals, touched, upserted, errors = {}, [], [], []
        for position, item in enumerate(items):
            try:
                counts, ids = write(item)
            except (PyMongoError, mongomock_ng.OperationFailure) as error:
                errors.append(write_error(position, error))
                if command.get("ordered", True):
                    break
                continue
            touched += ids
            if "upserted" in counts:
                upserted.append({"index": position, "_id": counts.pop("upserted")})
            totals = {word: totals.get(word, 0) + count for word, count in counts.items()}
        self._persist(database, name, touched)
        reply = {"n": 0, **totals}
        reply.update({"upserted": upserted} if upserted else {})
        reply.update({"writeErrors": errors} if errors else {})
        return reply

    def _persist(self, database, name, ids):
        if self.state and ids:
            collection = self.client[database][name]
            found = {
                document["_id"]: document for document in collection.find({"_id": {"$in": ids}})
            }
            self.state.save(f"{database}.{name}", {key: found.get(key) for key in ids})
