"""The job that compares a crystal and a glass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import job

from vitrion.comparison.document import ComparisonDoc
from vitrion.conductivity.document import ConductivityDoc
from vitrion.landscape.document import SiteEnergyLandscapeDoc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitrion.documents.base import VitrionDoc

KINDS: dict[str, type[VitrionDoc]] = {
    "conductivity": ConductivityDoc,
    "landscape": SiteEnergyLandscapeDoc,
}


@job(name="compare phases", output_schema=ComparisonDoc)
def compare_phases(crystal: Mapping[str, Any], glass: Mapping[str, Any]) -> ComparisonDoc:
    """Compare the documents of a crystal and a glass.

    Parameters
    ----------
    crystal, glass : mapping
        ``conductivity`` and ``landscape``, as documents or as stored; None if absent.

    Returns
    -------
    ComparisonDoc
    """
    return ComparisonDoc.from_documents(_parsed(crystal), _parsed(glass))


def _parsed(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parse stored documents."""
    return {
        kind: found if found is None else KINDS[kind].model_validate(found)
        for kind, found in parts.items()
    }
