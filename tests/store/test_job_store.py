"""The embedded JobStore keeps what jobs return, unchanged, in one piece and for every process."""

import os
import sqlite3
from datetime import datetime
from importlib.metadata import version
from uuid import uuid4

import numpy as np
import pytest
from jobflow import Flow, Response, job, run_locally
from monty.json import MontyDecoder
from monty.serialization import dumpfn, loadfn
from packaging.version import Version
from pymatgen.core import Lattice, Structure

from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.errors import StoreError
from vitrion.store.job_store import SQLiteJobStore, open_job_store
from vitrion.store.sqlite_store import SQLiteStore


class GlassDoc(VitrionDoc):
    property_name: str = "test-glass"
    energies_eV: list[float]
    curve: dict[str, float | None]


def glass_structure():
    lattice = Lattice.from_parameters(4.1, 4.2, 4.3, 80.1, 85.2, 95.3)
    sites = [[0, 0, 0], [0.5, 0.5, 1 / 3]]
    return Structure(lattice, ["Li", "F"], sites, site_properties={"group": ["a", "b"]})


@job(output_schema=GlassDoc, data=["energies_eV"])
def make_glass(n):
    values = np.linspace(0, 1, n) / 3
    values[1] = np.nan
    return GlassDoc.from_structure(
        glass_structure(),
        material_id="local-abc",
        phase="amorphous",
        energies_eV=values.tolist(),
        curve={"300": 1e-300, "missing": None},
        provenance=Provenance.collect("chgnet", seeds={"pack": 3}),
    )


@job
def count_up(value):
    if value < 3:
        return Response(output=value, replace=count_up(value + 1))
    return value


@job(data=[Structure])
def pass_on(document):
    return {"n": len(document.energies_eV), "structure": document.structure, "array": np.eye(2)}


@pytest.fixture
def store(tmp_path):
    store = open_job_store(tmp_path / "results")
    yield store
    store.close()


def test_a_flow_comes_back_without_loss(store, tmp_path):
    first = make_glass(50)
    flow = Flow([first, second := pass_on(first.output)])
    run_locally(flow, store=store, ensure_success=True, root_dir=tmp_path, create_folders=True)
    store.close()

    with open_job_store(tmp_path / "results") as again:
        document = MontyDecoder().process_decoded(again.get_output(first.uuid, load=True))
        assert isinstance(document, GlassDoc)
        assert document.structure == glass_structure()
        assert document.structure.lattice.matrix.tolist() == (
            glass_structure().lattice.matrix.tolist()
        )
        assert document.structure.site_properties["group"] == ["a", "b"]
        expected = (np.linspace(0, 1, 50) / 3).tolist()
        assert np.isnan(document.energies_eV[1])
        assert document.energies_eV[2:] == expected[2:]
        assert document.curve == {"300": 1e-300, "missing": None}
        assert document.material_id == "local-abc"
        assert document.deprecated is False
        assert document.provenance.job_uuids == [first.uuid]
        assert document.provenance.seeds == {"pack": 3}
        assert GlassDoc(**document.model_dump()).last_updated == document.last_updated

        bare = again.get_output(first.uuid)
        assert set(bare["energies_eV"]) >= {"blob_uuid", "store"}
        criteria = {"output.chemsys": "F-Li", "output.phase": "amorphous"}
        assert again.query_one(criteria, ["uuid"])["uuid"] == first.uuid
        output = MontyDecoder().process_decoded(again.get_output(second.uuid, load=True))
        assert output["n"] == 50
        assert output["structure"] == glass_structure()
        assert np.array_equal(output["array"], np.eye(2))


def test_each_run_of_a_replaced_job_is_found(store):
    start = count_up(1)
    run_locally(start, store=store, ensure_success=True)
    assert [store.get_output(start.uuid, which=i) for i in (1, 2, 3)] == [1, 2, 3]
    assert store.get_output(start.uuid) == 3
    assert store.get_output(start.uuid, which="first") == 1
    assert store.get_output(start.uuid, which="all") == [1, 2, 3]
    assert store.count({"uuid": start.uuid}) == 3
    with pytest.raises(ValueError, match="no outputs"):
        store.get_output(start.uuid, which=4)


