"""Search for the crystals of a composition: generate, relax, make hosts, inpaint, relax, rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.generation.seeds import spawn_seeds
from vitrion.polymorphs.filters import overlap
from vitrion.polymorphs.hull import Hull, shipped_references
from vitrion.polymorphs.relax import relax_many
from vitrion.polymorphs.round import search_round, with_volume_of_best
from vitrion.polymorphs.settings import SearchSettings, check_request
from vitrion.polymorphs.state import SearchState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Composition, Structure

    from vitrion.documents.polymorph import PolymorphDoc
    from vitrion.potentials.batch import BatchPotential


def search(
    composition: Composition | str,
    settings: SearchSettings | None = None,
    *,
    potential: str | None = None,
    seed: int = 0,
    device: str | None = None,
    references: dict[str, Structure] | None = None,
    on_progress: Callable[[str, SearchState], None] | None = None,
) -> PolymorphDoc:
    """Search for the crystals of a composition, knowing nothing else.

    Parameters
    ----------
    composition : Composition or str
        Formula, such as ``"LiPO2F2"``.
    settings : SearchSettings, optional
    potential : str, optional
        Name in the registry; None takes the user's setting.
    seed : int
    device : str, optional
        Torch device.
    references : dict, optional
        Structures of the hull by name; None takes those that ship with the package.
    on_progress : callable, optional
        Called after each stage with a sentence and the state.

    Returns
    -------
    PolymorphDoc
        Crystals by rising energy; it is empty of polymorphs if nothing could be relaxed.

    Raises
    ------
    InputError
        If the request makes no sense, or the potential or the score net lacks an element.
    """
    from vitrion.polymorphs.rank import make_document
    from vitrion.potentials.batch import load_batch_potential

    settings = settings or SearchSettings()
    formula = check_request(composition, settings)
    tell = on_progress or (lambda sentence, state: None)
    batch = load_batch_potential(potential, device=device, symbols=[el.symbol for el in formula])
    state = SearchState()
    hull = make_hull(formula, batch, references)
    tell(f"{len(hull.energies)} reference phases relaxed", state)
    while (reason := _stop(state, settings)) is None:
        number = state.rounds + 1
        round_seed = spawn_seeds(seed, number)[-1]

        def progress(sentence: str, number: int = number) -> None:
            tell(f"round {number}: {sentence}", state)

        findings = search_round(
            formula,
            with_volume_of_best(settings, state),
            batch,
            hull,
            round_seed,
            state.best(settings.hosts),
            progress,
            first=number == 1,
            budget=settings.max_relaxations - state.n_relaxations,
        )
        state.add(findings)
        state.rounds = number
        progress(_summary(state))
    polish(state, batch, settings)
    tell("best crystals relaxed further", state)
    return make_document(formula, state, hull, reason, potential, seed, settings, device)


def polish(state: SearchState, potential: BatchPotential, settings: SearchSettings) -> None:
    """Relax the best crystals tightly, so that their order does not hang on leftover forces."""
    groups = state.ranked[: max(settings.polished, int(settings.stability))]
    tight = settings.relax.model_copy(update={"force_tolerance_eV_per_A": 0.01, "max_steps": 1000})
    results = relax_many([group.structure for group in groups], potential, tight)
    if results and settings.stability:  # phonons want no force left
        still = tight.model_copy(update={"force_tolerance_eV_per_A": 0.002, "max_steps": 2000})
        lowest = min(range(len(results)), key=lambda i: results[i].energy_per_atom_eV)
        (results[lowest],) = relax_many([results[lowest].structure], potential, still)
    for group, result in zip(groups, results, strict=True):
        # A soft crystal may keep forces above 0.01 eV/A; it is still better relaxed than before.
        if (
            result.energy_per_atom_eV <= group.energy_per_atom_eV
            and overlap(result.structure) is None
        ):
            group.structure = result.structure
            group.energy_per_atom_eV = result.energy_per_atom_eV
            group.max_force_eV_per_A = result.max_force_eV_per_A
    state.merge()


def make_hull(
    formula: Composition,
    potential: BatchPotential,
    references: dict[str, Structure] | None = None,
) -> Hull:
    """Relax the references that hold no other element than the composition."""
    chosen = shipped_references() if references is None else references
    inside = {
        name: structure
        for name, structure in chosen.items()
        if set(structure.composition.elements) <= set(formula.elements)
    }
    return Hull.relaxed(inside, potential)


def _stop(state: SearchState, settings: SearchSettings) -> str | None:
    return state.stop_reason(settings.found_again, settings.max_relaxations, settings.max_rounds)


def _summary(state: SearchState) -> str:
    if not state.groups:
        return f"no crystal after {state.n_relaxations} relaxations"
    best = state.ranked[0]
    return (
        f"{len(state.groups)} different crystals after {state.n_relaxations} relaxations; the best "
        f"({best.energy_per_atom_eV:.4f} eV/atom) found {best.count} times"
    )
