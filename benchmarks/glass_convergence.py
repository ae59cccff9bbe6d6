"""Conductivity and density of the glass of LiPO2F2 against cell size and quench rate.

    python benchmarks/glass_convergence.py

Reads the documents that ``workflows/long_runs.py`` has written for the lists
``docs/results/glass_convergence.yaml`` and ``docs/results/paper.yaml``, of 144 atoms; any part of
the runs may be finished. Independent glasses of equal size and rate are pooled. Writes
``glass_convergence_table.md``, which ``glass_convergence.md`` includes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.amorphous.document import AmorphousDoc
from vitrion.comparison.tables import make_table, quantified
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.pooling import pool
from vitrion.database.document_file import SUFFIXES, read_documents
from vitrion.uncertainty import ReplicaMean, upper_bound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.tables import Cell
    from vitrion.documents.base import VitrionDoc

RESULTS = Path(__file__).parents[1] / "docs" / "results"
FOLDERS = (RESULTS / "glass_convergence", RESULTS / "paper")
TEMPERATURE_K = 480.0
COMMAND = "python benchmarks/glass_convergence.py"
HEADS = (
    "atoms #",
    "quench rate (K/ps) #",
    "glasses #",
    "density of the structure (g/cm3) #",
    f"conductivity at {TEMPERATURE_K:.0f} K (mS/cm) #",
    "D* (cm2/s) #",
    "atoms of the framework that moved #",
)


def read_groups(folders: Sequence[Path]) -> dict[tuple[int, float], list[VitrionDoc]]:
    """Return the documents of the finished runs by number of atoms and quench rate in K/ps."""
    groups: dict[tuple[int, float], list[VitrionDoc]] = defaultdict(list)
    files = [f for folder in folders for f in folder.glob("*") if f.name.endswith(SUFFIXES)]
    for file in sorted(files):
        documents = [d for d in read_documents(file) if d.phase == "amorphous"]
        glass = next((d for d in documents if isinstance(d, AmorphousDoc)), None)
        if glass is None or glass.structure is None or glass.quench_rate_K_per_ps is None:
            continue
        groups[len(glass.structure), glass.quench_rate_K_per_ps].extend(documents)
    return dict(sorted(groups.items(), key=lambda group: (-group[0][1], group[0][0])))


def row(size: int, rate: float, documents: list[VitrionDoc]) -> list[Cell | str]:
    """Return the row of the glasses of one size and rate."""
    glasses = [d for d in documents if isinstance(d, AmorphousDoc)]
    pooled = pool([d for d in documents if isinstance(d, ConductivityDoc)], glasses)
    result = pooled.results[pooled.temperatures_K.index(TEMPERATURE_K)]
    assert result.framework is not None
    density = ReplicaMean.of([g.density_relaxed_g_per_cm3 for g in glasses]).estimate
    return [
        str(size),
        f"{rate:g}",
        str(len(glasses)),
        quantified(density),
        quantified(result.conductivity or upper_bound(result.conductivity_bound_mS_cm)),
        quantified(result.self_diffusivity or upper_bound(result.diffusivity_bound_cm2_s)),
        f"{result.framework.moved_fraction:.0%}",
    ]


def page(groups: dict[tuple[int, float], list[VitrionDoc]]) -> str:
    """Return the table as a part of a page of the documentation."""
    table = make_table("Glasses", HEADS, [row(*key, found) for key, found in groups.items()])
    source = f"Made by `{COMMAND}`; intervals are of 95 %, over the glasses."
    return f"{source}\n\n{table.markdown()}\n"


def main() -> None:
    """Read the finished runs, write the table, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", default=FOLDERS)
    parser.add_argument("--out", type=Path, default=RESULTS / "glass_convergence_table.md")
    options = parser.parse_args()
    options.out.write_text(page(read_groups(options.runs)))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
