"""The trust panel: every reason to doubt a figure of the page, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vitrion.amorphous.document import numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.documents.base import VitrionDoc

Verdict = Literal["good", "caution", "doubt"]


@dataclass(frozen=True)
class Statement:
    """One thing to know before a figure is trusted.

    Attributes
    ----------
    verdict : str
        ``good``, ``caution`` or ``doubt``.
    about : str
        Material and step.
    text : str
    """

    verdict: Verdict
    about: str
    text: str


def statements_of(reports: Sequence[MaterialReport]) -> list[Statement]:
    """Return what the documents say of the trust in them, the gravest first, nothing twice."""
    found = [
        statement
        for report in reports
        for statement in (
            *_of_potential(report),
            *_of_transport(report),
            *_of_glasses(report),
            *_of_defects(report),
        )
    ]
    potentials = set().union(*(report.potentials for report in reports))
    if len(potentials) > 1:
        text = (
            "The documents were made with different potentials: compare their energies with care."
        )
        found.append(Statement("doubt", "All materials", text))
    order = ("doubt", "caution", "good")
    return sorted(_joined(found), key=lambda statement: order.index(statement.verdict))


def _joined(statements: Iterable[Statement]) -> list[Statement]:
    """Say once what is true of several."""
    about: dict[tuple[Verdict, str], dict[str, None]] = {}
    for statement in statements:
        about.setdefault((statement.verdict, statement.text), {})[statement.about] = None
    return [Statement(verdict, "; ".join(names), text) for (verdict, text), names in about.items()]


def _of_potential(report: MaterialReport) -> Iterable[Statement]:
    for document in report.documents:
        trust = document.trust
        about = f"{report.name}, {_step(document)}"
        if trust is None:
            continue
        if trust.left_trained_range:
            yield Statement("doubt", about, trust.statement)
        elif trust.left_trained_range is None:
            text = f"{trust.statement} Whether the run stayed in the trained range is not known."
            yield Statement("caution", about, text)
        else:
            yield Statement("good", about, trust.statement)
    unknown = {_step(d) for d in report.documents if d.trust is None}
    if unknown:
        text = f"No check against the potential's training set was made: {', '.join(unknown)}."
        yield Statement("caution", report.name, text)


def _of_transport(report: MaterialReport) -> Iterable[Statement]:
    document = report.conductivity
    if document is None:
        return
    about = f"{report.name}, transport"
    if document.arrhenius is not None:
        for refusal in document.arrhenius.refusals:
            yield Statement("doubt", about, refusal)
        if document.arrhenius.vtf is not None and document.arrhenius.vtf.preferred == "VTF":
            yield Statement("doubt", about, "The temperatures follow the VTF law, not Arrhenius.")
        for point in document.arrhenius.points:
            if point.excluded:
                text = f"{point.temperature_K:.0f} K is left out of the fit: {point.excluded}."
                yield Statement("caution", about, text)
    for result in document.results:
        at = f"{about} at {result.temperature_K:.0f} K"
        if not result.diffusive:
            yield Statement("caution", at, result.regime.reason)
        for warning in result.warnings:
            yield Statement("caution", at, warning)
    for remark in document.remarks:
        yield Statement("doubt", about, remark)
    for run, error in document.failures.items():
        yield Statement("doubt", about, f"The run {run} failed and is left out: {error}")
    if document.plan is not None:
        verdict: Verdict = "good" if document.plan.reached else "caution"
        yield Statement(verdict, about, document.plan.reason)


def _of_glasses(report: MaterialReport) -> Iterable[Statement]:
    for number, glass in numbered(report.glasses):
        for remark in glass.remarks:
            verdict: Verdict = "caution" if glass.is_amorphous else "doubt"
            yield Statement(verdict, f"{report.name} {number}", remark)
    if 0 < len(report.sound_glasses) < 3:
        count = ("One replica", "Two replicas")[len(report.sound_glasses) - 1]
        text = f"{count} of the glass: three are needed to judge how glasses differ."
        yield Statement("caution", report.name, text)


def _of_defects(report: MaterialReport) -> Iterable[Statement]:
    for number, document in enumerate(report.defects, start=1):
        about = f"{report.name} {number}, defects"
        lost = [record.label for record in document.records if not record.converged]
        if lost:
            text = f"{len(lost)} of {len(document.records)} defects did not relax and do not count."
            yield Statement("caution", about, text)
        moved = sum(record.displaced_ions > 0 for record in document.records if record.counts)
        if moved:
            yield Statement("caution", about, f"{moved} defects displaced ions of the host.")
        if document.supercell_error_eV is not None:
            error = document.supercell_error_eV
            text = f"The size of the supercell changes energies by {error:.2f} eV."
            verdict: Verdict = "good" if error < 0.1 else "caution"
            yield Statement(verdict, about, text)
    if report.polymorphs is not None and report.polymorphs.polymorphs:
        worst = max(report.polymorphs.polymorphs, key=lambda c: c.max_force_eV_per_A)
        text = f"Crystals are relaxed to forces below {worst.max_force_eV_per_A:.2f} eV/A."
        verdict = "good" if worst.max_force_eV_per_A < 0.1 else "caution"
        yield Statement(verdict, f"{report.name}, search", text)


def _step(document: VitrionDoc) -> str:
    return document.property_name.replace("_", " ")
