"""Jobs of a simulated campaign: they compute nothing and store documents of the usual size.

A flow has the jobs of a real one with glass and crystal: a search of crystals, three glasses, and
for each phase a run of molecular dynamics that continues itself once, before its conductivity.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jobflow import Flow, Response, job

import large_store
from vitrion.documents.base import utc_now

N_JOBS = 10
"""Jobs of a flow after it is completed."""


@lru_cache(maxsize=4)
def template(kind: str) -> dict[str, Any]:
    makers = {
        "polymorphs": large_store.crystals,
        "amorphous": large_store.glass,
        "conductivity": large_store.conductivity,
    }
    return makers[kind]()


def document(kind: str, material: str, phase: str) -> dict[str, Any]:
    names = {"material_id": material, "phase": phase, "last_updated": utc_now()}
    return {**template(kind), **names}


@job
def search(material: str) -> dict[str, Any]:
    return document("polymorphs", material, "crystalline")


@job
def glass(material: str, seed: int) -> dict[str, Any]:
    return document("amorphous", material, "amorphous")


@job
def dynamics(material: str, start: Any, left: int = 1) -> Any:
    if left:
        return Response(output={"part": left}, replace=dynamics(material, None, left - 1))
    return {"part": 0}


@job
def conductivity(material: str, phase: str, runs: Any) -> dict[str, Any]:
    return document("conductivity", material, phase)


def flow(material: str) -> Flow:
    crystals = search(material)
    glasses = [glass(material, seed) for seed in range(3)]
    jobs = [crystals, *glasses]
    for phase, before in (("crystalline", crystals), ("amorphous", glasses[-1])):
        run = dynamics(material, before.output.nsites)
        jobs += [run, conductivity(material, phase, run.output)]
    return Flow(jobs, name=f"campaign {material}")
