"""Match documents against a MongoDB filter.

https://www.mongodb.com/docs/manual/reference/operator/query/ defines each operator. Operators
without an implementation here raise an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import Regex

from vitrion.errors import StoreError
from vitrion.store import operators
from vitrion.store.operators import Test, refuse
from vitrion.store.traversal import reach, values_at

Matcher = Callable[[dict], bool]

_RUN_CODE = {"$where", "$function", "$accumulator"}
_JOINED: dict[str, Callable[[Any], bool]] = {
    "$and": all,
    "$or": any,
    "$nor": lambda found: not any(found),
}


def compile_filter(criteria: Mapping[str, Any]) -> Matcher:
    """Read a filter.

    Parameters
    ----------
    criteria
        A filter as :func:`vitrion.store.criteria.normalize` returns it.

    Returns
    -------
    Matcher
        Returns whether a document matches.

    Raises
    ------
    StoreError
        If MongoDB rejects the filter, or it has an operator that is not supported.
    """
    parts = [_clause(name, wanted) for name, wanted in criteria.items() if name != "$comment"]
    return lambda document: all(part(document) for part in parts)


def _clause(name: str, wanted: Any) -> Matcher:
    if name in _JOINED:
        if (
            not isinstance(wanted, list)
            or not wanted
            or not all(isinstance(w, dict) for w in wanted)
        ):
            raise refuse(name, wanted, "a list of one filter or more")
        parts = [compile_filter(part) for part in wanted]
        joined = _JOINED[name]
        return lambda document: joined(part(document) for part in parts)
    if name.startswith("$"):
        raise _unknown(name)
    path = name.split(".")
    if path[0] == "_id":
        raise StoreError("The documents of the embedded store have no _id: use another field.")
    condition = _condition(wanted)
    return lambda document: condition.holds(document, path)


@dataclass(frozen=True)
class _Condition:
    """A test of the values at a path.

    Attributes
    ----------
    test
        Returns whether one value passes; one passing value is sufficient.
    items
        Whether the items of a list are tested too.
    negated
        Whether none may pass.
    """

    test: Test
    items: bool = True
    negated: bool = False

    def holds(self, document: dict, path: list[str]) -> bool:
        """Return whether the values of a document pass."""
        if self.items:
            return any(map(self.test, values_at(document, path))) != self.negated
        return any(self.test(value) for value, _ in reach(document, path)) != self.negated

    def holds_for(self, value: Any) -> bool:
        """Return whether one value passes, without its items."""
        return bool(self.test(value)) != self.negated


@dataclass(frozen=True)
class _Every:
    """Several conditions on the same path, or the opposite of all of them together."""

    conditions: tuple[_Condition | _Every, ...]
    negated: bool = False

    def holds(self, document: dict, path: list[str]) -> bool:
        """Return whether the values of a document pass."""
        return all(part.holds(document, path) for part in self.conditions) != self.negated

    def holds_for(self, value: Any) -> bool:
        """Return whether one value passes."""
        return all(part.holds_for(value) for part in self.conditions) != self.negated


def _condition(wanted: Any) -> _Condition | _Every:
    if isinstance(wanted, Regex):
        return _Condition(operators.pattern_test(wanted, None))
    if not has_operators(wanted):
        return _Condition(operators.equality(wanted))
    return _every(wanted)


def has_operators(wanted: Any) -> bool:
    """Return whether a mapping consists of operators; otherwise it is a value to compare.

    Raises
    ------
    StoreError
        If it mixes operators and fields.
    """
    if not isinstance(wanted, Mapping) or not wanted:
        return False
    marked = [name[:1] == "$" for name in wanted]
    if any(marked) and not all(marked):
        raise StoreError(f"A filter mixes operators and fields: {', '.join(wanted)}.")
    return all(marked)


def _every(conditions: Mapping[str, Any], *, negated: bool = False) -> _Every:
    if "$options" in conditions and "$regex" not in conditions:
        raise StoreError("The operator $options needs a $regex.")
    options = conditions.get("$options")
    parts = [
        _operator(name, operand, options)
        for name, operand in conditions.items()
        if name != "$options"
    ]
    return _Every(tuple(parts), negated)


def _operator(name: str, operand: Any, options: Any) -> _Condition | _Every:
    match name:
        case "$eq" | "$ne":
            return _Condition(operators.equality(operand), negated=name == "$ne")
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _Condition(operators.ordered(name, operand))
        case "$in" | "$nin":
            return _Condition(operators.membership(name, operand), negated=name == "$nin")
        case "$regex":
            return _Condition(operators.pattern_test(operand, options))
        case "$mod":
            return _Condition(operators.modulo(operand))
        case "$type":
            return _Condition(operators.kind(operand))
        case "$exists":
            return _Condition(operators.exists, negated=not operators.is_true(operand))
        case "$size":
            return _Condition(operators.size(operand), items=False)
        case "$elemMatch":
            return _Condition(_element_test(operand), items=False)
        case "$all":
            return _all(operand)
        case "$not":
            return _not(operand)
    raise _unknown(name)


def _not(operand: Any) -> _Every:
    if isinstance(operand, Regex):
        return _Every((_condition(operand),), negated=True)
    if not has_operators(operand):
        raise refuse("$not", operand, "operators or a pattern")
    return _every(operand, negated=True)


def _all(operand: Any) -> _Every | _Condition:
    if not isinstance(operand, list):
        raise refuse("$all", operand, "a list")
    if not operand:
        return _Condition(lambda value: False)  # MongoDB: nothing has all of nothing
    is_nested = [isinstance(item, dict) and "$elemMatch" in item for item in operand]
    if any(is_nested):
        if not all(is_nested) or any(len(item) > 1 for item in operand):
            raise refuse("$all", operand, "values, or $elemMatch alone in each item")
        return _Every(tuple(_every(item) for item in operand))
    for item in operand:
        operators.refuse_operators("$all", item)
    return _Every(tuple(_condition(item) for item in operand))


def _element_test(operand: Any) -> Test:
    """Test a list for one item that meets all conditions at once."""
    if not isinstance(operand, Mapping):
        raise refuse("$elemMatch", operand, "a filter or operators")
    names = set(operand)
    if has_operators(operand) and not names & {*_JOINED, "$comment"}:
        condition = _every(operand)
        test: Test = condition.holds_for
    else:
        matches = compile_filter(operand)

        def test(item: Any) -> bool:
            if isinstance(item, list):  # an item that is a list has its positions for names
                item = {str(number): part for number, part in enumerate(item)}
            return isinstance(item, dict) and matches(item)

    return lambda value: isinstance(value, list) and any(map(test, value))


def _unknown(name: str) -> StoreError:
    if name in _RUN_CODE:
        return StoreError(f"The operator {name} runs code and is not allowed in a query.")
    return StoreError(
        f"The embedded store does not support {name}: use a MongoDB server, or filter the results."
    )
