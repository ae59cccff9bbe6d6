"""A custom flow of Makers: the effect of the cooling rate on a glass.

    python workflows/custom_flow.py LiPO2F2 --rates 300 100 30
    python workflows/custom_flow.py --toy

For each rate: melt, quench, compute the conductivity; a job of this file compares the results. Any
step can be replaced by another Maker, including Makers of atomate2.
"""

from __future__ import annotations

import argparse
from typing import Any

from jobflow import Flow, job, run_locally

from vitrion.amorphous.makers import MeltQuenchMaker
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.makers import MDMaker
from vitrion.flows.recipe import Recipe
from vitrion.store.job_store import open_job_store


@job
def compare(glasses: list[Any], conductivities: list[Any]) -> list[dict[str, Any]]:
    """Return one row per rate; outputs of earlier jobs are passed as documents."""
    return [
        {
            "rate_K_per_ps": glass.quench_rate_K_per_ps,
            "density_g_per_cm3": glass.density_relaxed_g_per_cm3,
            "energy_eV_per_atom": glass.energy_eV_per_atom,
            "is_amorphous": glass.is_amorphous,
            "sigma_mS_cm": {
                result.temperature_K: (
                    result.conductivity.interval_95
                    if result.conductivity
                    else (0.0, result.conductivity_bound_mS_cm)
                )
                for result in measured.results
            },
        }
        for glass, measured in zip(glasses, conductivities, strict=True)
    ]


def cooling_rate_flow(
    formula: str,
    rates: list[float],
    glass: MeltQuenchSettings,
    conductivity: ConductivityMaker,
    walltime_s: float | None = None,
) -> Flow:
    """Return the flow without running it."""
    glasses, measured = [], []
    for rate in rates:
        maker = MeltQuenchMaker.from_potential(
            conductivity.potential, glass.model_copy(update={"quench_rate_K_per_ps": rate})
        )
        # Powerups reach nested Makers: all molecular dynamics get a walltime.
        maker = maker.update_kwargs({"walltime_s": walltime_s}, class_filter=MDMaker, nested=True)
        flow = maker.make(formula)
        flow.append_name(f" {rate:g} K/ps")
        glasses.append(flow)
        measured.append(conductivity.make(flow.output.structure))
    table = compare([flow.output for flow in glasses], [run.output for run in measured])
    return Flow([*glasses, *measured, table], output=table.output, name="cooling rates")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("formula", nargs="?", default="LiPO2F2")
    parser.add_argument("--rates", nargs="+", type=float, default=[300, 100, 30], help="K/ps")
    parser.add_argument("--potential", default=None, help="name in the registry")
    parser.add_argument("--store", default="vitrion_data")
    parser.add_argument("--toy", action="store_true", help="24 atoms of LiF, two rates")
    options = parser.parse_args()
    recipe = Recipe.from_preset("quick")  # its sections are the settings of Makers
    glass = recipe.glass
    conductivity = ConductivityMaker(
        settings=recipe.conductivity, potential=options.potential, phase="amorphous"
    )
    if options.toy:
        options.formula, options.rates = "LiF", [60000.0, 20000.0]
        glass = MeltQuenchSettings(
            n_atoms=24, melt_ps=0.04, equilibrate_ps=0.02, relax_fmax_eV_per_A=1.0
        )
        conductivity = ConductivityMaker(
            settings=ConductivitySettings(
                temperatures_K=(1500,),
                density_ps=0.1,
                equilibration_ps=0,
                first_ps=0.4,
                extension=0,
                md={"save_interval_fs": 20},
            ),
            workers=1,
        )

    store = open_job_store(options.store)
    store.connect()
    flow = cooling_rate_flow(options.formula, options.rates, glass, conductivity)
    # A job defined in this file runs in this process only; put it into an importable module to
    # run the flow on several workers (vitrion.runtime.runner) or on a launchpad.
    run_locally(flow, store=store, create_folders=True, raise_immediately=True, log=False)
    for row in store.get_output(flow.jobs[-1].uuid):
        print(row)


if __name__ == "__main__":
    main()
