"""Cautions about results, shared by terminal, page, tables and notebook."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vitrion.amorphous.document import numbered
from vitrion.conductivity.document import ConductivityDoc
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vitrion.conductivity.from_defects import DefectConductivity
    from vitrion.defects.document import DefectDoc
    from vitrion.documents.base import VitrionDoc
    from vitrion.materials.material import MaterialReport
    from vitrion.uncertainty import ReplicaMean

Severity = Literal["doubt", "caution", "good"]
SEVERITIES: tuple[Severity, ...] = ("doubt", "caution", "good")

KINDS = (
    "failed_step",
    "failed_run",
    "failed_extension",
    "fit_refused",
    "vtf_preferred",
    "left_trained_range",
    "different_potentials",
    "structure_remark",
    "glass_remark",
    "not_diffusive",
    "point_left_out",
    "transport_warning",
    "few_replicas",
    "not_pooled",
    "precision",
    "defect_route",
    "trained_range_unknown",
    "partial_landscape",
    "unconverged_defects",
    "displaced_ions",
    "supercell_size",
    "residual_force",
    "temperatures_chosen",
    "within_trained_range",
)
"""Kinds of cautions, most important first: their order within one severity."""

MIN_REPLICAS = 3
"""Minimum number of glasses to estimate their scatter."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NUMBERED = re.compile(r"(.+ )(\d+)( K|, defects|)")
"""A subject with a temperature or the number of a replica at or near its end."""

GOOD_SUPERCELL_ERROR_EV = 0.1
GOOD_FORCE_EV_PER_A = 0.1


@dataclass(frozen=True)
class Caution:
    """A caution about a result.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    severity : {"doubt", "caution", "good"}
        ``good`` for a passed check.
    about : str
        Material and step.
    text : str
        A sentence.
    place : str
        Section of the results: ``transport``, ``glass``, ``candidates``, ``landscape`` or
        ``defects``; empty for all.
    """

    kind: str
    severity: Severity
    about: str
    text: str
    place: str = ""

    @property
    def sentence(self) -> str:
        """Subject and sentence as one line."""
        return f"{self.about}: {self.text}"


def cautions_of(
    materials: Sequence[MaterialReport], failed_steps: Mapping[str, str] | None = None
) -> list[Caution]:
    """Return all cautions about materials, sorted by severity and then by kind.

    Parameters
    ----------
    materials : sequence of MaterialReport
    failed_steps : mapping of str to str, optional
        Steps of a run that failed, and their errors.

    Returns
    -------
    list of Caution
        Equal sentences about several materials or replicas are merged; of remarks on glasses that
        differ in their numbers, the one with the largest number is kept.
    """
    found = [
        Caution("failed_step", "doubt", "This run", f"The step '{name}' failed: {error}")
        for name, error in (failed_steps or {}).items()
    ]
    for material in materials:
        for find in (_potential, _transport, _glasses, _landscape, _defects, _crystals):
            found += find(material)
    if len(set().union(*(material.potentials for material in materials))) > 1:
        text = "The documents come from different potentials: their energies are not comparable."
        found.append(Caution("different_potentials", "doubt", "All materials", text))
    return sorted(_joined(_worst(found)), key=_rank)


def _rank(caution: Caution) -> tuple[int, int]:
    return SEVERITIES.index(caution.severity), KINDS.index(caution.kind)


def _worst(cautions: Sequence[Caution]) -> Iterable[Caution]:
    """Merge remarks on replicas of a glass that differ in their numbers alone."""
    groups: dict[tuple[str, ...], list[Caution]] = {}
    for caution in cautions:
        alike = caution.kind == "glass_remark"
        stem = caution.about.rpartition(" ")[0] if alike else caution.about
        text = _NUMBER.sub("#", caution.text) if alike else caution.text
        groups.setdefault((caution.kind, caution.severity, stem, text), []).append(caution)
    for group in groups.values():
        texts = {caution.text for caution in group}
        if len(texts) == 1:
            yield from group
            continue
        worst = max(group, key=lambda caution: max(map(float, _NUMBER.findall(caution.text))))
        number = worst.about.rpartition(" ")[2]
        text = f"{worst.text.rstrip('.')} in replica {number}, which has the largest number."
        for caution in group:
            yield replace(caution, text=text)


def _joined(cautions: Iterable[Caution]) -> list[Caution]:
    """Merge cautions with equal sentences."""
    groups: dict[tuple[Severity, str], list[Caution]] = {}
    for caution in cautions:
        groups.setdefault((caution.severity, caution.text), []).append(caution)
    joined = []
    for group in groups.values():
        first, about = group[0], dict.fromkeys(caution.about for caution in group)
        places = {caution.place for caution in group}
        place = first.place if len(places) == 1 else ""
        subject = _joined_subjects([*about])
        joined.append(Caution(first.kind, first.severity, subject, first.text, place))
    return joined


