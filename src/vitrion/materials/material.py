"""Collect the documents of one material in one phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from vitrion.amorphous.document import AmorphousDoc
from vitrion.chemistry.formulas import display_formula, subscripted
from vitrion.chemistry.phases import PHASE_NAMES
from vitrion.conductivity.document import ConductivityDoc
from vitrion.defects.document import DefectDoc
from vitrion.documents.base import PHASES
from vitrion.errors import InputError
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.polymorphs.document import PolymorphDoc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from vitrion.documents.base import VitrionDoc
    from vitrion.polymorphs.document import Polymorph
    from vitrion.potentials import PotentialSpec

Doc = TypeVar("Doc")
KINDS = ("conductivity", "amorphous", "polymorphs", "defects", "site_energy_landscape")
NEWEST = 20
"""Documents of each kind that a report reads; quantities are of these documents."""


@dataclass(frozen=True)
class MaterialReport:
    """The documents of one material in one phase.

    Attributes
    ----------
    formula : str
        Reduced formula in the usual order of elements.
    phase : str or None
        ``crystalline``, ``amorphous`` or ``liquid``; None if not stated.
    material_id : str or None
        Identifier of the material.
    conductivity, polymorphs, landscape : document or None
        Newest document of its kind.
    glasses, defects : tuple of documents
        All replicas made in the same way as the newest, oldest first.
    older : tuple of documents
        The other documents that were read.
    n_unread : int
        Number of documents of this composition and phase that were not read, because a report reads
        the newest only.
    of_several : bool
        Whether another shown report has the same composition and phase.
    """

    formula: str
    phase: str | None
    material_id: str | None = None
    conductivity: ConductivityDoc | None = None
    polymorphs: PolymorphDoc | None = None
    landscape: SiteEnergyLandscapeDoc | None = None
    glasses: tuple[AmorphousDoc, ...] = ()
    defects: tuple[DefectDoc, ...] = ()
    older: tuple[VitrionDoc, ...] = ()
    n_unread: int = 0
    of_several: bool = False

    @property
    def name(self) -> str:
        """Formula and phase in words, such as ``LiPO2F2 glass``; with the identifier if needed."""
        name = self.formula if self.phase is None else f"{self.formula} {self.phase_name}"
        return f"{name} ({self.material_id or 'unnamed'})" if self.of_several else name

    @property
    def label(self) -> str:
        """The name for figures, with subscripts in the formula."""
        return subscripted(self.name)

    @property
    def phase_name(self) -> str:
        """The phase as one word, such as ``glass``."""
        return "material" if self.phase is None else PHASE_NAMES[self.phase]

    @property
    def key(self) -> str:
        """Identifier for searches: the material identifier, else the formula."""
        return self.material_id or self.formula

    @property
    def documents(self) -> tuple[VitrionDoc, ...]:
        """The documents that the report shows."""
        single = (self.conductivity, self.polymorphs, self.landscape)
        return (*(d for d in single if d is not None), *self.glasses, *self.defects)

    @property
    def potential_specs(self) -> list[PotentialSpec]:
        """The distinct potentials of the documents."""
        return potentials_of([self])

    @property
    def potentials(self) -> set[str]:
        """Hashes, or names if without a hash, of the potentials of the documents."""
        return {spec.sha256 or spec.name for spec in self.potential_specs}

    @property
    def mobile(self) -> str:
        """The mobile species, for labels; empty if not stated."""
        if self.conductivity is not None and self.conductivity.mobile_species:
            return ", ".join(self.conductivity.mobile_species)
        for document in (self.landscape, *self.defects):
            if document is not None:
                return document.mobile_species
        return ""

    @property
    def best_crystal(self) -> Polymorph | None:
        """The most stable crystal of the search, or None."""
        found = [] if self.polymorphs is None else self.polymorphs.polymorphs
        return found[0] if found else None

    @property
    def amorphous_replicas(self) -> tuple[AmorphousDoc, ...]:
        """The replicas of the glass that did not crystallize."""
        return tuple(glass for glass in self.glasses if not glass.crystallized)

    @classmethod
    def from_documents(
        cls, documents: Iterable[VitrionDoc], *, preferred: Sequence[VitrionDoc] = ()
    ) -> MaterialReport:
        """Create a report from the documents of one material in one phase.

        Parameters
        ----------
        documents : iterable of VitrionDoc
        preferred : sequence of VitrionDoc
            Documents shown instead of newer ones, by increasing priority.

        Raises
        ------
        InputError
            If there are no documents, or they have several compositions or phases.
        """
        ranks = {id(document): rank for rank, document in enumerate(preferred, start=1)}
        best_last = sorted(documents, key=lambda d: (ranks.get(id(d), 0), *_age(d)))
        if not best_last:
            raise InputError("A report needs at least one document.")
        formulas = {material_formula(document) for document in best_last}
        phases = {document.phase for document in best_last}
        if len(formulas) > 1 or len(phases) > 1:
            raise InputError("The documents of one report must have one composition and one phase.")
        report = cls(
            formula=formulas.pop(),
            phase=best_last[-1].phase,
            material_id=best_last[-1].material_id,
            conductivity=_last(best_last, ConductivityDoc),
            polymorphs=_last(best_last, PolymorphDoc),
            landscape=_last(best_last, SiteEnergyLandscapeDoc),
            glasses=_replicas(_of_kind(best_last, AmorphousDoc)),
        )
        report = replace(report, defects=_hosts(_of_kind(best_last, DefectDoc), report))
        shown = {id(document) for document in report.documents}
        return replace(report, older=tuple(d for d in best_last if id(d) not in shown))

    def is_about(self, document: VitrionDoc) -> bool:
        """Return whether a document matches this material and phase."""
        return (
            material_formula(document) == self.formula
            and document.phase == self.phase
            and document.material_id in (None, self.material_id)
        )


def disambiguate(reports: Iterable[MaterialReport]) -> list[MaterialReport]:
    """Return reports with identifiers in names that would otherwise be equal."""
    found = list(reports)
    counts = Counter((report.formula, report.phase) for report in found)
    return [
        replace(report, of_several=counts[report.formula, report.phase] > 1) for report in found
    ]


def add_documents(
    reports: Iterable[MaterialReport], documents: Iterable[VitrionDoc]
) -> list[MaterialReport]:
    """Add documents, such as from files, to the matching reports.

    Parameters
    ----------
    reports : iterable of MaterialReport
    documents : iterable of VitrionDoc
        A document without a matching report gets a new one.
    """
    found = list(reports)
    for document in documents:
        place = next((k for k, report in enumerate(found) if report.is_about(document)), None)
        if place is None:
            found.append(MaterialReport.from_documents([document]))
            continue
        old = found[place]
        found[place] = MaterialReport.from_documents(
            [*old.documents, *old.older, document], preferred=[*old.documents, document]
        )
    return disambiguate(sorted(found, key=lambda report: phase_rank(report.phase)))


def material_formula(document: VitrionDoc) -> str:
    """Return the reduced formula in order of electronegativity, such as LiPO2F2."""
    return display_formula(document.formula_pretty or "") or "unknown composition"


def potentials_of(reports: Iterable[MaterialReport]) -> list[PotentialSpec]:
    """Return the distinct potentials of the documents of several materials."""
    specs = [each.provenance.potential for report in reports for each in report.documents]
    return list({(spec.name, spec.sha256): spec for spec in specs if spec is not None}.values())


def phase_rank(phase: str | None) -> int:
    """Return the place of a phase among shown reports: crystal, glass, liquid, others."""
    return PHASES.index(phase) if phase in PHASES else len(PHASES)


def _age(document: VitrionDoc) -> tuple[datetime, bool]:
    """Return the time of a document; of one time, a conductivity from defects is the later one."""
    return document.last_updated, getattr(document, "route", None) == "defects"


def _of_kind(documents: Sequence[VitrionDoc], kind: type[Doc]) -> list[Doc]:
    return [document for document in documents if isinstance(document, kind)]


def _last(documents: Sequence[VitrionDoc], kind: type[Doc]) -> Doc | None:
    found = _of_kind(documents, kind)
    return found[-1] if found else None


def _replicas(glasses: Sequence[AmorphousDoc]) -> tuple[AmorphousDoc, ...]:
    """Return the glasses made in the same way as the last one, one per seed."""
    if not glasses:
        return ()
    same = [glass for glass in glasses if _recipe(glass) == _recipe(glasses[-1])]
    by_seed = {
        id(glass) if glass.settings is None else glass.settings.seed: glass for glass in same
    }
    return tuple(by_seed.values())


def _recipe(glass: AmorphousDoc) -> tuple[object, ...]:
    settings = None if glass.settings is None else glass.settings.model_dump(exclude={"seed"})
    potential = glass.provenance.potential
    return settings, None if potential is None else potential.sha256, glass.nsites


def _hosts(defects: Sequence[DefectDoc], report: MaterialReport) -> tuple[DefectDoc, ...]:
    """Return the last crystal, or the glasses of the landscape."""
    if report.phase == "crystalline":
        return tuple(defects[-1:])
    return tuple(defects if report.landscape is None else defects[-report.landscape.n_replicas :])
