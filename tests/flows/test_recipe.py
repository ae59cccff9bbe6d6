"""A recipe states a run completely: presets, files, options and Makers agree."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.errors import InputError, PotentialError
from vitrion.flows.recipe import SHARED, Recipe, name_run, parse_recipe_setting, settable
from vitrion.flows.recipe_file import PRESETS
from vitrion.flows.run_recipe import complete_recipe
from vitrion.generation.diffusion.weights import load_weights
from vitrion.polymorphs.search_settings import SearchSettings, read_search_files


def test_presets_are_the_files_the_smallest_first():
    assert PRESETS.names() == ["quick", "standard", "paper"]
    with pytest.raises(
        InputError, match="Unknown preset 'fast': use one of quick, standard, paper"
    ):
        Recipe.from_preset("fast")


def test_a_score_net_enters_the_name_of_a_run_by_its_hash(tmp_path):
    """Copies had different names, a changed file the old one."""
    file, copy = tmp_path / "net.safetensors", tmp_path / "copy.safetensors"

    def named(weights):
        return name_run("search", read_search_files(SearchSettings(weights=str(weights))).weights)

    for path in (file, copy):
        path.write_bytes(b"one")
    first = read_search_files(SearchSettings(weights=str(file))).weights
    assert named(file) == named(copy) == named(first)
    file.write_bytes(b"other")
    assert named(file) != named(copy)
    with pytest.raises(PotentialError, match="not the expected"):
        load_weights(first)


def test_shared_settings_hold_in_every_section_and_are_stated_once():
    recipe = Recipe.from_preset("quick", seed=7, mobile="Li", timestep_fs=0.5)
    seeds = (recipe.glass.seed, recipe.conductivity.md.seed, recipe.defects.seed)
    assert seeds == (7, 7, 7)
    assert (recipe.conductivity.mobile, recipe.defects.mobile) == ("Li", "Li")
    assert (recipe.glass.timestep_fs, recipe.conductivity.md.timestep_fs) == (0.5, 0.5)
    assert recipe.conductivity.md.save_interval_fs == 12.5, "a frame every 25 steps"
    assert recipe.replace(seed=8).glass.seed == 8
    for source, targets in SHARED.items():
        for target in targets:
            assert target not in settable()
            with pytest.raises(
                InputError, match=f"^{target} is derived from {source}: set {source}"
            ):
                Recipe.from_preset("quick", **parse_recipe_setting(f"{target}=1"))


def test_every_setting_is_described():
    for name, field in settable().items():
        assert field.description, name


def test_yaml_gives_the_same_recipe_and_the_same_run(tmp_path):
    recipe = complete_recipe(
        Recipe.from_preset("quick", formula="LiF", crystal="known", timestep_fs=0.5, seed=3)
    )
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    again = Recipe.from_file(file)
    assert again == recipe
    assert complete_recipe(again).run_id == recipe.run_id
    assert recipe.replace(seed=4).run_id != recipe.run_id


def test_sections_are_changed_in_part_and_other_values_as_a_whole():
    recipe = Recipe.from_preset(
        "standard",
        search={"candidates": {"random": 2}},
        glass={"n_atoms": 48},
        defects={"barriers": {"n_between": 3}},
    )
    assert recipe.search.candidates == {"random": 2}
    assert (recipe.glass.n_atoms, recipe.glass.melt_ps) == (48, 50.0)
    assert (recipe.defects.barriers.n_between, recipe.defects.barriers.max_hops) == (3, 12)
    assert recipe.replace(defects={"barriers": None}).defects.barriers is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("glass.n_atoms=48", 48),
        ("conductivity.temperatures_K=900,600", (600.0, 900.0)),
        ("conductivity.temperatures_K=[600]", (600.0,)),
        ("conductivity.temperatures_K=600", (600.0,)),
        ("conductivity.temperatures_K=auto", None),
        ("conductivity.temperatures_K=null", None),
        ("defects.kinds=vacancy,far", ("vacancy", "far")),
        ("search.stability=true", True),
        ("glass.melt_temperature_K=1e3", 1000.0),
        ("reference_potential=null", None),
        ("search.candidates={random: 3}", {"random": 3}),
    ],
)
def test_any_field_is_set_from_text(text, value):
    found = Recipe.from_preset("standard", **parse_recipe_setting(text))
    for part in text.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("glass.n_atms=4", "glass.n_atms is not a setting; nearest: glass.n_atoms."),
        (
            "temperatures=600",
            "temperatures is not a setting; nearest: conductivity.temperatures_K, "
            "defects.temperatures_K",
        ),
        ("glass.n_atoms=3", "glass.n_atoms is 3, but must be 4 to 100000."),
        ("conductivity.target=2", "conductivity.target is 2, but must be greater than 0 and less"),
        ("glass.unit=molecules", "glass.unit is 'molecules', but must be 'ions' or 'atoms'."),
        ("seed=-1", "seed is -1, but must be at least 0."),
        ("seed=many", "seed is 'many', but must be a valid integer."),
        ("conductivity.temperatures_K=[]", "must be a list of at least 1."),
        ("conductivity.temperatures_K=20000", "Temperature 20000 K is outside 50 to 3000 K."),
        ("glass=3", "glass is 3, but must be a section of settings."),
        ("glass.melt_ps", "write name=value"),
        ("glass.melt_ps={", "which is not a YAML value"),
        ("defects.barriers.n_between=0", "defects.barriers.n_between is 0, but must be 1 to 100"),
    ],
)
def test_wrong_settings_are_one_sentence_that_says_what_is_allowed(text, sentence):
    with pytest.raises(InputError) as refusal:
        Recipe.from_preset("quick", **parse_recipe_setting(text))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("formula: LiF\nglas: {n_atoms: 48}", "glas is not a setting; nearest: glass."),
        ("- LiF", "must contain 'name: value' lines"),
        ("a: [", "cannot be read"),
        ("formula: LiF\npreset: fast", "Unknown preset 'fast'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, content, sentence):
    file = tmp_path / "recipe.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=sentence):
        Recipe.from_file(file)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"run.yaml cannot be read: No such file or directory\.$"):
        Recipe.from_file(tmp_path / "run.yaml")


def test_another_file_of_the_potential_is_refused():
    recipe = complete_recipe(Recipe.from_preset("quick", formula="LiF"))
    assert complete_recipe(recipe) == recipe
    with pytest.raises(InputError, match="but the recipe asks for abc"):
        complete_recipe(recipe.replace(potential_sha256="abc"))


def dry_run(*words):
    result = CliRunner().invoke(app, ["run", *map(str, words), "--dry-run"])
    if result.exception:
        raise result.exception
    return result.output


def test_a_dry_run_prints_the_plan_and_a_recipe_that_runs_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    durations = ("--set", "conductivity.first_ps=100", "--set", "crystal_first_ps=20")
    text = dry_run("LiF", "--preset", "quick", "--glass-atoms", "50", "--set", "seed=5", *durations)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    plan = [line for line in text.splitlines() if line.startswith("#")]
    assert "2 cells of 50 atoms; melt 20 ps at 1500 K (10000 steps)" in plan[2]
    # 3 runs of the crystal at 10 + 5 + 20 ps, and 6 of the glasses at 10 + 5 + 100 ps.
    runs = "at 500, 550, 600 K of 10 ps (constant pressure) + 5"
    assert f"3 runs {runs} + 20 ps: 105 ps (52500 steps)" in plan[3]
    assert f"6 runs {runs} + 100 ps: 690 ps (345000 steps)" in plan[4]
    # Two glasses of 20 + 48 + 5 ps each, and 105 + 690 ps of dynamics.
    assert "941 ps (470500 steps of 2 fs)" in text
    assert "# defects, glass, 2 cells: at most 4 sites, no barriers" in plan
    crystal = "at most 4 sites, barriers of at most 6 vacancy and interstitial hops"
    assert f"# defects, crystal, 1 cell: {crystal}" in plan
    expected = re.fullmatch(
        r"# expected: about ([\d.]+) (s|min|h|d) on \d+ process(?:es)?, (\d+) MB of trajectories "
        r"\(measured: ([\d.]+) ms for the forces on 50 atoms; other programs add to the time\)",
        plan[-1],
    )
    assert float(expected[1]) > 0
    # 1.2 million atom frames of the conductivity, 14 bytes each, and little else.
    assert 14 <= int(expected[3]) <= 22
    recipe = Recipe(**yaml.safe_load(text))
    assert (recipe.glass.n_atoms, recipe.seed) == (50, 5)
    assert recipe.run_id in plan[0]
    (tmp_path / "recipe.yaml").write_text(text)
    assert _unmeasured(dry_run("recipe.yaml")) == _unmeasured(text)
    changed = dry_run("recipe.yaml", "--seed", "6")
    assert yaml.safe_load(changed)["seed"] == 6
    assert changed.count("\n") == text.count("\n")


def _unmeasured(text):
    return [line for line in text.splitlines() if not line.startswith("# expected")]


def test_a_file_names_its_preset_and_options_override_it(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("preset: quick\nphase: amorphous\nglass: {n_atoms: 60}\n")
    recipe = yaml.safe_load(dry_run("LiF", "--recipe", file, "--temperatures", "700"))
    assert (recipe["formula"], recipe["phase"], recipe["n_replicas"]) == ("LiF", "amorphous", 2)
    assert (recipe["glass"]["n_atoms"], recipe["glass"]["melt_ps"]) == (60, 20.0)
    assert recipe["conductivity"]["temperatures_K"] == [700.0]
    with pytest.raises(InputError, match="Set 'preset: paper' in"):
        dry_run("LiF", "--recipe", file, "--preset", "paper")
    with pytest.raises(InputError, match="both recipes"):
        dry_run(file, "--recipe", file)
    with pytest.raises(InputError, match="no formula"):
        dry_run(file)
