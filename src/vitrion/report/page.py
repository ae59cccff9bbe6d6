"""Render the report as one self-contained HTML file.

The plots are drawn by plotly.js. Its basic bundle (1.2 MB, scatter and bar traces, MIT license) is
part of the package and embedded in each page, instead of the full bundle of the plotly package
(4.8 MB, version set by pymatgen): pages stay small and look the same everywhere. A small viewer
draws structures on a 2D canvas, because the basic bundle lacks 3D traces and WebGL is not always
available.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vitrion.chemistry.phases import PHASE_NAMES
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import MISSING, Cell, make_table, measured, quantified, ranged
from vitrion.documents.provenance import utc_now
from vitrion.errors import InputError
from vitrion.materials.material import disambiguate, material_formula
from vitrion.report.downloads import (
    file_name,
    files_of_documents,
    files_of_figure,
    files_of_structures,
    files_of_table,
    packed,
)
from vitrion.report.figures.extrapolation import novelty_figure
from vitrion.report.headline import cards_of
from vitrion.report.material_filters import MATCHES, RANGES, periodic_table
from vitrion.report.palette import PALETTE
from vitrion.report.plotly import plot_data
from vitrion.report.sections import sections_of
from vitrion.report.sources import citations_of, origin_tables
from vitrion.report.structure_views import shown_structures, structures_of
from vitrion.report.typeset import formula_html, rich_html, typeset
from vitrion.uncertainty import upper_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.comparison.tables import Table
    from vitrion.database.summary import SummaryDoc
    from vitrion.materials.material import MaterialReport
    from vitrion.report.navigation import Navigation
    from vitrion.report.panels import Figure

REPORT_LINK = "/report/{key}"
PLOT_SCRIPTS = ("plotly-basic.min.js", "plots.js")
OPTIONAL = ("space group", "sites", "density (g/cm3)", "potential")
"""Columns of the list of materials that are hidden until they are chosen."""

TOP_CAUTIONS = 5
"""Number of cautions beside the answer; all are in the section on trust."""


def render_page(*reports: MaterialReport, home: str = "") -> str:
    """Render the report on a material.

    Parameters
    ----------
    *reports : MaterialReport
        The phases of one material, from :func:`vitrion.comparison.report_search.find_reports`, or
        other materials. The second is compared with the first.
    home : str
        Address of the list of all materials; empty for a page without one.

    Returns
    -------
    str
        A complete HTML document without external resources.

    Raises
    ------
    InputError
        If no report is given.
    """
    if not reports:
        raise InputError("A page needs at least one report.")
    reports = tuple(disambiguate(reports))
    comparison = compare(*reports)
    sections = sections_of(comparison)
    structures = shown_structures(reports)
    novelty = novelty_figure(reports)
    figures = [figure for section in sections for figure in section.figures]
    figures += [novelty] if novelty is not None else []
    names = list(dict.fromkeys(report.formula for report in reports))
    overview = comparison.table if comparison.rows else None
    origin = origin_tables(reports)
    tables = [overview, *(table for section in sections for table in section.tables), *origin]
    scenes = structures_of(structures)
    files = files_of_structures(structures, [scene["facts"]["sites"] for scene in scenes])
    files, omitted = packed(files | _other_files(reports, figures, tables))
    return _render(
        "page.html.j2",
        (*(PLOT_SCRIPTS if figures else ()), "viewer.js", "tables.js", "files.js"),
        title=" and ".join(names),
        home=home,
        formulas=names,
        mobile=", ".join(dict.fromkeys(r.mobile for r in reports if r.mobile)),
        reports=reports,
        cards=cards_of(comparison),
        top=TOP_CAUTIONS,
        overview=overview,
        sections=[section for section in sections if not section.is_empty],
        missing=[section for section in sections if section.is_empty],
        novelty=novelty,
        cautions=comparison.cautions,
        anchors={section.name for section in sections if not section.is_empty},
        structures=scenes,
        origin=origin,
        citations=citations_of(reports),
        files=_by_subject(files),
        file_names=set(files),
        omitted=omitted,
        file_data=json_block("file-data", files),
        figure_data=json_block("figure-data", _figure_data(figures)),
        structure_data=json_block("structure-data", scenes),
    )


def _figure_data(figures: Iterable[Figure]) -> dict[str, Any]:
    """Return the figures for plotly.js, and the palette of both modes of the page."""
    plots = {figure.name: [plot_data(panel) for panel in figure.panels] for figure in figures}
    return {"figures": plots, "palette": PALETTE}


def _other_files(
    reports: Sequence[MaterialReport],
    figures: Iterable[Figure],
    tables: Iterable[Table | None],
) -> dict[str, str]:
    """Return the files of tables, figures and documents by name, the large ones last."""
    files: dict[str, str] = {}
    for table in tables:
        files |= {} if table is None else files_of_table(table)
    for figure in figures:
        files |= files_of_figure(figure)
    return files | files_of_documents(reports)


def _by_subject(names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Return file names by folder, and then by what they show."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        folder, _, rest = name.partition("/")
        subject = rest.rpartition(".")[0].removesuffix("_sites")
        found.setdefault(folder, {}).setdefault(subject, []).append(name)
    return found


def render_index(
    summaries: Iterable[SummaryDoc],
    *,
    link: str = REPORT_LINK,
    navigation: Navigation | None = None,
) -> str:
    """Render the list of all materials, one row per phase.

    Parameters
    ----------
    summaries : iterable of SummaryDoc
        Summaries, such as ``client.summary.search()``.
    link : str
        Address of a report; ``{key}`` stands for the identifier of the material.
    navigation : Navigation, optional
        Position in a list that a server divides into pages.
    """
    return _render(
        "index.html.j2",
        ("tables.js",),
        form_action="'none'" if navigation is None else "'self'",
        title="materials",
        table=materials_table(summaries, link),
        optional=OPTIONAL,
        table_of_elements=periodic_table(),
        ranges=RANGES,
        phases=PHASE_NAMES,
        matches=MATCHES,
        navigation=navigation,
    )


def materials_table(summaries: Iterable[SummaryDoc], link: str = REPORT_LINK) -> Table:
    """Return the table of materials, one row per phase; see :func:`render_index`."""
    rows = [_index_row(summary, link) for summary in summaries]
    heads = ("material", "identifier", "phase", "conductivity at 300 K (mS/cm) #",
             "activation energy (eV) #", "Frenkel pair (eV) #", "landscape gap (eV) #",
             "above hull (eV/atom) #", "glass density (g/cm3) #", "space group", "sites #",
             "density (g/cm3) #", "potential", "changed (UTC)")  # fmt: skip
    return make_table("All materials in the store", heads, rows)


def json_block(name: str, content: Any) -> Markup:
    """Return JSON in a script element, escaped so that it cannot end or execute."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/json" id="{name}">{text}</script>')


