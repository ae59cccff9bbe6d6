"""Defect study of one host, from its structure to the document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.chemistry.charges import default_mobile_species
from vitrion.defects.convergence import check_convergence, supercell_error
from vitrion.defects.energies import Defect, EnergySettings, defect_energies
from vitrion.defects.enumeration import far_pairs, interstitials, near_pairs, vacancies
from vitrion.defects.host import Host, check_host_request, prepare_host
from vitrion.defects.inpainted import inpainted_sites
from vitrion.defects.relaxed_states import mark_duplicates, relaxed_sites
from vitrion.defects.reservoir import given_reservoir, metal_reservoir
from vitrion.defects.schottky import schottky_energy
from vitrion.defects.sites import Site, candidate_sites
from vitrion.errors import InputError
from vitrion.landscape.assemble import assemble
from vitrion.landscape.study_settings import DefectSettings
from vitrion.migration.barriers import barrier_network, interstitial_carriers, vacancy_carriers
from vitrion.relaxation.relaxers import CachedRelaxer, FixedCellRelaxer
from vitrion.runtime.cache import ResultCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ase.calculators.calculator import Calculator
    from numpy.typing import ArrayLike
    from pymatgen.core import Structure

    from vitrion.defects.document import (
        BarrierNetwork,
        ConvergencePoint,
        DefectDoc,
        Reservoir,
        SiteSource,
    )
    from vitrion.defects.operations import DefectOperation
    from vitrion.migration.bands import BandRelaxer
    from vitrion.potentials import PotentialSpec
    from vitrion.relaxation.relaxers import Relaxer

CACHE_FILE = "defects.jsonl"


@dataclass(frozen=True)
class DefectStudy:
    """Results of a defect study.

    Attributes
    ----------
    document : DefectDoc
    host : Host
    sites : list of Site
    defects : list of Defect
        In the order of the document's records.
    """

    document: DefectDoc
    host: Host
    sites: list[Site]
    defects: list[Defect]


def study_defects(
    structure: Structure,
    calculator: Calculator,
    settings: DefectSettings | None = None,
    *,
    potential: PotentialSpec | str | None = None,
    given_sites: Mapping[SiteSource, ArrayLike] | None = None,
    relax_band: BandRelaxer | None = None,
    extra_operations: Callable[[Host, list[Site]], list[DefectOperation]] | None = None,
    directory: str | Path | None = None,
    walltime_s: float | None = None,
    material_id: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DefectStudy:
    """Create, relax and classify the defects of the mobile ion in one structure.

    Parameters
    ----------
    structure : Structure
        A crystal's cell or a glass, relaxed with the same potential.
    calculator : Calculator
        Gives energies, forces and (for the metal) stress.
    settings : DefectSettings, optional
    potential : PotentialSpec or str, optional
        What ``calculator`` is, for the document; its elements are checked. Needed with a
        directory: results in it are used if they are of the same potential.
    given_sites : mapping, optional
        Sites from elsewhere, fractional in ``structure``: see
        :func:`vitrion.defects.sites.candidate_sites`.
    relax_band : BandRelaxer, optional
        Needed for barriers.
    extra_operations : callable, optional
        Makes further operations (:func:`vitrion.defects.enumeration.move`) of the host.
    directory : path, optional
        Stores finished defects, from which the same call resumes. Calls for other mobile ions,
        potentials or settings may share it.
    walltime_s : float, optional
        Seconds after which the call finishes its current batch and ends; needs the directory.
    material_id : str, optional
    on_progress : callable, optional
        Called with the number of defects done and the number of all.

    Returns
    -------
    DefectStudy

    Raises
    ------
    InputError
        If the structure cannot be used (see :func:`vitrion.defects.host.prepare_host`), or there
        is a directory and the potential has no name.
    SimulationError
        If the host or the metal does not relax.
    OutOfTime
        If the walltime is over.
    """
    settings = settings or DefectSettings()
    mobile = settings.mobile or default_mobile_species(structure.composition)
    if settings.barriers is not None and relax_band is None:
        raise InputError("Barriers need relax_band, which relaxes bands.")
    if directory is not None and potential is None:
        raise InputError(
            "Defects stored in a directory need the name of the potential: set potential, or omit "
            "the directory."
        )
    check_host_request(structure, mobile, amorphous=settings.phase == "amorphous")
    _check_potential(potential, structure)
    cache = ResultCache(None if directory is None else Path(directory) / CACHE_FILE, walltime_s)
    context = cache_context(potential, settings)
    relax = _relaxer(calculator, settings)
    host = prepare_host(
        structure,
        mobile,
        CachedRelaxer(relax, cache, context),
        phase=settings.phase,
        supercell_side_A=settings.supercell_side_A,
        force_bound_eV_per_A=settings.force_bound_eV_per_A,
        symprec_A=settings.symprec_A,
    )
    reservoir = _reservoir(mobile, calculator, settings, cache, context)
    work = _Work(host, relax, calculator, settings, cache, context, on_progress)
    sites = _sites(host, settings, dict(given_sites or {}))
    operations = single_defects(host, sites, settings)
    defects = work.compute(operations)
    sites = relaxed_sites(host, sites, defects)
    # Pairs use the sites where an interstitial is stable.
    more = pair_defects(host, sites, settings, distinct_sites(defects))
    more += extra_operations(host, sites) if extra_operations else []
    defects += work.compute(more, before=len(operations))
    document = assemble(
        host,
        sites,
        defects,
        settings,
        reservoir=reservoir,
        potential=potential,
        material_id=material_id,
    )
    if "vacancy" in settings.all_kinds:
        document.schottky_energy_eV = schottky_energy(host, CachedRelaxer(relax, cache, context))
    if host.phase == "crystalline" and settings.convergence_sides_A:
        document.convergence = work.converge(defects, [*operations, *more])
        document.supercell_error_eV = supercell_error(document.convergence)
    if relax_band is not None:
        document.networks = work.networks(sites, defects, relax_band)
    return DefectStudy(document, host, sites, defects)


@dataclass(frozen=True)
class _Work:
    """Shared data of the stages of a study."""

    host: Host
    relax: Relaxer
    calculator: Calculator
    settings: DefectSettings
    cache: ResultCache
    context: str
    on_progress: Callable[[int, int], None] | None

    @property
    def energy_settings(self) -> EnergySettings:
        anneal = self.settings.anneal
        return EnergySettings(
            batch_size=self.settings.batch_size,
            anneal=self.host.phase == "amorphous" if anneal is None else anneal,
            rattle_A=self.settings.rattle_A,
            seed=self.settings.seed,
        )

    def compute(self, operations: list[DefectOperation], before: int = 0) -> list[Defect]:
        """Relax operations; ``before`` counts earlier ones in the progress."""

        def report(done: int, n: int) -> None:
            if self.on_progress is not None:
                self.on_progress(before + done, before + n)

        defects = defect_energies(
            self.host,
            operations,
            self.relax,
            self.energy_settings,
            cache=self.cache,
            context=self.context,
            on_progress=report,
        )
        mark_duplicates(defects, self.host)
        return defects

    def converge(
        self, defects: list[Defect], operations: list[DefectOperation]
    ) -> list[ConvergencePoint]:
        """Compute the lowest defects in supercells of other sizes."""
        return check_convergence(
            self.host,
            defects,
            operations,
            CachedRelaxer(self.relax, self.cache, self.context),
            self.energy_settings,
            self.settings.convergence_sides_A,
            cache=self.cache,
            context=self.context,
        )

    def networks(
        self, sites: list[Site], defects: list[Defect], relax_band: BandRelaxer
    ) -> list[BarrierNetwork]:
        """Compute the barriers of each requested mechanism that has sites."""
        asked = self.settings.barriers
        if asked is None:
            return []
        found = []
        for mechanism in asked.mechanisms:
            if mechanism == "vacancy":
                carriers = vacancy_carriers(self.host, defects)
            elif distinct_sites(defects) is None:
                continue  # no interstitial is stable
            else:
                carriers = interstitial_carriers(sites, defects)
            network = barrier_network(
                self.host,
                carriers,
                self.relax,
                relax_band,
                replace(self.energy_settings, anneal=False),
                n_between=asked.n_between,
                max_length_A=asked.max_length_A,
                max_hops=asked.max_hops,
                temperatures_K=self.settings.temperatures_K,
                cache=self.cache,
                context=self.context,
                band_context=asked.model_dump_json(include={"fmax_eV_per_A", "max_steps"}),
                vibrate=self.calculator if asked.attempt_frequencies else None,
                on_progress=self.on_progress,
            )
            found.append(network)
        return found


def _sites(host: Host, settings: DefectSettings, given: dict[SiteSource, ArrayLike]) -> list[Site]:
    if settings.n_inpainted:
        given["inpainted"] = inpainted_sites(
            host.unit_cell, host.mobile, n=settings.n_inpainted, seed=settings.seed
        )
    return candidate_sites(
        host.unit_cell,
        host.group,
        sources=settings.sources,
        given=given,
        min_radius_A=settings.min_radius_A,
        max_sites=settings.max_sites,
    )


def single_defects(
    host: Host, sites: list[Site], settings: DefectSettings
) -> list[DefectOperation]:
    """Return the requested interstitials and vacancies."""
    kinds = settings.all_kinds
    operations = interstitials(host, sites) if "interstitial" in kinds else []
    return operations + (vacancies(host) if "vacancy" in kinds else [])


def pair_defects(
    host: Host, sites: list[Site], settings: DefectSettings, active: list[int] | None
) -> list[DefectOperation]:
    """Return the requested pairs, without duplicates."""
    operations = near_pairs(host, sites, active) if "near" in settings.kinds else []
    operations += far_pairs(host, sites, active) if "far" in settings.kinds else []
    return list({operation.label: operation for operation in operations}.values())


def distinct_sites(defects: Sequence[Defect]) -> list[int] | None:
    """Return the sites where an interstitial is stable; None if there are none."""
    records = [d.record for d in defects if d.record.kind == "interstitial" and d.record.counts]
    return sorted({r.site for r in records if r.site is not None}) or None


def _relaxer(calculator: Calculator, settings: DefectSettings) -> Relaxer:
    if not settings.batched:
        return FixedCellRelaxer(calculator, settings.fmax_eV_per_A, settings.max_steps)
    from vitrion.potentials.batch import batched

    return FixedCellRelaxer(batched(calculator), settings.fmax_eV_per_A, settings.max_steps)


def cache_context(potential: PotentialSpec | str | None, settings: DefectSettings) -> str:
    """Name the potential, by the hash of its weights where that is known, and the relaxation.

    Without a potential it names none, which is enough for a cache in the memory of one call.
    """
    how = f"{settings.fmax_eV_per_A} {settings.max_steps} {settings.batched}"
    if potential is None:
        return how
    from vitrion.potentials import describe_potential

    spec = describe_potential(potential)
    return f"{spec.name} {spec.version} {spec.sha256} {how}"


def _check_potential(potential: PotentialSpec | str | None, structure: Structure) -> None:
    if potential is None:
        return
    from vitrion.potentials import check_elements, get_potential

    check_elements(get_potential(potential), [el.symbol for el in structure.composition])


def _reservoir(
    mobile: str,
    calculator: Calculator,
    settings: DefectSettings,
    cache: ResultCache,
    context: str,
) -> Reservoir | None:
    """Return the reservoir as given or computed; None if the structure of the metal is unknown."""
    from vitrion.defects.document import Reservoir

    limits = {"voltage_limits_V": settings.voltage_limits_V}
    if settings.chemical_potential_eV is not None:
        given = given_reservoir(mobile, settings.chemical_potential_eV)
        return given.model_copy(update=limits)
    key = f"reservoir {mobile} {context}"
    if key not in cache:
        try:
            found = metal_reservoir(mobile, calculator)
        except InputError:
            return None
        cache.write({key: found.model_dump(mode="json")})
    return Reservoir.model_validate(cache[key]).model_copy(update=limits)
