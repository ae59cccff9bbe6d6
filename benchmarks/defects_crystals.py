"""Defects of LiF and Li2O beside published values.

``python benchmarks/defects_crystals.py [--side 8] [potential ...]``; by default the shipped
potential and CHGNet. Vacancies are neutral, as in the DFT study the barriers are compared with;
Frenkel pairs and Schottky defects need no reservoir.

Published values
----------------
Li vacancy migration: DFT-GGA nudged elastic band with neutral vacancies, LiF 0.729 eV and Li2O
0.152 eV: Y. C. Chen, C. Y. Ouyang, L. J. Song, Z. L. Sun, J. Phys. Chem. C 115, 7044 (2011).
Li Frenkel pair of Li2O: experiment 1.8 to 2.53 eV (Lorger 2019, Farley 1991, Chadwick 1988), as
compiled in Table 4 of PubMed Central article PMC8558309.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

PUBLISHED = {
    ("LiF", "Li vacancy migration"): "0.729 (DFT)",
    ("Li2O", "Li vacancy migration"): "0.152 (DFT)",
    ("Li2O", "Frenkel pair, far"): "1.8 to 2.53 (experiment)",
}


def crystals():
    from pymatgen.core import Lattice, Structure

    return {
        "LiF": Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
        ),
        "Li2O": Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(4.62), ["O", "Li"], [[0, 0, 0], [0.25, 0.25, 0.25]]
        ),
    }


def relax_cell(structure, calculator):
    from vitrion.relaxation.relax import RelaxSettings, relax_one

    settings = RelaxSettings(fmax_eV_per_A=0.005)
    name = structure.composition.reduced_formula
    return relax_one(structure, calculator, settings).require_converged(name).structure


def schottky_energy(host, calculator, fmax):
    """Remove one formula unit from the host, with the ions as far apart as possible."""
    from vitrion.relaxation.relaxers import FixedCellRelaxer

    per_unit, _ = host.unit_cell.composition.get_integer_formula_and_factor()
    from pymatgen.core import Composition

    chosen: list[int] = []
    for element, count in Composition(per_unit).items():
        for _ in range(round(count)):
            same = [k for k, s in enumerate(host.structure) if s.specie == element]
            same = [k for k in same if k not in chosen]
            far = max(
                same,
                key=lambda k: min(
                    (host.structure.get_distance(k, other) for other in chosen), default=0.0
                ),
            )
            chosen.append(far)
    defective = host.structure.copy()
    defective.remove_sites(chosen)
    energy = (
        FixedCellRelaxer(calculator, fmax)([defective])[0]
        .require_converged("The Schottky defect")
        .energy_eV
    )
    return energy + host.energy_eV * len(chosen) / len(host.structure) - host.energy_eV


def main() -> None:
    from vitrion.landscape.study import study_defects
    from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
    from vitrion.potentials import load_calculator

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("potentials", nargs="*", default=["vitrion-lipof", "chgnet"])
    parser.add_argument("--side", type=float, default=8.0, help="width of the supercell in A")
    arguments = parser.parse_args()
    settings = DefectSettings(
        kinds=("interstitial", "vacancy", "far"),
        min_radius_A=1.6,
        supercell_side_A=arguments.side,
        barriers=BarrierSettings(n_between=3),
    )
    for potential in arguments.potentials:
        calculator = load_calculator(potential)
        for name, crystal in crystals().items():
            start = time.process_time()
            relaxed = relax_cell(crystal, calculator)
            bands = settings.barriers.elastic_band(calculator)
            study = study_defects(
                relaxed, calculator, settings, potential=potential, relax_band=bands
            )
            doc = study.document
            shortest = min(doc.networks[0].hops, key=lambda hop: hop.length_A)
            found = {
                "Frenkel pair, far": doc.frenkel_energy_eV.minimum_eV
                if doc.frenkel_energy_eV
                else None,
                "Schottky": schottky_energy(study.host, calculator, settings.fmax_eV_per_A),
                "Li vacancy migration": shortest.forward_barrier_eV,
                "interstitial at 0 V": doc.interstitial_energy_eV.minimum_eV
                if doc.interstitial_energy_eV
                else None,
                "vacancy at 0 V": doc.vacancy_energy_eV.minimum_eV
                if doc.vacancy_energy_eV
                else None,
            }
            seconds = time.process_time() - start
            print(
                f"\n{name}, {potential}, {len(study.host.structure)} atoms, "
                f"a = {relaxed.lattice.a:.3f} A, {seconds:.0f} CPU-s"
            )
            for what, value in found.items():
                text = "   -" if value is None else f"{value:6.2f}"
                print(f"  {what:22s} {text} eV   published {PUBLISHED.get((name, what), '-')}")


if __name__ == "__main__":
    main()
