"""Read and write chemical formulas."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from vitrion.chemistry.elements import electronegativity
from vitrion.chemistry.facts import load_facts
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

CompositionLike: TypeAlias = "str | Composition | Mapping[Any, float]"
"""A formula, a pymatgen Composition, or amounts of elements such as ``{"Li": 1, "F": 1}``."""

AMOUNTS = re.compile(r"(?:(?<=[A-Z)])|(?<=[A-Z][a-z]))(\d+)")
"""Amounts behind an element or a group, which are typeset as subscripts."""

_AMOUNT = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*[+-])?(\d*\.?\d+)")
_SYMBOLS = re.compile(r"[A-Z][a-z]?")
_MIXTURE_PART = re.compile(r"(\d*\.?\d*)\s*([A-Z][A-Za-z0-9().]*)")
_OXIDATION = re.compile(r"\(([IV]+)\)")
"""Roman numerals of an oxidation state, or iodine and vanadium."""
_DASHES = re.compile(r"\s*[-\u2010-\u2015\u2212]\s*")
_DOTS = re.compile(r"\s*[·•∙⋅*]\s*")
_SUBSCRIPTS = {ord("0") + digit: 0x2080 + digit for digit in range(10)}
_PLAIN = {subscript: plain for plain, subscript in _SUBSCRIPTS.items()} | dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u2060\ufeff")  # zero width: copied from web pages
)
_TYPESET = re.compile(r"\$?_\{?(\d+\.?\d*)\}?\$?")
"""A subscript of LaTeX or Markdown."""
_MARKUP = re.compile(r"</?sub>|\\(?:ce|mathrm)(?=\{)", re.IGNORECASE)
"""Markup of HTML and LaTeX around a formula or an amount."""
_ZERO = re.compile(r"(?:[A-Z][a-z]?|[)\]])0+(?:\d+|(?:\.0*)?(?![\d.]))")
"""An element or a group whose amount is zero or begins with zero, but is not a fraction."""
_PERIOD = re.compile(r"(?:[A-Z][a-z]?|[)\]])\.\d*|\d\.\d+H2O")
"""A decimal number without its zero, or before water, which may be a period between compounds."""

MAX_LENGTH = 200
"""Maximum number of characters of a formula, which is parsed recursively."""
MOST_ATOMS = 10**6
"""Maximum number of atoms of a formula."""


def parse_composition(formula: CompositionLike) -> Composition:
    """Read a chemical formula.

    Parameters
    ----------
    formula : str, Composition, mapping or pandas Series
        Such as ``"LiPO2F2"`` or ``"Li3PO4"``, with subscripts (``"Li₃PO₄"``, ``"Li$_3$PO$_4$"``),
        as amounts of compounds (``"75Li2S-25P2S5"``, ``"LiBr·H2O"``), or as pymatgen prints it:
        ``"Li3 P1 O4"``, with charges ``"Li+3 P5+1 O2-4"``. A mapping or Series states the amount
        of each element. A pymatgen Structure or entry and ASE Atoms have the formula of their cell.

    Returns
    -------
    Composition
        Of elements, with integer amounts, reduced to one formula unit.

    Raises
    ------
    InputError
        If the text is not one formula, is the name of an electrolyte (the error gives its formula),
        names an unknown element or an isotope, has amounts that are not whole numbers, has a period
        that may separate compounds, or is too long or too large.
    """
    from pymatgen.core import Composition

    composition = read_amounts(formula)
    reduced, _ = composition.get_integer_formula_and_factor(max_denominator=100)
    integer = Composition(reduced)
    if not integer.almost_equals(composition / (composition.num_atoms / integer.num_atoms), 1e-3):
        raise InputError(f"'{formula}' has amounts that are not whole numbers: use whole numbers.")
    return integer


def read_amounts(formula: CompositionLike) -> Composition:
    """Return the amounts of elements in a formula as it is written, not reduced.

    Raises
    ------
    InputError
        As :func:`parse_composition`; amounts need not be whole numbers.
    """
    from pymatgen.core import Composition
    from pymatgen.core.periodic_table import DummySpecies, Element

    given = _text_or_amounts(formula)
    text = _normalized(given) if isinstance(given, str) else given
    try:
        if isinstance(text, str) and re.search(r"[-+]", text):
            raise ValueError("a sign is not part of a formula without blanks")
        composition = Composition(text)
        if not composition or any(isinstance(sp, DummySpecies) for sp in composition):
            raise ValueError("no known element")
        isotopes = _isotopes(text, composition)
        composition = composition.element_composition
        if not all(isinstance(el, Element) for el in composition):
            raise ValueError("no known element")
    except (ValueError, KeyError, TypeError) as exc:
        raise InputError(
            f"'{given}' is not a chemical formula: write it like LiPO2F2 or Li3PO4."
        ) from exc
    if not composition.num_atoms <= MOST_ATOMS:  # also not a number
        raise InputError(f"'{given}' has amounts of more than {MOST_ATOMS:,} atoms.")
    if isotopes:
        raise InputError(
            f"'{given}' names the isotope {min(isotopes)}: write hydrogen as H: potentials do "
            "not distinguish isotopes."
        )
    return composition


def _text_or_amounts(formula: CompositionLike) -> Any:
    """Return the formula, or the amounts of elements, of an object of ASE, pymatgen or pandas."""
    found: Any = formula
    if hasattr(found, "get_chemical_formula"):  # ASE Atoms
        found = found.get_chemical_formula()
    if hasattr(found, "frac_coords") or hasattr(found, "energy_per_atom"):
        found = found.composition  # a Structure or an entry of pymatgen
    if hasattr(found, "to_dict"):  # a pandas Series
        found = found.to_dict()
    if not isinstance(found, (str, Mapping)):
        raise InputError(
            f"A {type(found).__name__} is not a composition: give a formula, a pymatgen "
            'Composition, or amounts such as {"Li": 1, "F": 1}.'
        )
    return found


def _normalized(formula: str) -> str | dict[str, float]:
    """Return a formula or amounts that pymatgen reads; refuse names and amounts of zero."""
    if len(formula) > MAX_LENGTH:
        raise InputError(
            f"'{formula[:20]}...' has {len(formula)} characters: a formula has at most "
            f"{MAX_LENGTH}."
        )
    text = _TYPESET.sub(r"\1", _unmarked(formula.translate(_PLAIN))).strip()
    _refuse_name(text)
    _refuse_zero(text)
    mixed = _mixed(_without_oxidation(text))
    if not isinstance(mixed, str):
        return mixed
    _refuse_period(mixed)
    return _separated(mixed) if len(mixed.split()) > 1 else mixed


def _refuse_name(text: str) -> None:
    """Refuse the name of an electrolyte with its formula: pymatgen reads LiTFSI as Li T F S I."""
    names = load_facts("names")
    for name, facts in names["materials"].items():
        if text in _spellings(name):
            raise InputError(_is_a_name(text, facts["formula"], facts["source"]))
    for ion, facts in names["ions"].items():
        for spelling in _spellings(ion):
            found = re.fullmatch(rf"(\w*?)\(?{spelling}\)?(\d*)", text)
            if found is not None:
                raise InputError(_salt_name(text, found[1].capitalize(), found[2], facts))


def _spellings(name: str) -> set[str]:
    return {name, name.lower(), name.upper(), name.capitalize()}


def _salt_name(text: str, cation: str, count: str, ion: Mapping[str, str]) -> str:
    """Return the error for ``LiTFSI`` or ``Mg(TFSI)2``; the cation may not be an element."""
    from pymatgen.core import Element

    if not Element.is_valid_symbol(cation):
        return f"'{text}' contains the name of an ion: write it as {ion['formula']}, with a cation."
    formula = f"{cation}({ion['formula']}){count}" if count else f"{cation}{ion['formula']}"
    return _is_a_name(text, formula, ion["source"])


def _is_a_name(text: str, formula: str, source: str) -> str:
    return f"'{text}' is a name, not a formula: write {formula} ({source})."


def _unmarked(text: str) -> str:
    """Return a formula without the markup of HTML or mhchem, in ASCII letters if they are wide."""
    text = unicodedata.normalize("NFKC", text)
    plain = _MARKUP.sub("", text)
    return plain if plain == text else plain.strip(" $").removeprefix("{").removesuffix("}")


def _refuse_zero(text: str) -> None:
    """Refuse a zero that may be the letter O: pymatgen leaves Li out of Li0F, and O of Li3P04."""
    found = _ZERO.search(text)
    if found is not None:
        raise InputError(
            f"'{found[0]}' in '{text}' has an amount that is or begins with zero: leave out the "
            "zero, or write O for oxygen."
        )


def _refuse_period(text: str) -> None:
    """Refuse a period that may separate compounds: pymatgen reads Li2O.2SiO2 as Li2 O0.2 Si O2."""
    found = _PERIOD.search(text)
    if found is not None:
        raise InputError(
            f"'{found[0]}' in '{text}' is a decimal number or a period between compounds: write * "
            "between compounds, as in CuSO4*5H2O, and decimal numbers as in Li0.5 or V2O4.5(H2O)."
        )


def _without_oxidation(text: str) -> str:
    """Return a formula without oxidation states: Fe(III)2O3 is Fe2O3.

    Raises
    ------
    InputError
        If a numeral may be an element: (I) and (V).
    """
    for found in _OXIDATION.finditer(text):
        if found[1] in {"I", "V"}:
            raise InputError(
                f"'{found[0]}' in '{text}' is an element or an oxidation state: leave out the "
                "oxidation state, or the parentheses."
            )
    return _OXIDATION.sub("", text)


def _mixed(text: str) -> str | dict[str, float]:
    """Return the elements of ``75Li2S-25P2S5`` or ``LiBr·2H2O``, else the text."""
    from pymatgen.core import Composition

    for separator in (_DASHES, _DOTS):
        found = [_MIXTURE_PART.fullmatch(part) for part in separator.split(text)]
        parts = [part for part in found if part is not None]
        if len(parts) < 2 or len(parts) < len(found):
            continue
        if separator is _DASHES and not any(part[1] for part in parts):
            continue  # elements, as in Li-P-S
        total = Composition()
        for part in parts:
            total += read_amounts(part[2]) * float(part[1] or 1)
        return dict(total.get_el_amt_dict())
    return text


def _isotopes(text: str | Mapping[Any, float], composition: Composition) -> set[str]:
    """Return the named hydrogen isotopes; pymatgen reads them as hydrogen."""
    names = set(_SYMBOLS.findall(text)) if isinstance(text, str) else set(map(str, text))
    names |= {getattr(sp, "name", str(sp)) for sp in composition}
    return names & {"D", "T"}


def _separated(text: str) -> dict[str, float]:
    """Read a formula as pymatgen prints it: elements with amounts, separated by blanks."""
    amounts: dict[str, float] = {}
    for word in text.split():
        found = _AMOUNT.fullmatch(word)
        if found is None or (found[1] in amounts and found[2] is None):
            raise InputError(
                f"'{text}' is not one chemical formula: write one formula without blanks, such as "
                "LiPO2F2; pass several formulas separately."
            )
        amounts[found[1]] = amounts.get(found[1], 0.0) + float(found[3])
    return amounts


def whole_amounts(composition: Composition) -> dict[str, int]:
    """Return the number of atoms of each element."""
    return {el.symbol: round(n) for el, n in composition.items()}


def plain_formula(composition: Composition) -> str:
    """Return the formula without parentheses: LiPO2F2, not LiP(OF)2; Li0.5CoO2."""
    amounts = ((el.symbol, f"{n:.6g}") for el, n in composition.items())
    return "".join(symbol if amount == "1" else symbol + amount for symbol, amount in amounts)


def display_formula(formula: str) -> str:
    """Return a formula with its elements by electronegativity, then symbol: LiPO2F2, Li2CO3."""
    from pymatgen.core import Composition

    amounts = Composition(formula).items()
    ordered = sorted(amounts, key=lambda item: (electronegativity(item[0].symbol), item[0].symbol))
    return plain_formula(Composition(dict(ordered)))


def usual_formula(composition: Composition) -> str:
    """Return the reduced formula as it is usually written: LiPO2F2, not LiP(OF)2."""
    return display_formula(composition.reduced_formula)


def subscripted(formula: str) -> str:
    """Return a formula with Unicode subscripts."""
    return AMOUNTS.sub(lambda found: found.group(1).translate(_SUBSCRIPTS), formula)
