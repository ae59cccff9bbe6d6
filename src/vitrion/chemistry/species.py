"""Element, mass and charge of atom labels in files and user input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from vitrion.chemistry.charges import ANION_CHARGES, CATION_CHARGES
from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Mobile = str | Sequence[Any] | Mapping[Any, float] | Any
"""Mobile species: text such as ``Li``, ``Li+`` or ``Li,O``; pymatgen's Element or Species; a
sequence of these; or a mapping of them to charges in e."""

ISOTOPES = {"D": 2.01410177811, "T": 3.01604928199}
"""Masses of hydrogen isotopes in u."""

SAME_MASS = 0.05
"""Maximum difference in u of a mass from the mass of its element."""

KNOWN_CHARGES = CATION_CHARGES | ANION_CHARGES | {"H": 1, "D": 1, "T": 1}

_LABEL = re.compile(r"([A-Za-z]+)[\d+\-()]*")
_SPECIES = re.compile(r"([A-Za-z]{1,2})\(?(?:(\d*\.?\d*)([+-])|([+-])(\d+\.?\d*))?\)?")
_PLAIN = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")


def element_symbol(label: Any) -> str:
    """Return the element of an atom label.

    Parameters
    ----------
    label : str, int, or pymatgen Element or Species
        Such as ``Li``, ``LI``, ``Li_sv`` (a VASP potential), ``Li+``, ``Li12`` or 3; ``D`` and
        ``T`` are returned unchanged.

    Raises
    ------
    InputError
        If the label does not name an element.
    """
    text = _text(label).strip()
    if text.isdigit() and 0 < int(text) < len(chemical_symbols):
        return chemical_symbols[int(text)]
    found = _LABEL.fullmatch(re.split(r"[_/.:,]", text.translate(_PLAIN), maxsplit=1)[0])
    for name in (found[1], found[1].capitalize()) if found else ():
        if name in ISOTOPES or (name in atomic_numbers and name != "X"):
            return name
    raise InputError(f"'{text}' is not a chemical symbol: name elements, such as Li or O.")


def element_symbols(labels: Iterable[Any]) -> tuple[str, ...]:
    """Return the element of each label; see `element_symbol`."""
    known: dict[Any, str] = {}
    found = []
    for label in labels:
        key = _text(label)
        if key not in known:
            known[key] = element_symbol(label)
        found.append(known[key])
    return tuple(found)


def _text(label: Any) -> str:
    """Return a label as text; pymatgen's deuterium has the symbol H and the name D."""
    return str(getattr(label, "name", label))


def masses(symbols: Iterable[str]) -> np.ndarray:
    """Return the mass of each atom in u."""
    return np.array(
        [ISOTOPES[s] if s in ISOTOPES else atomic_masses[atomic_numbers[s]] for s in symbols]
    )


