"""Every figure is described once; both drawers show what the documents say."""

import json

import numpy as np
import pytest

from vitrion.materials.material import MaterialReport
from vitrion.materials.quantities import activation_energy
from vitrion.report.draw import draw_figure, draw_panel, save_figures
from vitrion.report.figures.glass_structure import shares
from vitrion.report.figures.ion_transport import (
    arrhenius_panel,
    msd_figure,
    msd_panel,
    spatial_figure,
)
from vitrion.report.figures.site_energy_levels import landscape_figure
from vitrion.report.palette import N_HEAT, heat
from vitrion.report.panels import Axis, Bars, Curve, FilledBand, Line, Panel, Points, UpperBounds
from vitrion.report.plotly import plot_data
from vitrion.report.sections import figures_of
from vitrion.transport import combine
from vitrion.transport.arrhenius_fit import ArrheniusResult
from vitrion.transport.arrhenius_points import ArrheniusPoint
from vitrion.transport.constants import NERNST_EINSTEIN
from vitrion.uncertainty import Estimate

NAMES = ["arrhenius", "msd", "motion_in_space", "pair_distributions", "speciation", "candidates",
         "landscape", "defect_energies", "formation_energies", "barriers"]  # fmt: skip


@pytest.fixture(scope="module")
def figures(reports):
    return {figure.name: figure for figure in figures_of(reports)}


def test_temperatures_have_different_colors():
    assert len({heat(index, N_HEAT) for index in range(N_HEAT)}) == N_HEAT
    assert heat(0, 2) == "heat-0"
    assert heat(1, 2) == f"heat-{N_HEAT - 1}"


def marks(panel, kind):
    return [mark for mark in panel.marks if isinstance(mark, kind)]


def test_there_is_a_figure_for_every_kind_of_document(figures):
    assert list(figures) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_drawers_draw_the_same(figures, name):
    for panel in figures[name].panels:
        traces = plot_data(panel)["data"]
        json.dumps(traces, allow_nan=False)
        curves = marks(panel, Curve)
        lines = [t for t in traces if t.get("mode") == "lines" and "fill" not in t]
        assert len(lines) == len(curves)
        drawn = draw_panel(panel, draw_figure(figures[name]).axes[0])
        shown = [curve for curve in curves if not curve.hidden]
        assert len(drawn.lines) >= len(shown)
        for trace, curve in zip(lines, curves, strict=True):
            there = [value for value in trace["y"] if value is not None]
            finite = np.asarray(curve.y, dtype=float)
            np.testing.assert_allclose(there, finite[np.isfinite(finite)], rtol=1e-4)


def test_arrhenius_shows_values_bands_and_bounds_of_the_documents(figures, reports):
    panel = figures["arrhenius"].panels[0]
    crystal, glass = (report.conductivity.arrhenius for report in reports)
    (bounds,) = marks(panel, UpperBounds)
    factor = NERNST_EINSTEIN * crystal.charge_density_per_A3
    np.testing.assert_allclose(
        bounds.y, [factor * point.bound_cm2_s / point.temperature_K for point in crystal.points]
    )
    (band,) = marks(panel, FilledBand)
    at_room = glass.sigma_300K
    assert (band.low[0], band.high[0]) == pytest.approx(glass.conductivity(300.0).interval_95)
    assert band.x[0] == pytest.approx(1000 / 300)
    line = next(curve for curve in marks(panel, Curve) if "{E}\u2090 = " in curve.label)
    assert line.y[0] == pytest.approx(at_room.value, rel=0.1)
    slope = np.polyfit(np.asarray(line.x) / 1000, np.log(np.asarray(line.y) * 1000 / line.x), 1)[0]
    assert -slope * 8.617333e-5 == pytest.approx(glass.fit.activation_energy_eV, rel=1e-3)
    assert activation_energy(reports[1]).text in line.label, "the interval of the tables"
    stars = [points for points in marks(panel, Points) if points.symbol == "star"]
    assert stars[0].y == [0.18]


def test_what_is_left_out_of_a_fit_has_an_entry_of_its_own(reports):
    found = reports[0].conductivity.arrhenius
    hottest = found.points[-1].model_copy(update={"excluded": "the framework diffuses"})
    shown = found.model_copy(update={"points": [*found.points[:-1], hottest]})
    labels = [mark.label for mark in marks(arrhenius_panel({"glass": shown}), UpperBounds)]
    assert labels == ["glass, upper bounds", "glass, upper bounds, excluded from the fit"]


def test_diffusivity_is_shown_where_the_charge_density_is_unknown(reports):
    result = reports[1].conductivity.arrhenius.model_copy(update={"charge_density_per_A3": None})
    panel = arrhenius_panel(result)
    assert panel.y.label.startswith("diffusivity")
    values = [y for points in marks(panel, Points) for y in points.y]
    assert values == [p.diffusivity.value for p in result.points if p.diffusivity]


@pytest.mark.parametrize("temperatures_K", [(300.0,), (298.0,), (200.0, 250.0), (280.0, 350.0)])
def test_results_at_and_below_room_temperature_are_in_the_panel(temperatures_K):
    value = Estimate(value=1e-7, relative_error=0.2, degrees_of_freedom=10)
    points = [ArrheniusPoint(temperature_K=t, diffusivity=value) for t in temperatures_K]
    panel = arrhenius_panel(ArrheniusResult(quantity="self", points=points))
    low, high = panel.x.limits
    assert all(low < 1000 / t < high for t in (*temperatures_K, 300.0))


