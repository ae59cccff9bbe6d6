"""Make the reference phases that ship with the package.

``python -m vitrion.polymorphs.references OUT.json [--search FORMULA ...]`` relaxes the known
crystals, keeping their symmetry, and adds the best crystal that a search finds for each formula
whose cell is not at hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.polymorphs.relax import RelaxSettings, relax_many

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential

SYMMETRIC = RelaxSettings(force_tolerance_eV_per_A=0.02, max_steps=600, keep_symmetry=True)


def starting_cells() -> dict[str, Structure]:
    """Return the known crystals of the Li-C-O-F-P system from published cells, by name."""
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.crystals import known_crystals

    return {
        name: AseAtomsAdaptor.get_structure(atoms).get_primitive_structure()
        for name, atoms in known_crystals().items()
        if "-" not in name  # hypothetical variants
    }


def compute_references(
    cells: dict[str, Structure], potential: BatchPotential
) -> list[dict[str, Any]]:
    """Relax cells with their symmetry kept; a cell that fails is left out."""
    results = relax_many(list(cells.values()), potential, SYMMETRIC)
    return [
        {
            "name": name,
            "lattice": np.round(result.structure.lattice.matrix, 6).tolist(),
            "species": [site.specie.symbol for site in result.structure],
            "fractional": np.round(result.structure.frac_coords, 6).tolist(),
            "energy_per_atom_eV": round(result.energy_per_atom_eV, 5),
        }
        for name, result in zip(cells, results, strict=True)
        if result.failure is None
    ]


def main() -> None:
    """Relax the known crystals, search for the others, write the file."""
    from vitrion.polymorphs.search import SearchSettings, search
    from vitrion.potentials import get_potential
    from vitrion.potentials.batch import load_batch_potential

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--potential")
    parser.add_argument("--search", nargs="*", default=[], help="formulas to search for")
    parser.add_argument("--relaxations", type=int, default=60, help="budget of each search")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    potential = load_batch_potential(options.potential)
    cells = starting_cells()
    for formula in options.search:
        found = search(
            formula,
            SearchSettings(
                candidates={"diffusion": 12, "random": 4, "substitution": 4},
                max_relaxations=options.relaxations,
                formula_units=(1, 2),
                hosts=2,
            ),
            potential=options.potential,
            seed=options.seed,
            references=cells,
        )
        if found.polymorphs:
            cells[f"{formula} (found here)"] = found.polymorphs[0].structure
    content = {
        "potential": get_potential(options.potential).model_dump(
            mode="json", include={"name", "version", "sha256", "functional"}
        ),
        "phases": compute_references(cells, potential),
    }
    options.out.write_text(json.dumps(content, indent=None) + "\n")


if __name__ == "__main__":
    main()
