"""An embedded document store: a maggma store that is one SQLite file and needs no server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from maggma.core import Sort, Store
from pydash import get, has, set_

from vitrion.errors import DamagedDocumentsError, StoreError
from vitrion.runtime.work_limit import check_limit
from vitrion.store.bson_order import Rank, rank
from vitrion.store.criteria import Clause, Part, joined, normalize, translate
from vitrion.store.encoding import encode_document, pack, unpack
from vitrion.store.keys import ARRAY, NULL, OBJECT, OTHER, UNSORTABLE, is_exact, keys_at
from vitrion.store.matching import Matcher, compile_filter
from vitrion.store.pipelines import Pipelines
from vitrion.store.projection import Properties, parse_projection, without_collisions
from vitrion.store.sorting import parse_sort, sort_rank
from vitrion.store.sqlite_file import SQLiteFile
from vitrion.store.traversal import found_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


_CHUNK = 200  # documents read from the file at a time
_FEW = 1000  # documents that are tested and sorted faster than an index is read in order


def _whole(name: str, number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise StoreError(f"A query takes a {name} of zero or more, not {number!r}.")
    return number


def _is_bound(key: bytes) -> bool:
    """Return whether an encoded value identifies its value, so that it can be unique."""
    return key[:1] not in (NULL, OBJECT, ARRAY, OTHER)


class SQLiteStore(Store):
    """A collection of documents in an SQLite file, with MongoDB's queries.

    Durable against a kill of the process at any moment; usable by several processes and threads of
    one machine at once. Documents are kept as BSON, so what MongoDB returns is returned here.
    Queries are answered from the file: a condition or a sort on a field with an index
    (:meth:`ensure_index`) reads the index alone, any other reads the documents.

    Parameters
    ----------
    path
        The SQLite file. Several collections may share it.
    collection_name
        Name of the collection in the file.
    large_documents
        Take documents of more than the 16 MB that MongoDB takes, as GridFS does.
    **kwargs
        ``key``, ``last_updated_field``, ``last_updated_type`` and ``validator`` as in maggma.
    """

    def __init__(
        self,
        path: str,
        collection_name: str = "docs",
        *,
        large_documents: bool = False,
        **kwargs: Any,
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self.collection_name = collection_name
        self.large_documents = large_documents
        self.kwargs = kwargs
        self._file: SQLiteFile | None = None
        super().__init__(**kwargs)

    @property
    def name(self) -> str:
        """Name of the store: file and collection."""
        return f"sqlite://{self.path}/{self.collection_name}"

    @property
    def file(self) -> SQLiteFile:
        """The connection to the file.

        Raises
        ------
        StoreError
            If the store is not connected.
        """
        if self._file is None:
            raise StoreError(f"The store {self.name} is not connected: call connect() first.")
        if self._file.pid != os.getpid():  # a connection must not be used across a fork
            self._file = SQLiteFile.open(self.path)
        return self._file

    @property
    def _collection(self) -> Pipelines:
        _ = self.file  # raises if the store is not connected, as in maggma's stores
        return Pipelines(self.query)

    def connect(self, force_reset: bool = False) -> None:
        """Open the file, created if needed.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        if force_reset:
            self.close()
        if self._file is None:
            self._file = SQLiteFile.open(self.path)
            self.ensure_index(self.key)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.release()
            self._file = None

    def count(self, criteria: dict | None = None, hint: Any = None) -> int:
        """Return the number of documents that match a filter; a hint changes nothing here."""
        filter_ = normalize(criteria or {})
        compile_filter(filter_)  # raises for an invalid filter
        clause = translate(filter_, self._fields())
        if not clause.exact:
            return len(self._select(criteria, {}, 0, 0, doubtful=False))
        found, parameters = self._matching(clause)
        return self.file.rows(f"SELECT count(*) {found}", parameters)[0][0]

    def query(
        self,
        criteria: dict | None = None,
        properties: Properties = None,
        sort: Mapping[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[dict]:
        """Return the documents that match a filter.

        Parameters
        ----------
        criteria
            MongoDB filter.
        properties
            Fields to return, as a list or ``{field: 1}``; or ``{field: 0}`` to leave out.
        sort
            1 for ascending or -1 for descending, by field.
        skip
            Number of documents to skip.
        limit
            Maximum number of documents; 0 returns all.

        Returns
        -------
        Iterator[dict]
            The documents, each in its state when it is read.

        Raises
        ------
        StoreError
            If MongoDB rejects the query, or the embedded store does not support it.
        """
        pick, order = parse_projection(properties), parse_sort(sort)
        ids = self._select(criteria, order, _whole("skip", skip), _whole("limit", limit))
        return (pick(document) for _, document in self._read(ids, pick.tree))

    def update(self, docs: list[dict] | dict, key: list[str] | str | None = None) -> None:
        """Store documents; each replaces the document with the same key fields.

        Parameters
        ----------
        docs
            One document or several, stored atomically.
        key
            The field or fields that identify a document; None takes the key of the store.

        Raises
        ------
        StoreError
            If a document lacks a key field or cannot be stored.
        """
        key = key or self.key
        names = [key] if isinstance(key, str) else list(key)
        several = docs if isinstance(docs, list) else [docs]
        encoded = [encode_document(doc, is_large=self.large_documents) for doc in several]
        with self.file.transaction():
            for name in names:
                self.ensure_index(name)
            fields = self._fields()
            for body, document in encoded:
                self._replace(body, document, names, fields)

    def remove_docs(self, criteria: dict) -> None:
        """Remove the documents that match a filter."""
        with self.file.transaction():
            ids = [(number,) for number in self._select(criteria, {}, 0, 0, doubtful=False)]
            self.file.run_many("DELETE FROM entries WHERE doc = ?", ids)
            self.file.run_many("DELETE FROM docs WHERE id = ?", ids)

    def ensure_index(self, key: str, unique: bool = False) -> bool:
        """Index a field, given by its dotted path, for all present and future documents.

        Parameters
        ----------
        key
            The path.
        unique
            Reject a document whose value at the path exists in another document; missing values and
            values that are documents are exempt.

        Returns
        -------
        bool
            Whether the index exists; False if it should be unique and the collection has
            duplicates.
        """
        if self.file.is_read_only:
            return key in self._fields()  # without an index the documents are read
        sql = "SELECT is_unique FROM fields WHERE collection = ? AND path = ?"
        if self.file.rows(sql, (self.collection_name, key)) in ([(1,)], [(int(unique),)]):
            return True
        with self.file.transaction():
            sql = "INSERT OR IGNORE INTO fields(collection, path) VALUES (?, ?) RETURNING id"
            new = self.file.rows(sql, (self.collection_name, key))
            if new:  # else another process was faster
                for number, document in self._bodies(self._all_ids()):
                    if document is not None:  # else damaged: found by its key alone
                        self._enter(number, document, {key: new[0][0]})
            return self._make_unique(self._fields()[key]) if unique else True

    def _make_unique(self, field: int) -> bool:
        sql = "SELECT key FROM entries WHERE field = ? GROUP BY key HAVING count(*) > 1"
        if any(_is_bound(key) for (key,) in self.file.rows(sql, (field,))):
            return False
        self.file.rows("UPDATE fields SET is_unique = 1 WHERE id = ?", (field,))
        return True

    def groupby(
        self,
        keys: list[str] | str,
        criteria: dict | None = None,
        properties: dict | list | None = None,
        sort: dict[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[tuple[dict, list[dict]]]:
        """Group documents by the values of fields, as maggma's stores do.

        Yields
        ------
        tuple[dict, list[dict]]
            The values of the group, nested as in a document, and its documents. Documents without
            a value for each of the fields are in no group.
        """
        names = [keys] if isinstance(keys, str) else list(keys)
        wanted = without_collisions([*properties, *names]) if properties else None
        groups: dict[tuple[Rank, ...], tuple[dict, list[dict]]] = {}
        for document in self.query(criteria, wanted, sort, skip, limit):
            if not all(has(document, name) for name in names):
                continue
            values = {name: get(document, name) for name in names}
            label: dict = {}
            for name, value in values.items():
                set_(label, name, value)
            group = tuple(rank(value) for value in values.values())
            groups.setdefault(group, (label, []))[1].append(document)
        yield from groups.values()

    def distinct(
        self, field: str, criteria: dict | None = None, all_exist: bool = False
    ) -> list[Any]:
        """Return the distinct values of a field, or of the elements of a list."""
        filter_ = normalize(criteria or {})
        compile_filter(filter_)  # raises for an invalid filter
        clause = translate(filter_, fields := self._fields())
        if field not in fields or not clause.exact:
            return self._distinct(self.query(criteria), field)
        # One document per indexed value is sufficient.
        sql = "SELECT min(doc) FROM entries WHERE field = ?"
        parameters = [fields[field]]
        if clause.parts:
            found, more = self._matching(clause)
            sql += f" AND doc IN (SELECT d.id {found})"
            parameters += more
        ids = [row[0] for row in self.file.rows(sql + " GROUP BY key", parameters)]
        values = self._distinct((document for _, document in self._read(ids)), field)
        if all(value is None or is_exact(value) for value in values):
            return values
        return self._distinct(self.query(criteria), field)

    @staticmethod
    def _distinct(documents: Iterable[dict], field: str) -> list[Any]:
        found: dict[Rank, Any] = {}
        for document in documents:
            for value in found_at(document, field):
                for item in value if isinstance(value, list) else [value]:
                    found.setdefault(rank(item), item)
        return list(found.values())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SQLiteStore)
            and (self.path, self.collection_name) == (other.path, other.collection_name)
            and (self.key, self.last_updated_field) == (other.key, other.last_updated_field)
        )

    __hash__ = Store.__hash__

    def _fields(self) -> dict[str, int]:
        sql = "SELECT path, id FROM fields WHERE collection = ?"
        return dict(self.file.rows(sql, (self.collection_name,)))

    def _all_ids(self) -> list[int]:
        sql = "SELECT id FROM docs WHERE collection = ? ORDER BY id"
        return [row[0] for row in self.file.rows(sql, (self.collection_name,))]

    def _select(
        self,
        criteria: dict | None,
        order: Mapping[str, int],
        skip: int,
        limit: int,
        *,
        doubtful: bool = True,
    ) -> Sequence[int]:
        """Return the numbers of the matching documents, from indexes if possible.

        A damaged document, of which only its indexed fields are known, is among them at the end if
        it may match and ``doubtful`` is wanted.
        """
        filter_ = normalize(criteria or {})
        matches = compile_filter(filter_)
        fields = self._fields()
        clause = translate(filter_, fields)
        in_sql = clause.exact and all(self._sorts(fields.get(path)) for path in order)
        found, parameters = self._matching(clause)
        if not in_sql:
            rows = self.file.rows(f"SELECT d.id {found} ORDER BY d.id", parameters)
            ids = [row[0] for row in rows]
            ids, damaged = self._filter(ids, matches, order)
            page = ids[skip : skip + limit if limit else None]
            return page + damaged if doubtful else page
        ways, first = [], next(iter(order), None)
        if limit and first is not None and self._leads(fields[first], clause):
            found, parameters = self._matching(clause, fields[first])
            ways.append("d.key " + ("ASC" if order[first] > 0 else "DESC"))
            order = {path: way for path, way in order.items() if path != first}
        for path, way in order.items():
            pick = "min(key)" if way > 0 else "max(key)"
            ways.append(
                f"coalesce((SELECT {pick} FROM entries WHERE doc = d.id AND field = ?), ?)"
                + (" ASC" if way > 0 else " DESC")
            )
            parameters += [fields[path], NULL]
        sql = f"SELECT d.id {found} ORDER BY {', '.join([*ways, 'd.id'])} LIMIT ? OFFSET ?"
        return [row[0] for row in self.file.rows(sql, [*parameters, limit or -1, skip])]

    def _matching(self, clause: Clause, sort: int | None = None) -> tuple[str, list[Any]]:
        """Return the rest of a SELECT statement after the columns, and its parameters.

        Its documents ``d`` come from the condition with the fewest, and are tested for the others;
        or from the index of a field, with their ``key``, which has an order.
        """
        parts = list(clause.parts)
        sources = [part for part in parts if part.source]
        parameters: list[Any]
        if sort is not None:
            source, parameters = "SELECT doc AS id, key FROM entries WHERE field = ?", [sort]
        elif sources:
            best = min(sources, key=self._size) if len(sources) > 1 else sources[0]
            source, parameters = best.source, [*best.parameters]
            if best.is_exact_source:
                parts.remove(best)
        else:
            source, parameters = "SELECT id FROM docs WHERE collection = ?", [self.collection_name]
        tests = joined([part.test for part in parts], "AND")
        parameters += [value for part in parts for value in part.parameters]
        return f"FROM ({source}) d" + (f" WHERE {tests}" if tests else ""), parameters

    def _size(self, part: Part) -> int:
        """Return the number of documents of the source of a condition, up to a limit."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({part.source}) LIMIT {_FEW})"
        return self.file.rows(sql, part.parameters)[0][0]

    def _leads(self, field: int, clause: Clause) -> bool:
        """Return whether a page is found soonest in the order of the index of a field.

        This is possible if each document has one entry there, and slow if few documents match.
        """
        if any(part.source and self._size(part) < _FEW for part in clause.parts):
            return False
        entries = "SELECT count(*), count(DISTINCT doc) FROM entries WHERE field = ?"
        documents = "SELECT count(*) FROM docs WHERE collection = ?"
        counts = {*self.file.rows(entries, [field])[0]}
        counts |= {*self.file.rows(documents, [self.collection_name])[0]}
        return len(counts) == 1

    def _sorts(self, field: int | None) -> bool:
        """Return whether the index of a field determines the order of its documents."""
        if field is None:
            return False
        some = "EXISTS(SELECT 1 FROM entries WHERE field = ? AND key >= ? AND key < ?)"
        parameters = [part for low, high in UNSORTABLE for part in (field, low, high)]
        return not any(
            self.file.rows(f"SELECT {', '.join([some] * len(UNSORTABLE))}", parameters)[0]
        )

    def _filter(
        self, ids: list[int], matches: Matcher, order: Mapping[str, int]
    ) -> tuple[list[int], list[int]]:
        kept, damaged = [], []
        for number, document in self._bodies(ids):
            if document is None:
                damaged.append(number)
            elif matches(document):
                kept.append((number, sort_rank(document, order)))
        for position, way in reversed(list(enumerate(order.values()))):  # stable, last field first
            kept.sort(key=lambda row: row[1][position], reverse=way < 0)
        return [number for number, _ in kept], damaged

    def _read(
        self, ids: Sequence[int], tree: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[int, dict]]:
        """Yield documents, then raise an error that names the damaged ones."""
        damaged = []
        for number, document in self._bodies(ids, tree):
            if document is None:
                damaged.append(number)
            else:
                yield number, document
        if damaged:
            raise DamagedDocumentsError(self.name, [self._key_of(number) for number in damaged])

    def _bodies(
        self, ids: Sequence[int], tree: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[int, dict | None]]:
        for start in range(0, len(ids), _CHUNK):
            check_limit()
            chunk = ids[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            bodies = dict(self.file.rows(f"SELECT id, body FROM docs WHERE id IN ({marks})", chunk))
            for number in chunk:
                if number in bodies:  # else removed meanwhile
                    yield number, unpack(bodies[number], tree)

    def _key_of(self, number: int) -> str:
        """Return the key of a damaged document from the index."""
        sql = "SELECT key FROM entries WHERE doc = ? AND field = ?"
        found = self.file.rows(sql, (number, self._fields().get(self.key, -1)))
        return found[0][0][1:].decode(errors="replace") if found else f"number {number}"

    def _is_valid(self, document: dict) -> bool:
        if self.validator is None or self.validator.is_valid(document):
            return True
        problems = self.validator.validation_errors(document)
        if getattr(self.validator, "strict", False):
            raise StoreError(f"A document is not valid: {problems}.")
        self.logger.error(problems)
        return False

    def _replace(
        self, body: bytes, document: dict, names: list[str], fields: Mapping[str, int]
    ) -> None:
        if not self._is_valid(document):
            return
        missing = [name for name in names if not has(document, name)]
        if missing:
            raise StoreError(f"A document without its key field '{missing[0]}' cannot be stored.")
        same = self._select({name: {"$eq": get(document, name)} for name in names}, {}, 0, 1)
        if same:
            number = same[0]
            self.file.rows("DELETE FROM entries WHERE doc = ?", (number,))
            self.file.rows("UPDATE docs SET body = ? WHERE id = ?", (pack(body), number))
        else:
            sql = "INSERT INTO docs(collection, body) VALUES (?, ?) RETURNING id"
            number = self.file.rows(sql, (self.collection_name, pack(body)))[0][0]
        self._check_unique(number, document)
        self._enter(number, document, fields)

    def _check_unique(self, number: int, document: dict) -> None:
        sql = "SELECT path, id FROM fields WHERE collection = ? AND is_unique = 1"
        for path, field in self.file.rows(sql, (self.collection_name,)):
            for key in filter(_is_bound, keys_at(document, path)):
                same = "SELECT 1 FROM entries WHERE field = ? AND key = ? AND doc <> ? LIMIT 1"
                if self.file.rows(same, (field, key, number)):
                    raise StoreError(
                        f"Another document of '{self.collection_name}' has the same '{path}', "
                        "which is unique there."
                    )

    def _enter(self, number: int, document: dict, fields: Mapping[str, int]) -> None:
        entries = [
            (field, key, number)
            for path, field in fields.items()
            for key in keys_at(document, path)
        ]
        self.file.run_many("INSERT INTO entries(field, key, doc) VALUES (?, ?, ?)", entries)
