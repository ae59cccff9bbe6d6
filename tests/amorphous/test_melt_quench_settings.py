import pytest

from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.errors import InputError
from vitrion.flows.recipe import Recipe
from vitrion.flows.recipe_file import PRESETS


@pytest.mark.parametrize("name", PRESETS.names())
def test_presets_hold_and_can_be_changed(name):
    settings = Recipe.from_preset(name, seed=3, glass={"melt_temperature_K": 1200.0}).glass
    assert settings.n_atoms >= 60
    assert settings.seed == 3
    assert settings.quench_ps(1200.0) == pytest.approx(900 / settings.quench_rate_K_per_ps)


def test_a_melt_depends_on_what_is_packed():
    settings = MeltQuenchSettings()
    assert settings.melt_temperature(["Li", "P", "O", "F"], "ions") == 1500
    assert settings.melt_temperature(["Si", "O"], "atoms") == 3000
    assert settings.melt_temperature(["Li", "F"], "atoms") == 1500
    assert MeltQuenchSettings(melt_temperature_K=1800).melt_temperature(["Li", "F"], "x") == 1800


def test_hydrogen_asks_for_a_short_step():
    assert MeltQuenchSettings().timestep(["Li", "F"]) == 2.0
    assert MeltQuenchSettings().timestep(["Li", "B", "H"]) == 0.5
    assert MeltQuenchSettings(timestep_fs=1.0).timestep(["Li", "B", "H"]) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"melt_temperature_K": -5}, "melt_temperature_K"),
        ({"melt_temperature_K": 250}, "must be above"),
        ({"quench_rate_K_per_ps": 0}, "quench_rate"),
        ({"melt_ps": float("nan")}, "melt_ps"),
        ({"cooling": 3}, "cooling"),
        ({"unit": "molecules"}, "unit"),
        ({"n_atoms": 3}, "n_atoms"),  # too few for a verdict
        ({"ions": {"Li": -1, "F": 1}}, "greater than 0"),
    ],
)
def test_bad_settings_are_one_clear_sentence(values, message):
    with pytest.raises(InputError, match=message) as refusal:
        MeltQuenchSettings(**values)
    assert "\n" not in str(refusal.value)


def test_unknown_presets_are_refused():
    with pytest.raises(InputError, match="quick"):
        Recipe.from_preset("fast")


def test_settings_survive_json():
    settings = Recipe.from_preset("quick", seed=9).glass
    assert MeltQuenchSettings.from_dict(settings.model_dump(mode="json")) == settings
