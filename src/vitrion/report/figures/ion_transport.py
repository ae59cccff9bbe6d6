"""Figures of ion transport: Arrhenius, MSD, van Hove, jump network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.comparison.published import Published, published_for
from vitrion.errors import InputError
from vitrion.report.palette import heat, phase_dash, phase_symbol, report_colors, series
from vitrion.report.panels import (
    Axis,
    Curve,
    Figure,
    FilledBand,
    Line,
    Mark,
    Panel,
    Points,
    UpperBounds,
)
from vitrion.report.smoothing import smoothed
from vitrion.transport.constants import MSD_A2_PER_PS, NERNST_EINSTEIN, ROOM_K
from vitrion.transport.regime import WINDOW
from vitrion.uncertainty import Bound, Uncertain, number

if TYPE_CHECKING:
    from vitrion.materials.material import MaterialReport
    from vitrion.transport.arrhenius_fit import ArrheniusResult
    from vitrion.transport.arrhenius_points import ArrheniusPoint
    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate

FLAT, MARGIN = 10.0, 1.5
"""Minimum half range of an MSD axis, and margin around the curves, as factors."""
TICKS_K = (100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500, 2000)
LEAST_SPAN = 1.0
"""Range of 1000/T in 1/K from which the margins of an Arrhenius panel grow."""
LEAST_APART = 0.11
"""Minimum distance of two temperatures above a panel, as a fraction of its width."""
WIDTHS = (0.3, 1.0, 2.0, 3.0)
"""Line widths of a jump network, the most frequent hops last."""


def arrhenius_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the conductivity of materials, and published values, against inverse temperature.

    Returns
    -------
    Figure or None
        None without results.
    """
    fits, colors, phases = {}, [], []
    for report, color in zip(reports, report_colors(reports), strict=True):
        if report.conductivity is not None and report.conductivity.arrhenius is not None:
            fits[report.label] = report.conductivity.arrhenius
            colors.append(color)
            phases.append(report.phase)
    if not fits:
        return None
    panel = arrhenius_panel(fits, colors=colors, phases=phases)
    caption = (
        "Points have 95 % intervals; arrows mark one-sided 95 % upper bounds without observed "
        "diffusion; faded points are excluded from the fit. Lines are Arrhenius fits with 95 % "
        "bands, extrapolated to 300 K."
    )
    paper = published_for(reports[0].formula)
    if paper is not None and "conductivity" in panel.y.label:
        hottest = max(point.temperature_K for fit in fits.values() for point in fit.points)
        # Without a fit of our own the published line would be the only one, and look like it.
        hidden = all(fit.fit is None for fit in fits.values())
        marks = (*panel.marks, *_paper_marks(paper, hottest, hidden=hidden))
        panel = Panel(panel.x, panel.y, marks, panel.title, panel.note)
        caption += (
            " The thin dotted line is not a result of this page: it follows from the two values "
            "published for the glass."
        )
        caption += " Its button in the legend shows it." if hidden else ""
    return Figure("arrhenius", "Conductivity against temperature", caption, ((panel,),))


def arrhenius_panel(
    results: ArrheniusResult | Mapping[str, ArrheniusResult],
    *,
    colors: Sequence[str] = (),
    phases: Sequence[str | None] = (),
) -> Panel:
    """Describe one or several Arrhenius results: values, bounds, and lines with 95 % bands.

    Conductivity if all results state their charge density, else diffusivity.
    """
    named = dict(results) if isinstance(results, Mapping) else {"": results}
    conducts = all(result.charge_density_per_A3 is not None for result in named.values())
    marks: list[Mark] = []
    temperatures: list[float] = [ROOM_K]
    for index, (name, result) in enumerate(named.items()):
        color = colors[index] if colors else series(index)
        phase = phases[index] if phases else None
        temperatures += [point.temperature_K for point in result.points]
        marks += _line_and_band(result, name, color, phase, conducts)
        marks += _measured(result, name, color, phase, conducts)
    coldest, hottest = min(temperatures), max(temperatures)
    shown = [t for t in TICKS_K if coldest <= t <= hottest]
    label = "conductivity (mS/cm)"
    if not conducts:
        quantities = {result.quantity for result in named.values()}
        label = f"diffusivity ({', '.join(sorted(quantities))}) (cm2/s)"
    marks.append(Line(1000.0 / ROOM_K, dash="dot"))
    left, right = 1000.0 / hottest, 1000.0 / coldest
    span = right - left
    margin = 0.05 * max(span, LEAST_SPAN)
    x = Axis(
        "1000 / {T} (1/K)",
        limits=(left - margin, right + margin),
        opposite=tuple((1000.0 / t, f"{t}") for t in _apart(shown, LEAST_APART * span)),
        opposite_label="{T} (K)",
    )
    return Panel(x, Axis(label, log=True), tuple(marks))


