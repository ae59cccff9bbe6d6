"""Headline values at the top of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.comparison.side_by_side import pair_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.side_by_side import Comparison
    from vitrion.uncertainty import Uncertain


@dataclass(frozen=True)
class Card:
    """A headline value with its label and notes."""

    label: str
    value: str
    unit: str
    notes: tuple[str, ...]
    color: str


def cards_of(comparison: Comparison) -> list[Card]:
    """Return one card per material, and one for the ratio of the first two."""
    materials = comparison.materials
    sigma, energy = (comparison.row(key) for key in ("sigma_300K", "activation_energy_eV"))
    nothing = (None,) * len(materials)
    cards = []
    for material, conductivity, barrier in zip(
        materials,
        nothing if sigma is None else sigma.values,
        nothing if energy is None else energy.values,
        strict=True,
    ):
        color = material.phase or "muted"
        notes = [] if barrier is None else [f"activation energy {barrier.text} eV"]
        if conductivity is not None:
            cards.append(_sigma_card(material.name, conductivity, notes, color))
        elif barrier is not None:
            label = ("activation energy",)
            cards.append(Card(material.name, f"{barrier.value:.2f}", "eV", label, color))
    if sigma is not None and sigma.change is not None:
        cards.append(_ratio_card(pair_of(materials, "over"), sigma.change))
    return cards


def _sigma_card(name: str, sigma: Uncertain, notes: Sequence[str], color: str) -> Card:
    value, _, rest = sigma.text.partition(" (")
    label = "conductivity at 300 K"
    if sigma.value is None:
        label += ", one-sided 95 % bound"
    interval = [f"95 %: {rest.rstrip(')')}"] if rest else []
    return Card(name, value, "mS/cm", (label, *interval, *notes), color)


def _ratio_card(names: str, ratio: Uncertain) -> Card:
    value, _, rest = ratio.text.partition(" (")
    label = "ratio of the conductivities at 300 K"
    if ratio.value is None:
        return Card(names, value, "", (f"{label}, one-sided bound of at least 90 %",), "muted")
    return Card(names, f"x {value}", "", (label, f"95 %: {rest.rstrip(')')}"), "muted")
