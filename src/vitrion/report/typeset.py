"""From plain text to typography: units, signs and formulas as they are printed."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from vitrion.chemistry.formulas import AMOUNTS

_UNITS = (
    (re.compile(r"(?<=\()1/K(?=\))"), "K\u207b\u00b9"),
    (re.compile(r"(?<=\()1/A(?=\))"), "\u00c5\u207b\u00b9"),
    (re.compile(r"\bcm2\b"), "cm\u00b2"),
    (re.compile(r"\bcm3\b"), "cm\u00b3"),
    (re.compile(r"(?<![\w.])A2\b"), "\u00c5\u00b2"),
    (re.compile(r"(?<![\w.])A3\b"), "\u00c5\u00b3"),
    (re.compile(r"(?<=[\d(/] )A(?=[\s,.;)]|$)|(?<=[(/])A(?=[\s),]|$)"), "\u00c5"),
    (re.compile(r"\br2\b"), "r\u00b2"),
    (re.compile(r"\+-"), "\u00b1"),
    (re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e(-?\d+)\b"), None),
    (re.compile(r"\bx (?=\d)"), "\u00d7\u2009"),
    (re.compile(r"(?<![\w-])-(?=\d)"), "\u2212"),
)
SYMBOL = re.compile(r"\{(\w+)\}")
_SCREW = re.compile(r"_(\d)")
_LOWERED = {ord("0") + digit: 0x2080 + digit for digit in range(10)}
_RAISED = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)


def typeset(text: str, symbol: str = r"\1") -> str:
    r"""Return a text with its units and numbers as in print: ``2.0e-7 cm2/s``, ``+-``.

    Parameters
    ----------
    text : str
        Symbols of quantities are in braces, such as ``{T} (K)``.
    symbol : str
        Replacement of a symbol, such as ``<i>\1</i>``; default: the symbol itself.
    """
    for pattern, replacement in _UNITS:
        text = pattern.sub(_power if replacement is None else replacement, text)
    return SYMBOL.sub(symbol, text)


def screw(symbol: str) -> str:
    """Return the symbol of a space group with the numbers of its screw axes lowered."""
    return _SCREW.sub(lambda found: found.group(1).translate(_LOWERED), symbol)


def formula_html(formula: str) -> Markup:
    """Return a formula with its numbers lowered, safe to stand in HTML."""
    return Markup(AMOUNTS.sub(r"<sub>\1</sub>", str(escape(formula))))


def rich_html(text: str) -> Markup:
    """Return a heading that may hold units and formulas."""
    return formula_html(typeset(text))


def _power(found: re.Match[str]) -> str:
    return f"{found.group(1)}\u00d710{found.group(2).translate(_RAISED)}"
