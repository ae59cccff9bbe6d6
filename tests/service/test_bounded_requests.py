"""A request reads few documents, however many the store has."""

from datetime import datetime, timedelta

import pytest

from helpers.sample_documents import hopping, make_conductivity
from vitrion.materials.material import NEWEST
from vitrion.store import sqlite_store

for package in ("fastapi", "httpx"):
    pytest.importorskip(package, reason="needs the extra 'serve'")

from vitrion.service import rest  # noqa: E402

N_HOPPING, N_CONDUCTIVITY = 90, 45
ROWS = 20
START = datetime(2026, 1, 1)


def fill(store):
    """Write many documents: 2 per material, of two formulas, and conductivities of one formula."""
    kinds = [hopping([a, "F"], 0.3, "amorphous").model_dump() for a in ("Li", "Na")]
    conductivity = make_conductivity.original().model_dump()
    outputs = []
    for number in range(N_HOPPING + N_CONDUCTIVITY):
        is_hopping = number < N_HOPPING
        content = {**(kinds[number // 2 % 2] if is_hopping else conductivity)}
        content["last_updated"] = START + timedelta(hours=number)
        content["material_id"] = f"m-{number // 2}" if is_hopping else f"c-{number % 3}"
        if is_hopping:
            content["barrier_eV"] = 0.001 * number
        stamp = content["last_updated"].isoformat()
        outputs.append(
            {"uuid": f"u{number:05d}", "index": 1, "output": content, "completed_at": stamp}
        )
    store.update(outputs)


@pytest.fixture
def read(monkeypatch):
    """Count the documents that are read from the file."""
    numbers = []

    def counted(packed, tree=None):
        numbers.append(len(packed))
        return unpack(packed, tree)

    unpack = sqlite_store.unpack
    monkeypatch.setattr(sqlite_store, "unpack", counted)
    return numbers


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (f"/?rows={ROWS}", ROWS),
        (f"/?page=3&rows={ROWS}", ROWS),
        (f"/?search=LiF&sort=-last_updated&rows={ROWS}", ROWS),
        ("/?search=m-7", 1),
        (f"/?search=F-Na&page=2&rows={ROWS}", ROWS),
        ("/test_hopping/?_limit=5", 5),
        ("/test_hopping/?_skip=80&_limit=50", 10),
        ("/test_hopping/?elements=Li&_limit=5", 5),
        ("/test_hopping/?elements=Li,F&exclude_elements=Na&_limit=5", 5),
        ("/test_hopping/?exclude_elements=Li&_limit=5&_sort_fields=-last_updated", 5),
        ("/test_hopping/?chemsys=F-Li&barrier_eV_min=0.02&_sort_fields=-barrier_eV&_limit=5", 5),
        ("/test_hopping/?measured=true&_sort_fields=label&_limit=5", 5),
        ("/test_hopping/?potential=chgnet", 0),
        ("/summary/?formula=LiF&_limit=5&_sort_fields=-barrier_eV", 5),
        ("/report/LiP", 6 * NEWEST),
        ("/report/c-1?phase=amorphous", 6 * NEWEST),
        ("/openapi.json", 0),
        ("/heartbeat", 0),
    ],
)
def test_a_request_reads_a_page_only(web, read, path, most):
    web.get(path)  # opens collections
    read.clear()
    answer = web.get(path)
    assert answer.status_code == 200, answer.text
    assert len(read) <= most


def test_pages_of_the_list_show_every_material_once(web):
    names = []
    for page in (1, 2, 3):
        text = web.get(f"/?page={page}&rows={ROWS}&sort=-last_updated").text
        names += [part.split('"')[0] for part in text.split('href="/report/')[1:]]
    assert len(names) == len(set(names)) == N_HOPPING // 2 + 3
    assert "Rows 41 to 48 of 48" in text
    assert "Next page" not in text
    assert "sort=-last_updated" in text, "links keep the order"


def test_a_search_of_the_list_takes_formula_elements_or_identifier(web):
    for search, count in (("LiF", 23), ("F-Na", 22), ("m-7", 1), ("nothing", 0), ("c-1", 1)):
        assert f"of {count}<" in web.get("/", params={"search": search}).text
    assert "No material matches" in web.get("/?search=nothing").text
    assert web.get("/?sort=rates").status_code == 400
    assert web.get("/?page=0").status_code == 422


def test_a_report_states_what_it_has_not_read(web):
    text = web.get("/report/LiP").text
    of_two_materials = 2 * NEWEST
    assert f"{N_CONDUCTIVITY - of_two_materials} other documents of" in text
    assert 'were not read: <a href="/?search=LiP">' in text
    assert web.get("/?search=LiP").text.count('href="/report/') == 3


def test_a_page_that_is_too_large_is_refused(web, monkeypatch):
    monkeypatch.setattr(rest, "MAX_BYTES", 10_000)
    answer = web.get("/conductivity/?_fields=_all")
    assert answer.status_code == 400
    assert "fewer documents" in answer.json()["detail"]
    assert web.get("/conductivity/?_limit=5").status_code == 200
