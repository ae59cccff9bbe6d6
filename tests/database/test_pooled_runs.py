"""Independent runs in a store, combined by `vitrion pool`."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.pooled_glasses import of_glass
from vitrion.cli import app
from vitrion.comparison.cautions import cautions_of
from vitrion.comparison.document import ComparisonDoc
from vitrion.comparison.report_search import find_reports
from vitrion.conductivity.pooling import pool
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import load_documents
from vitrion.database.pooled_runs import add_pooled
from vitrion.defects.document import CandidateSite, DefectDoc, DefectRecord
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError
from vitrion.store.job_store import SQLiteJobStore


@pytest.fixture(scope="module")
def glasses():
    return [of_glass(seed, factor=factor) for seed, factor in enumerate((0.7, 1.4))]


def store_of(folder, documents):
    store = SQLiteJobStore(str(folder))
    store.connect()
    load_documents(store, documents)
    store.close()
    return folder


def on_machine(number):
    """Return a provenance whose potential is installed in a folder of its own."""
    found = Provenance.collect("vitrion-lipof")
    path = Path(f"/machine-{number}/vitrion-lipof.safetensors")
    return found.model_copy(update={"potential": found.potential.model_copy(update={"path": path})})


def test_the_command_adds_the_combination_once(tmp_path, glasses):
    folder = store_of(tmp_path / "store", glasses)
    command = ["pool", glasses[0].formula_pretty, "--store", str(folder)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "2 runs" in result.output
    assert "Added to the store." in result.output
    assert "The relative error is" in result.output
    again = CliRunner().invoke(app, command)
    assert "The store has this combination already." in again.output
    with VitrionClient(folder) as client:
        found = client.conductivity.search(sort="last_updated")
        (report,) = find_reports(client, glasses[0].formula_pretty)
    assert len(found) == 3
    assert set(found[-1].pooled_from) == {found[0].document_id, found[1].document_id}
    expected = pool(glasses)
    assert found[-1].sigma_300K.value == pytest.approx(expected.sigma_300K.value)
    assert found[-1].sigma_300K.interval() == pytest.approx(expected.sigma_300K.interval())
    assert report.conductivity.pooled_from, "it is shown before single runs"


def test_a_third_run_gives_another_combination_of_single_runs(tmp_path, glasses):
    folder = store_of(tmp_path / "store", glasses)
    with VitrionClient(folder) as client:
        add_pooled(client, [glasses[0].formula_pretty])
    store_of(folder, [of_glass(7)])
    with VitrionClient(folder) as client:
        pooled, added = add_pooled(client, [glasses[0].formula_pretty])
    assert added
    assert len(pooled.pooled_from) == 3
    assert pooled.results[0].n_replicas == 3


def test_a_report_states_how_many_runs_its_value_is_not_of(tmp_path, glasses):
    """After `vitrion load` of several machines the value of one run looked like that of all."""
    folder = store_of(tmp_path / "store", glasses)
    formula = glasses[0].formula_pretty

    def said():
        with VitrionClient(folder) as client:
            cautions = cautions_of(find_reports(client, formula))
        return [caution.text for caution in cautions if caution.kind == "not_pooled"]

    advice = "if they were made in the same way, combine them by 'vitrion pool'."
    assert said() == [f"This is one of 2 runs in the store: {advice}"]
    with VitrionClient(folder) as client:
        add_pooled(client, [formula])
    assert said() == []
    store_of(folder, [of_glass(7)])
    with VitrionClient(folder) as client:
        pooled = next(d for d in client.conductivity.search() if d.pooled_from)
        reports = find_reports(client, pooled.document_id)
    (found,) = [caution for caution in cautions_of(reports) if caution.kind == "not_pooled"]
    assert found.text == f"1 run in the store is not part of this: {advice}"


def test_documents_are_named_by_their_identifiers(tmp_path, glasses):
    folder = store_of(tmp_path / "store", [*glasses, of_glass(7)])
    with VitrionClient(folder) as client:
        names = [one.document_id for one in client.conductivity.search()][:2]
        pooled, _ = add_pooled(client, names)
        assert set(pooled.pooled_from) == set(names)
        with pytest.raises(InputError, match="no conductivity document 'none'"):
            add_pooled(client, [names[0], "none"])


def test_the_landscapes_of_the_glasses_are_combined(tmp_path, glasses):
    """A report after `vitrion load` of several machines showed the newest glass alone."""
    glasses = [
        glass.model_copy(update={"provenance": on_machine(number)})
        for number, glass in enumerate(glasses)
    ]
    of_defects = [
        DefectDoc.from_structure(
            glass.structure,
            phase="amorphous",
            mobile_species="Li",
            host_energy_eV=0.0,
            host_max_force_eV_per_A=0.01,
            sites=[
                CandidateSite(frac_coords=(0, 0, k / 9), radius_A=1, source="voronoi")
                for k in range(3)
            ],
            records=[
                DefectRecord(
                    kind="frenkel",
                    label=f"move {k}",
                    vacancy=0,
                    site=k,
                    separation="far",
                    energy_eV=gap + 0.1 * k,
                    charge_transferred=0,
                    converged=True,
                    max_force_eV_per_A=0.01,
                    n_steps=5,
                )
                for k in range(3)
            ],
        )
        for glass, gap in zip(glasses, (0.3, 0.5), strict=True)
    ]
    for document, glass in zip(of_defects, glasses, strict=True):
        document.provenance = glass.provenance
    again = of_defects[0].model_copy(update={"last_updated": datetime.now(UTC)})
    folder = store_of(tmp_path / "store", [*glasses, *of_defects, again])
    with VitrionClient(folder) as client:
        add_pooled(client, [glasses[0].formula_pretty])
    with VitrionClient(folder) as client:
        (report,) = find_reports(client, glasses[0].formula_pretty)
    assert report.landscape.provenance.potential == glasses[1].provenance.potential
    assert ComparisonDoc.from_documents({}, {"conductivity": glasses[1]}).provenance.potential
    assert report.landscape.n_replicas == len(report.defects) == 2
    assert sorted(report.landscape.landscape_gap_eV.values) == pytest.approx([0.3, 0.5])


def test_what_cannot_be_combined_is_refused(tmp_path, glasses):
    other = of_glass(3, phase="crystalline")
    folder = store_of(tmp_path / "store", [*glasses, other])
    formula = other.formula_pretty
    with VitrionClient(folder) as client:
        with pytest.raises(InputError, match="several phases: name one"):
            add_pooled(client, [formula])
        with pytest.raises(InputError, match="has 1 run with"):
            add_pooled(client, [formula], "crystalline")
        with pytest.raises(InputError, match="has 0 runs with"):
            add_pooled(client, ["LiF"])
