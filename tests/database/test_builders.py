"""Material collections follow the job outputs, however often and wherever they are built."""

import threading
import time

import pytest
from jobflow import Flow, run_locally

from helpers.sample_documents import (
    HoppingDoc,
    describe,
    hopping,
    make_density,
    make_hopping,
    no_document,
    of_another_package,
    refine,
    structure,
)
from vitrion.database import builders
from vitrion.database.builders import build, build_if_changed
from vitrion.database.client import VitrionClient
from vitrion.database.collections import Collections, find_job_store
from vitrion.database.kinds import document_classes
from vitrion.distill.document import PotentialDoc
from vitrion.errors import StoreError
from vitrion.potentials import get_potential
from vitrion.potentials.student import student_card
from vitrion.store.job_store import open_job_store


@pytest.fixture
def store(tmp_path):
    store = open_job_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def collections(store):
    with Collections(store) as collections:
        yield collections


def run(store, *jobs):
    run_locally(Flow(list(jobs)), store=store, ensure_success=True)
    return jobs


def documents(collections, kind="test_hopping"):
    found = list(collections.store(kind).query({}))
    for document in found:
        document.pop("_id", None)
    return {document["document_id"]: document for document in found}


def test_documents_of_jobs_are_collected(store, collections):
    glass, _crystal, _density, _ = run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous"),
        make_hopping(["Li", "F"], 0.6, "crystalline", material_id="mp-1138"),
        make_density(["Li", "F"], "amorphous"),
        no_document(),
    )
    report = build(collections)
    assert report.written == {"test_hopping": 2, "test_density": 1, "summary": 2}
    found = documents(collections)
    assert found[glass.uuid]["barrier_eV"] == 0.3
    assert found[glass.uuid]["job"]["index"] == 1
    assert set(found[glass.uuid]["rates"]) >= {"blob_uuid"}, "large objects stay where they are"


def test_large_objects_of_structures_are_accepted(store, collections):
    """A reference stands where the class expects structures by name, as in documents of defects."""
    (made,) = run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous", structures={"a": structure(["Li", "F"])}),
    )
    report = build(collections)
    assert report.written == {"test_hopping": 1, "summary": 1}
    assert set(documents(collections)[made.uuid]["structures"]) >= {"blob_uuid"}
    with VitrionClient(store) as client:
        found = client["test_hopping"].get(made.uuid)
    assert found.structures == {"a": structure(["Li", "F"])}


def test_only_what_is_new_is_built(store, collections):
    run(store, make_hopping(["Li", "F"], 0.3, "amorphous"))
    build(collections)
    before = documents(collections)
    again = build(collections)
    assert (again.written, again.removed) == ({}, {})
    assert documents(collections) == before

    run(store, make_hopping(["Na", "F"], 0.4, "amorphous"))
    assert build(collections).written == {"test_hopping": 1, "summary": 1}
    assert build_if_changed(collections).written == {}
    run(store, make_density(["Na", "F"], "amorphous"))
    assert build_if_changed(collections).written == {"test_density": 1, "summary": 1}


def test_a_continued_job_counts_once_with_its_last_output(store, collections):
    (job,) = run(store, refine(0.45))
    build(collections)
    (document,) = documents(collections).values()
    assert document["document_id"] == job.uuid
    assert document["barrier_eV"] == pytest.approx(0.25)
    assert document["job"]["index"] == 3


def test_a_job_that_ran_again_replaces_its_document(store, collections):
    (job,) = run(store, make_hopping(["Li", "F"], 0.3, "amorphous"))
    build(collections)
    output = store.query_one({"uuid": job.uuid})
    output["completed_at"] = "2030-01-01T00:00:00"
    output["output"]["barrier_eV"] = 0.31
    store.update(output)
    assert build(collections).written == {"test_hopping": 1, "summary": 1}
    assert documents(collections)[job.uuid]["barrier_eV"] == 0.31
    (summary,) = documents(collections, "summary").values()
    assert summary["values"]["barrier_eV"] == 0.31


