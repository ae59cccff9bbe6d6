"""Attempt frequencies of the hops of a relaxed band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from vitrion.errors import SimulationError
from vitrion.migration.vibrations import attempt_frequency, stationary_point

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure


def hop_frequencies(
    start: Structure, end: Structure, saddle: Structure | None, calculator: Calculator
) -> dict[str, Any]:
    """Return the harmonic attempt frequencies of a hop and of its reverse.

    Parameters
    ----------
    start, end : Structure
        Relaxed ends of the band.
    saddle : Structure or None
        Its highest image.
    calculator : Calculator

    Returns
    -------
    dict
        ``forward_Hz`` and ``backward_Hz``; or ``failure``, the reason why harmonic theory does not
        apply, if a point does not converge or has modes that are too soft.
    """
    if saddle is None:
        return {"failure": "The band does not return its saddle point."}
    points: tuple[tuple[Structure, Literal[0, 1]], ...] = ((start, 0), (end, 0), (saddle, 1))
    try:
        first, last, top = (
            stationary_point(_atoms(structure, calculator), order) for structure, order in points
        )
    except SimulationError as exc:
        return {"failure": str(exc)}
    return {
        "forward_Hz": attempt_frequency(first, top),
        "backward_Hz": attempt_frequency(last, top),
    }


def _atoms(structure: Structure, calculator: Calculator) -> Any:
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.calc = calculator
    return atoms