def _apart(temperatures_K: Sequence[float], least: float) -> list[float]:
    """Return temperatures, the coldest first, whose 1000/T differ by at least a distance."""
    kept: list[float] = []
    for temperature in sorted(temperatures_K):
        if not kept or 1000.0 / kept[-1] - 1000.0 / temperature >= least:
            kept.append(temperature)
    return kept


def _paper_marks(paper: Published, hottest_K: float, *, hidden: bool) -> tuple[Mark, Mark]:
    """Return the published conductivity of the glass at 300 K, and its Arrhenius line."""
    inverse = np.linspace(1.0 / ROOM_K, 1.0 / hottest_K, 60)
    line = [paper.glass_conductivity_mS_cm(1.0 / x) for x in inverse]
    value, energy = paper.glass_conductivity_300K_mS_cm, paper.glass_activation_energy_eV
    name = "published, not computed here: glass in the paper"
    note = f"published by Zhong and Persson, not computed here\n300 K: about {value:g} mS/cm"
    star = Points(
        [1000.0 / ROOM_K],
        [value],
        color="published",
        symbol="star",
        opacity=0.7,
        group=name,
        hidden=hidden,
        notes=[f"{note}, projected"],
    )
    label = f"{name}, {{E}}\u2090 about {energy:.2f} eV"
    notes = [
        f"published line, not computed here\n{1.0 / x:.0f} K: about {number(y)} mS/cm"
        for x, y in zip(inverse, line, strict=True)
    ]
    curve = Curve(1000.0 * inverse, line, label, "published", "dot", 1.2, 0.7, name, hidden, notes)
    return curve, star


def _line_and_band(
    result: ArrheniusResult, name: str, color: str, phase: str | None, conducts: bool
) -> list[Mark]:
    if result.fit is None:
        return []
    temperatures = [ROOM_K, *(point.temperature_K for point in result.points)]
    inverse = np.linspace(1.0 / min(temperatures), 1.0 / max(temperatures), 60)
    predict = result.conductivity if conducts else result.diffusivity
    predicted = [estimate for estimate in (predict(1.0 / x) for x in inverse) if estimate]
    bands = np.array([estimate.interval_95 for estimate in predicted])
    energy = f"{{E}}\u2090 = {result.fit.activation_energy.text} eV"
    label = f"{name}, {energy}" if name else energy
    x = 1000.0 * inverse
    values = [estimate.value for estimate in predicted]
    unit = "mS/cm" if conducts else "cm2/s"
    notes = [
        f"{name}, fit\n{1.0 / at:.0f} K: {estimate.text} {unit}"
        for at, estimate in zip(inverse, predicted, strict=True)
    ]
    return [
        FilledBand(x, bands[:, 0], bands[:, 1], color, group=name),
        Curve(x, values, label, color, phase_dash(phase), group=name, notes=notes),
    ]


def _measured(
    result: ArrheniusResult, name: str, color: str, phase: str | None, conducts: bool
) -> list[Mark]:
    """Describe values and bounds; the values have a legend entry unless the line has one."""
    marks: list[Mark] = []
    labelled = result.fit is not None or not name
    for excluded in (False, True):
        faded, left_out = (0.4, "excluded from the fit") if excluded else (1.0, "")
        chosen = [point for point in result.points if bool(point.excluded) is excluded]
        valued, bounded = [], []
        for point in chosen:
            factor = _factor(point, result, conducts)
            if point.diffusivity is not None:
                valued.append((point, point.diffusivity.scaled(factor)))
            elif point.bound_cm2_s:
                bounded.append((point, Bound(limit=point.bound_cm2_s * factor)))
        style: dict[str, Any] = {"color": color, "opacity": faded}
        if valued:
            label = "" if labelled else _joined(name, left_out)
            own = {"symbol": phase_symbol(phase), "group": name, "label": label}
            marks.append(_values(valued, conducts, **style, **own))
            labelled = True
        if bounded:
            label = _joined(name, "upper bounds", left_out)
            marks.append(_bounds(bounded, conducts, label=label, **style))
    return marks


def _values(
    valued: Sequence[tuple[ArrheniusPoint, Estimate]], conducts: bool, **style: Any
) -> Points:
    ends = [estimate.interval_95 for _, estimate in valued]
    return Points(
        [1000.0 / point.temperature_K for point, _ in valued],
        [estimate.value for _, estimate in valued],
        [low for low, _ in ends],
        [high for _, high in ends],
        notes=[_point_note(point, estimate, conducts) for point, estimate in valued],
        **style,
    )


