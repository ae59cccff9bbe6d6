"""The embedded jobflow store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jobflow import JobStore

from vitrion.store.sqlite_store import SQLiteStore

if TYPE_CHECKING:
    from maggma.core import Store

FILE_NAME = "vitrion.sqlite"
FILES_STORE = "files"
"""Name of the additional store for files."""
OUTPUT_INDEXES = (
    "index",
    "name",
    "completed_at",
    "output.property_name",
    "output.material_id",
    "output.formula_pretty",
    "output.chemsys",
    "output.phase",
)


class SQLiteJobStore(JobStore):
    """A jobflow store in a folder of this machine, with no server.

    A document and its large objects are written in one transaction, so a kill cannot leave a
    dangling reference. In a ``jobflow.yaml``::

        JOB_STORE:
          "@module": vitrion.store.job_store
          "@class": SQLiteJobStore
          path: /data/vitrion

    Parameters
    ----------
    path
        The folder; ``~`` is expanded.
    additional_stores
        Stores for large objects, by name; None keeps those named ``data``, and the files of
        ``vitrion archive``, in the same SQLite file.
    save, load
        As in jobflow's ``JobStore``.
    """

    def __init__(
        self,
        path: str,
        additional_stores: dict[str, Store] | None = None,
        save: Any = None,
        load: Any = False,
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        file = os.path.join(self.path, FILE_NAME)
        if additional_stores is None:
            additional_stores = {
                "data": SQLiteStore(file, "blobs", key="blob_uuid", large_documents=True),
                FILES_STORE: SQLiteStore(file, "files", key="blob_uuid", large_documents=True),
            }
        self.outputs = SQLiteStore(file, "outputs", key="uuid")
        super().__init__(self.outputs, additional_stores, save, load)

    def connect(self, force_reset: bool = False) -> None:
        """Open the stores and create the indexes of common queries."""
        super().connect(force_reset=force_reset)
        for field in OUTPUT_INDEXES:
            self.outputs.ensure_index(field)
        for store in self.additional_stores.values():  # type: ignore[has-type]
            store.ensure_index("job_uuid")

    def update(self, docs: Any, key: Any = None, save: Any = None) -> None:
        """Store documents and their large objects in one transaction."""
        with self.outputs.file.transaction():
            super().update(docs, key=key, save=save)

    def remove_docs(self, criteria: dict) -> None:
        """Remove documents and their large objects in one transaction."""
        with self.outputs.file.transaction():
            super().remove_docs(criteria)


def open_job_store(path: str | os.PathLike[str]) -> SQLiteJobStore:
    """Open the embedded JobStore in a folder, created if needed.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    JobStore
        Connected, with the indexes that queries use.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    store = SQLiteJobStore(os.fspath(path))
    store.connect()
    return store