def _joined_subjects(subjects: Sequence[str]) -> str:
    """Return subjects as one text; temperatures or replicas of one subject are listed together."""
    by_stem: dict[tuple[str, str], list[str]] = {}
    for subject in subjects:
        found = _NUMBERED.fullmatch(subject)
        stem, number, unit = found.groups() if found else (subject, "", "")
        by_stem.setdefault((stem, unit), []).append(number)
    return "; ".join(f"{stem}{_listed(numbers)}{unit}" for (stem, unit), numbers in by_stem.items())


def _listed(numbers: Iterable[str]) -> str:
    words = sorted(numbers, key=lambda number: float(number or 0))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _potential(material: MaterialReport) -> Iterable[Caution]:
    for document in material.documents:
        about, trust = f"{material.name}, {_step(document)}", document.trust
        place = PLACES.get(document.property_name, "")
        if trust is None:
            continue
        if trust.left_trained_range:
            yield Caution("left_trained_range", "doubt", about, trust.statement, place)
        elif trust.left_trained_range is None:
            text = f"{trust.statement} Whether the run stayed in the trained range is unknown."
            yield Caution("trained_range_unknown", "caution", about, text, place)
        else:
            yield Caution("within_trained_range", "good", about, trust.statement, place)
    unchecked = {_step(document): None for document in material.documents if document.trust is None}
    if unchecked:
        text = f"Not checked against the training set of the potential: {', '.join(unchecked)}."
        yield Caution("trained_range_unknown", "caution", material.name, text)


def _transport(material: MaterialReport) -> Iterable[Caution]:
    document = material.conductivity
    if document is None:
        return
    about, place = f"{material.name}, transport", "transport"
    if others := _runs_to_pool(document, material.older):
        runs = f"This is one of {1 + len(others)} runs in the store"
        if document.pooled_from:
            found = counted(len(others), "run in the store is", "runs in the store are")
            runs = f"{found} not part of this"
        text = f"{runs}: if they were made in the same way, combine them by 'vitrion pool'."
        yield Caution("not_pooled", "caution", about, text, place)
    if document.by_defects is not None:
        yield from _defect_route(document.by_defects, document.route, about)
    if document.arrhenius is not None:
        if document.route == "dynamics":  # a conductivity from defects needs no fit
            for refusal in document.arrhenius.refusals:
                yield Caution("fit_refused", "doubt", about, refusal, place)
        if document.arrhenius.vtf is not None and document.arrhenius.vtf.preferred == "VTF":
            text = "The temperatures follow the VTF law, not Arrhenius."
            yield Caution("vtf_preferred", "doubt", about, text, place)
        for point in document.arrhenius.points:
            if point.excluded:
                text = f"{point.temperature_K:.0f} K is excluded from the fit: {point.excluded}."
                yield Caution("point_left_out", "caution", about, text, place)
    for result in document.results:
        at = f"{about} at {result.temperature_K:.0f} K"
        if not result.diffusive:
            yield Caution("not_diffusive", "caution", at, result.regime.reason, place)
        for warning in result.warnings:
            yield Caution("transport_warning", "caution", at, warning, place)
    for remark in document.remarks:
        yield Caution("structure_remark", "doubt", about, remark, place)
    for run, error in document.failures.items():
        text = f"The run {run} failed and is excluded: {error}"
        yield Caution("failed_run", "doubt", about, text, place)
    for run, error in document.failed_extensions.items():
        text = f"The run {run} failed in an extension, and is used up to there: {error}"
        yield Caution("failed_extension", "caution", about, text, place)
    severity: Severity
    if document.temperature_choice is not None:
        severity = "caution" if document.temperature_choice.failed else "good"
        yield Caution(
            "temperatures_chosen", severity, about, document.temperature_choice.sentence, place
        )
    if document.plan is not None and document.route == "dynamics":
        severity = "good" if document.plan.reached else "caution"
        yield Caution("precision", severity, about, document.plan.reason, place)


def _runs_to_pool(shown: ConductivityDoc, older: Iterable[VitrionDoc]) -> Sequence[ConductivityDoc]:
    """Return the other documents that ``vitrion pool`` combines with the shown one."""
    if shown.by_defects is not None:
        return []
    return [
        other
        for other in older
        if isinstance(other, ConductivityDoc)
        and other.results
        and other.by_defects is None
        and not (other.lacks_runs or other.pooled_from)
        and other.document_id not in shown.pooled_from
        and other.provenance.potential_identity == shown.provenance.potential_identity
    ]


def _defect_route(found: DefectConductivity, route: str, about: str) -> Iterable[Caution]:
    if route == "defects":
        text = (
            f"The conductivity follows from defects, not from dynamics: Frenkel energy "
            f"{found.frenkel_energy_eV:.2f} eV, vacancies due to dopants {found.defect_fraction:g} "
            f"of the mobile ions, errors of the potential {found.formation_error_eV:.2g} eV "
            f"(formation) and {found.barrier_error_eV:.2g} eV (barriers; {found.error_source})."
        )
        yield Caution("defect_route", "caution", about, text, "defects")
    if found.n_unconverged_hops:
        hops = counted(
            found.n_unconverged_hops,
            "distinct hop did not converge and is",
            "distinct hops did not converge and are",
        )
        text = f"{hops} excluded."
        yield Caution("defect_route", "caution", about, text, "defects")
    if found.n_skipped_hops:
        hops = counted(
            found.n_skipped_hops, "distinct hop was not computed", "distinct hops were not computed"
        )
        yield Caution("defect_route", "caution", about, f"{hops}.", "defects")
    if found.n_assumed_frequencies:
        hops = counted(found.n_assumed_frequencies, "distinct hop has", "distinct hops have")
        text = f"{hops} an assumed frequency of 1e13 Hz."
        yield Caution("defect_route", "caution", about, text, "defects")


