"""One run on disk, opened for its next steps: state, trajectory and checkpoint.

:meth:`Run.steps` yields what the run needs of its potential and receives the result, so that a run
alone (:mod:`vitrion.dynamics.engine`) and a run in a batch (:mod:`vitrion.dynamics.batched_runs`)
have the same integrators, files, checks and checkpoints.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from vitrion.dynamics.checkpoint import (
    FILE_NAME,
    Checkpoint,
    Start,
    read_checkpoint,
    write_checkpoint,
)
from vitrion.dynamics.guard import Guard
from vitrion.dynamics.integrator import Integrator, Request
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.progress_bar import RunProgress
from vitrion.dynamics.run_result import TRAJECTORY_NAME
from vitrion.dynamics.start import read_start
from vitrion.dynamics.state import (
    State,
    System,
    conserved_energy,
    pressure_tensor,
    targets,
    temperature,
    thermal_velocities,
    volume,
)
from vitrion.dynamics.thermostats import THERMOSTATS
from vitrion.dynamics.trajectory import Frame, TrajectoryWriter
from vitrion.errors import InputError, SimulationError
from vitrion.runtime.atomic import only_process, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ase import Atoms
    from pymatgen.core import Structure

    from vitrion.dynamics.integrator import Steps
    from vitrion.dynamics.progress_bar import Report

LOCK_NAME = ".running"


@contextmanager
def open_run(
    structure: Structure | Atoms,
    settings: MDSettings,
    directory: Path,
    *,
    prev_dir: str | Path | None = None,
    potential: dict[str, Any] | None = None,
    cutoff_A: float | None = None,
) -> Iterator[Run | None]:
    """Lock the directory of a run and yield the run; None if all its steps are done.

    See :func:`vitrion.dynamics.engine.run_md` for the parameters and errors.
    """
    start = read_start(
        structure, settings.fix_center_of_mass, None if prev_dir is None else Path(prev_dir)
    )
    check_start(settings, start, cutoff_A)
    with only_process(directory / LOCK_NAME):
        checkpoint = matching_checkpoint(directory, start, settings, potential or {})
        if checkpoint is not None and checkpoint.complete:
            yield None
            return
        if checkpoint is not None:  # the requested start may differ in the last digits
            start = checkpoint.start
        yield Run(directory, start, settings, potential or {}, checkpoint)


def check_start(settings: MDSettings, start: Start, cutoff_A: float | None) -> None:
    """Raise InputError if settings and potential do not fit the initial state."""
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[number] for number in start.numbers]
    settings.check_system(symbols, start.cell, start.pbc, cutoff_A)


def matching_checkpoint(
    directory: Path, start: Start, settings: MDSettings, potential: dict[str, Any]
) -> Checkpoint | None:
    """Return the checkpoint of this run, or None without a checkpoint."""
    path = directory / FILE_NAME
    if not path.is_file():
        return None
    checkpoint = read_checkpoint(path)
    found = MDSettings(**checkpoint.settings).model_dump()
    for name, value in settings.model_dump().items():
        if found[name] != value:
            raise InputError(
                f"The directory {directory} holds a run with {name} = {found[name]}, not {value}: "
                "use an empty directory."
            )
    if checkpoint.potential != potential:
        raise InputError(
            f"The directory {directory} holds a run with another potential: use an empty directory."
        )
    if not checkpoint.start.fits(start):
        raise InputError(
            f"The directory {directory} holds a run of another structure: use an empty directory."
        )
    return checkpoint


@dataclass
class Run:
    """State and files of a running simulation; see :func:`open_run`.

    Attributes
    ----------
    directory : Path
    start : Start
        Initial state.
    settings : MDSettings
    potential : dict
        Identity of the potential.
    checkpoint : Checkpoint or None
        Where to resume.
    """

    directory: Path
    start: Start
    settings: MDSettings
    potential: dict[str, Any]
    checkpoint: Checkpoint | None

    def __post_init__(self) -> None:
        s, start = self.settings, self.start
        self.system = System.from_settings(s, start.masses, start.cell)
        self.guard = Guard(s, start.pbc, volume(start.cell))
        self.elapsed_before = 0.0

    def steps(
        self,
        evaluation: str,
        reset: Callable[[], None],
        *,
        deadline: float = math.inf,
        report: Report | None = None,
    ) -> Steps:
        """Yield the requests of the remaining steps, or of as many as the deadline allows.

        Parameters
        ----------
        evaluation : str
            Implementation that evaluates the potential.
        reset : callable
            Drops the history of the potential; called after every checkpoint.
        deadline : float
            Time in s, as ``time.monotonic`` returns it, before which the last checkpoint is made;
            at least one is reached.
        report : callable, optional
            See :func:`vitrion.dynamics.engine.run_md`.
        """
        self.evaluation, self.reset = evaluation, reset
        if self.checkpoint is None:
            yield from self._begin()
        else:
            self._resume(self.checkpoint)
        yield from self._advance(deadline, report)

    def _begin(self) -> Steps:
        """Create the initial state, frame and checkpoint."""
        s, start = self.settings, self.start
        draw, noise = np.random.SeedSequence(s.seed).spawn(2)
        velocities = start.velocities
        if np.isnan(velocities).any():
            velocities = thermal_velocities(
                self.system, s.temperature_at(0), np.random.default_rng(draw)
            )
        self.rng = np.random.default_rng(noise)
        self.evaluated_by = [(0, self.evaluation)]
        energy, forces, sigma = yield Request(
            start.positions, start.cell, s.needs_stress or s.save_pressure
        )
        self.state = State(
            start.positions,
            velocities,
            start.cell,
            energy,
            forces,
            sigma,
            chain=np.zeros(len(self.system.chain_masses)),
        )
        kelvin = temperature(self.state, self.system)
        self.guard.check_step(self.state, kelvin)
        self.guard.check_frame(self.state)
        self.writer = TrajectoryWriter.create(
            self.directory / TRAJECTORY_NAME,
            start.numbers,
            start.masses,
            pbc=start.pbc,
            timestep_fs=s.timestep_fs,
            frame_interval_fs=s.save_every * s.timestep_fs,
            with_forces=s.save_forces,
            metadata={"settings": s.model_dump(mode="json"), "potential": self.potential},
        )
        self.writer.append(self._frame(kelvin))
        self._save(0.0)

    def _resume(self, checkpoint: Checkpoint) -> None:
        """Restore a checkpoint and drop later frames."""
        self.state = checkpoint.state
        self.elapsed_before = checkpoint.elapsed_s
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = checkpoint.random_state
        self.evaluated_by = list(checkpoint.evaluated_by)
        if self.evaluated_by[-1][1] != self.evaluation:
            self.evaluated_by.append((self.state.step, self.evaluation))
        self.writer = TrajectoryWriter(self.directory / TRAJECTORY_NAME)
        self.writer.truncate(checkpoint.n_frames)

    def _advance(self, deadline: float, report: Report | None) -> Steps:
        """Run the remaining steps, or as many as the deadline allows."""
        s, state = self.settings, self.state
        n_steps, save_every = s.n_steps, s.save_every
        thermostat = THERMOSTATS[s.resolved_thermostat]
        integrator = Integrator(state, self.system, thermostat, self.rng)
        move = integrator.moving_cell_step if s.needs_stress else integrator.fixed_cell_step
        target = targets(s)
        try:
            with RunProgress(s, self.directory, report) as progress:
                first = last_save = time.monotonic()
                while state.step < n_steps:
                    at_frame = (state.step + 1) % save_every == 0
                    stress = s.needs_stress or (at_frame and s.save_pressure)
                    yield from move(target(state.step + 1), stress)
                    kelvin = temperature(state, self.system)
                    self.guard.check_step(state, kelvin)
                    if at_frame:
                        self.guard.check_frame(state)
                        self.writer.append(self._frame(kelvin))
                    at_end = state.step == n_steps
                    progress.update(state.step, kelvin, at_end)
                    if at_end or state.step % s.checkpoint_interval_steps == 0:
                        now = time.monotonic()
                        self._save(now - first)
                        block, last_save = now - last_save, now
                        if now + 1.1 * block > deadline:
                            break
        except SimulationError:
            self.writer.flush()
            raise
        sync_folder(self.directory)  # makes the rename of the last checkpoint durable

    def _frame(self, kelvin: float) -> Frame:
        state = self.state
        return Frame(
            step=state.step,
            positions=state.positions,
            cell=state.cell,
            energy=state.energy,
            temperature=kelvin,
            pressure=float(np.trace(pressure_tensor(state, self.system))) / 3 / units.GPa,
            conserved=conserved_energy(state, self.system),
            forces=state.forces if self.settings.save_forces else None,
        )

    def _save(self, elapsed: float) -> None:
        """Write frames and state to disk, and reset the potential."""
        if not self.settings.needs_stress:  # else the stress would depend on the frame interval
            self.state.stress = None
        self.writer.flush()
        write_checkpoint(
            self.directory / FILE_NAME,
            Checkpoint(
                start=self.start,
                state=self.state,
                random_state=self.rng.bit_generator.state,
                n_frames=self.writer.n_frames,
                elapsed_s=self.elapsed_before + elapsed,
                settings=self.settings.model_dump(mode="json"),
                potential=self.potential,
                evaluated_by=self.evaluated_by,
                complete=self.state.step >= self.settings.n_steps,
            ),
        )
        self.reset()
