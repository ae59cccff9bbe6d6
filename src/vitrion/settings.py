"""Settings: ``VITRION_*`` environment variables over ``~/.vitrion.yaml`` over the defaults here."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)
from yaml import YAMLError

from vitrion.errors import InputError
from vitrion.runtime.settings_model import SettingsModel, explain

CONFIG_FILE_VARIABLE = "VITRION_CONFIG_FILE"
"""Environment variable that names another settings file than ``~/.vitrion.yaml``."""


def config_file() -> Path:
    """Return the settings file in force, whether or not it exists."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, "~/.vitrion.yaml")).expanduser()


class Route(SettingsModel):
    """Where FireWorks runs some jobs; of several that fit a job, later ones win."""

    jobs: str = Field("", description="Part of the names of the jobs; empty takes all.")
    fworker: str | None = Field(None, description="Name of the only FWorker that may run them.")
    category: str | None = Field(
        None, description="Category, such as cpu or gpu: run by FWorkers of that category."
    )
    queue: dict[str, str | int] = Field(
        default_factory=dict,
        description="Values for the queue adapter's template: cores, walltime, partition.",
    )
    priority: int | None = Field(None, description="Jobs of higher priority run first.")


class VitrionSettings(BaseSettings):
    """What a user sets once for a machine; everything else is a parameter of a Maker."""

    model_config = SettingsConfigDict(env_prefix="VITRION_", env_ignore_empty=True, extra="forbid")

    store: Path = Field(
        Path("vitrion_data"),
        description="Folder that holds the embedded store and the trajectories.",
    )
    potential: str | None = Field(
        None, description="Potential used where none is named; None takes the package's default."
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Worker processes of one thread each for independent runs.",
    )
    device: str = Field("cpu", description="Torch device of the calculators, such as cpu or cuda.")
    routes: list[Route] = Field(
        default_factory=list, description="Where jobs run that are submitted to a launchpad."
    )
    root_dir: Path | None = Field(
        None,
        description="Folder that all workers of a launchpad see, in which submitted runs keep "
        "their files; None takes `runs` in the folder of the store.",
    )
    walltime_s: float | None = Field(
        None,
        gt=0,
        description="Seconds after which a long job that was submitted ends at a checkpoint, to be "
        "continued by another; None lets it run to its end.",
    )
    allow_pickle: bool = Field(
        False,
        description="Load model files that are pickles (MACE .model files) without a stated hash; "
        "a pickle can run any code when it is loaded.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the YAML file below the environment."""
        yaml_settings = YamlConfigSettingsSource(settings_cls, yaml_file=config_file())
        return init_settings, env_settings, yaml_settings


@lru_cache(maxsize=1)
def get_settings() -> VitrionSettings:
    """Read the settings once.

    Returns
    -------
    VitrionSettings
        The settings in force; ``get_settings.cache_clear()`` makes the next call read them again.

    Raises
    ------
    InputError
        If the file is no YAML, or it or a variable holds a name or a value that is not a setting.
    """
    try:
        return VitrionSettings()
    except ValidationError as exc:
        raise InputError(
            f"{explain(exc, VitrionSettings)} Correct it in {config_file()} or among the VITRION_ "
            "variables."
        ) from exc
    except SettingsError as exc:
        raise InputError(f"A VITRION_ variable that must be JSON is not: {exc}.") from exc
    except (OSError, ValueError, YAMLError) as exc:
        raise InputError(
            f"The settings file {config_file()} cannot be read: write 'name: value' lines in YAML."
        ) from exc
