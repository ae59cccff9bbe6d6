"""One document of a material from documents of independent runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.amorphous.glass_transition import glass_transition
from vitrion.conductivity.document import ConductivityDoc, DensityPoint
from vitrion.conductivity.precision import judge
from vitrion.errors import InputError
from vitrion.potentials.trust import joined
from vitrion.uncertainty import ReplicaMean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.potentials.trust import TrustReport
    from vitrion.transport.result import TransportResult


def pool(
    documents: Sequence[ConductivityDoc],
    glasses: Sequence[AmorphousDoc] = (),
    *,
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
) -> ConductivityDoc:
    """Combine documents of independent runs of one material, such as glasses made on several hosts.

    The structures of different documents are different systems: their spread is part of the error.
    Every temperature is combined over the documents that have it, and the Arrhenius line is fitted
    to the combined values.

    Parameters
    ----------
    documents : sequence of ConductivityDoc
        From dynamics, with the same composition, phase, mobile species and potential.
    glasses : sequence of AmorphousDoc
        The glasses of the runs; the glass transition follows from all their quenches.
    melting_K, glass_transition_K : float, optional
        Temperatures in K above which points are excluded from the fit; a given glass transition
        takes precedence over the transition of the quenches.

    Returns
    -------
    ConductivityDoc
        With the structure of the first document, and the remarks and failures of all; documents
        from a store are named in ``pooled_from``.

    Raises
    ------
    InputError
        If there is no document, a document is not from dynamics alone, or they are of different
        materials or potentials.
    """
    _check(documents)
    first = documents[0]
    results: dict[float, list[TransportResult]] = {}
    systems: dict[float, list[int]] = {}
    n_systems = 0
    for document in documents:
        of = _systems(document)
        for temperature, runs, which in zip(
            document.temperatures_K, _runs(document), of, strict=True
        ):
            results.setdefault(temperature, []).extend(runs)
            systems.setdefault(temperature, []).extend(n_systems + one for one in which)
        n_systems += 1 + max((one for which in of for one in which), default=-1)
    curves = [glass.quench_curve for glass in glasses if glass.quench_curve is not None]
    transition = glass_transition(curves)
    assert first.structure is not None  # every document is made from one
    limit = transition.temperature_K if transition else None
    pooled = ConductivityDoc.from_results(
        first.structure,
        results,
        hierarchical=n_systems > 1,
        systems=systems,
        melting_K=melting_K,
        glass_transition_K=limit if glass_transition_K is None else glass_transition_K,
        glass_transition=transition,
        densities=_densities(documents),
        phase=first.phase,
        material_id=first.material_id,
        failures=_numbered([document.failures for document in documents]),
        failed_extensions=_numbered([document.failed_extensions for document in documents]),
        pooled_from=[document.document_id for document in documents if document.document_id],
        trust=_trust(documents),
        remarks=[
            *dict.fromkeys(remark for document in documents for remark in document.remarks),
            *_differences(documents, glasses),
        ],
        provenance=first.provenance,
    )
    if pooled.arrhenius is not None:
        pooled.plan = judge(pooled.results, pooled.arrhenius)
    return pooled


def _differences(
    documents: Sequence[ConductivityDoc], glasses: Sequence[AmorphousDoc]
) -> list[str]:
    """Return sentences about runs that were not made in the same way."""
    sizes = {run.n_mobile + run.n_framework for d in documents for runs in _runs(d) for run in runs}
    rates = {glass.quench_rate_K_per_ps for glass in glasses if glass.quench_rate_K_per_ps}
    found = []
    if len(sizes) > 1:
        found.append(f"Cells of {min(sizes)} to {max(sizes)} atoms are combined.")
    if len(rates) > 1:
        found.append(f"Glasses quenched at {min(rates):g} to {max(rates):g} K/ps are combined.")
    return found


def _trust(documents: Sequence[ConductivityDoc]) -> TrustReport | None:
    """Return the trust in the potential for all runs; None if one was not checked."""
    reports = [document.trust for document in documents if document.trust is not None]
    return joined(reports) if len(reports) == len(documents) else None


def _check(documents: Sequence[ConductivityDoc]) -> None:
    if not documents:
        raise InputError("There are no documents to combine: pass at least one.")
    first = documents[0]
    for document in documents:
        if not document.results:
            raise InputError("A document without results of dynamics cannot be combined.")
        if document.lacks_runs:
            raise InputError(
                "A document that has lost its single runs, such as one of an example store, cannot "
                "be combined with others."
            )
        if document.by_defects is not None:
            raise InputError(
                "A conductivity from the defects of a crystal cannot be combined with others: it "
                "does not come from independent runs."
            )
        for what, own, other in (
            ("compositions", document.composition_reduced, first.composition_reduced),
            ("phases", document.phase, first.phase),
            ("mobile species", document.mobile_species, first.mobile_species),
            (
                "potentials",
                document.provenance.potential_identity,
                first.provenance.potential_identity,
            ),
        ):
            if own != other:
                raise InputError(f"Documents of different {what} cannot be combined.")


def _runs(document: ConductivityDoc) -> list[list[TransportResult]]:
    """Return the runs of each temperature; single runs of a crystal are not stored twice."""
    return document.replicas or [[result] for result in document.results]


def _systems(document: ConductivityDoc) -> list[list[int]]:
    """Return the index of the structure of each run, by temperature."""
    return document.systems or [[0] * len(runs) for runs in _runs(document)]


def _numbered(errors: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the errors of all documents by number of the document, from 1, and run."""
    return {
        f"{number}: {name}": error
        for number, of_one in enumerate(errors, start=1)
        for name, error in of_one.items()
    }


def _densities(documents: Sequence[ConductivityDoc]) -> list[DensityPoint]:
    found: dict[float, list[float]] = {}
    for document in documents:
        for point in document.densities:
            found.setdefault(point.temperature_K, []).extend(point.density_g_per_cm3.values)
    return [
        DensityPoint(temperature_K=temperature, density_g_per_cm3=ReplicaMean.of(values))
        for temperature, values in sorted(found.items())
    ]
