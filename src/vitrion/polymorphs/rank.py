"""Rank the crystals of a search and create its document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.chemistry.formulas import usual_formula
from vitrion.documents.provenance import Provenance
from vitrion.polymorphs.describe import coordination, space_groups
from vitrion.polymorphs.document import HullReference, Polymorph, PolymorphDoc, SpaceGroupAt

if TYPE_CHECKING:
    from pymatgen.core import Composition

    from vitrion.polymorphs.group import Group
    from vitrion.polymorphs.hull import Hull
    from vitrion.polymorphs.search_settings import SearchSettings
    from vitrion.polymorphs.search_state import SearchState

P1_TOLERANCE_A = 0.1
REDUCED_A = 0.05
"""Largest difference in A of atoms that the primitive cell joins: residual forces displace them by
less. With pymatgen's default of 0.25 A, tilts of octahedra are averaged away."""
MOST_REPORTED = 50


def make_document(
    formula: Composition,
    state: SearchState,
    hull: Hull,
    stop_reason: str,
    potential: str | None,
    seed: int,
    settings: SearchSettings,
    device: str | None = None,
) -> PolymorphDoc:
    """Rank the crystals of a search by their energy above the hull.

    The hull contains references only, so a crystal more stable than the references has a negative
    energy above the hull. Failed stability tests are reported in a remark.
    """
    from vitrion.potentials import get_potential

    groups = state.ranked
    if settings.drop_triclinic:
        groups = [group for group in groups if not _is_p1(group)]
    groups = groups[:MOST_REPORTED]
    at_hull = hull.energy_eV_per_atom(formula)
    best = groups[0].energy_eV_per_atom if groups else float("nan")
    fields: dict[str, Any] = {
        "polymorphs": [_polymorph(g, at_hull[0] if at_hull else None, best) for g in groups],
        "references": [
            HullReference(name=name, formula=usual_formula(c), energy_eV_per_atom=energy)
            for name, (c, energy) in hull.energies.items()
        ],
        "decomposition": at_hull[1] if at_hull else {},
        "n_relaxations": state.n_relaxations,
        "n_relaxations_by_generator": state.relaxations,
        "n_evaluations_by_generator": state.evaluations,
        "rejected": state.rejected,
        "n_iterations": state.n_iterations,
        "stop_reason": stop_reason,
        "best_energy_eV_per_atom": state.best_energies,
        "phase": "crystalline",
        "provenance": Provenance.collect(get_potential(potential), seeds={"search": seed}),
    }
    if groups and settings.stability:
        fields |= _stability(groups[0], potential, device, seed)
    if not groups:
        return PolymorphDoc.from_composition(formula, **fields)
    return PolymorphDoc.from_structure(groups[0].structure, **fields)


def _stability(best: Group, potential: str | None, device: str | None, seed: int) -> dict[str, Any]:
    """Return the stability tests of the best crystal, or a remark with the reason of failure."""
    from vitrion.polymorphs.stability import stability

    try:
        return {"stability": stability(best.structure, potential, device=device, seed=seed)}
    except Exception as exc:  # a failed test must not discard the search
        reason = str(exc) or type(exc).__name__
        return {"remarks": [f"The stability of the best crystal could not be tested: {reason}"]}


def _is_p1(group: Group) -> bool:
    found = space_groups(group.structure, [P1_TOLERANCE_A])
    return bool(found) and found[0][1] == 1


def _polymorph(group: Group, hull_energy: float | None, best_energy: float) -> Polymorph:
    structure = group.structure.get_primitive_structure(tolerance=REDUCED_A)
    energy = group.energy_eV_per_atom
    return Polymorph(
        structure=structure,
        energy_eV_per_atom=energy,
        energy_above_hull_eV_per_atom=None if hull_energy is None else energy - hull_energy,
        energy_above_best_eV_per_atom=energy - best_energy,
        max_force_eV_per_A=group.max_force_eV_per_A,
        converged=group.converged,
        space_groups=[
            SpaceGroupAt(tolerance_A=tolerance, number=number, symbol=symbol)
            for tolerance, number, symbol in space_groups(group.structure)
        ],
        density_g_per_cm3=float(structure.density),
        volume_per_atom_A3=structure.volume / len(structure),
        coordination=coordination(structure),
        times_found=group.count,
        found_by=group.found_by,
        first_found_at=group.first_found_at,
        origins=group.origins,
    )
