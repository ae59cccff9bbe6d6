"""Generate crystals of Li, C, O, F and P as a training set of the score net.

``python workflows/score_net_crystals.py OUT.xyz.gz [--iterations 4] [--seed 0]``

Published data sets contain few crystals of three or four of these elements. Therefore candidates of
many compositions, from random symmetric cells, prototypes and the current net, are relaxed with the
shipped potential, and the crystals near the lowest of their composition are kept. LiPO2F2, Li3PO4
and Li2CO3 are excluded, because the search is tested on them. An interrupted run resumes after its
last finished iteration (``OUT.iterations``).
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import Structure

    from vitrion.generation import Candidate
    from vitrion.polymorphs.group import JudgedCandidate

COMPOSITIONS = {
    "LiPO3": (1, 2, 3, 4),
    "Li4P2O7": (1, 2),
    "LiP3O8": (1, 2),
    "Li5P3O10": (1,),
    "P2O5": (1, 2, 3),
    "Li2PO3F": (1, 2, 3),
    "Li2P2O5F2": (1, 2),
    "LiP2O5F": (1, 2),
    "Li3PO3F2": (1, 2),
    "Li4PO4F": (1, 2),
    "LiPOF4": (1, 2, 3),
    "LiP2O3F5": (1, 2),
    "PO2F": (1, 2, 3, 4),
    "P2O3F4": (1, 2),
    "POF3": (1, 2, 4),
    "PF5": (1, 2, 4),
    "LiPF6": (1, 2),
    "LiF": (1, 2, 3, 4),
    "Li2O": (1, 2, 3, 4),
    "Li3OF": (1, 2, 3),
    "Li2O2": (1, 2),
    "Li3CO3F": (1, 2),
    "Li4CO4": (1, 2),
    "Li2C2O4": (1, 2),
    "CO2": (1, 2, 4),
    "Li3P": (1, 2),
}
"""Formula units in the cells of each composition; no cell exceeds 24 atoms."""

AN_ITERATION = {"random": 5, "diffusion": 6, "substitution": 3}
BONDS_OF = {"P": 4, "C": 2}
"""Minimum number of bonds to O and F of these atoms in oxides and fluorides."""
SPURIOUS_BELOW_EV_PER_ATOM = 0.6
"""Crystals this far (eV/atom) below the median of their composition are spurious minima."""
WINDOW_EV = 0.25
"""Crystals up to this far (eV/atom) above the lowest of their composition are kept."""


def candidates(number: int, seed: int) -> Iterator[Candidate]:
    """Yield the candidates of one iteration, all compositions and generators."""
    from vitrion.errors import InputError
    from vitrion.generation.seeds import spawn_seeds
    from vitrion.polymorphs.iteration import make_generator
    from vitrion.polymorphs.search_settings import SearchSettings

    seeds = iter(
        spawn_seeds(spawn_seeds(seed, number + 1)[-1], len(COMPOSITIONS) * len(AN_ITERATION))
    )
    for formula, units in COMPOSITIONS.items():
        settings = SearchSettings(formula_units=units)
        for name, count in AN_ITERATION.items():
            try:
                yield from make_generator(name, settings).generate(formula, count, next(seeds))
            except InputError as exc:  # no prototype of this composition, or no random cell
                print(f"{formula}, {name}: {exc}", flush=True)


def run_iteration(number: int, seed: int) -> list[JudgedCandidate]:
    """Relax the candidates of an iteration and return those that ended as crystals."""
    from vitrion.polymorphs.iteration import relax_candidates
    from vitrion.polymorphs.search_settings import SearchSettings
    from vitrion.potentials.batch import load_batch_potential
    from vitrion.relaxation.relax import RelaxSettings

    relax = RelaxSettings(fmax_eV_per_A=0.1, max_steps=250)
    found = relax_candidates(
        list(candidates(number, seed)), load_batch_potential(), SearchSettings(relax=relax), None
    )
    crystals = [f for f in found if f.rejected is None and has_expected_bonds(f.structure)]
    print(f"iteration {number}: {len(crystals)} crystals of {len(found)} candidates", flush=True)
    return crystals


def has_expected_bonds(structure: Structure) -> bool:
    """Return whether anions are separate (except in peroxides) and P and C are bound.

    Other structures are outside the training set, where the potential has spurious minima.
    """
    from ase.data import atomic_numbers, covalent_radii

    from vitrion.polymorphs.describe import BOND

    symbols = [site.specie.symbol for site in structure]
    bonds = [0] * len(symbols)
    anions = {"O", "F"}
    peroxide = structure.composition.reduced_formula == "Li2O2"
    for i, j, _, distance in zip(*structure.get_neighbor_list(2.5, exclude_self=True), strict=True):
        radii = covalent_radii[[atomic_numbers[symbols[i]], atomic_numbers[symbols[j]]]]
        if distance > BOND * radii.sum():
            continue
        if {symbols[i], symbols[j]} <= anions and not peroxide:
            return False
        bonds[i] += symbols[j] in anions
    if not anions & set(symbols):
        return True
    return all(n >= BONDS_OF.get(symbol, 0) for n, symbol in zip(bonds, symbols, strict=True))


def low_and_different(findings: list[JudgedCandidate]) -> list[JudgedCandidate]:
    """Return the distinct crystals near the lowest of their composition, by energy."""
    from vitrion.polymorphs.group import SAME_ENERGY_EV, same_crystal

    by_formula: dict[str, list[JudgedCandidate]] = defaultdict(list)
    for finding in findings:
        by_formula[finding.structure.composition.reduced_formula].append(finding)
    chosen: list[JudgedCandidate] = []
    for formula, members in sorted(by_formula.items()):
        members.sort(key=lambda finding: finding.energy_eV_per_atom)
        middle = members[len(members) // 2].energy_eV_per_atom
        members = [m for m in members if m.energy_eV_per_atom > middle - SPURIOUS_BELOW_EV_PER_ATOM]
        kept: list[JudgedCandidate] = []
        for finding in members:
            energy = finding.energy_eV_per_atom
            if energy > members[0].energy_eV_per_atom + WINDOW_EV:
                break
            near = [k for k in kept if energy - k.energy_eV_per_atom < SAME_ENERGY_EV]
            if not any(same_crystal(k.structure, finding.structure) for k in near):
                kept.append(finding)
        _tell(formula, members, kept)
        chosen += kept
    return chosen


def _tell(formula: str, members: list[JudgedCandidate], kept: list[JudgedCandidate]) -> None:
    from vitrion.polymorphs.describe import coordination

    best = kept[0]
    print(
        f"{formula:10s} {len(members):4d} crystals, {len(kept):4d} kept; best "
        f"{best.energy_eV_per_atom:.3f} eV/atom by {best.origin.generator}, "
        f"{coordination(best.structure)}"
    )


def write(findings: list[JudgedCandidate], out: Path, potential: str) -> None:
    """Write the crystals as extended XYZ."""
    from ase.io import write as write_atoms
    from pymatgen.io.ase import AseAtomsAdaptor

    frames = []
    for finding in findings:
        atoms = AseAtomsAdaptor.get_atoms(finding.structure, msonable=False)
        atoms.info = {
            "energy_eV_per_atom": round(finding.energy_eV_per_atom, 4),
            "generator": finding.origin.generator,
            "potential": potential,
        }
        frames.append(atoms)
    write_atoms(str(out), frames, format="extxyz", columns=["symbols", "positions"])


def main() -> None:
    """Run the missing iterations, then select and write crystals."""
    from vitrion.polymorphs.group import JudgedCandidate
    from vitrion.potentials import get_potential

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.out.with_name(options.out.name.split(".")[0] + ".iterations")
    folder.mkdir(parents=True, exist_ok=True)
    spec = get_potential(None)
    potential = f"{spec.name} {spec.version} sha256:{(spec.sha256 or 'unknown')[:16]}"
    findings: list[JudgedCandidate] = []
    for number in range(options.iterations):
        path = folder / f"{number}.json"
        if not path.is_file():
            made = [
                finding.model_dump(mode="json") for finding in run_iteration(number, options.seed)
            ]
            path.write_text(json.dumps({"potential": potential, "crystals": made}))
        content = json.loads(path.read_text())
        if content["potential"] != potential:
            raise SystemExit(f"{path} was made with {content['potential']}, not {potential}.")
        findings += [JudgedCandidate.model_validate(entry) for entry in content["crystals"]]
    chosen = low_and_different(findings)
    write(chosen, options.out, potential)
    print(f"{len(chosen)} crystals in {options.out}")


if __name__ == "__main__":
    main()
