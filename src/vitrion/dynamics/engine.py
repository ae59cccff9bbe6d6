"""Run restartable molecular dynamics: a kill loses only the work since the last checkpoint."""

from __future__ import annotations

import math
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.dynamics.forces import Forces, cutoff_of, evaluation_of
from vitrion.dynamics.run_result import MDResult, load_result
from vitrion.dynamics.simulation import check_start, matching_checkpoint, open_run
from vitrion.dynamics.start import read_start
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.dynamics.integrator import Steps
    from vitrion.dynamics.md_settings import MDSettings
    from vitrion.dynamics.progress_bar import Report


def run_md(
    structure: Structure | Atoms,
    calculator: Calculator | Callable[[], Calculator],
    settings: MDSettings,
    directory: str | Path = ".",
    *,
    prev_dir: str | Path | None = None,
    potential: dict[str, Any] | None = None,
    cutoff_A: float | None = None,
    walltime_s: float | None = None,
    report: Report | None = None,
) -> MDResult:
    """Run or resume a simulation, or load its result if it is complete.

    A directory holds one run: ``md.vtraj.h5`` and ``checkpoint.npz``. Calling this again with the
    same arguments resumes an unfinished run from its checkpoint, bit for bit equal to an
    uninterrupted run, and loads the result of a complete run from its files.

    Parameters
    ----------
    structure : Structure or Atoms
        Initial structure; see :mod:`vitrion.dynamics.start` for velocities.
    calculator : Calculator or callable
        Calculator, or a function that loads it when it is first needed.
    settings : MDSettings
        Settings of the run.
    directory : str or Path
        Directory of the files; created if needed.
    prev_dir : str or Path, optional
        Earlier run whose last velocities are used if its last positions equal the structure.
    potential : dict, optional
        Identity of the potential as JSON; stored with the files. A run does not resume with another
        potential.
    cutoff_A : float, optional
        Cutoff of the potential in A; by default the cutoff of the calculator.
    walltime_s : float, optional
        Stop at the last checkpoint that fits into this many seconds; at least one is reached.
    report : callable, optional
        Called with (step, temperature in K) at most twice a second instead of a progress bar.

    Returns
    -------
    MDResult
        ``complete`` is False if the walltime ended the run.

    Raises
    ------
    InputError
        If the settings do not fit the system, the directory holds another run, or another process
        uses the directory.
    SimulationError
        If the run blows up.
    """
    deadline = math.inf if walltime_s is None else time.monotonic() + walltime_s
    directory = Path(directory).absolute()
    with open_run(
        structure,
        settings,
        directory,
        prev_dir=prev_dir,
        potential=potential,
        cutoff_A=cutoff_A,
    ) as run:
        if run is not None:
            loaded = calculator() if callable(calculator) else calculator
            start = run.start
            check_start(settings, start, cutoff_A or cutoff_of(loaded))
            forces = Forces(
                loaded, start.numbers, start.masses, start.pbc, settings.fix_center_of_mass
            )
            steps = run.steps(evaluation_of(loaded), forces.reset, deadline=deadline, report=report)
            evaluate(steps, forces)
    return load_result(directory)


def evaluate(steps: Steps, forces: Forces) -> None:
    """Evaluate the requests of a run, or of one step of it, until it ends."""
    with closing(steps), suppress(StopIteration):
        request = next(steps)
        while True:
            request = steps.send(forces(*request))


def is_same_run(
    directory: str | Path,
    structure: Structure | Atoms,
    settings: MDSettings,
    potential: dict[str, Any] | None = None,
) -> bool:
    """Whether a directory holds exactly this run, complete or not.

    Parameters
    ----------
    directory, structure, settings, potential
        See :func:`run_md`.
    """
    start = read_start(structure, settings.fix_center_of_mass)
    try:
        return matching_checkpoint(Path(directory), start, settings, potential or {}) is not None
    except InputError:
        return False
