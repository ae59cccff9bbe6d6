"""Combine several runs at one temperature, including the spread between glasses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.combined_estimates import combine_by_system, combine_estimates
from vitrion.transport.constants import A2_PER_FS_TO_CM2_PER_S
from vitrion.transport.finite_time import corrected, correction, with_correction
from vitrion.transport.framework import mean_framework
from vitrion.transport.regime import joint_regime, refused
from vitrion.transport.result import (
    ESTIMATES,
    Framework,
    Hops,
    MSDCurve,
    NonGaussian,
    Provisional,
    TransportResult,
    warnings_of,
)
from vitrion.transport.same_material import check_different_runs, check_same_material
from vitrion.transport.slowing import slowing
from vitrion.transport.vanhove import VanHove
from vitrion.uncertainty import ReplicaMean, event_bound, student_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.finite_time import Correction
    from vitrion.transport.result import Regime
    from vitrion.transport.slowing import Slowing
    from vitrion.uncertainty import Estimate

SAME_K = 1.0
"""Largest difference of the temperatures of runs that are combined, in K."""


def combine(
    results: Sequence[TransportResult],
    *,
    hierarchical: bool = False,
    systems: Sequence[int] | None = None,
    disordered: bool = False,
) -> TransportResult:
    """Combine independent runs at one temperature.

    Parameters
    ----------
    results : sequence of TransportResult
        Runs of one material at one temperature.
    hierarchical, disordered
        As in `combine_temperatures`, which corrects glasses with a smaller error.
    systems : sequence of int or None
        Index of the system of each run. Runs of the same system are combined by their errors
        first. None: each run is a separate system.

    Returns
    -------
    TransportResult
        Curves and van Hove functions are means over runs with equal lags, or else the curves of
        the first run and None; the verdict comes from
        :func:`vitrion.transport.regime.joint_regime`. Runs whose framework diffuses are left out
        if they are at most half of all: they are not of the solid.

    Raises
    ------
    InputError
        If the list is empty, the temperatures or materials differ, a run is named twice, a result
        is corrected already, or the length of `systems` differs from the number of runs.
    """
    (found,) = combine_temperatures(
        [results], hierarchical=hierarchical, systems=[systems], disordered=disordered
    )
    return found


def combine_temperatures(
    groups: Sequence[Sequence[TransportResult]],
    *,
    hierarchical: bool = False,
    systems: Sequence[Sequence[int] | None] | None = None,
    disordered: bool = False,
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
) -> list[TransportResult]:
    """Combine independent runs of one material at each of several temperatures.

    Parameters
    ----------
    groups : sequence of sequence of TransportResult
        Runs by temperature.
    hierarchical : bool
        False: all runs are of the same system, and only their errors are used. True: the systems
        differ, such as independent glasses, and the spread between them is included.
    systems : sequence of (sequence of int or None), or None
        Index of the system of each run, the same at all temperatures. Runs of the same system are
        combined by their errors first. None: each run is a separate system.
    disordered : bool
        Whether the material is a glass. Its ions slow down for long, so that exponents somewhat
        below one are allowed and values are corrected; see :mod:`vitrion.transport.slowing`.
    melting_K, glass_transition_K : float or None
        Temperatures in K above which runs show nothing of the slowing in the solid.

    Returns
    -------
    list of TransportResult
        One for each temperature, as from `combine`.

    Raises
    ------
    InputError
        As in `combine`, at any temperature, or if `systems` are not lists by temperature.
    """
    systems = [None] * len(groups) if systems is None else systems
    if len(systems) != len(groups) or any(isinstance(of, int) for of in systems):
        raise InputError("Name the systems of the runs in one list for each temperature.")
    for results, of in zip(groups, systems, strict=True):
        _check_combinable(results, of)
    check_same_material([run for results in groups for run in results])
    for results in groups:
        check_different_runs(results)
    chosen = [_of_the_solid(results) for results in groups]
    solid = [[results[k] for k in at] for results, at in zip(groups, chosen, strict=True)]
    solid_up_to_K = min(limit or math.inf for limit in (melting_K, glass_transition_K))
    slow = slowing(solid, solid_up_to_K) if disordered and solid else [None] * len(groups)
    found = []
    for all_runs, at, results, of, one in zip(groups, chosen, solid, systems, slow, strict=True):
        own = [k if of is None else of[k] for k in at]
        combined = _combine(results, hierarchical, own, one)
        found.append(_without(combined, len(all_runs) - len(at), len(all_runs)))
    return found


def _combine(
    results: Sequence[TransportResult],
    hierarchical: bool,
    of: Sequence[int],
    slow: Slowing | None,
) -> TransportResult:
    """Combine runs at one temperature; `slow` is the slowing of a disordered material."""
    first = results[0]
    if len(results) == 1 and slow is None:
        own = _of_systems([first], of) if hierarchical and first.diffusive else {}
        return first.model_copy(update=own)
    regime = joint_regime(results, disordered=slow is not None)
    runs = values = [_as_diffusive(result) for result in results]
    corrections: list[Correction] = []
    if slow is not None and regime.diffusive:
        runs, corrections = _corrected(values, slow)
        if 2 * len(corrections) < len(results):
            alone = f"the MSD of {len(corrections)} of {len(results)} replicas alone"
            regime = refused(regime, f"{alone} grows beyond its error at the longest lags.")
    if len(results) == 1 and not first.diffusive and not regime.diffusive:
        return first
    hops, spread = _pooled_hops(results), hierarchical and len(set(of)) > 1
    update = _of_all_runs(results, regime, hops)
    if not regime.diffusive:
        update |= _bounds(results, hops) | {"provisional": _provisional(values, spread, of)}
        return first.model_copy(update=update)
    update["warnings"] += _left_out(runs)
    update |= _means(runs, spread, of)
    if hierarchical:  # each system has its own error, without that of the correction
        update |= _of_systems(runs, of)
    if slow is not None:
        update |= with_correction(update, corrections, slow)
    return first.model_copy(update=update)


def _corrected(
    runs: Sequence[TransportResult | None], slow: Slowing
) -> tuple[list[TransportResult | None], list[Correction]]:
    """Return corrected runs, None for those without a value, and the corrections of the others."""
    after: list[TransportResult | None] = []
    corrections = []
    for run in runs:
        found = run and correction(run, slow)
        after.append(corrected(run, found) if run and found else None)
        corrections += [found] if found else []
    return after, corrections


def _of_all_runs(results: Sequence[TransportResult], regime: Regime, hops: Hops) -> dict[str, Any]:
    """Return the fields other than estimates and bounds: sums, means, curves and warnings."""
    framework = mean_framework([run.framework for run in results if run.framework])
    atoms = np.array([run.n_mobile + run.n_framework for run in results])
    per_atom = np.mean([run.volume_A3 for run in results] / atoms)
    update: dict[str, Any] = {
        "n_replicas": sum(result.n_replicas for result in results),
        "duration_ps": sum(result.duration_ps for result in results),
        "n_frames": sum(result.n_frames for result in results),
        "volume_A3": float(atoms[0] * per_atom),
        "apparent_diffusivity_cm2_s": float(
            np.mean([result.apparent_diffusivity_cm2_s for result in results])
        ),
        "regime": regime,
        "hops": hops,
        "framework": framework,
        "msd": _mean_curve(results),
        "non_gaussian": _mean_non_gaussian(results),
        "van_hove": _mean_van_hove(results),
        "warnings": _warnings(results, framework, hops),
    }
    if len(results) > 1:
        update |= dict.fromkeys(("jump_network", "percolation"))  # runs differ in these
    return update


def _check_combinable(results: Sequence[TransportResult], systems: Sequence[int] | None) -> None:
    """Check that results are single runs at one temperature, each with its system."""
    if not results:
        raise InputError("There are no results to combine: pass at least one.")
    if systems is not None and len(systems) != len(results):
        raise InputError(f"Name one system for each of {len(results)} runs, not {len(systems)}.")
    temperatures = [result.temperature_K for result in results]
    if max(abs(one - temperatures[0]) for one in temperatures) > SAME_K:
        raise InputError(
            f"The runs are at {min(temperatures):.1f} to {max(temperatures):.1f} K: combine runs "
            f"whose temperatures differ by at most {SAME_K:g} K from the first."
        )
    if any(result.finite_time for result in results):
        raise InputError("A result is combined and corrected already: combine its single runs.")


def _of_the_solid(results: Sequence[TransportResult]) -> list[int]:
    """Return the indices of runs whose framework rests; of all runs if these are less than half."""
    resting = [k for k, run in enumerate(results) if not run.melted]
    return resting if 2 * len(resting) >= len(results) else list(range(len(results)))


def _without(found: TransportResult, n_melted: int, n_all: int) -> TransportResult:
    """Add a warning about runs that were left out."""
    if not n_melted:
        return found
    warning = f"The framework diffuses in {n_melted} of {n_all} replicas, which are left out."
    return found.model_copy(update={"warnings": [*found.warnings, warning]})


def _as_diffusive(result: TransportResult) -> TransportResult | None:
    """Return a run with its values, or with its provisional values if it was not diffusive."""
    if result.diffusive:
        return result
    return (
        None if result.provisional is None else result.model_copy(update=dict(result.provisional))
    )


def _means(
    runs: Sequence[TransportResult | None], hierarchical: bool, systems: Sequence[int]
) -> dict[str, object]:
    """Return the combined fields of diffusive replicas; None stands for a replica without hops."""
    pairs = [(run, system) for run, system in zip(runs, systems, strict=True) if run is not None]
    moving, of = [run for run, _ in pairs], [system for _, system in pairs]
    update: dict[str, object] = {
        name: _combined([getattr(run, name) for run in moving], hierarchical, of)
        for name in ESTIMATES
    }
    update["species_diffusivity"] = {
        species: _combined([run.species_diffusivity[species] for run in moving], hierarchical, of)
        for species in moving[0].mobile
    }
    tensors = [run.tensor_cm2_s for run in moving if run.tensor_cm2_s is not None]
    update["tensor_cm2_s"] = np.mean(tensors, axis=0).tolist()
    update |= dict.fromkeys(("diffusivity_bound_cm2_s", "conductivity_bound_mS_cm", "provisional"))
    return update


def _of_systems(
    runs: Sequence[TransportResult | None], systems: Sequence[int]
) -> dict[str, object]:
    """Return the diffusivities of each system; None stands for a run without a value."""
    found: dict[str, object] = {}
    for kind in ("self", "collective"):
        pairs = [
            (value, system)
            for run, system in zip(runs, systems, strict=True)
            if run is not None and (value := getattr(run, f"{kind}_diffusivity")) is not None
        ]
        combined = combine_by_system([value for value, _ in pairs], [of for _, of in pairs])
        found[f"{kind}_of_systems"] = {str(system): value for system, value in combined.items()}
    return found


def _bounds(results: Sequence[TransportResult], hops: Hops) -> dict[str, object]:
    """Return the fields of replicas that are not diffusive together: bounds, no values."""
    bound = _pooled_bound(hops, results)
    per_diffusivity = float(np.mean([run.conductivity_per_diffusivity for run in results]))
    return {
        **dict.fromkeys((*ESTIMATES, "tensor_cm2_s")),
        "species_diffusivity": {},
        "diffusivity_bound_cm2_s": bound,
        "conductivity_bound_mS_cm": bound * per_diffusivity,
    }


def _provisional(
    runs: Sequence[TransportResult | None], hierarchical: bool, systems: Sequence[int]
) -> Provisional | None:
    """Return the means of replicas that are not diffusive together; None if one has no value."""
    if None in runs:
        return None
    means = _means(runs, hierarchical, systems)
    return Provisional.model_validate({name: means[name] for name in Provisional.model_fields})


def _combined(
    values: Sequence[Estimate | None], hierarchical: bool, systems: Sequence[int]
) -> Estimate | None:
    known = [(value, of) for value, of in zip(values, systems, strict=True) if value is not None]
    if not known:
        return None
    if len(known) == 1 and not hierarchical:
        return known[0][0]
    return combine_estimates(
        [value for value, _ in known], hierarchical=hierarchical, systems=[of for _, of in known]
    )


def _warnings(
    results: Sequence[TransportResult], framework: Framework | None, hops: Hops
) -> list[str]:
    melted = framework is not None and framework.diffuses
    of_all = warnings_of(melted, hops, min(result.n_mobile for result in results))
    return _of_single_runs(results) + of_all


def _left_out(runs: Sequence[TransportResult | None]) -> list[str]:
    """Return a warning about runs without a value."""
    still = sum(run is None for run in runs)
    if not still:
        return []
    return [
        f"{still} of {len(runs)} replicas hopped too seldom, or too unevenly, for a value and were "
        "left out of the mean, which is therefore too high."
    ]


def _of_single_runs(results: Sequence[TransportResult]) -> list[str]:
    """Return the warnings about the input of the runs, such as frames that were left out."""
    runs: dict[str, list[int]] = {}
    for number, result in enumerate(results, start=1):
        about_motion = warnings_of(result.melted, result.hops, result.n_mobile)
        for warning in result.warnings:
            if warning not in about_motion:
                runs.setdefault(warning, []).append(number)
    return [
        warning if len(found) == len(results) else f"Run {', '.join(map(str, found))}: {warning}"
        for warning, found in runs.items()
    ]


def _pooled_hops(results: Sequence[TransportResult]) -> Hops:
    counts = np.array([result.hops.n_hops for result in results])
    total = int(counts.sum())
    lasting = [result.hops.n_lasting for result in results if result.hops.n_lasting is not None]
    lengths = np.array([result.hops.hop_length_A for result in results])
    ions = sum(result.n_mobile for result in results)
    ion_time = sum(result.n_mobile * result.duration_ps for result in results)
    return Hops(
        n_hops=total,
        n_lasting=sum(lasting) if len(lasting) == len(results) else None,
        hops_per_ion=total / ions,
        hop_length_A=float(np.sqrt(counts @ lengths**2 / total)) if total else lengths[0],
        mean_residence_time_ps=ion_time / total if total else None,
        relative_error_floor=1.0 / math.sqrt(total) if total else math.inf,
    )


def _pooled_bound(hops: Hops, results: Sequence[TransportResult]) -> float:
    """Return the upper 95 % bound of D* of all runs in cm2/s.

    It is the joint Poisson bound of their hops or, as in one run, the bound of their slopes, which
    contain motion without hops; at most the mean of the bounds of the runs.
    """
    ion_time_fs = 1000.0 * sum(result.n_mobile * result.duration_ps for result in results)
    by_hops = event_bound(hops.n_hops) * hops.hop_length_A**2 / (6.0 * ion_time_fs)
    slopes = ReplicaMean.of([result.apparent_diffusivity_cm2_s for result in results])
    by_slopes = slopes.mean + student_quantile(0.95, len(results) - 1) * (slopes.error or 0.0)
    return min(
        max(by_hops * A2_PER_FS_TO_CM2_PER_S, by_slopes),
        float(np.mean([_bound(result) for result in results])),
    )


def _bound(result: TransportResult) -> float:
    """Return the upper 95 % bound of D* of one run in cm2/s."""
    if result.self_diffusivity is not None:
        return result.self_diffusivity.upper_bound()
    assert result.diffusivity_bound_cm2_s is not None
    return result.diffusivity_bound_cm2_s


def _mean_non_gaussian(results: Sequence[TransportResult]) -> NonGaussian:
    """Average the non-Gaussian parameters of runs with equal lags; otherwise return the first."""
    curves = [result.non_gaussian for result in results]
    if any(curve.lag_ps != curves[0].lag_ps for curve in curves):
        return curves[0]
    return NonGaussian(
        lag_ps=curves[0].lag_ps, alpha2=np.mean([curve.alpha2 for curve in curves], axis=0)
    )


def _mean_van_hove(results: Sequence[TransportResult]) -> VanHove | None:
    """Average van Hove functions of runs with equal lags, up to the shortest r_max.

    The distinct part of each run is relative to its own density. None without common lags.
    """
    found = [result.van_hove for result in results if result.van_hove is not None]
    if len(found) < len(results) or any(one.lag_ps != found[0].lag_ps for one in found):
        return None
    shortest = min(found, key=lambda one: len(one.r_A))
    n_bins = len(shortest.r_A)
    if any(not np.allclose(one.r_A[:n_bins], shortest.r_A) for one in found):
        return None
    return VanHove(
        lag_ps=shortest.lag_ps,
        r_A=shortest.r_A,
        self_per_A=np.mean([np.array(one.self_per_A)[:, :n_bins] for one in found], axis=0),
        distinct=np.mean([np.array(one.distinct)[:, :n_bins] for one in found], axis=0),
    )


def _mean_curve(results: Sequence[TransportResult]) -> MSDCurve:
    """Average the MSD curves of runs with equal lags; otherwise return the first curve."""
    curves = [result.msd for result in results]
    if any(curve.lag_ps != curves[0].lag_ps for curve in curves):
        return curves[0]
    n = len(curves)
    return curves[0].model_copy(
        update={
            "msd_A2": np.mean([curve.msd_A2 for curve in curves], axis=0).tolist(),
            "msd_error_A2": (
                np.sqrt(np.sum(np.square([curve.msd_error_A2 for curve in curves]), axis=0)) / n
            ).tolist(),
            "msd_axis_A2": np.mean([curve.msd_axis_A2 for curve in curves], axis=0).tolist(),
            "collective_A2": np.mean([curve.collective_A2 for curve in curves], axis=0).tolist(),
        }
    )
