import numpy as np
import pytest

from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature_K": -300},
        {"temperature_K": 1e6},
        {"temperature_K": (300, 0)},
        {"temperature_K": float("nan")},
        {"temperature_K": "hot"},
        {"temperature_K": (300, 600, 900)},
        {"timestep_fs": 0},
        {"timestep_fs": 100},
        {"duration_ps": 0},
        {"duration_ps": -5},
        {"duration_ps": 1e9},
        {"save_interval_fs": 3.0},
        {"max_volume_ratio": 0.5},
        {"save_interval_fs": 0.5},
        {"checkpoint_interval_steps": 0},
        {"ensemble": "nph"},
        {"ensemble": "nve", "thermostat": "bussi"},
        {"ensemble": "nve", "temperature_K": (300, 600)},
        {"barostat": "full"},
        {"pressure_GPa": 1.0},
        {"ensemble": "npt", "pressure_GPa": 1e5},
        {"thermostat": "berendsen"},
        {"thermostat_time_fs": 0.1},
        {"max_temperature_K": 200.0},
        {"seed": -1},
        {"temprature_K": 300},
    ],
)
def test_absurd_settings_are_refused_in_one_sentence(bad):
    with pytest.raises(InputError) as caught:
        MDSettings(**bad)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")


def test_a_ramp_starts_and_ends_where_it_says():
    settings = MDSettings(temperature_K=(1500, 300), duration_ps=1.0)
    assert settings.temperature_at(0) == 1500
    assert settings.temperature_at(settings.n_steps // 2) == 900
    assert settings.temperature_at(settings.n_steps) == 300


def test_settings_survive_json():
    settings = MDSettings(ensemble="npt", temperature_K=(1500, 300), pressure_GPa=(0.1, 0.3))
    assert MDSettings.model_validate_json(settings.model_dump_json()) == settings
    assert MDSettings.from_dict(settings.as_dict()) == settings


def test_a_cell_narrower_than_the_cutoff_is_refused():
    settings = MDSettings()
    thin = np.array([[10.0, 0, 0], [0, 10, 0], [4.0, 0, 3.0]])  # 3 A wide along the last axis
    with pytest.raises(InputError, match=r"3\.00 A wide.* 5\.00 A"):
        settings.check_system(["Li"] * 4, thin, (True, True, True), 5.0)
    settings.check_system(["Li"] * 4, thin, (True, True, False), 5.0)
    settings.check_system(["Li"] * 4, 10 * np.eye(3), (True, True, True), 5.0)


def test_a_system_that_cannot_be_run_is_refused():
    cell, periodic = 10 * np.eye(3), (True, True, True)
    with pytest.raises(InputError, match="'Na' is not in the structure"):
        MDSettings(mobile="Na").check_system(["Li", "F"], cell, periodic, None)
    with pytest.raises(InputError, match="no atoms"):
        MDSettings().check_system([], cell, periodic, None)
    with pytest.raises(InputError, match="center of mass"):
        MDSettings().check_system(["Li"], cell, periodic, None)
    with pytest.raises(InputError, match="periodic along all three"):
        MDSettings(ensemble="npt").check_system(["Li"] * 2, cell, (True, True, False), None)
    with pytest.raises(InputError, match="hydrogen"):
        MDSettings().check_system(["Li", "H"], cell, periodic, None)
    MDSettings(timestep_fs=0.5).check_system(["Li", "H"], cell, periodic, None)
    with pytest.raises(InputError, match="10 fs is too long for F, Li: it must be at most 5 fs"):
        MDSettings(timestep_fs=10).check_system(["Li", "F", "I"], cell, periodic, None)
    MDSettings(timestep_fs=10).check_system(["Ag", "I"], cell, periodic, None)
