"""The plan of a recipe: its jobs, cells and durations."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from vitrion.amorphous.makers import MeltQuenchMaker
from vitrion.amorphous.volume import MELT_EXPANSION
from vitrion.chemistry.formulas import parse_composition, whole_amounts
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.force_speed import seconds_per_force_call
from vitrion.dynamics.makers import MDMaker
from vitrion.flows.run_cost import atoms_of_crystal, atoms_of_glass, run_cost
from vitrion.flows.run_recipe import make_flow
from vitrion.landscape.makers import DefectMaker
from vitrion.potentials import get_potential, load_calculator
from vitrion.runtime.counts import counted
from vitrion.runtime.durations import duration_text

if TYPE_CHECKING:
    from jobflow import Job

    from vitrion.conductivity.conductivity_settings import ConductivitySettings
    from vitrion.dynamics.md_settings import MDSettings
    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_cost import RunCost
    from vitrion.landscape.study_settings import DefectSettings

JOBS_A_LINE = 8
FIRST = " 1"
"""Suffix of the names of the first glass's jobs."""


def plan_lines(recipe: Recipe) -> list[str]:
    """Return the plan of a complete recipe, one line per step.

    Returns
    -------
    list of str
        The search, the glasses, the dynamics of each phase, the defects, the total duration of
        dynamics, and the initial jobs.
    """
    jobs = flow_jobs(recipe)
    lines = [f"run {recipe.run_id}"]
    if recipe.phase != "amorphous":
        lines.append(_crystal_line(recipe))
    stages = {job.name: job.maker.settings for job in jobs if isinstance(job.maker, MDMaker)}
    if stages:
        lines.append(_glass_line(recipe, stages))
    measured = [job.maker for job in jobs if isinstance(job.maker, ConductivityMaker)]
    total_ps = sum(run.duration_ps for run in stages.values())
    most_ps = total_ps
    for maker in measured:
        cells = recipe.n_replicas if maker.phase == "amorphous" else 1
        phase = "glass" if maker.phase == "amorphous" else "crystal"
        runs = _conductivity(maker.settings, cells, is_glass=phase == "glass")
        lines.append(f"conductivity, {phase}: {runs}")
        total_ps += _first_ps(maker.settings, cells)
        most_ps += _first_ps(maker.settings, cells) + _extension_ps(maker.settings, cells)
    lines += _defect_lines(recipe, jobs)
    step_fs = recipe.conductivity.md.timestep_fs
    lines.append(
        f"total dynamics: {total_ps:g} ps ({_steps(total_ps, step_fs)} steps of {step_fs:g} fs), "
        f"at most {most_ps:g} ps with extensions"
    )
    return [*lines, *_job_lines(jobs)]


def search_lines(recipe: Recipe) -> list[str]:
    """Return the plan of a search alone: its number of relaxations."""
    return [f"search: {_relaxations(recipe)}"]


def flow_jobs(recipe: Recipe) -> list[Job]:
    """Return the initial jobs of a complete recipe."""
    return [job for job, _ in make_flow(recipe).iterflow()]


def measured_cost(
    recipe: Recipe,
    measure_s: float = 1.0,
    *,
    as_fast_as: str | None = None,
    search_only: bool = False,
) -> tuple[RunCost, str]:
    """Return the expected work of a recipe at the speed of this machine without other programs.

    Parameters
    ----------
    recipe : Recipe
        Complete.
    measure_s : float
        Duration of the measurement in s.
    as_fast_as : str, optional
        Potential to measure instead of the recipe's, such as an existing student for one that does
        not exist yet; as many of its elements are used as the recipe has.
    search_only : bool
        Whether only the search for the crystal is run; the phase of the recipe is crystalline.

    Returns
    -------
    RunCost, str
        The work, and a sentence about the measurement.
    """
    glass = recipe.phase != "crystalline"
    atoms = atoms_of_glass(recipe) if glass else atoms_of_crystal(recipe, recipe.supercell_side_A)
    composition = parse_composition(str(recipe.formula))
    counts = whole_amounts(composition)
    units = max(1, round(atoms / sum(counts.values())))
    symbols = [symbol for symbol, n in counts.items() for _ in range(n * units)]
    measured = recipe.potential if as_fast_as is None else as_fast_as
    known = get_potential(measured).elements
    if as_fast_as is not None and known is not None:
        stand_in = dict(zip(dict.fromkeys(symbols), cycle(known), strict=False))
        symbols = [stand_in[symbol] for symbol in symbols]
    calculator = load_calculator(measured, symbols=symbols)
    volume = crystal_volume_per_atom(composition)
    if glass:
        volume *= (1 + MELT_EXPANSION) / 2  # between the packed melt and the crystal
    call_s = seconds_per_force_call(calculator, symbols, volume, measure_s=measure_s)
    jobs = [] if search_only else flow_jobs(recipe)
    cost = run_cost(recipe, jobs, call_s / len(symbols))
    return cost, f"{1000 * call_s:.2g} ms for the forces on {len(symbols)} atoms"


