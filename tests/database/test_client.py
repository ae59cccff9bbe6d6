"""Searching documents as mp-api does, and handing them to other programs."""

import csv
import io
import json
import math

import numpy as np
import pytest
from bson import ObjectId, json_util
from jobflow import Flow, JobStore, run_locally
from maggma.stores import JSONStore, MemoryStore, MontyStore

from helpers.sample_documents import HoppingDoc, hopping, make_density, make_hopping
from vitrion.conductivity.document import ConductivityDoc
from vitrion.database.client import VitrionClient
from vitrion.database.export import flatten, to_frame, write_csv, write_json_lines
from vitrion.errors import InputError, StoreError
from vitrion.store.job_store import SQLiteJobStore, open_job_store

BARRIERS = [0.2, 0.25, 0.3, 0.35, 0.4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    with open_job_store(folder) as store:
        jobs = [make_hopping(["Li", "F"], b, "amorphous", material_id="glass") for b in BARRIERS]
        jobs += [make_hopping(["Li", "O", "Li"], 0.5, "crystalline", label="1.0")]
        jobs += [make_hopping(["Na", "F"], 0.6, "crystalline", deprecated=True)]
        jobs += [make_density(["Li", "O", "Li"], "amorphous")]
        run_locally(Flow(jobs), store=store, ensure_success=True)
    return folder


@pytest.fixture(scope="module")
def client(folder):
    with VitrionClient(folder) as client:
        yield client


def test_a_client_opens_at_its_first_search_and_again_after_it_was_closed(folder):
    client = VitrionClient(folder)
    for _ in range(2):
        assert barriers(client.test_hopping.search()) == [*BARRIERS, 0.5]
        client.close()


def memory_store(folder):
    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})


def monty_store(folder):
    pytest.importorskip("montydb")
    outputs, data = (MontyStore(name, database_path=str(folder)) for name in ("outputs", "data"))
    return JobStore(outputs, additional_stores={"data": data})


@pytest.mark.parametrize("make", [SQLiteJobStore, memory_store, monty_store])
def test_a_client_closes_a_store_only_if_it_opened_it(make, tmp_path):
    store = make(tmp_path)
    with store:
        run_locally(make_hopping(["Li", "F"], 0.3, "amorphous"), store=store, ensure_success=True)
        for _ in range(2):
            with VitrionClient(store) as client:
                assert barriers(client.test_hopping.search()) == [0.3]
            assert store.count() == 1
    if make is SQLiteJobStore:
        with VitrionClient(store) as client:
            assert client.test_hopping.count() == 1
        with pytest.raises(StoreError, match="not connected"):
            store.count()


def test_a_json_store_is_refused_as_json_has_no_infinities(tmp_path):
    store = JobStore(JSONStore(str(tmp_path / "outputs.json"), read_only=False))
    with pytest.raises(StoreError, match="use vitrion"):
        VitrionClient(store).test_hopping.count()


def barriers(found):
    return sorted(document.barrier_eV for document in found)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [*BARRIERS, 0.5]),
        ({"deprecated": None}, [*BARRIERS, 0.5, 0.6]),
        ({"deprecated": True}, [0.6]),
        ({"chemsys": "Li-F"}, BARRIERS),
        ({"chemsys": ["F-Li", "O-Li"]}, [*BARRIERS, 0.5]),
        ({"formula": "Li4O2"}, [0.5]),
        ({"elements": ["Li"], "exclude_elements": ["O"]}, BARRIERS),
        ({"elements": "O"}, [0.5]),
        ({"phase": "crystalline"}, [0.5]),
        ({"material_id": "glass", "barrier_eV_max": 0.3}, [0.2, 0.25, 0.3]),
        ({"barrier_eV_min": 0.3, "barrier_eV_max": 0.4}, [0.3, 0.35, 0.4]),
        ({"barrier_eV": 0.35}, [0.35]),
        ({"barrier_eV": "0.35"}, [0.35]),
        ({"measured": "True", "phase": "crystalline"}, [0.5]),
        ({"label": "1.0"}, [0.5]),
        ({"label": 1.0}, []),
        ({"label": "inf"}, []),
        ({"phase": "Glass", "barrier_eV_max": np.float32(0.26)}, [0.2, 0.25]),
        ({"elements": np.array(["Li", "F"])}, BARRIERS),
        ({"rate_300K_min": math.exp(-0.3 / (8.617333262e-5 * 300))}, [0.2, 0.25, 0.3]),
        ({"measured": True, "phase": "amorphous"}, BARRIERS),
        ({"measured": False}, []),
        ({"material_ids": ["glass"], "barrier_eV": (0.25, 0.35)}, [0.25, 0.3, 0.35]),
        ({"barrier_eV": (None, 0.25)}, [0.2, 0.25]),
        ({"num_elements": 2, "formula_anonymous": "AB2"}, [0.5]),
        ({"nelements": (3, None)}, []),
        ({"num_sites_max": 2}, BARRIERS),
        ({"nsites": (3, 3)}, [0.5]),
        ({"chemsys": "Li-*"}, [*BARRIERS, 0.5]),
        ({"chemsys": "*-O"}, [0.5]),
        ({"chemsys": "Li-*-*"}, []),
        ({"chemsys": ["Li-*"]}, [*BARRIERS, 0.5]),
        ({"chemsys": ["*-O", "F-Li"]}, [*BARRIERS, 0.5]),
        ({"elements": "O", "chemsys": "Li-*"}, [0.5]),
        ({"chemsys": "Li-*", "elements": "O"}, [0.5]),
        ({"nelements_min": 3, "chemsys": "Li-*"}, []),
        ({"formula": {"Li": 2, "O": 1}}, [0.5]),
    ],
    ids=str,
)
def test_filters(client, filters, expected):
    assert barriers(client.test_hopping.search(**filters)) == expected
    assert client.test_hopping.count(**filters) == len(expected)


