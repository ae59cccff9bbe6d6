"""The web service gives documents, page by page, and lets no operator of MongoDB through."""

import re
from inspect import signature
from urllib.parse import quote

import pytest
from jobflow import Flow, run_locally

from helpers.sample_documents import make_conductivity, make_hopping
from vitrion.database.client import PropertyClient
from vitrion.errors import InputError

for package in ("fastapi", "httpx"):
    pytest.importorskip(package, reason="needs the extra 'serve'")

from fastapi.testclient import TestClient  # noqa: E402

from vitrion.service.access import check_address  # noqa: E402
from vitrion.service.rest import make_app  # noqa: E402
from vitrion.service.search_parameters import search_dependency  # noqa: E402

TOKEN = "0123456789abcdef0123"
HERE = {"Host": "localhost"}
BARRIERS = [0.2, 0.25, 0.3, 0.35, 0.4]


def fill(store):
    jobs = [make_hopping(["Li", "F"], barrier, "amorphous") for barrier in BARRIERS]
    jobs += [make_hopping(["Na", "F"], 0.5, "crystalline", material_id="a,b")]
    jobs += [make_conductivity()]
    run_locally(Flow(jobs), store=store, ensure_success=True)


def get(web, status=200, kind="test_hopping", **parameters):
    answer = web.get(f"/{kind}/", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_filters_fields_and_order(web):
    found = get(
        web, chemsys="Li-F", barrier_eV_min=0.3, _sort_fields="-barrier_eV", _fields="barrier_eV"
    )
    assert [set(document) for document in found["data"]] == [{"document_id", "barrier_eV"}] * 3
    assert [document["barrier_eV"] for document in found["data"]] == [0.4, 0.35, 0.3]
    assert found["meta"]["total_doc"] == 3
    assert get(web, elements="Li,F", exclude_elements="Na")["meta"]["total_doc"] == 5
    (whole,) = get(web, barrier_eV="0.5", measured="true", _fields="_all")["data"]
    assert whole["structure"]["@class"] == "Structure"
    assert whole["rates"]["store"] == "data", "large objects stay references"
    assert "job" not in whole
    summary = get(web, kind="summary", phase="crystalline", _fields="values")["data"]
    assert summary[0]["values"]["barrier_eV"] == 0.5


def test_pages_join_up(web):
    pages = [get(web, _skip=skip, _limit=2)["data"] for skip in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 2]
    found = [document["document_id"] for page in pages for document in page]
    assert len(set(found)) == 6
    down = [document["document_id"] for document in get(web, _sort_fields="-document_id")["data"]]
    assert down == sorted(found, reverse=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"$where": "1"},
        {"chemsys[$gt]": ""},
        {"criteria": '{"a": 1}'},
        {"_fields": "$where"},
        {"_fields": "structure.$x"},
        {"_sort_fields": "$natural"},
        {"_sort_fields": "rates"},
        {"formula": "{}"},
        {"barrier_eV_mn": "1"},
        {"limit": "1"},
    ],
    ids=str,
)
def test_what_is_not_known_is_refused(web, parameters):
    assert web.get("/test_hopping/", params=parameters).status_code == 400


@pytest.mark.parametrize(
    "parameters",
    [
        {"_limit": "0"},
        {"_limit": "1001"},
        {"_limit": "-1"},
        {"_skip": "-1"},
        {"_skip": str(2**70)},
        {"barrier_eV_min": '{"$gt": 0}'},
        {"barrier_eV_min": "x"},
        {"barrier_eV_min": "nan"},
        {"deprecated": "maybe"},
        {"chemsys": "x" * 3000},
    ],
    ids=lambda parameters: str(parameters)[:40],
)
def test_what_is_out_of_range_is_refused(web, parameters):
    assert web.get("/test_hopping/", params=parameters).status_code == 422


def test_repeated_parameters_are_refused(web):
    """The last one was used alone."""
    answer = web.get("/test_hopping/?formula=LiF&formula=NaF")
    assert answer.status_code == 400
    assert "'formula' is repeated: separate several values by commas" in answer.json()["detail"]


def test_an_operator_as_text_is_only_text(web):
    for text in ('{"$ne": null}', "$ne"):
        for name in ("material_id", "document_id"):
            assert get(web, **{name: text})["data"] == []
        assert "must be one of crystalline" in get(web, status=400, phase=text)["detail"]
        for name in ("chemsys", "elements", "exclude_elements"):
            assert "is not an element" in get(web, status=400, **{name: text})["detail"]


def test_nothing_can_be_written(web):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(web, method)("/test_hopping/").status_code == 405


def test_a_token_is_asked_for(collections):
    web = TestClient(make_app(collections, TOKEN))
    for path in ("/", "/report/LiF", "/test_hopping/", "/docs", "/openapi.json", "/nothing"):
        assert web.get(path).status_code == 401
        assert web.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    good = {"Authorization": f"Bearer {TOKEN}"}
    assert web.get("/test_hopping/", headers=good).status_code == 200
    assert "Basic" in web.get("/").headers["WWW-Authenticate"], "a browser asks for it"
    assert web.get("/", auth=("anyone", TOKEN)).status_code == 200
    for wrong in (("anyone", "wrong"), (TOKEN, "")):
        assert web.get("/", auth=wrong).status_code == 401
    for broken in ("Basic", "Basic !", "Basic /w==", f"Digest {TOKEN}", TOKEN):
        assert web.get("/", headers={"Authorization": broken}).status_code == 401
    assert web.get("/heartbeat").json() == {"status": "OK"}


