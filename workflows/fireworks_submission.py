"""Submit flows to a FireWorks launchpad.

    python workflows/fireworks_submission.py LiPO2F2 Li3PO4 --preset standard
    python workflows/fireworks_submission.py --toy
    rlaunch rapidfire                       # a worker, or: qlaunch rapidfire
    vitrion status

FW_CONFIG_FILE sets the launchpad, and JOBFLOW_CONFIG_FILE the store of the results; ``vitrion
config init`` writes both. The script is idempotent: flows whose label is on the launchpad are
skipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.amorphous.makers import MeltQuenchMaker
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.dynamics.makers import ForceFieldDynamics
from vitrion.flows.glass_conductivity import GlassConductivityMaker
from vitrion.launchpad.status import status
from vitrion.launchpad.submission import Submission, open_launchpad, submit
from vitrion.settings import Route, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import Flow


def make_flow(formula: str, preset: str, root: Path, walltime_s: float) -> Flow:
    """Return the flow of one composition, with walltime and shared folder."""
    maker = GlassConductivityMaker.from_preset(preset)
    # A job stops at a checkpoint before its walltime and replaces itself by a job that resumes.
    # All workers must share the folder, so that the next worker finds the checkpoint.
    limits = {"walltime_s": walltime_s, "root_dir": str(root)}
    maker = maker.update_kwargs(limits, class_filter=ForceFieldDynamics, nested=True)
    return maker.make(formula)


def toy_flow(root: Path) -> Flow:
    """Return a flow for a glass of 24 atoms in tenths of a picosecond."""
    settings = MeltQuenchSettings(
        n_atoms=24,
        melt_ps=0.04,
        quench_rate_K_per_ps=60000,
        equilibrate_ps=0.02,
        relax_fmax_eV_per_A=1.0,
    )
    return MeltQuenchMaker.from_potential(None, settings, root_dir=str(root)).make("LiF")


def main() -> None:
    """Read the command line and submit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("formulas", nargs="*", default=["LiPO2F2"])
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of trajectories")
    parser.add_argument("--walltime", type=float, default=20 * 3600, help="seconds for each job")
    parser.add_argument("--priority", type=int, default=None)
    parser.add_argument("--launchpad", type=Path, help="my_launchpad.yaml; else FireWorks' own")
    parser.add_argument("--toy", action="store_true", help="one glass, seconds of work")
    options = parser.parse_args()
    root = options.root.absolute()
    # Routes assign jobs to workers; this adds a route for the dynamics, by job name.
    routes = [*get_settings().routes, Route(jobs="conductivity", priority=5)]

    def submissions() -> Iterator[Submission]:  # consumed one by one: a thousand flows work
        if options.toy:
            yield Submission(toy_flow(root), "LiF amorphous", label="LiF-toy")
            return
        for formula in options.formulas:
            flow = make_flow(formula, options.preset, root, options.walltime)
            yield Submission(flow, f"{formula} amorphous", label=f"{formula}-{options.preset}")

    launchpad = open_launchpad(options.launchpad)
    report = submit(submissions(), launchpad, routes=routes, priority=options.priority)
    print(f"{len(report.submitted)} submitted, {len(report.skipped)} already on the launchpad")
    for row in status(launchpad):
        print(f"{row.material}: {row.completed} of {row.jobs} jobs completed, {row.failed} failed")


if __name__ == "__main__":
    main()
