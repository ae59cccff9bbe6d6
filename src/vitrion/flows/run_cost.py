"""Expected work of a run: force evaluations, time and disk, by step.

The numbers of force evaluations per relaxation are estimates. For the quick preset of LiPO2F2, 14
minutes were expected and 15 were taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.amorphous.makers import FRAMES_PER_STAGE, MeltQuenchMaker
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.makers import MDMaker
from vitrion.landscape.makers import DefectMaker, LandscapeMaker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobflow import Job

    from vitrion.flows.recipe import Recipe
    from vitrion.landscape.study_settings import DefectSettings

Phase = Literal["crystalline", "amorphous"]

CALLS_PER_SEARCH_RELAXATION = 120
CALLS_PER_GLASS_RELAXATION = 200
CALLS_PER_DEFECT = 90
CALLS_PER_BAND_IMAGE = 60
CALLS_PER_RIDGE = 60
"""Typical force evaluations of one relaxation, of one image of a band, and of its second mode."""

GENERATE_S = 0.5
"""Typical time in s to generate one candidate by diffusion."""

REFERENCE_S = 8.0
"""Typical time in s of a comparison with a second potential, loading included."""

JOB_S = 0.5
"""Typical time in s of a job besides its force evaluations."""

BYTES_PER_ATOM = 14.0
"""Typical size in bytes of one atom in one compressed frame."""


@dataclass(frozen=True)
class StepCost:
    """Expected work of similar jobs.

    Attributes
    ----------
    jobs : str
        Regular expression of their names.
    phase : str
        ``crystalline`` or ``amorphous``; the steps of one phase follow each other.
    n_jobs : int
        Expected number of jobs.
    atom_calls : float
        Force evaluations times atoms, of all jobs together.
    other_s : float
        Time in s on one core besides force evaluations.
    width : int
        Number of processes that can work on the jobs at the same time.
    frames : float
        Frames times atoms written to trajectories.
    ends : str
        Regular expression of the job that ends the step early; empty if none can.
    """

    jobs: str
    phase: Phase
    n_jobs: int
    atom_calls: float
    other_s: float = 0.0
    width: int = 1
    frames: float = 0.0
    ends: str = ""

    def seconds(self, per_atom_call_s: float) -> float:
        """Return the time on one core in s."""
        return self.atom_calls * per_atom_call_s + self.other_s + JOB_S * self.n_jobs


@dataclass(frozen=True)
class RunCost:
    """Expected work of a run.

    Attributes
    ----------
    steps : tuple of StepCost
    per_atom_call_s : float
        Time in s of one force evaluation, per atom.
    """

    steps: tuple[StepCost, ...]
    per_atom_call_s: float = 2e-5

    def wall_s(self, workers: int) -> float:
        """Return the expected time in s on a number of processes.

        It is the longer of the work over the processes, and of each phase whose steps wait for each
        other.
        """
        times = [(step, step.seconds(self.per_atom_call_s)) for step in self.steps]
        chains = {
            phase: sum(t / min(step.width, workers) for step, t in times if step.phase == phase)
            for phase in ("crystalline", "amorphous")
        }
        return max(sum(t for _, t in times) / workers, *chains.values())

    @property
    def disk_bytes(self) -> float:
        """Expected size of the trajectories in bytes."""
        return BYTES_PER_ATOM * sum(step.frames for step in self.steps)

    def fraction(self, finished: Iterable[str], running: Sequence[tuple[str, float]] = ()) -> float:
        """Return the completed fraction of the work, 0 to 1.

        Parameters
        ----------
        finished : iterable of str
            Names of finished jobs.
        running : sequence of (str, float)
            Names and completed fractions of running jobs.
        """
        ended = list(finished)
        seen = [*ended, *(name for name, _ in running)]
        done = total = 0.0
        for step in self.steps:
            weight = step.seconds(self.per_atom_call_s)
            total += weight
            parts = [1.0 for name in ended if re.fullmatch(step.jobs, name)]
            parts += [part for name, part in running if re.fullmatch(step.jobs, name)]
            if step.ends and any(re.fullmatch(step.ends, name) for name in seen):
                done += weight
            else:
                done += weight * sum(parts) / max(step.n_jobs, len(parts), 1)
        return min(done / total, 1.0) if total else 0.0


def run_cost(recipe: Recipe, jobs: Sequence[Job], per_atom_call_s: float = 2e-5) -> RunCost:
    """Return the expected work of a complete recipe.

    Parameters
    ----------
    recipe : Recipe
    jobs : sequence of Job
        Initial jobs of its flow.
    per_atom_call_s : float
        Time in s of one force evaluation, per atom.
    """
    steps: list[StepCost] = []
    if recipe.phase != "amorphous":
        steps += _crystal(recipe)
    if recipe.phase != "crystalline":
        steps += _glass(recipe, jobs)
    for job in jobs:
        if isinstance(job.maker, ConductivityMaker):
            steps.append(_conductivity(recipe, job.name, job.maker))
    for job in jobs:
        maker = job.maker.defect_maker if isinstance(job.maker, LandscapeMaker) else job.maker
        if isinstance(maker, DefectMaker):
            steps.append(_defects(recipe, maker.settings))
    return RunCost(tuple(steps), per_atom_call_s)


def atoms_of_crystal(recipe: Recipe, side_A: float) -> int:
    """Return the approximate number of atoms of a crystal's supercell of a minimum width."""
    composition = parse_composition(str(recipe.formula))
    volume = crystal_volume_per_atom(composition)
    # Supercells are a third wider than the minimum on average, in one direction.
    return max(round(1.33 * side_A**3 / volume), round(composition.num_atoms))


