"""One iteration of a search: generate, relax, make hosts, fill them, relax."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError
from vitrion.generation.hosts import make_hosts
from vitrion.generation.seeds import spawn_seeds
from vitrion.polymorphs.filters import LEEWAY, overlap, unphysical
from vitrion.polymorphs.group import JudgedCandidate
from vitrion.polymorphs.prescreen import screen
from vitrion.polymorphs.search_settings import SearchSettings, host_species
from vitrion.polymorphs.search_state import SearchState
from vitrion.relaxation.relax import relax_many

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pymatgen.core import Composition, Structure

    from vitrion.generation.candidate import Candidate, StructureGenerator
    from vitrion.polymorphs.hull import Hull
    from vitrion.potentials.batch import BatchPotential

LEARNED_FROM = 5
"""Number of best crystals that determine the volume of the next candidates."""


def search_iteration(
    formula: Composition,
    settings: SearchSettings,
    potential: BatchPotential,
    hull: Hull,
    seed: int,
    known: Sequence[Structure],
    report: Callable[[str], None] = lambda sentence: None,
    *,
    budget: int | None = None,
) -> list[JudgedCandidate]:
    """Make one iteration of candidates and fillings, all relaxed.

    Parameters
    ----------
    formula : Composition
        One formula unit.
    settings : SearchSettings
    potential : BatchPotential
    hull : Hull
        Gives the energy below which structures are spurious minima.
    seed : int
        Of this iteration.
    known : sequence of Structure
        Best crystals of earlier iterations, hosts in addition to the crystals of this iteration.
    report : callable
        Called with a sentence after each stage.
    budget : int, optional
        Maximum number of relaxations of the iteration, including fillings of hosts.
    """
    floor = hull.floor(formula)
    seeds = spawn_seeds(seed, len(settings.candidates) + 2)
    given: list[Candidate] = []
    if settings.files:
        from vitrion.generation.given import FileGenerator

        given = FileGenerator(list(settings.files)).generate(formula, len(settings.files))
    room = None if budget is None else budget - len(given)
    counts = candidates_within(settings, room)
    many = {name: settings.oversampling * count for name, count in counts.items()}
    made = generate(formula, settings, many, seeds, report)
    report(f"{len(given) + len(made)} candidates")
    findings = relax_candidates(given, potential, settings, floor)
    findings += relax_best(made, counts, potential, settings, floor)
    report(_outcome(findings))
    if settings.hosts and host_species(formula, settings) is not None:
        relaxed = sum(finding.steps > 0 for finding in findings)
        room = None if budget is None else budget - relaxed
        fillings = _fill_hosts(formula, settings, findings, known, seeds[-1])
        report(f"{len(fillings)} fillings of hosts")
        wanted = len(fillings) // settings.oversampling
        share = {"inpainting": wanted if room is None else min(wanted, room)}
        findings += relax_best(fillings, share, potential, settings, floor)
    return findings


def _outcome(findings: Sequence[JudgedCandidate]) -> str:
    relaxed = [finding for finding in findings if finding.steps]
    kept = sum(finding.rejected is None for finding in relaxed)
    return f"{kept} of {len(relaxed)} relaxed to a crystal"


def generate(
    formula: Composition,
    settings: SearchSettings,
    counts: dict[str, int],
    seeds: Sequence[int],
    report: Callable[[str], None],
) -> list[Candidate]:
    """Make candidates with each generator; the share of a failed generator goes to another.

    Raises
    ------
    InputError
        If no generator supports the composition.
    """
    candidates: list[Candidate] = []
    able, missing = None, 0
    reason: InputError | None = None
    for seed, (name, count) in zip(seeds, counts.items(), strict=False):
        if not count:
            continue
        generator = make_generator(name, settings)
        try:
            candidates += generator.generate(formula, count, seed)
            able = able or generator
        except InputError as exc:
            report(f"{name}: {exc}")
            reason, missing = exc, missing + count
    if reason is not None and able is None:
        raise reason
    if missing and able is not None:
        candidates += able.generate(formula, missing, seeds[-2])
    return candidates


def settings_of_iteration(settings: SearchSettings, state: SearchState) -> SearchSettings:
    """Return the settings of the next iteration: the files only in the first.

    The volume is the median relaxed volume of the best crystals, if none is set: ionic increments
    ignore the loose packing of molecular ions, and the potential.
    """
    if state.n_iterations:
        settings = settings.model_copy(update={"files": ()})
    best = state.best(LEARNED_FROM)
    if settings.volume_per_atom_A3 is not None or not best:
        return settings
    volume = float(np.median([structure.volume / len(structure) for structure in best]))
    return settings.model_copy(update={"volume_per_atom_A3": volume})


def candidates_within(settings: SearchSettings, budget: int | None) -> dict[str, int]:
    """Return how many candidates each generator makes in an iteration of so many relaxations.

    A budget below a full iteration scales all generators and the fillings of hosts down, by the
    largest remainder method, so that the sum is exact.
    """
    counts = settings.candidates
    total, fillings = sum(counts.values()), settings.hosts * settings.fillings
    if budget is None or total + fillings <= budget:
        return dict(counts)
    if budget < 1 or total == 0:
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


def relax_best(
    candidates: Sequence[Candidate],
    wanted: Mapping[str, int],
    potential: BatchPotential,
    settings: SearchSettings,
    floor_eV_per_atom: float | None,
) -> list[JudgedCandidate]:
    """Relax the requested number of candidates of each generator, lowest energies first."""
    if settings.oversampling == 1:
        return relax_candidates(
            candidates[: sum(wanted.values())], potential, settings, floor_eV_per_atom
        )
    chosen, left_out = screen(
        candidates,
        wanted,
        potential,
        floor_eV_per_atom=floor_eV_per_atom,
        batch_atoms=settings.relax.batch_atoms,
    )
    relaxed = relax_candidates(chosen, potential, settings, floor_eV_per_atom)
    return left_out + [finding.model_copy(update={"screened": True}) for finding in relaxed]


def relax_candidates(
    candidates: Sequence[Candidate],
    potential: BatchPotential,
    settings: SearchSettings,
    floor_eV_per_atom: float | None,
) -> list[JudgedCandidate]:
    """Relax candidates; record the reason for overlapping or unphysical ones."""
    findings: list[JudgedCandidate] = []
    valid: list[Candidate] = []
    for candidate in candidates:
        reason = overlap(candidate.structure)
        if reason is None:
            valid.append(candidate)
        else:
            findings.append(JudgedCandidate.unrelaxed(candidate, reason))
    relax = settings.relax.model_copy(update={"lowest_eV_per_atom": floor_eV_per_atom})
    results = relax_many([candidate.structure for candidate in valid], potential, relax)
    for candidate, result in zip(valid, results, strict=True):
        findings.append(
            JudgedCandidate(
                structure=result.structure,
                origin=candidate.origin,
                energy_eV_per_atom=result.energy_eV_per_atom,
                max_force_eV_per_A=result.max_force_eV_per_A,
                converged=result.converged,
                steps=result.n_steps + 1,
                rejected=unphysical(
                    result, floor_eV_per_atom, residual_eV_per_A=LEEWAY * relax.fmax_eV_per_A
                ),
            )
        )
    return findings


def _fill_hosts(
    formula: Composition,
    settings: SearchSettings,
    findings: Sequence[JudgedCandidate],
    known: Sequence[Structure],
    seed: int,
) -> list[Candidate]:
    """Fill the hosts of the best crystals of this iteration and of earlier ones."""
    from vitrion.generation.inpainting import inpaint

    fresh = SearchState()
    fresh.add(findings)
    species = host_species(formula, settings)
    assert species is not None
    parents = [*fresh.best(settings.hosts), *known]
    wanted = settings.oversampling * settings.fillings
    fillings: list[Candidate] = []
    for parent, child in zip(parents, spawn_seeds(seed, len(parents)), strict=True):
        try:
            hosts = make_hosts(parent, species, allow_triclinic=False)[:wanted]
        except InputError:  # for example, a user's file may not contain the species
            continue
        for index, host in enumerate(hosts):
            # The fillings of a crystal are distributed over its hosts of different symmetry.
            share = len(range(index, wanted, len(hosts)))
            label = f"{host.space_group} host at {host.tolerance_A} A"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the generator has already warned
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
