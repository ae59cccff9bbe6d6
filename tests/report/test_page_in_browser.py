"""The pages in a real browser: nothing fails or is fetched, plots are drawn, keys work."""

import csv
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from pymatgen.io.vasp import Poscar

from vitrion.database.summary import SummaryDoc
from vitrion.report.navigation import DEFAULT_SORT, Navigation
from vitrion.report.page import render_index, render_page

PATIENCE_MS = 180_000  # a page with all its plots loads slowly on a busy machine
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLOTS = {"arrhenius", "msd", "motion_in_space", "pair_distributions", "speciation", "candidates",
         "landscape", "defect_energies", "formation_energies", "barriers", "novelty"}  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("VITRION_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), "")
    if not path:
        pytest.skip("No Chromium on the PATH nor in VITRION_CHROMIUM: install Debian's 'chromium'.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


class Visitor:
    """Opens pages and notes what goes wrong in them."""

    def __init__(self, browser, folder):
        self.browser, self.folder, self.troubles, self.contexts = browser, folder, [], []

    def __call__(self, html, **options):
        file = self.folder / f"{len(self.contexts)}.html"
        file.write_text(html, encoding="utf-8")
        options = {"viewport": {"width": 1200, "height": 900}, **options}
        self.contexts.append(self.browser.new_context(**options))
        page = self.contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", lambda dialog: (self.troubles.append("dialog"), dialog.dismiss()))
        page.on("request", self._note_request)
        page.goto(file.as_uri())
        page.wait_for_load_state("load")
        return page

    def _note_request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.troubles.append(request.url)


@pytest.fixture
def visit(browser, tmp_path):
    visitor = Visitor(browser, tmp_path)
    yield visitor
    for context in visitor.contexts:
        context.close()
    assert visitor.troubles == []


@pytest.fixture(scope="module")
def opened(browser, html, tmp_path_factory):
    """Return one page for all tests that leave it as it was, and its visitor."""
    visitor = Visitor(browser, tmp_path_factory.mktemp("page"))
    return visitor(html), visitor


@pytest.fixture
def page(opened):
    page, visitor = opened
    yield page
    assert visitor.troubles == []


@pytest.fixture(scope="module")
def html(reports):
    return render_page(*reports)


def summaries(count):
    return [
        SummaryDoc(
            formula_pretty=formula,
            material_id=name,
            phase="amorphous",
            document_ids={},
            values={"sigma_300K": sigma} if sigma else {"sigma_300K_bound": 0.5},
        )
        for formula, name, sigma in [
            ("LiP(OF)2", None, 0.2), ("LiF", "mp-1138", 3e-7), ("Li3PO4", "id/with space", None)
        ][:count]
    ]  # fmt: skip


def test_every_plot_is_drawn(page):
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('.plot')].map((plot) => ({
            name: plot.dataset.figure,
            traces: plot.data.filter((t) => t.visible && t.x.some((x) => x !== null)).length,
            shown: plot.querySelectorAll('.scatterlayer .trace, .barlayer .trace').length,
            ink: [...plot.querySelectorAll('.trace path')].filter((p) => p.getBBox().width).length,
        }))"""
    )
    assert {plot["name"] for plot in drawn} == PLOTS
    for plot in drawn:
        assert plot["traces"] > 0
        assert plot["shown"] >= plot["traces"]
        assert plot["ink"] > 0
    # Crystal: bounds alone; glass: band, line, points; and the paper's line.
    names = page.evaluate(
        "() => [...document.querySelectorAll('.plot')][0].data.map((trace) => trace.name ?? '')"
    )
    assert any("upper bounds" in name for name in names)
    assert any("<i>E</i>\u2090 = " in name for name in names)
    assert any("glass in the paper" in name for name in names)


def test_bounds_have_the_colors_of_their_materials(page):
    strange = page.evaluate("""() => {
        const { palette } = JSON.parse(document.getElementById("figure-data").textContent);
        const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(", ");
        const known = new Set(Object.values(palette).map(([light]) => `rgb(${rgb(light)})`));
        const plot = document.querySelector('[data-figure="arrhenius"]');
        return [...plot.querySelectorAll(".scatterlayer .points path")]
            .map((path) => getComputedStyle(path))
            .flatMap((style) => [style.fill, parseFloat(style.strokeWidth) ? style.stroke : "none"])
            .filter((color) => color !== "none" && !known.has(color));
    }""")
    assert strange == []


def test_the_values_in_the_plot_are_those_of_the_document(page, reports):
    glass = reports[1].conductivity
    points = page.evaluate(
        """() => [...document.querySelectorAll('.plot')][0].data
            .filter((t) => t.error_y && t.error_y.array)
            .flatMap((t) => t.x.map((x, i) => [x, t.y[i]]))"""
    )
    formula = {"self": "nernst_einstein", "collective": "einstein"}[glass.arrhenius.quantity]
    expected = {
        round(1000 / result.temperature_K, 3): getattr(result, f"conductivity_{formula}").value
        for result in glass.results
        if result.diffusive
    }
    assert len(points) == len(expected) >= 2
    for x, y in points:
        assert y == pytest.approx(expected[round(x, 3)], rel=1e-3)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (700, "light")])
def test_no_page_is_wider_than_its_screen(visit, html, width, scheme):
    searched = render_index(summaries(3), navigation=Navigation(3, 1, 100, "", DEFAULT_SORT))
    for content in (html, render_index(summaries(3)), searched):
        page = visit(content, viewport={"width": width, "height": 800}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        plots = page.locator(".plot").count()
        assert page.locator(".plot .main-svg").count() >= plots


def test_tables_sort_by_value_and_by_keyboard(page):
    table = page.locator("table", has_text="Ranking of the candidates")
    heads = table.locator("thead th")
    column = heads.all_inner_texts().index(
        next(text for text in heads.all_inner_texts() if "found" in text and "times" in text)
    )
    button = heads.nth(column).locator("button")

    def values():
        cells = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
        return [int(cell) for cell in cells]

    assert values() == [1, 12, 3]
    button.click()
    assert heads.nth(column).get_attribute("aria-sort") == "ascending"
    assert values() == [1, 3, 12]  # as numbers, not as words
    button.focus()
    page.keyboard.press("Enter")
    assert heads.nth(column).get_attribute("aria-sort") == "descending"
    assert values() == [12, 3, 1]
    heads.nth(0).locator("button").press(" ")
    assert heads.nth(column).get_attribute("aria-sort") is None
    assert values() == [1, 12, 3]


def test_the_whole_page_works_by_keyboard(visit, html):
    page = visit(html)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    plot = page.locator(".plot").first
    plot.focus()
    layout = "document.querySelector('.plot')._fullLayout"
    ranges = f"() => [...{layout}.xaxis.range, ...{layout}.yaxis.range]"
    before = page.evaluate(ranges)
    page.keyboard.press("+")
    near = page.evaluate(ranges)
    assert near[1] - near[0] == pytest.approx(0.8 * (before[1] - before[0]))
    page.keyboard.press("ArrowRight")
    moved = page.evaluate(ranges)
    assert moved[0] - near[0] == pytest.approx(0.1 * (near[1] - near[0]))
    page.keyboard.press("0")
    assert page.evaluate(ranges) == pytest.approx(before, abs=1e-6)

    button = page.locator(".legend button").first
    shown = "document.querySelector('.plot').querySelectorAll('.scatterlayer .trace').length"
    count = page.evaluate(shown)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate(shown) < count
    page.keyboard.press("Enter")
    assert page.evaluate(shown) == count


def test_structures_turn_and_change(page, reports):
    canvas = page.locator("#structure-view")
    canvas.scroll_into_view_if_needed()
    picture = "() => document.getElementById('structure-view').toDataURL()"
    first = page.evaluate(picture)
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    turned = page.evaluate(picture)
    assert turned != first
    page.keyboard.press("0")
    assert page.evaluate(picture) == first
    page.locator("[data-view=a]").click()
    assert page.evaluate(picture) not in (first, turned)
    n_structures = 3 + len(reports[1].glasses)
    assert page.locator("#structure option").count() == n_structures
    page.locator("#structure").select_option(str(n_structures - 1))
    assert "glass 2" in canvas.get_attribute("aria-label")
    colors = page.evaluate(
        """() => {
            const c = document.getElementById('structure-view');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            const seen = new Set();
            for (let i = 0; i < d.length; i += 4) {
                if (d[i + 3] > 200) seen.add([d[i], d[i + 1], d[i + 2]].map((v) => v >> 5).join());
            }
            return seen.size;
        }"""
    )
    assert colors > 15  # shaded balls of four elements


def test_nothing_that_is_stored_can_run_in_the_page(visit, html, hostile_report):
    for content in (html, render_page(hostile_report)):
        page = visit(content)
        page.wait_for_timeout(100)
        assert page.locator("img").count() == 0
        assert page.title() != "broken"
        assert "onerror=" in page.locator("body").inner_text()  # as text


def test_the_list_of_materials_links_sorts_and_filters(visit):
    page = visit(render_index(summaries(3), link="/report/{key}"))
    links = [link.get_attribute("href") for link in page.locator("tbody a").all()]
    assert links == ["/report/LiPO2F2", "/report/mp-1138", "/report/id%2Fwith%20space"]
    button = page.locator("thead button", has_text="conductivity")
    button.click()
    cells = page.locator("tbody tr > :nth-child(4)").all_inner_texts()
    assert [cell.startswith("below") for cell in cells] == [False, False, True]
    page.locator("#filter").fill("LiPO2F2")
    assert page.locator("tbody tr:visible").count() == 1
    assert page.locator("output").inner_text() == "1 of 3"


@pytest.mark.parametrize(
    ("column", "condition", "found"),
    [
        ("material", "lif", ["LiF"]),
        ("identifier", "mp-", ["LiF"]),
        ("conductivity", ">0.1", ["LiPO2F2", "Li3PO4"]),
        ("conductivity", "<= 3e-7", ["LiF"]),
        ("conductivity", "0.1 to 0.4", ["LiPO2F2"]),
        ("conductivity", "0.1..1", ["LiPO2F2", "Li3PO4"]),
        ("conductivity", "0.2", ["LiPO2F2"]),
        ("conductivity", "much", ["LiPO2F2", "LiF", "Li3PO4"]),
    ],
)
def test_the_list_is_filtered_by_column(visit, column, condition, found):
    page = visit(render_index(summaries(3)))
    field = page.locator(f'.column-filters input[aria-label*="{column}"]')
    field.fill(condition)
    assert page.locator("tbody tr:visible th").all_inner_texts() == found
    assert field.get_attribute("aria-invalid") == {"much": "true"}.get(
        condition, "false" if column == "conductivity" else None
    )


def test_columns_are_chosen_and_shown_rows_are_saved(visit):
    page = visit(render_index(summaries(3)))
    page.locator('.column-filters input[aria-label*="conductivity"]').fill("> 0.1")
    page.locator("details.columns summary").click()
    page.locator("details.columns label", has_text="identifier").click()
    assert not page.locator("thead th", has_text="identifier").is_visible()
    for kind, read in (("csv", lambda text: list(csv.DictReader(text.splitlines()))),
                       ("json", json.loads)):  # fmt: skip
        with page.expect_download() as saved:
            page.locator(f'[data-rows="{kind}"]').click()
        assert saved.value.suggested_filename == f"materials.{kind}"
        rows = read(Path(saved.value.path()).read_text())
        assert [row["material"] for row in rows] == ["LiPO2F2", "Li3PO4"]
        assert float(rows[0]["conductivity at 300 K (mS/cm)"]) == 0.2


def test_the_printed_page_is_light(visit, html):
    page = visit(html, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    color = page.evaluate("document.querySelector('.plot .xtick text').style.fill")
    assert color == "rgb(28, 37, 48)"


def test_files_are_saved_one_by_one_and_together(page, tmp_path):
    with page.expect_download() as saved:
        page.locator('#figure-arrhenius [data-file="figures/arrhenius.csv"]').click()
    assert saved.value.suggested_filename == "arrhenius.csv"
    text = Path(saved.value.path()).read_text()
    assert text.startswith("panel,curve,kind,x,y,low,high,note")
    with page.expect_download() as saved:
        page.locator("[data-all]").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.read("figures/arrhenius.csv").decode() == text
        poscar = archive.read("structures/LiPO2F2_glass_1.vasp").decode()
        assert len(archive.namelist()) == page.locator("#downloads [data-file]").count()
    assert sorted(Poscar.from_str(poscar).site_symbols) == ["F", "Li", "O", "P"]


def test_the_menu_stays_in_view_and_marks_the_section(page):
    page.evaluate("document.getElementById('structures').scrollIntoView()")
    page.locator("nav.sections [href='#structures'][aria-current]").wait_for()
    bar = page.locator("nav.sections").bounding_box()
    assert bar["y"] == pytest.approx(0.0, abs=1.0)


def test_polyhedra_and_sites_of_a_structure_are_shown(page):
    picture = "() => document.getElementById('structure-view').toDataURL()"
    page.locator("#structure").select_option(label="LiPO\u2082F\u2082 glass 1")
    plain = page.evaluate(picture)
    page.locator("#polyhedra").select_option("P")
    assert page.evaluate(picture) != plain
    page.locator("#polyhedra").select_option("")
    assert page.evaluate(picture) == plain
    page.locator(".sites summary").click()
    assert page.locator(".sites tbody tr").count() == 48
    assert "F2O2" in page.locator(".sites tbody").inner_text()
    assert "space group" in page.locator(".facts").inner_text()
    page.locator(".sites summary").click()