def atoms_of_glass(recipe: Recipe) -> int:
    """Return the number of atoms of a glass."""
    maker = MeltQuenchMaker.from_potential(recipe.potential, recipe.glass)
    return maker.count_atoms(str(recipe.formula))


def _crystal(recipe: Recipe) -> list[StepCost]:
    per_formula = parse_composition(str(recipe.formula)).num_atoms
    prepare = StepCost(
        "best crystal|given crystal|relax crystal|relaxed structure|supercell",
        "crystalline",
        2,
        CALLS_PER_SEARCH_RELAXATION * per_formula * 4,
    )
    if recipe.crystal is not None:
        return [prepare]
    search = recipe.search
    atoms = per_formula * float(np.mean(search.formula_units))
    fresh = sum(search.candidates.values()) + search.hosts * search.fillings
    relaxed = min(search.max_relaxations, fresh * recipe.search_jobs * search.max_iterations)
    made = relaxed * search.oversampling
    found = StepCost(
        r"reference phases|iteration \d+.*",
        "crystalline",
        1 + search.max_iterations * (recipe.search_jobs + 2),
        relaxed * atoms * CALLS_PER_SEARCH_RELAXATION,
        GENERATE_S * made,
        recipe.search_jobs,
        ends="best crystal",
    )
    return [found, prepare]


def _glass(recipe: Recipe, jobs: Sequence[Job]) -> list[StepCost]:
    atoms, n = atoms_of_glass(recipe), recipe.n_replicas
    relax = StepCost(
        r"(pack|relax contacts|relax|characterize) \d+|choose glasses",
        "amorphous",
        4 * n + 1,
        n * atoms * CALLS_PER_GLASS_RELAXATION,
        n * (REFERENCE_S if recipe.reference_potential else 0.0),
        n,
    )
    stages = [
        StepCost(
            re.escape(job.name),
            "amorphous",
            1,
            job.maker.settings.n_steps * atoms,
            width=n,
            frames=FRAMES_PER_STAGE * atoms,
        )
        for job in jobs
        if isinstance(job.maker, MDMaker)
    ]
    return [relax, *stages]


def _conductivity(recipe: Recipe, name: str, maker: ConductivityMaker) -> StepCost:
    settings, is_glass = maker.settings, maker.phase == "amorphous"
    atoms = (
        atoms_of_glass(recipe) if is_glass else atoms_of_crystal(recipe, recipe.supercell_side_A)
    )
    cells = recipe.n_replicas if is_glass else 1
    runs = cells * settings.replicas * settings.n_temperatures
    run_ps = settings.density_ps + settings.equilibration_ps + settings.first_ps
    atoms_fs = 1000 * atoms * (settings.scan_ps + runs * run_ps)
    return StepCost(
        re.escape(name),
        "amorphous" if is_glass else "crystalline",
        1,
        atoms_fs / settings.md.timestep_fs,
        REFERENCE_S if recipe.reference_potential else 0.0,
        runs,
        atoms_fs / settings.md.save_interval_fs,
    )


def _defects(recipe: Recipe, settings: DefectSettings) -> StepCost:
    is_glass = settings.phase == "amorphous"
    cells = recipe.n_replicas if is_glass else 1
    atoms = (
        atoms_of_glass(recipe) if is_glass else atoms_of_crystal(recipe, settings.supercell_side_A)
    )
    composition = parse_composition(str(recipe.formula))
    mobile = settings.mobile or default_mobile_species(composition)
    share = composition[mobile] / composition.num_atoms
    ions = max(1, round(atoms * share)) if is_glass else 2
    sites = settings.max_sites or 2 * ions
    kinds = settings.all_kinds
    singles = ("interstitial" in kinds) * sites + ("vacancy" in kinds) * ions
    pairs = sum(kind in kinds for kind in ("near", "far")) * sites
    calls = (singles + pairs) * CALLS_PER_DEFECT * (2 if is_glass else 1)
    calls += (sites + ions) * CALLS_PER_DEFECT * len(settings.convergence_sides_A)
    barriers = settings.barriers
    if barriers is not None:
        hops = (barriers.max_hops or 4 * ions) * len(barriers.mechanisms)
        calls += hops * (barriers.n_between * CALLS_PER_BAND_IMAGE + CALLS_PER_RIDGE)
        calls += hops * 18 * atoms * barriers.attempt_frequencies  # 6 per atom, 3 configurations
    names = (
        r"glass (prepare defects|join landscape)|(glass )?defects( \d+)?"
        if is_glass
        else r"crystal (defects|prepare defects|join landscape|conductivity by defects)"
    )
    return StepCost(
        names,
        "amorphous" if is_glass else "crystalline",
        cells + 2,
        cells * atoms * calls,
        width=cells,
    )