def test_the_motion_of_combined_replicas_is_shown(reports):
    """They share a van Hove function, but no sites."""
    crystal, glass = reports
    results, (run,) = glass.conductivity.results, glass.conductivity.replicas[-1]
    msd = run.msd.model_copy(update={"msd_A2": [1.1 * v for v in run.msd.msd_A2]})
    alike = [run, run.model_copy(update={"msd": msd})]
    document = glass.conductivity.model_copy(update={"results": [*results[:-1], combine(alike)]})
    documents = [document if d is glass.conductivity else d for d in glass.documents]
    (row,) = spatial_figure([MaterialReport.from_documents(documents)]).rows
    assert len(row) == 2
    assert row[0].title.endswith("800 K, mean of 2 runs, self")
    assert [len(marks(panel, Curve)) for panel in row] == [3, 3]
    (whole,) = spatial_figure([crystal]).rows
    assert len(whole) == 3


def test_rattling_looks_flat(reports):
    low, high = msd_panel(reports[0].conductivity.results).y.limits
    assert high / low == pytest.approx(100.0)
    panels = msd_figure(reports).panels
    low, high = panels[0].y.limits
    assert panels[1].y.limits == (low, high), "one scale, to compare crystal and glass"
    shown = [curve for panel in panels for curve in marks(panel, Curve) if curve.dash == "solid"]
    assert shown
    assert all(low < min(curve.y) and max(curve.y) < high for curve in shown)


def test_logarithmic_axes_are_marked_as_there_is_room():
    def spacing(high):
        axis = Axis("y", log=True)
        panel = Panel(Axis("x"), axis, (Curve([1.0, 2.0], [1.0, high]),))
        return plot_data(panel)["layout"]["yaxis"].get("dtick")

    assert [spacing(high) for high in (2.0, 8.0, 500.0)] == [None, "D2", 1]


def test_shares_of_a_former_add_up(reports):
    found = shares(reports[1].glasses)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["PO2F2"] == 1.0


def test_landscapes_share_one_scale_of_energy(reports):
    documents = [report.landscape for report in reports]
    upper = landscape_figure(documents).rows[0]
    assert upper[0].y.limits == upper[1].y.limits
    for panel, document in zip(upper, documents, strict=True):
        levels = marks(panel, Curve)
        shown = np.unique(np.asarray(levels[0].y))
        assert len(shown) == sum(map(len, document.occupied_energies_eV))
        assert f"gap {document.landscape_gap_eV.mean:.2f} eV" in panel.note
    # The interval of 95 % as in every table, not the bare error: 0.3, 0.5 and 0.4 by Student's t.
    half = 4.303 * 0.1 / 3**0.5
    assert f"({0.4 - half:.2f} to {0.4 + half:.2f})" in upper[1].note


def test_a_landscape_without_barriers_has_no_empty_panel(reports):
    documents = [report.landscape for report in reports]
    known = [any(network.path for network in document.networks) for document in documents]
    lower = landscape_figure(documents).rows[1:]
    assert [len(row) for row in lower] == ([sum(known)] if any(known) else [])
    assert all(panel.marks for row in lower for panel in row)
    still = [network.model_copy(update={"path": []}) for network in documents[1].networks]
    documents[1] = documents[1].model_copy(update={"networks": still})
    rows = landscape_figure(documents).rows
    assert [panel.title for row in rows[1:] for panel in row] == (
        [rows[0][0].title] if known[0] else []
    )


def test_defect_shares_climb_to_all(figures):
    for panel in figures["defect_energies"].panels:
        for curve in marks(panel, Curve):
            assert curve.y[0] == 0.0
            assert curve.y[-1] == pytest.approx(100.0)
            assert np.all(np.diff(curve.x) >= 0)


def test_formation_energies_rise_with_the_charge_taken(figures):
    slopes = {
        curve.label.rsplit(", ")[-1]: np.polyfit(curve.x, curve.y, 1)[0]
        for curve in marks(figures["formation_energies"].panels[0], Curve)
    }
    assert slopes == pytest.approx({"interstitial": 1.0, "vacancy": -1.0})


def test_figures_are_saved_as_files(reports, tmp_path):
    paths = save_figures([reports[1]], tmp_path / "new", "svg")
    assert {path.suffix for path in paths} == {".svg"}
    assert all("<svg" in path.read_text()[:800] for path in paths)
    assert "arrhenius" in {path.stem for path in paths}


def test_hidden_curves_and_texts_with_tags():
    panel = Panel(
        Axis("x <b>"),
        Axis("y", log=True, limits=(1.0, 100.0)),
        (
            Curve([1, 2], [3, 4], "<i>one</i>", hidden=True),
            Bars(["a<b"], [1.0], "bars"),
            Line(2.0, "here", vertical=False),
        ),
    )
    made = plot_data(panel)
    assert made["data"][0]["visible"] == "legendonly"
    assert made["data"][0]["name"] == "&lt;i&gt;one&lt;/i&gt;"
    assert made["data"][1]["x"] == ["a&lt;b"]
    assert made["layout"]["yaxis"]["range"] == [0.0, 2.0]
    assert made["layout"]["xaxis"]["title"]["text"] == "x &lt;b&gt;"
    axes = draw_panel(panel)
    assert not [line for line in axes.lines if line.get_label() == "<i>one</i>"]
    with pytest.raises(TypeError, match="Cannot draw a"):
        plot_data(Panel(Axis("x"), Axis("y"), ("text",)))
