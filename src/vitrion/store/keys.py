"""Values as byte strings that sort the way MongoDB sorts them.

One byte for the kind of value, in MongoDB's order of kinds, then the value itself so encoded that
comparing bytes compares values. A range of values of one kind is then a range of byte strings, and
an ordinary index answers it.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any

from bson import Binary, ObjectId

from vitrion.store.traversal import MISSING, is_text, values_at

NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOLEAN, DATE, OTHER = (
    bytes([rank]) for rank in range(2, 12)
)
ABSENT = b"\1"
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
        alone, so that their presence is indexed but not their value.

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
    if is_text(value):
        return STRING + value.encode()
    if isinstance(value, datetime):
        milliseconds = round((naive_utc(value) - _EPOCH).total_seconds() * 1000)
        return DATE + struct.pack(">Q", milliseconds + _SIGN)
    if isinstance(value, ObjectId):
        return OBJECT_ID + value.binary
    if isinstance(value, Binary) and value.subtype != 0:
        return OTHER
    if isinstance(value, bytes):
        return BINARY + value
    if isinstance(value, dict):
        return OBJECT
    return ARRAY if isinstance(value, (list, tuple)) else OTHER


def is_exact(value: Any) -> bool:
    """Return whether equal encodings imply equal values."""
    if isinstance(value, (int, float)):
        return not abs(value) >= _EXACT_INTEGER  # larger integers share a float; NaN is exact
    return encode(value)[:1] not in (NULL, OBJECT, ARRAY, OTHER)


def next_kind(key: bytes) -> bytes:
    """Return the smallest byte string above every value of the kind of an encoded value."""
    return bytes([key[0] + 1])


def keys_at(document: dict, path: str) -> set[bytes]:
    """Encode the values at a dotted path of a document.

    Returns
    -------
    set[bytes]
        A list gives a key for itself and one for each item. A place inside of a list where the
        path ends early gives ABSENT, which sorts before every value.
    """
    parts = path.split(".")
    values = list(values_at(document, parts))
    keys = {encode(value) for value in values if value is not MISSING}
    return keys | {ABSENT} if len(values) > 1 and MISSING in values else keys


_LEAST_EXACT, _GREATEST_EXACT = _number(-_EXACT_INTEGER), _number(_EXACT_INTEGER)
UNSORTABLE = (
    (b"", NULL),
    (NUMBER + b"\0", _LEAST_EXACT + b"\0"),
    (_GREATEST_EXACT, STRING),
    (OBJECT, OBJECT_ID),
    (OTHER, b"\xff"),
)
"""Half-open ranges of keys that do not determine the sort order of a value."""
