"""Comparison of materials, such as the crystal and the glass of one composition."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from vitrion.comparison.cautions import cautions_of
from vitrion.comparison.document import comparable_at_300K
from vitrion.comparison.landscapes import compare_landscapes
from vitrion.comparison.published import published_for
from vitrion.comparison.tables import MISSING, Cell, make_table, measured, quantified
from vitrion.errors import InputError
from vitrion.materials.material import MaterialReport, potentials_of
from vitrion.materials.quantities import QUANTITIES
from vitrion.uncertainty import Bound, Estimate, Uncertain, difference, number, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.comparison.cautions import Caution
    from vitrion.comparison.landscapes import LandscapeClaim
    from vitrion.comparison.tables import Table


@dataclass(frozen=True)
class ComparisonRow:
    """One quantity of all compared materials.

    Attributes
    ----------
    key : str
        Public name, such as ``sigma_300K``.
    name, unit : str
        Display name and unit.
    values : tuple of Estimate, LinearEstimate, Bound or None
        One value per material; None if absent.
    change : Estimate, LinearEstimate, Bound or None
        Ratio of the second to the first, or second minus first, by `change_kind`.
    change_kind : {"ratio", "difference"}
    paper : str
        Published value; empty if there is none.
    """

    key: str
    name: str
    unit: str
    values: tuple[Uncertain | None, ...]
    change: Uncertain | None = None
    change_kind: Literal["ratio", "difference"] = "difference"
    paper: str = ""

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def change_text(self) -> str:
        """The change as text: ``x 1000 (300 to 3300)``, ``at least x 50``, ``-0.21``."""
        if self.change is None:
            return MISSING
        if self.change_kind == "difference":
            sign = "+" if (self.change.value or 0) > 0 else ""
            return sign + self.change.text
        if isinstance(self.change, Bound):
            word = "least" if self.change.side == "lower" else "most"
            return f"at {word} x {number(self.change.limit)}"
        return f"x {self.change.text}"

    def cells(self) -> tuple[str, ...]:
        """Return name with unit, values, change and published value as text."""
        values = (MISSING if value is None else value.text for value in self.values)
        return self.title, *values, self.change_text, self.paper or MISSING


@dataclass(frozen=True)
class Comparison:
    """Comparison of materials: quantities, tests of landscapes, cautions.

    Attributes
    ----------
    materials : tuple of MaterialReport
    rows : tuple of ComparisonRow
        Quantities of at least one material, with 95 % intervals; a ratio to a bound holds with a
        probability of at least 90 %.
    claims : tuple of LandscapeClaim
        Tests of whether the landscape of the glass is flatter.
    cautions : tuple of Caution
        Sorted by severity.
    """

    materials: tuple[MaterialReport, ...]
    rows: tuple[ComparisonRow, ...]
    claims: tuple[LandscapeClaim, ...]
    cautions: tuple[Caution, ...]

    def row(self, key: str) -> ComparisonRow | None:
        """Return the row of a quantity by its public name; None if no material has it."""
        return next((row for row in self.rows if row.key == key), None)

    @property
    def names(self) -> str:
        """Both materials as text: ``glass against crystal``."""
        return pair_of(self.materials, "against")

    @property
    def table(self) -> Table:
        """The quantities, their changes and the published values as a table."""
        heads = ["quantity", *(f"{material.name} #" for material in self.materials)]
        caption = "Quantities, with 95 % intervals"
        if len(self.materials) > 1:
            heads.append(f"{self.names} #")
            caption = "Side by side, with 95 % intervals"
        heads.append("the paper")
        rows: list[list[Cell | str]] = [
            [
                row.title,
                *(quantified(value) for value in row.values),
                *([row.change_text] if len(self.materials) > 1 else []),
                row.paper or MISSING,
            ]
            for row in self.rows
        ]
        return make_table(caption, heads, rows, sortable=False)

    @property
    def potentials(self) -> tuple[str, ...]:
        """One sentence per potential of the documents."""
        return tuple(
            f"Potential {spec.name} {spec.version} ({spec.functional}), trained on "
            f"{spec.training_set}."
            for spec in potentials_of(self.materials)
        )

    @property
    def claim_table(self) -> Table:
        """The tests of the landscapes as a table; without rows if there are none."""
        heads = ("quantity", "crystal #", "glass #", "error of the difference #", "p #", "claim")
        rows: list[list[Cell | str]] = [
            [
                claim.title,
                measured(claim.crystal, ".3f"),
                measured(claim.glass, ".3f"),
                measured(claim.error, ".3f"),
                measured(claim.p_value, ""),
                f"{claim.claim} in the glass: {claim.verdict}",
            ]
            for claim in self.claims
        ]
        return make_table("Is the glass flatter? One-sided tests at 95 %", heads, rows)

    def _repr_html_(self) -> str:
        """Show the table and the cautions in a notebook."""
        items = "".join(
            f"<li>{caution.severity}: {escape(caution.sentence)}</li>"
            for caution in self.cautions
            if caution.severity != "good"
        )
        return self.table._repr_html_() + (f"<ul>{items}</ul>" if items else "")


def compare(
    *materials: MaterialReport, failed_steps: Mapping[str, str] | None = None
) -> Comparison:
    """Compare materials; quantities that none of them has are skipped.

    Parameters
    ----------
    *materials : MaterialReport
        Materials, such as the crystal and the glass of one composition, in this order. The second
        is compared with the first; others are only shown.
    failed_steps : mapping of str to str, optional
        Failed steps of the run and their errors, for the cautions.

    Raises
    ------
    InputError
        If no material is given, or an object is not a MaterialReport.
    """
    if not materials:
        raise InputError("A comparison needs at least one material.")
    for material in materials:
        if not isinstance(material, MaterialReport):
            raise InputError(
                f"A {type(material).__name__} cannot be compared: give reports of materials, from "
                "find_reports(client, identifier) or MaterialReport.from_documents(documents)."
            )
    papers = _paper_column(materials)
    rows = []
    for quantity in QUANTITIES:
        values = tuple(quantity.find(material) for material in materials)
        if all(value is None for value in values):
            continue
        kind: Literal["ratio", "difference"] = (
            "ratio" if quantity.key == "sigma_300K" else "difference"
        )
        change = _change(quantity.key, values, materials) if len(materials) > 1 else None
        paper = papers.get(quantity.key, "")
        rows.append(
            ComparisonRow(quantity.key, quantity.name, quantity.unit, values, change, kind, paper)
        )
    return Comparison(
        materials,
        tuple(rows),
        tuple(_claims(materials)),
        tuple(cautions_of(materials, failed_steps)),
    )


def conductivity_ratio(a: MaterialReport, b: MaterialReport) -> Estimate | Bound | None:
    """Return the conductivity ratio at 300 K, second to first, by the same formula."""
    if a.conductivity is None or b.conductivity is None:
        return None
    _, first, second = comparable_at_300K(a.conductivity, b.conductivity)
    return ratio(second, first)


def pair_of(materials: Sequence[MaterialReport], word: str) -> str:
    """Return both materials as text, the second first: ``glass against crystal``."""
    if len(materials) < 2:
        return materials[0].name
    first, second = materials[:2]
    if first.formula == second.formula and first.phase != second.phase:
        return f"{second.phase_name} {word} {first.phase_name}"
    return f"{second.name} {word} {first.name}"


def _change(
    key: str, values: Sequence[Uncertain | None], materials: Sequence[MaterialReport]
) -> Uncertain | None:
    first, second = materials[:2]
    if key == "sigma_300K":
        return conductivity_ratio(first, second)
    if key == "energy_eV_per_atom" and first.potentials != second.potentials:
        return None  # their zeros of energy differ
    return difference(values[1], values[0])


def _claims(materials: Sequence[MaterialReport]) -> list[LandscapeClaim]:
    found = [m for m in materials if m.landscape is not None][:2]
    if [material.phase for material in found] != ["crystalline", "amorphous"]:
        return []
    crystal, glass = (material.landscape for material in found)
    if crystal is None or glass is None or crystal.mobile_species != glass.mobile_species:
        return []
    return compare_landscapes(crystal, glass)


def _paper_column(materials: Sequence[MaterialReport]) -> dict[str, str]:
    """Return the published values by quantity, if all materials have its composition."""
    formulas = {material.formula for material in materials}
    paper = published_for(formulas.pop()) if len(formulas) == 1 and len(materials) > 1 else None
    if paper is None:
        return {}
    return {
        "sigma_300K": f"glass about {paper.glass_conductivity_300K_mS_cm:g}; "
        f"ratio about {paper.conductivity_ratio:g}",
        "activation_energy_eV": f"glass about {paper.glass_activation_energy_eV:.2f}",
        "ionic_interstitial_energy_eV": paper.interstitial,
        "lowest_interstitial_energy_eV": paper.interstitial,
        "landscape_gap_eV": paper.landscape,
    }
