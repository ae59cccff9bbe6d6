"""What a stored document or a file names is not imported, wherever it is read."""

import contextlib
import json
import sys
from types import SimpleNamespace

import pytest
from jobflow import Flow, run_locally
from pymatgen.core import Lattice, Structure
from pymatgen.core.trajectory import Trajectory
from typer.testing import CliRunner

from helpers.sample_documents import make_hopping
from vitrion.chemistry.decoding import KNOWN_CLASSES, check_classes, structure_from_file
from vitrion.cli import app
from vitrion.database.client import VitrionClient
from vitrion.database.collections import find_job_store
from vitrion.distill.distill_settings import DistillSettings
from vitrion.distill.start_crystals import crystals_of
from vitrion.errors import InputError, StoreError
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import make_flow
from vitrion.generation.diffusion.training_crystals import query_store, read_structures
from vitrion.landscape.command import read_structure
from vitrion.store.job_store import open_job_store
from vitrion.transport.io import open_frames

MODULE = "marker_of_foreign_code"
NAMED = {"@module": MODULE, "@class": "Marker", "value": 1}
CALLED = {"@module": MODULE, "@callable": "run"}


@pytest.fixture(autouse=True)
def marker(tmp_path, monkeypatch):
    """A module that leaves a file when it is imported; none may be there after a test."""
    left = tmp_path / "was imported"
    folder = tmp_path / "modules"
    folder.mkdir()
    code = f"open({str(left)!r}, 'a').close()\nclass Marker:\n    def __init__(self, **k): pass\n"
    (folder / f"{MODULE}.py").write_text(code + "run = Marker\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    yield left
    sys.modules.pop(MODULE, None)
    assert not left.exists(), "foreign code was imported"


def crystal():
    return Structure(Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def poisoned(named):
    content = crystal().as_dict()
    content["sites"][0]["properties"] = {"selective_dynamics": named}
    return json.loads(json.dumps(content))


@pytest.fixture(params=[NAMED, CALLED], ids=["class", "function"])
def folder(request, tmp_path):
    """A store with two good outputs and several that name foreign code in different places."""
    with open_job_store(tmp_path / "store") as store:
        jobs = [make_hopping(["Li", "F"], b, "crystalline") for b in (0.2, 0.3)]
        run_locally(Flow(jobs), store=store, ensure_success=True)
        good = store.query_one({"uuid": jobs[0].uuid}, load=False)
        good.pop("_id", None)
        places = {
            "structure": {"structure": poisoned(request.param)},
            "document": {**request.param},
            "label": {"label": request.param},
            "origin": {"origins": [request.param]},
            "large": {"rates": [request.param]},
        }
        for name, changes in places.items():
            output = {**good["output"], **changes}
            store.docs_store.update({**good, "uuid": name, "output": output})
    return tmp_path / "store"


def test_opening_and_searching_a_store_runs_nothing(folder):
    with VitrionClient(folder) as client:
        assert len(list(client.test_hopping.raw())) >= 2
        for document in client.test_hopping.raw():
            with contextlib.suppress(StoreError):
                client.test_hopping.get(document["document_id"])
        client.summary.search()
        with pytest.raises((StoreError, InputError)):
            client.test_hopping.get("structure")


def test_the_commands_run_nothing(folder, tmp_path, marker):
    for words in (
        ["build"],
        ["query", "--kind", "test_hopping", "--format", "jsonl"],
        ["query"],
        ["report", "LiF", "--output", str(tmp_path / "page.html")],
        ["defects", "structure"],
    ):
        CliRunner().invoke(app, [*words, "--store", str(folder)])
        assert not marker.exists(), words


def test_the_service_runs_nothing(folder, marker):
    from fastapi.testclient import TestClient

    from vitrion.database.collections import Collections
    from vitrion.service.rest import make_app

    with VitrionClient(folder):
        pass
    with Collections(find_job_store(folder)) as collections:
        service = TestClient(make_app(collections), base_url="http://localhost")
        for path in ("/", "/report/LiF", "/test_hopping/?_fields=_all", "/summary/?_fields=_all"):
            assert service.get(path).status_code < 500
            assert not marker.exists(), path


@pytest.mark.parametrize("named", [NAMED, CALLED], ids=["class", "function"])
@pytest.mark.parametrize("name", ["a.json", "a.mson", "POSCAR.json.gz", "a.yaml"])
def test_structure_files_run_nothing(tmp_path, named, name):
    import gzip

    text = json.dumps(poisoned(named))
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    for read in (structure_from_file, read_structure, lambda path: list(read_structures([path]))):
        with pytest.raises(InputError, match=MODULE):
            read(str(path))
    good = tmp_path / "good.json"
    good.write_text(json.dumps(crystal().as_dict()))
    assert structure_from_file(good) == crystal()
    assert list(read_structures([good])) == [crystal()]


@pytest.mark.parametrize("named", [NAMED, CALLED], ids=["class", "function"])
@pytest.mark.parametrize("place", ["site", "properties", "root"])
def test_recipes_run_nothing(tmp_path, named, place):
    content = poisoned(named)
    if place != "site":
        content = json.loads(json.dumps(crystal().as_dict()))
        content |= named if place == "root" else {"properties": {"note": named}}
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps({"formula": "LiF", "crystal": content}))
    with pytest.raises(InputError, match=MODULE):
        make_flow(Recipe.from_file(path))
    good = Recipe(formula="LiF", crystal=crystal().as_dict())
    assert make_flow(good).name == "LiF ion conductor"
    with pytest.raises(InputError, match="not a pymatgen Structure"):
        Recipe(formula="LiF", crystal={"sites": 1})


@pytest.mark.parametrize("named", [NAMED, CALLED], ids=["class", "function"])
def test_structures_of_a_distillation_run_nothing(named):
    run = SimpleNamespace(settings=DistillSettings(structures=[poisoned(named)]))
    with pytest.raises(InputError, match=MODULE):
        crystals_of(run)


def test_trajectory_files_run_nothing(tmp_path):
    path = tmp_path / "run.json"
    trajectory = Trajectory.from_structures([crystal()] * 3, time_step=1)
    content = json.loads(trajectory.to_json())
    path.write_text(json.dumps(content))
    assert len(open_frames(path).symbols) == 2
    for bad in ({**content, "frame_properties": [NAMED] * 3}, [poisoned(NAMED)], CALLED):
        path.write_text(json.dumps(bad))
        with pytest.raises(InputError, match=MODULE):
            open_frames(path)


def test_structures_of_any_store_run_nothing(folder):
    with open_job_store(folder) as store:
        outputs = store.docs_store
    with pytest.raises(InputError, match=MODULE):
        list(query_store(outputs, {"uuid": "structure"}, "output.structure"))


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize(
    "content",
    [
        NAMED,
        CALLED,
        {"JOB_STORE": NAMED},
        {"docs_store": {"type": "MemoryStore"}, "additional_stores": {"data": NAMED}},
        {"@module": "vitrion.store.job_store", "@class": "SQLiteJobStore", "path": NAMED},
        {"@module": "subprocess", "@class": "Popen", "args": ["true"]},
        {"@module": "maggma.core", "@class": "Builder"},
        [1],
    ],
    ids=str,
)
def test_store_files_name_stores_alone(tmp_path, content, suffix):
    path = tmp_path / f"store{suffix}"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="does not describe a JobStore"):
        find_job_store(path)


def test_what_structures_consist_of_is_known():
    magnetic = (
        crystal().add_spin_by_site([5, -5]).add_oxidation_state_by_element({"Li": 1, "F": -1})
    )
    magnetic.add_site_property("velocities", [[0.0, 0.1, 0.2]] * 2)
    check_classes(magnetic.as_dict())
    nested: dict = {}
    for _ in range(2000):
        nested = {"a": nested}
    with pytest.raises(InputError, match="nested"):
        check_classes(nested)
    assert all(
        module.split(".")[0] in ("numpy", "datetime", "pymatgen") for module in KNOWN_CLASSES
    )
