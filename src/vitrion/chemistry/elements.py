"""Properties of elements that determine bonding."""

from __future__ import annotations

from functools import lru_cache

NONMETALS = frozenset("H B C N O F Si P S Cl As Se Br Te I".split())
"""Nonmetals and metalloids: elements that form polyanions and networks."""


@lru_cache(maxsize=256)
def bonds_covalently(symbol: str) -> bool:
    """Whether an element bonds covalently: hydrogen and the p block without noble gases."""
    from pymatgen.core import Element

    element = Element(symbol)
    return symbol == "H" or (element.block == "p" and not element.is_noble_gas)


@lru_cache(maxsize=256)
def electronegativity(symbol: str) -> float:
    """Return Pauling's electronegativity."""
    from pymatgen.core import Element

    return float(Element(symbol).X)