def _render(
    template: str, scripts: Sequence[str], *, form_action: str = "'none'", **values: Any
) -> str:
    sources = [_asset(name) for name in scripts]
    hashes = " ".join(f"'sha256-{_digest(source)}'" for source in sources)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; base-uri 'none'; form-action {form_action}"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy,
            colors=Markup(_color_variables()),
            style=Markup(_asset("style.css")),
            scripts=[Markup(source) for source in sources],
            vitrion_version=version("vitrion"),
            made=utc_now().strftime("%Y-%m-%d %H:%M"),
            **values,
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("vitrion.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "file_name": file_name,
        "typeset": typeset,
        "formula": formula_html,
        "rich": rich_html,
    }
    return environment


@lru_cache(maxsize=16)
def _asset(name: str) -> str:
    return files("vitrion.report").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _color_variables() -> str:
    sides = [
        " ".join(f"--{name}: {pair[side]};" for name, pair in PALETTE.items()) for side in (0, 1)
    ]
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {sides[1]} }} }}"
    return f":root {{ {sides[0]} }}\n{dark}"


def _index_row(summary: SummaryDoc, link: str) -> list[Cell | str]:
    formula = material_formula(summary)
    key = summary.material_id or formula
    sigma = _quantity(summary, "sigma_300K", "")
    bound = summary.values.get("sigma_300K_bound")
    if "sigma_300K" not in summary.values and isinstance(bound, float):
        sigma = quantified(upper_bound(bound))
    symmetry = summary.symmetry
    return [
        Cell(formula, link=link.format(key=quote(key, safe="")), is_formula=True),
        summary.material_id or MISSING,
        summary.phase or MISSING,
        sigma,
        _quantity(summary, "activation_energy_eV"),
        _quantity(summary, "frenkel_energy_eV"),
        _quantity(summary, "landscape_gap_eV"),
        _quantity(summary, "energy_above_hull_eV_per_atom", "z.3f"),
        _quantity(summary, "density_equilibrated_g_per_cm3"),
        MISSING if symmetry is None else f"{symmetry.symbol} ({symmetry.number})",
        measured(summary.nsites, "d"),
        measured(summary.density),
        ", ".join(summary.potentials) or MISSING,
        summary.last_updated.strftime("%Y-%m-%d %H:%M"),
    ]


def _quantity(summary: SummaryDoc, name: str, form: str = ".2f") -> Cell:
    """Return a cell of a quantity with its 95 % interval, if it has one."""
    value = summary.values.get(name)
    return ranged(value if isinstance(value, float) else None, summary.intervals.get(name), form)
