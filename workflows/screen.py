"""Screen glasses of many compositions; results in the store are reused.

    python workflows/screen.py --grid LiF-Li3PO4-P2O5 --steps 3 --preset quick --workers 8
    python workflows/screen.py --file compositions.csv
    python workflows/screen.py --toy

The same on the command line: ``vitrion screen``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vitrion.chemistry.composition_lists import read_compositions
from vitrion.database.client import VitrionClient
from vitrion.errors import InputError
from vitrion.flows.glass_conductivity import GlassConductivityMaker
from vitrion.flows.recipe import name_run
from vitrion.flows.screen import ScreenMaker, composition_grid, find_formulas
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import open_job_store

TOY = {
    "n_replicas": 1,
    "glass": {
        "n_atoms": 24,
        "melt_ps": 0.04,
        "quench_rate_K_per_ps": 60000,
        "equilibrate_ps": 0.02,
        "relax_fmax_eV_per_A": 1.0,
    },
    "conductivity": {
        "temperatures_K": (1500,),
        "density_ps": 0.1,
        "equilibration_ps": 0.0,
        "first_ps": 0.4,
        "md": {"save_interval_fs": 20},
    },
    "reference_potential": None,
}
"""Changes of the preset's recipe for the toy run."""


def main() -> None:
    """Read the command line, run new compositions, and rank all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", help="end members separated by dashes, such as LiF-Li3PO4-P2O5")
    parser.add_argument("--steps", type=int, default=3, help="steps along an edge of the grid")
    parser.add_argument(
        "--file", type=Path, help="CSV with a column 'formula', or one formula per line"
    )
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path("vitrion_data"))
    parser.add_argument("--toy", action="store_true", help="LiF and Li3OF, tenths of a picosecond")
    options = parser.parse_args()
    if options.toy:
        options.store /= "toy"  # toy results go to a separate store
        options.grid, options.steps = "LiF-Li2O", 2
    if options.file:
        formulas = read_compositions(options.file)
    elif options.grid:
        formulas = composition_grid(options.grid, options.steps)
    else:
        raise SystemExit("Name a grid or a file; --help has examples.")
    if options.toy:
        formulas.remove("Li2O")

    # Glasses only; use IonConductorMaker for crystals and landscapes as well.
    maker = GlassConductivityMaker.from_preset(options.preset, **(TOY if options.toy else {}))
    # Named after everything that determines the results: an extended list is another run.
    folder = options.store / "runs" / name_run("screen", [maker, formulas])
    store = open_job_store(options.store)
    store.connect()
    # Results of any preset are reused: use one store per preset.
    held = find_formulas(options.store, phase="amorphous")
    try:
        report = run_flow(  # a second call with the same folder resumes
            lambda: ScreenMaker(maker=maker).make(formulas, held=held),
            store,
            folder,
            workers=options.workers,
        )
        print(f"{len(report.completed)} jobs run, {len(report.skipped)} already done")
        for job, error in report.errors.items():  # a failed composition does not stop the others
            print(f"{job}: {error}")
    except InputError as error:  # nothing to compute
        print(error)
    store.close()

    with VitrionClient(options.store) as client:
        for found in client.summary.search(phase="amorphous", sort="-sigma_300K"):
            print(found.formula_pretty, found.values)


if __name__ == "__main__":  # worker processes import this file
    main()
