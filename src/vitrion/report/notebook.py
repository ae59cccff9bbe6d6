"""Tables and figures of results, documents, trajectories, Makers and clients in a notebook."""

from __future__ import annotations

import dataclasses
from functools import singledispatch
from html import escape
from typing import TYPE_CHECKING, Any

from jobflow import Maker
from pydantic import BaseModel

from vitrion.comparison.cautions import cautions_of
from vitrion.comparison.next_step import next_step, progress_of
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import MISSING, Cell, make_table, measured, quantified, ranged
from vitrion.comparison.temperatures import temperature_table
from vitrion.conductivity.document import ConductivityDoc
from vitrion.database.client import PropertyClient, VitrionClient
from vitrion.database.dotted_path import follow
from vitrion.database.intervals import interval_of
from vitrion.database.summary import SummaryDoc
from vitrion.documents.base import VitrionDoc
from vitrion.dynamics.trajectory import Trajectory
from vitrion.errors import InputError
from vitrion.materials.material import KINDS, MaterialReport, material_formula
from vitrion.materials.quantities import activation_energy
from vitrion.report.draw import draw_figure
from vitrion.report.figures.ion_transport import (
    arrhenius_panel,
    jump_network_panel,
    msd_panel,
    van_hove_panels,
)
from vitrion.report.figures.time_series import trajectory_panels
from vitrion.report.headline import NOT_DETERMINED
from vitrion.report.panels import Figure, Panel
from vitrion.report.sections import figures_of
from vitrion.report.typeset import typeset
from vitrion.transport.arrhenius_fit import ArrheniusResult
from vitrion.transport.constants import ROOM_K
from vitrion.transport.result import TransportResult
from vitrion.uncertainty import upper_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.figure import Figure as MatplotlibFigure

    from vitrion.comparison.tables import Table
    from vitrion.uncertainty import Interval

MOST_CAUTIONS = 6
RESULT_PANELS: dict[str, Callable[..., tuple[Panel, ...]]] = {
    "msd": lambda result, **options: (msd_panel(result, **options),),
    "van_hove": van_hove_panels,
    "jumps": lambda result: (jump_network_panel(result),),
}


@singledispatch
def html_of(shown: Any) -> str:
    """Return an object as HTML: a table with intervals, and cautions.

    Raises
    ------
    TypeError
        If the class has no table.
    """
    raise TypeError(f"A {type(shown).__name__} has no table.")


@singledispatch
def plot_of(shown: Any, path: str | None = None, **options: Any) -> MatplotlibFigure:
    """Draw an object, and write it to a file if a path is given.

    Raises
    ------
    InputError
        If there is nothing to draw, or an option is unknown.
    """
    raise InputError(f"A {type(shown).__name__} has no figure.")


def _html(table: Table, notes: Iterable[str] = ()) -> str:
    items = "".join(f"<li>{escape(typeset(note))}</li>" for note in notes)
    return _table(table) + (f"<ul>{items}</ul>" if items else "")


def _table(table: Table) -> str:
    return typeset(table._repr_html_())


def _pairs(caption: str, rows: Sequence[tuple[str, Cell | str]]) -> Table:
    shown = [row for row in rows if row[1] not in (MISSING, Cell(MISSING), "")]
    return make_table(caption, ("quantity", "value #"), shown, sortable=False)


@html_of.register(TransportResult)
def _(shown: TransportResult) -> str:
    rows: list[tuple[str, Cell | str]] = [
        ("D* (cm2/s)", quantified(shown.self_diffusivity_or_bound)),
        (
            f"conductivity (mS/cm), {shown.headline}",
            quantified(shown.conductivity_or_bound),
        ),
        ("Haven ratio", quantified(shown.haven_ratio)),
        ("hops", measured(shown.hops.n_hops, "d")),
        ("length of the run (ps)", measured(shown.duration_ps, "")),
    ]
    if shown.provisional is not None and not shown.diffusive:
        value = quantified(shown.provisional.self_diffusivity)
        rows.insert(1, ("provisional D* (cm2/s), not counted", value))
    mobile = ", ".join(shown.mobile)
    verdict = "diffusive" if shown.diffusive else "not diffusive"
    caption = f"{mobile} at {shown.temperature_K:.0f} K, {verdict}; 95 % intervals"
    return _html(_pairs(caption, rows), [shown.regime.reason, *shown.warnings])


