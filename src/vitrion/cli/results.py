"""The tables and sentences that the commands end with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from vitrion.amorphous.document import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.amorphous.speciation import Speciation
    from vitrion.comparison.document import ComparisonDoc
    from vitrion.comparison.material import MaterialReport
    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.flows.request import RunRequest, RunResult
    from vitrion.flows.screen import Outcome
    from vitrion.polymorphs.document import PolymorphDoc, Stability
    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate

Coordination = dict[str, dict[str, float]]

SOFT_PER_CM = 15.0
"""Imaginary frequencies up to it are errors of finite displacements."""

BEST = 5
"""Crystals of a search that are shown."""

PHASES = {"crystalline": "crystal", "amorphous": "glass"}


def print_result(console: Console, request: RunRequest, result: RunResult, folder: Path) -> None:
    """Print all that a run has found: details first, what it comes down to last."""
    if not (result.report.completed or result.report.errors):
        console.print("This run was finished before; its results:")
    found = result.the("polymorphs")
    if found is not None:
        console.print(polymorph_table(found, BEST))
    glasses = result.of_kind("amorphous")
    if glasses:
        console.print(_glass_table(glasses))
    for document in result.of_kind("conductivity"):
        console.print(_transport_table(document))
    reports = phase_reports(result)
    table = comparison_table(*reports) if len(reports) == 2 else figure_table(reports[0])
    console.print(table)
    for line in _verdicts(result.the("comparison")):
        console.print(line, highlight=False, soft_wrap=True)
    console.print("How much to trust it", style="bold")
    for line in trust_lines(result):
        console.print(f"- {line}", highlight=False, soft_wrap=True)
    console.print(
        f"All of it as a page: vitrion report {request.formula} --store {folder}",
        highlight=False,
        soft_wrap=True,
    )


def print_screen(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print one line for each composition and phase, the best conductor first."""
    from vitrion.comparison.side_by_side import activation_energy, conductivity_300K

    table = Table("material", "sigma(300 K) (mS/cm)", "Ea (eV)", title="Screen (95 % intervals)")
    rows = []
    for outcome in outcomes:
        for report in phase_reports(outcome.result) if outcome.result else []:
            sigma, barrier = conductivity_300K(report), activation_energy(report)
            rank = 0.0 if sigma is None else (sigma.value or 0.0)
            texts = ("-" if q is None else q.text for q in (sigma, barrier))
            rows.append((rank, (report.name, *texts)))
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*cells)
    console.print(table)
    for outcome in outcomes:
        if outcome.error:
            console.print(
                f"{outcome.request.formula}: {outcome.error}", highlight=False, soft_wrap=True
            )


