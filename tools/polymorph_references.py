"""Make the crystals that ship with the package.

``python tools/polymorph_references.py OUT.json [--search FORMULA ...] [--found FILE ...]``
relaxes the known crystals, keeping their symmetry, and adds the best crystal that a search finds
for each formula whose cell is not at hand; crystals of ``--found`` files ship beside the hull, not
in it. ``... OUT.json --again`` relaxes those that ship once more, as after a change of potential.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.formulas import plain_formula
from vitrion.polymorphs.hull import shipped_crystals, shipped_references
from vitrion.relaxation.relax import RelaxSettings, relax_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential

SYMMETRIC = RelaxSettings(fmax_eV_per_A=0.02, max_steps=600, keep_symmetry=True)


def starting_cells() -> dict[str, Structure]:
    """Return the known crystals of the Li-C-O-F-P system from published cells, by name."""
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.chemistry.crystals import known_crystals

    return {
        name: AseAtomsAdaptor.get_structure(atoms).get_primitive_structure()
        for name, atoms in known_crystals().items()
        if "-" not in name  # hypothetical variants
    }


def compute_references(
    cells: dict[str, Structure], potential: BatchPotential
) -> list[dict[str, Any]]:
    """Relax cells with their symmetry kept; a cell that fails is left out, and said so."""
    results = relax_many(list(cells.values()), potential, SYMMETRIC)
    for name, result in zip(cells, results, strict=True):
        if not result.converged:
            print(f"{name} is left out: {result.reason}")
    return [
        {
            "name": name,
            "lattice": np.round(result.structure.lattice.matrix, 6).tolist(),
            "species": [site.specie.symbol for site in result.structure],
            "fractional": np.round(result.structure.frac_coords, 6).tolist(),
            "energy_eV_per_atom": round(result.energy_eV_per_atom, 5),
        }
        for name, result in zip(cells, results, strict=True)
        if result.converged
    ]


def lower(structures: Sequence[Structure], potential: BatchPotential) -> Structure:
    """Return the one of the lowest energy per atom: a short search may miss what is at hand."""
    results = relax_many(list(structures), potential, SYMMETRIC)
    sound = [result for result in results if result.converged]
    return min(sound, key=lambda result: result.energy_eV_per_atom).structure


def search_for(formulas: Sequence[str], options: argparse.Namespace) -> dict[str, Structure]:
    """Return the best crystal that a search finds for each formula."""
    from vitrion.polymorphs.search import search
    from vitrion.polymorphs.search_settings import SearchSettings

    settings = SearchSettings(
        candidates={"diffusion": 12, "random": 4, "substitution": 4},
        max_relaxations=options.relaxations,
        formula_units=(1, 2, 4),
        hosts=2,
    )
    best = {}
    for formula in formulas:
        found = search(formula, settings, potential=options.potential, seed=options.seed)
        if found.polymorphs:
            best[f"{formula} (found here)"] = found.polymorphs[0].structure
            print(f"{formula}: {found.polymorphs[0].model_dump(exclude={'structure', 'origins'})}")
    return best


def main() -> None:
    """Relax the known crystals, search for the others, write the file."""
    from vitrion.generation.diffusion.training_crystals import read_structures
    from vitrion.potentials import get_potential
    from vitrion.potentials.batch import load_batch_potential

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--potential")
    parser.add_argument("--search", nargs="*", default=[], help="formulas to search for")
    parser.add_argument("--relaxations", type=int, default=60, help="budget of each search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", nargs="*", default=[], help="files of crystals beside the hull")
    parser.add_argument("--again", action="store_true", help="start from the crystals that ship")
    options = parser.parse_args()
    potential = load_batch_potential(options.potential)
    cells = starting_cells()
    beside = {
        f"{plain_formula(structure.composition.reduced_composition)} (found here)": structure
        for structure in read_structures(options.found)
    }
    if options.again:
        cells |= shipped_references()
        beside = {n: s for n, s in shipped_crystals().items() if n not in cells} | beside
    for name, structure in search_for(options.search, options).items():
        cells[name] = lower([structure, *([cells[name]] if name in cells else [])], potential)
    content = {
        "potential": get_potential(options.potential).model_dump(
            mode="json", include={"name", "version", "sha256", "functional"}
        ),
        "phases": compute_references(cells, potential),
        "beside_the_hull": compute_references(beside, potential),
    }
    options.out.write_text(json.dumps(content, indent=None) + "\n")


if __name__ == "__main__":
    main()
