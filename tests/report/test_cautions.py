"""One list of cautions: ranked, and the same in the terminal, on the page and in a notebook."""

import html
import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from vitrion.cli.results import print_comparison
from vitrion.comparison.cautions import KINDS, SEVERITIES, cautions_of
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import Cell, Column, make_table, measured
from vitrion.conductivity.temperature_choice import ScanPoint, choose_temperatures
from vitrion.errors import InputError
from vitrion.materials.material import MaterialReport
from vitrion.report.page import render_page
from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.arrhenius_points import ArrheniusPoint
from vitrion.uncertainty import Estimate


def curved():
    """Return a document's fit of four temperatures on a strong VTF curve, one of them excluded."""
    temperatures = np.array([500.0, 600.0, 700.0, 850.0, 1000.0])
    values = np.exp(-8.0 - 900.0 / (temperatures - 400.0))
    points = [
        ArrheniusPoint(
            temperature_K=t,
            diffusivity=Estimate(value=v, relative_error=0.02, degrees_of_freedom=50.0),
        )
        for t, v in zip(temperatures, values, strict=True)
    ]
    return arrhenius(points, melting_K=950.0)


@pytest.fixture
def glass(reports):
    document = reports[1].conductivity.model_copy(update={"arrhenius": curved()})
    return MaterialReport.from_documents([document, *reports[1].glasses])


def test_what_the_page_says_of_replicas_vtf_and_left_out_points_is_in_the_list(glass):
    kinds = {caution.kind: caution for caution in cautions_of([glass])}
    assert kinds["few_replicas"].text.startswith("Two replicas")
    assert kinds["few_replicas"].place == "glass"
    assert kinds["vtf_preferred"].severity == "doubt"
    assert (
        "1000 K is excluded from the fit: above the melting point" in kinds["point_left_out"].text
    )
    assert kinds["point_left_out"].place == "transport"


def test_the_list_states_how_temperatures_were_chosen(glass):
    points = [
        ScanPoint(temperature_K=t, duration_ps=15.0, moved_fraction=moved, diffusivity=None)
        for t, moved in ((300.0, 0.0), (600.0, 0.1), (1200.0, 1.0))
    ]
    choice = choose_temperatures(points, 3, 400.0, n_mobile=24, n_framework=24)
    document = glass.conductivity.model_copy(update={"temperature_choice": choice})
    chosen = MaterialReport.from_documents([document, *glass.glasses])
    (found,) = [c for c in cautions_of([chosen]) if c.kind == "temperatures_chosen"]
    assert found.text == (
        f"The framework softens at about {choice.softening_K:.0f} K; no diffusion was found."
    )
    assert 400.0 < choice.softening_K < 600.0


def test_terminal_page_and_notebook_hold_the_same_cautions(reports, glass):
    crystal = reports[0]
    found = compare(crystal, glass, failed_steps={"crystal landscape": "It diverged."})
    assert found.cautions[0].kind == "failed_step"
    console = Console(record=True, width=300, markup=False, file=io.StringIO())
    print_comparison(console, found)
    terminal = console.export_text()
    notebook = html.unescape(found._repr_html_())
    page = render_page(crystal, glass)
    for caution in found.cautions:
        assert f"{caution.severity}: {caution.sentence}" in terminal
        if caution.severity != "good":
            assert caution.sentence in notebook
        if caution.kind != "failed_step":
            assert caution in compare(crystal, glass).cautions
    shown = page[page.index('id="trust"') : page.index('id="downloads"')]
    assert shown.count("<li class=") == len(compare(crystal, glass).cautions)
    answer = page[page.index('id="overview"') : page.index('id="transport"')]
    limits = [c for c in compare(crystal, glass).cautions if c.severity != "good"]
    assert answer.count("<li class=") == min(len(limits), 5)


