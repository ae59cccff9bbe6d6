"""The list of materials is searched by elements and ranges; the page of the API works offline."""

import csv
import re

import pytest
from jobflow import Flow, run_locally

from helpers.sample_documents import make_conductivity, make_hopping
from vitrion.database.client import VitrionClient
from vitrion.errors import InputError
from vitrion.report.material_filters import MaterialFilters, periodic_table

for package in ("fastapi", "httpx"):
    pytest.importorskip(package, reason="needs the extra 'serve'")


def fill(store):
    jobs = [make_hopping(["Li", "F"], 0.3, "amorphous")]
    jobs += [make_hopping(["Na", "F"], 0.5, "crystalline"), make_conductivity()]
    run_locally(Flow(jobs), store=store, ensure_success=True)


def listed(web, query):
    page = web.get(f"/?{query}")
    assert page.status_code == 200, page.text
    return re.findall(r'href="/report/([^"]+)"', page.text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["LiF", "LiP", "NaF"]),
        ("element=Li", ["LiF", "LiP"]),
        ("element=Li&element=F", ["LiF"]),
        ("element=F&element=Li&match=only", ["LiF"]),
        ("element=F&element=Li&match=only&search=Na-F", []),
        ("element=F&element=Li&match=only&search=Li-*", ["LiF"]),
        ("element=F&element=Li&match=only&nelements_max=1", []),
        ("element=Li&match=none", ["NaF"]),
        ("element=Li&phase=amorphous", ["LiF", "LiP"]),
        ("phase=crystalline", ["NaF"]),
        ("sigma_300K_min=0", ["LiP"]),
        ("sigma_300K_max=0", []),
        ("sigma_300K_min=&element=", ["LiF", "LiP", "NaF"]),
        ("search=LiF&element=Na", []),
        ("frenkel_energy_eV_min=1", []),
        ("nelements_max=2&nsites_max=2&search=LiF", ["LiF"]),
        ("nelements_min=3", []),
    ],
)
def test_elements_phase_and_ranges_limit_the_list(web, query, found):
    assert listed(web, query) == found


def test_a_search_is_saved_as_a_file(web, collections):
    rows = list(csv.DictReader(web.get("/materials.csv?element=Li").text.splitlines()))
    assert [row["material"] for row in rows] == ["LiF", "LiP"]
    (summary,) = VitrionClient.over(collections).summary.search(formula="LiP")
    low, high = summary.intervals["sigma_300K"]
    name = "conductivity at 300 K (mS/cm)"
    assert float(rows[1][name]) == pytest.approx(summary.values["sigma_300K"])
    assert float(rows[1][f"{name}, low"]) == pytest.approx(low)
    answer = web.get("/materials.json?sort=-sigma_300K&sigma_300K_min=0")
    assert [row["material"] for row in answer.json()["rows"]] == ["LiP"]
    assert answer.json()["rows"][0][f"{name}, high"] == pytest.approx(high)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="materials.json"'
    assert web.get("/materials.json?search=nothing").json()["rows"] == []
    for wrong in (
        "materials.pdf",
        "materials.csv?sort=_id",
        "materials.csv?element=Xx",
        "materials.csv?elements=Li",
    ):
        assert web.get(f"/{wrong}").status_code in (400, 422)


def test_pages_have_the_number_of_rows_that_is_asked_for(web):
    page = web.get("/?rows=2").text
    assert len(re.findall(r'href="/report/', page)) == 2
    assert 'href="materials.csv?sort=formula_pretty&amp;page=1&amp;rows=2"' in page
    assert listed(web, "rows=2&page=2") == ["NaF"]
    assert web.get("/?rows=100000").status_code == 422


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("element=Xx", "not the symbol of an element"),
        ("match=some", "must be one of all, only, none"),
        ("phase=glassy", "must be one of crystalline, amorphous, liquid"),
        ("sigma_300K_min=much", "must be a number, not 'much'"),
        ("sigma_300K_min=inf", "must be a number"),
        ("sigma_300k_min=1", "has no parameter 'sigma_300k_min'"),
    ],
)
def test_unknown_filters_are_refused(web, query, text):
    answer = web.get(f"/?{query}")
    assert answer.status_code == 400
    assert text in answer.json()["detail"]


def test_the_form_keeps_what_was_asked(web):
    page = web.get("/?element=Li&match=only&sigma_300K_min=0.5&phase=amorphous").text
    assert 'value="Li" checked' in page
    assert page.count(" checked") == 1
    assert 'name="sigma_300K_min" value="0.5"' in page
    assert '<option value="only" selected' in page
    assert "form-action 'self'" in page.replace("&#39;", "'")


def test_filters_are_read_and_written():
    given = [("element", "Li"), ("element", "Li"), ("sigma_300K_max", "2")]
    filters = MaterialFilters.from_parameters(given)
    assert filters.search() == {"elements": ["Li"], "sigma_300K_max": 2.0}
    assert MaterialFilters.from_parameters(filters.parameters()) == filters
    with pytest.raises(InputError, match="'<b>' is not the symbol"):
        MaterialFilters.from_parameters([("element", "<b>")])


def test_the_periodic_table_has_each_element_once():
    table = periodic_table()
    assert len(table) == len({place for _, *place in table for place in [tuple(place)]}) == 86
    places = {symbol: (row, column) for symbol, row, column in table}
    assert places["H"] == (1, 1)
    assert places["He"] == (1, 18)
    assert places["Ti"] == (4, 4)
    assert places["Ce"] == (7, 4)
    assert places["Hf"] == (6, 4)


def test_quantities_have_their_intervals(web, collections):
    client = VitrionClient.over(collections)
    (summary,) = client.summary.search(formula="LiP")
    (document,) = client.conductivity.search(formula="LiP")
    assert summary.intervals["sigma_300K"] == pytest.approx(document.sigma_300K.interval_95)
    energy = document.arrhenius.fit.activation_energy
    assert summary.intervals["activation_energy_eV"] == pytest.approx(energy.interval_95)
    page = web.get("/?element=P").text
    assert energy.text in page


def test_the_page_of_the_api_needs_no_internet(web):
    page = web.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    for link in links:
        assert web.get(link).status_code == 200
    assert "https://" not in page.replace("https://fastapi.tiangolo.com", "")


@pytest.mark.parametrize("limit", ["123456789", "0.123456789", "1e-12", "-2.5"])
def test_limits_are_the_same_on_the_next_page(limit):
    """They were rounded to six digits, so that its rows were of another search."""
    filters = MaterialFilters.from_parameters([("nsites_min", limit)])
    assert filters.limit("nsites", 0) == limit
    assert MaterialFilters.from_parameters(filters.parameters()) == filters
