"""The answer at the top of the page: one card per material, and one for their ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.chemistry.phases import RUN_PHASES
from vitrion.comparison.next_step import next_step, progress_of
from vitrion.comparison.side_by_side import pair_of
from vitrion.uncertainty import Bound, number

if TYPE_CHECKING:
    from vitrion.comparison.side_by_side import Comparison
    from vitrion.materials.material import MaterialReport
    from vitrion.uncertainty import Uncertain

NOT_DETERMINED, NOT_COMPUTED = "not determined", "not computed"


@dataclass(frozen=True)
class Card:
    """An answer with its label and notes.

    Attributes
    ----------
    label, value, unit : str
        Subject and value, or ``not determined``.
    notes : tuple of str
        Quantity, interval and other lines below the value.
    fine : str
        Last line in small type, such as an upper bound.
    color : str
        Name of the palette.
    link : str
        Section with the details.
    determined : bool
        Whether `value` is a value.
    """

    label: str
    value: str
    unit: str
    notes: tuple[str, ...]
    color: str
    fine: str = ""
    link: str = "transport"
    determined: bool = True


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
        card = _card(material, conductivity, barrier)
        if card is None and any(other.conductivity for other in materials):
            card = _not_computed(material)
        cards += [] if card is None else [card]
    if sigma is not None and sigma.change is not None:
        cards.append(_ratio_card(pair_of(materials, "over"), sigma.change))
    return cards


def _card(
    material: MaterialReport, sigma: Uncertain | None, barrier: Uncertain | None
) -> Card | None:
    color = material.phase or "muted"
    notes = () if barrier is None else (f"activation energy {barrier.text} eV",)
    if sigma is not None and sigma.value is not None:
        value, _, rest = sigma.text.partition(" (")
        label = "conductivity at 300 K"
        if material.conductivity is not None and material.conductivity.route == "defects":
            label += ", from defects"
        interval = (f"95 %: {rest.rstrip(')')}",) if rest else ()
        return Card(material.name, value, "mS/cm", (label, *interval, *notes), color)
    if material.conductivity is not None:
        return _not_determined(material, sigma, notes)
    return None


def _not_determined(
    material: MaterialReport, sigma: Uncertain | None, notes: tuple[str, ...]
) -> Card:
    document = material.conductivity
    assert document is not None
    progress, step = progress_of(document), next_step(document)
    lines = ["conductivity at 300 K", *([progress] if progress else []), *_measured(material)]
    lines += [f"next: {step}"] if step else []
    fine = ""
    if isinstance(sigma, Bound):
        fine = f"one-sided 95 % bound at 300 K: {sigma.text} mS/cm"
    color = material.phase or "muted"
    return Card(material.name, NOT_DETERMINED, "", (*lines, *notes), color, fine, determined=False)


def _not_computed(material: MaterialReport) -> Card:
    command = f"vitrion run {material.formula}"
    command += f" --phase {material.phase}" if material.phase in RUN_PHASES else ""
    lines = ("conductivity at 300 K", f"next: {command}")
    color = material.phase or "muted"
    return Card(material.name, NOT_COMPUTED, "", lines, color, link="", determined=False)


def _measured(material: MaterialReport) -> list[str]:
    """Return the value at the coldest diffusive temperature, if there is one."""
    document = material.conductivity
    results = [] if document is None else document.results
    known = [r for r in results if r.diffusive and r.conductivity is not None]
    if not known:
        return []
    coldest = min(known, key=lambda result: result.temperature_K)
    assert coldest.conductivity is not None
    return [f"{coldest.conductivity.text} mS/cm at {coldest.temperature_K:.0f} K"]


def _ratio_card(names: str, ratio: Uncertain) -> Card:
    value, _, rest = ratio.text.partition(" (")
    label = "ratio of the conductivities at 300 K"
    if isinstance(ratio, Bound):
        word = "at least" if ratio.side == "lower" else "at most"
        text = f"{word} {number(ratio.limit)}"
        if ratio.side == "lower" and ratio.limit > 1.0:
            return Card(names, text, "times", (label, "one-sided bound of at least 90 %"), "muted")
        fine = f"one-sided bound of at least 90 %: {text} times"
        return Card(names, NOT_DETERMINED, "", (label,), "muted", fine, determined=False)
    return Card(names, value, "times", (label, f"95 %: {rest.rstrip(')')}"), "muted")
