"""Diffusivity of a vacancy by the defect route beside direct molecular dynamics, and by literature.

    python benchmarks/defect_route.py [--only LiF ...] [--duration-ps 300] [--workers 2]

For LiF, Li2O, Li2CO3 and Li3PO4: the exact random walk on the computed barriers with Vineyard
frequencies gives the diffusivity of one vacancy; molecular dynamics of a supercell without one Li
gives the self-diffusivity of its ions, which is that of the vacancy times the ratio of vacancies to
ions and a correlation factor of 0.5 to 0.8. The collective diffusivity has no such factor, but a
larger error. Both routes use the same potential and the lattice of 0 K, and should agree within a
factor of 3. The lowest barriers stand beside published values.

Published barriers of Li vacancies
----------------------------------
LiF 0.729, Li2O 0.152, Li2CO3 0.227 to 0.491 eV: DFT-GGA, neutral vacancies, Y. C. Chen, C. Y.
Ouyang, L. J. Song, Z. L. Sun, J. Phys. Chem. C 115, 7044 (2011).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.defects.document import BarrierNetwork, DefectDoc
    from vitrion.transport.result import TransportResult

TEMPERATURES_K = {"LiF": 1050.0, "Li2O": 700.0, "Li2CO3": 800.0, "Li3PO4": 900.0}
"""Of the dynamics: hops are frequent, and the framework rests."""
PUBLISHED_EV = {"LiF": "0.729", "Li2O": "0.152", "Li2CO3": "0.227 to 0.491"}
SIDE_A = 8.0
POTENTIAL = "vitrion-lipof"


def vacancy_study(crystal: Structure) -> DefectDoc:
    """Compute vacancies and all their hops in a crystal."""
    from vitrion.landscape.study import study_defects
    from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
    from vitrion.potentials import load_calculator

    settings = DefectSettings(
        kinds=("vacancy",),
        max_sites=1,
        supercell_side_A=SIDE_A,
        convergence_sides_A=(),
        barriers=BarrierSettings(
            n_between=3, max_length_A=4.5, attempt_frequencies=True, max_steps=400
        ),
    )
    calculator = load_calculator(POTENTIAL)
    bands = settings.barriers.elastic_band(calculator)
    return study_defects(
        crystal, calculator, settings, potential=POTENTIAL, relax_band=bands
    ).document


def with_vacancy(document: DefectDoc) -> Structure:
    """Return the host without one mobile ion."""
    host = document.structure.copy()
    ion = next(k for k, s in enumerate(host) if s.specie.symbol == document.mobile_species)
    host.remove_sites([ion])
    return host


def directly(
    host: Structure, temperature_K: float, duration_ps: float, workers: int, work: Path
) -> TransportResult:
    """Return the transport in the supercell, from as many runs as workers."""
    from functools import partial

    from vitrion.dynamics.md_settings import MDSettings
    from vitrion.dynamics.run_result import TRAJECTORY_NAME
    from vitrion.dynamics.workers import MDTask, run_many
    from vitrion.potentials import load_calculator
    from vitrion.transport import combine
    from vitrion.transport.analysis import analyze_file

    tasks = [
        MDTask(
            f"run-{seed}",
            host,
            MDSettings(temperature_K=temperature_K, duration_ps=duration_ps, seed=seed),
            work / f"run-{seed}",
        )
        for seed in range(workers)
    ]
    for outcome in run_many(tasks, partial(load_calculator, POTENTIAL), workers=workers):
        if outcome.error:
            raise SystemExit(f"{outcome.name}: {outcome.error}")
    return combine(
        [analyze_file([str(t.directory / TRAJECTORY_NAME)], "Li", temperature_K) for t in tasks]
    )


def lowest_barrier_eV(network: BarrierNetwork) -> float:
    """Return the lowest barrier of hops between different places."""
    return min(max(h.forward_barrier_eV, h.backward_barrier_eV) for h in network.hops if h.counts)


def report(name: str, duration_ps: float, workers: int, work: Path) -> None:
    """Print both diffusivities of the vacancy of one crystal."""
    from vitrion.migration.network_walk import network_walk
    from vitrion.polymorphs.hull import shipped_references

    start = time.process_time()
    document = vacancy_study(shipped_references()[name])
    network = document.networks[0]
    temperature_K = TEMPERATURES_K[name]
    walk = network_walk(network, document.unit_cell.lattice.matrix, temperature_K)
    assumed = sum(h.counts and h.attempt_frequency_Hz is None for h in network.hops)
    host = with_vacancy(document)
    moved = directly(host, temperature_K, duration_ps, workers, work / name)
    print(
        f"{name}, {len(host)} atoms, {temperature_K:g} K: lowest barrier "
        f"{lowest_barrier_eV(network):.3f} eV (published {PUBLISHED_EV.get(name, '-')}), "
        f"{len(network.hops)} distinct hops, {network.n_unconverged} unconverged, {assumed} with "
        f"1e13 Hz; {moved.hops.n_hops} hops in dynamics; study {time.process_time() - start:.0f} s"
    )
    print(f"  barriers             D of the vacancy {walk.isotropic_cm2_s:.2e} cm2/s")
    values = moved if moved.diffusive else moved.provisional
    if values is None:
        print(f"  dynamics             {moved.regime.reason}")
        return
    for label, found in (
        ("dynamics, single ions", values.self_diffusivity),
        ("dynamics, collective", values.collective_diffusivity),
    ):
        low, high = (moved.n_mobile * end for end in found.interval())
        value = moved.n_mobile * found.value
        ratio = walk.isotropic_cm2_s / value
        print(
            f"  {label:22s}{value:.2e} ({low:.1e} to {high:.1e}); barriers {ratio:.2f} times that"
        )


def main() -> None:
    """Report each crystal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(TEMPERATURES_K))
    parser.add_argument("--duration-ps", type=float, default=300.0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.only or TEMPERATURES_K:
        with tempfile.TemporaryDirectory() as folder:
            report(name, arguments.duration_ps, arguments.workers, Path(folder))


if __name__ == "__main__":
    main()
