"""Connections to database servers with a short timeout and one-sentence errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from vitrion.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import JobStore
    from maggma.core import Store

ANSWER_WITHIN_MS = 3000
_LIMITS = {"serverSelectionTimeoutMS": ANSWER_WITHIN_MS, "connectTimeoutMS": ANSWER_WITHIN_MS}


def limited(options: dict[str, Any] | None, uri: str | None = None) -> dict[str, Any]:
    """Return options of a MongoClient with a default timeout."""
    given = {name.lower() for name in options or {}}
    return {
        **{
            name: value
            for name, value in _LIMITS.items()
            if name.lower() not in given and name.lower() not in (uri or "").lower()
        },
        **(options or {}),
    }


def connect(job_store: JobStore) -> None:
    """Connect a JobStore, and check that its servers respond.

    Raises
    ------
    StoreError
        If a server does not respond. The message omits the address, which may contain a login.
    """
    additional: dict[str, Store] = job_store.additional_stores  # type: ignore[has-type]
    for store in (job_store.docs_store, *additional.values()):
        for part in (store, getattr(store, "index", None)):
            if hasattr(part, "mongoclient_kwargs"):
                options, uri = part.mongoclient_kwargs, getattr(part, "uri", None)
                part.mongoclient_kwargs = limited(options, uri)
    with reached("The store"):
        job_store.docs_store.connect()
        if hasattr(job_store.docs_store, "mongoclient_kwargs"):
            job_store.docs_store.query_one({}, [job_store.docs_store.key])
        job_store.connect()


@contextmanager
def reached(what: str) -> Iterator[None]:
    """Convert errors of an unavailable server to one sentence.

    Raises
    ------
    StoreError
        If the server does not respond.
    """
    try:
        yield
    except PyMongoError as error:
        raise StoreError(silence(what, error)) from error


def silence(what: str, error: Exception) -> str:
    """Return the message for an unavailable server."""
    return (
        f"{what} does not answer ({type(error).__name__}): check host, login and that the server "
        "runs."
    )
