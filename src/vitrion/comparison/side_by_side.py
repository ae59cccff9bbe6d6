"""Two materials, or two phases of one, figure by figure, beside what the paper has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vitrion.comparison.document import alike_at_300K
from vitrion.comparison.published import published_for
from vitrion.uncertainty import (
    Bound,
    Estimate,
    LinearEstimate,
    ReplicaMean,
    Uncertain,
    difference,
    number,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.defects.document import EnergyDistribution

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
    first, second : Estimate, LinearEstimate, Bound or None
        None where the material does not have it.
    change : Estimate, LinearEstimate, Bound or None
        The second over the first, or less the first, as `change_kind` says.
    change_kind : str
        ``ratio`` or ``difference``.
    paper : str
        What the paper has for it; empty where it has nothing, or is about another composition.
    """

    name: str
    unit: str
    first: Uncertain | None
    second: Uncertain | None
    change: Uncertain | None
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
        if isinstance(self.change, Bound):
            word = "least" if self.change.side == "lower" else "most"
            return f"at {word} x {number(self.change.limit)}"
        return f"x {self.change.text}"

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
        change = conductivity_ratio(a, b) if name == SIGMA else difference(second, first)
        if name == ENERGY and a.potentials != b.potentials:  # their zeros of energy differ
            change = None
        rows.append(ComparisonRow(name, unit, first, second, change, kind, papers.get(name, "")))
    return [row for row in rows if row.first is not None or row.second is not None]


def figures_of(report: MaterialReport) -> list[tuple[str, str, Uncertain]]:
    """Return name, unit and value of every figure that one material has."""
    found = [(name, unit, find(report)) for name, unit, find in FIGURES]
    return [(name, unit, quantity) for name, unit, quantity in found if quantity is not None]


def conductivity_ratio(a: MaterialReport, b: MaterialReport) -> Estimate | Bound | None:
    """Return the conductivity at 300 K of the second over that of the first, like by like."""
    if a.conductivity is None or b.conductivity is None:
        return None
    _, first, second = alike_at_300K(a.conductivity, b.conductivity)
    return ratio(second, first)


def conductivity_300K(report: MaterialReport) -> Estimate | Bound | None:
    """Return the conductivity in mS/cm at 300 K, or its bound."""
    return None if report.conductivity is None else report.conductivity.sigma_300K_or_bound


def activation_energy(report: MaterialReport) -> LinearEstimate | None:
    """Return the activation energy in eV."""
    document = report.conductivity
    if document is None or document.arrhenius is None or document.arrhenius.fit is None:
        return None
    return document.arrhenius.fit.activation_energy


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


def _of_landscape(field: str) -> Callable[[MaterialReport], LinearEstimate | None]:
    def find(report: MaterialReport) -> LinearEstimate | None:
        mean: ReplicaMean | None = getattr(report.landscape, field, None)
        return None if mean is None else _of_phase(mean.estimate, report)

    return find


def _overlap(report: MaterialReport) -> LinearEstimate | None:
    fraction = _of_landscape("overlap")(report)
    return None if fraction is None else fraction.within(0, 1)


def _of_defects(
    kind: str, figure: str, *, with_reservoir: bool = False
) -> Callable[[MaterialReport], Uncertain | None]:
    def find(report: MaterialReport) -> Uncertain | None:
        found: list[EnergyDistribution] = [
            getattr(document, kind)
            for document in report.defects
            if getattr(document, kind) is not None and (document.reservoir or not with_reservoir)
        ]
        return _mean([getattr(distribution, figure) for distribution in found], report)

    return find


def _lowest_insertion(report: MaterialReport) -> Uncertain | None:
    # The landscape counts from the annealed host, which a bare insertion does not.
    from_landscape = _of_landscape("insertion_energy_eV")(report)
    return from_landscape or _of_defects("insertion", "minimum_eV", with_reservoir=True)(report)


def _density(report: MaterialReport) -> Uncertain | None:
    if report.sound_glasses and report.phase == "amorphous":
        return _mean([glass.density_relaxed_g_per_cm3 for glass in report.sound_glasses], report)
    if report.best_crystal is not None:
        return _exact(report.best_crystal.density_g_per_cm3)
    document = report.conductivity
    found = [] if document is None or document.density is None else [document.density]
    return _mean(found, report)


def _energy(report: MaterialReport) -> Uncertain | None:
    if report.best_crystal is not None:
        return _exact(report.best_crystal.energy_per_atom_eV)
    glasses = report.sound_glasses if report.phase == "amorphous" else ()
    energies = [glass.energy_eV_per_atom for glass in glasses]
    return _mean([energy for energy in energies if energy is not None], report)


def _mean(values: Sequence[float], report: MaterialReport) -> LinearEstimate | None:
    """Return the mean over replicas; None without any."""
    return _of_phase(ReplicaMean.of(values).estimate, report) if values else None


def _of_phase(found: LinearEstimate, report: MaterialReport) -> LinearEstimate:
    """Return an estimate; that of a single crystal is exact, that of a single glass is not."""
    return found.or_exact if report.phase == "crystalline" else found


def _exact(value: float) -> LinearEstimate:
    return LinearEstimate(value=value, error=0.0)


FIGURES: tuple[tuple[str, str, Callable[[MaterialReport], Uncertain | None]], ...] = (
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
