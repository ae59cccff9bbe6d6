"""Search for the crystals of a composition: generate, relax, make hosts, inpaint, relax, rank."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitrion.chemistry import default_mobile_species
from vitrion.errors import InputError
from vitrion.generation.candidate import Candidate, StructureGenerator, as_formula
from vitrion.generation.hosts import make_hosts
from vitrion.generation.seeds import spawn_seeds
from vitrion.polymorphs.filters import overlap, unphysical
from vitrion.polymorphs.group import Finding
from vitrion.polymorphs.hull import Hull, shipped_references
from vitrion.polymorphs.relax import RelaxSettings, relax_many
from vitrion.polymorphs.state import SearchState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Composition, Structure

    from vitrion.documents.polymorph import PolymorphDoc
    from vitrion.potentials.batch import BatchPotential

HOLE_EV_PER_ATOM = 0.6
"""No crystal lies so far below a hull of known phases; a lower energy is the potential's fault."""


class SearchSettings(BaseModel):
    """How a search is made; the defaults suit a cell of up to 30 atoms on one CPU core."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: dict[str, int] = Field(
        default={"diffusion": 24, "random": 8, "substitution": 8},
        description="Candidates a round from each generator (diffusion, random, substitution).",
    )
    formula_units: tuple[int, ...] = Field(
        (1, 2, 3, 4), description="Formula units in the cells of the candidates."
    )
    volume_per_atom_A3: float | None = Field(
        None, description="Volume per atom of the candidates in A3; None estimates it."
    )
    weights: str = Field("vitrion-score", description="Score net: shipped, or a file.")
    sampler: dict[str, Any] = Field(default_factory=dict, description="See SamplerSettings.")
    files: tuple[str, ...] = Field((), description="Structure files to add in the first round.")
    host_species: str | None = Field(
        None, description="Element removed to make hosts; None takes the mobile species."
    )
    hosts: int = Field(4, ge=0, description="Best crystals made into hosts each round; 0: none.")
    fillings: int = Field(3, ge=1, description="Fillings of each host.")
    inpaint_mode: Literal["conditioned", "repaint"] = Field(
        "conditioned", description="How the host is held while it is filled."
    )
    relax: RelaxSettings = Field(default_factory=RelaxSettings, description="Relaxation.")
    found_again: int = Field(
        3, ge=1, description="Stop when the best crystal was found this often."
    )
    max_relaxations: int = Field(400, ge=1, description="Stop after this many relaxations.")
    max_rounds: int = Field(8, ge=1, description="Stop after this many rounds.")
    polished: int = Field(
        5, ge=0, description="Best crystals relaxed to 0.01 eV/A before they are ranked."
    )
    drop_triclinic: bool = Field(
        False, description="Whether crystals that are P1 at 0.1 A are left out of the ranking."
    )


def check_request(composition: Composition | str, settings: SearchSettings) -> Composition:
    """Return one formula unit after all checks that need no computation.

    Raises
    ------
    InputError
        If the request cannot be carried out.
    """
    formula = as_formula(composition)
    unknown = set(settings.candidates) - {"diffusion", "random", "substitution"}
    if unknown:
        raise InputError(
            f"There is no generator '{sorted(unknown)[0]}': choose from diffusion, random and "
            "substitution, and name structure files in 'files'."
        )
    if not settings.files and not any(settings.candidates.values()):
        raise InputError("The search needs candidates from at least one generator or file.")
    if settings.hosts and host_species(formula, settings) not in formula:
        raise InputError(
            f"{formula.reduced_formula} holds no {settings.host_species} to make hosts of."
        )
    return formula


def host_species(formula: Composition, settings: SearchSettings) -> str:
    """Return the element that is removed to make hosts."""
    return settings.host_species or default_mobile_species(formula)


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
            settings,
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
    return make_document(formula, state, hull, reason, potential, seed, settings)


def polish(state: SearchState, potential: BatchPotential, settings: SearchSettings) -> None:
    """Relax the best crystals tightly, so that their order does not hang on leftover forces."""
    groups = state.ranked[: settings.polished]
    tight = settings.relax.model_copy(update={"force_tolerance_eV_per_A": 0.01, "max_steps": 1000})
    results = relax_many([group.structure for group in groups], potential, tight)
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


def search_round(
    formula: Composition,
    settings: SearchSettings,
    potential: BatchPotential,
    hull: Hull,
    seed: int,
    known: Sequence[Structure],
    tell: Callable[[str], None] = lambda sentence: None,
    *,
    first: bool = True,
    budget: int | None = None,
) -> list[Finding]:
    """Make one round of candidates and fillings, all relaxed.

    Parameters
    ----------
    formula : Composition
        One formula unit.
    settings : SearchSettings
    potential : BatchPotential
    hull : Hull
        Tells what energy is beyond belief.
    seed : int
        Of this round.
    known : sequence of Structure
        Best crystals of earlier rounds; they become hosts along with those of this round.
    tell : callable
        Called with a sentence after each stage.
    first : bool
        Whether files are read.
    budget : int, optional
        The round makes no more relaxations than this; it keeps a share for the fillings.
    """
    at_hull = hull.energy_per_atom(formula)
    floor = None if at_hull is None else at_hull[0] - HOLE_EV_PER_ATOM
    seeds = spawn_seeds(seed, len(settings.candidates) + 2)
    candidates: list[Candidate] = []
    if first and settings.files:
        from vitrion.generation.files import FileGenerator

        candidates = FileGenerator(list(settings.files)).generate(formula, 10**6)[:budget]
    room = None if budget is None else budget - len(candidates)
    counts = candidates_within(settings, room)
    for generator_seed, (name, count) in zip(seeds, counts.items(), strict=False):
        if count:
            candidates += make_generator(name, settings).generate(formula, count, generator_seed)
    tell(f"{len(candidates)} candidates")
    findings = relax_candidates(candidates, potential, settings, floor)
    tell(f"{sum(f.rejected is None for f in findings)} of {len(findings)} relaxed to a crystal")
    if settings.hosts:
        relaxed = sum(finding.steps > 0 for finding in findings)
        room = None if budget is None else budget - relaxed
        fillings = _fill_hosts(formula, settings, findings, known, seeds[-1])[:room]
        tell(f"{len(fillings)} fillings of hosts")
        findings += relax_candidates(fillings, potential, settings, floor)
    return findings


def candidates_within(settings: SearchSettings, budget: int | None) -> dict[str, int]:
    """Return how many candidates each generator makes in a round of so many relaxations.

    Where the budget is less than a full round, its parts shrink alike, the fillings of hosts among
    them; by the largest remainder, so that the sum is exact.
    """
    counts = settings.candidates
    total, fillings = sum(counts.values()), settings.hosts * settings.fillings
    if budget is None or total + fillings <= budget:
        return dict(counts)
    if budget < 1:
        return dict.fromkeys(counts, 0)
    room = max(1, round(budget * total / (total + fillings)))
    shares = {name: count * room / total for name, count in counts.items()}
    whole = {name: int(share) for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: whole[name] - shares[name])
    for name in by_rest[: room - sum(whole.values())]:
        whole[name] += 1
    return whole


def make_generator(name: str, settings: SearchSettings) -> StructureGenerator:
    """Return a generator with the settings of the search."""
    if name == "diffusion":
        from vitrion.generation.diffusion.generator import DiffusionGenerator

        return DiffusionGenerator(
            weights=settings.weights,
            formula_units=settings.formula_units,
            volume_per_atom_A3=settings.volume_per_atom_A3,
            sampler=dict(settings.sampler),
        )
    if name == "random":
        from vitrion.generation.random import RandomGenerator

        return RandomGenerator(settings.formula_units, settings.volume_per_atom_A3)
    from vitrion.generation.substitution import SubstitutionGenerator

    return SubstitutionGenerator(volume_per_atom_A3=settings.volume_per_atom_A3)


def relax_candidates(
    candidates: Sequence[Candidate],
    potential: BatchPotential,
    settings: SearchSettings,
    floor_eV_per_atom: float | None,
) -> list[Finding]:
    """Relax candidates; those that overlap or end unphysical are kept with the reason."""
    findings: list[Finding] = []
    sound: list[Candidate] = []
    for candidate in candidates:
        reason = overlap(candidate.structure)
        if reason is None:
            sound.append(candidate)
        else:
            findings.append(
                Finding(
                    structure=candidate.structure,
                    origin=candidate.origin,
                    energy_per_atom_eV=0.0,
                    max_force_eV_per_A=0.0,
                    steps=0,
                    rejected=reason,
                )
            )
    relax = settings.relax.model_copy(update={"lowest_eV_per_atom": floor_eV_per_atom})
    results = relax_many([candidate.structure for candidate in sound], potential, relax)
    for candidate, result in zip(sound, results, strict=True):
        findings.append(
            Finding(
                structure=result.structure,
                origin=candidate.origin,
                energy_per_atom_eV=result.energy_per_atom_eV,
                max_force_eV_per_A=result.max_force_eV_per_A,
                steps=result.steps,
                rejected=unphysical(result, floor_eV_per_atom),
            )
        )
    return findings


def _fill_hosts(
    formula: Composition,
    settings: SearchSettings,
    findings: Sequence[Finding],
    known: Sequence[Structure],
    seed: int,
) -> list[Candidate]:
    """Fill the hosts of the best crystals of this round and of earlier ones."""
    from vitrion.generation.inpainting import inpaint

    fresh = SearchState()
    fresh.add(findings)
    species = host_species(formula, settings)
    parents = [*fresh.best(settings.hosts), *known]
    fillings: list[Candidate] = []
    for parent, child in zip(parents, spawn_seeds(seed, len(parents)), strict=True):
        hosts = make_hosts(parent, species, allow_triclinic=False)[: settings.fillings]
        for index, host in enumerate(hosts):
            # The fillings of a crystal are shared out over its hosts of different symmetry.
            share = len(range(index, settings.fillings, len(hosts)))
            label = f"{host.space_group} host at {host.tolerance_A} A"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the generator has already told what is unknown
                fillings += inpaint(
                    host.structure,
                    host.insert,
                    share,
                    child + index,
                    mode=settings.inpaint_mode,
                    weights=settings.weights,
                    sampler=settings.sampler,
                    parent=label,
                )
    return fillings


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
