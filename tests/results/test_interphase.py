"""The list of runs of the map is complete and valid, and the map is made from any part of it."""

import shutil
import sys
from collections import Counter

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from helpers.pages import DOCS, ROOT
from helpers.scripts import load_script
from helpers.walkers import brownian, in_crystal
from vitrion.amorphous.characterize import characterize
from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.pack import pack
from vitrion.chemistry.formulas import parse_composition
from vitrion.cli import app
from vitrion.conductivity.document import ConductivityDoc
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import write_documents
from vitrion.flows.run_cost import atoms_of_glass
from vitrion.flows.run_plan import plan_lines
from vitrion.flows.screen import composition_grid
from vitrion.polymorphs.hull import shipped_crystals
from vitrion.transport import analyze
from vitrion.uncertainty import Estimate

LIST = DOCS / "results" / "interphase.yaml"
CELL = 12.0 * np.eye(3)
SIGMA = Estimate(value=3e-9, relative_error=2.0, degrees_of_freedom=np.inf)


MAP = load_script(ROOT / "benchmarks" / "interphase_map.py")


def reduced(formula):
    return parse_composition(formula).reduced_formula


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Complete recipes of the list, one replica of each glass."""
    content = yaml.safe_load(LIST.read_text())
    content["runs"] = {k: run for k, run in content["runs"].items() if run.get("seed") != 2}
    path = tmp_path_factory.mktemp("list") / LIST.name
    path.write_text(yaml.safe_dump(content))
    return dict(load_script(ROOT / "workflows" / "long_runs.py").recipes(path))


def test_the_list_has_the_crystals_and_the_whole_grid():
    runs = MAP.read_runs(LIST)
    crystals = [run.formula for run in runs if run.phase == "crystalline"]
    assert crystals == ["LiF", "Li2O", "Li2CO3", "Li3PO4", "LiPO3", "Li2PO3F"]
    elsewhere = {m.formula: m for m in MAP.read_materials(LIST) if m.phase == "amorphous"}
    assert elsewhere["LiPO2F2"].n_finished >= 5, "the glasses of the paper"
    glasses = Counter(reduced(run.formula) for run in runs if run.phase == "amorphous")
    glasses[reduced("LiPO2F2")] = 2
    grid = {reduced(formula) for formula in composition_grid("LiF-Li3PO4-LiPO3", 4)}
    assert len(grid) == 15
    joins = [
        {reduced(formula) for formula in composition_grid(f"LiPO2F2-{end}", 4)}
        for end in ("LiF", "Li3PO4")
    ]
    assert grid <= set(glasses) <= grid | joins[0] | joins[1]
    assert all(len(join & set(glasses)) >= 4 for join in joins)
    assert glasses.pop("LiF") == 1, "it crystallizes"
    assert set(glasses.values()) == {2}, "two replicas each"
    seeds = Counter(name[-2:] for name in (run.name for run in runs) if name.startswith("glass"))
    assert seeds == {"-1": 19, "-2": 18}


def test_every_recipe_is_affordable(recipes):
    for name, recipe in recipes.items():
        assert recipe.reference_potential is None
        if recipe.phase == "amorphous":
            assert name == f"glass-{recipe.formula}-{recipe.seed}"
            assert recipe.n_replicas == 1
            assert 66 <= atoms_of_glass(recipe) <= 90
        else:
            assert name == f"crystal-{recipe.formula}"
            assert recipe.landscape
            assert recipe.crystal_barriers.mechanisms == ("vacancy", "interstitial")
            assert recipe.crystal_barriers.attempt_frequencies
            assert (recipe.crystal is None) == (recipe.formula == "Li2PO3F")
    total = next(line for line in plan_lines(recipes["glass-LiPO3-1"]) if "total" in line)
    assert "1150 ps" in total


def test_crystals_of_the_list_ship_except_one():
    shipped = {crystal.composition.reduced_formula for crystal in shipped_crystals().values()}
    planned = {run.formula for run in MAP.read_runs(LIST) if run.phase == "crystalline"}
    missing = {formula for formula in planned if reduced(formula) not in shipped}
    assert missing == {"Li2PO3F"}


def test_places_in_the_diagram():
    assert MAP.fractions("Li2PO3F") == {"LiF": 0.5, "Li3PO4": 0.0, "LiPO3": 0.5}
    assert MAP.fractions("Li5P2O7F") == pytest.approx(dict.fromkeys(MAP.CORNERS, 1 / 3))
    beyond = {"LiF": 2 / 3, "Li3PO4": -1 / 3, "LiPO3": 2 / 3}
    assert MAP.fractions("LiPO2F2") == pytest.approx(beyond)
    assert MAP.fractions("Li2CO3") is None
    assert MAP.fractions("Li2O") is None
    assert MAP.place("Li2PO3F") == pytest.approx((0.5, 0.0))
    spots = [MAP.place(run.formula) for run in MAP.read_runs(LIST) if run.phase == "amorphous"]
    assert None not in spots
    assert len(set(spots)) == 19


def test_published_values_name_their_sources():
    published = MAP.read_published(DOCS / "results" / "interphase_published.yaml")
    assert all(one.source and (one.sigma_mS_cm or one.activation_energy_eV) for one in published)
    assert all(MAP.place(one.formula) for one in published if one.phase == "amorphous")
    glass, *_ = [one for one in published if one.formula == "LiPO3" and one.phase == "amorphous"]
    assert glass.sigma_mS_cm == pytest.approx(1.1e-6, rel=0.3), "measured at 298 K"
    two_points = [one for one in published if one.formula == "LiPO3" and "2008" in one.source]
    assert two_points[0].activation_energy_eV == pytest.approx(0.645, abs=0.01)
    assert two_points[0].sigma_mS_cm == pytest.approx(2.7e-6, rel=0.1)


def conductivity(structure, diffusivities, phase, seed):
    results = {}
    for temperature, diffusivity in diffusivities.items():
        rng = np.random.default_rng([seed, int(temperature)])
        positions, symbols = in_crystal(brownian(400, 12, diffusivity).draw(rng), CELL, rng)
        results[temperature] = analyze(positions, CELL, symbols, 100.0, temperature, wrapped=False)
    return ConductivityDoc.from_results(structure, results, phase=phase)


def glass(seed):
    cell = pack("Li2PO3F", n_atoms=49, seed=seed)
    document = AmorphousDoc.from_character(cell.structure, characterize(cell.structure))
    return [
        conductivity(cell.structure, {500.0: 0.02, 600.0: 0.06}, "amorphous", seed),
        document,
    ]


@pytest.fixture
def started(tmp_path):
    """A copy of the list with three finished runs."""
    shutil.copy(LIST, tmp_path)
    folder = tmp_path / LIST.stem
    folder.mkdir()
    for seed in (1, 2):
        write_documents(folder / f"glass-Li2PO3F-{seed}.jsonl.gz", glass(seed))
    crystal = conductivity(shipped_crystals()["LiF"], {600.0: 1e-7}, "crystalline", 3)
    by_defects = {"route": "defects", "sigma_300K": SIGMA, "sigma_300K_bound": None}
    both = [crystal, crystal.model_copy(update=by_defects)]  # as a run leaves them
    write_documents(folder / "crystal-LiF.jsonl.gz", both)
    return tmp_path


def make_map(folder, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["map", "--list", str(folder / LIST.name), "--out", str(folder)]
    )
    MAP.main()
    return (folder / "interphase_table.md").read_text()


def test_the_map_of_some_runs(started, monkeypatch):
    page = make_map(started, monkeypatch)
    assert "from 3 of 43 planned runs" in page
    assert "LiPO3 glass (0 of 2)" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| Li2PO3F | 50 | 0 | 50 |")]
    assert "500, 600" in row
    assert "2 of 2" in row
    (crystal,) = [line for line in page.splitlines() if line.startswith("| LiF | 100")]
    assert "defects" in crystal
    assert SIGMA.text in crystal
    for name in ("sigma", "sigma_500K", "energy"):
        assert "<svg" in (started / f"interphase_{name}.svg").read_text()


def test_the_documents_load_and_equal_runs_give_equal_files(started, monkeypatch):
    make_map(started, monkeypatch)
    names = ("interphase.jsonl", "interphase_sigma.svg", "interphase_table.md")
    first = [(started / name).read_bytes() for name in names]
    make_map(started, monkeypatch)
    assert [(started / name).read_bytes() for name in names] == first
    store = started / "store"
    command = ["load", str(started / "interphase.jsonl"), "--store", str(store)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    with VitrionClient(store) as client:
        found = client.conductivity.search()
        assert {d.formula_pretty for d in found} == {"LiF", "Li2PO3F"}
        assert client.amorphous.count() == 2


def test_the_map_without_a_finished_run(tmp_path, monkeypatch):
    shutil.copy(LIST, tmp_path)
    assert "No run is finished yet" in make_map(tmp_path, monkeypatch)
    assert (tmp_path / "interphase.jsonl").read_text() == ""