def test_a_name_of_elsewhere_that_points_here_is_refused(collections, web):
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert web.get("/", headers={"Host": host}).status_code == 200
    assert web.get("/", headers={"Host": "evil.example"}).status_code == 400
    reached = TestClient(make_app(collections, TOKEN), headers={"Authorization": f"Bearer {TOKEN}"})
    assert reached.get("/", headers={"Host": "server.example"}).status_code == 200


def test_materials_are_listed_and_lead_to_their_reports(web):
    page = web.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "/report/LiF" in page.text
    assert "/report/a%2Cb" in page.text
    (document,) = get(web, kind="conductivity", formula="LiP", _fields="results")["data"]
    for name in ("LiP", document["document_id"]):
        report = web.get(f"/report/{name}", params={"phase": "amorphous"})
        assert report.status_code == 200
        assert "<h1>LiP</h1>" in report.text
        coldest = document["results"][0]
        shown = re.sub("<script.*?</script>", "", report.text, flags=re.DOTALL)
        assert f"{coldest['temperature_K']:.0f}" in shown
        assert shown != report.text, "plots are drawn by the page itself"
    missing = web.get("/report/<script>alert(1)</script>")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/json"
    assert web.get("/report/LiF", params={"phase": "solid"}).status_code == 404
    assert web.get("/report/" + "Li(" * 500).status_code == 404


def test_it_is_not_served_beyond_this_machine_without_a_token():
    for host in ("127.0.0.1", "localhost", "::1"):
        check_address(host, None)
    for host in ("0.0.0.0", "192.168.1.2", "example.org", "::"):
        with pytest.raises(InputError, match="VITRION_TOKEN"):
            check_address(host, None)
        check_address(host, TOKEN)
    with pytest.raises(InputError, match="16 characters"):
        check_address("127.0.0.1", "short")


def test_the_openapi_page_describes_the_service(web):
    description = web.get("/openapi.json").json()
    operation = description["paths"]["/test_hopping/"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert {"chemsys", "rate_300K_min", "_limit", "_fields"} <= names
    assert web.get("/docs").status_code == 200


def test_responses_follow_the_description(web):
    jsonschema = pytest.importorskip("jsonschema")
    description = web.get("/openapi.json").json()
    for kind in ("test_hopping", "conductivity", "summary"):
        documented = description["paths"][f"/{kind}/"]["get"]["responses"]
        for parameters, status in (
            ({"_fields": "_all"}, 200),
            ({"_fields": "last_updated"}, 200),
            ({"nothing": "1"}, 400),
            ({"_limit": "0"}, 422),
        ):
            schema = documented[str(status)]["content"]["application/json"]["schema"]
            content = get(web, kind=kind, status=status, **parameters)
            jsonschema.validate(content, {**schema, "components": description["components"]})
            if status == 200:
                assert content["meta"]["damaged"] == []
                assert content["meta"]["max_limit"] == 1000
        assert "503" in documented


@pytest.mark.slow
def test_all_responses_follow_the_description(collections):
    _assert_operations_follow(collections, collections.classes, 200)


def _assert_operations_follow(collections, kinds, examples):
    schemathesis = pytest.importorskip("schemathesis", reason="needs the extra 'dev'")
    openapi_checks = pytest.importorskip("schemathesis.specs.openapi.checks")
    # The names of fields, elements and formulas are not a matter of a JSON schema: status 400.
    excluded = [openapi_checks.positive_data_acceptance]
    schema = schemathesis.openapi.from_asgi("/openapi.json", make_app(collections), headers=HERE)

    def assert_valid(case):
        case.call_and_validate(headers=HERE, excluded_checks=excluded)

    for kind in kinds:
        _hammer(schema[f"/{kind}/"]["GET"].as_strategy(), assert_valid, examples)


@pytest.mark.slow
def test_random_names_of_reports_never_break_it(web):
    strategies = pytest.importorskip("hypothesis").strategies
    words = strategies.text(max_size=300) | strategies.text("LiPOF0123(){}$[]-:/.%", max_size=30)

    def assert_answered(word):
        answer = web.get(f"/report/{quote(word)}")
        assert answer.status_code < 500, answer.content

    _hammer(words, assert_answered, 60)


def _hammer(strategy, ask, examples):
    from hypothesis import HealthCheck, given, settings

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(item=strategy)
    def request(item):
        ask(item)

    request()


def test_summaries_are_sorted_by_their_own_path_of_the_potential(collections):
    dependency = search_dependency(PropertyClient(collections, "summary"))
    values = dict.fromkeys(signature(dependency).parameters)
    found = dependency(**{**values, "_sort_fields": "potential", "deprecated": False})
    assert next(iter(found.sort)) == "potentials"