@html_of.register(ArrheniusResult)
def _(shown: ArrheniusResult) -> str:
    at_room = f"{ROOM_K:.0f} K"
    energy = None if shown.fit is None else shown.fit.activation_energy
    head: list[tuple[str, Cell | str]] = [
        ("activation energy (eV)", quantified(energy)),
        (f"D at {at_room} (cm2/s)", quantified(shown.diffusivity_300K)),
        (f"conductivity at {at_room} (mS/cm)", quantified(shown.sigma_300K_or_bound)),
    ]
    points = [
        (
            f"D at {point.temperature_K:.0f} K (cm2/s)",
            quantified(point.diffusivity or upper_bound(point.bound_cm2_s)),
        )
        for point in shown.points
    ]
    rows = [*head, *points]
    excluded = [f"{p.temperature_K:.0f} K: {p.excluded}" for p in shown.points if p.excluded]
    caption = f"Temperature dependence of the {shown.quantity} diffusivity, 95 % intervals"
    return _html(_pairs(caption, rows), [*shown.refusals, *excluded])


@html_of.register(VitrionDoc)
def _(shown: VitrionDoc) -> str:
    notes = _cautions(shown)
    if isinstance(shown, ConductivityDoc):
        return _conductivity_html(shown, notes)
    if shown.property_name in KINDS:
        comparison = compare(MaterialReport.from_documents([shown]))
        if comparison.rows:
            caption = f"{_title(shown)}, 95 % intervals"
            table = dataclasses.replace(comparison.table.without("the paper"), caption=caption)
            return _html(table, notes)
    rows = [(name, _cell(value, interval)) for name, value, interval in _key_values(shown)]
    return _html(_pairs(_title(shown), rows), notes)


def _conductivity_html(shown: ConductivityDoc, notes: Sequence[str]) -> str:
    report = MaterialReport.from_documents([shown])
    sigma = shown.sigma_300K_or_bound
    answer = NOT_DETERMINED if shown.sigma_300K is None else f"{shown.sigma_300K.text} mS/cm"
    lines = [f"conductivity at 300 K: {answer}"]
    energy = activation_energy(report)
    if energy is not None:
        lines.append(f"activation energy: {energy.text} eV")
    if shown.sigma_300K is None:
        progress, step = progress_of(shown), next_step(shown)
        lines += [progress] if progress else []
        lines += [f"next: {step}"] if step else []
        lines += [f"one-sided 95 % bound at 300 K: {sigma.text} mS/cm"] if sigma else []
    head = "".join(f"<div>{escape(typeset(line))}</div>" for line in lines)
    table = temperature_table([report]).without("material")
    table = dataclasses.replace(table, caption=f"{_title(shown)}, 95 % intervals")
    return f"<div><b>{escape(_title(shown))}</b>{head}</div>" + _html(table, notes)


def _title(document: VitrionDoc) -> str:
    kind = document.property_name.replace("_", " ")
    formula = material_formula(document) if document.formula_pretty else ""
    return ", ".join(filter(None, (formula, document.phase, kind, document.material_id)))


def _key_values(document: VitrionDoc) -> list[tuple[str, Any, Interval | None]]:
    """Return names, values and 95 % intervals of the quantities of a document."""
    if isinstance(document, SummaryDoc):
        return [(name, v, document.intervals.get(name)) for name, v in document.values.items()]
    content = document.model_dump()
    return [
        (name, follow(content, path), interval_of(content, path))
        for name, path in document.key_fields.items()
    ]


def _cautions(document: VitrionDoc) -> list[str]:
    if document.property_name not in KINDS:
        return []
    found = cautions_of([MaterialReport.from_documents([document])])
    texts = [f"{c.severity}: {c.text}" for c in found if c.severity != "good"]
    more = len(texts) - MOST_CAUTIONS
    return texts[:MOST_CAUTIONS] + ([f"{more} other cautions"] if more > 0 else [])


def _cell(value: Any, interval: Interval | None) -> Cell | str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return MISSING if value is None else str(value)
    return ranged(float(value), interval)


