"""Values as byte strings that sort the way MongoDB sorts them.

One byte for the kind of value, in MongoDB's order of kinds, then the value itself so encoded that
comparing bytes compares values. A range of values of one kind is then a range of byte strings, and
an ordinary index answers it.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import bson
from bson import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOLEAN, DATE, OTHER = (
    bytes([rank]) for rank in range(2, 12)
)
_SIGN = 1 << 63
_EXACT_INTEGER = 1 << 53
_EPOCH = datetime(1970, 1, 1)


def naive_utc(value: datetime) -> datetime:
    """Return a time as BSON gives it back: in UTC, naive, in whole milliseconds."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _number(value: float) -> bytes:
    if math.isnan(value):
        return NUMBER  # sorts before every number and equals only itself
    bits = struct.unpack(">Q", struct.pack(">d", value + 0.0))[0]  # -0.0 becomes 0.0
    return NUMBER + struct.pack(">Q", bits ^ (_SIGN if bits < _SIGN else 2 * _SIGN - 1))


def encode(value: Any) -> bytes:
    """Encode one value.

    Parameters
    ----------
    value
        Anything a BSON document can hold. Containers and rare kinds are encoded by their kind
        alone, so that their presence can be indexed but not their value.

    Returns
    -------
    bytes
        The encoded value; comparing two gives the order MongoDB defines.
    """
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN + bytes([value])
    if isinstance(value, (int, float)):
        return _number(float(value))
    if isinstance(value, str):
        return STRING + value.encode()
    if isinstance(value, datetime):
        milliseconds = round((naive_utc(value) - _EPOCH).total_seconds() * 1000)
        return DATE + struct.pack(">Q", milliseconds + _SIGN)
    if isinstance(value, ObjectId):
        return OBJECT_ID + value.binary
    if isinstance(value, bytes):
        return BINARY + value
    if isinstance(value, dict):
        return OBJECT
    return ARRAY if isinstance(value, (list, tuple)) else OTHER


def is_exact(value: Any) -> bool:
    """Tell whether a value equals another exactly when the two encode alike."""
    if isinstance(value, (int, float)):
        return not abs(value) > _EXACT_INTEGER  # larger integers share a float; NaN is exact
    return encode(value)[:1] not in (NULL, OBJECT, ARRAY, OTHER)


def identity(value: Any) -> bytes:
    """Return what equal values share and others do not; 300 and 300.0 are equal."""
    return encode(value) if is_exact(value) else OTHER + bson.encode({"": value})


def next_kind(key: bytes) -> bytes:
    """Return the smallest byte string above every value of the kind of an encoded value."""
    return bytes([key[0] + 1])


def values_at(node: Any, path: list[str]) -> Iterator[Any]:
    """Yield what a dotted path reaches, through lists of documents as MongoDB does.

    Parameters
    ----------
    node
        A document, or a value inside one.
    path
        The parts of the path.

    Yields
    ------
    Any
        Each value found; nothing where the path leads nowhere.
    """
    if not path:
        yield node
    elif isinstance(node, dict):
        if path[0] in node:
            yield from values_at(node[path[0]], path[1:])
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, dict):
                yield from values_at(item, path)
        if path[0].isdigit() and int(path[0]) < len(node):
            yield from values_at(node[int(path[0])], path[1:])


def keys_at(document: dict, path: str) -> set[bytes]:
    """Encode what a dotted path reaches in a document; a list gives one key for each element."""
    keys: set[bytes] = set()
    for value in values_at(document, path.split(".")):
        keys.add(encode(value))
        if isinstance(value, list):
            keys.update(encode(item) for item in value)
    return keys


def sort_key(document: dict, path: str, descending: bool) -> bytes:
    """Return what a document is sorted by: its least value at the path, or its greatest."""
    keys = keys_at(document, path) - {ARRAY}
    if not keys:
        return b""  # a missing value sorts first
    return max(keys) if descending else min(keys)
