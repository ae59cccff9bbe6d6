"""Standard errors of a potential's formation energies and barriers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vitrion.potentials.student import is_student, student_card

if TYPE_CHECKING:
    from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
    from vitrion.potentials import PotentialSpec

ASSUMED_FORMATION_EV, ASSUMED_BARRIER_EV = 0.15, 0.05
"""Where neither the settings nor the data card of the potential state the errors."""


ErrorSource = Literal["given", "data card", "assumed"]


@dataclass(frozen=True)
class PotentialErrors:
    """Standard errors of a potential's energies of defects.

    Attributes
    ----------
    formation_eV, barrier_eV : float
        Of Frenkel energies and of barriers.
    source : str
        Where they are from.
    """

    formation_eV: float
    barrier_eV: float
    source: ErrorSource


def potential_errors(
    spec: PotentialSpec | None, settings: DefectConductivitySettings
) -> PotentialErrors:
    """Return the errors: given in the settings, or from the data card, or assumed."""
    card = _card_errors(spec)
    formation = card.get("formation_error_eV")
    barrier = card.get("barrier_error_eV")
    given = (settings.formation_error_eV, settings.barrier_error_eV)
    source: ErrorSource = "assumed"
    if any(error is not None for error in given):
        source = "given"
    elif formation is not None and barrier is not None:
        source = "data card"
    return PotentialErrors(
        formation_eV=_first(given[0], formation, ASSUMED_FORMATION_EV),
        barrier_eV=_first(given[1], barrier, ASSUMED_BARRIER_EV),
        source=source,
    )


def _card_errors(spec: PotentialSpec | None) -> dict[str, Any]:
    """Return the defect errors on the data card of a student with these weights."""
    if spec is None or not is_student(spec.name):
        return {}
    card = student_card(spec.name)
    return card.get("defect_errors", {}) if card["sha256"] == spec.sha256 else {}


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
