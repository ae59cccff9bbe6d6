"""The volume a crystal of a composition is expected to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry import bonds_covalently, electronegativity
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

ANION_VOLUMES_A3 = {
    "O": 18.0,
    "F": 14.5,
    "S": 38.5,
    "Cl": 32.0,
    "Se": 46.0,
    "Br": 41.0,
    "Te": 60.0,
    "I": 54.0,
    "N": 30.0,
    "H": 13.5,
}
CATION_VOLUMES_A3 = {
    "Li": 2.0,
    "Na": 10.0,
    "K": 21.0,
    "Rb": 27.0,
    "Cs": 35.0,
    "Ag": 12.0,
    "Mg": 3.0,
    "Ca": 10.0,
    "Sr": 16.0,
    "Ba": 24.0,
}
"""Volume increments of ionic crystals, chosen so that densities measured at room temperature (CRC
Handbook of Chemistry and Physics, "Physical constants of inorganic compounds") of salts from LiF to
Li3PS4 come out within 20 % (a test holds the list). The center of a polyanion takes no room of its
own; cations not named here take 4 A3."""


def crystal_volume_per_atom(composition: Composition) -> float:
    """Estimate the volume per atom of the crystal from ionic increments.

    Parameters
    ----------
    composition : Composition

    Returns
    -------
    float
        In A3 per atom; from the molar volumes of the elements where no anion is present.

    Raises
    ------
    InputError
        If an element's volume is not known.
    """
    amounts = {element.symbol: float(n) for element, n in composition.element_composition.items()}
    anions = _anions(amounts)
    if not anions:
        volume = sum(n * _elemental_volume(symbol) for symbol, n in amounts.items())
    else:
        volume = sum(n * _increment(symbol, symbol in anions) for symbol, n in amounts.items())
    return volume / sum(amounts.values())


def _anions(amounts: dict[str, float]) -> set[str]:
    """Return the elements that fill the volume: S in Li3PS4 but not in Li2SO4."""
    molecular = sorted(filter(bonds_covalently, amounts), key=electronegativity)
    anions = {symbol for symbol in molecular if symbol in ANION_VOLUMES_A3}
    heavy = [symbol for symbol in molecular if symbol != "H"]
    if len(heavy) > 1 and heavy[0] in anions:
        anions.discard(heavy[0])  # the center of an oxyanion: S, N, Cl
    return anions


def _increment(symbol: str, is_anion: bool) -> float:
    if is_anion:
        return ANION_VOLUMES_A3[symbol]
    if bonds_covalently(symbol):
        return 0.0
    return CATION_VOLUMES_A3.get(symbol, 4.0)


def _elemental_volume(symbol: str) -> float:
    from pymatgen.core import Element

    molar_volume = Element(symbol).molar_volume
    if not molar_volume:
        raise InputError(f"The volume of {symbol} is not known: give the volume per atom.")
    return float(molar_volume) / 0.602214
