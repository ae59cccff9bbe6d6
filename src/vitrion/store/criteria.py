"""Translate a MongoDB filter to SQL over the index entries of the embedded store.

Conditions without an SQL equivalent are omitted, so the SQL may select too many documents. The
result is then marked as inexact, and the store applies the whole filter to each document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.errors import BSONError

from vitrion.errors import StoreError
from vitrion.store.keys import NULL, encode, is_exact, next_kind
from vitrion.store.matching import has_operators
from vitrion.store.operators import is_true

MAX_BYTES = 16 * 2**20
"""Maximum size of a document and of a filter in MongoDB."""
_ENTRIES = "id {membership} (SELECT doc FROM entries WHERE field = ? AND {condition})"
_MANY = 30_000  # below SQLite's limit on the number of parameters


@dataclass
class Clause:
    """A condition on documents in SQL.

    Attributes
    ----------
    sql
        A boolean expression over the column ``id``; empty where every document may match.
    parameters
        Values for its question marks.
    exact
        Whether it selects the matching documents and no others.
    """

    sql: str = ""
    parameters: list[Any] = field(default_factory=list)
    exact: bool = True


_UNKNOWN = Clause(exact=False)


def normalize(criteria: Any) -> dict[str, Any]:
    """Return a filter as a MongoDB server would receive it: plain values, times in UTC.

    Raises
    ------
    StoreError
        If BSON cannot represent it, or it has more than 16 MB.
    """
    if not isinstance(criteria, Mapping):
        raise StoreError(f"A filter is a mapping, not a {type(criteria).__name__}.")
    try:
        body = bson.encode(criteria)
    except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(f"A filter holds what MongoDB cannot compare ({error}).") from error
    if len(body) > MAX_BYTES:
        raise StoreError("A filter has more than 16 MB: split the query.")
    return bson.decode(body)


def translate(criteria: Mapping[str, Any], fields: Mapping[str, int]) -> Clause:
    """Translate a filter.

    Parameters
    ----------
    criteria
        A filter as :func:`normalize` returns it.
    fields
        Number of each indexed path.

    Returns
    -------
    Clause
        Selects at least the documents that match.
    """
    clauses = []
    for name, wanted in criteria.items():
        if name == "$and":
            clauses += [translate(part, fields) for part in wanted]
        elif name == "$or":
            clauses.append(_any([translate(part, fields) for part in wanted]))
        elif name == "$comment":
            continue
        elif name.startswith("$") or name not in fields:
            clauses.append(_UNKNOWN)
        elif has_operators(wanted):
            clauses += [_compare(fields[name], operator, wanted[operator]) for operator in wanted]
        else:
            clauses.append(_compare(fields[name], "$eq", wanted))
    return _join(clauses, " AND ")


def _join(clauses: list[Clause], word: str) -> Clause:
    translated = [clause for clause in clauses if clause.sql]
    parameters = [value for clause in translated for value in clause.parameters]
    if len(parameters) > _MANY:
        return _UNKNOWN
    sql = _in_halves([f"({clause.sql})" for clause in translated], word)
    return Clause(sql, parameters, all(clause.exact for clause in clauses))


def _in_halves(parts: list[str], word: str) -> str:
    # A chain of many is too deep for SQLite, which takes an expression of 1000 levels.
    if len(parts) < 3:
        return word.join(parts)
    middle = len(parts) // 2
    return f"({_in_halves(parts[:middle], word)}){word}({_in_halves(parts[middle:], word)})"


def _any(clauses: list[Clause]) -> Clause:
    # A branch without SQL may match any document, and so may the whole alternative.
    if not clauses or any(not clause.sql for clause in clauses):
        return _UNKNOWN
    return _join(clauses, " OR ")


def _entries(number: int, condition: str, values: list[bytes], *, absent: bool = False) -> Clause:
    membership = "NOT IN" if absent else "IN"
    sql = _ENTRIES.format(membership=membership, condition=condition)
    return Clause(sql, [number, *values])


def _compare(number: int, operator: str, operand: Any) -> Clause:
    if operator == "$exists":
        return _entries(number, "key >= ?", [NULL], absent=not is_true(operand))
    if operator in ("$in", "$nin"):
        if not isinstance(operand, list) or len(operand) > _MANY or not all(map(is_exact, operand)):
            return _UNKNOWN
        marks = ", ".join("?" * len(operand))
        keys = [encode(value) for value in operand]
        return _entries(number, f"key IN ({marks})", keys, absent=operator == "$nin")
    if operator == "$all" and isinstance(operand, list) and operand:
        return _join([_compare(number, "$eq", value) for value in operand], " AND ")
    if not is_exact(operand):
        return _UNKNOWN
    key = encode(operand)
    if operator in ("$eq", "$ne"):
        return _entries(number, "key = ?", [key], absent=operator == "$ne")
    if operand != operand or isinstance(operand, bytes):  # keys do not order these
        return _UNKNOWN
    if operator in ("$gt", "$gte"):
        sign = ">" if operator == "$gt" else ">="
        return _entries(number, f"key {sign} ? AND key < ?", [key, next_kind(key)])
    if operator in ("$lt", "$lte"):
        sign = "<" if operator == "$lt" else "<="
        floor = ">" if isinstance(operand, (int, float)) else ">="  # NaN is not below a number
        return _entries(number, f"key {floor} ? AND key {sign} ?", [key[:1], key])
    return _UNKNOWN