def expectation_line(cost: RunCost, measurement: str, workers: int) -> str:
    """Return the expected time and disk space as one line."""
    processes = counted(workers, "process", "processes")
    megabytes = max(cost.disk_bytes / 1e6, 1)
    disk = f", {megabytes:.0f} MB of trajectories" if cost.disk_bytes else ""
    return (
        f"expected: about {duration_text(cost.wall_s(workers))} on {processes}{disk} (measured: "
        f"{measurement}; other programs add to the time)"
    )


def _crystal_line(recipe: Recipe) -> str:
    if recipe.crystal is not None:
        return f"crystal: given; supercell at least {recipe.supercell_side_A:g} A wide"
    return f"crystal: {_relaxations(recipe)}; supercell at least {recipe.supercell_side_A:g} A wide"


def _relaxations(recipe: Recipe) -> str:
    search = recipe.search
    return (
        f"at most {counted(search.max_relaxations, 'relaxation')} in "
        f"{counted(search.max_iterations, 'iteration')} of "
        f"{counted(recipe.search_jobs, 'parallel job')}"
    )


def _glass_line(recipe: Recipe, stages: dict[str, MDSettings]) -> str:
    maker = MeltQuenchMaker.from_potential(recipe.potential, recipe.glass)
    shown = ", ".join(
        f"{name.removesuffix(FIRST)} {run.duration_ps:g} ps at {_kelvin(run)} ({run.n_steps} steps)"
        for name, run in stages.items()
        if name.endswith(FIRST)
    )
    atoms = maker.count_atoms(str(recipe.formula))
    return f"glass: {counted(recipe.n_replicas, 'cell')} of {atoms} atoms; {shown}"


def _conductivity(settings: ConductivitySettings, cells: int, *, is_glass: bool) -> str:
    runs = cells * settings.replicas * settings.n_temperatures
    total = _first_ps(settings, cells)
    return (
        f"{counted(runs, 'run')} at {settings.temperatures_text} of {settings.density_ps:g} ps "
        f"(constant pressure) + {settings.equilibration_ps:g} + {settings.first_ps:g} ps: "
        f"{total:g} ps ({_steps(total, settings.md.timestep_fs)} steps), "
        f"extended by at most {_extension_ps(settings, cells):g} ps"
        f"{', further glasses included' if is_glass and settings.extension else ''}"
    )


def _defect_lines(recipe: Recipe, jobs: list[Job]) -> list[str]:
    """Return one line per phase with defects."""
    makers = [getattr(job.maker, "defect_maker", job.maker) for job in jobs]
    found = [maker.settings for maker in makers if isinstance(maker, DefectMaker)]
    settings = {each.phase: each for each in found}
    glasses = counted(recipe.n_replicas, "cell")
    cells = {"crystalline": "crystal, 1 cell", "amorphous": f"glass, {glasses}"}
    return [f"defects, {cells[str(phase)]}: {_defects(each)}" for phase, each in settings.items()]


def _defects(settings: DefectSettings) -> str:
    sites = "all sites" if settings.max_sites is None else f"at most {settings.max_sites} sites"
    barriers = settings.barriers
    if barriers is None:
        return f"{sites}, no barriers"
    hops = "all" if barriers.max_hops is None else f"at most {barriers.max_hops}"
    return f"{sites}, barriers of {hops} {' and '.join(barriers.mechanisms)} hops"


def _job_lines(jobs: list[Job]) -> list[str]:
    names = [job.name for job in jobs]
    rows = [names[k : k + JOBS_A_LINE] for k in range(0, len(names), JOBS_A_LINE)]
    return [
        f"jobs: {len(names)} initially; search iterations, extensions and defects of glasses "
        "add more",
        *(f"  {', '.join(row)}" for row in rows),
    ]


def _first_ps(settings: ConductivitySettings, cells: int) -> float:
    """Return the duration of the scan and of the first segment of all runs in ps."""
    before_ps = settings.density_ps + settings.equilibration_ps
    runs_ps = settings.first_round_ps(cells) * (1 + before_ps / settings.first_ps)
    return settings.scan_ps + runs_ps


def _extension_ps(settings: ConductivitySettings, cells: int) -> float:
    return settings.budget_ps(cells) - settings.first_round_ps(cells)


def _steps(duration_ps: float, timestep_fs: float) -> int:
    return round(duration_ps * 1000 / timestep_fs)


def _kelvin(run: MDSettings) -> str:
    if isinstance(run.temperature_K, tuple):
        return f"{run.temperature_K[0]:g} to {run.temperature_K[1]:g} K"
    return f"{run.temperature_K:g} K"
