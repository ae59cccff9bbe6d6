"""What each figure shows, number by number, is what the documents say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from vitrion.report.draw import draw_figure
from vitrion.report.figures.candidates import candidate_figure
from vitrion.report.figures.defect_energies import barrier_figure, defect_figure, voltage_figure
from vitrion.report.figures.extrapolation import novelty_figure
from vitrion.report.figures.glass_structure import pair_figure, speciation_figure
from vitrion.report.figures.ion_transport import (
    arrhenius_figure,
    jump_network_panel,
    msd_panel,
    van_hove_panels,
)
from vitrion.report.figures.site_energy_levels import landscape_figure
from vitrion.report.panels import Bars, Curve, FilledBand, Line, Points
from vitrion.report.plotly import plot_data

KINDS = ("frenkel", "interstitial", "vacancy")
CM2_PER_S = 1e16 / 1e12
"""The same in A2/ps."""


def marks(panel, kind):
    return [mark for mark in panel.marks if isinstance(mark, kind)]


@pytest.fixture
def glass(reports):
    return reports[1]


@pytest.fixture
def hot(glass):
    """Return the run of the glass that has its motion in space."""
    return glass.conductivity.results[-1]


def test_both_drawers_end_error_bars_at_the_interval(glass):
    figure = arrhenius_figure([glass])
    quantity = glass.conductivity.arrhenius.quantity
    field = {"self": "nernst_einstein", "collective": "einstein"}[quantity]
    runs = glass.conductivity.results
    ends = [getattr(run, f"conductivity_{field}").interval_95 for run in runs]
    (trace,) = (t for t in plot_data(figure.panels[0])["data"] if "error_y" in t)
    y, bars = np.array(trace["y"]), trace["error_y"]
    plotted = np.column_stack([y - bars["arrayminus"], y + bars["array"]])
    np.testing.assert_allclose(plotted, ends, rtol=1e-3)
    (axes,) = draw_figure(figure).axes
    drawn = next(c for c in axes.containers if c.has_yerr).lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in drawn], ends)


def test_the_line_of_the_paper_goes_through_its_figures(glass):
    panel = arrhenius_figure([glass]).panels[0]
    line = next(c for c in marks(panel, Curve) if "paper" in c.label)
    star = next(p for p in marks(panel, Points) if p.symbol == "star")
    assert (line.x[0], line.y[0]) == pytest.approx((star.x[0], star.y[0])) == (1000 / 300, 0.18)
    temperature = 1000.0 / np.array(line.x)
    slope = np.polyfit(1.0 / temperature, np.log(np.array(line.y) * temperature), 1)[0]
    assert -slope * 8.617333e-5 == pytest.approx(0.40, rel=1e-6)


def test_the_slope_beside_an_msd_is_six_times_the_diffusivity(hot):
    panel = msd_panel(hot)
    own, slope = (
        next(c for c in marks(panel, Curve) if c.dash == dash) for dash in ("solid", "dot")
    )
    np.testing.assert_array_equal(own.y, hot.msd.msd_A2)

    def per_time(y):
        return (y[-1] - y[0]) / (slope.x[-1] - slope.x[0]) / 6 / CM2_PER_S

    assert per_time(slope.y) == pytest.approx(hot.self_diffusivity.value)
    band = marks(panel, FilledBand)[1]
    low, high = hot.self_diffusivity.interval_95
    assert (per_time(band.low), per_time(band.high)) == pytest.approx((low, high))


def test_van_hove_functions_are_self_and_distinct(hot):
    own, distinct = van_hove_panels(hot)
    np.testing.assert_array_equal([c.y for c in marks(own, Curve)], hot.van_hove.self_per_A)
    width = 0.05 / (hot.van_hove.r_A[1] - hot.van_hove.r_A[0])
    np.testing.assert_allclose(
        [c.y for c in marks(distinct, Curve)],
        gaussian_filter1d(hot.van_hove.distinct, width, axis=1, mode="nearest"),
    )


def test_hops_are_lines_but_where_they_leave_the_cell(hot):
    network, panel = hot.jump_network, jump_network_panel(hot)
    sites = np.array(network.sites_A)
    pairs = sorted((e.site_1, e.site_2) for e in network.edges if not any(e.image))
    assert 0 < len(pairs) < len(network.edges)
    lines = np.concatenate([np.column_stack([c.x, c.y]) for c in marks(panel, Curve)])
    ends = lines[np.isfinite(lines).all(axis=1)].reshape(-1, 2, 2)
    shown = sorted(ends.reshape(-1, 4).tolist())
    assert shown == sorted(sites[list(pair), :2].ravel().tolist() for pair in pairs)
    (points,) = marks(panel, Points)
    np.testing.assert_array_equal(np.column_stack([points.x, points.y, points.values]), sites)


def test_pair_distributions_are_means_over_the_replicas(glass):
    first, second = glass.glasses
    assert first.r_A == second.r_A
    panels = pair_figure([glass]).panels
    shown = {curve.label: curve.y for panel in panels for curve in marks(panel, Curve)}
    bands = {band.group: band for panel in panels for band in marks(panel, FilledBand)}
    both = list(zip(first.pair_distributions, second.pair_distributions, strict=True))
    assert len(shown) == len(both)
    for pair in both:
        name, g = "-".join(pair[0].pair), [distribution.g for distribution in pair]
        assert pair[0].pair == pair[1].pair
        width = 0.05 / (first.r_A[1] - first.r_A[0])
        smooth = gaussian_filter1d(np.array(g), width, axis=1, mode="nearest")
        np.testing.assert_allclose(shown[name], smooth.mean(axis=0))
        np.testing.assert_allclose(
            [bands[name].low, bands[name].high], [smooth.min(axis=0), smooth.max(axis=0)]
        )
        total = np.trapezoid(np.mean(g, axis=0))
        assert np.trapezoid(shown[name]) == pytest.approx(total, rel=0.02)
    titles = [panel.title.rpartition(", ")[2] for panel in panels]
    assert titles == ["bonds", "pairs with Li", "other pairs"]


def test_speciation_is_in_percent_of_the_former(glass):
    (bars,) = marks(speciation_figure([glass]).panels[0], Bars)
    counts = [found.speciation.centers["P"] for found in glass.glasses]
    total = sum(sum(kinds.values()) for kinds in counts)
    assert bars.heights == [100 * sum(kinds["PO2F2"] for kinds in counts) / total]


def test_candidates_lie_at_their_volume_and_energy_above_the_hull(reports):
    document = reports[0].polymorphs
    (points,) = marks(candidate_figure(reports).panels[0], Points)
    assert list(zip(points.x, points.y, strict=True)) == [
        (crystal.volume_per_atom_A3, crystal.energy_above_hull_eV_per_atom)
        for crystal in document.polymorphs
    ]
    bare = [c.model_copy(update={"energy_above_hull_eV_per_atom": None})
            for c in document.polymorphs]  # fmt: skip
    report = replace(reports[0], polymorphs=document.model_copy(update={"polymorphs": bare}))
    (points,) = marks(candidate_figure([report]).panels[0], Points)
    assert points.y == [crystal.energy_above_best_eV_per_atom for crystal in bare]


def test_the_course_of_a_search_steps_down_to_its_lowest(reports):
    (curve,) = marks(candidate_figure(reports).panels[1], Curve)
    # Nothing after the first of four relaxations, -5.7 after the second, -6.0 from the third on.
    np.testing.assert_array_equal(curve.x, [2, 3, 3, 4, 4])
    np.testing.assert_allclose(curve.y, [0.3, 0.3, 0, 0, 0], atol=1e-12)


def test_a_path_rises_from_its_sites_to_its_saddles(glass):
    network = glass.landscape.networks[0].model_copy(
        update={"path": [(-1.0, -0.6), (-0.8, -0.5), (-0.9, -0.1)]}
    )
    document = glass.landscape.model_copy(update={"networks": [network]})
    (curve,) = marks(landscape_figure([document]).rows[1][0], Curve)

    def at(place):
        return [y for x, y in zip(curve.x, curve.y, strict=True) if x % 1 == place][:3]

    assert at(0.0) == pytest.approx([0.0, 0.2, 0.1])
    assert at(0.5) == pytest.approx([0.4, 0.5, 0.9])
    assert (min(curve.y), max(curve.y)) == pytest.approx((0.0, 0.9))


def test_both_sides_of_a_landscape_hold_the_energies_of_their_sites(glass):
    document = glass.landscape
    for curve in marks(landscape_figure([document]).rows[0][0], Curve):
        energies = np.concatenate(getattr(document, f"{curve.label}_energies_eV"))
        np.testing.assert_array_equal(curve.y[::3], energies)
        assert np.nanmax(curve.x) - np.nanmin(curve.x) == 1.0
        assert np.nansum(curve.x) == len(energies) * (1 if curve.label == "empty" else -1)


def test_defects_are_at_their_energies(glass):
    panels = defect_figure([glass]).panels
    for panel, kind in zip(panels, KINDS, strict=True):
        records = [r for document in glass.defects for r in document.of_kind(kind)]
        (points,) = marks(panel, Points)
        np.testing.assert_array_equal(points.x, sorted(r.formation_energy_eV for r in records))
        share = 100 * np.arange(1, len(records) + 1) / len(records)
        np.testing.assert_allclose(points.y, share)


def test_the_cheapest_defect_is_set_against_voltage(glass):
    at_metal = {c.label.rsplit(", ")[-1]: c.y[0]
                for c in marks(voltage_figure([glass]).panels[0], Curve)}  # fmt: skip
    assert at_metal == {
        kind: min(r.formation_energy_eV for d in glass.defects for r in d.of_kind(kind))
        for kind in ("interstitial", "vacancy")
    }


def test_barriers_are_those_of_hops_that_count(glass):
    """Weighted by symmetry; the line is at the mean barrier of the hosts."""
    network = glass.defects[0].networks[0]
    hop = network.hops[0]

    def made(forward, backward, **changes):
        barriers = {"forward_barrier_eV": forward, "backward_barrier_eV": backward}
        return hop.model_copy(update={**barriers, "multiplicity": 1, **changes})

    def host(document, hops, *crossing):
        first = network.percolation[0]
        percolation = [
            first.model_copy(update={"dimension": dimension, "barrier_eV": barrier})
            for dimension, barrier in enumerate(crossing, start=1)
        ]
        changed = network.model_copy(update={"hops": hops, "percolation": percolation})
        return document.model_copy(update={"networks": [changed]})

    lost = made(9.0, 9.0, converged=False), made(0.0, 8.0, merged=True)
    found = made(0.5, 0.3, multiplicity=2), made(0.6, 0.2)
    defects = (
        host(glass.defects[0], [*found, *lost], 0.4, 0.7),
        host(glass.defects[1], [made(0.7, 0.1)], 0.6),
    )
    (panel,) = barrier_figure([replace(glass, defects=defects)]).panels
    (curve,), (line,) = marks(panel, Curve), marks(panel, Line)
    np.testing.assert_array_equal(curve.x[::2], [0.1, 0.2, 0.3, 0.5, 0.6, 0.7])
    np.testing.assert_allclose(curve.y[1::2], np.array([1, 2, 4, 6, 7, 8]) / 8 * 100)
    assert line.at == pytest.approx(0.5)


def test_novelty_is_shown_frame_by_frame(glass):
    (panel,) = novelty_figure([glass]).panels
    novelty = glass.conductivity.trust.novelty
    (points,), (line,) = marks(panel, Points), marks(panel, Line)
    assert dict(zip(points.x, points.y, strict=True)) == dict(enumerate(novelty.scores, start=1))
    assert line.at == novelty.threshold
