"""Query client for documents, similar to mp-api's."""

from __future__ import annotations

import difflib
from contextlib import suppress
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar, cast, overload

from maggma.stores import MemoryStore
from pydantic import BaseModel, ValidationError, create_model

from vitrion.database.builders import build_if_changed
from vitrion.database.collections import KEY, Collections, find_job_store
from vitrion.database.dotted_path import follow, projected
from vitrion.database.field_paths import has_path
from vitrion.database.file_archive import fetch_file
from vitrion.database.query import build_criteria, build_sort, filter_paths
from vitrion.documents.base import VitrionDoc
from vitrion.documents.stored_form import is_reference
from vitrion.errors import DiskFullError, InputError, StoreError
from vitrion.runtime.notebook_display import NotebookTable
from vitrion.store.job_store import FILES_STORE
from vitrion.store.sqlite_store import SQLiteStore

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from jobflow import JobStore
    from maggma.core import Store

    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.database.summary import SummaryDoc
    from vitrion.defects.document import DefectDoc
    from vitrion.distill.document import PotentialDoc
    from vitrion.dynamics.document import MDDoc
    from vitrion.landscape.document import SiteEnergyLandscapeDoc
    from vitrion.polymorphs.document import PolymorphDoc

DocT = TypeVar("DocT", bound="VitrionDoc")
_BOOKKEEPING = {"_id", "job", "built_from", "@module", "@class", "@version"}


