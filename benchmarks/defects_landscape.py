"""The two claims of the paper on LiPO2F2: flatter landscape, lower interstitial energy.

``python benchmarks/defects_landscape.py --crystal FILE --glass FILE FILE FILE [--out FOLDER]``
tests them on given structures, whose positions are relaxed with the potential first. Every claim is
tested by Student's one-sided test over the replicas of the glass.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crystal", required=True, help="structure file")
    parser.add_argument("--glass", nargs="+", required=True, help="one file for each replica")
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--max-sites", type=int, default=15)
    parser.add_argument("--side", type=float, default=8.0, help="least width of the supercell in A")
    parser.add_argument("--barriers", action="store_true", help="vacancy barriers too")
    parser.add_argument("--quick", action="store_true", help="no vacancies, no annealing, looser")
    parser.add_argument("--out", default="defects_landscape")
    arguments = parser.parse_args()

    from pymatgen.core import Structure

    from vitrion.comparison.landscapes import compare_landscapes
    from vitrion.landscape.site_energies import landscape
    from vitrion.report.draw import draw_figure
    from vitrion.report.figures.site_energy_levels import landscape_figure

    out = Path(arguments.out)
    crystal = landscape(
        [study(Structure.from_file(arguments.crystal), "crystalline", arguments, 0)]
    )
    glasses = [
        study(Structure.from_file(path), "amorphous", arguments, k)
        for k, path in enumerate(arguments.glass)
    ]
    glass = landscape(glasses)
    draw_figure(landscape_figure([crystal, glass]), out / "site_energies_crystal_glass.svg")
    print(
        f"\n{'quantity':28s}{'claim':>8s}{'crystal':>10s}{'glass':>10s}{'+-':>8s}{'p':>8s}  verdict"
    )
    for claim in compare_landscapes(crystal, glass):
        error = "-" if claim.error is None else f"{claim.error:.3f}"
        p = "-" if claim.p_value is None else f"{claim.p_value:.3f}"
        print(
            f"{claim.quantity:28s}{claim.claim:>8s}{claim.crystal:10.3f}{claim.glass:10.3f}"
            f"{error:>8s}{p:>8s}  {claim.verdict}"
        )


def study(structure, phase, arguments, number):
    """Return the DefectDoc of one host; resume an interrupted run."""
    from vitrion.landscape.command import run_defects, summary_rows
    from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
    from vitrion.potentials import load_calculator
    from vitrion.relaxation.relaxers import FixedCellRelaxer

    calculator = load_calculator(arguments.potential)
    (relaxed,) = FixedCellRelaxer(calculator, 0.02, 500)([structure])
    host = relaxed.require_converged("The host").structure
    settings = DefectSettings(
        mobile="Li",
        phase=phase,
        kinds=("interstitial", "far") if arguments.quick else ("interstitial", "vacancy", "far"),
        anneal=False if arguments.quick else None,
        fmax_eV_per_A=0.06 if arguments.quick else 0.03,
        convergence_sides_A=() if arguments.quick else (7.5,),
        barriers=BarrierSettings() if arguments.barriers else None,
        max_sites=arguments.max_sites,
        supercell_side_A=arguments.side,
    )
    report = run_defects(
        host,
        settings,
        directory=Path(arguments.out) / f"{phase}-{number}",
        potential=arguments.potential,
        on_progress=lambda done, n: print(f"\r{phase} {number}: {done}/{n}", end="", flush=True),
    )
    print()
    for name, value in summary_rows(report.document):
        print(f"  {name:48s} {value}")
    return report.document


if __name__ == "__main__":
    main()
