"""Files of the page hold what the page shows, in formats that programs read."""

import base64
import csv
import gzip
import io
import json
import re

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from vitrion.comparison.side_by_side import compare
from vitrion.comparison.tables import make_table, measured, quantified, ranged
from vitrion.database.export import spreadsheet_safe
from vitrion.database.summary import SummaryDoc
from vitrion.report.downloads import (
    files_of_documents,
    files_of_figure,
    files_of_structures,
    files_of_table,
    packed,
)
from vitrion.report.page import materials_table, render_page
from vitrion.report.sections import figures_of
from vitrion.report.structure_facts import facts_of, oxidation_states, site_rows, structure_files
from vitrion.report.structure_views import scene, shown_structures
from vitrion.uncertainty import upper_bound


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_structures_are_read_back(reports):
    structures = shown_structures(reports)
    files = files_of_structures(structures, map(site_rows, structures.values()))
    assert len(files) == 3 * len(structures) == 15
    glass = reports[1].glasses[0].structure
    cif = Structure.from_str(files["structures/LiPO2F2_glass_1.cif"], fmt="cif")
    assert cif.composition == glass.composition
    assert cif.volume == pytest.approx(glass.volume, rel=1e-4)
    poscar = Poscar.from_str(files["structures/LiPO2F2_glass_1.vasp"]).structure
    assert poscar.lattice.abc == pytest.approx(glass.lattice.abc)
    nearest = poscar.lattice.get_all_distances(poscar.frac_coords, glass.frac_coords).min(axis=1)
    assert nearest.max() < 1e-3
    sites = rows(files["structures/LiPO2F2_glass_1_sites.csv"])
    assert {site["neighbors"] for site in sites if site["element"] == "P"} == {"F2O2"}


def test_facts_are_those_of_the_structure(crystal_cell):
    facts = facts_of(crystal_cell)
    lattice = dict(facts["lattice"])
    assert lattice["a, b, c"] == "5.200, 5.200, 5.200 \u00c5"
    assert lattice["volume"] == "140.61 \u00c5\u00b3"
    assert [row[1] for row in facts["sites"]] == ["Li", "P", "O", "O", "F", "F"]


