"""Filters of the list of all materials: elements, phase and ranges of quantities."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.phases import PHASE_NAMES
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RANGES: dict[str, str] = {
    "sigma_300K": "conductivity at 300 K (mS/cm)",
    "activation_energy_eV": "activation energy (eV)",
    "energy_above_hull_eV_per_atom": "energy above hull (eV/atom)",
    "frenkel_energy_eV": "Frenkel pair (eV)",
    "landscape_gap_eV": "landscape gap (eV)",
    "density_equilibrated_g_per_cm3": "glass density (g/cm3)",
    "density": "density of the structure (g/cm3)",
    "nelements": "number of elements",
    "nsites": "number of sites",
    "spacegroup_number": "number of the space group",
}
"""Quantities that the list can be limited by, with their names."""
MATCHES = {"all": "contains all of these", "only": "consists of these", "none": "has none of these"}
"""Meanings of the selected elements."""


@dataclass(frozen=True)
class MaterialFilters:
    """What the list of materials is limited to.

    Attributes
    ----------
    elements : tuple of str
        Symbols of the selected elements.
    match : str
        A key of :data:`MATCHES`.
    phase : str
        A phase, or empty.
    ranges : mapping of str to pair of float or None
        Limits of the quantities of :data:`RANGES`.
    """

    elements: tuple[str, ...] = ()
    match: str = "all"
    phase: str = ""
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @classmethod
    def from_parameters(cls, parameters: Iterable[tuple[str, str]]) -> MaterialFilters:
        """Read the filters of a request.

        Parameters
        ----------
        parameters : iterable of pairs of str
            ``element`` (repeatable), ``match``, ``phase``, and each quantity with ``_min`` and
            ``_max``; an empty value sets no limit.

        Raises
        ------
        InputError
            If a parameter is unknown, or a value is not allowed.
        """
        elements: list[str] = []
        words = {"match": "all", "phase": ""}
        limits: dict[str, list[float | None]] = {}
        for name, value in parameters:
            quantity, _, end = name.rpartition("_")
            is_limit = quantity in RANGES and end in ("min", "max")
            if not (is_limit or name == "element" or name in words):
                raise InputError(f"The list of materials has no parameter '{name[:40]}'.")
            if not value.strip():
                continue
            if is_limit:
                limits.setdefault(quantity, [None, None])[end == "max"] = _number(value, name)
            elif name == "element":
                elements.append(_element(value))
            else:
                known = MATCHES if name == "match" else PHASE_NAMES
                if value not in known:
                    raise InputError(f"The {name} must be one of {', '.join(known)}.")
                words[name] = value
        ranges = {name: (low, high) for name, (low, high) in limits.items()}
        return cls(tuple(dict.fromkeys(elements)), words["match"], words["phase"], ranges)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is filtered."""
        return not (self.elements or self.phase or self.ranges)

    def search(self) -> dict[str, Any]:
        """Return the filters of :func:`vitrion.database.query.build_criteria`."""
        found: dict[str, Any] = {"phase": self.phase} if self.phase else {}
        if self.elements:
            key = "exclude_elements" if self.match == "none" else "elements"
            found[key] = list(self.elements)
            if self.match == "only":
                found["nelements"] = len(self.elements)
        for name, ends in self.ranges.items():
            for end, value in zip(("min", "max"), ends, strict=True):
                if value is not None:
                    found[f"{name}_{end}"] = value
        return found

    def parameters(self) -> list[tuple[str, str]]:
        """Return the parameters of a request with these filters."""
        found = [("element", symbol) for symbol in self.elements]
        found += [("match", self.match)] if self.match != "all" else []
        found += [("phase", self.phase)] if self.phase else []
        for name, ends in self.ranges.items():
            for end, value in zip(("min", "max"), ends, strict=True):
                found += [] if value is None else [(f"{name}_{end}", _digits(value))]
        return found

    def limit(self, name: str, end: int) -> str:
        """Return a limit of a quantity as text, empty without one."""
        value = self.ranges.get(name, (None, None))[end]
        return "" if value is None else _digits(value)


@lru_cache(maxsize=1)
def periodic_table() -> tuple[tuple[str, int, int], ...]:
    """Return symbol, row and column of every element up to radon, the lanthanides below."""
    from pymatgen.core import Element

    found = []
    for number in range(1, 87):
        element = Element.from_Z(number)
        if element.is_lanthanoid:
            found.append((element.symbol, 7, number - 54))
        else:
            found.append((element.symbol, element.row, element.group))
    return tuple(found)


def _element(symbol: str) -> str:
    known = {name for name, _, _ in periodic_table()}
    if symbol not in known:
        raise InputError(f"'{symbol[:20]}' is not the symbol of an element in the table.")
    return symbol


def _digits(value: float) -> str:
    """Return a number as text that is read as the same number."""
    return repr(value).removesuffix(".0")


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} must be a number, not '{text[:20]}'.")
    return value
