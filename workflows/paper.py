"""All steps of the paper for one composition: crystal, glass, conductivities, landscapes.

    python workflows/paper.py LiPO2F2 --preset standard --workers 8
    python workflows/paper.py --toy

The same as ``vitrion run``, in Python, so that any step can be replaced. Rerun the command to
resume an interrupted run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vitrion.comparison.report_search import find_reports
from vitrion.comparison.side_by_side import compare
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.database.client import VitrionClient
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.flows.recipe import name_run
from vitrion.polymorphs.hull import shipped_references
from vitrion.report.draw import save_figures
from vitrion.report.page import render_page
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import open_job_store


def toy_maker() -> IonConductorMaker:
    """Return the flow at toy size, as a test."""
    maker = IonConductorMaker.from_preset(
        "quick",
        n_replicas=1,
        supercell_side_A=5.5,
        glass={
            "n_atoms": 48,
            "melt_ps": 0.04,
            "quench_rate_K_per_ps": 60000,
            "equilibrate_ps": 0.02,
            "relax_fmax_eV_per_A": 0.1,
        },
        defects={"max_sites": 1, "fmax_eV_per_A": 0.4, "anneal": False},
        crystal_barriers={"mechanisms": ["vacancy"], "max_hops": 1, "attempt_frequencies": False},
        conductivity={
            "temperatures_K": (1500,),
            "density_ps": 0.1,
            "equilibration_ps": 0.0,
            "first_ps": 0.4,
            "md": {"save_interval_fs": 20},
        },
        reference_potential=None,
    )
    return maker.update_kwargs({"workers": 1}, class_filter=ConductivityMaker)


def main() -> None:
    """Read the command line, run, and write the page and its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("formula", nargs="?", default="LiPO2F2")
    parser.add_argument("--preset", default="standard", help="quick, standard or paper")
    parser.add_argument("--workers", type=int, default=1, help="single-threaded processes")
    parser.add_argument("--store", type=Path, default=Path("vitrion_data"))
    parser.add_argument("--toy", action="store_true", help="LiF, its crystal given: a minute")
    options = parser.parse_args()
    crystal = None  # search for it
    if options.toy:
        options.store /= "toy"  # toy results go to a separate store
        options.formula, maker = "LiF", toy_maker()
        crystal = shipped_references()["LiF"]
    else:
        maker = IonConductorMaker.from_preset(options.preset, seed=0)
        # Replace any step before the flow is created, for instance
        #   maker.glass_maker.glass_maker.n_replicas = 6
        #   maker.crystal_landscape_maker = None

    store = open_job_store(options.store)
    store.connect()
    # Named after everything that determines the result: a changed Maker is another run.
    folder = options.store / "runs" / name_run(f"{options.formula}-workflow", maker)
    report = run_flow(
        lambda: maker.make(options.formula, crystal), store, folder, workers=options.workers
    )
    store.close()
    print(f"{len(report.completed)} jobs run, {len(report.skipped)} already done")
    for name, error in report.errors.items():  # a failed step does not stop the others
        print(f"{name}: {error}")

    with VitrionClient(options.store) as client:
        reports = find_reports(client, options.formula)
    if len(reports) == 2:
        for row in compare(*reports).rows:  # the last column: published values
            print(*row.cells(), sep="  |  ")
    page = options.store / f"{options.formula}.html"
    page.write_text(render_page(*reports), encoding="utf-8")
    print(page, *save_figures(reports, options.store / "figures"), sep="\n")


if __name__ == "__main__":  # worker processes import this file
    main()
