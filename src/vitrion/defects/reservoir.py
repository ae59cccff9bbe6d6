"""Metal reservoir of the mobile ion, and the voltage window of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.charges import MOBILE_CHARGES
from vitrion.defects.document import Reservoir
from vitrion.errors import InputError, SimulationError
from vitrion.relaxation.relax import RelaxSettings, relax_atoms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

SETTINGS = RelaxSettings(fmax_eV_per_A=0.005, max_steps=200, optimizer="lbfgs")
"""How the metal is relaxed, at zero pressure."""


def metal_reservoir(symbol: str, calculator: Calculator) -> Reservoir:
    """Relax the metal and its cell with the given potential.

    Parameters
    ----------
    symbol : str
        Such as ``Li`` (bcc).
    calculator : Calculator
        Calculator with stress.

    Returns
    -------
    Reservoir

    Raises
    ------
    InputError
        If the structure of the metal is unknown.
    SimulationError
        If the metal does not relax with this potential.
    """
    from ase.build import bulk

    try:
        atoms = bulk(symbol)
    except (ValueError, KeyError, RuntimeError) as exc:
        raise InputError(
            f"The structure of metallic {symbol} is unknown: set its chemical potential."
        ) from exc
    _, relaxation = relax_atoms(atoms, calculator, SETTINGS)
    if not relaxation.converged:
        raise SimulationError(
            f"Metallic {symbol} did not relax with this potential ({relaxation.reason}): give its "
            "chemical potential (chemical_potential_eV), or use another potential."
        )
    return Reservoir(
        species=symbol,
        chemical_potential_eV=relaxation.energy_eV_per_atom,
        source=f"metallic {symbol}, relaxed with the same potential",
        charge=MOBILE_CHARGES.get(symbol, 1),
    )


def given_reservoir(symbol: str, chemical_potential_eV: float) -> Reservoir:
    """Return a reservoir with a given chemical potential."""
    return Reservoir(
        species=symbol,
        chemical_potential_eV=chemical_potential_eV,
        source="given",
        charge=MOBILE_CHARGES.get(symbol, 1),
    )


def voltage_window(
    entries: Sequence[PDEntry], composition: Composition, reservoir: Reservoir
) -> tuple[float, float] | None:
    """Return the voltages against the metal between which a composition is on the hull.

    Parameters
    ----------
    entries : sequence of PDEntry
        Phases of the chemical system, computed with one potential.
    composition : Composition
    reservoir : Reservoir
        The metal; it is added to the entries.

    Returns
    -------
    (low, high) in V, or None if the composition is not stable at any voltage.

    Raises
    ------
    InputError
        If the entries do not span the chemical system.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition, Element

    metal = PDEntry(Composition(reservoir.species), reservoir.chemical_potential_eV)
    try:
        diagram = PhaseDiagram([*entries, metal])
        if missing := set(composition.elements) - set(diagram.elements):
            raise ValueError(f"there is no phase with {', '.join(el.symbol for el in missing)}")
        stable = {entry.composition.reduced_formula for entry in diagram.stable_entries}
        if composition.reduced_formula not in stable:
            return None
        limits = diagram.get_all_chempots(composition)
    except ValueError as exc:
        raise InputError(f"These phases do not form a hull: {exc}.") from exc
    element = Element(reservoir.species)
    voltages = [
        (reservoir.chemical_potential_eV - float(mu[element])) / reservoir.charge
        for mu in limits.values()
    ]
    return (min(voltages), max(voltages))