class VitrionClient(NotebookTable):
    """Search the documents of a store.

    The store is opened and its collections are updated on first use, and closed at the end of a
    ``with`` block or by :meth:`close`. A JobStore that was connected before stays connected.

    Each kind of document is an attribute, by its ``property_name``::

        with VitrionClient("vitrion_data") as client:
            found = client.conductivity.search(
                chemsys="Li-P-O-F",
                phase="amorphous",
                sigma_300K_min=0.1,
                fields=["formula_pretty", "sigma_300K"],
                sort="-sigma_300K",
            )

    Parameters
    ----------
    store
        A JobStore, the folder of an embedded store, or a ``jobflow.yaml``; None for the folder in
        the settings.
    build
        Update the material collections first. None updates embedded and in-memory stores only; on
        a server run ``vitrion build``, because reading should not write there.

    Raises
    ------
    StoreError
        If the store does not exist.
    """

    amorphous: PropertyClient[AmorphousDoc]
    conductivity: PropertyClient[ConductivityDoc]
    defects: PropertyClient[DefectDoc]
    molecular_dynamics: PropertyClient[MDDoc]
    polymorphs: PropertyClient[PolymorphDoc]
    potential: PropertyClient[PotentialDoc]
    site_energy_landscape: PropertyClient[SiteEnergyLandscapeDoc]
    summary: PropertyClient[SummaryDoc]

    def __init__(
        self, store: JobStore | str | os.PathLike[str] | None = None, *, build: bool | None = None
    ) -> None:
        job_store = find_job_store(store)
        self.collections = Collections(job_store)
        is_local = isinstance(job_store.docs_store, (SQLiteStore, MemoryStore))
        self._build = is_local if build is None else build
        self._is_open = False

    @classmethod
    def over(cls, collections: Collections) -> Self:
        """Return a client of open collections, which it does not close."""
        client = cls(collections.job_store, build=False)
        client.collections = collections
        client._is_open = True
        return client

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, unless it was open before; another search opens it again."""
        self.collections.close()
        self._is_open = False

    def _open(self) -> None:
        if self._is_open:
            return
        self.collections.__enter__()
        if self._build and not self.collections.is_read_only:
            with suppress(DiskFullError):  # what was built before can be read
                build_if_changed(self.collections)
        self._is_open = True

    def fetch(self, reference: Any, folder: str | os.PathLike[str] = "vitrion_files") -> Path:
        """Return the local path of a file that a document refers to, fetched if needed.

        Parameters
        ----------
        reference
            File reference, such as ``document.trajectory``.
        folder
            Folder for fetched files.

        Raises
        ------
        StoreError
            If the file is unavailable, or its content does not match the reference.
        """
        self._open()
        stores: dict[str, Store] = self.collections.job_store.additional_stores  # type: ignore[has-type]
        return fetch_file(reference, stores.get(FILES_STORE), folder)

    @property
    def properties(self) -> list[str]:
        """The searchable kinds of documents."""
        return sorted(self.collections.classes)

    def __getitem__(self, name: str) -> PropertyClient:
        """Return the search of one kind of document."""
        if name not in self.collections.classes:
            hint = difflib.get_close_matches(name, self.properties, n=1)
            known = (
                f"did you mean '{hint[0]}'?" if hint else f"known: {', '.join(self.properties)}."
            )
            raise InputError(f"Unknown kind of document '{name}'; {known}")
        self._open()
        return PropertyClient(self.collections, name)

    def __getattr__(self, name: str) -> PropertyClient:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except InputError as error:
            raise AttributeError(str(error)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.properties]


class PropertyClient(NotebookTable, Generic[DocT]):
    """Search one kind of document; an attribute of :class:`VitrionClient`.

    Attributes
    ----------
    name : str
        The kind.
    key_fields : dict of str to str
        Paths of the quantities by their public names.
    document_class : type
        Class of the documents.
    store : Store
        The collection.
    """

    def __init__(self, collections: Collections, name: str) -> None:
        self.name = name
        self.key_fields = collections.key_fields(name)
        self.document_class: type[DocT] = collections.classes[name]  # type: ignore[assignment]
        self._collections = collections
        self.store = collections.store(name)

    @overload
    def search(
        self,
        *,
        fields: None = None,
        sort: str | Sequence[str] | None = None,
        skip: int = 0,
        limit: int = 0,
        **filters: Any,
    ) -> list[DocT]: ...

    @overload
    def search(
        self,
        *,
        fields: str | Sequence[str],
        sort: str | Sequence[str] | None = None,
        skip: int = 0,
        limit: int = 0,
        **filters: Any,
    ) -> list[Any]: ...

    def search(
        self,
        *,
        fields: str | Sequence[str] | None = None,
        sort: str | Sequence[str] | None = None,
        skip: int = 0,
        limit: int = 0,
        **filters: Any,
    ) -> list[Any]:
        """Return the documents that match all filters.

        Parameters
        ----------
        fields
            One or several names of requested fields, or public names of quantities; see
            `available_fields`. The documents then have only these, and other large fields are not
            read. None returns complete documents.
        sort
            Field or quantity to sort by, or several; a leading ``-`` for descending order.
        skip
            Number of documents to skip.
        limit
            Maximum number of documents; 0 for all.
        **filters
            See :func:`vitrion.database.query.build_criteria`.

        Returns
        -------
        list
            Documents of the class of this kind, or models with the requested fields; both with
            their ``document_id``.

        Raises
        ------
        InputError
            If a field or filter is unknown.
        StoreError
            If a stored document does not match its class.
        """
        fields = _names(fields)
        model = self.document_class if fields is None else self._part(tuple(fields))
        found = self.raw(fields=fields, sort=sort, skip=skip, limit=limit, **filters)
        return [self._validated(model, document) for document in found]

    def raw(
        self,
        *,
        fields: str | Sequence[str] | None = None,
        sort: str | Sequence[str] | None = None,
        skip: int = 0,
        limit: int = 0,
        resolve: bool = True,
        **filters: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield documents as dictionaries with their ``document_id``; see :meth:`search`.

        Parameters
        ----------
        fields, sort, skip, limit, **filters
            See :meth:`search`; a field may also be a dotted path.
        resolve
            Whether to fetch large objects; otherwise references are returned.

        Yields
        ------
        dict
            The documents.

        Raises
        ------
        StoreError
            After all other documents, if a document or a large object is damaged or missing.
        """
        fields = _names(fields)
        for name, number in (("skip", skip), ("limit", limit)):
            if not isinstance(number, Integral) or number < 0:
                raise InputError(f"{name} must be zero or more, a whole number, not {number!r}.")
        if fields is not None:
            self.check_fields([field for field in fields if field != KEY])
        criteria = self._criteria(filters)
        order = cast("dict", build_sort(sort, self.key_fields, self.name))
        paths = {name: self.path(name) for name in fields or ()}
        wanted = None if fields is None else projected([KEY, *paths.values()])
        failed: list[StoreError] = []
        page = {"skip": int(skip), "limit": int(limit)}  # also numpy's numbers
        for document in self.store.query(criteria, wanted, order or None, **page):
            kept = {name: value for name, value in document.items() if name not in _BOOKKEEPING}
            named = _by_public_names(kept, paths)
            try:
                yield self._resolved(named, document[KEY]) if resolve else named
            except StoreError as error:
                failed.append(error)
        if failed:  # reported last, after all readable documents
            raise failed[0]

    @property
    def available_fields(self) -> list[str]:
        """Names for `fields`: the fields of the documents, and the public names of quantities."""
        return [*self.document_class.model_fields, *self.key_fields]

    def count(self, **filters: Any) -> int:
        """Return the number of documents that match all filters."""
        return self.store.count(self._criteria(filters))

    def _criteria(self, filters: dict[str, Any]) -> dict[str, Any]:
        return build_criteria(filters, self.key_fields, self.name)

    def get(self, document_id: str) -> DocT:
        """Return one document by its identifier.

        Raises
        ------
        InputError
            If there is none.
        """
        found = self.search(document_id=document_id, deprecated=None, limit=1)
        if not found:
            raise InputError(f"The store has no {self.name} document '{document_id}'.")
        return found[0]

    def path(self, name: str) -> str:
        """Return the path of a field, or of the public name of a filter or a quantity."""
        if name.split(".")[0] in self.document_class.model_fields:
            return name
        return {**filter_paths(self.name), **self.key_fields}.get(name, name)

    def check_fields(self, names: Sequence[str]) -> None:
        """Refuse unknown names of fields, filters and quantities; a field may be a dotted path.

        Raises
        ------
        InputError
            If there is one.
        """
        public = [*filter_paths(self.name), *self.key_fields]
        for name in names:
            if name not in public and not has_path(self.document_class, name):
                known = [*self.document_class.model_fields, *public]
                hint = difflib.get_close_matches(name, known, n=1)
                tail = f"; did you mean '{hint[0]}'?" if hint else "."
                raise InputError(f"A {self.name} document has no field '{name}'{tail}")
            if "$" in name:
                raise InputError("The name of a field must not contain '$'.")

    def _part(self, names: tuple[str, ...]) -> type[BaseModel]:
        self.check_fields([name for name in names if name != KEY])
        for name in names:
            if "." in name:
                raise InputError(f"search() takes no dotted path: use raw() for '{name}'.")
        return _partial_model(self.document_class, names)

    def _validated(self, model: type[BaseModel], document: dict[str, Any]) -> BaseModel:
        try:
            found = model.model_validate(document)
        except ValidationError as error:
            raise StoreError(
                f"The {self.name} document {document[KEY]} does not match this version of vitrion "
                f"({error.errors()[0]['msg']}): rebuild the collections."
            ) from error
        if isinstance(found, VitrionDoc):
            found.document_id = document[KEY]
        return found

    def _resolved(self, node: Any, document_id: str) -> Any:
        """Return a document, or a part of it, with references replaced by large objects."""
        if is_reference(node):
            return self._large_object(node, document_id)

        def resolved(part: Any) -> Any:
            return self._resolved(part, document_id) if isinstance(part, (dict, list)) else part

        if isinstance(node, dict):
            return {name: resolved(part) for name, part in node.items()}
        return [resolved(part) for part in node]

    def _large_object(self, reference: dict[str, str], document_id: str) -> Any:
        stores: dict[str, Store] = self._collections.job_store.additional_stores  # type: ignore[has-type]
        store = stores.get(reference["store"])
        found = store.query_one({"blob_uuid": reference["blob_uuid"]}) if store else None
        if found is None:
            raise StoreError(
                f"A large object of the {self.name} document {document_id} is not in the store "
                f"'{reference['store']}': open the JobStore of the jobs."
            )
        return found["data"]


def _names(fields: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the names of fields, which may be separated by commas in a text."""
    if isinstance(fields, str):
        return [name.strip() for name in fields.split(",") if name.strip()]
    return fields


def _by_public_names(document: dict[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return a document with quantities under their public names instead of their paths."""
    public = {name: path for name, path in paths.items() if name != path}
    fields = {path.split(".")[0] for name, path in paths.items() if name == path}
    holders = {path.split(".")[0] for path in public.values()} - fields
    kept = {name: value for name, value in document.items() if name not in holders}
    return kept | {name: follow(document, path) for name, path in public.items()}


@lru_cache(maxsize=256)
def _partial_model(cls: type[VitrionDoc], names: tuple[str, ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {KEY: (str, ...)}
    for name in names:
        if name not in cls.model_fields:
            fields.setdefault(name, (Any, None))  # a quantity by its public name
        else:
            annotation = cls.model_fields[name].rebuild_annotation()
            fields[name] = (Optional[annotation], None)  # noqa: UP045 - "|" needs a known type
    return create_model(f"Partial{cls.__name__}", __config__=cls.model_config, **fields)