def output(uuid, index=1, size=3000):
    data = {"big": [float(index)] * size, "small": index}
    return {"uuid": uuid, "index": index, "output": data, "completed_at": datetime(2026, 1, 1)}


def test_running_a_job_twice_keeps_one_result(store):
    for _ in range(2):
        store.update(output("a"), save={"data": ["big"]})
    assert store.count() == 1
    assert store.query_one({"uuid": "a"}, load=True)["output"]["big"] == [1.0] * 3000


def test_removal_takes_the_large_objects_along(store):
    store.update([output("a"), output("b")], save={"data": ["big"]})
    store.remove_docs({"uuid": "a"})
    assert store.distinct("uuid") == ["b"]
    assert store.additional_stores["data"].distinct("job_uuid") == ["b"]


def test_a_document_and_its_large_objects_are_written_together(store, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.additional_stores["data"], "update", fail)
    with pytest.raises(KeyboardInterrupt):
        store.update(output("a"), save={"data": ["big"]})
    assert store.count() == 0


@pytest.mark.skipif(
    Version(version("monty")) < Version("2026.7.16"), reason="monty reads no classes from YAML"
)
def test_jobflow_reads_it_from_its_settings_file(tmp_path, monkeypatch):
    folder = tmp_path / "from_yaml"
    config = tmp_path / "jobflow.yaml"
    config.write_text(
        "JOB_STORE:\n  '@module': vitrion.store.job_store\n"
        f"  '@class': SQLiteJobStore\n  path: {folder}\n"
    )
    monkeypatch.setenv("JOBFLOW_CONFIG_FILE", str(config))
    from jobflow.settings import JobflowSettings

    store = JobflowSettings().JOB_STORE
    assert isinstance(store, SQLiteJobStore)
    with store:
        store.update(output("a"), save={"data": ["big"]})
    with open_job_store(folder) as again:
        assert again.count({"uuid": "a"}) == 1


def test_stores_can_be_copied_and_written_to_files(store, tmp_path):
    store.update(output("a"))
    copy = MontyDecoder().process_decoded(store.as_dict())
    dumpfn(store, tmp_path / "store.json")
    for other in (copy, loadfn(tmp_path / "store.json")):
        assert isinstance(other, SQLiteJobStore)
        with other:
            assert other.count() == 1
    docs = SQLiteStore(str(tmp_path / "a.sqlite"), "things", key="k")
    assert SQLiteStore.from_dict(docs.as_dict()) == docs
    assert docs != SQLiteStore(str(tmp_path / "a.sqlite"), "others", key="k")


def test_a_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with open_job_store("~/results"):
        assert (tmp_path / "results").is_dir()


def test_unusable_paths_are_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"cannot be used .* can be written"):
        open_job_store(tmp_path / "file")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "vitrion.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_job_store(tmp_path / "broken")
    with pytest.raises(StoreError, match="cannot be used"):
        open_job_store("/proc/vitrion")
    with pytest.raises(StoreError, match=r"call connect\(\) first"):
        SQLiteStore(str(tmp_path / "x.sqlite")).count()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="can be written"):
        open_job_store(tmp_path)


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    open_job_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "vitrion.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer version"):
        open_job_store(tmp_path)


def test_documents_that_cannot_be_kept_change_nothing(store):
    store.update(output("a"))
    with pytest.raises(StoreError, match="cannot be stored"):
        store.update([output("b"), {**output("c"), "output": 2**70}])
    with pytest.raises(StoreError, match="key field 'index'"):
        store.update([output("d"), {"uuid": str(uuid4())}])
    assert store.distinct("uuid") == ["a"]
