"""Energies of defects of a host: relaxed in batches, cached, and classified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import minimum_image
from vitrion.defects.document import DefectRecord
from vitrion.defects.operations import DefectOperation, apply, outcome, undo
from vitrion.relaxation.relaxers import describe
from vitrion.runtime.cache import ResultCache, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Structure

    from vitrion.defects.host import Host
    from vitrion.relaxation.relax import Relaxation
    from vitrion.relaxation.relaxers import Relaxer


@dataclass(frozen=True)
class Defect:
    """A relaxed defect: its record and structure."""

    record: DefectRecord
    structure: Structure


@dataclass(frozen=True)
class EnergySettings:
    """Settings of the relaxation of defects.

    Attributes
    ----------
    batch_size : int
        Number of defects relaxed together; a kill loses at most one batch.
    anneal : bool
        Whether to remove each defect and relax the host again.
    rattle_A : float
        See :func:`vitrion.defects.operations.apply`.
    seed : int
    """

    batch_size: int = 8
    anneal: bool = False
    rattle_A: float = 0.02
    seed: int = 0


def defect_energies(
    host: Host,
    operations: Sequence[DefectOperation],
    relax: Relaxer,
    settings: EnergySettings,
    *,
    cache: ResultCache | None = None,
    context: str = "",
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Defect]:
    """Apply each operation to a host and relax the defect at fixed cell.

    Parameters
    ----------
    host : Host
    operations : sequence of DefectOperation
    relax : Relaxer
    settings : EnergySettings
    cache : ResultCache, optional
        Cache of finished defects, which are not recomputed.
    context : str
        Part of the cache keys: the potential and all other inputs besides the host, its mobile ion,
        the operations and the settings.
    on_progress : callable, optional
        Called with the number of finished defects and the total number.

    Returns
    -------
    list of Defect
        In the order of the operations.
    """
    cache = ResultCache(None) if cache is None else cache
    how = [settings.rattle_A, settings.seed, settings.anneal]
    base = fingerprint([context, host.mobile, *describe(host.structure), *how])
    keys = [
        fingerprint([base, operation.kind, list(operation.remove), list(operation.add)])
        for operation in operations
    ]
    pending = [k for k, key in enumerate(keys) if key not in cache]
    done = len(operations) - len(pending)
    if on_progress:
        on_progress(done, len(operations))
    for start in range(0, len(pending), settings.batch_size):
        batch = pending[start : start + settings.batch_size]
        found = _relax_batch(host, [operations[k] for k in batch], relax, settings)
        cache.write({keys[k]: result for k, result in zip(batch, found, strict=True)})
        done += len(batch)
        if on_progress:
            on_progress(done, len(operations))
    return [
        _defect(host, operation, cache[key])
        for operation, key in zip(operations, keys, strict=True)
    ]


def _relax_batch(
    host: Host, operations: list[DefectOperation], relax: Relaxer, settings: EnergySettings
) -> list[dict]:
    """Return the cached data of each operation."""
    starts = [
        apply(
            operation,
            host.structure,
            host.mobile,
            rattle_A=settings.rattle_A,
            seed=int(fingerprint([operation.label, settings.seed]), 16) % 2**32,
        )
        for operation in operations
    ]
    relaxed = relax(starts)
    annealed: list[Relaxation | None] = [None] * len(operations)
    if settings.anneal:
        undone = [undo(host.structure, result.structure, host.mobile) for result in relaxed]
        annealed = list(relax(undone))
    return [
        {
            "energy_eV": result.energy_eV,
            "max_force_eV_per_A": result.max_force_eV_per_A,
            "n_steps": result.n_steps,
            "converged": result.converged,
            "frac_coords": np.round(result.structure.frac_coords, 7).tolist(),
            "annealed_energy_eV": after.energy_eV if after and after.converged else None,
        }
        for result, after in zip(relaxed, annealed, strict=True)
    ]


def _defect(host: Host, operation: DefectOperation, result: dict) -> Defect:
    structure = apply(operation, host.structure, host.mobile, rattle_A=0.0, seed=0)
    for site, frac in zip(structure, result["frac_coords"], strict=True):
        site.frac_coords = np.array(frac)
    seen = outcome(operation, host.structure, structure, host.mobile)
    annealed = result["annealed_energy_eV"]
    record = DefectRecord(
        kind=operation.kind,
        label=operation.label,
        site=operation.site,
        vacancy=operation.remove[0] if len(operation.remove) == 1 else None,
        weight=operation.weight,
        separation=operation.separation,
        pair_distance_A=pair_distance(host, operation),
        energy_eV=result["energy_eV"] - host.energy_eV,
        formation_energy_eV=result["energy_eV"] - host.energy_eV if operation.net == 0 else None,
        charge_transferred=operation.net,
        annealing_energy_eV=None if annealed is None else annealed - host.energy_eV,
        displaced_ions=seen.displaced_ions,
        displaced_framework_atoms=seen.displaced_framework,
        max_host_displacement_A=seen.max_displacement_A,
        recombined=seen.recombined and bool(operation.add) and bool(operation.remove),
        interstitial_frac_coords=[(float(x), float(y), float(z)) for x, y, z in seen.interstitials],
        converged=result["converged"],
        max_force_eV_per_A=result["max_force_eV_per_A"],
        n_steps=result["n_steps"],
    )
    return Defect(record, structure)


def pair_distance(host: Host, operation: DefectOperation) -> float | None:
    """Return the distance in A from the ion taken out to the place filled, for one of each."""
    if len(operation.remove) != 1 or len(operation.add) != 1:
        return None
    start = host.structure.frac_coords[operation.remove[0]]
    vector = minimum_image(start[None], np.array(operation.add), host.structure.lattice.matrix)
    return float(np.linalg.norm(vector))