def test_cautions_are_ranked_and_of_known_kinds(reports, glass):
    found = cautions_of([reports[0], glass])
    assert {caution.kind for caution in found} <= set(KINDS)
    ranks = [(SEVERITIES.index(c.severity), KINDS.index(c.kind)) for c in found]
    assert ranks == sorted(ranks)


def test_one_material_has_no_change_and_none_is_refused(reports):
    alone = compare(reports[1])
    names = [column.name for column in alone.table.columns]
    assert names == ["quantity", "LiPO2F2 glass"]
    assert alone.row("sigma_300K").change is None
    assert alone.row("no such quantity") is None
    with pytest.raises(InputError, match="at least one"):
        compare()


def test_the_rows_have_the_names_that_searches_use(reports):
    keys = [row.key for row in compare(*reports).rows]
    assert keys[:3] == ["sigma_300K", "activation_energy_eV", "frenkel_energy_eV"]
    assert len(set(keys)) == len(keys)


def test_tables_in_markdown_and_html():
    table = make_table("A caption", ("name", "value #"), [["a|b", measured(0.18)], ["<c>", "-"]])
    assert table.markdown().splitlines() == [
        "| name | value |", "| --- | ---: |", r"| a\|b | 0.18 |", "| <c> | - |",
    ]  # fmt: skip
    assert "<td>&lt;c&gt;</td>" in table._repr_html_()
    assert [column.name for column in table.without("name").columns] == ["value"]
    wider = table.with_column(Column("more"), [Cell("1"), Cell("2")])
    assert [row[-1].text for row in wider.rows] == ["1", "2"]


def test_remarks_on_several_glasses_are_one_with_the_largest_number(reports):
    """Glasses of several runs all have the number 1; their remarks differ in numbers."""
    document = reports[1].glasses[0]
    settings = document.settings
    glasses = [
        document.model_copy(
            update={
                "replica": 1,
                "settings": settings and settings.model_copy(update={"seed": seed}),
                "remarks": [f"Packed ions broke or bonded to each other: {percent}% after melt."],
            }
        )
        for seed, percent in enumerate((8, 21, 12))
    ]
    material = replace(reports[1], glasses=tuple(glasses))
    (found,) = [c for c in cautions_of([material]) if c.kind == "glass_remark"]
    assert found.about == f"{material.name} 1, 2 and 3"
    assert found.text.endswith("21% after melt in replica 2, which has the largest number.")


def test_a_crystal_with_a_conductivity_from_its_defects_needs_no_fit(reports):
    refused = arrhenius(curved().points[:1])
    assert refused.refusals
    for route, severities in (("dynamics", {"doubt"}), ("defects", set())):
        document = reports[0].conductivity.model_copy(update={"arrhenius": refused, "route": route})
        material = replace(reports[0], conductivity=document)
        found = [c for c in cautions_of([material]) if c.kind == "fit_refused"]
        assert {caution.severity for caution in found} == severities


@pytest.mark.parametrize(
    ("sizes", "subject"),
    [
        ((1.0, 1.1), "LiPO2F2 glass 1 and 2, defects"),
        ((1.0, 1.0), "LiPO2F2 glass, defects"),
    ],
)
def test_cautions_about_defects_name_the_glass_of_their_cell(reports, sizes, subject):
    """They numbered the documents in the order of their times, whichever glasses they were of."""
    material, first = reports[1], reports[1].defects[0]
    glasses = [
        glass.model_copy(update={"structure": scaled(glass.structure, size)})
        for glass, size in zip(material.glasses, sizes, strict=True)
    ]
    records = [first.records[0].model_copy(update={"displaced_ions": 1}), *first.records[1:]]
    found = [
        first.model_copy(update={"structure": glass.structure, "records": records})
        for glass in reversed(glasses)
    ]
    material = replace(material, glasses=tuple(glasses), defects=tuple(found))
    (caution,) = [c for c in cautions_of([material]) if c.kind == "displaced_ions"]
    assert caution.about == subject


def scaled(structure, size):
    other = structure.copy()
    other.scale_lattice(size * structure.volume)
    return other
