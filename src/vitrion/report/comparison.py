"""Two materials, or two phases of one, figure by figure, beside what the paper has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vitrion.documents.comparison import alike_at_300K
from vitrion.report.published import published_for
from vitrion.report.quantity import Quantity, difference_of, mean_of, number, ratio_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitrion.documents.energies import EnergyDistribution
    from vitrion.documents.landscape import Spread
    from vitrion.report.material import MaterialReport
    from vitrion.transport.result import Estimate

SIGMA = "conductivity at 300 K"
ACTIVATION = "activation energy"
GAP = "landscape gap, empty above occupied"
ENERGY = "energy"
INSERTION = "lowest insertion energy at 0 V"


@dataclass(frozen=True)
class ComparisonRow:
    """One figure of two materials.

    Attributes
    ----------
    name, unit : str
    first, second : Quantity or None
        None where the material does not have it.
    change : Quantity or None
        The second over the first, or less the first, as `change_kind` says.
    change_kind : str
        ``ratio`` or ``difference``.
    paper : str
        What the paper has for it; empty where it has nothing, or is about another composition.
    """

    name: str
    unit: str
    first: Quantity | None
    second: Quantity | None
    change: Quantity | None
    change_kind: Literal["ratio", "difference"]
    paper: str = ""

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def change_text(self) -> str:
        """The change in words: ``x 1000 (300 to 3300)``, ``at least x 50``, ``-0.21``."""
        if self.change is None:
            return "-"
        if self.change_kind == "difference":
            sign = "+" if (self.change.value or 0) > 0 else ""
            return sign + self.change.text
        if self.change.value is not None:
            return f"x {self.change.text}"
        if self.change.low is not None:
            return f"at least x {number(self.change.low)}"
        return "-" if self.change.high is None else f"at most x {number(self.change.high)}"

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return name with unit, both figures, the change and the paper's, as text."""
        first, second = ("-" if q is None else q.text for q in (self.first, self.second))
        return self.title, first, second, self.change_text, self.paper or "-"


def compare(a: MaterialReport, b: MaterialReport) -> list[ComparisonRow]:
    """Set two materials side by side; a figure that neither has is left out.

    Parameters
    ----------
    a, b : MaterialReport
        Such as the crystal and the glass of one composition, in this order.

    Returns
    -------
    list of ComparisonRow
        Conductivity at 300 K, activation energy, defects, landscape, density and energy. Intervals
        are of 95 %; a ratio against a bound holds with 90 % at least.
    """
    papers = _paper_column(a, b)
    rows = []
    for name, unit, find in FIGURES:
        first, second = find(a), find(b)
        kind: Literal["ratio", "difference"] = "ratio" if name == SIGMA else "difference"
        change = conductivity_ratio(a, b) if name == SIGMA else difference_of(first, second)
        if name == ENERGY and a.potentials != b.potentials:  # their zeros of energy differ
            change = None
        rows.append(ComparisonRow(name, unit, first, second, change, kind, papers.get(name, "")))
    return [row for row in rows if row.first is not None or row.second is not None]


def figures_of(report: MaterialReport) -> list[tuple[str, str, Quantity]]:
    """Return name, unit and value of every figure that one material has."""
    found = [(name, unit, find(report)) for name, unit, find in FIGURES]
    return [(name, unit, quantity) for name, unit, quantity in found if quantity is not None]


def conductivity_ratio(a: MaterialReport, b: MaterialReport) -> Quantity | None:
    """Return the conductivity at 300 K of the second over that of the first, like by like."""
    if a.conductivity is None or b.conductivity is None:
        return None
    _, (first, first_bound), (second, second_bound) = alike_at_300K(a.conductivity, b.conductivity)
    return ratio_of(first, second, first_bound, second_bound)


def conductivity_300K(report: MaterialReport) -> Quantity | None:
    """Return the conductivity in mS/cm at 300 K, or its bound."""
    estimate, bound = _conductivity(report)
    if estimate is not None:
        return Quantity.from_estimate(estimate)
    return None if bound is None else Quantity(high=bound)