def test_whole_documents_come_back_with_their_large_fields(client):
    (document,) = client.test_hopping.search(barrier_eV=0.35)
    original = hopping(["Li", "F"], 0.35, "amorphous", material_id="glass")
    assert isinstance(document, HoppingDoc)
    assert document.rates[:-1] == original.rates[:-1]
    assert math.isnan(document.rates[-1])
    assert document.structure == original.structure
    assert document.rate_300K.degrees_of_freedom == math.inf
    assert document.provenance.seeds == {"pack": 1}
    identifier = client.test_hopping.search(barrier_eV=0.35, fields=[])[0].document_id
    assert document.document_id == identifier
    assert original.document_id is None
    assert document.model_copy(update={"rates": []}).document_id == identifier
    assert "document_id" not in document.model_dump()
    again = client.test_hopping.get(identifier)
    assert again.model_dump_json() == document.model_dump_json()  # NaN equals nothing
    with pytest.raises(InputError, match="no test_hopping document 'x'"):
        client.test_hopping.get("x")


def test_wanted_fields_alone(client):
    found = client.test_hopping.search(fields=["barrier_eV", "structure"], limit=2)
    assert set(type(found[0]).model_fields) == {"document_id", "barrier_eV", "structure"}
    assert found[0].structure.composition.reduced_formula == "LiF"
    with pytest.raises(AttributeError):
        _ = found[0].rates
    (one,) = client.test_hopping.search(fields="barrier_eV", limit=1, sort="barrier_eV")
    assert one.barrier_eV == 0.2


def test_sorting_and_pages(client):
    search = client["test_hopping"].search
    assert len(search(limit=np.int64(2), skip=np.int64(1))) == 2
    down = [d.barrier_eV for d in search(sort="-barrier_eV")]
    assert down == sorted([*BARRIERS, 0.5], reverse=True)
    assert [d.barrier_eV for d in search(sort="rate_300K")] == down, "a slow ion, a high barrier"
    assert [d.barrier_eV for d in search(sort=["phase", "-barrier_eV"], skip=1, limit=2)] == [
        0.35,
        0.3,
    ]