def test_documents_of_removed_outputs_go(store, collections):
    first, _ = run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous"),
        make_hopping(["Na", "F"], 0.3, "amorphous"),
    )
    build(collections)
    store.remove_docs({"uuid": first.uuid})
    assert build(collections).removed == {"test_hopping": 1, "summary": 1}
    assert list(documents(collections, "summary")) == ["NaF:amorphous"]


def test_a_summary_takes_the_newest_figure_of_each_property(store, collections):
    old, new, density, bad = run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous"),
        make_hopping(["Li", "F"], 0.35, "amorphous"),
        make_density(["Li", "F"], "amorphous", 5.0),
        make_hopping(["Li", "F"], 0.9, "amorphous", deprecated=True),
    )
    build(collections)
    (summary,) = documents(collections, "summary").values()
    assert summary["document_id"] == "LiF:amorphous"
    ids = {"test_hopping": [new.uuid, old.uuid, bad.uuid], "test_density": [density.uuid]}
    assert summary["document_ids"] == ids
    assert summary["values"]["barrier_eV"] == 0.35
    expected = hopping(["Li", "F"], 0.35, "amorphous").rate_300K.value
    assert summary["values"]["rate_300K"] == expected
    assert summary["values"]["density_test"] == pytest.approx(0.3446, abs=1e-4)  # g/cm3
    assert summary["density"] == pytest.approx(0.3446, abs=1e-4), "of the newest structure"
    assert summary["deprecated"] is False
    assert summary["chemsys"] == "F-Li"


def test_the_potentials_of_all_documents_are_collected(store, collections):
    jobs = run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous", potential="vitrion-lipof"),
        make_hopping(["Li", "F"], 0.4, None, potential="vitrion-lipof"),
        make_hopping(["Li", "O", "Li"], 0.5, "crystalline", potential="chgnet"),
        make_density(["Li", "F"], "amorphous"),
    )
    assert build(collections).written["potential"] == 2
    found = {
        document["name"]: document for document in documents(collections, "potential").values()
    }
    assert found["vitrion-lipof"]["used_by"] == {"test_hopping": 2}
    assert found["vitrion-lipof"]["document_id"] == student_card()["sha256"]
    assert found["chgnet"]["elements"] == sorted(get_potential("chgnet").elements)
    assert "potential" not in build(collections).written
    with VitrionClient(store.path) as client:
        (student,) = client.potential.search(elements=["Li", "P"], potential="vitrion-lipof")
        assert isinstance(student, PotentialDoc)
        assert len(student.errors) == len(student_card()["validation"])
        assert client.test_hopping.count(potential="vitrion-lipof") == 2
        assert client.summary.count() == 2, "a potential is no material"
        (oxide,) = client.summary.search(potential="chgnet")
        assert (oxide.formula_pretty, oxide.potentials) == ("Li2O", ["chgnet"])
        assert client.summary.count(potential=["chgnet", "vitrion-lipof"]) == 2
        assert "potential_name" not in client.summary.key_fields
    store.remove_docs({"uuid": jobs[2].uuid})
    assert build(collections).removed["potential"] == 1


def test_a_potential_that_a_job_describes_itself_is_taken_as_it_is(store, collections):
    run(store, describe("chgnet"), make_hopping(["Li", "F"], 0.3, "amorphous", potential="chgnet"))
    assert build(collections).written["potential"] == 1
    (document,) = documents(collections, "potential").values()
    assert document["errors"][0]["regime"] == "salt"
    assert document["used_by"] == {"test_hopping": 1}
    assert "potential" not in build(collections).written


def test_a_document_without_a_phase_is_in_no_summary(store, collections):
    run(store, make_hopping(["Li", "F"], 0.3, None))
    assert build(collections).written == {"test_hopping": 1}


def test_outputs_of_other_packages_hinder_no_summary(store, collections):
    run(
        store,
        make_hopping(["Li", "F"], 0.3, "amorphous"),
        of_another_package(phase="amorphous"),
        of_another_package(phase="alpha", last_updated="today"),
    )
    assert build(collections).written == {"test_hopping": 1, "summary": 1}
    (summary,) = documents(collections, "summary").values()
    assert list(summary["document_ids"]) == ["test_hopping"]


