"""From a trajectory to a `TransportResult`: the entry points of the transport analysis."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from vitrion.chemistry.species import Mobile, masses, mobile_charges
from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number
from vitrion.transport.constants import (
    A2_PER_FS_TO_CM2_PER_S,
    NERNST_EINSTEIN,
    NOMINAL_HOP_A,
)
from vitrion.transport.density import (
    MOST_VOXELS,
    density_map,
    grid_shape,
    percolation_barriers,
)
from vitrion.transport.diffusivity import Diffusivities, SineModes, diffusivities_of
from vitrion.transport.displacements import Displacements, Tracker
from vitrion.transport.framework import framework_motion
from vitrion.transport.jumps import jump_network
from vitrion.transport.motion import read_motion
from vitrion.transport.msd import MeanSquares, SquareSums, non_gaussian_parameter
from vitrion.transport.path_transform import transforms
from vitrion.transport.regime import MIN_HOPS, find_regime, is_known
from vitrion.transport.result import (
    ESTIMATES,
    Hops,
    MSDCurve,
    NonGaussian,
    Provisional,
    TransportResult,
    warnings_of,
)
from vitrion.transport.stays import Stays, find_stays
from vitrion.transport.vanhove import van_hove
from vitrion.uncertainty import event_bound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.transport.readers.lammps_types import Types

LOWEST_K, HIGHEST_K = 50.0, 20000.0
"""Range of temperatures of dynamics; others are mistakes, such as an interval in their place."""

DILUTE_A3 = 80.0
"""Volume per atom above which a warning is given: solids have 8 to 40 A3."""

SPEED_FRAMES = 200
SPEED_LIMIT = 2.0
"""Largest ratio of the root mean square step to free flight at the temperature."""

MANY_HOPS = 30
"""Number of hops above which the slope of the MSD measures the fraction of reversed hops."""


def analyze(
    positions: np.ndarray,
    cells: np.ndarray,
    symbols: Sequence[str],
    frame_interval_fs: float,
    temperature_K: float,
    mobile: Mobile = "Li",
    charge: float | None = None,
    *,
    wrapped: bool | None = None,
    memory_MB: float = 80.0,
    spatial: bool = False,
) -> TransportResult:
    """Analyze the ion transport of one run at one temperature.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_atoms, 3)
        Cartesian positions in A, wrapped into the cell or not.
    cells : ndarray, shape (3, 3) or (n_frames, 3, 3)
        Lattice vectors in rows, in A; or a pymatgen Lattice, or one for each frame.
    symbols : sequence of str, Element or Species
        Of each atom.
    frame_interval_fs : float
        Time between frames: MD time step times steps between saved frames.
    temperature_K : float
        Mean temperature of the run.
    mobile : str, Element, Species, sequence of these, or mapping of these to float
        Mobile species, such as ``"Li"``, ``"Li+"`` or ``"Li,O"``; a mapping gives their charges
        in e.
    charge : float or None
        Charge of a single mobile species in e; the usual one of the element by default.
    wrapped : bool or None
        Whether positions are wrapped into the cell; None detects it.
    memory_MB : float
        Limit on the memory of the stored positions; a longer run is subsampled in time, and
        `warnings` states if fewer than 500 frames are left.
    spatial : bool
        Whether to add van Hove functions, the jump network and percolation.

    Returns
    -------
    TransportResult

    Raises
    ------
    InputError
        For input that cannot be analyzed; the message says why.
    """
    charges = mobile_charges(mobile, charge)
    temperature_K = read_number(temperature_K, "temperature_K", "K")
    interval = read_number(frame_interval_fs, "frame_interval_fs", "fs")
    tracker = Tracker(symbols, list(charges), interval, wrapped=wrapped, memory_MB=memory_MB)
    tracker.add(positions, cells)
    return analyze_displacements(tracker.result(), temperature_K, charges, spatial=spatial)


def analyze_displacements(
    motion: Displacements,
    temperature_K: float,
    charges: Mapping[str, float],
    *,
    spatial: bool = False,
) -> TransportResult:
    """Analyze the displacements of a `Tracker`; see `analyze`."""
    if not LOWEST_K <= temperature_K <= HIGHEST_K:
        raise InputError(
            f"Temperature {temperature_K:g} K is outside {LOWEST_K:g} to {HIGHEST_K:g} K: give it "
            f"in K, and the frame interval, here {motion.frame_interval_fs:g}, in fs."
        )
    positions, interval = motion.mobile, motion.frame_interval_fs
    _check_speed(motion, temperature_K)
    ion_charges = np.array([charges[symbol] for symbol in motion.symbols])
    sums = SquareSums(len(positions), ion_charges)
    modes = SineModes(len(positions), positions.shape[1], interval)
    for transform in transforms(positions):
        sums.add(*transform)
        modes.add(*transform)
    squares = sums.result()
    stays = find_stays(positions, interval)
    diffusivities = diffusivities_of(modes, motion.symbols, ion_charges, stays.hops_of_ions)
    hops = _hop_summary(stays, motion)
    regime = find_regime(squares, interval, diffusivities.self_, hops.n_hops)
    framework = framework_motion(motion)
    density = len(ion_charges) / motion.volume_A3 * float(np.mean(ion_charges**2))
    to_conductivity = NERNST_EINSTEIN * density / temperature_K
    bound = None if regime.diffusive else _diffusivity_bound(diffusivities, hops, motion)
    ps = interval / 1000.0
    return TransportResult(
        temperature_K=temperature_K,
        mobile=dict(charges),
        n_mobile=len(ion_charges),
        n_framework=motion.n_framework,
        atoms=dict(sorted(Counter([*motion.symbols, *motion.framework_symbols]).items())),
        volume_A3=motion.volume_A3,
        duration_ps=motion.duration_fs / 1000.0,
        frame_interval_fs=interval,
        n_frames=motion.n_frames_read,
        regime=regime,
        apparent_diffusivity_cm2_s=diffusivities.self_.value * A2_PER_FS_TO_CM2_PER_S,
        **_values(diffusivities, to_conductivity, regime.diffusive, hops.n_hops),
        diffusivity_bound_cm2_s=bound,
        conductivity_bound_mS_cm=None if bound is None else bound * to_conductivity,
        hops=hops,
        framework=framework,
        msd=_curve(squares, ps),
        non_gaussian=NonGaussian(
            lag_ps=squares.lags * ps, alpha2=non_gaussian_parameter(positions, squares.lags)
        ),
        **(_spatial(motion, stays, temperature_K) if spatial else {}),
        warnings=[
            *warnings_of(framework.diffuses, hops, motion.mobile.shape[1]),
            *_dilute(motion),
            *_too_large(motion, spatial=spatial),
            *motion.warnings,
        ],
    )


def _dilute(motion: Displacements) -> list[str]:
    """Return a warning if the cell is much larger than a solid of its atoms."""
    volume = motion.volume_A3 / (len(motion.symbols) + motion.n_framework)
    if volume < DILUTE_A3:
        return []
    return [
        f"The cell has {volume:.0f} A3 per atom, more than a solid: check that lengths are in A."
    ]


def _too_large(motion: Displacements, *, spatial: bool) -> list[str]:
    """Return a warning if the cell is too large for a requested percolation analysis."""
    n_voxels = int(np.prod(grid_shape(motion.cell)))
    if not spatial or n_voxels <= MOST_VOXELS:
        return []
    return [
        f"The bottlenecks are not computed: the grid of the cell has {n_voxels / 1e6:.0f} million "
        f"points, more than {MOST_VOXELS / 1e6:.0f} million; analyze a smaller cell."
    ]


def _check_speed(motion: Displacements, temperature_K: float) -> None:
    """Reject ions faster than the thermal speed: the frame interval must be wrong."""
    steps = np.diff(motion.mobile[: SPEED_FRAMES + 1], axis=0)
    # <v^2> = 3 kT / m in A2/fs2; free flight is an upper limit of a step.
    speed_squared = 3.0 * units.kB * temperature_K / masses(motion.symbols) * units.fs**2
    flight = speed_squared * motion.frame_interval_fs**2
    if np.mean(np.sum(steps**2, axis=-1) / flight) > SPEED_LIMIT**2:
        raise InputError(
            f"The ions move faster than {temperature_K:.0f} K allows: check the frame interval of "
            f"{motion.frame_interval_fs:g} fs (MD time step times steps between frames)."
        )


def _values(
    found: Diffusivities, to_conductivity: float, diffusive: bool, n_hops: int
) -> dict[str, object]:
    """Return the estimates as fields of the result, or of its provisional values."""
    values = None
    if is_known(found.self_) and n_hops >= MIN_HOPS:
        self_ = found.self_.scaled(A2_PER_FS_TO_CM2_PER_S)
        collective = None  # a short run can leave no positive value of a single collective path
        if is_known(found.collective):
            collective = found.collective.scaled(A2_PER_FS_TO_CM2_PER_S)
        values = Provisional(
            self_diffusivity=self_,
            collective_diffusivity=collective,
            haven_ratio=found.haven if collective else None,
            conductivity_nernst_einstein=self_.scaled(to_conductivity),
            conductivity_einstein=collective.scaled(to_conductivity) if collective else None,
            species_diffusivity={
                name: value.scaled(A2_PER_FS_TO_CM2_PER_S) for name, value in found.species.items()
            },
            tensor_cm2_s=found.tensor * A2_PER_FS_TO_CM2_PER_S,
        )
    if not diffusive:
        return {**dict.fromkeys(ESTIMATES), "provisional": values}
    assert values is not None  # otherwise the motion is not judged diffusive
    return dict(values)


def _spatial(motion: Displacements, stays: Stays, temperature_K: float) -> dict[str, object]:
    """Return van Hove functions at three lags a decade apart, jump network and percolation."""
    positions, interval = motion.mobile, motion.frame_interval_fs
    lags_ps = np.array([0.004, 0.04, 0.4]) * motion.duration_fs / 1000.0
    percolation = None
    if not _too_large(motion, spatial=True):
        percolation = percolation_barriers(density_map(positions, motion.cell), temperature_K)
    return {
        "van_hove": van_hove(positions, motion.cell, interval, lags_ps.tolist()),
        "jump_network": jump_network(stays, motion.cell, len(positions), interval),
        "percolation": percolation,
    }


def _hop_summary(stays: Stays, motion: Displacements) -> Hops:
    n_hops, n_ions = stays.n_hops, motion.mobile.shape[1]
    length = float(np.sqrt(np.mean(stays.hop_lengths**2))) if n_hops else NOMINAL_HOP_A
    return Hops(
        n_hops=n_hops,
        n_lasting=stays.count_lasting() if n_hops < MIN_HOPS else None,
        hops_per_ion=n_hops / n_ions,
        hop_length_A=length,
        mean_residence_time_ps=n_ions * motion.duration_fs / 1000.0 / n_hops if n_hops else None,
        relative_error_floor=1.0 / np.sqrt(n_hops) if n_hops else float("inf"),
    )


def _diffusivity_bound(found: Diffusivities, hops: Hops, motion: Displacements) -> float:
    """One-sided 95 % bound of D* in cm2/s from the number of hops and their length.

    Each independent hop adds its squared length, so D* is at most ``n a^2 / 6 N t`` with n the
    Poisson bound. Reversed hops add less; with many hops, the long-time slope shows by how much.
    The slope is always included in the bound, because it also detects motion without hops.
    """
    bound = found.slowest_modes.upper_bound()  # holds for a slope that still falls with time
    if found.self_.value > 0.0:
        bound = min(bound, found.self_.upper_bound())
    if hops.n_hops < MANY_HOPS:
        length = max(hops.hop_length_A, NOMINAL_HOP_A / 2)
        ion_time = motion.mobile.shape[1] * motion.duration_fs
        bound = max(bound, event_bound(hops.n_hops) * length**2 / (6.0 * ion_time))
    return bound * A2_PER_FS_TO_CM2_PER_S


def _curve(squares: MeanSquares, ps: float) -> MSDCurve:
    return MSDCurve(
        lag_ps=squares.lags * ps,
        msd_A2=squares.mean,
        msd_error_A2=squares.error,
        msd_axis_A2=squares.axes,
        collective_A2=squares.collective,
    )


def analyze_file(
    path: Any,
    mobile: Mobile = "Li",
    temperature_K: float | None = None,
    frame_interval_fs: float | None = None,
    charge: float | None = None,
    *,
    skip_ps: float = 0.0,
    timestep_fs: float | None = None,
    type_map: Types = None,
    cell: Any = None,
    memory_MB: float = 80.0,
    spatial: bool = True,
) -> TransportResult:
    """Analyze a trajectory file or object frame by frame; memory does not grow with its length.

    Parameters
    ----------
    path : str, Path, list of these, or trajectory object
        See `vitrion.transport.io.open_frames`; a list is one run in segments.
    mobile, charge
        As in `analyze`.
    temperature_K, frame_interval_fs : float or None
        None if the file states it; a given value must agree with the file.
    skip_ps : float
        Equilibration time at the start to skip.
    timestep_fs : float or None
        MD time step, for files that count steps (LAMMPS, i-PI).
    type_map : Types
        Element of each LAMMPS type; see `vitrion.transport.io.open_frames`.
    cell
        Lattice vectors in A, if the file has none; see `vitrion.transport.io.open_frames`.
    memory_MB : float
        Bound on the memory of the kept positions.
    spatial : bool
        As in `analyze`.

    Returns
    -------
    TransportResult
        Its `warnings` state frames that were left out.

    Raises
    ------
    InputError
        If the file cannot be read or analyzed, a value is neither given nor stated, or a given
        value contradicts the file.
    """
    charges = mobile_charges(mobile, charge)
    motion, temperature_K, notes = read_motion(
        path,
        charges,
        temperature_K,
        frame_interval_fs,
        skip_ps=skip_ps,
        timestep_fs=timestep_fs,
        type_map=type_map,
        cell=cell,
        memory_MB=memory_MB,
    )
    result = analyze_displacements(motion, temperature_K, charges, spatial=spatial)
    return result.model_copy(update={"warnings": [*result.warnings, *notes]}) if notes else result
