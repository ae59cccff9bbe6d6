"""What can be known at the start is refused at the start, and leaves no folder behind."""

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.errors import VitrionError


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITRION_ALLOW_PICKLE", raising=False)
    (tmp_path / "my.model").write_bytes(b"\x80\x04N.")
    pinned = "potential: vitrion-lipof\npotential_sha256: '000'\n"
    (tmp_path / "pinned.yaml").write_text(pinned)
    twins = Structure(
        Lattice.cubic(4.0), ["Li", "F", "F"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.501, 0.5, 0.5]]
    )
    twins.to(filename=str(tmp_path / "twins.cif"))
    ordered = Structure(Lattice.cubic(4.0), ["Li", "F", "F"], [[0, 0, 0], [0.5] * 3, [0.2] * 3])
    ordered.to(filename=str(tmp_path / "LiF2.cif"))
    return tmp_path


GLASS = ("run", "--dry-run", "LiF", "--phase", "glass")
SEARCH = ("search", "LiF", "--set")
CRYSTAL = ("run", "--dry-run", "LiF", "--phase", "crystal", "--structure")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*GLASS, "--duration", "0.2"), "too short to analyze"),
        ((*CRYSTAL, "known", "--set", "crystal_first_ps=0.2"), "too short to analyze"),
        ((*GLASS, "--glass-atoms", "12"), "--glass-atoms"),
        ((*GLASS, "--glass-atoms", "10000000"), "n_atoms"),
        ((*GLASS, "--duration", "1e12"), "first_ps"),
        ((*GLASS, "--timestep", "1e6"), "timestep_fs"),
        ((*GLASS, "--replicas", "100000"), "n_replicas"),
        ((*GLASS, "--workers", "1000000"), "number of workers"),
        ((*GLASS, "--max-relaxations", "10000000000"), "max_relaxations"),
        ((*GLASS, "--set", "supercell_side_A=1e5"), "supercell_side_A"),
        ((*GLASS, "--set", "glass.quench_rate_K_per_ps=1e-9"), "duration_ps"),
        ((*GLASS, "--mobile", "Na"), "not in LiF"),
        ((*GLASS, "--mobile", "Li,F"), "All elements of LiF are mobile"),
        ((*GLASS, "--mobile", "lithium"), "not a species"),
        ((*GLASS, "--potential", "mace:my.model"), "is a pickle"),
        ((*CRYSTAL, "twins.cif"), "0.004 A apart"),
        (("defects", "twins.cif"), "0.004 A apart"),
        ((*SEARCH, "search.formula_units=[0]"), "search.formula_units is 0"),
        (("search", "LiF", "--recipe", "pinned.yaml"), "the recipe asks for 000"),
        (("defects", "LiF2.cif", "--recipe", "pinned.yaml"), "the recipe asks for 000"),
        (("run", "LiF", "--distill", "--recipe", "pinned.yaml"), "remove the potential"),
        ((*SEARCH, "search.formula_units=[]"), "search.formula_units is []"),
        ((*SEARCH, "search.volume_per_atom_A3=-5"), "search.volume_per_atom_A3 is -5"),
        ((*SEARCH, "search.candidates={random: -2}"), "search.candidates is"),
        ((*SEARCH, "search.weights=absent.safetensors"), "absent.safetensors': name a file"),
        ((*SEARCH, "search.files=[absent.cif]"), "no structure file absent.cif"),
        ((*SEARCH, "search.files=[LiF2.cif]"), "LiF2.cif holds LiF2, not LiF"),
        ((*SEARCH, "search.sampler={steps: 3}"), "steps is not a setting"),
        ((*SEARCH, "search.sampler={levels: 1}"), "levels is 1, but must be at least 2"),
        (("defects", "LiF2.cif", "--phase", "plasma"), "not 'plasma'"),
        (("defects", "LiF2.cif", "--potential", "mace:my.model"), "is a pickle"),
        (("defects", "LiF2.cif", "--mobile", "Na"), "does not contain Na"),
        (("search", "Nonsense"), "not a chemical formula"),
        (("search", "LiPO2F3"), "No known oxidation states balance LiPO2F3"),
        (("run", "--dry-run", "Li1e400"), "more than 1,000,000 atoms"),
        (("run", "--dry-run", "Li99999999999F"), "more than 1,000,000 atoms"),
        (("run", "--dry-run", "LiF" * 3000), "has 9000 characters"),
        (("run", "--dry-run", "(" * 2000), "has 2000 characters"),
        (("report", "LiF" * 3000), "no results"),
        (("query", "--store", "x" * 300), "no results"),
        (("search", "LiF", "--potential", "mace:my.model", "-o", "found"), "is a pickle"),
        (("screen", "--grid", "LiF-Li2O-P2O5", "--steps", "1000000000"), "too large"),
        (("analyze", "twins.cif", "--store", "vitrion_data"), ""),
        (("report", "LiF", "--figures", "figures"), "no results"),
        (("report", "LiF", "--figures", "my.model/figures"), "my.model is a file"),
        (("analyze", "twins.cif", "--figures", "my.model"), "my.model is a file"),
        (("analyze", "twins.cif", "--store", "my.model/results"), "my.model is a file"),
        (("run", "LiF", "--store", "my.model/results"), "my.model is a file"),
        (("analyze", "twins.cif", "--skip", "1e400"), "finite time, not inf"),
        (("analyze", "twins.cif", "--charge", "1e400"), "finite number other than zero, not inf"),
        (("config", "init", "here", "--store", "mongo"), "mongo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_requests_leave_no_folder(words, sentence, place):
    before = set(place.rglob("*"))
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(result.exception, VitrionError), (result.exception, result.output)
    said = str(result.exception)
    assert sentence in said
    assert said.count(". ") == 0, "one sentence"
    assert set(place.rglob("*")) == before


def test_mobile_species_as_people_write_them(place):
    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_recipe import complete_recipe

    made = {
        text: complete_recipe(Recipe.from_preset("quick", formula="LiPO2F2", mobile=text))
        for text in ("Li+", "li", "LI", "Li", "Li,F")
    }
    assert {recipe.mobile for text, recipe in made.items() if text != "Li,F"} == {"Li"}
    assert len({recipe.run_id for text, recipe in made.items() if text != "Li,F"}) == 1
    both = made["Li,F"]
    assert (both.mobile, both.conductivity.mobile, both.defects.mobile) == ("Li,F", "Li,F", "Li")
    assert Recipe.from_preset("quick", mobile="Cu2+").mobile == "Cu2+"
