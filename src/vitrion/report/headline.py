"""What stands at the top of the page: the figures to quote, and two materials side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.comparison.side_by_side import (
    activation_energy,
    compare,
    conductivity_300K,
    conductivity_ratio,
    figures_of,
)
from vitrion.report.tables import MISSING, Cell, Table, make_table, quantified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.comparison.side_by_side import ComparisonRow
    from vitrion.uncertainty import Bound, Estimate

Row = list[Cell | str]


@dataclass(frozen=True)
class Card:
    """A headline figure: what it is, its value, and what must be read with it."""

    label: str
    value: str
    unit: str
    notes: tuple[str, ...]
    color: str


def cards_of(reports: Sequence[MaterialReport]) -> list[Card]:
    """Return one card for each material, and one for the ratio of the first two."""
    cards = []
    for report in reports:
        energy, color = activation_energy(report), report.phase or "muted"
        notes = [] if energy is None else [f"activation energy {energy.text} eV"]
        sigma = conductivity_300K(report)
        if sigma is not None:
            cards.append(_sigma_card(report.name, sigma, notes, color))
        elif energy is not None:
            label = ("activation energy",)
            cards.append(Card(report.name, f"{energy.value:.2f}", "eV", label, color))
    if len(reports) > 1 and (ratio := conductivity_ratio(reports[0], reports[1])) is not None:
        cards.append(_ratio_card(_pair(reports, "over"), ratio))
    return cards


def overview_table(reports: Sequence[MaterialReport]) -> Table | None:
    """Return all figures of one material, or the first two side by side; None without any."""
    if len(reports) == 1:
        rows: list[Row] = [
            [f"{name} ({unit})" if unit else name, quantified(quantity)]
            for name, unit, quantity in figures_of(reports[0])
        ]
        heads = ["figure", f"{reports[0].name} #"]
        caption = "Figures, with 95 % intervals"
    else:
        rows = [_compared(row) for row in compare(reports[0], reports[1])]
        names = [f"{report.name} #" for report in reports[:2]]
        heads = ["figure", *names, f"{_pair(reports, 'against')} #", "the paper"]
        caption = "Side by side, with 95 % intervals"
    return make_table(caption, heads, rows, sortable=False) if rows else None


def _pair(reports: Sequence[MaterialReport], word: str) -> str:
    first, second = reports[:2]
    if first.formula == second.formula:
        return f"{second.phase_name} {word} {first.phase_name}"
    return f"{second.name} {word} {first.name}"


def _compared(row: ComparisonRow) -> Row:
    return [
        row.title,
        quantified(row.first),
        quantified(row.second),
        row.change_text,
        row.paper or MISSING,
    ]


def _sigma_card(name: str, sigma: Estimate | Bound, notes: Sequence[str], color: str) -> Card:
    value, _, rest = sigma.text.partition(" (")
    told = "conductivity at 300 K"
    if sigma.value is None:
        told += ", one-sided 95 % bound"
    interval = [f"95 %: {rest.rstrip(')')}"] if rest else []
    return Card(name, value, "mS/cm", (told, *interval, *notes), color)


def _ratio_card(names: str, ratio: Estimate | Bound) -> Card:
    value, _, rest = ratio.text.partition(" (")
    told = "ratio of the conductivities at 300 K"
    if ratio.value is None:
        return Card(names, value, "", (f"{told}, one-sided bound of 90 % at least",), "muted")
    return Card(names, f"x {value}", "", (told, f"95 %: {rest.rstrip(')')}"), "muted")
