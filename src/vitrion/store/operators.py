"""MongoDB's operators on one value, such as ``{"$gt": 3}``.

Each operator becomes a test when the filter is read, so an invalid operand raises an error even
without documents.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bson import Code, Decimal128, ObjectId, Regex

from vitrion.errors import StoreError
from vitrion.store.bson_order import (
    NAN_RANK,
    NULL_RANK,
    NUMBER_CODES,
    TYPE_CODES,
    rank,
    type_code,
)
from vitrion.store.regexes import compile_regex
from vitrion.store.traversal import MISSING, is_text

Test = Callable[[Any], bool]

_LETTERS = {2: "i", 8: "m", 16: "s", 64: "x"}  # the flags of re
_ORDERS = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_LONG = 2**63


def refuse(name: str, operand: Any, allowed: str) -> StoreError:
    """Return the error for an operand that MongoDB also rejects."""
    return StoreError(f"The operator {name} takes {allowed}, not {_short(operand)}.")


def _short(operand: Any) -> str:
    text = repr(operand)
    return text if len(text) < 80 else text[:77] + "..."


def equality(wanted: Any) -> Test:
    """Test for a value equal to another; null also matches missing values."""
    _check_comparable("$eq", wanted)
    key = rank(wanted)
    return lambda value: rank(value) == key


def ordered(name: str, wanted: Any) -> Test:
    """Test for a value of the same kind that is less or greater than another."""
    _check_comparable(name, wanted)
    key, compare = rank(wanted), _ORDERS[name]
    if key in (NULL_RANK, NAN_RANK):  # these are equal to themselves and in no order with others
        return (lambda value: rank(value) == key) if name.endswith("e") else _never

    def test(value: Any) -> bool:
        found = rank(value)
        return found[0] == key[0] and found != NAN_RANK and bool(compare(found, key))

    return test


def membership(name: str, wanted: Any) -> Test:
    """Test for a value that equals, or matches, any of a list."""
    if not isinstance(wanted, list):
        raise refuse(name, wanted, "a list")
    patterns, keys = [], set()
    for item in wanted:
        if isinstance(item, Regex):
            patterns.append(pattern_test(item, None))
        else:
            refuse_operators(name, item)
            _check_comparable(name, item)
            keys.add(rank(item))
    return lambda value: rank(value) in keys or any(test(value) for test in patterns)


def pattern_test(pattern: Any, options: Any) -> Test:
    """Test for a text in which a regular expression is found, or for that expression itself."""
    if not isinstance(pattern, (str, Regex)) or isinstance(getattr(pattern, "pattern", ""), bytes):
        raise refuse("$regex", pattern, "a text or a compiled pattern")
    if options is not None and not isinstance(options, str):
        raise refuse("$options", options, "letters")
    text, letters = pattern, options or ""
    if isinstance(pattern, Regex):
        text = pattern.pattern
        own = "".join(letter for bit, letter in _LETTERS.items() if pattern.flags & bit)
        if own and letters:
            raise StoreError("A filter takes $options or a pattern with flags, not both.")
        letters = letters or own
    compiled = compile_regex(str(text), letters)
    itself = (str(text), set(letters) - {"u"})

    def test(value: Any) -> bool:
        if is_text(value):
            return compiled.search(value) is not None
        if not isinstance(value, Regex):
            return False
        flags = {letter for bit, letter in _LETTERS.items() if value.flags & bit}
        return (value.pattern, flags) == itself

    return test


def modulo(wanted: Any) -> Test:
    """Test for a number with a remainder; fractions are cut off, as MongoDB does."""
    allowed = "a list of a divisor and a remainder"
    if not isinstance(wanted, list) or len(wanted) != 2:
        raise refuse("$mod", wanted, allowed)
    whole = [_whole(number) for number in wanted]
    divisor, remainder = whole
    if divisor is None or remainder is None or divisor == 0:
        raise refuse("$mod", wanted, f"{allowed}, both finite numbers and the divisor not 0")

    def test(value: Any) -> bool:
        number = _whole(value)
        return number is not None and _remainder(number, divisor) == remainder

    return test


def _remainder(number: int, divisor: int) -> int:
    left = abs(number) % abs(divisor)
    return -left if number < 0 else left  # the sign of the dividend, as in C


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal128)):
        return None
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    if not math.isfinite(number):
        return None
    whole = int(number)
    return whole if -_LONG <= whole < _LONG else None


def size(wanted: Any) -> Test:
    """Test for a list of the given length."""
    number = _whole(wanted)
    if number is None or number != wanted or number < 0:
        raise refuse("$size", wanted, "a whole number of zero or more")
    return lambda value: isinstance(value, list) and len(value) == number


def kind(wanted: Any) -> Test:
    """Test for the type of a value."""
    names = wanted if isinstance(wanted, list) else [wanted]
    codes: set[int] = set()
    for name in names:
        if name == "number":
            codes |= NUMBER_CODES
        elif isinstance(name, str) and name in TYPE_CODES:
            codes.add(TYPE_CODES[name])
        elif _whole(name) in TYPE_CODES.values() and _whole(name) == name:
            codes.add(int(name))
        else:
            raise refuse("$type", name, "the name or the number of a type")
    if not codes:
        raise refuse("$type", wanted, "at least one type")
    return lambda value: type_code(value) in codes


def exists(value: Any) -> bool:
    """Return whether a value exists."""
    return value is not MISSING


def is_true(operand: Any) -> bool:
    """Return whether MongoDB treats a value as true: all but null, false and zero."""
    if operand is None or isinstance(operand, (bool, int, float)):
        return bool(operand)
    return True


def refuse_operators(name: str, item: Any) -> None:
    """Reject an operator in place of a plain value.

    Raises
    ------
    StoreError
        If the item is a mapping that begins with an operator.
    """
    if isinstance(item, dict) and next(iter(item), "")[:1] == "$":
        raise refuse(name, item, "plain values")


def _check_comparable(name: str, value: Any) -> None:
    plain = (str, bool, int, float, dict, list, bytes, datetime, ObjectId, Decimal128)
    if value is None or (isinstance(value, plain) and not isinstance(value, Code)):
        return
    if isinstance(value, Regex):
        raise StoreError(f"The operator {name} does not take a pattern: use $regex or $in.")
    raise StoreError(f"The embedded store does not compare with a {type(value).__name__}.")


def _never(value: Any) -> bool:
    return False
