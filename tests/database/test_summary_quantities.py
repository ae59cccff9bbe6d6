"""A summary has the quantities of the report of its material."""

from datetime import timedelta
from pathlib import Path
from statistics import fmean

import pytest

from vitrion.comparison.report_search import find_reports
from vitrion.comparison.side_by_side import compare
from vitrion.conductivity import pooling
from vitrion.database import pooled_runs
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import load_documents, read_documents
from vitrion.database.export import to_frame
from vitrion.database.pooled_runs import add_pooled
from vitrion.materials.material import NEWEST
from vitrion.store.job_store import open_job_store

PAPER = Path(__file__).parents[2] / "docs" / "results" / "paper"


@pytest.fixture(scope="module")
def documents():
    """Return the crystal and five glasses of the paper, defects of three of them."""
    names = ["crystal", *(f"glass-{number}" for number in range(1, 6))]
    return [each for name in names for each in read_documents(PAPER / f"{name}.jsonl.gz")]


def filled(folder, documents):
    with open_job_store(folder) as store:
        load_documents(store, documents)
    return VitrionClient(folder)


@pytest.fixture(scope="module", params=["pooled", "as loaded"])
def client(request, documents, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("results"), documents) as client:
        if request.param == "pooled":
            add_pooled(client, ["LiPO2F2"], "amorphous")
    with client:  # opened again, which builds the summaries
        yield client


def test_every_quantity_of_a_summary_equals_that_of_the_report(client):
    reports = find_reports(client, "LiPO2F2")
    for k, report in enumerate(reports):
        (summary,) = client.summary.search(formula="LiPO2F2", phase=report.phase)
        rows = {row.key: row.values[k] for row in compare(*reports).rows if row.values[k]}
        assert len(rows) >= 12
        for name, found in rows.items():
            assert summary.values[name] == found.value, name
            assert summary.intervals.get(name) == found.interval_95, name
        more = summary.values.keys() - rows.keys()
        known = {"interstitial_energy_eV", "density_equilibrated_g_per_cm3", "is_amorphous"}
        assert more == (known if report.phase == "amorphous" else {"interstitial_energy_eV"})


def test_a_summary_of_glasses_has_their_means(client, documents):
    glasses = [d for d in documents if d.property_name == "amorphous"]
    defects = [d for d in documents if d.property_name == "defects" and d.phase == "amorphous"]
    (summary,) = client.summary.search(phase="amorphous")
    is_pooled = len(summary.document_ids["conductivity"]) > len(glasses)
    hosts = defects if is_pooled else defects[-1:]  # of the landscape
    for name, energies in {
        "frenkel_energy_eV": [d.frenkel_energy_eV.mean_eV for d in hosts],
        "interstitial_energy_eV": [d.interstitial_energy_eV.mean_eV for d in hosts],
        "density_equilibrated_g_per_cm3": [g.density_equilibrated_g_per_cm3 for g in glasses],
        "energy_eV_per_atom": [g.energy_eV_per_atom for g in glasses],
    }.items():
        assert summary.values[name] == pytest.approx(fmean(energies)), name
        assert (name in summary.intervals) == (len(energies) > 1), name


def test_a_document_alone_has_the_intervals_of_the_report(client):
    (report,) = find_reports(client, "LiPO2F2", "amorphous")
    row = to_frame([report.conductivity]).iloc[0]
    for found in compare(report).rows[:2]:
        ends = row[found.key], row[f"{found.key}_low"], row[f"{found.key}_high"]
        estimate = found.values[0]
        assert ends == pytest.approx((estimate.value, *estimate.interval_95)), found.key


def test_quenches_of_other_potentials_and_of_crystals_are_not_pooled(
    documents, tmp_path, monkeypatch
):
    glasses = [d for d in documents if d.property_name == "amorphous"]
    provenance = glasses[0].provenance
    potential = provenance.potential.model_copy(update={"name": "other"})
    other = provenance.model_copy(update={"potential": potential})
    odd = [
        glasses[0].model_copy(update=change)
        for change in ({"is_amorphous": False}, {"provenance": other})
    ]
    used = []

    def pool(runs, glasses):
        used.extend(glasses)
        return pooling.pool(runs, glasses)

    monkeypatch.setattr(pooled_runs, "pool", pool)
    with filled(tmp_path, [*documents, *odd]) as client:
        add_pooled(client, ["LiPO2F2"], "amorphous")
    assert len(used) == len(glasses)
    assert all(glass.is_amorphous for glass in used)


def test_deprecated_documents_of_a_kind_give_no_quantity(documents, tmp_path):
    glass = [d for d in documents if d.phase == "amorphous"]
    wrong = [
        d.model_copy(update={"deprecated": True}) if d.property_name == "defects" else d
        for d in glass
    ]
    with filled(tmp_path, wrong) as client:
        (summary,) = client.summary.search()
        (report,) = find_reports(client, "LiPO2F2")
        assert "frenkel_energy_eV" not in summary.values
        assert compare(report).row("frenkel_energy_eV") is None
        assert summary.values["landscape_gap_eV"] == report.landscape.landscape_gap_eV.mean
    with filled(tmp_path / "all", [d.model_copy(update={"deprecated": True}) for d in glass]) as c:
        (summary,) = c.summary.search(deprecated=True)
        assert "frenkel_energy_eV" in summary.values


def test_many_glasses_of_another_material_hide_none_of_a_material(documents, tmp_path):
    """Each report has the newest documents of its material, and so has its summary."""
    (glass, *_) = (d for d in documents if d.property_name == "amorphous")

    def copies(name, number, days):
        return [
            glass.model_copy(
                update={
                    "material_id": name,
                    "settings": glass.settings.model_copy(update={"seed": seed}),
                    "energy_eV_per_atom": -6.0 - 0.01 * seed,
                    "last_updated": glass.last_updated + timedelta(days=days, hours=seed),
                }
            )
            for seed in range(number)
        ]

    made = [*copies("old", 3, 0), *copies("new", NEWEST - 2, 1), *copies(None, NEWEST + 2, -9)]
    with filled(tmp_path, made) as client:
        reports = {r.material_id: r for r in find_reports(client, "LiPO2F2", max_materials=9)}
        numbers = {name: len(report.glasses) for name, report in reports.items()}
        assert numbers == {"old": 3, "new": NEWEST - 2}
        summaries = client.summary.search()
        assert len(summaries) == 3
        for summary in summaries:
            (report,) = find_reports(client, summary.document_ids["amorphous"][0])[:1]
            row = compare(report).row("energy_eV_per_atom")
            assert summary.values["energy_eV_per_atom"] == row.values[0].value
            assert summary.intervals["energy_eV_per_atom"] == row.values[0].interval_95
