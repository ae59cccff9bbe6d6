"""Write a store of many documents, for the measurements of queries, builds and the web service.

    python benchmarks/large_store.py FOLDER [--documents 50000] [--formula-share 0.4]

Documents of conductivities, glasses and crystals are made by the real analysis, then varied: 20 per
material, several per formula, and a share of all under one formula (LiF). The store is embedded
and built. Prints times, size and the largest memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from monty.json import jsanitize
from pymatgen.core import Composition, Lattice, Structure

from vitrion.amorphous.characterize import characterize
from vitrion.amorphous.document import AmorphousDoc
from vitrion.conductivity.document import ConductivityDoc
from vitrion.documents.provenance import Provenance
from vitrion.generation.candidate import Origin
from vitrion.polymorphs.document import HullReference, Polymorph, PolymorphDoc, SpaceGroupAt
from vitrion.transport import analyze

if TYPE_CHECKING:
    from collections.abc import Iterator

SALTS = (
    "LiPO2F2",
    "Li3PO4",
    "Li2O",
    "LiPF6",
    "NaCl",
    "Li6PS5Cl",
    "LiClO4",
    "Na3PS4",
    "KPF6",
    "Li3N",
)
PER_MATERIAL = 20
BATCH = 500
START = datetime(2026, 1, 1)


def conductivity(temperatures: tuple[float, ...] = (700.0, 800.0, 900.0)) -> dict[str, Any]:
    """Return a conductivity document of Brownian ions, as stored."""
    rng = np.random.default_rng(1)
    cell, symbols = np.eye(3) * 12.0, ["Li"] * 10 + ["P"] * 10
    results = {}
    for temperature in temperatures:
        moves = rng.normal(size=(400, 20, 3)) * 0.5 * np.exp(-0.15 / (8.617e-5 * temperature))
        moves[:, 10:] = 0.0
        positions = np.cumsum(moves, axis=0) + rng.uniform(0, 12, size=(20, 3))
        results[temperature] = analyze(positions, cell, symbols, 100.0, temperature, wrapped=False)
    structure = Structure(Lattice.cubic(12.0), symbols, rng.uniform(size=(20, 3)))
    document = ConductivityDoc.from_results(
        structure, results, phase="amorphous", provenance=provenance()
    )
    return jsanitize(document, strict=True, allow_bson=True)


def provenance() -> Provenance:
    return Provenance.collect("vitrion-lipof", seeds={"dynamics": 7}, job_uuids=["j-1"])


def glass() -> dict[str, Any]:
    """Return a document of a random glass of 72 atoms, as stored."""
    rng = np.random.default_rng(2)
    symbols = ["Li"] * 9 + ["P"] * 9 + ["O"] * 18 + ["F"] * 18
    structure = Structure(Lattice.cubic(8.6), symbols, rng.uniform(size=(54, 3)))
    document = AmorphousDoc.from_character(
        structure, characterize(structure), provenance=provenance()
    )
    return jsanitize(document, strict=True, allow_bson=True)


def crystals() -> dict[str, Any]:
    """Return a document of three polymorphs, as stored."""
    rng = np.random.default_rng(3)
    symbols = ["Li"] * 4 + ["P"] * 4 + ["O"] * 8 + ["F"] * 8
    structure = Structure(Lattice.cubic(6.6), symbols, rng.uniform(size=(24, 3)))
    found = [
        Polymorph(
            structure=structure,
            energy_eV_per_atom=-6.0 + 0.01 * rank,
            energy_above_hull_eV_per_atom=0.01 * rank,
            energy_above_best_eV_per_atom=0.01 * rank,
            max_force_eV_per_A=0.01,
            space_groups=[SpaceGroupAt(tolerance_A=0.1, number=1, symbol="P1")],
            density_g_per_cm3=2.0,
            volume_per_atom_A3=12.0,
            coordination={"P": {"F2O2": 1.0}},
            times_found=1,
            found_by={"random": 1},
            first_found_at=rank,
            origins=[Origin(generator="random", seed=rank)],
        )
        for rank in range(3)
    ]
    document = PolymorphDoc.from_structure(
        structure,
        phase="crystalline",
        polymorphs=found,
        references=[HullReference(name="lithium fluoride", formula="LiF", energy_eV_per_atom=-4.8)],
        n_relaxations=3,
        n_iterations=1,
        stop_reason="all candidates were relaxed",
        best_energy_eV_per_atom=[None, -6.0],
        provenance=provenance(),
    )
    return jsanitize(document, strict=True, allow_bson=True)


def names(number: int, share: float) -> dict[str, Any]:
    """Return formula, elements and identifier of a document."""
    material = number // PER_MATERIAL
    composition = Composition("LiF" if material % 100 < 100 * share else _salt(material))
    return {
        "formula_pretty": composition.reduced_formula,
        "chemsys": composition.chemical_system,
        "elements": sorted(str(element) for element in composition),
        "material_id": f"m-{material}",
    }


def _salt(material: int) -> str:
    # Several materials per formula: A_x B_y with growing x.
    base = SALTS[material % len(SALTS)]
    return f"({base}){1 + material // 200}H{material // 200}"


def outputs(count: int, share: float = 0.4, first: int = 0) -> Iterator[dict[str, Any]]:
    """Yield job outputs: 12 of 20 are conductivities, 5 glasses, 3 searches of crystals."""
    rng = np.random.default_rng(first)
    templates = {"c": conductivity(), "g": glass(), "p": crystals()}
    for number in range(first, first + count):
        template = templates["cccgccpccgcgccpcgcgp"[number % PER_MATERIAL]]
        document = {**template, **names(number, share)}
        moment = START + timedelta(seconds=30 * number)
        document["last_updated"] = moment
        if template is templates["c"]:
            document["phase"] = "amorphous" if number % 2 else "crystalline"
            estimate = template.get("sigma_300K") or {}
            if estimate:
                document["sigma_300K"] = {**estimate, "value": float(10 ** rng.uniform(-4, 1))}
        yield {
            "uuid": f"{rng.bytes(16).hex()}",
            "index": 1,
            "name": document["property_name"],
            "output": document,
            "completed_at": moment.isoformat(),
        }


def write(store: Any, count: int, share: float = 0.4, first: int = 0) -> None:
    """Write outputs to a JobStore in batches."""
    batch = []
    for output in outputs(count, share, first):
        batch.append(output)
        if len(batch) == BATCH:
            store.update(batch)
            batch = []
    if batch:
        store.update(batch)


def main() -> None:
    from vitrion.database.builders import build
    from vitrion.database.collections import Collections
    from vitrion.store.job_store import FILE_NAME, open_job_store

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--formula-share", type=float, default=0.4)
    asked = parser.parse_args()
    began = time.perf_counter()
    with open_job_store(asked.folder) as store:
        write(store, asked.documents, asked.formula_share)
    print(f"{asked.documents} outputs written in {time.perf_counter() - began:.1f} s")
    before, began = peak_MB(), time.perf_counter()
    with Collections(open_job_store(asked.folder)) as collections:
        report = build(collections)
    print(f"built in {time.perf_counter() - began:.1f} s: {report.written} {report.skipped}")
    print(f"memory: {before:.0f} MB before the build, {peak_MB():.0f} MB at most")
    print(f"file: {(asked.folder / FILE_NAME).stat().st_size / 1e6:.0f} MB")


def peak_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