def test_summaries(client):
    (glass,) = client.summary.search(phase="amorphous", barrier_eV_max=0.45)
    assert glass.values["barrier_eV"] == 0.4
    assert len(glass.document_ids["test_hopping"]) == 5
    assert client.summary.count(density_test_min=0.1) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"chemsis": "Li-F"}, "did you mean 'chemsys'"),
        ({"barrier_eV_mini": 1}, "did you mean 'barrier_eV_min'"),
        ({"chemsys": {"$gt": ""}}, "one or more texts for 'chemsys'"),
        ({"barrier_eV_min": {"$gt": 0}}, "a number for 'barrier_eV_min'"),
        ({"barrier_eV": {"$ne": 0}}, "a number for 'barrier_eV'"),
        ({"barrier_eV_min": math.nan}, "a number"),
        ({"barrier_eV": "0.2..0.3"}, "a number for 'barrier_eV', not '0.2..0.3'"),
        ({"nsites": "abc"}, "a number for 'nsites', not 'abc'"),
        ({"elements": [{"$ne": 1}]}, "one or more texts"),
        ({"deprecated": "no"}, "true or false"),
        ({"$where": "1"}, "Nothing can be searched"),
        ({"formula": "Xx3"}, "Xx"),
        ({"chemsys": "LiPOF"}, "'LiPOF' is not an element: .* Li-P-O-F"),
        ({"elements": ["Li", "Xx"]}, "'Xx' is not an element"),
        ({"sort": "-$natural"}, "sorted by"),
        ({"sort": "rates"}, "sorted by 'rates'"),
        ({"fields": ["barier_eV"]}, "did you mean 'barrier_eV'"),
        ({"fields": ["$where"]}, "no field"),
        ({"phase": "glas"}, "Phase 'glas' must be one of crystalline, amorphous, liquid"),
        ({"barrier_eV": (0.2, 0.3, 0.4)}, "one value or a range .minimum, maximum."),
        ({"barrier_eV": (0.3, 0.2)}, "ends below its start: 0.3 to 0.2"),
        ({"num_chunks": 1}, "has no 'num_chunks': set limit"),
        ({"chunk_size": 10}, "set limit, the number of documents, and skip"),
        ({"all_fields": False}, "name the fields in fields"),
        ({"has_props": ["dos"]}, "search the kind of document"),
        ({"limit": -1}, "zero or more"),
        ({"limit": None}, "zero or more, a whole number, not None"),
        ({"skip": "1"}, "zero or more, a whole number, not '1'"),
        ({"formula": "(" * 1500 + "Li" + ")" * 1500}, "at most 200 characters"),
        ({"material_id": ["x"] * 2000}, "at most 1000"),
    ],
    ids=str,
)
def test_what_is_not_plain_is_refused(client, words, message):
    with pytest.raises(InputError, match=message):
        client.test_hopping.search(**words)


def test_text_that_no_quantity_can_equal_is_refused(client):
    with pytest.raises(InputError, match="a number for 'barrier_eV', not 'high'"):
        client.summary.count(barrier_eV="high")
    with pytest.raises(InputError, match="true or false for 'is_amorphous', not 'yes'"):
        client.amorphous.count(is_amorphous="yes")
    assert client.amorphous.count(is_amorphous="true") == 0


def test_results_in_memory_are_found_and_stay():
    """As where jobflow is not configured: a plain JobStore in the memory of this process."""
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    job = make_hopping(["Li", "F"], 0.2, "amorphous")
    run_locally(job, store=store, ensure_success=True)
    for _ in range(2):
        with VitrionClient(store) as client:
            (document,) = client.test_hopping.search(elements=["Li"])
            assert len(document.rates) == 51
            assert client.summary.count(barrier_eV_max=0.3) == 1
    assert store.get_output(job.uuid)["barrier_eV"] == 0.2


def test_unknown_kinds_of_documents(client, tmp_path):
    with pytest.raises(AttributeError, match="did you mean 'test_hopping'"):
        _ = client.test_hoping
    with pytest.raises(InputError, match="Unknown kind of document 'nothing'"):
        _ = client["nothing"]
    assert {"conductivity", "summary", "test_hopping"} <= set(client.properties)
    assert "test_hopping" in dir(client)
    assert list(client) == client.properties
    assert "conductivity" in client
    with pytest.raises(StoreError, match="no results"):
        VitrionClient(tmp_path)


def test_json_lines_lose_nothing(client):
    file = io.StringIO()
    assert write_json_lines(client.test_hopping.search(sort="barrier_eV"), file) == 6
    lines = file.getvalue().splitlines()
    first = HoppingDoc.model_validate(json.loads(lines[0]))
    original = client.test_hopping.search(sort="barrier_eV", limit=1)[0]
    assert first.structure == original.structure
    assert first.rates[:-1] == original.rates[:-1]
    assert math.isnan(first.rates[-1])
    assert first.rate_300K.degrees_of_freedom == math.inf
    raw = io.StringIO()
    write_json_lines(client.test_hopping.raw(barrier_eV=0.2, fields=["last_updated"]), raw)
    assert set(json.loads(raw.getvalue())) == {"document_id", "last_updated"}