def elements_of_masses(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the element of each mass in u.

    Raises
    ------
    InputError
        If a mass is further than :data:`SAME_MASS` from all elements.
    """
    known: dict[Any, str] = {}
    for value in values:
        if value not in known:
            differences = np.abs(atomic_masses - read_number(value, "mass", "u"))
            number = int(np.argmin(differences[1:])) + 1  # the first is not an element
            if not differences[number] <= SAME_MASS:
                raise InputError(f"No element has the mass {value} u: name the elements.")
            known[value] = chemical_symbols[number]
    return tuple(known[value] for value in values)


def mobile_charges(mobile: Mobile, charge: float | None = None) -> dict[str, float]:
    """Return the mobile species and their charges in e.

    Parameters
    ----------
    mobile : Mobile
    charge : float or None
        Charge of a single species in e; by default the charge in its label (``Ca2+``), or the
        common charge.

    Raises
    ------
    InputError
        If no species is named, charges disagree, or the charge of a species is unknown.
    """
    written = [_read_species(each) for each in _separate(mobile)]
    if isinstance(mobile, Mapping):
        written = [
            (symbol, read_number(value, f"The charge of {symbol}", "e"))
            for (symbol, _), value in zip(written, mobile.values(), strict=True)
        ]
    named: dict[str, float] = {}
    for symbol, stated in written:
        given = None
        if charge is not None and len(written) == 1:
            given = read_number(charge, "charge", "e")
        if given is not None and stated is not None and given != stated:
            raise InputError(
                f"The charge of mobile {symbol} is set to both {given:g} and {stated:g} e: "
                "set it once."
            )
        value = stated if given is None else given
        if value is None and symbol not in KNOWN_CHARGES:
            raise InputError(
                f"The charge of mobile {symbol} is unknown: set it in e (charge, --charge)."
            )
        named[symbol] = float(KNOWN_CHARGES[symbol]) if value is None else value
    if charge is not None and len(written) > 1:
        raise InputError(
            "One charge was set for several mobile species: pass a mapping of each species to its "
            "charge in e."
        )
    if not named:
        raise InputError("Name at least one mobile species.")
    for symbol, value in named.items():
        if not np.isfinite(value) or value == 0.0:
            raise InputError(
                f"The charge of mobile {symbol} must be a finite number other than zero, not "
                f"{value:g} e."
            )
    return named


def mobile_label(mobile: Mobile) -> str:
    """Return mobile species in one spelling: ``Li`` for ``li`` or ``Li+``; ``Li,O``; ``Cu2+``.

    A charge is kept if it is not the usual one.

    Raises
    ------
    InputError
        If a species is not an element or an ion.
    """
    labels: dict[str, None] = {}
    for symbol, charge in map(_read_species, _separate(mobile)):
        label = symbol
        if charge is not None and charge != KNOWN_CHARGES.get(symbol):
            label += f"{abs(charge):g}{'+' if charge > 0 else '-'}"
        labels[label] = None
    if not labels:
        raise InputError("Name at least one mobile species, such as Li.")
    return ",".join(labels)


def mobile_symbols(mobile: Mobile) -> list[str]:
    """Return the elements of mobile species, in their order."""
    return list(dict.fromkeys(symbol for symbol, _ in map(_read_species, _separate(mobile))))


def check_mobile(mobile: Iterable[str], symbols: Collection[str], formula: str) -> None:
    """Check that mobile elements are some, but not all, of the elements of a formula.

    Raises
    ------
    InputError
        If a mobile element is not in the formula, or all of its elements are mobile.
    """
    named = set(mobile)
    for symbol in sorted(named.difference(symbols)):
        raise InputError(f"The mobile species {symbol} is not in {formula}.")
    if named.issuperset(symbols):
        raise InputError(f"All elements of {formula} are mobile: name fewer mobile species.")


def _separate(mobile: Mobile) -> list[Any]:
    if isinstance(mobile, str):
        return [word for word in re.split(r"[,;\s]+", mobile) if word]
    if isinstance(mobile, (Mapping, Sequence, set, frozenset, np.ndarray)):
        return [part for each in mobile for part in _separate_one(each)]
    return [mobile]


def _separate_one(each: Any) -> list[Any]:
    return _separate(each) if isinstance(each, str) else [each]


def _read_species(species: Any) -> tuple[str, float | None]:
    """Return the element and the charge in the label of a species."""
    symbol = getattr(species, "symbol", None)
    if symbol is not None:
        state = getattr(species, "oxi_state", None)
        return element_symbol(species), float(state) if state else None
    text = re.split(r"[_/]", str(species).strip().translate(_PLAIN), maxsplit=1)[0]
    found = _SPECIES.fullmatch(text)
    if found is None:
        raise InputError(
            f"'{species}' is not a species: write an element or an ion, such as Li or Li+."
        )
    name, size, sign, sign_first, size_last = found.groups()
    symbol = element_symbol(name)
    sign, size = sign or sign_first, size if sign else size_last
    return symbol, float(f"{sign}{size or 1}") if sign else None
