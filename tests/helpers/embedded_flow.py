"""Runs a flow on one machine until it is killed; used by the fault tests of the embedded store."""

import sys
from pathlib import Path

from jobflow import Flow

from helpers.fireworks_jobs import chain_flow, copper_run
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import SQLiteJobStore

CHAIN = 6


def main(folder, steps, chains):
    def make_flow():
        return Flow([copper_run(duration_ps=steps * 2e-3), *(chain_flow(CHAIN) for _ in chains)])

    store = SQLiteJobStore(str(folder / "store"))
    run_flow(make_flow, store, folder / "run", workers=2).raise_for_errors()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), range(int(sys.argv[3])))