def activation_energy(report: MaterialReport) -> Quantity | None:
    """Return the activation energy in eV."""
    document = report.conductivity
    if document is None or document.arrhenius is None or document.arrhenius.fit is None:
        return None
    return Quantity.barrier_of(document.arrhenius.fit)


def _conductivity(report: MaterialReport) -> tuple[Estimate | None, float | None]:
    document = report.conductivity
    if document is None:
        return None, None
    return document.conductivity_300K, document.conductivity_bound_300K


def _paper_column(a: MaterialReport, b: MaterialReport) -> dict[str, str]:
    """Return what the paper has for each figure, if both are phases of its composition."""
    paper = published_for(b.formula) if a.formula == b.formula else None
    if paper is None:
        return {}
    return {
        SIGMA: f"glass about {paper.glass_conductivity_300K_mS_cm:g}; "
        f"ratio about {paper.conductivity_ratio:g}",
        ACTIVATION: f"glass about {paper.glass_activation_energy_eV:.2f}",
        INSERTION: paper.insertion,
        GAP: paper.landscape,
    }


def _of_landscape(field: str) -> Callable[[MaterialReport], Quantity | None]:
    def find(report: MaterialReport) -> Quantity | None:
        spread: Spread | None = getattr(report.landscape, field, None)
        return None if spread is None else Quantity.from_spread(spread)

    return find


def _overlap(report: MaterialReport) -> Quantity | None:
    fraction = _of_landscape("overlap")(report)
    return None if fraction is None else fraction.within(0, 1)


def _of_defects(
    kind: str, figure: str, *, with_reservoir: bool = False
) -> Callable[[MaterialReport], Quantity | None]:
    def find(report: MaterialReport) -> Quantity | None:
        found: list[EnergyDistribution] = [
            getattr(document, kind)
            for document in report.defects
            if getattr(document, kind) is not None and (document.reservoir or not with_reservoir)
        ]
        return mean_of([getattr(distribution, figure) for distribution in found])

    return find


def _lowest_insertion(report: MaterialReport) -> Quantity | None:
    # The landscape counts from the annealed host, which a bare insertion does not.
    from_landscape = _of_landscape("insertion_energy_eV")(report)
    return from_landscape or _of_defects("insertion", "minimum_eV", with_reservoir=True)(report)


def _density(report: MaterialReport) -> Quantity | None:
    if report.sound_glasses and report.phase == "amorphous":
        return mean_of([glass.density_relaxed_g_per_cm3 for glass in report.sound_glasses])
    if report.best_crystal is not None:
        return Quantity(report.best_crystal.density_g_per_cm3)
    document = report.conductivity
    return None if document is None or document.density is None else Quantity(document.density)


def _energy(report: MaterialReport) -> Quantity | None:
    if report.best_crystal is not None:
        return Quantity(report.best_crystal.energy_per_atom_eV)
    glasses = report.sound_glasses if report.phase == "amorphous" else ()
    energies = [glass.energy_eV_per_atom for glass in glasses]
    return mean_of([energy for energy in energies if energy is not None])


FIGURES: tuple[tuple[str, str, Callable[[MaterialReport], Quantity | None]], ...] = (
    (SIGMA, "mS/cm", conductivity_300K),
    (ACTIVATION, "eV", activation_energy),
    ("Frenkel pair energy, mean", "eV", _of_defects("frenkel", "mean_eV")),
    ("Frenkel pair energy, lowest", "eV", _of_defects("frenkel", "minimum_eV")),
    (INSERTION, "eV", _lowest_insertion),
    ("vacancy energy at 0 V, mean", "eV", _of_defects("vacancy", "mean_eV", with_reservoir=True)),
    (GAP, "eV", _of_landscape("gap_eV")),
    ("landscape overlap, empty below occupied", "", _overlap),
    ("percolating barrier", "eV", _of_landscape("percolating_barrier_eV")),
    ("spread of removal energies", "eV", _of_landscape("removal_spread_eV")),
    ("density of the structure", "g/cm3", _density),
    (ENERGY, "eV/atom", _energy),
)
"""Every figure that materials are compared by: its name, unit, and where it is found."""
