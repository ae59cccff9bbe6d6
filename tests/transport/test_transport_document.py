"""The document, the table and the figures of a result."""

import matplotlib as mpl
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.walkers import hopping, in_crystal
from vitrion.conductivity.document import ConductivityDoc
from vitrion.errors import InputError
from vitrion.report.draw import draw_panel
from vitrion.report.figures.ion_transport import (
    arrhenius_panel,
    jump_network_panel,
    msd_panel,
    van_hove_panels,
)
from vitrion.transport import analyze, arrhenius, combine, table

mpl.use("agg")
CELL = 12.0 * np.eye(3)


def run_at(temperature, hops, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    positions, symbols = in_crystal(hopping(400, 20, hops).draw(rng), CELL, rng)
    return analyze(positions, CELL, symbols, 100.0, temperature, wrapped=False, **kwargs)


@pytest.fixture(scope="module")
def results():
    return [run_at(t, h, spatial=True) for t, h in ((500.0, 0.0), (650.0, 8.0), (800.0, 20.0))]


@pytest.fixture
def structure():
    return Structure(Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_document_keeps_everything_through_json(results, structure):
    doc = ConductivityDoc.from_results(structure, {r.temperature_K: r for r in results})
    assert doc.temperatures_K == [500.0, 650.0, 800.0]
    assert doc.activation_energy_eV == doc.arrhenius.fit.activation_energy_eV
    assert doc.sigma_300K == doc.arrhenius.sigma_300K
    assert doc.formula_pretty == "LiF"
    again = ConductivityDoc.model_validate_json(doc.model_dump_json())
    assert again.model_dump_json() == doc.model_dump_json()  # NaN is not equal to itself
    assert again.results[2] == doc.results[2]
    assert again.arrhenius == doc.arrhenius


def test_document_combines_replicas(structure):
    runs = [run_at(700.0, 20.0, seed) for seed in range(2)]
    doc = ConductivityDoc.from_results(structure, {700.0: runs}, hierarchical=True)
    assert doc.results[0].n_replicas == 2
    assert len(doc.replicas[0]) == 2
    assert doc.arrhenius.fit is None
    assert doc.sigma_300K is None


def test_document_keeps_which_runs_are_of_one_system(structure):
    runs = [run_at(700.0, 20.0, seed) for seed in range(4)]
    kwargs = {"hierarchical": True}
    doc = ConductivityDoc.from_results(
        structure, {700.0: runs}, systems={700.0: [0, 0, 1, 1]}, **kwargs
    )
    assert doc.systems == [[0, 0, 1, 1]]
    assert doc.results[0] == combine(runs, systems=[0, 0, 1, 1], **kwargs)
    # Runs of one system alone have no spread between systems, whoever asks.
    one = combine(runs, systems=[0] * 4, **kwargs)
    assert one.self_diffusivity == combine(runs).self_diffusivity
    stored = doc.model_dump(mode="json")
    del stored["systems"]
    assert ConductivityDoc.model_validate(stored).systems == []


def test_document_before_any_result(structure):
    doc = ConductivityDoc.from_results(structure, {})
    assert doc.results == []
    assert doc.arrhenius is None


def test_every_field_says_what_it_is():
    for model in (ConductivityDoc, type(run_at(700.0, 20.0))):
        own = set(model.model_fields) - set(ConductivityDoc.__base__.model_fields)
        missing = [name for name in own if not model.model_fields[name].description]
        assert not missing


def test_table_of_both_verdicts(results):
    labels = [[row.label for row in table(result)] for result in results]
    assert "D* bound (95 %)" in labels[0]
    assert "sigma (Einstein)" in labels[2]
    row = next(row for row in table(results[2]) if row.label.startswith("D*"))
    low, high = (float(part) for part in row.interval.split(" to "))
    assert low < float(row.value) < high
    assert row.unit == "cm2/s"
    barriers = next(row for row in table(results[2]) if row.label.startswith("bottleneck"))
    assert barriers.unit == "eV"
    assert barriers.value.count(",") == 2


def test_figures_show_what_the_result_says(results, tmp_path):
    ax = draw_panel(msd_panel(results[2]))
    assert ax.get_title() == "800 K"
    ax.figure.savefig(tmp_path / "msd.png")
    line = next(line for line in ax.lines if line.get_label().startswith("D* = "))
    slope = np.polyfit(line.get_xdata(), line.get_ydata(), 1)[0]
    # MSD = 6 D t: 1 cm2/s is 1e4 A2/ps.
    assert slope == pytest.approx(6.0e4 * results[2].self_diffusivity.value, rel=1e-6)
    draw_panel(msd_panel(results[0]))
    fit = arrhenius(results)
    ax = draw_panel(arrhenius_panel(fit))
    assert ax.get_yscale() == "log"
    assert draw_panel(van_hove_panels(results[2])[0]).lines
    assert draw_panel(jump_network_panel(results[2])).collections
    with pytest.raises(InputError, match="spatial"):
        van_hove_panels(run_at(700.0, 20.0))
    with pytest.raises(InputError, match="spatial"):
        jump_network_panel(run_at(700.0, 20.0))
