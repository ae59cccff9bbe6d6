"""Success of crystal search by generator, with the same potential and number of relaxations.

``python benchmarks/structure_search.py known OUT.jsonl``
    Relaxations needed to come within 5 meV/atom of the known crystal, from the formula alone.
``python benchmarks/structure_search.py match OUT.jsonl FILE [FILE ...]``
    Match rate and RMSE in the true cell on formulas outside the training set, beside uniform
    random positions and PyXtal's crystals. FILE: structure files of the training set.
``python benchmarks/structure_search.py loss FILE [FILE ...] [--hold-out FORMULA ...]``
    Loss of the score net on its held-out formulas, and on other named formulas.
``python benchmarks/structure_search.py lipo2f2 OUT.jsonl``
    Lowest energy of LiPO2F2 against the number of relaxations.
``python benchmarks/structure_search.py stability OUT.jsonl``
    Phonons and 300 K dynamics of the lowest LiPO2F2 in OUT.jsonl.
``python benchmarks/structure_search.py speed``
    CPU time of 64 samples of 18 atoms.
``python benchmarks/structure_search.py tables OUT.jsonl``
    Results in OUT.jsonl as the tables of docs/results/structure_search.md.

Results are appended, one line per run; runs in the file are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

METHODS = ("diffusion", "inpainting", "random", "substitution")
KNOWN = ("LiF", "Li2O", "Li2CO3", "Li3PO4", "LiPO3")
CELLS = {  # measured crystals that are not in the package: space group, lattice parameters, sites
    "Li2S": ("Fm-3m", (5.71, 5.71, 5.71, 90, 90, 90), {"S": [(0, 0, 0)], "Li": [(0.25,) * 3]}),
    "Li3N": (
        "P6/mmm",
        (3.65, 3.65, 3.88, 90, 90, 120),
        {"N": [(0, 0, 0)], "Li": [(0, 0, 0.5), (1 / 3, 2 / 3, 0)]},
    ),
}
WITHIN_EV = 0.005


def load(potential, formula):
    from pymatgen.core import Composition

    from vitrion.potentials.batch import load_batch_potential

    return load_batch_potential(potential, symbols=[el.symbol for el in Composition(formula)])


def label(potential):
    from vitrion.potentials import get_potential

    spec = get_potential(potential)
    return f"{spec.name} {spec.version}"


def done(out, **key):
    """Return whether the file already holds the run."""
    if not out.is_file():
        return False
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return any(all(line.get(k) == v for k, v in key.items()) for line in lines)


def record(out, **fields):
    print(
        " ".join(f"{k}={v}" for k, v in fields.items() if k not in ("energies", "structure")),
        flush=True,
    )
    with out.open("a") as handle:
        handle.write(json.dumps(fields) + "\n")


def trace(formula, method, seed, potential, hull, settings, budget, goal=None):
    """Relax candidates of one method until the goal or the budget is reached.

    With inpainting, diffusion generates the candidates, and two hosts per iteration are filled.
    Energies far below the hull mark spurious minima of the potential.
    """
    from vitrion.chemistry.formulas import parse_composition
    from vitrion.polymorphs.iteration import search_iteration, with_volume_of_best
    from vitrion.polymorphs.search_state import SearchState

    state = SearchState()
    generator = "diffusion" if method == "inpainting" else method
    for number in range(1, 3 * budget):
        # The first iteration only estimates the volume; later, larger ones keep the batches full.
        share = {"candidates": {generator: 6 if number == 1 else 12}}
        share["hosts"] = 2 if method == "inpainting" else 0
        chosen = settings.model_copy(update=share)
        left = budget - state.n_relaxations
        if left < 1:
            break
        findings = search_iteration(
            parse_composition(formula),
            with_volume_of_best(chosen, state),
            potential,
            hull,
            1000 * seed + number,
            state.best(chosen.hosts),
            budget=left,
        )
        state.add(findings)
        lowest = state.best_energies[-1] if state.best_energies else None
        if goal is not None and lowest is not None and lowest < goal + WITHIN_EV:
            break
    return state


def known_crystal(formula):
    from pymatgen.core import Lattice, Structure

    from vitrion.polymorphs.hull import shipped_references

    for name, structure in shipped_references().items():
        if name.split()[0] == formula:
            return structure
    group, parameters, sites = CELLS[formula]
    species = [element for element, places in sites.items() for _ in places]
    places = [place for several in sites.values() for place in several]
    lattice = Lattice.from_parameters(*parameters)
    return Structure.from_spacegroup(group, lattice, species, places).get_primitive_structure()


def known(options):
    from vitrion.chemistry.formulas import parse_composition
    from vitrion.errors import InputError
    from vitrion.polymorphs.hull import FINE
    from vitrion.polymorphs.search import make_hull
    from vitrion.polymorphs.search_settings import SearchSettings
    from vitrion.relaxation.relax import RelaxSettings, relax_many

    settings = SearchSettings(
        formula_units=tuple(options.units or (1, 2)),
        fillings=2,
        oversampling=options.oversampling,
        relax=RelaxSettings(fmax_eV_per_A=0.05, max_steps=400),
    )
    for formula in options.formulas:
        potential = load(options.potential, formula)
        hull = make_hull(parse_composition(formula), potential)
        goal = relax_many([known_crystal(formula)], potential, FINE)[0].energy_eV_per_atom
        for seed in range(options.seeds):
            for method in options.methods:
                key = {"formula": formula, "method": method, "seed": seed}
                if done(options.out, **key):
                    continue
                start = time.process_time()
                try:
                    state = trace(
                        formula, method, seed, potential, hull, settings, options.budget, goal
                    )
                except InputError as exc:  # for one, no structure type fits
                    print(f"{formula}, {method}: {exc}")
                    continue
                hits = [
                    i + 1
                    for i, energy in enumerate(state.best_energies)
                    if energy is not None and energy < goal + WITHIN_EV
                ]
                lowest = state.best_energies[-1] if state.best_energies else None
                record(
                    options.out,
                    **key,
                    needed=hits[0] if hits else None,
                    relaxed=state.n_relaxations,
                    evaluations=sum(state.evaluations.values()),
                    potential=label(options.potential),
                    best_meV=None if lowest is None else round(1000 * (lowest - goal), 1),
                    cpu_s=round(time.process_time() - start),
                )


def lipo2f2(options):
    from vitrion.chemistry.formulas import parse_composition
    from vitrion.polymorphs.describe import coordination, space_groups
    from vitrion.polymorphs.search import make_hull
    from vitrion.polymorphs.search_settings import SearchSettings
    from vitrion.relaxation.relax import RelaxSettings

    potential = load(options.potential, "LiPO2F2")
    hull = make_hull(parse_composition("LiPO2F2"), potential)
    settings = SearchSettings(
        formula_units=tuple(options.units or (1, 2)),
        fillings=2,
        oversampling=options.oversampling,
        relax=RelaxSettings(max_steps=400),
    )
    for seed in range(options.seeds):
        for method in options.methods:
            key = {"formula": "LiPO2F2", "method": method, "seed": seed}
            if done(options.out, **key):
                continue
            start = time.process_time()
            state = trace("LiPO2F2", method, seed, potential, hull, settings, options.budget)
            best = state.ranked[0] if state.groups else None
            record(
                options.out,
                **key,
                relaxed=state.n_relaxations,
                evaluations=sum(state.evaluations.values()),
                potential=label(options.potential),
                cpu_s=round(time.process_time() - start),
                best_eV=best and round(best.energy_eV_per_atom, 4),
                group=best and space_groups(best.structure)[1][2],
                P=best and coordination(best.structure).get("P"),
                structure=best and best.structure.as_dict(),
                energies=state.best_energies,
            )


def match(options):
    import numpy as np
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    from vitrion.generation.diffusion.generator import ScoreModel
    from vitrion.generation.diffusion.sampler import Task
    from vitrion.generation.diffusion.training_crystals import (
        prepare_training_set,
        read_structures,
        split_by_formula,
    )
    from vitrion.generation.random import RandomGenerator

    model = ScoreModel.load(options.weights)
    crystals = prepare_training_set(read_structures(options.files))
    held_out = split_by_formula(crystals, model.card.held_out)[1]
    bonded = [c for c in held_out if c.n_nonmetals and 3 < len(c.numbers) <= 16]
    rng = np.random.default_rng(0)
    # One crystal per formula, so that all formulas have the same weight.
    by_formula = {bonded[i].formula: bonded[i] for i in rng.permutation(len(bonded))}
    chosen = list(by_formula.values())[: options.formulas_n]
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)
    n = 20
    for index, crystal in enumerate(chosen):
        truth = Structure(crystal.lattice, crystal.numbers, crystal.fractional)
        tasks = [Task(crystal.numbers, crystal.lattice, 20 * index + s) for s in range(n)]
        random = [Structure(t.lattice, t.numbers, rng.random((len(t.numbers), 3))) for t in tasks]
        units = truth.composition.get_reduced_composition_and_factor()[1]
        try:
            symmetric = RandomGenerator(formula_units=(int(units),)).generate(
                truth.composition.reduced_formula, n, index
            )
        except Exception as exc:  # PyXtal has no radius of an element, or its volume is unknown
            print("pyxtal:", exc)
            symmetric = []
        sampled = {
            "diffusion": model.sample(tasks, {}),
            "uniform": random,
            "pyxtal": [c.structure for c in symmetric],
        }
        for method, structures in sampled.items():
            rms = [matcher.get_rms_dist(truth, s) for s in structures]
            found = [float(r[0]) if r else None for r in rms]
            record(options.out, formula=crystal.formula, method=method, rms=found)
    summarize_match(options.out)


def loss(options):
    """Loss on the held-out formulas of some files, all and by the number of nonmetals."""
    from vitrion.generation.diffusion.train import Trainer
    from vitrion.generation.diffusion.train_settings import TrainSettings
    from vitrion.generation.diffusion.training_crystals import prepare_training_set, read_structures
    from vitrion.generation.diffusion.weights import load_weights

    start = load_weights(options.weights)
    crystals = prepare_training_set(read_structures([str(options.out), *options.files]))
    groups = {"all": crystals}
    for n, name in enumerate(("no nonmetal", "one nonmetal", "two or more nonmetals")):
        groups[name] = [c for c in crystals if min(c.n_nonmetals, 2) == n]
    for name, group in groups.items():
        trainer = Trainer(
            group, Path("unused"), TrainSettings(), start=start, hold_out=options.hold_out
        )
        print(f"{name}: {trainer.validation_loss():.3f} on {len(trainer.test_set)} crystals")


def summarize_match(out):
    import numpy as np

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for method in ("diffusion", "uniform", "pyxtal"):
        runs = [line["rms"] for line in lines if line["method"] == method and line["rms"]]
        one = np.mean([np.mean([r is not None for r in rms]) for rms in runs])
        any_of = np.mean([any(r is not None for r in rms) for rms in runs])
        best = [
            min(r for r in rms if r is not None) for rms in runs if any(r is not None for r in rms)
        ]
        print(
            f"{method}: {len(runs)} crystals, match at 1 {one:.0%}, at 20 {any_of:.0%}, "
            f"median RMSE of the best {np.median(best) if best else float('nan'):.3f}"
        )


def stability(options):
    """Phonons and 4 ps at 300 K of the best crystal found."""
    from pymatgen.core import Structure

    from vitrion.polymorphs.describe import coordination, space_groups
    from vitrion.polymorphs.stability import stability as tests_of
    from vitrion.relaxation.relax import RelaxSettings, relax_many

    runs = [json.loads(line) for line in options.out.read_text().splitlines()]
    best = min((r for r in runs if r.get("structure")), key=lambda r: r["best_eV"])
    settings = RelaxSettings(fmax_eV_per_A=0.002, max_steps=2000)
    potential = load(options.potential, "LiPO2F2")
    (end,) = relax_many([Structure.from_dict(best["structure"])], potential, settings)
    print(
        f"{best['method']} seed {best['seed']}: {end.energy_eV_per_atom:.4f} eV/atom, largest "
        f"force {end.max_force_eV_per_A:.4f} eV/A, {space_groups(end.structure)[1][2]}, "
        f"{end.structure.density:.2f} g/cm3, {coordination(end.structure)}"
    )
    if options.cif:
        end.structure.to(filename=str(options.cif))
    found = tests_of(end.structure, options.potential)
    print(
        f"phonons, supercell {found.supercell}: lowest {found.lowest_phonon_per_cm:.0f} cm-1 "
        f"(negative: imaginary), highest {found.highest_phonon_per_cm:.0f} cm-1"
    )
    shells = [at.get("P") for at in found.coordination_during]
    print(f"{found.n_atoms} atoms, {found.duration_ps:g} ps at 300 K: P has {shells}")


def tables(options):
    """Print the runs as tables in Markdown; a run that missed the goal counts its whole budget."""
    from statistics import mean

    runs = [json.loads(line) for line in options.out.read_text().splitlines()]
    searched = [r for r in runs if "needed" in r]
    formulas = sorted({r["formula"] for r in searched})
    if searched:
        print("| method | " + " | ".join(formulas) + " |\n" + "|---" * (len(formulas) + 1) + "|")
    for method in METHODS if searched else ():
        cells = []
        for formula in formulas:
            of_both = [r for r in searched if (r["formula"], r["method"]) == (formula, method)]
            needed = [str(r["needed"] or f">{r['relaxed']}") for r in of_both]
            average = mean(r["needed"] or r["relaxed"] for r in of_both) if of_both else 0
            cells.append(f"{', '.join(needed)} (mean {average:.1f})")
        print(f"| {method} | " + " | ".join(cells) + " |")
    open_ended = [r for r in runs if r.get("energies")]
    steps = (6, 12, 24, 48)
    if open_ended:
        print("| method | seed | " + " | ".join(f"after {n}" for n in steps) + " | group | P |")
        print("|---" * (len(steps) + 4) + "|")
    for r in sorted(open_ended, key=lambda r: (METHODS.index(r["method"]), r["seed"])):
        energies = r["energies"]
        cells = [
            "-" if n > len(energies) or energies[n - 1] is None else f"{energies[n - 1]:.4f}"
            for n in steps
        ]
        line = " | ".join([r["method"], str(r["seed"]), *cells, str(r["group"]), str(r["P"])])
        print(f"| {line} |")


def speed(options):
    from vitrion.chemistry.distances import closeness
    from vitrion.generation.diffusion.generator import DiffusionGenerator

    start = time.process_time()
    generator = DiffusionGenerator(weights=options.weights, formula_units=(3,))
    found = generator.generate("LiPO2F2", 64, seed=0)
    spent = time.process_time() - start
    separate = sum(closeness(c.structure) > 0.55 for c in found) / len(found)
    print(f"64 samples of 18 atoms: {spent / 60:.2f} CPU-minutes, {separate:.0%} without overlaps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = (known, match, loss, lipo2f2, stability, speed, tables)
    parser.add_argument("what", choices=[command.__name__ for command in commands])
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--formulas", nargs="*", default=list(KNOWN))
    parser.add_argument("--formulas-n", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=24)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--units", nargs="*", type=int, help="formula units in a cell")
    parser.add_argument("--oversampling", type=int, default=4)
    parser.add_argument("--potential")
    parser.add_argument("--cif", type=Path, help="where stability writes the best crystal")
    parser.add_argument("--hold-out", nargs="*", default=[])
    parser.add_argument("--weights", default="vitrion-score")
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
