"""The search as a flow: iterations that start each other, and a document at the end."""

from __future__ import annotations

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure

from vitrion.errors import InputError
from vitrion.flows.crystal_search import run_search
from vitrion.flows.recipe import Recipe
from vitrion.polymorphs.document import PolymorphDoc
from vitrion.polymorphs.makers import PolymorphSearchMaker
from vitrion.polymorphs.search_settings import SearchSettings
from vitrion.store.job_store import SQLiteJobStore


def test_a_search_is_stored_and_looked_up_when_asked_again(tmp_path):
    settings = SearchSettings(
        candidates={"random": 2}, formula_units=(1,), hosts=0, max_iterations=1
    )
    store = SQLiteJobStore(str(tmp_path))
    store.connect()
    calls = []

    def ask():
        return run_search(
            Recipe(formula="LiF", search=settings, potential="vitrion-lipof"),
            store,
            tmp_path,
            on_change=lambda running, report: calls.append(report),
        )

    doc = ask()
    assert doc.n_relaxations == 2
    assert calls[-1].completed
    assert ask() == doc
    assert calls[-1].completed == [], "no job ran"
    assert calls[-1].skipped
    criteria = {"output.property_name": "polymorphs", "output.formula_pretty": "LiF"}
    assert len({found["uuid"] for found in store.query(criteria)}) == 1


def write_cells(folder, n):
    for number in range(n):
        cell = Structure(Lattice.cubic(3.0 + 0.1 * number), ["Li", "F"], [[0, 0, 0], [0.5] * 3])
        cell.to(filename=str(folder / f"{number}.cif"))
    return tuple(f"{number}.cif" for number in range(n))


def test_the_jobs_of_a_search_need_no_files_of_the_folder_of_its_submission(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = SearchSettings(
        candidates={"random": 0},
        files=write_cells(tmp_path, 3),
        hosts=0,
        polished=0,
        max_relaxations=3,
        max_iterations=1,
        relax={"max_steps": 2},
    )
    flow = PolymorphSearchMaker(settings=settings, potential="vitrion-lipof", parallel=2).make(
        "LiF"
    )
    for file in tmp_path.iterdir():
        file.unlink()
    store = JobStore(MemoryStore())
    decoded = MontyDecoder().decode(MontyEncoder().encode(flow))  # as on a launchpad
    run_locally(decoded, store=store, ensure_success=True, root_dir=tmp_path, log=False)
    doc = PolymorphDoc.model_validate(store.get_output(flow.output.uuid, load=True))
    assert doc.n_relaxations_by_generator == {"file": 3}, "both jobs relax their part of the files"


def test_powerups_reach_all_jobs_of_a_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = SearchSettings(
        candidates={"random": 0},
        files=write_cells(tmp_path, 2),
        hosts=2,
        polished=0,
        max_iterations=1,
        relax={"max_steps": 2},
    )
    flow = PolymorphSearchMaker(settings=settings, potential="vitrion-lipof").make("LiF")
    changes = {"potential": "vitrion-lipof-pbe", "seed": 5, "settings->hosts": 0}
    flow.update_maker_kwargs({"_set": changes}, class_filter=PolymorphSearchMaker, dict_mod=True)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, root_dir=tmp_path, log=False)
    doc = PolymorphDoc.model_validate(store.get_output(flow.output.uuid, load=True))
    assert doc.provenance.potential.name == "vitrion-lipof-pbe"
    assert doc.n_relaxations_by_generator == {"file": 2}, "no hosts were filled"
    assert 5 in doc.provenance.seeds.values()


def test_more_structures_than_relaxations_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = SearchSettings(files=write_cells(tmp_path, 3), max_relaxations=2)
    with pytest.raises(InputError, match="hold 3 structures, but max_relaxations is 2"):
        PolymorphSearchMaker(settings=settings).make("LiF")


def test_a_search_in_two_rounds_of_two_jobs(tmp_path):
    settings = SearchSettings(
        candidates={"random": 3},
        formula_units=(1,),
        hosts=1,
        fillings=1,
        sampler={"levels": 10},
        max_iterations=2,
        max_relaxations=13,
        found_again=10**6,
    )
    maker = PolymorphSearchMaker(settings=settings, potential="vitrion-lipof", parallel=2, seed=1)
    flow = maker.make("LiF")
    assert MontyDecoder().decode(MontyEncoder().encode(flow)).name == flow.name
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, root_dir=tmp_path, log=False)
    doc = PolymorphDoc.model_validate(store.get_output(flow.output.uuid, load=True))
    assert doc.n_iterations == 2
    assert doc.n_relaxations <= 13
    assert doc.n_relaxations_by_generator["random"] <= 12
    assert doc.polymorphs[0].coordination["Li"]
    assert len(doc.best_energy_eV_per_atom) == doc.n_relaxations
