"""Conductivity of a crystal from its defects, if its dynamics give no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import job

from vitrion.chemistry.species import mobile_charges
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.from_defects import (
    DefectConductivitySettings,
    conductivity_from_defects,
)
from vitrion.defects.document import DefectDoc
from vitrion.documents.provenance import utc_now
from vitrion.errors import InputError, SimulationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitrion.conductivity.from_defects import DefectConductivity


@job(name="crystal conductivity by defects", output_schema=ConductivityDoc)
def add_defect_route(
    conductivity: ConductivityDoc | Mapping[str, Any] | None,
    defects: DefectDoc | Mapping[str, Any] | None,
    settings: DefectConductivitySettings | None = None,
) -> ConductivityDoc:
    """Add the conductivity from defects to the document of a crystal's dynamics.

    A value from dynamics is kept; an upper bound is replaced by the value from the defects.

    Parameters
    ----------
    conductivity : ConductivityDoc or mapping
        Result of the dynamics, as document or as stored; None if they failed.
    defects : DefectDoc or mapping
        Defects with barriers, as document or as stored; None if they failed.
    settings : DefectConductivitySettings, optional

    Returns
    -------
    ConductivityDoc
        The updated document; with a remark if the defects give no conductivity.

    Raises
    ------
    SimulationError
        If the dynamics failed.
    """
    if conductivity is None:
        raise SimulationError(
            "The dynamics of the crystal failed: rerun them to add the conductivity from defects."
        )
    document = ConductivityDoc.model_validate(conductivity).model_copy(
        update={"last_updated": utc_now()}, deep=True
    )
    if defects is None:
        document.remarks.append("The defects failed, so there is no conductivity from defects.")
        return document
    stored = defects if isinstance(defects, DefectDoc) else {**defects, "relaxed_structures": None}
    study = DefectDoc.model_validate(stored)
    try:
        charge = _charge(document, study.mobile_species)
        found = conductivity_from_defects(study, charge, settings)
    except InputError as exc:
        document.remarks.append(str(exc))
        return document
    document.by_defects = found
    if document.sigma_300K is None:
        _take(document, found)
    return document


def _charge(document: ConductivityDoc, mobile: str) -> float:
    """Return the charge in e of the ion whose defects were computed."""
    known = document.mobile_species.get(mobile)
    return mobile_charges(mobile)[mobile] if known is None else known


def _take(document: ConductivityDoc, found: DefectConductivity) -> None:
    """Replace the value of the document by the value from the defects."""
    document.route = "defects"
    document.sigma_300K = found.sigma_300K
    document.sigma_300K_bound = None
    document.activation_energy_eV = found.activation_energy.value
    document.activation_energy_error_eV = found.activation_energy.error
