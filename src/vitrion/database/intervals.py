"""Intervals of the quantities of stored documents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vitrion.amorphous.document import DENSITY_BLOCKS
from vitrion.database.dotted_path import follow
from vitrion.uncertainty import Estimate, LinearEstimate, ReplicaMean

if TYPE_CHECKING:
    from collections.abc import Mapping

ERRORS: dict[str, tuple[str, str | float]] = {
    "activation_energy_eV": ("activation_energy_error_eV", "arrhenius.fit.degrees_of_freedom"),
    "density_equilibrated_g_per_cm3": ("density_error_g_per_cm3", DENSITY_BLOCKS - 1),
}
"""Path of the standard error, and degrees of freedom or their path, of plain numbers."""


def paths_of_interval(path: str) -> list[str]:
    """Return the paths that :func:`interval_of` reads."""
    owner, _, name = path.rpartition(".")
    if owner and name in ("value", "mean"):
        return [owner]
    return [part for part in ERRORS.get(path, ()) if isinstance(part, str)]


def interval_of(document: Mapping[str, Any], path: str) -> tuple[float, float] | None:
    """Return the 95 % interval of the quantity at a dotted path; None without one.

    Parameters
    ----------
    document
        A stored document.
    path
        Path of a number: of the ``value`` of an estimate, of the ``mean`` of replicas, or of a
        number in :data:`ERRORS`.
    """
    estimate = _estimate(document, path)
    if estimate is None:
        return None
    found = estimate.interval_95
    return found if found is not None and all(map(math.isfinite, found)) else None


def _estimate(document: Mapping[str, Any], path: str) -> Estimate | LinearEstimate | None:
    owner_path, _, name = path.rpartition(".")
    owner = follow(document, owner_path) if owner_path else None
    try:
        if isinstance(owner, dict) and name == "value":
            kind = Estimate if "relative_error" in owner else LinearEstimate
            return kind.model_validate(owner)
        if isinstance(owner, dict) and name == "mean":
            return ReplicaMean.model_validate(owner).estimate
        if path in ERRORS:
            value, (error, freedom) = follow(document, path), ERRORS[path]
            found = {"value": value, "error": follow(document, error)}
            if isinstance(freedom, str):
                freedom = follow(document, freedom)
            if freedom is not None:
                found["degrees_of_freedom"] = freedom
            return LinearEstimate.model_validate(found)
    except ValidationError:
        return None
    return None
