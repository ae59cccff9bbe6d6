"""The same defects of LiF by vitrion, matcalc and doped: energies and times in one run.

``python benchmarks/defects_peers.py [potential]``. Needs matcalc and doped. All three use the same
calculator, the same cell and the same force criterion; doped makes the structures, which are
relaxed here as vitrion's are, in doped's own supercell.
"""

from __future__ import annotations

import os
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

FMAX_EV_A = 0.01
SIDE_A = 8.0


def main(potential: str = "vitrion-lipof") -> None:
    from defects_crystals import crystals, relax_cell
    from vitrion.chemistry.geometry import face_distances
    from vitrion.defects.reservoir import metal_reservoir
    from vitrion.landscape.study import study_defects
    from vitrion.landscape.study_settings import DefectSettings
    from vitrion.potentials import load_calculator

    calculator = load_calculator(potential)
    crystal = relax_cell(crystals()["LiF"], calculator)

    mu = metal_reservoir("Li", calculator).chemical_potential_eV
    settings = DefectSettings(
        kinds=("interstitial", "vacancy"),
        min_radius_A=1.6,
        supercell_side_A=SIDE_A,
        convergence_sides_A=(),
        fmax_eV_per_A=FMAX_EV_A,
        chemical_potential_eV=mu,
    )
    start = time.process_time()
    study = study_defects(crystal, calculator, settings, potential=potential)
    ours_s = time.process_time() - start
    ours = {r.kind: r.formation_energy_eV for r in study.document.records if r.counts}

    matcalc_s, theirs = by_matcalc(crystal, calculator, mu, study)
    print(f"LiF, {potential}, {len(study.host.structure)} atoms, formation energies at 0 V in eV")
    print(f"{'':12s}{'vitrion':>10s}{'matcalc':>10s}{'difference':>12s}")
    for kind in ("interstitial", "vacancy"):
        difference = ours[kind] - theirs[kind]
        print(f"{kind:12s}{ours[kind]:10.4f}{theirs[kind]:10.4f}{1000 * difference:9.1f} meV")
    print(f"{'CPU-s':12s}{ours_s:10.1f}{matcalc_s:10.1f}   ratio {matcalc_s / ours_s:.2f}")

    sites_s, doped_s, doped = by_doped(crystal, calculator, mu)
    print(
        f"\ndoped: structures in {doped_s:.1f} CPU-s; vitrion finds its sites in {sites_s:.2f} "
        f"CPU-s: ratio {doped_s / sites_s:.0f}"
    )
    # doped repeats the primitive cell; so do we, until the supercells are the same.
    primitive = crystal.get_primitive_structure()
    n_atoms = doped[0][1]
    side = face_distances(primitive.lattice.matrix).min() * (n_atoms / len(primitive)) ** (1 / 3)
    same = settings.model_copy(update={"supercell_side_A": float(side) - 0.1})
    study = study_defects(primitive, calculator, same, potential=potential)
    ours = {r.kind: r.formation_energy_eV for r in study.document.records if r.counts}
    assert len(study.host.structure) == n_atoms
    for name, n_atoms, energy in doped:
        kind = "vacancy" if name.startswith("v_") else "interstitial"
        difference = 1000 * (ours[kind] - energy)
        print(
            f"  {name:12s} {n_atoms} atoms, doped's cell {energy:8.4f} eV, vitrion "
            f"{ours[kind]:8.4f} eV: {difference:.1f} meV"
        )


def by_matcalc(crystal, calculator, mu, study):
    """Return CPU seconds, and the formation energy of the same vacancy and interstitial."""
    from matcalc import DefectCalc

    place = study.sites[0].frac.tolist()
    start = time.process_time()
    calc = DefectCalc(
        calculator,
        relax_bulk=False,
        fmax=FMAX_EV_A,
        chemical_potentials={"Li": mu},
    )
    found = calc.calc_defects(
        crystal,
        supercell_matrix=list(study.host.repeats),
        vacancies="Li",
        interstitials={"Li": [place]},
    )
    seconds = time.process_time() - start
    named = {"v_Li": "vacancy", "Li_i": "interstitial"}
    return seconds, {named[f["defect_name"]]: f["formation_energy"] for f in found}


def by_doped(crystal, calculator, mu):
    """Return times of finding the structures, and neutral formation energies on doped's cells."""
    from doped.generation import DefectsGenerator

    from vitrion.defects.sites import candidate_sites
    from vitrion.defects.symmetry import SpaceGroup
    from vitrion.relaxation.relaxers import FixedCellRelaxer

    start = time.process_time()
    candidate_sites(crystal, SpaceGroup.of(crystal), min_radius_A=1.6)
    sites_s = time.process_time() - start
    start = time.process_time()
    generator = DefectsGenerator(
        crystal, supercell_gen_kwargs={"min_image_distance": SIDE_A, "min_atoms": 50}, processes=1
    )
    doped_s = time.process_time() - start
    relax = FixedCellRelaxer(calculator, FMAX_EV_A)
    bulk = relax([generator.bulk_supercell], max_steps=0)[0].energy_eV
    found = []
    for name, entry in generator.defect_entries.items():
        if entry.charge_state != 0 or not name.startswith(("v_Li", "Li_i")):
            continue
        cell = entry.defect_supercell.copy()
        cell.remove_oxidation_states()
        change = 1 if name.startswith("Li_i") else -1
        energy = relax([cell])[0].require_converged(name).energy_eV - bulk - change * mu
        found.append((name, len(generator.bulk_supercell), energy))
    return sites_s, doped_s, found


if __name__ == "__main__":
    main(*sys.argv[1:])
