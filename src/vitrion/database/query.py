"""Convert search filters to a MongoDB filter, for the client, the command line and REST.

Only plain values are accepted: mappings, and therefore MongoDB operators, are refused.
"""

from __future__ import annotations

import difflib
import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, cast

from pymatgen.core import Element

from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.database.collections import COMMON_INDEXES, KEY, OWN_PATHS
from vitrion.documents.base import check_phase
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pymatgen.core import Composition

TEXT_FILTERS = {
    KEY: KEY,
    "material_id": "material_id",
    "formula": "formula_pretty",
    "chemsys": "chemsys",
    "phase": "phase",
    "potential": "provenance.potential.name",
}
ELEMENT_FILTERS = ("elements", "exclude_elements")
ADDED = "additional_fields."
"""Start of the names of fields that a user added to documents."""
MAX_VALUES = 1000
MAX_LENGTH = 200  # formulas are parsed recursively


def build_criteria(
    filters: Mapping[str, Any], key_fields: Mapping[str, str], kind: str = ""
) -> dict[str, Any]:
    """Return the MongoDB filter of search filters.

    Parameters
    ----------
    filters
        By name: ``document_id``, ``material_id``, ``formula``, ``chemsys``, ``phase``,
        ``potential`` (a string or several), ``elements`` and ``exclude_elements`` (symbols),
        ``deprecated`` (default False, None for all), and for each quantity its name, optionally
        with ``_min`` or ``_max``; ``additional_fields.<name>``. Filters of None are ignored. Text
        also matches the number or flag that it represents, such as "0.35".
    key_fields
        Paths of the quantities by their public names.
    kind
        Property name of the documents.

    Returns
    -------
    dict
        The filter.

    Raises
    ------
    InputError
        If a filter is unknown, its value is not plain, or a phase or element does not exist.
    """
    criteria: dict[str, Any] = {}
    paths = filter_paths(kind)
    for name, value in {"deprecated": False, **filters}.items():
        if value is None:
            continue
        if name in TEXT_FILTERS:
            criteria[paths[name]] = {"$in": [_spell(name, v) for v in _texts(name, value)]}
        elif name == "elements":
            criteria.setdefault("elements", {})["$all"] = _elements(name, _texts(name, value))
        elif name == "exclude_elements":
            criteria.setdefault("elements", {})["$nin"] = _elements(name, _texts(name, value))
        elif name == "deprecated":
            criteria["deprecated"] = _flag(name, value)
        else:
            path, operator = _figure(name, key_fields)
            plain: Any = _plain(name, value, operator)
            if isinstance(plain, str):
                operator, plain = "$in", _readings(plain)
            criteria.setdefault(path, {})[operator] = plain
    return criteria


def filter_paths(kind: str = "") -> dict[str, str]:
    """Return the path of each filter of text, by its name."""
    return {**TEXT_FILTERS, **OWN_PATHS.get(kind, {})}


def build_sort(
    sort: str | Sequence[str] | None, key_fields: Mapping[str, str], kind: str = ""
) -> dict[str, int]:
    """Return the sort order of field names, with a leading ``-`` for descending order.

    Parameters
    ----------
    sort
        One or several names of filters, fields or quantities.
    key_fields
        Paths of the quantities by their public names.
    kind
        Property name of the documents.

    Raises
    ------
    InputError
        If a field cannot be sorted by.
    """
    order: dict[str, int] = {}
    fields = {path: path for path in (KEY, *COMMON_INDEXES)}
    for word in _texts("sort", sort) if sort else []:
        name = word.removeprefix("-")
        path = _known(name, {**filter_paths(kind), **fields, **key_fields})
        order[path] = -1 if word.startswith("-") else 1
    return order


def filter_names(key_fields: Mapping[str, str]) -> list[str]:
    """Return the names of all filters."""
    ends = ("", "_min", "_max")
    quantities = [name + end for name in key_fields for end in ends]
    return [*TEXT_FILTERS, *ELEMENT_FILTERS, "deprecated", *quantities]


def _figure(name: str, key_fields: Mapping[str, str]) -> tuple[str, str]:
    if name.startswith(ADDED) and "$" not in name:
        return name, "$eq"
    for end, operator in (("_min", "$gte"), ("_max", "$lte"), ("", "$eq")):
        if name.endswith(end) and name.removesuffix(end) in key_fields:
            return key_fields[name.removesuffix(end)], operator
    return _known(name, dict.fromkeys(filter_names(key_fields), "")), "$eq"


def _known(name: str, choices: Mapping[str, str]) -> str:
    if name not in choices:
        hint = difflib.get_close_matches(name, choices, n=1)
        asked = name if hint else name.removesuffix("_min").removesuffix("_max")
        raise InputError(
            f"Nothing can be searched or sorted by '{asked}'; "
            + (f"did you mean '{hint[0]}'?" if hint else "'vitrion query -k list' lists the names.")
        )
    return choices[name]


def _texts(name: str, value: str | Iterable[str]) -> list[str]:
    values = [value] if isinstance(value, str) or hasattr(value, "symbol") else value
    if hasattr(values, "reduced_formula"):  # a pymatgen Composition is iterable
        values = [usual_formula(cast("Composition", values))]
    if hasattr(values, "tolist"):  # a numpy array or a pandas column
        values = values.tolist()
    if isinstance(values, (list, tuple, set)):  # pymatgen's Elements and Compositions
        texts = [_text_of(each) for each in values]
        values = sorted(texts, key=str) if isinstance(values, set) else texts
    if not isinstance(values, (list, tuple, set)) or not all(isinstance(v, str) for v in values):
        raise InputError(f"The search takes a word or several for '{name}', not {value!r}.")
    if len(values) > MAX_VALUES:
        raise InputError(f"The search takes at most {MAX_VALUES} values for '{name}'.")
    return list(values)


def _text_of(value: Any) -> Any:
    if hasattr(value, "reduced_formula"):
        return usual_formula(value)
    return getattr(value, "symbol", value)


def _spell(name: str, text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise InputError(f"The search takes at most {MAX_LENGTH} characters for '{name}'.")
    if name == "chemsys":
        return "-".join(sorted(_elements(name, text.split("-"))))
    if name == "phase":
        return str(check_phase(text))
    return usual_formula(parse_composition(text)) if name == "formula" else text


def _elements(name: str, symbols: list[str]) -> list[str]:
    for symbol in symbols:
        if not Element.is_valid_symbol(symbol):
            example = "Li-P-O-F" if name == "chemsys" else "Li,F"
            raise InputError(
                f"'{symbol}' is not an element: '{name}' takes symbols, such as {example}."
            )
    return symbols


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"The search takes true or false for '{name}', not {value!r}.")
    return value


def _plain(name: str, value: Any, operator: str) -> bool | float | str:
    if isinstance(value, str) and operator == "$eq":
        return value
    if isinstance(value, bool) and operator == "$eq":
        return value
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return int(value) if isinstance(value, Integral) else float(value)  # also numpy's numbers
    if isinstance(value, (list, tuple)) and operator == "$eq":
        raise InputError(
            f"The search takes one value for '{name}': set {name}_min and {name}_max for a range."
        )
    raise InputError(f"The search takes a number for '{name}', not {value!r}.")


def _readings(text: str) -> list[bool | float | str]:
    """Return a text and the number or flag that it represents."""
    if text.lower() in ("true", "false"):
        return [text, text.lower() == "true"]
    try:
        number = float(text)
    except ValueError:
        return [text]
    return [text, number] if math.isfinite(number) else [text]
