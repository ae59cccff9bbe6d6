"""Connections to database servers with a short timeout and one-sentence errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from maggma.core import StoreError as MaggmaStoreError
from pymongo.errors import PyMongoError

from vitrion.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import JobStore
    from maggma.core import Store

ANSWER_WITHIN_MS = 3000
_LIMITS = {"serverSelectionTimeoutMS": ANSWER_WITHIN_MS, "connectTimeoutMS": ANSWER_WITHIN_MS}


def with_timeouts(options: dict[str, Any] | None, uri: str | None = None) -> dict[str, Any]:
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


def is_connected(job_store: JobStore) -> bool:
    """Return whether the documents of a JobStore can be read without connecting it."""
    try:
        return job_store._collection is not None
    except (StoreError, MaggmaStoreError):
        return False


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
            if part is not None and hasattr(part, "mongoclient_kwargs"):
                options, uri = part.mongoclient_kwargs, getattr(part, "uri", None)
                part.mongoclient_kwargs = with_timeouts(options, uri)
    with reached("The store"):
        for store in additional.values():
            if hasattr(store, "s3_resource_kwargs"):
                _probe_s3(store)
        job_store.docs_store.connect()
        if hasattr(job_store.docs_store, "mongoclient_kwargs"):
            job_store.docs_store.query_one({}, [job_store.docs_store.key])
        job_store.connect()


def _probe_s3(store: Any) -> None:
    """Connect an S3Store once with short timeouts; boto3's defaults wait for many minutes.

    Raises
    ------
    StoreError
        If the server does not respond, or refuses the login or the bucket.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    seconds = ANSWER_WITHIN_MS / 1000
    config = Config(
        connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1}
    )
    given = store.s3_resource_kwargs
    store.s3_resource_kwargs = {**given, "config": config}
    try:
        store.connect()
        store.close()
    except (BotoCoreError, ClientError, RuntimeError) as error:
        raise StoreError(silence("The S3 store", error)) from error
    finally:
        store.s3_resource_kwargs = given


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