def comparison_table(first: MaterialReport, second: MaterialReport) -> Table:
    """Return two materials side by side, with what the paper has."""
    from vitrion.comparison.side_by_side import compare

    rows: list[tuple[str, ...]] = [row.cells() for row in compare(first, second)]
    columns = ["", first.name, second.name, "change", "paper"]
    if not any(row[-1] != "-" for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    table = Table(*columns, title=f"{first.name} against {second.name} (95 % intervals)")
    for row in rows:
        table.add_row(*row)
    return table


def figure_table(report: MaterialReport) -> Table:
    """Return the figures of one material."""
    from vitrion.comparison.side_by_side import figures_of

    table = Table("", report.name, title=f"{report.name} (95 % intervals)")
    for name, unit, quantity in figures_of(report):
        table.add_row(f"{name} ({unit})" if unit else name, quantity.text)
    return table


def phase_reports(result: RunResult) -> list[MaterialReport]:
    """Return what the run has of each phase, the crystal first."""
    from vitrion.comparison.material import MaterialReport

    return [
        MaterialReport.from_documents(found)
        for phase in PHASES
        if (found := [d for kind in result.documents for d in result.of_kind(kind, phase)])
    ]


def polymorph_table(document: PolymorphDoc, most: int) -> Table:
    """Return the most stable crystals of a search."""
    table = Table("rank", "space group", "E above hull (eV/atom)", "density (g/cm3)", "found")
    table.title = f"Crystals, after {document.n_relaxations} relaxations: {document.stop_reason}"
    for rank, crystal in enumerate(document.polymorphs[:most], start=1):
        above = crystal.energy_above_hull_eV_per_atom
        table.add_row(
            str(rank),
            crystal.space_groups[-1].symbol if crystal.space_groups else "-",
            "-" if above is None else f"{above:.3f}",
            f"{crystal.density_g_per_cm3:.2f}",
            str(crystal.times_found),
        )
    return table


def stability_line(found: Stability) -> str:
    """Say what the tests of the best crystal came to."""
    soft = found.lowest_phonon_per_cm < -SOFT_PER_CM
    kept = all(_alike(found.coordination_before, later) for later in found.coordination_during)
    return (
        f"Best crystal: {'a soft mode' if soft else 'no soft mode'} (lowest phonon "
        f"{found.lowest_phonon_per_cm:.0f} 1/cm, {found.n_atoms} atoms); after "
        f"{found.duration_ps:g} ps at {found.temperature_K:g} K its bonds have "
        f"{'stayed' if kept else 'changed'}."
    )


def _alike(before: Coordination, later: Coordination) -> bool:
    """Whether every element has the same commonest neighbors."""
    return all(
        max(shells, key=shells.__getitem__) == max(later[element], key=later[element].__getitem__)
        for element, shells in before.items()
        if shells and later.get(element)
    )


def _glass_table(glasses: Sequence[AmorphousDoc]) -> Table:
    heads = ("glass", "verdict", "density, equilibrated (g/cm3)", "species of the formers")
    table = Table(*heads, title="Glasses")
    for number, glass in numbered(glasses):
        verdict = "amorphous" if glass.is_amorphous else "NOT amorphous"
        density = glass.density_equilibrated_g_per_cm3
        table.add_row(
            str(number),
            verdict,
            "-" if density is None else f"{density:.2f}",
            _species(glass.speciation),
        )
    return table


def _species(speciation: Speciation) -> str:
    """Write down the surroundings of all formers, then bridges and loose ligands."""
    counts = [count for kinds in speciation.centers.values() for count in kinds.items()]
    words = [f"{n} {name}" for name, n in sorted(counts, key=lambda item: -item[1])]
    words += [f"{n} {name}" for name, n in speciation.bridges.items()]
    return ", ".join(words + [f"{n} loose {name}" for name, n in speciation.loose.items()])


def _transport_table(document: ConductivityDoc) -> Table:
    table = Table("T (K)", "D* (cm2/s)", "95 %", "sigma (mS/cm)", "95 %", "Haven", "hops")
    phase = PHASES.get(document.phase or "", "material")
    table.title = f"Transport in the {phase} (interval, or upper bound where nothing diffuses)"
    for result in document.results:
        diffusivity = _cells(result.self_diffusivity, result.diffusivity_bound_cm2_s)
        conductivity = _cells(result.conductivity, result.conductivity_bound_mS_cm)
        haven = "-" if result.haven_ratio is None else f"{result.haven_ratio.value:.2f}"
        table.add_row(
            f"{result.temperature_K:g}", *diffusivity, *conductivity, haven, _hops(result)
        )
    return table


def _hops(result: TransportResult) -> str:
    floor = result.hops.relative_error_floor
    return f"{result.hops.n_hops} (error >= {floor:.0%})" if result.hops.n_hops else "0"


def _cells(estimate: Estimate | None, bound: float | None) -> tuple[str, str]:
    if estimate is not None:
        low, high = estimate.interval_95
        return f"{estimate.value:.2e}", f"{low:.1e} to {high:.1e}"
    return ("-", "") if bound is None else (f"< {bound:.1e}", "95 % bound")


def _verdicts(document: ComparisonDoc | None) -> list[str]:
    """Say what the landscapes prove of the claim that the glass is flatter and easier to fill."""
    if document is None:
        return []
    return [
        f"The glass has the {claim.claim} {claim.quantity.removesuffix('_eV').replace('_', ' ')}: "
        f"{claim.verdict} ({claim.glass:.2f} against {claim.crystal:.2f}"
        + (")" if claim.p_value is None else f", p = {claim.p_value:.2g})")
        for claim in document.claims
    ]


def trust_lines(result: RunResult) -> list[str]:
    """Say in sentences what limits the result."""
    lines = [f"The step '{name}' failed: {error}" for name, error in result.report.errors.items()]
    for number, glass in numbered(result.of_kind("amorphous")):
        lines += [f"Glass {number}: {remark}" for remark in glass.remarks]
    for document in result.of_kind("conductivity"):
        lines += _trust_conductivity(document)
    measured = result.the("conductivity")
    potential = measured and measured.provenance.potential
    if potential is not None:
        lines.append(
            f"Potential {potential.name} {potential.version} ({potential.functional}); trained on "
            f"{potential.training_set}."
        )
    return lines


def _trust_conductivity(document: ConductivityDoc) -> list[str]:
    phase = PHASES.get(document.phase or "", "material").capitalize()
    lines = [] if document.arrhenius is None else [*document.arrhenius.refusals]
    lines += document.remarks
    if document.trust is not None:
        lines.append(document.trust.statement)
    for at in document.results:
        lines += [f"{at.temperature_K:g} K: {warning}" for warning in at.warnings]
    lines += [f"Run {name} failed: {error}" for name, error in document.failures.items()]
    if document.plan is not None:
        lines.append(document.plan.reason)
    return [f"{phase}: {line}" for line in lines]