def _glasses(material: MaterialReport) -> Iterable[Caution]:
    for number, glass in numbered(material.glasses):
        severity: Severity = "caution" if glass.is_amorphous else "doubt"
        for remark in glass.remarks:
            yield Caution("glass_remark", severity, f"{material.name} {number}", remark, "glass")
    if 0 < len(material.amorphous_replicas) < MIN_REPLICAS:
        count = ("One replica", "Two replicas")[len(material.amorphous_replicas) - 1]
        text = (
            f"{count} of the glass: at least three are needed to estimate the scatter of glasses."
        )
        yield Caution("few_replicas", "caution", material.name, text, "glass")


_OF_REPLICAS = {
    "landscape_gap_eV": "Site energies are of {} of {} replicas: the others have no far pair that "
    "converged and did not recombine.",
    "lowest_interstitial_energy_eV": "Interstitial energies are of {} of {} replicas: no "
    "interstitial of the others converged.",
    "percolating_barrier_eV": "The percolating barrier is of {} of {} replicas: the computed hops "
    "of the others do not percolate.",
}


def _landscape(material: MaterialReport) -> Iterable[Caution]:
    document = material.landscape
    if document is None:
        return
    about = f"{material.name}, landscape"
    if document.missing_replicas:
        every = document.n_replicas + len(document.missing_replicas)
        noun = "replica" if len(document.missing_replicas) == 1 else "replicas"
        numbers = ", ".join(str(number) for number in document.missing_replicas)
        text = (
            f"The landscape is of {document.n_replicas} of {every} replicas: the defects of {noun} "
            f"{numbers} failed."
        )
        yield Caution("partial_landscape", "caution", about, text, "landscape")
    for field, sentence in _OF_REPLICAS.items():
        mean: ReplicaMean | None = getattr(document, field)
        if mean is not None and len(mean.values) < document.n_replicas:
            text = sentence.format(len(mean.values), document.n_replicas)
            yield Caution("partial_landscape", "caution", about, text, "landscape")
    lost = sum(network.n_unconverged + network.n_skipped for network in document.networks)
    if lost and document.percolating_barrier_eV is not None:
        hops = counted(lost, "distinct hop")
        text = (
            f"The percolating barrier is an upper bound, computed without {hops}: not converged, "
            "or left out."
        )
        yield Caution("partial_landscape", "caution", about, text, "landscape")


def _defects(material: MaterialReport) -> Iterable[Caution]:
    for document in material.defects:
        about, place = f"{_host(material, document)}, defects", "defects"
        lost = sum(not record.converged for record in document.records)
        if lost:
            text = f"{lost} of {len(document.records)} defects did not converge and are excluded."
            yield Caution("unconverged_defects", "caution", about, text, place)
        moved = sum(record.displaced_ions > 0 for record in document.records if record.counts)
        if moved:
            text = f"{counted(moved, 'defect')} displaced host ions."
            yield Caution("displaced_ions", "caution", about, text, place)
        error = document.supercell_error_eV
        if error is not None:
            text = f"The size of the supercell changes energies by {error:.2f} eV."
            severity: Severity = "good" if error < GOOD_SUPERCELL_ERROR_EV else "caution"
            yield Caution("supercell_size", severity, about, text, place)


def _host(material: MaterialReport, defects: DefectDoc) -> str:
    """Return the name of a material, with the number of the only glass of the defects' cell."""
    cell = None if defects.structure is None else defects.structure.lattice
    numbers = [
        number
        for number, glass in numbered(material.glasses)
        if glass.structure is not None and glass.structure.lattice == cell
    ]
    return f"{material.name} {numbers[0]}" if len(numbers) == 1 else material.name


def _crystals(material: MaterialReport) -> Iterable[Caution]:
    if material.polymorphs is None or not material.polymorphs.polymorphs:
        return
    force = max(crystal.max_force_eV_per_A for crystal in material.polymorphs.polymorphs)
    severity: Severity = "good" if force < GOOD_FORCE_EV_PER_A else "caution"
    text = f"Crystals are relaxed to forces below {force:.2f} eV/A."
    yield Caution("residual_force", severity, f"{material.name}, search", text, "candidates")


PLACES = {
    "conductivity": "transport",
    "amorphous": "glass",
    "polymorphs": "candidates",
    "site_energy_landscape": "landscape",
    "defects": "defects",
}
"""Section of each kind of document."""


def _step(document: VitrionDoc) -> str:
    return document.property_name.replace("_", " ")
