"""MongoDB's order of values of all types, as Python values that compare equally.

https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.int64 import Int64

from vitrion.store.traversal import MISSING, UNDEFINED, is_text

Rank = tuple[Any, ...]

NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOLEAN, DATE = range(2, 11)
_REGEX, _OTHER = 12, 13
NULL_RANK: Rank = (NULL,)
NAN_RANK: Rank = (NUMBER, 0)


def rank(value: Any) -> Rank:
    """Return a tuple that compares with others as MongoDB compares the values.

    Parameters
    ----------
    value
        Any BSON value; a missing value ranks as null.

    Returns
    -------
    Rank
        First the kind, then the content; equal for equal values, such as 300 and 300.0.
    """
    if value is None or value is MISSING:
        return NULL_RANK
    if is_text(value):
        return (STRING, value.encode())
    if isinstance(value, bool):
        return (BOOLEAN, value)
    if isinstance(value, (int, float)):
        return (NUMBER, 1, value) if value == value else NAN_RANK
    if isinstance(value, dict):
        fields = ((rank(item), name.encode()) for name, item in value.items())
        return (OBJECT, tuple((key[0], name, key) for key, name in fields))
    if isinstance(value, (list, tuple)):
        return (ARRAY, tuple(map(rank, value)))
    return _rare(value)


def _rare(value: Any) -> Rank:
    if value is UNDEFINED:
        return (NULL - 1,)
    if isinstance(value, datetime):
        return (DATE, value)
    if isinstance(value, ObjectId):
        return (OBJECT_ID, value.binary)
    if isinstance(value, bytes):
        return (BINARY, len(value), getattr(value, "subtype", 0), bytes(value))
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        return NAN_RANK if number.is_nan() else (NUMBER, 1, number)
    if isinstance(value, Regex):
        return (_REGEX, str(value.pattern), value.flags)
    return (_OTHER, type(value).__name__, repr(value))


TYPE_CODES = {
    "double": 1,
    "string": 2,
    "object": 3,
    "array": 4,
    "binData": 5,
    "undefined": 6,
    "objectId": 7,
    "bool": 8,
    "date": 9,
    "null": 10,
    "regex": 11,
    "dbPointer": 12,
    "javascript": 13,
    "symbol": 14,
    "javascriptWithScope": 15,
    "int": 16,
    "timestamp": 17,
    "long": 18,
    "decimal": 19,
    "minKey": -1,
    "maxKey": 127,
}
"""Numbers of MongoDB's types, by the names that ``$type`` takes."""
NUMBER_CODES = frozenset(TYPE_CODES[name] for name in ("double", "int", "long", "decimal"))


def type_code(value: Any) -> int | None:
    """Return the number of the type of a value as BSON gives it back; None if it is missing."""
    if value is MISSING:
        return None
    if value is None:
        return TYPE_CODES["null"]
    for kind, name in (
        (Code, "javascript"),
        (bool, "bool"),
        (Int64, "long"),
        (int, "int"),
        (float, "double"),
        (str, "string"),
        (dict, "object"),
        (list, "array"),
        (bytes, "binData"),
        (ObjectId, "objectId"),
        (datetime, "date"),
        (Decimal128, "decimal"),
        (Regex, "regex"),
        (Timestamp, "timestamp"),
        (MinKey, "minKey"),
        (MaxKey, "maxKey"),
    ):
        if isinstance(value, kind):
            return TYPE_CODES[name]
    return None
