"""Whether a document matches a MongoDB filter, read from the document itself.

What the indexes of the embedded store can say of a value, the same encoding says here, so that a
query means the same with an index and without. The rest is left to mongomock, which takes False
for 0 and True for 1, as Python does and MongoDB does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongomock_ng.filtering import filter_applies

from vitrion.store.keys import NULL, encode, is_exact, keys_at, next_kind


def matches(criteria: Mapping[str, Any], document: dict) -> bool:
    """Tell whether a document matches a filter."""
    return all(_applies(name, wanted, document) for name, wanted in criteria.items())


def _applies(name: str, wanted: Any, document: dict) -> bool:
    if name == "$and":
        return all(matches(part, document) for part in wanted)
    if name == "$or":
        return any(matches(part, document) for part in wanted)
    if name == "$nor":
        return not any(matches(part, document) for part in wanted)
    if name.startswith("$"):
        return filter_applies({name: wanted}, document)
    is_operators = isinstance(wanted, Mapping) and wanted and all(k[:1] == "$" for k in wanted)
    conditions = wanted if is_operators else {"$eq": wanted}
    keys = keys_at(document, name)
    for operator, operand in conditions.items():
        if operator == "$not" and isinstance(operand, Mapping):
            found = not _applies(name, operand, document)
        else:
            known = _holds(operator, operand, keys)
            found = filter_applies({name: wanted}, document) if known is None else known
        if not found:
            return False
    return True


def _holds(operator: str, operand: Any, keys: set[bytes]) -> bool | None:
    """Compare the encoded values at a path; None where the encoding does not tell."""
    if operator == "$exists":
        return bool(keys and max(keys) >= NULL) == bool(operand)
    if operator in ("$in", "$nin"):
        if not isinstance(operand, list) or not all(map(is_exact, operand)):
            return None
        return keys.isdisjoint(map(encode, operand)) == (operator == "$nin")
    if not is_exact(operand):
        return None
    key = encode(operand)
    if operator in ("$eq", "$ne"):
        return (key in keys) == (operator == "$eq")
    if operand != operand:  # only equality means anything for NaN
        return None
    is_number = len(key) > 1 and key[:1] == encode(0)[:1]
    floor = key[:1] + b"\0" if is_number else key[:1]  # NaN is not below a number
    if operator == "$gt":
        return any(key < found < next_kind(key) for found in keys)
    if operator == "$gte":
        return any(key <= found < next_kind(key) for found in keys)
    if operator == "$lt":
        return any(floor <= found < key for found in keys)
    if operator == "$lte":
        return any(floor <= found <= key for found in keys)
    return None
