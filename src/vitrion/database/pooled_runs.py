"""Independent runs of a material in a store, combined to one more document of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.conductivity.pooling import pool
from vitrion.database.document_file import load_documents
from vitrion.documents.base import check_phase
from vitrion.errors import InputError
from vitrion.landscape.site_energies import landscape
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.database.client import VitrionClient
    from vitrion.defects.document import DefectDoc


def add_pooled(
    client: VitrionClient, identifiers: Sequence[str], phase: str | None = None
) -> tuple[ConductivityDoc, bool]:
    """Combine the conductivity documents of independent runs, and add the result to the store.

    The landscape of the glasses whose defects are in the store is added with it.

    Parameters
    ----------
    client : VitrionClient
        An open client of a store that can be written.
    identifiers : sequence of str
        One formula or material identifier, whose runs are all combined, or the identifiers of two
        or more documents.
    phase : str, optional
        Phase of the material; needed if the runs are of several.

    Returns
    -------
    document : ConductivityDoc
        With the identifiers of its runs in ``pooled_from``.
    added : bool
        False if the store had it already.

    Raises
    ------
    InputError
        If fewer than two runs are found, or they are of different phases, materials or potentials.
    """
    runs = sorted(_runs(client, identifiers, check_phase(phase)), key=lambda d: d.last_updated)
    names = [run.document_id for run in runs]
    material: dict[str, Any] = {"formula": runs[0].formula_pretty, "phase": runs[0].phase}
    for document in client.conductivity.search(**material):
        if document.pooled_from == names:
            return document, False
    potential = runs[0].provenance.potential_identity
    glasses = [
        glass
        for glass in client.amorphous.search(**material, material_id=runs[0].material_id)
        if not glass.crystallized and glass.provenance.potential_identity == potential
    ]
    pooled = pool(runs, glasses)
    hosts = _hosts(client.defects.search(**material, material_id=runs[0].material_id), pooled)
    landscapes = [landscape(hosts)] if len(hosts) > 1 else []
    load_documents(client.collections.job_store, [pooled, *landscapes])
    return pooled, True


def _hosts(found: Sequence[DefectDoc], pooled: ConductivityDoc) -> list[DefectDoc]:
    """Return the newest defects of each structure, of the pooled ions and potential."""
    kept: list[DefectDoc] = []
    for document in sorted(found, key=lambda document: document.last_updated):
        used = document.provenance.potential_identity
        same = used == pooled.provenance.potential_identity
        moves = any(record.separation == "far" for record in document.of_kind("frenkel"))
        if same and moves and document.mobile_species in pooled.mobile_species:
            kept = [other for other in kept if other.structure != document.structure]
            kept.append(document)
    return kept


def _runs(
    client: VitrionClient, identifiers: Sequence[str], phase: str | None
) -> list[ConductivityDoc]:
    """Return the documents that contain their single runs."""
    if len(identifiers) > 1:
        found = [client.conductivity.get(name) for name in identifiers]
    else:
        (name,) = identifiers
        found = client.conductivity.search(material_id=name, phase=phase)
        found = found or client.conductivity.search(formula=name, phase=phase)
        found = [each for each in found if not each.lacks_runs]
    runs = [each for each in found if each.results and not each.pooled_from]
    phases = sorted({str(run.phase) for run in runs})
    if len(phases) > 1:
        raise InputError(
            f"The runs are of several phases: name one with --phase: {', '.join(phases)}."
        )
    if len(runs) < 2:
        raise InputError(
            f"The store has {counted(len(runs), 'run')} with molecular dynamics of "
            f"{', '.join(identifiers)}: at least two are needed."
        )
    return runs
