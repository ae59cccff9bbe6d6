"""Conductivity of a material from trajectories of other programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.species import Mobile, mobile_charges
from vitrion.conductivity.document import ConductivityDoc
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError
from vitrion.transport.analysis import analyze_displacements
from vitrion.transport.io import open_frames
from vitrion.transport.motion import read_motion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymatgen.core import Structure

    from vitrion.documents.base import Phase
    from vitrion.transport.displacements import Displacements
    from vitrion.transport.result import TransportResult

SAME_TEMPERATURE = 0.05
"""Largest relative difference between mean temperatures of the segments of one run."""

TEMPERATURE_ERRORS = 4.0
"""Largest difference between them in their standard errors."""

ONE_TEMPERATURE = 0.01
"""Relative difference up to which mean temperatures of the frames of runs are one temperature."""


@dataclass(frozen=True)
class TrajectoryRun:
    """Files of a run at one temperature.

    Attributes
    ----------
    files : tuple of str
        Segments of the run.
    temperature_K : float or None
        None if the files state it.
    """

    files: tuple[str, ...]
    temperature_K: float | None = None


def group_runs(
    files: Sequence[str], temperatures_K: Sequence[float] = (), *, replicas: bool = False
) -> list[TrajectoryRun]:
    """Group trajectory files into runs.

    Parameters
    ----------
    files : sequence of str
        Paths; each may end in ``:T``, its temperature in K.
    temperatures_K : sequence of float
        Empty, one for all files, or one per file.
    replicas : bool
        Whether files at one temperature are independent runs, not segments of one run.

    Returns
    -------
    list of TrajectoryRun
        Sorted by temperature.

    Raises
    ------
    InputError
        If the number of temperatures does not match, or they are given in two ways.
    """
    named = [_split(file) for file in files]
    written = [temperature for _, temperature in named if temperature is not None]
    if written and temperatures_K:
        raise InputError("Give the temperatures once: after the files, or as options.")
    if written and len(written) < len(files):
        raise InputError("Give the temperature of every file, or of none.")
    given = written or list(temperatures_K)
    if len(given) not in {0, 1, len(files)}:
        raise InputError(
            f"There are {len(files)} files and {len(given)} temperatures: give one temperature for "
            "all, or one per file in their order."
        )
    paths = [path for path, _ in named]
    if len(given) == 1:
        given = given * len(files)
    known = given or _stated(paths)
    runs: dict[float | None, list[str]] = {}
    for path, temperature in zip(paths, known, strict=True):
        runs.setdefault(temperature, []).append(path)
    return [
        TrajectoryRun(part, temperature if given else None)
        for temperature, group in sorted(runs.items(), key=lambda item: item[0] or 0.0)
        for part in ([(path,) for path in group] if replicas else [tuple(group)])
    ]


def _split(file: str) -> tuple[str, float | None]:
    """Return path and temperature of ``path:T``."""
    path, colon, temperature = file.rpartition(":")
    if not colon or Path(file).exists():
        return file, None
    try:
        return path, float(temperature.removesuffix("K").strip())
    except ValueError:
        return file, None


def _stated(paths: Sequence[str]) -> list[float | None]:
    """Return the temperature of each file's run; None for all if one states none."""
    if len(paths) == 1:
        return [None]
    stated = [open_stated(path) for path in paths]
    known = sorted(one for one in stated if one is not None)
    if len(known) < len(paths):
        return [None] * len(paths)
    groups: list[list[tuple[float, float]]] = []
    for value, error in known:
        lowest, its_error = groups[-1][0] if groups else (-np.inf, 0.0)
        allowed = min(SAME_TEMPERATURE * value, TEMPERATURE_ERRORS * np.hypot(error, its_error))
        if value - lowest <= allowed:
            groups[-1].append((value, error))
        else:
            groups.append([(value, error)])
    means = [float(np.mean([value for value, _ in group])) for group in groups]
    return [
        next(mean for mean, group in zip(means, groups, strict=True) if one in group)
        for one in stated
    ]


def open_stated(path: str) -> tuple[float, float] | None:
    """Return the temperature that a trajectory file states and its standard error in K."""
    try:
        stream = open_frames(path)
    except InputError:
        return None  # reported when the run is read
    if stream.temperature_K is None:
        return None
    return stream.temperature_K, stream.temperature_error_K


def analyze_runs(
    runs: Sequence[TrajectoryRun],
    mobile: Mobile = "Li",
    charge: float | None = None,
    *,
    spatial: bool = True,
    phase: Phase | None = None,
    **options: Any,
) -> ConductivityDoc:
    """Analyze trajectories of one material and fit their temperature dependence.

    Parameters
    ----------
    runs : sequence of TrajectoryRun
        Several runs at one temperature are independent runs of one system.
    mobile, charge, spatial
        As in `vitrion.transport.analyze_file`.
    phase : str, optional
        Phase of the material. Values of a glass are corrected for the finite time of its runs; see
        :mod:`vitrion.transport.slowing`.
    **options
        ``frame_interval_fs``, ``skip_ps``, ``timestep_fs``, ``type_map`` and ``cell`` of the same.

    Returns
    -------
    ConductivityDoc

    Raises
    ------
    InputError
        If a run cannot be analyzed, or the runs are of different materials.
    """
    charges = mobile_charges(mobile, charge)
    results: dict[float, list[TransportResult]] = {}
    structure: Structure | None = None
    for run in runs:
        motion, temperature, notes = read_motion(
            list(run.files), charges, run.temperature_K, **options
        )
        here = start_structure(motion)
        structure = structure or here
        if here.composition.reduced_formula != structure.composition.reduced_formula:
            raise InputError(
                f"{run.files[0]} is of {usual_formula(here.composition)} and "
                f"{runs[0].files[0]} of {usual_formula(structure.composition)}: analyze them "
                "separately."
            )
        if run.temperature_K is None:
            temperature = _one_of(results, temperature)
        result = analyze_displacements(motion, temperature, charges, spatial=spatial)
        warnings = [*result.warnings, *notes]
        results.setdefault(temperature, []).append(result.model_copy(update={"warnings": warnings}))
    if structure is None:
        raise InputError("No trajectory was given: name a file.")
    return ConductivityDoc.from_results(
        structure,
        results,
        phase=phase,
        directory=str(Path(runs[0].files[0]).absolute().parent),
        provenance=Provenance.collect(),
    )


def _one_of(known_K: Iterable[float], temperature_K: float) -> float:
    """Return the temperature of earlier runs if the mean of the frames of a run is close to it."""
    close = (
        known for known in known_K if math.isclose(known, temperature_K, rel_tol=ONE_TEMPERATURE)
    )
    return next(close, temperature_K)


def start_structure(motion: Displacements) -> Structure:
    """Return the atoms of the first frame in the mean cell, mobile ones first."""
    from pymatgen.core import Lattice, Structure

    return Structure(
        Lattice(motion.cell),
        [*motion.symbols, *motion.framework_symbols],
        np.concatenate([motion.mobile[0], motion.framework[0]]),
        coords_are_cartesian=True,
        to_unit_cell=True,
    )
