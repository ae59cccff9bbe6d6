"""Hash indexes for mongomock-ng, which scans all documents: only what a client has indexed is fast.

Equality, ``$in`` and ranges of texts on the first field of an index choose the candidates, which
mongomock then filters as usual. Sorting and other ranges scan. So the growth of times with the
number of documents shows which queries of a program lack an index. Inserted documents are not
validated or copied, because they come from the wire.
"""

from contextlib import suppress
from functools import partial

from bson import ObjectId
from mongomock_ng.collection import Collection
from mongomock_ng.filtering import filter_applies
from mongomock_ng.helpers import hashdict
from mongomock_ng.store import CollectionStore
from pymongo.errors import DuplicateKeyError

PLAIN = (str, int, float, bool)


def values_at(document, parts):
    """Return the plain values at a path; lists give each of their items."""
    if isinstance(document, list):
        return [value for item in document for value in values_at(item, parts)]
    if not parts:
        return [document]
    if not isinstance(document, dict) or parts[0] not in document:
        return []
    return values_at(document[parts[0]], parts[1:])


class HashIndex:
    """The documents of a collection by the values at a path."""

    def __init__(self, path):
        self.parts = path.split(".")
        self.ids, self.keys = {}, {}

    def put(self, number, document):
        self.drop(number)
        keys = {value for value in values_at(document, self.parts) if isinstance(value, PLAIN)}
        self.keys[number] = keys
        for key in keys:
            self.ids.setdefault(key, set()).add(number)

    def drop(self, number):
        for key in self.keys.pop(number, ()):
            self.ids[key].discard(number)
            if not self.ids[key]:
                del self.ids[key]

    def find(self, condition):
        """Return the numbers of candidates; None if the condition needs a scan."""
        if isinstance(condition, dict) and condition.keys() == {"$gte", "$lt"}:
            low, high = condition["$gte"], condition["$lt"]
            if not isinstance(low, str) or not isinstance(high, str):
                return None
            condition = [key for key in self.ids if isinstance(key, str) and low <= key < high]
        elif isinstance(condition, dict):
            condition = condition.get("$eq", condition.get("$in"))
        wanted = condition if isinstance(condition, list) else [condition]
        if not all(isinstance(value, PLAIN) for value in wanted):
            return None
        return set().union(*(self.ids.get(value, ()) for value in wanted))


def hash_indexes(store):
    """Return the hash indexes of a collection, with one for each first field of its indexes."""
    known = store.__dict__.setdefault("_hash_indexes", {})
    for index in store.indexes.values():
        path = index["key"][0][0]
        if path not in known:
            known[path] = HashIndex(path)
            for number, document in store._documents.items():
                known[path].put(number, document)
    return known


def candidates(store, query):
    """Return the fewest candidates of a query, by its indexed fields; None without one."""
    indexes = hash_indexes(store)
    best = None
    for part in (query, *query.get("$and", ())):
        for path, condition in part.items():
            found = indexes[path].find(condition) if path in indexes else None
            if path == "_id":
                wanted = condition.get("$in") if isinstance(condition, dict) else [condition]
                with suppress(TypeError):
                    found = None if wanted is None else {n for n in wanted if n in store._documents}
            if found is not None and (best is None or len(found) < len(best)):
                best = found
    return best


def install():
    """Let mongomock-ng use hash indexes in this process."""
    put, drop, drop_all = (
        CollectionStore.__setitem__,
        CollectionStore.__delitem__,
        CollectionStore.drop,
    )
    scan, unique = Collection._iter_documents, Collection._ensure_uniques

    def set_item(self, number, document):
        put(self, number, document)
        for index in hash_indexes(self).values():
            index.put(number, document)

    def delete_item(self, number):
        drop(self, number)
        for index in hash_indexes(self).values():
            index.drop(number)

    def drop_documents(self):
        drop_all(self)
        self.__dict__.pop("_hash_indexes", None)

    def iterate(self, query):
        found = candidates(self._store, query)
        if found is None:
            return scan(self, query)
        documents = [self._store._documents[number] for number in found]
        return filter(partial(filter_applies, query), documents)

    def ensure_uniques(self, document):
        indexes = hash_indexes(self._store)
        for index in self._store.indexes.values():
            path = index["key"][0][0]
            if index.get("unique") and len(index["key"]) == 1:
                for value in values_at(document, path.split(".")):
                    same = indexes[path].ids.get(value, ()) if isinstance(value, PLAIN) else None
                    if same is None or set(same) - {document["_id"]}:
                        return unique(self, document)  # raises the error
            elif index.get("unique"):
                return unique(self, document)
        return None

    def insert(self, document, session=None, ordered=True, validate=True):
        number = document.setdefault("_id", ObjectId())
        key = hashdict(number) if isinstance(number, dict) else number
        if key in self._store:
            raise DuplicateKeyError("E11000 duplicate key: _id", 11000)
        self._store[key] = document
        try:
            self._ensure_uniques(document)
        except DuplicateKeyError:
            del self._store[key]
            raise
        return number

    CollectionStore.__setitem__, CollectionStore.__delitem__ = set_item, delete_item
    CollectionStore.drop = drop_documents
    Collection._iter_documents, Collection._ensure_uniques = iterate, ensure_uniques
    Collection._insert = insert
