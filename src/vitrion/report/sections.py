"""The sections of the page, with their figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vitrion.amorphous.document import numbered
from vitrion.amorphous.order import ORDERED_ABOVE
from vitrion.amorphous.pair_distributions import mean_distributions
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import MISSING, Cell, Table, make_table, measured, quantified
from vitrion.comparison.temperatures import temperature_table
from vitrion.report.figures.candidates import candidate_figure
from vitrion.report.figures.defect_energies import barrier_figure, defect_figure, voltage_figure
from vitrion.report.figures.glass_structure import pair_figure, speciation_figure
from vitrion.report.figures.ion_transport import arrhenius_figure, msd_figure, spatial_figure
from vitrion.report.figures.site_energy_levels import landscapes_of
from vitrion.report.typeset import screw
from vitrion.runtime.counts import counted
from vitrion.transport.constants import ROOM_K

if TYPE_CHECKING:
    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.comparison.side_by_side import Comparison
    from vitrion.defects.document import EnergyDistribution
    from vitrion.materials.material import MaterialReport
    from vitrion.polymorphs.document import Polymorph
    from vitrion.report.panels import Figure

Row = list[Cell | str]
Reports = Sequence["MaterialReport"]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name : str
        Anchor.
    title, text : str
    figures : tuple of Figure
    tables : tuple of Table
    command : str
        Command that computes the content of an empty section.
    """

    name: str
    title: str
    text: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = field(default=())
    command: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the section is empty."""
        return not self.figures and not self.tables


def sections_of(comparison: Comparison) -> list[Section]:
    """Return all sections of a page on materials, including empty ones."""
    reports = comparison.materials
    return [
        transport_section(reports),
        glass_section(reports),
        candidate_section(reports),
        landscape_section(comparison),
        defect_section(reports),
    ]


def figures_of(reports: Reports) -> list[Figure]:
    """Return all figures with data of these materials."""
    return [figure for section in sections_of(compare(*reports)) for figure in section.figures]


def transport_section(reports: Reports) -> Section:
    """Return Arrhenius, MSDs, motion in space, and the table of all temperatures."""
    table = temperature_table(reports)
    return Section(
        "transport",
        "Ion transport",
        "Diffusivity and conductivity at each temperature, and their extrapolation to 300 K.",
        _some(arrhenius_figure(reports), msd_figure(reports), spatial_figure(reports)),
        (table,) if table.rows else (),
        f"vitrion run {reports[0].formula}",
    )


def glass_section(reports: Reports) -> Section:
    """Return pair distributions, speciation, and the table of the replicas."""
    glasses = [
        (f"{report.name} {number}", glass)
        for report in reports
        for number, glass in numbered(report.glasses)
    ]
    heads = ("replica", "verdict", "equilibrated (g/cm3) #", "relaxed (g/cm3) #", "self-overlap #",
             "Bragg peak #", "cooling (K/ps) #", "glass transition (K) #", "energy (eV/atom) #",
             "formers")  # fmt: skip
    tables = [
        make_table("Replicas of the glass", heads, [_glass_row(*item) for item in glasses]),
        make_table(
            "First neighbor shells, of g(r) averaged over the replicas",
            ("pair X-Y", "distance (A) #", "X around Y #", "Y around X #"),
            [
                row
                for r in reports
                if r.amorphous_replicas
                for row in _shell_rows(r.amorphous_replicas)
            ],
        ),
    ]
    return Section(
        "glass",
        "The glass",
        "Preparation of each replica, verdict on whether it is amorphous, and speciation. A "
        "replica is amorphous if no isometry maps most of its framework onto itself and it has no "
        f"Bragg peak above {ORDERED_ABOVE:g}.",
        _some(pair_figure(reports), speciation_figure(reports)),
        tuple(tables if glasses else ()),
        f"vitrion run {reports[0].formula} --phase amorphous",
    )


def _glass_row(name: str, glass: AmorphousDoc) -> Row:
    return [
        Cell(name, is_formula=True),
        "amorphous" if glass.is_amorphous else "not amorphous",
        quantified(glass.density_equilibrated),
        measured(glass.density_relaxed_g_per_cm3),
        measured(glass.order_overlap),
        measured(glass.bragg_intensity),
        measured(glass.quench_rate_K_per_ps, ""),
        quantified(glass.glass_transition),
        measured(glass.energy_eV_per_atom, ".3f"),
        Cell(glass.speciation.text or MISSING, is_formula=True),
    ]


def _shell_rows(glasses: Sequence[AmorphousDoc]) -> list[Row]:
    mean = mean_distributions([glass.distributions() for glass in glasses])
    rows: list[Row] = []
    for first, second in mean.g:
        shell = mean.first_shell(first, second)
        if shell is not None:
            around = ((second, first), (first, second))
            numbers = [mean.coordination(center, other, shell[1]) for center, other in around]
            texts = (measured(n, ".1f" if n > 0.95 else ".2f") for n in numbers)
            rows.append([f"{first}-{second}", measured(shell[0]), *texts])
    return rows


def candidate_section(reports: Reports) -> Section:
    """Return the ranking of the crystals of a search."""
    document = next((r.polymorphs for r in reports if r.polymorphs is not None), None)
    section = Section(
        "candidates",
        "Candidate crystals",
        "Crystals of this composition by energy, from a search that used nothing but the "
        "composition.",
        command=f"vitrion search {reports[0].formula}",
    )
    if document is None or not document.polymorphs:
        return section
    heads = ("rank", "space group", "above hull (eV/atom) #", "above the best (eV/atom) #",
             "density (g/cm3) #", "volume (A3/atom) #", "coordination", "times found #",
             "found by")  # fmt: skip
    rows = [_crystal_row(rank, crystal) for rank, crystal in enumerate(document.polymorphs, 1)]
    tables = [make_table("Ranking of the candidates", heads, rows)]
    if document.references:
        tables.append(
            make_table(
                "Phases of the hull, relaxed with the same potential",
                ("phase", "formula", "energy (eV/atom) #"),
                [
                    [
                        r.name,
                        Cell(r.formula, is_formula=True),
                        measured(r.energy_eV_per_atom, ".3f"),
                    ]
                    for r in document.references
                ],
            )
        )
    relaxed = counted(document.n_relaxations, "candidate was", "candidates were")
    ends = f"{relaxed} relaxed; the search stopped because "
    return Section(
        section.name,
        section.title,
        f"{section.text} {ends}{document.stop_reason}.",
        _some(candidate_figure(reports)),
        tuple(tables),
    )


def _crystal_row(rank: int, crystal: Polymorph) -> Row:
    group = crystal.space_groups[-1] if crystal.space_groups else None
    around = [
        f"{element}: {', '.join(kinds)}" for element, kinds in crystal.coordination.items() if kinds
    ]
    return [
        measured(rank, "d"),
        Cell(MISSING)
        if group is None
        else Cell(f"{screw(group.symbol)} ({group.number})", group.number),
        measured(crystal.energy_above_hull_eV_per_atom, "z.3f"),
        measured(crystal.energy_above_best_eV_per_atom, "z.3f"),
        measured(crystal.density_g_per_cm3),
        measured(crystal.volume_per_atom_A3),
        Cell("; ".join(around) or MISSING, is_formula=True),
        measured(crystal.times_found, "d"),
        ", ".join(f"{name} {count}" for name, count in crystal.found_by.items()),
    ]


def landscape_section(comparison: Comparison) -> Section:
    """Return the site-energy landscapes and the tests of which is flatter."""
    reports, table = comparison.materials, comparison.claim_table
    return Section(
        "landscape",
        "Site-energy landscape",
        "Site energies of crystal and glass: the energy of the mobile ion on empty sites, and the "
        "barriers between sites.",
        _some(landscapes_of(reports)),
        (table,) if table.rows else (),
        f"vitrion run {reports[0].formula}",
    )


def defect_section(reports: Reports) -> Section:
    """Return defect energies, barriers, and their table."""
    kinds = (
        ("Frenkel pair, far apart", "frenkel_energy_eV"),
        ("Frenkel pair, close", "near_frenkel_energy_eV"),
        ("interstitial", "interstitial_energy_eV"),
        ("vacancy", "vacancy_energy_eV"),
    )
    rows = [
        _defect_row(f"{report.name} {number}", label, getattr(document, kind))
        for report in reports
        for number, document in enumerate(report.defects, start=1)
        for label, kind in kinds
        if getattr(document, kind) is not None
    ]
    heads = ("host", "defect", "sites #", "lowest (eV) #", "mean (eV) #", "scatter (eV) #",
             "Boltzmann, 300 K (eV) #")  # fmt: skip
    table = make_table("Energies of the defects", heads, rows)
    return Section(
        "defects",
        "Defects and barriers",
        "Energies of the relaxed defects of the mobile ion. The Frenkel pair needs no reservoir "
        "and is the primary quantity; interstitials and vacancies are relative to the metal (0 V), "
        "if known. Energies are relative to the relaxed host; the interstitial energy of a "
        "landscape, in the overview, is relative to the annealed host.",
        _some(defect_figure(reports), voltage_figure(reports), barrier_figure(reports)),
        (table,) if rows else (),
        f"vitrion run {reports[0].formula}",
    )


def _defect_row(host: str, label: str, found: EnergyDistribution) -> Row:
    at_room = min(found.boltzmann, key=lambda b: abs(b.temperature_K - ROOM_K), default=None)
    near = at_room is not None and abs(at_room.temperature_K - ROOM_K) < 10.0
    return [
        Cell(host, is_formula=True),
        label,
        measured(found.n, "d"),
        measured(found.minimum_eV),
        measured(found.mean_eV),
        measured(found.std_eV),
        measured(at_room.energy_eV if at_room is not None and near else None),
    ]


def _some(*figures: Figure | None) -> tuple[Figure, ...]:
    return tuple(figure for figure in figures if figure is not None)