@html_of.register(Trajectory)
def _(shown: Trajectory) -> str:
    n_frames = len(shown)
    rows: list[tuple[str, Cell | str]] = [
        ("atoms", measured(len(shown.symbols), "d")),
        ("frames", measured(n_frames, "d")),
        ("time between frames (fs)", measured(shown.frame_interval_fs, "")),
    ]
    if n_frames:
        rows += [
            ("length (ps)", measured(float(shown.times_ps()[-1]), "")),
            ("mean temperature (K)", measured(float(shown.temperatures().mean()), ".0f")),
            ("volume (A3)", measured(_volume(shown), "")),
        ]
    formula = _formula(shown.symbols)
    return _html(_pairs(f"Trajectory of {formula}", rows))


def _volume(trajectory: Trajectory) -> float:
    """Return the volume of the last frame in A3."""
    import numpy as np

    return abs(float(np.linalg.det(trajectory.cells(slice(-1, None))[0])))


def _formula(symbols: Sequence[str]) -> str:
    from vitrion.chemistry.bonds import formula_of

    return formula_of(symbols)


@html_of.register(Maker)
def _(shown: Maker) -> str:
    rows = [(name, _setting(value)) for name, value in _changed(shown).items()]
    first = (type(shown).__doc__ or "").strip().partition("\n")[0]
    table = make_table(
        f"{type(shown).__name__} '{shown.name}': {first}",
        ("setting", "value"),
        rows,
        sortable=False,
    )
    return _table(table)


def _changed(maker: Maker) -> dict[str, Any]:
    """Return the settings of a Maker with the settings inside its Makers, by dotted name."""
    found: dict[str, Any] = {}
    for part in dataclasses.fields(maker):
        value = getattr(maker, part.name)
        if part.name == "name":
            continue
        if isinstance(value, Maker):
            found |= {f"{part.name}.{name}": inner for name, inner in _changed(value).items()}
        else:
            found[part.name] = value
    return {name: value for name, value in found.items() if value is not None}


def _setting(value: Any) -> str:
    if isinstance(value, BaseModel):
        stated = value.model_dump(exclude_defaults=True, exclude_none=True)
        return ", ".join(f"{name}={part}" for name, part in stated.items()) or "defaults"
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


@html_of.register(VitrionClient)
def _(shown: VitrionClient) -> str:
    counts = {name: shown[name].count() for name in shown.properties}
    rows: list[list[Cell | str]] = [
        [name, measured(n, "d"), _fields(shown[name])] for name, n in counts.items() if n
    ]
    heads = ("kind", "documents #", "quantities to search by")
    caption = "Documents of the store" if rows else "The store has no documents"
    return _table(make_table(caption, heads, rows))


@html_of.register(PropertyClient)
def _(shown: PropertyClient) -> str:
    table = _pairs(
        f"{shown.name}: search(...) returns {shown.document_class.__name__}",
        [
            ("documents", measured(shown.count(), "d")),
            ("quantities to search by", _fields(shown)),
        ],
    )
    return _table(table)


def _fields(client: PropertyClient) -> str:
    return ", ".join(client.key_fields) or MISSING


@plot_of.register(TransportResult)
def _(
    shown: TransportResult, path: str | None = None, *, kind: str = "msd", **options: Any
) -> MatplotlibFigure:
    if kind not in RESULT_PANELS:
        raise InputError(f"The kind must be one of {', '.join(RESULT_PANELS)}, not '{kind}'.")
    return _drawn(RESULT_PANELS[kind](shown, **options), path)


@plot_of.register(ArrheniusResult)
def _(shown: ArrheniusResult, path: str | None = None, **options: Any) -> MatplotlibFigure:
    return _drawn((arrhenius_panel(shown, **options),), path)


@plot_of.register(VitrionDoc)
def _(shown: VitrionDoc, path: str | None = None, *, kind: str | None = None) -> MatplotlibFigure:
    figures = []
    if shown.property_name in KINDS:
        figures = figures_of([MaterialReport.from_documents([shown])])
    known = {figure.name: figure for figure in figures}
    if not known:
        raise InputError(f"This {shown.property_name} document has no figure.")
    if kind is not None and kind not in known:
        raise InputError(f"The kind must be one of {', '.join(known)}, not '{kind}'.")
    return draw_figure(known[kind or next(iter(known))], path)


@plot_of.register(Trajectory)
def _(shown: Trajectory, path: str | None = None) -> MatplotlibFigure:
    return _drawn(trajectory_panels(shown), path)


def _drawn(panels: tuple[Panel, ...], path: str | None) -> MatplotlibFigure:
    return draw_figure(Figure("figure", "", "", (panels,)), path)
