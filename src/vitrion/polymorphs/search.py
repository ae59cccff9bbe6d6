"""Search for the crystals of a composition: generate, relax, make hosts, inpaint, relax, rank."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vitrion.generation.seeds import spawn_seeds
from vitrion.polymorphs.filters import unphysical
from vitrion.polymorphs.hull import Hull, shipped_references
from vitrion.polymorphs.iteration import search_iteration, settings_of_iteration
from vitrion.polymorphs.search_settings import SearchSettings, check_search_inputs
from vitrion.polymorphs.search_state import SearchState
from vitrion.relaxation.relax import relax_many
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Composition, Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.polymorphs.document import PolymorphDoc
    from vitrion.polymorphs.group import Group
    from vitrion.potentials.batch import BatchPotential
    from vitrion.relaxation.relax import RelaxSettings

ROUNDING_EV_PER_ATOM = 1e-5
"""Difference between two energies of the same crystal in single precision."""


def search(
    composition: CompositionLike,
    settings: SearchSettings | None = None,
    *,
    potential: str | None = None,
    seed: int = 0,
    device: str | None = None,
    references: dict[str, Structure] | None = None,
    on_progress: Callable[[str, SearchState], None] | None = None,
) -> PolymorphDoc:
    """Search for the crystals of a composition.

    Parameters
    ----------
    composition : Composition or str
        Formula, such as ``"LiPO2F2"``.
    settings : SearchSettings, optional
    potential : str, optional
        Name in the registry; None uses the user's default.
    seed : int
    device : str, optional
        Torch device.
    references : dict, optional
        Structures of the hull by name; None uses the references shipped with the package.
    on_progress : callable, optional
        Called after each stage with a sentence and the state.

    Returns
    -------
    PolymorphDoc
        Crystals by increasing energy; without polymorphs if no candidate relaxed.

    Raises
    ------
    InputError
        If the request is invalid, or the potential or the score net lacks an element.
    """
    from vitrion.polymorphs.rank import make_document
    from vitrion.potentials.batch import load_batch_potential

    settings = settings or SearchSettings()
    formula, settings = check_search_inputs(composition, settings)
    report = on_progress or (lambda sentence, state: None)
    batch = load_batch_potential(potential, device=device, symbols=[el.symbol for el in formula])
    state = SearchState()
    hull = make_hull(formula, batch, references)
    report(f"{len(hull.energies)} reference phases relaxed", state)
    while (reason := state.stop_reason(settings)) is None:
        number = state.n_iterations + 1
        iteration_seed = spawn_seeds(seed, number)[-1]

        def progress(sentence: str, number: int = number) -> None:
            report(f"iteration {number}: {sentence}", state)

        findings = search_iteration(
            formula,
            settings_of_iteration(settings, state),
            batch,
            hull,
            iteration_seed,
            state.best(settings.hosts),
            progress,
            budget=settings.max_relaxations - state.n_relaxations,
        )
        state.add(findings)
        state.n_iterations = number
        progress(_summary(state))
    polish(state, batch, settings, hull.floor(formula))
    report("best crystals relaxed further", state)
    return make_document(formula, state, hull, reason, potential, seed, settings, device)


def polish(
    state: SearchState,
    potential: BatchPotential,
    settings: SearchSettings,
    floor_eV_per_atom: float | None = None,
) -> None:
    """Relax the best crystals tightly, so that residual forces do not affect their order.

    A structure that becomes unphysical, or falls below the floor, is kept unchanged.
    """
    groups = state.ranked[: max(settings.polished, int(settings.stability))]
    relax = settings.relax.model_copy(update={"lowest_eV_per_atom": floor_eV_per_atom})
    tight = relax.model_copy(update={"fmax_eV_per_A": 0.01, "max_steps": 1000})
    _relax_further(groups, potential, tight)
    if groups and settings.stability:  # phonons need vanishing forces
        still = relax.model_copy(update={"fmax_eV_per_A": 0.002, "max_steps": 2000})
        _relax_further([min(groups, key=lambda g: g.energy_eV_per_atom)], potential, still)
    state.merge()


def _relax_further(groups: list[Group], potential: BatchPotential, settings: RelaxSettings) -> None:
    """Relax crystals again, and take what is lower and still a crystal.

    A soft crystal may run out of steps; it is better relaxed than before, and not converged.
    """
    results = relax_many([group.structure for group in groups], potential, settings)
    for group, result in zip(groups, results, strict=True):
        lower = result.energy_eV_per_atom <= group.energy_eV_per_atom + ROUNDING_EV_PER_ATOM
        reason = unphysical(result, settings.lowest_eV_per_atom, residual_eV_per_A=math.inf)
        if lower and reason is None:
            group.take(result)


def make_hull(
    formula: Composition,
    potential: BatchPotential,
    references: dict[str, Structure] | None = None,
) -> Hull:
    """Relax the references whose elements are all in the composition."""
    chosen = shipped_references() if references is None else references
    inside = {
        name: structure
        for name, structure in chosen.items()
        if set(structure.composition.elements) <= set(formula.elements)
    }
    return Hull.relaxed(inside, potential)


def _summary(state: SearchState) -> str:
    relaxed = counted(state.n_relaxations, "relaxation")
    if not state.groups:
        return f"0 crystals after {relaxed}"
    best = state.ranked[0]
    return (
        f"{counted(len(state.groups), 'different crystal')} after {relaxed}; the best "
        f"({best.energy_eV_per_atom:.4f} eV/atom) found {counted(best.count, 'time')}"
    )
