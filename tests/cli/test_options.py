"""Every command that makes runs takes the same options, which come from the recipe."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.cli.options import RecipeOptions
from vitrion.errors import InputError
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_recipe import make_flow
from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
from vitrion.runtime.nested_values import nested
from vitrion.runtime.settings_model import Option, walk_fields

MAKE_RUNS = ("run", "screen", "submit")
OPTIONS = {
    option.name: (".".join(path), option)
    for path, field in walk_fields(Recipe)
    for option in field.metadata
    if isinstance(option, Option)
}


@pytest.fixture(scope="module")
def commands():
    return get_command(app).commands


def test_the_recipe_has_the_options_that_users_know():
    names = {name.partition("/")[0].removeprefix("--") for name in OPTIONS}
    assert names == {
        *("phase", "potential", "structure", "landscape", "temperatures", "duration", "replicas"),
        *("glass-atoms", "max-relaxations", "volume-per-atom", "timestep", "mobile", "seed"),
        *("allow-unbalanced", "stability"),
    }


def test_no_help_speaks_of_none(commands):
    """A user leaves an option out; None is for Python."""
    helps = [option.help for each in commands.values() for option in each.params]
    assert any("default: the usual mobile cation" in text for text in helps if text)
    assert not [text for text in helps if text and "None" in text]


@pytest.mark.parametrize("name", MAKE_RUNS)
def test_all_options_of_a_recipe_are_taken(commands, name):
    parameters = {word: each for each in commands[name].params for word in each.opts}
    for option in (*OPTIONS, "--preset", "--recipe", "--set", "--dry-run"):
        assert parameters[option.partition("/")[0]].help, f"{name} {option}"
    assert "options" not in {each.name for each in commands[name].params}


def test_options_of_one_name_say_the_same_everywhere(commands):
    for option in OPTIONS:
        said = {
            (each.help, tuple(each.opts))
            for name in MAKE_RUNS
            for each in commands[name].params
            if option.partition("/")[0] in each.opts
        }
        assert len(said) == 1, option


def test_a_screen_is_of_quick_glasses_where_nothing_else_is_said(commands):
    def defaults(name):
        return {each.name: each.show_default for each in commands[name].params}

    assert (defaults("screen")["phase"], defaults("screen")["preset"]) == ("amorphous", "quick")
    for name in ("run", "submit"):
        assert (defaults(name)["phase"], defaults(name)["preset"]) == ("both", "standard")
    options = RecipeOptions(defaults={"phase": "amorphous"}, default_preset="quick")
    assert options.recipe("LiF") == Recipe.from_preset("quick", formula="LiF", phase="amorphous")


def test_a_port_that_cannot_be_is_refused(commands):
    for port in ("0", "99999"):
        with pytest.raises(Exception, match=r"or equal to|in the range"):
            commands["serve"].make_context("serve", ["--port", port])


def test_every_option_changes_its_field():
    values = {"--phase": "crystalline", "--potential": "chgnet", "--structure": "known"}
    values |= {"--mobile": "Li", "--landscape/--no-landscape": False, "--allow-unbalanced": True}
    values |= {"--temperatures": "600,900", "--stability": True}
    before = Recipe.from_preset("standard").values()
    for name, (path, option) in OPTIONS.items():
        after = Recipe.from_preset("standard", **nested(path, values.get(name, 7)))
        assert after.values() != before, name
        for other, value in option.also:
            section, field = other.split(".")
            assert getattr(getattr(after.replace(**nested(other, value)), section), field) == value


def test_options_arrive_in_the_recipe():
    options = RecipeOptions(
        {
            "phase": "crystalline",
            "crystal": "known",
            "landscape": False,
            "conductivity": {"temperatures_K": "900,600"},
            "search": {"max_relaxations": 7},
            "timestep_fs": 0.5,
            "seed": 3,
        },
        preset="quick",
    )
    lithium_fluoride, oxide = options.recipes(["LiF", "Li2O"])
    assert lithium_fluoride.conductivity.temperatures_K == (600, 900)
    assert (lithium_fluoride.seed, lithium_fluoride.timestep_fs) == (3, 0.5)
    assert lithium_fluoride.crystal is not None
    assert lithium_fluoride.crystal != oxide.crystal
    names = {job.name for job, _ in make_flow(oxide).iterflow()}
    assert names == {"relax crystal", "supercell", "crystal conductivity"}, "no search, no defects"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"crystal": "a.cif"}, "the crystal of 2 compositions"),
        ({"crystal": "known", "phase": "amorphous"}, "not made from a crystal"),
        ({"conductivity": {"temperatures_K": "600;700"}}, "must be a valid number"),
        ({"mobile": "Na"}, "not in LiF"),
        ({"timestep_fs": -1.0}, "timestep_fs is -1"),
    ],
)
def test_what_is_not_supported_is_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        RecipeOptions(changes).recipes(["LiF", "Li2O"])
    with pytest.raises(InputError, match="Unknown preset"):
        RecipeOptions(preset="swift").recipes(["LiF"])


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("search", {"max-relaxations", "stability", "potential", "seed", "allow-unbalanced"}),
        ("defects", {"potential", "mobile", "seed"}),
    ],
)
def test_single_steps_take_their_part_of_the_recipe(commands, name, own):
    parameters = {word: each for each in commands[name].params for word in each.opts}
    known = {each.partition("/")[0].removeprefix("--") for each in OPTIONS}
    taken = {word.removeprefix("--") for word in parameters} & known
    assert taken - {"phase"} == own  # the phase of a structure is not the phases of a run
    assert {"--preset", "--recipe", "--set"} <= set(parameters)


def test_single_steps_refuse_settings_of_other_steps():
    runner = CliRunner()
    for words in (
        ("search", "LiF", "--set", "glass.n_atoms=48"),
        ("defects", "LiF.cif", "--set", "search.max_iterations=2"),
    ):
        done = runner.invoke(app, words)
        assert done.exit_code != 0
        assert "is not used here" in str(done.exception) + done.output


def test_a_search_takes_its_values_from_the_recipe(monkeypatch, tmp_path):
    seen = {}

    def run_search(recipe, store, folder, **others):
        seen.update(recipe=recipe)
        raise InputError("Enough.")

    monkeypatch.setattr("vitrion.flows.crystal_search.run_search", run_search)
    words = ("search", "LiF", "--preset", "quick", "--set", "search.polished=1", "--seed", "5")
    done = CliRunner().invoke(app, [*words, "--stability", "--store", str(tmp_path)])
    assert "Enough" in str(done.exception) + done.output
    quick = Recipe.from_preset("quick").search
    recipe = seen["recipe"]
    assert recipe.search == quick.model_copy(update={"polished": 1, "stability": True})
    assert (recipe.formula, recipe.seed, recipe.potential) == ("LiF", 5, None)


def test_a_search_reads_its_files_once(monkeypatch, tmp_path):
    """They may change between the check of the request and the search."""
    from pymatgen.core import Lattice, Structure

    def run_search(recipe, store, folder, **others):
        (file,) = recipe.search.files
        assert isinstance(file, dict)
        raise InputError("Enough.")

    monkeypatch.setattr("vitrion.flows.crystal_search.run_search", run_search)
    path = tmp_path / "LiF.cif"
    Structure(Lattice.cubic(2.6), ["Li", "F"], [[0] * 3, [0.5] * 3]).to(str(path))
    words = ("search", "LiF", "--set", f"search.files=[{path}]", "--store", str(tmp_path / "data"))
    done = CliRunner().invoke(app, words)
    assert "Enough" in str(done.exception) + done.output


def test_the_dry_run_of_a_search_prints_its_plan_and_a_recipe(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ("search", "Li2CO3", "--workers", "2", "--seed", "5", "--dry-run")
    changes = ("--preset", "quick", "--max-relaxations", "7", "--output", "found")
    done = CliRunner().invoke(app, [*words, *changes], catch_exceptions=False)
    first, second, *_ = done.stdout.splitlines()
    assert first == "# search: at most 7 relaxations in 1 iteration of 2 parallel jobs"
    assert second.startswith("# expected: about ")
    assert "trajectories" not in second
    assert not [*tmp_path.iterdir()]
    (tmp_path / "recipe.yaml").write_text(done.stdout)
    recipe = RecipeOptions().recipe("recipe.yaml")
    quick = Recipe.from_preset("quick").search
    assert recipe.search == quick.model_copy(update={"max_relaxations": 7})
    assert (recipe.formula, recipe.seed, recipe.potential) == ("Li2CO3", 5, "vitrion-lipof")


def test_a_defect_study_takes_its_values_from_the_recipe(monkeypatch, tmp_path):
    from pymatgen.core import Lattice, Structure

    seen = {}

    def run_defects(structure, settings, **others):
        seen.update(settings=settings, **others)
        raise InputError("Enough.")

    monkeypatch.setattr("vitrion.landscape.command.run_defects", run_defects)
    rock_salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    rock_salt.to(str(tmp_path / "LiF.cif"))
    words = ("defects", str(tmp_path / "LiF.cif"), "--kind", "frenkel", "--barrier", "vacancy")
    words += ("--set", "defects.max_sites=3", "--mobile", "Li", "--seed", "5")
    done = CliRunner().invoke(app, words)
    assert "Enough" in str(done.exception) + done.output
    assert seen["settings"] == DefectSettings(
        kinds=("near", "far"), barriers=BarrierSettings(), max_sites=3, mobile="Li", seed=5
    )
