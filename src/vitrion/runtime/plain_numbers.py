"""Numbers as users give them: Python's, numpy's, or text."""

from __future__ import annotations

from numbers import Real
from typing import Any

from vitrion.errors import InputError


def read_number(value: Any, name: str, unit: str = "") -> float:
    """Return a number that is given as a number, as an array of one, or as text.

    Parameters
    ----------
    value
        Such as 600, ``numpy.float64(600)``, ``"600"`` or ``"600 K"``.
    name : str
        Name of the argument, for the message.
    unit : str
        Unit that a text may end in.

    Raises
    ------
    InputError
        If it is not one number.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    given = value.tolist() if hasattr(value, "tolist") else value  # numpy and pandas
    if given is not value and isinstance(given, list) and len(given) == 1:
        given = given[0]
    text = given.strip().removesuffix(unit) if isinstance(given, str) else given
    try:
        if isinstance(text, bool):
            raise TypeError
        return float(text)
    except (TypeError, ValueError):
        raise InputError(
            f"{name} must be one number{f' in {unit}' if unit else ''}, not {value!r}."
        ) from None
