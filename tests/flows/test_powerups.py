"""What atomate2's and jobflow's powerups set arrives in the documents, or is refused."""

import json

import pytest
from atomate2.common.powerups import add_metadata_to_flow
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.database.client import VitrionClient
from vitrion.dynamics.makers import MDMaker, MDSeriesMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError
from vitrion.generation.makers import GenerateMaker
from vitrion.landscape.makers import DefectMaker
from vitrion.landscape.study_settings import DefectSettings
from vitrion.relaxation.makers import RelaxMaker
from vitrion.relaxation.relax import RelaxSettings
from vitrion.store.job_store import open_job_store

SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(4.05), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
) * (2, 2, 2)
SHORT = MDSettings(temperature_K=600, duration_ps=0.004, save_interval_fs=2.0)
DEFECTS = DefectSettings(
    kinds=("vacancy",),
    supercell_side_A=8.0,
    convergence_sides_A=(),
    max_steps=1,
    force_bound_eV_per_A=9.0,
    chemical_potential_eV=-1.9,
)
POTENTIAL = "vitrion-lipof"


def conductivity():
    settings = ConductivitySettings(
        temperatures_K=(600,),
        density_ps=0,
        equilibration_ps=0,
        first_ps=0.04,
        extension=0,
        md={"save_interval_fs": 2.0},
    )
    return ConductivityMaker(settings=settings, potential=POTENTIAL, workers=1)


@pytest.mark.parametrize(
    "maker",
    [
        MDMaker(potential=POTENTIAL, settings=SHORT),
        MDSeriesMaker(potential=POTENTIAL, settings=SHORT, workers=1),
        RelaxMaker(potential=POTENTIAL, settings=RelaxSettings(max_steps=1)),
        DefectMaker(potential=POTENTIAL, settings=DEFECTS),
        conductivity(),
    ],
    ids=lambda maker: type(maker).__name__,
)
def test_metadata_of_add_metadata_to_flow_is_in_the_document(maker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = Flow([maker.make(SALT)])
    add_metadata_to_flow(flow, {"my_id": "batch-7", "n": 3}, class_filter=type(maker))
    flow.update_metadata({"project": "salts"})
    flow.append_name(" of salts")
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    store.connect()
    run_locally(flow, store=store, ensure_success=True, log=False)
    found = store.query_one({"uuid": flow.jobs[0].uuid})
    assert found["output"]["additional_fields"] == {"my_id": "batch-7", "n": 3}
    assert found["metadata"]["project"] == "salts"
    assert found["name"].endswith(" of salts")


def test_added_fields_are_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fields = {"additional_fields": {"my_id": "batch-7", "n": 3}}
    maker = MDMaker(potential=POTENTIAL, settings=SHORT, task_document_kwargs=fields)
    with open_job_store(tmp_path / "data") as store:
        run_locally(maker.make(SALT), store=store, ensure_success=True, log=False)
    with VitrionClient(tmp_path / "data") as client:
        runs = client.molecular_dynamics
        for filters in ({"my_id": "batch-7"}, {"n": 3}, {"n": "3"}):
            given = {f"additional_fields.{name}": value for name, value in filters.items()}
            assert runs.count(**given) == 1
        assert runs.count(**{"additional_fields.my_id": "batch-8"}) == 0
        (found,) = runs.raw(fields=["additional_fields.my_id"])
        assert found["additional_fields"] == {"my_id": "batch-7"}


def test_what_a_maker_does_not_keep_is_refused():
    with pytest.raises(InputError, match="takes additional_fields, not 'ionic_step_data'"):
        MDMaker(potential=POTENTIAL, task_document_kwargs={"ionic_step_data": ["energy"]})
    flow = Flow([GenerateMaker().make("LiF")])
    with pytest.raises(TypeError, match="task_document_kwargs"):
        add_metadata_to_flow(flow, {"my_id": "batch-7"}, class_filter=GenerateMaker)
    flow = Flow([MDMaker(potential=POTENTIAL).make(SALT)])
    with pytest.raises(TypeError, match="handlers"):
        flow.update_maker_kwargs({"handlers": ()}, class_filter=MDMaker)
    assert "handlers" not in json.dumps(flow.as_dict(), default=str)