def test_wyckoff_positions_are_those_of_the_conventional_cell():
    """Fluorite structure, from its primitive cell: Li 8c, O 4a."""
    conventional = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.61), ["O", "Li"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    primitive = conventional.get_primitive_structure()
    assert len(primitive) == 3
    assert {row[1]: row[2] for row in site_rows(primitive)} == {"Li": "8c", "O": "4a"}
    assert site_rows(conventional)[0][2] == "4a"


def test_the_symmetry_of_a_structure_is_determined_once(crystal_cell, monkeypatch):
    """Viewer and downloads of one structure share it."""
    calls = []
    determine = spglib.get_symmetry_dataset
    monkeypatch.setattr(
        spglib, "get_symmetry_dataset", lambda *a, **k: calls.append(1) or determine(*a, **k)
    )
    moved = crystal_cell.copy().translate_sites([0], [0.001, 0.0, 0.0])
    facts = facts_of(moved)
    files = structure_files(moved, site_rows(moved))
    assert len(calls) == 1
    group = dict(facts["lattice"])["space group"]
    assert group == dict(facts_of(crystal_cell)["lattice"])["space group"]
    wyckoffs = [row["Wyckoff"] for row in rows(files["_sites.csv"])]
    assert wyckoffs == [str(row[2]) for row in facts["sites"]]


def test_oxidation_states_balance():
    assert oxidation_states("LiPO2F2") == "Li +1, P +5, O -2, F -1"
    assert oxidation_states("Li3PS4") == "Li +1, P +5, S -2"
    assert oxidation_states("LiAl") is None
    assert oxidation_states("Li40P7O30F4") is None


def test_polyhedra_have_their_center_inside(reports):
    glass = reports[1].glasses[0].structure
    made = scene(glass, "glass")
    kinds = [element["symbol"] for element in made["elements"]]
    tetrahedra = [p for p in made["polyhedra"] if kinds[p[0]] == "P"]
    assert len(tetrahedra) == 8
    assert all(len(corners) == 4 and len(faces) == 4 for _, corners, faces in tetrahedra)
    places = np.array([place for kind, *place in made["atoms"] if kinds[kind] == "P"])
    for _, corners, _ in tetrahedra:
        middle = np.mean(corners, axis=0)
        assert np.linalg.norm(places - middle, axis=1).min() < 0.6
    assert np.array(made["unit"]) == pytest.approx(glass.lattice.matrix, abs=1e-3)


def test_a_table_keeps_values_and_intervals_as_numbers(reports):
    table = compare(*reports).table
    files = files_of_table(table)
    (name,) = [name for name in files if name.endswith(".csv")]
    found = {row["quantity"]: row for row in rows(files[name])}
    sigma = reports[1].conductivity.sigma_300K
    row = found["conductivity at 300 K (mS/cm)"]
    assert float(row["LiPO2F2 glass"]) == pytest.approx(sigma.value)
    assert float(row["LiPO2F2 glass, low"]) == pytest.approx(sigma.low)
    assert float(row["LiPO2F2 crystal, high"]) == pytest.approx(
        reports[0].conductivity.sigma_300K_bound
    )
    assert row["LiPO2F2 crystal"] == ""
    content = json.loads(files[name.replace(".csv", ".json")])
    assert [r["quantity"] for r in content["rows"]] == list(found)


def test_a_figure_keeps_its_curves_points_and_bounds(reports):
    (figure,) = [f for f in figures_of(reports) if f.name == "arrhenius"]
    files = files_of_figure(figure)
    found = rows(files["figures/arrhenius.csv"])
    assert {row["kind"] for row in found} == {"curve", "band", "point", "upper bound"}
    bounds = [float(row["high"]) for row in found if row["kind"] == "upper bound"]
    crystal = reports[0].conductivity.results
    assert bounds == pytest.approx([result.conductivity_bound_mS_cm for result in crystal])
    content = json.loads(files["figures/arrhenius.json"])
    assert len(content["panels"][0]["data"]) == len(found)
    for other in figures_of(reports):
        json.loads(files_of_figure(other)[f"figures/{other.name}.json"])


def test_documents_are_read_back(reports):
    files = files_of_documents(reports)
    assert len(files) == sum(len(report.documents) for report in reports)
    text = files["documents/LiPO2F2_glass_conductivity_1.json"]
    document = type(reports[1].conductivity).model_validate_json(text)
    assert document.sigma_300K == reports[1].conductivity.sigma_300K


def test_text_that_a_spreadsheet_would_execute_is_only_text(reports):
    table = compare(*reports).table
    row = table.rows[0]
    hostile = type(row[0])("=cmd()")
    changed = type(table)(table.caption, table.columns, ((hostile, *row[1:]),))
    (text,) = [t for name, t in files_of_table(changed).items() if name.endswith(".csv")]
    assert "'=cmd()" in text
    assert [spreadsheet_safe(value) for value in ("-1+cmd()", "-", -1.5, "\t=1", "Li")] == [
        "'-1+cmd()", "-", -1.5, "'\t=1", "Li",
    ]  # fmt: skip


def test_the_density_of_site_energies_has_its_energies_in_y(reports):
    (figure,) = [f for f in figures_of(reports) if f.name == "landscape"]
    content = json.loads(files_of_figure(figure)["figures/landscape.json"])
    rows = [row for panel in content["panels"] for row in panel["data"] if row["kind"] == "band"]
    bands = [mark for panel in figure.panels for mark in panel.marks if hasattr(mark, "upright")]
    energies = [value for band in bands for value in band.x]
    assert [row["y"] for row in rows] == pytest.approx(energies, rel=1e-6)
    assert {row["x"] for row in rows} == {None}


def test_large_files_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr("vitrion.report.downloads.MAX_BYTES", 200)
    rng = np.random.default_rng(0)
    noise = rng.bytes(2000).hex()
    kept, omitted = packed({"a.csv": "x,y\n1,2\n", "b.json": noise})
    assert list(kept) == ["a.csv"]
    assert omitted == ["b.json"]


def test_every_button_has_its_file(reports):
    page = render_page(*reports)
    block = re.search(r'id="file-data">(.*?)</script>', page, flags=re.S)[1]
    files = json.loads(block)
    asked = set(re.findall(r'data-file="([^"]+)"', page))
    assert asked == set(files)
    text = gzip.decompress(base64.b64decode(files["figures/arrhenius.csv"])).decode()
    assert text.startswith("panel,curve,kind,x,y,low,high,note\n")


def test_files_of_a_table_keep_bounds_and_values_without_interval():
    cells = [
        ranged(2.0, (1.0, 3.0)),
        ranged(4.0, None),
        quantified(upper_bound(0.5)),
        quantified(None),
        measured(7.0),
    ]
    table = make_table("t", ("sigma #",), [[cell] for cell in cells])
    found = [[row["sigma"], row["sigma, low"], row["sigma, high"]] for row in rows(text_of(table))]
    assert found == [
        ["2.0", "1.0", "3.0"],
        ["4.0", "", ""],
        ["", "", "0.5"],
        [""] * 3,
        ["7.0", "", ""],
    ]


def test_a_bound_in_the_list_of_materials_is_not_a_value(reports):
    """Also if no material of the list has a value with an interval."""
    summary = SummaryDoc(formula_pretty="LiF", document_ids={}, values={"sigma_300K_bound": 1e-7})
    table = materials_table([summary])
    head = "conductivity at 300 K (mS/cm)"
    (row,) = rows(text_of(table))
    assert (row[head], row[f"{head}, high"]) == ("", "1e-07")
    (cell,) = [c for c in table.rows[0] if c.text.startswith("below")]
    assert cell.order == 1e-7


def text_of(table):
    """Return the CSV of a table."""
    return next(text for name, text in files_of_table(table).items() if name.endswith(".csv"))