def test_tables(client):
    found = client.test_hopping.search(sort="barrier_eV", fields=["barrier_eV", "rate_300K"])
    file = io.StringIO()
    assert write_csv(found, file) == 6
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [float(row["barrier_eV"]) for row in rows] == [*BARRIERS, 0.5]
    assert float(rows[0]["rate_300K.value"]) == found[0].rate_300K.value
    frame = to_frame(client.test_hopping.search(sort="-barrier_eV"))
    assert frame["barrier_eV"].tolist() == sorted([*BARRIERS, 0.5], reverse=True)
    assert list(frame.columns) == [
        "formula", "phase", "material_id", "document_id",
        "rate_300K", "barrier_eV", "measured", "label",
    ]  # fmt: skip
    assert to_frame(client.test_hopping.search(barrier_eV=0.2)[0])["barrier_eV"].tolist() == [0.2]
    wide = to_frame(client.test_hopping.search(), all_columns=True)
    assert "formula_pretty" in wide
    assert "structure" not in wide


def test_one_name_filters_sorts_and_shows_a_quantity(client):
    """A summary keeps its quantities in a mapping, a kind of its own at a path."""
    found = client.summary.search(
        rate_300K_min=0.0, sort="-rate_300K", fields=["formula_pretty", "rate_300K"]
    )
    whole = client.summary.search(rate_300K_min=0.0, sort="-rate_300K")
    assert found
    assert [part.rate_300K for part in found] == [doc.values["rate_300K"] for doc in whole]
    (raw, *_) = client.summary.raw(fields=["rate_300K"], sort="-rate_300K")
    assert raw == {"document_id": raw["document_id"], "rate_300K": found[0].rate_300K}
    with pytest.raises(InputError, match="did you mean 'rate_300K'"):
        client.summary.search(fields=["rate_300"])


def test_columns_have_the_names_that_filters_take(client):
    file = io.StringIO()
    search = client.test_hopping
    write_csv(search.raw(fields=["barrier_eV", "rate_300K"]), file, search.key_fields)
    (row, *_) = csv.DictReader(io.StringIO(file.getvalue()))
    assert {"barrier_eV", "rate_300K"} <= set(row)
    assert "rate_300K.value" not in row
    frame = to_frame(client.summary.raw(), client.summary.key_fields)
    assert {"rate_300K", "barrier_eV"} <= set(frame.columns)
    listed = flatten({"polymorphs": [{"energy": -1.5}]}, {"lowest": "polymorphs.0.energy"})
    assert listed == {"lowest": -1.5}


def test_a_table_carries_no_formula_for_a_spreadsheet():
    file = io.StringIO()
    write_csv([{"material_id": "=cmd()", "value": -1.5}], file)
    assert file.getvalue().splitlines()[1] == "'=cmd(),-1.5"


@pytest.mark.parametrize("wrong", [None, "md.vtraj.h5"])
def test_files_are_fetched_by_the_reference_of_a_document(client, wrong):
    with pytest.raises(InputError, match="is not a reference to a file"):
        client.fetch(wrong)


def test_rows_of_a_table_lead_back_to_their_documents(client):
    frame = to_frame(client.test_hopping.search())
    for identifier, barrier in zip(frame["document_id"], frame["barrier_eV"], strict=True):
        assert client.test_hopping.get(identifier).barrier_eV == barrier


def test_fields_are_listed_and_may_be_separated_by_commas(client):
    names = client.test_hopping.available_fields
    assert {"structure", "formula_pretty", "barrier_eV", "rate_300K"} <= set(names)
    (found,) = client.test_hopping.search(
        fields="barrier_eV, spacegroup_number,crystal_system", barrier_eV=0.5
    )
    (whole,) = client.test_hopping.search(barrier_eV=0.5)
    assert found.barrier_eV == 0.5
    assert found.spacegroup_number == whole.symmetry.number
    by_symmetry = client.test_hopping.search(
        crystal_system=found.crystal_system.lower(), spacegroup_number=found.spacegroup_number
    )
    assert 0.5 in barriers(by_symmetry)


def test_documents_of_the_store_are_read_without_the_client(client):
    """Entries as pymongo returns them, as jobflow loads them, and as mongoexport writes them."""
    (original,) = client.test_hopping.search(barrier_eV=0.35)
    job_store = client.collections.job_store
    entry = job_store.docs_store.query_one({"uuid": original.document_id})
    with pytest.raises(InputError, match=r"field 'rates' refers to a large object .*load=True"):
        HoppingDoc.model_validate({"_id": ObjectId(), **entry})
    loaded = job_store.get_output(original.document_id, load=True)
    exported = json.loads(json_util.dumps({"_id": ObjectId(), **entry, "output": loaded}))
    for stored in ({"_id": ObjectId(), **entry, "output": loaded}, loaded, exported):
        found = HoppingDoc.model_validate(stored)
        assert found.model_dump_json() == original.model_dump_json()
    with pytest.raises(InputError, match="of the kind 'test_hopping', not 'conductivity'"):
        ConductivityDoc.model_validate(entry)
