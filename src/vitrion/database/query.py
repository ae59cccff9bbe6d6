"""Convert search filters to a MongoDB filter, for the client, the command line and REST.

Only plain values are accepted: mappings, and therefore MongoDB operators, are refused.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from pymatgen.core import Element

from vitrion.chemistry.formulas import MAX_LENGTH, parse_composition, usual_formula
from vitrion.database.collections import COMMON_INDEXES, KEY, OWN_PATHS
from vitrion.documents.base import check_phase
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXT_FILTERS = {
    KEY: KEY,
    "material_id": "material_id",
    "formula": "formula_pretty",
    "chemsys": "chemsys",
    "phase": "phase",
    "potential": "provenance.potential.name",
    "formula_anonymous": "formula_anonymous",
    "spacegroup_symbol": "symmetry.symbol",
    "crystal_system": "symmetry.crystal_system",
}
MATERIAL_NUMBERS = {
    "nelements": "nelements",
    "nsites": "nsites",
    "volume": "volume",
    "density": "density",
    "spacegroup_number": "symmetry.number",
}
"""Paths of the numbers of every material; filters as for quantities."""
SYNONYMS = {"material_ids": "material_id", "num_elements": "nelements", "num_sites": "nsites"}
"""Names of mp-api, and the names here."""
ELSEWHERE = {
    "num_chunks": "set limit, the number of documents",
    "chunk_size": "set limit, the number of documents, and skip",
    "all_fields": "name the fields in fields, or leave it out for complete documents",
    "has_props": "search the kind of document, such as client.conductivity",
}
"""Arguments of mp-api's search without a counterpart, and what to use instead."""
ELEMENT_FILTERS = ("elements", "exclude_elements")
ADDED = "additional_fields."
"""Start of the names of fields that a user added to documents."""
MAX_VALUES = 1000


