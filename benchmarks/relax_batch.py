"""Structures per hour: batched relaxation against ASE's FIRE with its cell filter, one by one.

Same potential, same structures, same criterion (largest row of forces and virial over the number of
atoms), one thread, one run. ``python benchmarks/relax_batch.py [n] [potential]``
"""

from __future__ import annotations

import os
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")


def main(n: int = 24, name: str | None = None) -> None:
    import numpy as np
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE
    from pymatgen.io.ase import AseAtomsAdaptor

    from vitrion.generation.random import RandomGenerator
    from vitrion.polymorphs.filters import overlap
    from vitrion.potentials import load_calculator
    from vitrion.potentials.batch import batched
    from vitrion.relaxation.relax import RelaxSettings, relax_many

    settings = RelaxSettings(fmax_eV_per_A=0.05, max_steps=250)
    found = RandomGenerator(formula_units=(1, 2)).generate("LiPO2F2", 2 * n, seed=1)
    structures = [c.structure for c in found if overlap(c.structure) is None][:n]
    calculator = load_calculator(name)
    batch = batched(calculator)
    batch.evaluate(
        [AseAtomsAdaptor.get_atoms(structures[0])]
    )  # warm up: neither side pays for the first call

    start = time.process_time()
    together = relax_many(structures, batch, settings)
    batch_s = time.process_time() - start

    start = time.process_time()
    one_by_one, steps = [], []
    for structure in structures:
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = calculator
        optimizer = FIRE(FrechetCellFilter(atoms), logfile=None)
        optimizer.run(fmax=settings.fmax_eV_per_A, steps=settings.max_steps)
        one_by_one.append(atoms.get_potential_energy() / len(atoms))
        steps.append(optimizer.nsteps)
    ase_s = time.process_time() - start

    ours = np.array([r.energy_eV_per_atom for r in together])
    lower = np.array(one_by_one) - ours
    print(f"{len(structures)} structures, {np.mean([len(s) for s in structures]):.0f} atoms each")
    print(
        f"batched  {3600 * n / batch_s:7.0f} structures an hour, "
        f"{np.mean([r.n_steps for r in together]):.0f} steps, "
        f"{sum(r.converged for r in together)} converged"
    )
    print(f"ASE      {3600 * n / ase_s:7.0f} structures an hour, {np.mean(steps):.0f} steps")
    print(f"ratio    {ase_s / batch_s:.2f} (CPU time of one thread)")
    print(
        f"same minimum (1 meV/atom): {np.mean(np.abs(lower) < 1e-3):.0%}; "
        f"mean energy ours - ASE: {-1000 * lower.mean():.1f} meV/atom"
    )


if __name__ == "__main__":
    main(*([int(sys.argv[1])] if len(sys.argv) > 1 else []), *sys.argv[2:3])
