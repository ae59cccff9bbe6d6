"""The conductivity of a crystal by dynamics, or by its defects if dynamics gives no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import job

from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.from_defects import (
    DefectConductivitySettings,
    conductivity_from_defects,
)
from vitrion.defects.document import DefectDoc
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitrion.conductivity.from_defects import DefectConductivity


@job(name="crystal conductivity by defects", output_schema=ConductivityDoc)
def add_defect_route(
    conductivity: ConductivityDoc | Mapping[str, Any],
    defects: DefectDoc | Mapping[str, Any],
    settings: DefectConductivitySettings | None = None,
) -> ConductivityDoc:
    """Add what follows from the defects of a crystal to what its dynamics gave.

    A value from dynamics stays the value of the document; an upper bound gives way to the value
    from the defects.

    Parameters
    ----------
    conductivity : ConductivityDoc or mapping
        By dynamics, as document or as stored.
    defects : DefectDoc or mapping
        With barriers, as document or as stored.
    settings : DefectConductivitySettings, optional

    Returns
    -------
    ConductivityDoc
        With a remark instead if the defects give no conductivity.
    """
    document = ConductivityDoc.model_validate(conductivity).model_copy(deep=True)
    stored = defects if isinstance(defects, DefectDoc) else {**defects, "relaxed_structures": None}
    try:
        found = conductivity_from_defects(
            DefectDoc.model_validate(stored),
            max(document.mobile_species.values()),
            settings,
        )
    except InputError as exc:
        document.remarks.append(str(exc))
        return document
    document.by_defects = found
    if document.sigma_300K is None:
        _take(document, found)
    return document


def _take(document: ConductivityDoc, found: DefectConductivity) -> None:
    """Make the value from the defects the value of the document."""
    document.route = "defects"
    document.sigma_300K = found.sigma_300K
    document.sigma_300K_bound = None
    document.activation_energy_eV = found.activation_energy.value
    document.activation_energy_error_eV = found.activation_energy.error
