"""Elements of the numbered atom types of LAMMPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vitrion.chemistry.species import element_symbol, element_symbols
from vitrion.errors import InputError

Types = Mapping[Any, str] | Sequence[str] | str | None
"""Element of each type: a mapping, the elements of types 1, 2, ..., or text such as ``Li,P,O`` or
``1=Li,3=O``."""


def read_types(types: Types) -> dict[int, str]:
    """Return the element of each type; empty if None.

    Raises
    ------
    InputError
        If a type is not a number, or its element is unknown.
    """
    found: Any = types
    if hasattr(found, "to_dict"):  # a pandas Series
        found = found.to_dict()
    elif isinstance(found, np.ndarray):
        found = found.tolist()
    if isinstance(found, str):
        found = _split(found)
    elif isinstance(found, Sequence):
        found = dict(enumerate(found, start=1))
    try:
        return {int(number): element_symbol(name) for number, name in dict(found or {}).items()}
    except (ValueError, TypeError) as exc:
        if isinstance(exc, InputError):
            raise
        raise InputError(
            f"The types must be elements, such as Li,P,O for types 1 to 3, or numbers with "
            f"elements, such as 1=Li,3=O, not {types}."
        ) from None


def _split(text: str) -> dict[Any, str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    pairs = [word.replace(":", "=").partition("=") for word in words]
    if any(sign for _, sign, _ in pairs):
        return {number: symbol.strip() for number, _, symbol in pairs}
    return dict(enumerate(words, start=1))


def label_symbols(labels: Sequence[str], types: Mapping[int, str]) -> tuple[str, ...]:
    """Return the elements of labels, which are names, atomic numbers, or numbered types.

    Numbers are types if `types` are given or one of them is 2: no solid holds helium.
    """
    if all(label.isdigit() for label in labels) and (types or "2" in labels):
        return type_symbols(labels, types)
    return element_symbols(labels)


def type_symbols(labels: Sequence[str], types: Mapping[int, str]) -> tuple[str, ...]:
    """Return the elements of numbered types.

    Raises
    ------
    InputError
        If a type has no element, or is not a number.
    """
    named = next((label for label in labels if not label.isdigit()), None)
    if named is not None:
        raise InputError(
            f"The atom types are names, such as {named}, not numbers: leave out the elements of "
            "numbered types (in Python: type_map, on the command line: --types)."
        )
    numbers = [int(label) for label in labels]
    missing = sorted(set(numbers) - set(types))
    if missing:
        raise InputError(
            f"The types {', '.join(map(str, missing))} have no element: name the element of "
            "each type (in Python: type_map, on the command line: --types Li,O for types 1 and 2)."
        )
    return tuple(types[number] for number in numbers)
