"""Published values of the implemented paper, for comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pymatgen.core import Composition

from vitrion.transport.constants import KB_EV_PER_K, ROOM_K

SOURCE = (
    "P. Zhong and K. A. Persson, Machine-Learning-Guided Insights into Solid-Electrolyte "
    "Interphase Conductivity: Are Amorphous Lithium Fluorophosphates the Key?, "
    "ACS Energy Letters, arXiv:2510.22912"
)
URL = "https://arxiv.org/abs/2510.22912"


@dataclass(frozen=True)
class Published:
    """Values from the abstract and public summaries for one composition.

    Attributes
    ----------
    formula : str
    glass_conductivity_300K_mS_cm, glass_activation_energy_eV : float
        Of the amorphous phase, extrapolated from dynamics.
    conductivity_ratio : float
        Amorphous over crystalline conductivity at room temperature, as an order of magnitude.
    landscape, interstitial : str
        Qualitative findings.
    """

    formula: str
    glass_conductivity_300K_mS_cm: float
    glass_activation_energy_eV: float
    conductivity_ratio: float
    landscape: str
    interstitial: str

    def glass_conductivity_mS_cm(self, temperature_K: float) -> float:
        """Return the conductivity of the glass at another temperature from both values.

        ``sigma T`` is assumed to follow the Arrhenius law.
        """
        known, energy = self.glass_conductivity_300K_mS_cm, self.glass_activation_energy_eV
        return conductivity_at(temperature_K, known, ROOM_K, energy)


def conductivity_at(
    temperature_K: float, known: float, known_K: float, activation_energy_eV: float
) -> float:
    """Return a conductivity at another temperature, in the unit of the known one.

    ``sigma T`` is assumed to follow the Arrhenius law.
    """
    inverse = (1.0 / temperature_K - 1.0 / known_K) / KB_EV_PER_K
    return known * known_K / temperature_K * math.exp(-activation_energy_eV * inverse)


_KNOWN = (
    Published(
        formula="LiPO2F2",
        glass_conductivity_300K_mS_cm=0.18,
        glass_activation_energy_eV=0.40,
        conductivity_ratio=1000.0,
        landscape="flatter in the amorphous phase",
        interstitial="high in the crystal, low in the amorphous phase",
    ),
)


def published_for(formula: str) -> Published | None:
    """Return the published values of a composition, or None."""
    reduced = Composition(formula).reduced_formula
    for known in _KNOWN:
        if Composition(known.formula).reduced_formula == reduced:
            return known
    return None