def build_criteria(
    filters: Mapping[str, Any], key_fields: Mapping[str, str], kind: str = ""
) -> dict[str, Any]:
    """Return the MongoDB filter of search filters.

    Parameters
    ----------
    filters
        By name: ``document_id``, ``material_id``, ``formula``, ``chemsys``, ``phase``,
        ``potential``, ``formula_anonymous``, ``spacegroup_symbol``, ``crystal_system`` (a string
        or several), ``elements`` and ``exclude_elements`` (symbols), ``deprecated`` (default False,
        None for all); for each quantity, ``nelements``, ``nsites``, ``volume`` (A3), ``density``
        (g/cm3) and ``spacegroup_number``: the name, optionally with ``_min`` or ``_max``, or a
        range ``(minimum, maximum)`` in which None is open; ``additional_fields.<name>``; and the
        `SYNONYMS`. ``chemsys="Li-*"`` means lithium and one other element. Filters of None are
        ignored. The text of a number or a flag, such as "0.35", stands for it.
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
    key_fields = {**MATERIAL_NUMBERS, **key_fields}
    for asked, value in {"deprecated": False, **filters}.items():
        if value is None:
            continue
        name = _own_name(asked)
        if name == "chemsys" and any("*" in text for text in _texts(name, value)):
            systems = [_chemical_system(text) for text in _texts(name, value)]
            criteria["$or"] = systems  # no other filter has this key
        elif name in TEXT_FILTERS:
            criteria[paths[name]] = {"$in": [_spell(name, v) for v in _texts(name, value)]}
        elif name == "elements":
            criteria.setdefault("elements", {})["$all"] = _elements(name, _texts(name, value))
        elif name == "exclude_elements":
            criteria.setdefault("elements", {})["$nin"] = _elements(name, _texts(name, value))
        elif name == "deprecated":
            criteria["deprecated"] = _flag(name, value)
        else:
            path, operator = _figure(name, key_fields)
            value = _typed(name, value) if isinstance(value, str) else value
            criteria.setdefault(path, {}).update(_condition(name, value, operator))
    return criteria


def _own_name(name: str) -> str:
    """Return the name here of a filter of mp-api; other names unchanged."""
    stem = next((s for s in SYNONYMS if name in (s, f"{s}_min", f"{s}_max")), None)
    return name if stem is None else SYNONYMS[stem] + name.removeprefix(stem)


def _condition(name: str, value: Any, operator: str) -> dict[str, Any]:
    """Return the MongoDB condition of a value, a text or a range."""
    if isinstance(value, (list, tuple)) and operator == "$eq" and len(value) == 2:
        low, high = (None if end is None else _plain(name, end, "$gte") for end in value)
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            raise InputError(f"The range of '{name}' ends below its start: {low:g} to {high:g}.")
        return {op: end for op, end in (("$gte", low), ("$lte", high)) if end is not None}
    plain = _plain(name, value, operator)
    return {"$in": _readings(plain)} if isinstance(plain, str) else {operator: plain}


def _typed(name: str, text: str) -> bool | float | str:
    """Return a text as the number or flag that its quantity is; others unchanged."""
    from vitrion.database.kinds import quantity_types

    expected = float if name in MATERIAL_NUMBERS else quantity_types().get(name)
    if expected not in (bool, float):
        return text
    value = _readings(text)[-1]
    return _flag(name, value) if expected is bool else _plain(name, value, "$gte")


def _chemical_system(chemsys: str) -> dict[str, Any]:
    """Return the filter of a chemical system, which may have unknown elements as ``Li-P-*``."""
    words = chemsys.split("-")
    if "*" not in words:
        return {"chemsys": _spell("chemsys", chemsys)}
    known = _elements("chemsys", sorted({word for word in words if word != "*"}))
    number = len(known) + words.count("*")
    return {"nelements": {"$eq": number}, **({"elements": {"$all": known}} if known else {})}


def filter_paths(kind: str = "") -> dict[str, str]:
    """Return the path of each filter that all kinds have, by its name."""
    return {**TEXT_FILTERS, **MATERIAL_NUMBERS, **OWN_PATHS.get(kind, {})}


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
    numbers = {**MATERIAL_NUMBERS, **key_fields}
    quantities = [name + end for name in numbers for end in ends]
    return [*TEXT_FILTERS, *ELEMENT_FILTERS, "deprecated", *quantities]


def _figure(name: str, key_fields: Mapping[str, str]) -> tuple[str, str]:
    if name.startswith(ADDED) and "$" not in name:
        return name, "$eq"
    for end, operator in (("_min", "$gte"), ("_max", "$lte"), ("", "$eq")):
        if name.endswith(end) and name.removesuffix(end) in key_fields:
            return key_fields[name.removesuffix(end)], operator
    return _known(name, dict.fromkeys(filter_names(key_fields), "")), "$eq"


def _known(name: str, choices: Mapping[str, str]) -> str:
    if name in ELSEWHERE:
        raise InputError(f"A search has no '{name}': {ELSEWHERE[name]}.")
    if name not in choices:
        hint = next(iter(difflib.get_close_matches(name, choices, n=1)), "")
        asked = name
        for end in ("_min", "_max"):  # of a condition such as name>value
            if name.endswith(end) and hint.endswith(end if hint else ""):
                asked, hint = name.removesuffix(end), hint.removesuffix(end)
        raise InputError(
            f"Nothing can be searched or sorted by '{asked}'; "
            + (f"did you mean '{hint}'?" if hint else "'vitrion query -k list' lists the names.")
        )
    return choices[name]


def _texts(name: str, value: str | Iterable[str]) -> list[str]:
    values = [value] if isinstance(value, str) or hasattr(value, "symbol") else value
    if name == "formula" and _are_amounts(values):
        values = [usual_formula(parse_composition(values))]  # type: ignore[arg-type]
    if hasattr(values, "tolist"):  # a numpy array or a pandas column
        values = values.tolist()
    if isinstance(values, (list, tuple, set)):  # pymatgen's Elements and Compositions
        texts = [_text_of(each) for each in values]
        values = sorted(texts, key=str) if isinstance(values, set) else texts
    if not isinstance(values, (list, tuple, set)) or not all(isinstance(v, str) for v in values):
        raise InputError(f"The search takes one or more texts for '{name}', not {value!r}.")
    if len(values) > MAX_VALUES:
        raise InputError(f"The search takes at most {MAX_VALUES} values for '{name}'.")
    return list(values)


def _are_amounts(value: Any) -> bool:
    """Whether a value is a Composition, or states the amounts of elements."""
    if not isinstance(value, Mapping):
        return False
    symbols = [str(getattr(key, "symbol", key)) for key in value]
    return bool(symbols) and all(map(Element.is_valid_symbol, symbols))


def _text_of(value: Any) -> Any:
    if _are_amounts(value):
        return usual_formula(parse_composition(value))
    return getattr(value, "symbol", value)


def _spell(name: str, text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise InputError(f"The search takes at most {MAX_LENGTH} characters for '{name}'.")
    if name == "chemsys":
        return "-".join(sorted(_elements(name, text.split("-"))))
    if name == "phase":
        return str(check_phase(text))
    if name == "crystal_system":
        return text.capitalize()
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
            f"The search takes one value or a range (minimum, maximum) for '{name}', not {value!r}."
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
