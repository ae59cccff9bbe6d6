"""The material collections: documents gathered from job outputs, beside the outputs themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jobflow import JobStore
from maggma.stores import JSONStore, MemoryStore, MongoStore, MontyStore

from vitrion.database.admission import RESERVED
from vitrion.database.kinds import document_classes
from vitrion.database.servers import connect, is_connected
from vitrion.database.store_file import names_store_file, read_store_file
from vitrion.documents.base import VitrionDoc
from vitrion.errors import StoreError
from vitrion.materials.quantities import SUMMARIZED
from vitrion.store.job_store import FILE_NAME, SQLiteJobStore
from vitrion.store.sqlite_store import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from maggma.core import Store

KEY = "document_id"
STAMP_PATH = "job.completed_at"
"""Path of the time at which the job of a document was completed."""
COMMON_INDEXES = (
    "material_id",
    "formula_pretty",
    "chemsys",
    "elements",
    "phase",
    "deprecated",
    "last_updated",
    "provenance.potential.name",
    "provenance.potential.sha256",
)
OWN_PATHS = {"summary": {"potential": "potentials"}}
"""Paths, by kind of document, of what other kinds keep elsewhere: by the name of the filter."""


def find_job_store(store: JobStore | str | os.PathLike[str] | None = None) -> JobStore:
    """Return the JobStore that is meant.

    Parameters
    ----------
    store
        A JobStore; or the folder of an embedded one, which must exist; or a ``jobflow.yaml`` or
        store file; None takes the folder in the settings.

    Raises
    ------
    StoreError
        If there is no store there.
    """
    if isinstance(store, JobStore):
        return store
    if store is None:
        from vitrion.settings import get_settings

        store = get_settings().store
    path = Path(store).expanduser()
    if names_store_file(path):
        return read_store_file(path)
    if not os.path.isfile(path / FILE_NAME):
        raise StoreError(
            f"There are no results in {path}: name the results folder of 'vitrion run'."
        )
    return SQLiteJobStore(str(path))


class Collections:
    """The material collections of a JobStore, one per kind of document.

    They are stored with the job outputs: in the same SQLite file or MongoDB database.

    Parameters
    ----------
    job_store
        The JobStore; it is connected here if needed. A store connected here is closed with the
        collections, unless it is in memory, where closing would lose the documents.
    """

    def __init__(self, job_store: JobStore) -> None:
        self.job_store = job_store
        self.classes: Mapping[str, type[VitrionDoc]] = document_classes()
        self._stores: dict[str, Store] = {}
        self._has_connected = False

    def __enter__(self) -> Self:
        self._has_connected = not is_connected(self.job_store)
        connect(self.job_store)
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def is_read_only(self) -> bool:
        """Whether the user cannot write the file of the collections."""
        outputs = self.job_store.docs_store
        return isinstance(outputs, SQLiteStore) and outputs.file.is_read_only

    def close(self) -> None:
        """Close all stores."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        if self._has_connected and not isinstance(self.job_store.docs_store, MemoryStore):
            self.job_store.close()

    def store(self, property_name: str) -> Store:
        """Return the connected and indexed store of one kind of document.

        Raises
        ------
        StoreError
            If the name is reserved, or the collection contains documents of other programs.
        """
        if property_name not in self._stores:
            self._check_name(property_name)
            store = self._beside_outputs(property_name)
            store.connect()
            if store.query_one({KEY: {"$exists": False}}, [KEY]) is not None:
                raise StoreError(
                    f"The collection '{property_name}' beside the outputs contains documents that "
                    "vitrion has not written: keep the outputs in a database of their own."
                )
            self._stores[property_name] = store
            if not ensure_index(store, KEY, unique=True):
                ensure_index(store, KEY)  # a user with read access cannot create the index
            for path in self.index_paths(property_name):
                ensure_index(store, path)
        return self._stores[property_name]

    def index_paths(self, property_name: str) -> list[str]:
        """Return the indexed paths of a collection, except its key."""
        own = OWN_PATHS.get(property_name, {})
        quantities = self.key_fields(property_name).values()
        return [*COMMON_INDEXES, STAMP_PATH, *own.values(), *quantities]

    def key_fields(self, property_name: str) -> dict[str, str]:
        """Return the paths of the quantities of a collection by public name."""
        if property_name == "summary":
            summarized = [kind for kind in self.classes.values() if kind.of_material]
            own = [name for kind in summarized for name in kind.key_fields]
            reported = [quantity.key for quantity in SUMMARIZED]
            return {name: f"values.{name}" for name in dict.fromkeys([*reported, *own])}
        cls = self.classes.get(property_name, VitrionDoc)
        return dict(cls.key_fields)

    def _check_name(self, name: str) -> None:
        additional: dict[str, Store] = self.job_store.additional_stores  # type: ignore[has-type]
        stores = [self.job_store.docs_store, *additional.values()]
        taken = {getattr(store, "collection_name", None) for store in stores}
        if name in taken or name in RESERVED - {"builds"}:
            raise StoreError(
                f"A kind of document cannot be called '{name}': a collection of other things has "
                "that name."
            )

    def _beside_outputs(self, name: str) -> Store:
        outputs = self.job_store.docs_store
        own = {"collection_name": name, "key": KEY, "last_updated_field": "last_updated"}
        if isinstance(outputs, JSONStore):
            raise StoreError(
                "A JSONStore loses infinite and undefined numbers, which documents contain: use "
                "vitrion.open_job_store(folder)."
            )
        described: dict[str, Any] = outputs.as_dict()
        if "collection_name" not in described:
            return _renamed(outputs, own)
        return cast("Store", type(outputs).from_dict(described | own))


def ensure_index(store: Store, path: str, *, unique: bool = False) -> bool:
    """Index a path of a store; a MontyStore has no indexes and is read without."""
    return isinstance(store, MontyStore) or store.ensure_index(path, unique)


def _renamed(outputs: Store, own: dict[str, str]) -> Store:
    """Return a store of another collection, for the MongoURIStore that maggma 0.77 cannot describe.

    Raises
    ------
    StoreError
        If the store has no collections.
    """
    if not isinstance(outputs, MongoStore):
        raise StoreError(f"A {type(outputs).__name__} cannot store collections of documents.")
    beside = object.__new__(type(outputs))
    vars(beside).update(vars(outputs) | own | {"_coll": None})  # not connected yet
    return beside
