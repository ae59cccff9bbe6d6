"""Checkpoint of a run: everything needed to resume it bit for bit."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.dynamics.state import State
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE_NAME = "checkpoint.npz"
VERSION = 2


@dataclass(frozen=True)
class Start:
    """Initial state of a run.

    Attributes
    ----------
    numbers : (n,) int array
        Atomic numbers.
    masses : (n,) array
        In u.
    pbc : (3,) bool array
    positions : (n, 3) array
        In A.
    cell : (3, 3) array
        Lattice vectors as rows, in A.
    velocities : (n, 3) array
        In ASE's units, after removing the drift; NaN if the run drew them.
    """

    numbers: np.ndarray
    masses: np.ndarray
    pbc: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    velocities: np.ndarray

    def fits(self, asked: Start) -> bool:
        """Whether the requested run starts from this state, to the precision of a document.

        If the request has no velocities, any velocities match: they may come from an earlier run.
        """
        if not np.array_equal(self.numbers, asked.numbers):
            return False
        names = ["masses", "pbc", "positions", "cell"]
        if not np.isnan(asked.velocities).any():
            names.append("velocities")
        return all(
            np.allclose(getattr(self, name), getattr(asked, name), rtol=0, atol=1e-6)
            for name in names
        )


@dataclass(frozen=True)
class Checkpoint:
    """State of a run at one step.

    Attributes
    ----------
    start : Start
    state : State
    random_state : dict
        State of the random generator.
    n_frames : int
        Number of frames in the trajectory at this step.
    elapsed_s : float
        Wall time spent on steps so far, summed over all restarts.
    settings : dict
        Settings of the run as JSON.
    potential : dict
        Identity of the potential.
    evaluated_by : sequence of (int, str)
        First step and name of each implementation that evaluated the potential; with more than one,
        the results depend on the step of the change.
    complete : bool
        Whether all steps are done.
    """

    start: Start
    state: State
    random_state: Mapping[str, Any]
    n_frames: int
    elapsed_s: float
    settings: dict[str, Any]
    potential: dict[str, Any]
    evaluated_by: Sequence[tuple[int, str]]
    complete: bool


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a crash leaves the old or the new one.

    The folder is not synced, so a power failure may leave the old checkpoint. The run then resumes
    from it and drops later frames.
    """
    arrays = {f"start_{key}": value for key, value in asdict(checkpoint.start).items()}
    state = asdict(checkpoint.state)
    if state["stress"] is None:
        del state["stress"]
    arrays |= {f"state_{key}": np.asarray(value) for key, value in state.items()}
    notes = {
        field.name: getattr(checkpoint, field.name)
        for field in fields(checkpoint)
        if field.name not in ("start", "state")
    }
    arrays["notes"] = np.array(json.dumps({"version": VERSION, **notes}))
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as handle:
        np.savez(handle, **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If the file is not a checkpoint that this version can read.
    """
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        notes = json.loads(str(arrays.pop("notes")))
        version = notes.pop("version")
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise InputError(f"{path} is not a readable checkpoint: remove it to restart.") from exc
    if version != VERSION:
        raise InputError(
            f"{path} was written by another version of vitrion: restart in an empty directory."
        )
    start = {
        key.removeprefix("start_"): value
        for key, value in arrays.items()
        if key.startswith("start_")
    }
    state: dict[str, Any] = {
        key.removeprefix("state_"): value
        for key, value in arrays.items()
        if key.startswith("state_")
    }
    notes["evaluated_by"] = [(step, name) for step, name in notes["evaluated_by"]]
    for name, kind in (("energy", float), ("reservoir", float), ("step", int)):
        state[name] = kind(state[name])
    return Checkpoint(Start(**start), State(**{"stress": None, **state}), **notes)
