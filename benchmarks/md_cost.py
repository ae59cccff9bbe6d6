"""Measure the time per nanosecond of molecular dynamics by number of atoms and potential.

    python benchmarks/md_cost.py [--potentials vitrion-lipof chgnet] [--sizes 72 144 288]

Prints a Markdown table of core hours per nanosecond at the default time step of 2 fs. The processor
time of this process is measured, with one thread, as the difference of a longer and a shorter run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from vitrion.amorphous.pack import pack
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.potentials import load_calculator

if TYPE_CHECKING:
    from pymatgen.core import Structure

TIMESTEP_FS = 2.0
STEPS_PER_NS = 1e6 / TIMESTEP_FS
STEPS = {"vitrion-lipof": (50, 350), "chgnet": (3, 18)}
"""Number of steps of the shorter and the longer run; the first run of all is discarded."""


def seconds_per_step(structure: Structure, potential: str, ensemble: str) -> float:
    """Return the processor time of a step in s."""
    spent: dict[int, float] = {}
    for steps in (STEPS[potential][0], *STEPS[potential]):
        settings: dict[str, Any] = {"ensemble": ensemble, "temperature_K": 600.0}
        settings |= {"duration_ps": steps * TIMESTEP_FS / 1000.0, "timestep_fs": TIMESTEP_FS}
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            run_md(
                structure,
                lambda: load_calculator(potential),
                MDSettings.model_validate(settings),
                Path(folder),
            )
            spent[steps] = time.process_time() - start
    (few, least), (many, most) = sorted(spent.items())
    return (most - least) / (many - few)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--potentials", nargs="+", default=[*STEPS], choices=[*STEPS])
    parser.add_argument("--sizes", nargs="+", type=int, default=[72, 144, 288])
    parser.add_argument("--formula", default="LiPO2F2")
    options = parser.parse_args()
    columns = [(p, e) for p in options.potentials for e in ("nvt", "npt")]
    print("| atoms |", *(f"{potential}, {ensemble.upper()} |" for potential, ensemble in columns))
    print("|---:|" + "---:|" * len(columns))
    for size in options.sizes:
        structure = pack(options.formula, n_atoms=size, seed=0).structure
        hours = [seconds_per_step(structure, *column) * STEPS_PER_NS / 3600.0 for column in columns]
        print(f"| {len(structure)} |", *(f"{value:.2g} |" for value in hours), flush=True)


if __name__ == "__main__":
    main()