def _bounds(
    bounded: Sequence[tuple[ArrheniusPoint, Bound]], conducts: bool, **style: Any
) -> UpperBounds:
    return UpperBounds(
        [1000.0 / point.temperature_K for point, _ in bounded],
        [bound.limit for _, bound in bounded],
        notes=[_point_note(point, bound, conducts) for point, bound in bounded],
        **style,
    )


def _factor(point: ArrheniusPoint, result: ArrheniusResult, conducts: bool) -> float:
    if not conducts or result.charge_density_per_A3 is None:
        return 1.0
    return NERNST_EINSTEIN * result.charge_density_per_A3 / point.temperature_K


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _point_note(point: ArrheniusPoint, quantity: Uncertain, conducts: bool) -> str:
    unit = "mS/cm" if conducts else "cm2/s"
    left_out = f"\nexcluded: {point.excluded}" if point.excluded else ""
    interval = "" if isinstance(quantity, Bound) else ", 95 % interval"
    return f"{point.temperature_K:.0f} K: {quantity.text} {unit}{interval}{left_out}"


def msd_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the MSDs of materials, one panel each; None without results."""
    known = {
        report.label: report.conductivity.results
        for report in reports
        if report.conductivity is not None and report.conductivity.results
    }
    if not known:
        return None
    limits = _decades([result for results in known.values() for result in results])
    panels = tuple(msd_panel(known[name], title=name, limits=limits) for name in known)
    return Figure(
        "msd",
        "Mean square displacements",
        "Mean square displacements of the mobile ions against lag on logarithmic axes, with the "
        "standard error over ions. Dotted lines show the diffusivity of diffusive runs with its "
        "95 % interval. All materials have the same scale; a flat curve means vibration only.",
        (panels,),
    )


def msd_panel(
    results: TransportResult | Sequence[TransportResult],
    *,
    title: str = "",
    limits: tuple[float, float] | None = None,
) -> Panel:
    """Describe MSDs with their errors, and the slope with its 95 % interval if diffusive.

    The collective displacement is shown for a single result, and hidden but available for
    several. The limits of the MSD axis are in A2; default: from the data.
    """
    several = [*results] if isinstance(results, Sequence) else [results]
    marks: list[Mark] = []
    for index, result in enumerate(several):
        color = heat(index, len(several))
        marks += _displacements(result, color, alone=len(several) == 1)
    if len(several) == 1:
        title = title or f"{several[0].temperature_K:.0f} K"
    y = Axis("MSD (A2)", log=True, limits=limits or _decades(several))
    return Panel(Axis("lag {t} (ps)", log=True), y, tuple(marks), title)


def _decades(results: Sequence[TransportResult]) -> tuple[float, float] | None:
    """Return limits of all MSDs, at least two decades, so that vibration looks flat."""
    found = [value for result in results for value in result.msd.msd_A2 if value > 0]
    if not found:
        return None
    middle = math.sqrt(min(found) * max(found))
    half = max(MARGIN * math.sqrt(max(found) / min(found)), FLAT)
    return middle / half, middle * half


def _displacements(result: TransportResult, color: str, *, alone: bool) -> list[Mark]:
    lag, msd = np.array(result.msd.lag_ps), np.array(result.msd.msd_A2)
    error = np.nan_to_num(np.array(result.msd.msd_error_A2))
    name = f"{result.temperature_K:.0f} K"
    label = "self" if alone else name
    marks: list[Mark] = [
        FilledBand(lag, np.maximum(msd - error, 0.1 * msd), msd + error, color, group=name),
        Curve(lag, msd, label, color, group=name),
    ]
    collective = "collective" if alone else f"{name}, collective"
    dashed = Curve(lag, result.msd.collective_A2, collective, color, "dash", hidden=not alone)
    if result.self_diffusivity is not None and result.regime.start_ps is not None:
        marks += _slope(result, lag, msd, name, labelled=alone)
    return [*marks, dashed]


def _slope(
    result: TransportResult, lag: np.ndarray, msd: np.ndarray, name: str, *, labelled: bool
) -> list[Mark]:
    """Describe the diffusivity as a line, offset by the constant contribution of vibration.

    A value that is corrected for motion that still slows down begins in the last window.
    """
    estimate = result.self_diffusivity
    assert estimate is not None
    assert result.regime.start_ps is not None
    assert result.regime.end_ps is not None
    corrected = result.finite_time is not None
    inside = lag >= (result.regime.end_ps / WINDOW**2 if corrected else result.regime.start_ps)
    x, start = lag[inside], msd[inside][0]
    growth = MSD_A2_PER_PS * (x - x[0])
    low, high = estimate.interval_95
    label = f"D* = {estimate.value:.2g} cm2/s" if labelled else ""
    label += ", corrected" if labelled and corrected else ""
    return [
        FilledBand(x, start + low * growth, start + high * growth, "ink", 0.12, group=name),
        Curve(x, start + estimate.value * growth, label, "ink", "dot", group=name),
    ]


def van_hove_panels(result: TransportResult) -> tuple[Panel, Panel]:
    """Describe the self and the distinct van Hove functions at several lags.

    The distinct function is smoothed by a Gaussian of 0.05 A.

    Raises
    ------
    InputError
        If the result was made without the motion in space.
    """
    found = result.van_hove
    if found is None:
        raise InputError("The result has no van Hove function: analyze with spatial=True.")
    own: list[Mark] = []
    others: list[Mark] = [Line(1.0, vertical=False, dash="dot")]
    distinct = smoothed(found.distinct, found.r_A)
    for index, lag in enumerate(found.lag_ps):
        color, name = heat(index, len(found.lag_ps)), f"{lag:.3g} ps"
        own.append(Curve(found.r_A, found.self_per_A[index], name, color, group=name))
        others.append(Curve(found.r_A, distinct[index], name, color, group=name))
    r = Axis("{r} (A)")
    return (
        Panel(r, Axis("4\u03c0{r}\u00b2{G}\u209b({r}, {t}) (1/A)"), tuple(own), "self"),
        Panel(r, Axis("distinct {G}({r}, {t})"), tuple(others), "distinct"),
    )


def jump_network_panel(result: TransportResult) -> Panel:
    """Describe sites in the x-y plane by occupancy, and hops as lines by frequency.

    Raises
    ------
    InputError
        If the result was made without the motion in space.
    """
    network = result.jump_network
    if network is None:
        raise InputError("The result has no jump network: analyze with spatial=True.")
    sites = np.array(network.sites_A).reshape(-1, 3)
    most = max((edge.forward + edge.backward for edge in network.edges), default=1)
    marks: list[Mark] = []
    gap = np.full((1, 3), np.nan)
    lines: dict[float, list[np.ndarray]] = {}
    for edge in network.edges:
        if any(edge.image):  # no lines across the periodic boundary
            continue
        share = (edge.forward + edge.backward) / most
        width = WIDTHS[min(int(share * len(WIDTHS)), len(WIDTHS) - 1)]
        lines.setdefault(width, []).append(sites[[edge.site_1, edge.site_2]])
    for width, pairs in sorted(lines.items()):
        path = np.concatenate([part for pair in pairs for part in (pair, gap)])
        marks.append(Curve(path[:, 0], path[:, 1], width=width, opacity=0.5))
    marks.append(
        Points(
            sites[:, 0],
            sites[:, 1],
            sizes=np.sqrt(15.0 + 80.0 * np.array(network.occupancy)),
            values=sites[:, 2],
            scale="{z} (A)",
            notes=[
                f"site at ({x:.1f}, {y:.1f}, {z:.1f}) A\noccupied {100 * share:.0f} % of the time"
                for (x, y, z), share in zip(sites, network.occupancy, strict=True)
            ],
        )
    )
    return Panel(Axis("{x} (A)"), Axis("{y} (A)"), tuple(marks), equal=True)


def spatial_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe van Hove functions and jump network at the highest temperature; None without them.

    The van Hove functions are averaged over replicas; sites are shown for a single run only.
    """
    rows = []
    for report in reports:
        results = report.conductivity.results if report.conductivity is not None else []
        result = next((r for r in reversed(results) if r.van_hove), None)
        if result is not None:
            name = f"{report.label}, {result.temperature_K:.0f} K"
            panels = [*van_hove_panels(result)]
            if result.jump_network:
                panels.append(jump_network_panel(result))
            if result.n_replicas > 1:
                name += f", mean of {result.n_replicas} runs"
            titled = (replace(p, title=", ".join(filter(None, (name, p.title)))) for p in panels)
            rows.append(tuple(titled))
    if not rows:
        return None
    return Figure(
        "motion_in_space",
        "Motion in space",
        "Self and distinct van Hove functions at several lags. For a single run, the sites of the "
        "ions, viewed along z, and the hops between them; the size is the occupancy.",
        tuple(rows),
    )
