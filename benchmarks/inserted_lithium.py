"""Which definition of the energy of an inserted Li is high in the crystal and low in the glass.

    python benchmarks/inserted_lithium.py [--runs docs/results/paper] [--sites 6]

Published is that it is high in crystalline LiPO2F2 and low in the glass, without the definition.
This program takes the defects of the runs of ``docs/results/paper.yaml`` and computes the
candidates for the same hosts and sites:

- neutral Li from Li metal, which brings its electron along;
- the Li+ ion in equilibrium with vacancies: an empty site above the chemical potential of the ions,
  that is a separated half of a Frenkel pair;
- a Li+ whose charge is balanced in the framework: the F nearest to the site is replaced by O, with
  Li2O as the source and LiF as the product, host + Li2O -> host(+ Li, F -> O) + LiF.

Writes ``docs/results/inserted_lithium.md``. Energies are of relaxed structures in cells of fixed
shape; intervals are of 95 % over the glasses.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from pymatgen.core import Structure

from vitrion.chemistry.geometry import minimum_image
from vitrion.comparison.tables import make_table, measured, quantified
from vitrion.database.document_file import read_documents
from vitrion.defects.document import DefectDoc
from vitrion.flows.given_crystal import known_crystal
from vitrion.landscape.site_energies import landscape
from vitrion.potentials import load_calculator
from vitrion.relaxation.relax import RelaxSettings, relax_one
from vitrion.relaxation.relaxers import FixedCellRelaxer
from vitrion.uncertainty import LinearEstimate, ReplicaMean, p_value, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator

    from vitrion.comparison.tables import Cell

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COMMAND = "python benchmarks/inserted_lithium.py"
HEADS = ("energy of an inserted Li (eV)", "crystal #", "glass #", "change #", "lower in the glass")
RELAXED = RelaxSettings(fmax_eV_per_A=0.02, max_steps=500)


def salt_energy(formula: str, calculator: Calculator) -> float:
    """Return the energy of a crystal in eV per formula unit."""
    crystal = Structure.from_dict(known_crystal(formula))
    found = relax_one(crystal, calculator, RELAXED).require_converged(formula)
    units = found.structure.composition.get_reduced_composition_and_factor()[1]
    return found.energy_eV / units


def balanced(host: Structure, site: Sequence[float]) -> Structure:
    """Return the host with a Li on a site and O in place of the F nearest to it."""
    structure = host.copy()
    fluorine = [k for k, s in enumerate(structure) if s.specie.symbol == "F"]
    there = np.tile(np.asarray(site, dtype=float), (len(fluorine), 1))
    vectors = minimum_image(there, structure.frac_coords[fluorine], structure.lattice.matrix)
    nearest = fluorine[int(np.linalg.norm(vectors, axis=1).argmin())]
    structure.replace(nearest, "O")
    structure.append("Li", site)
    return structure


def balanced_energies(
    document: DefectDoc, n_sites: int, calculator: Calculator, exchange_eV: float
) -> list[float]:
    """Return the energies in eV of charge-balanced insertion at the lowest interstitial sites.

    ``exchange_eV`` is the energy of Li2O less that of LiF, per formula unit.
    """
    assert document.structure is not None
    records = sorted(document.of_kind("interstitial"), key=lambda record: record.energy_eV)
    sites = [r.interstitial_frac_coords[0] for r in records if r.interstitial_frac_coords]
    starts = [balanced(document.structure, site) for site in sites[:n_sites]]
    relaxed = FixedCellRelaxer(calculator, 0.05, 500)(starts)
    return [
        result.energy_eV - document.host_energy_eV - exchange_eV
        for result in relaxed
        if result.converged
    ]


def compared(name: str, crystal: LinearEstimate, glass: LinearEstimate) -> list[Cell | str]:
    """Return a row: both values, the change, and whether "lower in the glass" is supported."""
    change = glass.minus(crystal.or_exact)
    cells = measured(crystal.value), quantified(glass), quantified(change)
    return [name, *cells, verdict(p_value(change, "lower"))]


def rows(documents: Sequence[DefectDoc], n_sites: int) -> list[list[Cell | str]]:
    """Return the rows of the table."""
    crystals = [d for d in documents if d.phase == "crystalline"]
    glasses = [d for d in documents if d.phase == "amorphous"]
    names = {
        "lowest_interstitial_energy_eV": "neutral Li from Li metal, lowest site",
        "median_interstitial_energy_eV": "neutral Li from Li metal, median",
        "ionic_interstitial_energy_eV": "Li+ in equilibrium with vacancies, lowest site",
    }
    crystal, glass = landscape(crystals), landscape(glasses)
    pairs = [
        (title, getattr(crystal, field), getattr(glass, field)) for field, title in names.items()
    ]
    table = [compared(title, c.estimate, g.estimate) for title, c, g in pairs if c and g]
    calculator = load_calculator("vitrion-lipof")
    exchange_eV = salt_energy("Li2O", calculator) - salt_energy("LiF", calculator)
    energies = {
        phase: [balanced_energies(d, n_sites, calculator, exchange_eV) for d in found]
        for phase, found in (("c", crystals), ("g", glasses))
    }
    for title, statistic in (("lowest of the sites", np.min), ("median", np.median)):
        means = {
            phase: ReplicaMean.of([float(statistic(e)) for e in found]).estimate
            for phase, found in energies.items()
        }
        table.append(compared(f"Li+ with F replaced by O, {title}", means["c"], means["g"]))
    return table


def main() -> None:
    """Read the documents, compute, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RESULTS / "paper")
    parser.add_argument("--out", type=Path, default=RESULTS / "inserted_lithium.md")
    parser.add_argument("--sites", type=int, default=6, help="sites per host, the lowest first")
    options = parser.parse_args()
    documents = [d for d in read_documents(options.runs) if isinstance(d, DefectDoc)]
    lines = [
        f"Made by `{COMMAND}`; {sum(d.phase == 'amorphous' for d in documents)} glasses.",
        "",
        make_table("Inserted Li", HEADS, rows(documents, options.sites)).markdown(),
        "",
    ]
    options.out.write_text("\n".join(lines))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
