"""The generators as jobs."""

from __future__ import annotations

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure

from vitrion.generation.candidate import Candidate
from vitrion.generation.diffusion.generator import DiffusionGenerator
from vitrion.generation.makers import GenerateMaker, InpaintMaker

SAMPLER = {"levels": 10, "correctors": 0}


@pytest.mark.parametrize("seed", [3])
def test_jobs_survive_the_store_and_give_what_the_functions_give(seed, tmp_path):
    generator = DiffusionGenerator(formula_units=(1,), sampler=SAMPLER)
    made = GenerateMaker(generator=generator, n=2, seed=seed).make("LiF")
    host = Structure(Lattice.cubic(2.8), ["F"], [[0, 0, 0]])
    filled = InpaintMaker(n=1, seed=seed, sampler=SAMPLER).make(host, {"Li": 1})
    store = JobStore(MemoryStore())
    for job in (made, filled):
        again = MontyDecoder().decode(MontyEncoder().encode(job))
        run_locally(again, store=store, ensure_success=True, root_dir=tmp_path, log=False)
    stored = [Candidate.model_validate(c) for c in store.get_output(made.uuid, load=True)]
    direct = generator.generate("LiF", 2, seed)
    assert [c.origin.seed for c in stored] == [c.origin.seed for c in direct]
    for kept, fresh in zip(stored, direct, strict=True):
        assert kept.structure.matches(fresh.structure)
    (one,) = [Candidate.model_validate(c) for c in store.get_output(filled.uuid, load=True)]
    assert one.structure.composition.reduced_formula == "LiF"