def test_a_build_that_was_cut_off_is_completed(store, collections, monkeypatch):
    run(store, make_hopping(["Li", "F"], 0.3, "amorphous"))
    monkeypatch.setattr("vitrion.database.builders.SummaryBuilder.get_items", raise_interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(collections)
    monkeypatch.undo()
    assert build_if_changed(collections).written == {"summary": 1}


def raise_interrupt(self):
    raise KeyboardInterrupt


def test_several_builders_at_once_double_nothing(store, tmp_path):
    template = hopping(["Li", "F"], 0.3, "amorphous").model_dump()
    store.update(
        [
            {"uuid": f"u{i}", "index": 1, "output": template, "completed_at": f"{i:03d}"}
            for i in range(60)
        ]
    )

    def work():
        with Collections(find_job_store(tmp_path)) as mine:
            build(mine)

    builders = [threading.Thread(target=work) for _ in range(3)]
    for builder in builders:
        builder.start()
        time.sleep(0.05)
    for builder in builders:
        builder.join()
    with Collections(store) as collections:
        assert collections.store("test_hopping").count() == 60
        assert collections.store("summary").count() == 1
        assert build(collections).written == {}


@pytest.mark.parametrize("name", ["DocumentBuilder", "SummaryBuilder", "PotentialBuilder"])
def test_what_another_host_adds_during_a_build_stays(store, collections, monkeypatch, name):
    """However the steps of two builds fall: here all of the second between two of the first's."""
    run(store, make_hopping(["Li", "F"], 0.3, "amorphous", potential="chgnet"))
    build(collections)
    cls = getattr(builders, name)
    get_items = cls.get_items

    def interrupted(self):
        if getattr(self, "property_name", "test_hopping") != "test_hopping":
            yield from get_items(self)
            return
        monkeypatch.setattr(cls, "get_items", get_items)
        target = self.targets[0]
        query = target.query

        def query_late(*args, **kwargs):
            """Let another job and another build happen before the target is read."""
            monkeypatch.setattr(target, "query", query)
            run(store, make_hopping(["Na", "F"], 0.4, "amorphous", potential="vitrion-lipof"))
            with Collections(find_job_store(store.path)) as others:
                build(others)
            return query(*args, **kwargs)

        monkeypatch.setattr(target, "query", query_late)
        yield from get_items(self)

    monkeypatch.setattr(cls, "get_items", interrupted)
    build(collections)
    assert store.count({"output.property_name": "test_hopping"}) == 2
    for kind in ("test_hopping", "summary", "potential"):
        assert len(documents(collections, kind)) == 2, kind


def test_summaries_follow_the_figures_that_they_are_to_hold(store, collections, monkeypatch):
    """A version of the package with other key figures leaves no summary as it was."""
    run(store, make_hopping(["Li", "F"], 0.3, "amorphous"))
    build(collections)
    figures = {**HoppingDoc.key_fields, "first_T": "temperatures_K.0"}
    monkeypatch.setattr(HoppingDoc, "key_fields", figures)
    assert build(collections).written == {"summary": 1}
    assert documents(collections, "summary")["LiF:amorphous"]["values"]["first_T"] == 300
    assert build(collections).written == {}


def test_the_indexes_that_searches_use_exist(collections):
    store = collections.store("test_hopping")
    wanted = {"document_id", "chemsys", "phase", "rate_300K.value", "barrier_eV", "elements"}
    assert wanted <= set(store._fields())


def test_short_names_of_figures_are_unique():
    names = [name for cls in document_classes().values() for name in cls.key_fields]
    assert len(names) == len(set(names))


def test_a_store_is_found_by_folder_file_or_settings(tmp_path, store, monkeypatch):
    config = tmp_path / "jobflow.yaml"
    config.write_text(
        "JOB_STORE:\n  '@module': vitrion.store.job_store\n"
        f"  '@class': SQLiteJobStore\n  path: {tmp_path}\n"
    )
    assert find_job_store(config).path == str(tmp_path)
    assert find_job_store(store) is store
    with pytest.raises(StoreError, match="There are no results in"):
        find_job_store(tmp_path / "nothing")
    (tmp_path / "bad.yaml").write_text("a: 1")
    with pytest.raises(StoreError, match="does not describe a JobStore"):
        find_job_store(tmp_path / "bad.yaml")
