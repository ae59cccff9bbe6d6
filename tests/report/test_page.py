"""The page as text: whole, safe, and explicit about what is missing."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from vitrion.amorphous.glass_transition import GlassTransition
from vitrion.chemistry.formulas import subscripted
from vitrion.comparison.cautions import cautions_of
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError
from vitrion.materials.material import MaterialReport
from vitrion.report.page import json_block, render_index, render_page
from vitrion.report.palette import PALETTE
from vitrion.report.structure_views import scene
from vitrion.report.typeset import formula_html, rich_html, typeset


class Outline(HTMLParser):
    """Collects identifiers, references, and the tags that are open too long."""

    VOID = ("meta", "br", "img", "input", "link", "hr")

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.open, self.headings = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        self.links += [found[name] for name in ("href", "src") if name in found]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(reports):
    return render_page(*reports)


def test_the_page_is_one_well_formed_document(html):
    outline = Outline(html)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    inner = {link[1:] for link in outline.links if link.startswith("#")}
    assert inner <= set(outline.ids)
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(outline.headings, outline.headings[1:], strict=False))
    # Citations are all that leads away, and nothing is loaded.
    away = [link for link in outline.links if not link.startswith("#")]
    assert all(link.startswith(("https://doi.org/", "https://arxiv.org/")) for link in away)
    assert len(html) < 3_000_000


def test_only_the_scripts_of_the_page_may_run(html):
    allowed = set(re.findall(r"sha256-([\w+/=]+)", html[: html.index("<style>")]))
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.S)
    made = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}
    assert made == allowed
    assert len(scripts) == 5
    assert "default-src &#39;none&#39;" in html


def test_every_figure_has_its_data(html):
    block = re.search(r'id="figure-data">(.*?)</script>', html, flags=re.S)[1]
    figures = json.loads(block)["figures"]
    places = re.findall(r'data-figure="([\w]+)" data-panel="(\d+)"', html)
    assert {name for name, _ in places} == set(figures)
    assert all(figures[name][int(panel)]["data"] for name, panel in places)


def test_stored_text_stays_text(html, hostile_report):
    assert "<img" not in html
    other = render_page(hostile_report)
    assert "<img" not in other
    assert "&lt;img src=x" in other
    block = json_block("x", {"a": "</script><b>&\u2028"})
    assert "<b>" not in block
    assert json.loads(re.search(">(.*)<", block)[1])["a"] == "</script><b>&\u2028"
    with pytest.raises(ValueError, match="JSON"):
        json_block("x", [float("nan")])


def test_what_is_missing_is_named_with_its_command(reports):
    page = render_page(MaterialReport.from_documents([reports[0].conductivity]))
    assert "vitrion search LiPO2F2" in page
    assert "Defects and barriers: <code>vitrion run LiPO2F2</code>" in page
    assert 'id="candidates"' not in page
    assert "Not yet computed" not in render_page(*reports)
    with pytest.raises(InputError, match="at least one"):
        render_page()


def test_crystal_and_glass_stand_side_by_side(html):
    overview = html[html.index('id="overview"') : html.index('id="transport"')]
    assert "below" in overview
    assert "glass over crystal" in overview
    assert "at least" in overview
    assert "glass about 0.18; ratio about 1000" in overview


def test_the_glass_transition_of_a_quench_has_its_interval(reports):
    kink = GlassTransition(
        temperature_K=684.4,
        low_K=610.0,
        high_K=750.0,
        glass_heat_capacity_kB=1.6,
        liquid_heat_capacity_kB=2.4,
    )
    glass = reports[1].glasses[0].model_copy(update={"glass_transition": kink})
    page = render_page(MaterialReport.from_documents([glass]))
    assert "684 (610 to 750)" in page
    assert "glass transition (K)" not in render_page(*reports), "no quench has a kink"


def test_the_trust_panel_holds_every_limit(reports, hostile_report):
    found = cautions_of(reports)
    texts = {caution.text: caution.severity for caution in found}
    assert texts["1 of 3 frames left the trained range."] == "doubt"
    refusal = next(text for text in texts if text.startswith("An activation energy needs"))
    assert texts[refusal] == "doubt"
    assert any(text.startswith("This one is hostile") for text in texts)
    assert any(text.startswith("Two replicas") for text in texts)
    order = [caution.severity for caution in found]
    assert order == sorted(order, key=("doubt", "caution", "good").index)
    failure = next(s for s in cautions_of([hostile_report]) if "failed" in s.text)
    assert failure.severity == "doubt"
    # What is true of both replicas is said once.
    hostile = [s for s in found if s.text.startswith("This one is hostile")]
    assert len(hostile) == 1
    assert hostile[0].about == "LiPO2F2 glass 1 and 2"


def test_potentials_that_differ_are_a_doubt(reports):
    crystal, glass = reports
    other = glass.conductivity.provenance.potential.model_copy(update={"sha256": "0" * 64})
    origin = glass.conductivity.provenance.model_copy(update={"potential": other})
    changed = glass.conductivity.model_copy(update={"provenance": origin})
    mixed = MaterialReport.from_documents([changed])
    assert any("different potentials" in s.text for s in cautions_of([crystal, mixed]))
    assert not any("different potentials" in s.text for s in cautions_of(reports))


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("side", "ground"), [(0, "#ffffff"), (1, "#1a212a")])
def test_colors_contrast_with_their_background(side, ground):
    """WCAG 2.1: 4.5 for text, 3 for what is drawn."""
    for name, pair in PALETTE.items():
        light, dark = sorted((luminance(pair[side]), luminance(ground)), reverse=True)
        contrast = (light + 0.05) / (dark + 0.05)
        if name != "grid":  # lines that may fade
            assert contrast >= (4.5 if name in ("ink", "muted") else 3.0), name


def test_units_and_formulas_are_set_as_in_print():
    assert typeset("D* (cm2/s)") == "D* (cm\u00b2/s)"
    assert typeset("2.0e-7 +- 1") == "2.0\u00d710\u207b\u2077 \u00b1 1"
    assert typeset("hash 6774d7c47988e9") == "hash 6774d7c47988e9"
    assert typeset("below 2e-7") == "below 2\u00d710\u207b\u2077"
    assert typeset("r (A)") == "r (\u00c5)"
    assert typeset("moved 6.4 A2, x 3") == "moved 6.4 \u00c5\u00b2, \u00d7\u20093"
    assert typeset("-0.6 (-0.7 to -0.5)") == "\u22120.6 (\u22120.7 to \u22120.5)"
    assert typeset("vitrion-7 at 300 K") == "vitrion-7 at 300 K"
    assert subscripted("Li2CO3 glass 2") == "Li\u2082CO\u2083 glass 2"
    assert formula_html("PO2F2 <b>") == "PO<sub>2</sub>F<sub>2</sub> &lt;b&gt;"
    assert (
        rich_html("LiPO2F2, volume (A3)") == "LiPO<sub>2</sub>F<sub>2</sub>, volume (\u00c5\u00b3)"
    )


def test_a_scene_keeps_ions_whole(reports):
    glass = reports[1].glasses[0].structure
    made = scene(glass, "glass")
    symbols = [made["elements"][atom[0]]["symbol"] for atom in made["atoms"]]
    bonds = dict.fromkeys(range(len(symbols)), 0)
    for first, second in made["bonds"]:
        bonds[first] += 1
        bonds[second] += 1
    # Each phosphorus of a PO2F2 ion has its four ligands, also across the faces of the cell, and
    # no ligand is drawn without its phosphorus.
    assert {bonds[i] for i, symbol in enumerate(symbols) if symbol in "OF"} == {1}
    assert {bonds[i] for i, symbol in enumerate(symbols) if symbol == "P"} == {4}
    assert symbols.count("P") >= 8
    assert {bonds[i] for i, symbol in enumerate(symbols) if symbol == "Li"} == {0}


def test_a_small_cell_is_repeated(crystal_cell):
    made = scene(crystal_cell, "crystal")
    assert made["name"] == "crystal, 2 x 2 x 2 cells"
    assert made["cell"][0][0] == pytest.approx(2 * crystal_cell.lattice.a)


def test_the_list_shows_values_bounds_and_escaped_names():
    summaries = [
        SummaryDoc(
            formula_pretty="LiF",
            material_id="<script>alert(1)</script>",
            phase="crystalline",
            document_ids={},
            values={"sigma_300K_bound": 1e-7, "frenkel_energy_eV": 2.5},
        )
    ]
    page = render_index(summaries)
    assert "<script>alert" not in page
    assert "below 1.0\u00d710\u207b\u2077" in page
    assert "2.50" in page
    assert "vitrion run" in render_index([])
