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

from vitrion.chemistry.geometry import minimum_image
from vitrion.comparison.landscapes import compare_landscapes
from vitrion.database.document_file import read_documents
from vitrion.defects.document import DefectDoc
from vitrion.landscape.site_energies import landscape
from vitrion.polymorphs.hull import shipped_crystals
from vitrion.potentials import load_calculator
from vitrion.relaxation.relax import RelaxSettings, relax_one
from vitrion.relaxation.relaxers import FixedCellRelaxer
from vitrion.uncertainty import LinearEstimate, ReplicaMean, p_value, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COMMAND = "python benchmarks/inserted_lithium.py"
RELAXED = RelaxSettings(fmax_eV_per_A=0.02, max_steps=500)


def salt_energy(formula: str, calculator: Calculator) -> float:
    """Return the energy of a crystal in eV per formula unit."""
    crystal = next(
        c for c in shipped_crystals().values() if c.composition.reduced_formula == formula
    )
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


def balanced_energies(document: DefectDoc, n_sites: int, calculator: Calculator) -> list[float]:
    """Return the energies in eV of charge-balanced insertion at the lowest interstitial sites."""
    assert document.structure is not None
    records = sorted(document.of_kind("interstitial"), key=lambda record: record.energy_eV)
    sites = [r.interstitial_frac_coords[0] for r in records if r.interstitial_frac_coords]
    starts = [balanced(document.structure, site) for site in sites[:n_sites]]
    exchange_eV = salt_energy("Li2O", calculator) - salt_energy("LiF", calculator)
    relaxed = FixedCellRelaxer(calculator, 0.05, 500)(starts)
    return [
        result.energy_eV - document.host_energy_eV - exchange_eV
        for result in relaxed
        if result.converged
    ]


def compared(name: str, crystal: LinearEstimate, glass: LinearEstimate) -> list[str]:
    """Return a row: both values, the change, and whether "lower in the glass" is supported."""
    change = glass.minus(crystal.or_exact)
    return [
        name,
        f"{crystal.value:.2f}",
        glass.text,
        change.text,
        verdict(p_value(change, "lower")),
    ]


def rows(documents: Sequence[DefectDoc], n_sites: int) -> list[list[str]]:
    """Return the rows of the table."""
    crystals = [d for d in documents if d.phase == "crystalline"]
    glasses = [d for d in documents if d.phase == "amorphous"]
    claims = {c.quantity: c for c in compare_landscapes(landscape(crystals), landscape(glasses))}
    names = {
        "lowest_interstitial_energy_eV": "neutral Li from Li metal, lowest site",
        "median_interstitial_energy_eV": "neutral Li from Li metal, median",
        "ionic_interstitial_energy_eV": "Li+ in equilibrium with vacancies, lowest site",
    }
    joined = {phase: landscape(found) for phase, found in (("c", crystals), ("g", glasses))}
    table = [
        compared(title, getattr(joined["c"], field).estimate, getattr(joined["g"], field).estimate)
        for field, title in names.items()
        if field in claims
    ]
    calculator = load_calculator("vitrion-lipof")
    energies = {
        phase: [balanced_energies(d, n_sites, calculator) for d in found]
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
    heads = ["energy of an inserted Li (eV)", "crystal", "glass", "change", "lower in the glass"]
    lines = [
        f"Made by `{COMMAND}`; {sum(d.phase == 'amorphous' for d in documents)} glasses.",
        "",
        "| " + " | ".join(heads) + " |",
        "| --- | ---: | ---: | ---: | --- |",
        *("| " + " | ".join(row) + " |" for row in rows(documents, options.sites)),
        "",
    ]
    options.out.write_text("\n".join(lines))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
