"""Translate a MongoDB filter to SQL over the index entries of the embedded store.

Conditions without an SQL equivalent are omitted, so the SQL may select too many documents. The
result is then marked as inexact, and the store applies the whole filter to each document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.errors import BSONError

from vitrion.errors import StoreError
from vitrion.store.keys import NULL, encode, is_exact, next_kind
from vitrion.store.matching import has_operators
from vitrion.store.operators import is_true

MAX_BYTES = 16 * 2**20
"""Maximum size of a document and of a filter in MongoDB."""
MAX_LEVELS = 100
"""Maximum number of nested levels of a filter in MongoDB."""
_MANY = 30_000  # below SQLite's limit on the number of parameters
_UNITED = 100  # below SQLite's limit on the terms of a UNION


@dataclass(frozen=True)
class Part:
    """A condition on documents in SQL.

    Attributes
    ----------
    test
        A boolean expression over the column ``d.id``.
    source
        A SELECT statement of the ``id`` of all documents that may pass; empty where only a test is
        possible. It takes the same parameters.
    parameters
        Values for the question marks.
    is_exact_source
        Whether all documents of the source pass.
    """

    test: str
    source: str
    parameters: tuple[Any, ...]
    is_exact_source: bool = True


@dataclass(frozen=True)
class Clause:
    """Several conditions, which all hold.

    Attributes
    ----------
    parts
        The conditions; empty where every document may match.
    exact
        Whether they select the matching documents and no others.
    """

    parts: tuple[Part, ...] = ()
    exact: bool = True


_UNKNOWN = Clause(exact=False)


def normalize(criteria: Any) -> dict[str, Any]:
    """Return a filter as a MongoDB server would receive it: plain values, times in UTC.

    Raises
    ------
    StoreError
        If BSON cannot represent it, or it has more than 16 MB or more than 100 levels.
    """
    if not isinstance(criteria, Mapping):
        raise StoreError(f"A filter is a mapping, not a {type(criteria).__name__}.")
    try:
        body = bson.encode(criteria)
    except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(f"A filter holds what MongoDB cannot compare ({error}).") from error
    if len(body) > MAX_BYTES:
        raise StoreError("A filter has more than 16 MB: split the query.")
    plain = bson.decode(body)
    if is_deeper(plain, MAX_LEVELS):
        raise StoreError(f"A filter is nested in more than {MAX_LEVELS} levels.")
    return plain


def is_deeper(content: dict | list, most: int) -> bool:
    """Return whether content is nested in more than so many levels, the outermost included."""
    level: list[dict | list] = [content]
    for _ in range(most):
        level = [part for whole in level for part in _parts(whole) if type(part) in (dict, list)]
        if not level:
            return False
    return True


def _parts(whole: dict | list) -> Iterable[Any]:
    return whole.values() if isinstance(whole, dict) else whole


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
    return _all(clauses)


def joined(tests: list[str], word: str) -> str:
    """Join SQL expressions by AND or OR, in halves.

    A chain of many is too deep for SQLite, which takes an expression of 1000 levels.
    """
    if len(tests) < 3:
        return f" {word} ".join(tests)
    middle = len(tests) // 2
    return f"({joined(tests[:middle], word)}) {word} ({joined(tests[middle:], word)})"


def _all(clauses: list[Clause]) -> Clause:
    parts = tuple(part for clause in clauses for part in clause.parts)
    if sum(len(part.parameters) for part in parts) > _MANY:
        return _UNKNOWN
    return Clause(parts, all(clause.exact for clause in clauses))


def _any(clauses: list[Clause]) -> Clause:
    # A branch without SQL may match any document, and so may the whole alternative.
    if not clauses or not all(clause.parts for clause in clauses):
        return _UNKNOWN
    whole = _all(clauses)
    if not whole.parts:
        return _UNKNOWN
    branches = [joined([part.test for part in clause.parts], "AND") for clause in clauses]
    is_simple = len(whole.parts) == len(clauses) <= _UNITED
    sources = [part.source for part in whole.parts]
    united = Part(
        f"({joined([f'({branch})' for branch in branches], 'OR')})",
        " UNION ".join(sources) if is_simple and all(sources) else "",
        tuple(value for part in whole.parts for value in part.parameters),
        all(part.is_exact_source for part in whole.parts),
    )
    return Clause((united,), whole.exact)


def _entries(number: int, condition: str, values: list[bytes], *, absent: bool = False) -> Clause:
    # "+" makes SQLite look up the few entries of the document, not the many of the key.
    found = f"SELECT 1 FROM entries WHERE doc = d.id AND field = ? AND {condition}"
    test = f"EXISTS ({found.replace('key', '+key')})"
    source = f"SELECT DISTINCT doc AS id FROM entries WHERE field = ? AND {condition}"
    parameters = (number, *values)
    return Clause((Part(f"NOT {test}" if absent else test, "" if absent else source, parameters),))


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
        return _all([_compare(number, "$eq", value) for value in operand])
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
