"""Settings: ``VITRION_*`` environment variables over ``~/.vitrion.yaml`` over the defaults here."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from vitrion.runtime.cores import usable_cores
from vitrion.runtime.settings_model import SettingsModel, refusal
from vitrion.runtime.text_files import read_settings

if TYPE_CHECKING:
    from importlib.abc import Traversable

CONFIG_FILE_VARIABLE = "VITRION_CONFIG_FILE"
"""Environment variable with the path of the settings file; default: ``~/.vitrion.yaml``."""


DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def config_file() -> Path:
    """Return the path of the settings file, which may not exist."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, "~/.vitrion.yaml")).expanduser()


class _SettingsFile(YamlConfigSettingsSource):
    """The settings file, read to a limit."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        return read_settings(Path(str(file_path))) or {}


class Route(SettingsModel):
    """Assignment of jobs to workers; of several matching routes, the last is used."""

    jobs: str = Field("", description="Part of the names of the jobs; empty for all jobs.")
    fworker: str | None = Field(None, description="Name of the only FWorker that may run them.")
    category: str | None = Field(
        None, description="Category of the FWorkers that may run them, such as cpu or gpu."
    )
    queue: dict[str, str | int] = Field(
        default_factory=dict,
        description="Values for the queue adapter's template: cores, walltime, partition.",
    )
    priority: int | None = Field(None, description="Jobs of higher priority run first.")


class VitrionSettings(BaseSettings):
    """Settings of a machine; everything else is a parameter of a Maker."""

    model_config = SettingsConfigDict(env_prefix="VITRION_", env_ignore_empty=True, extra="forbid")

    store: Path = Field(
        Path("vitrion_data"),
        description="Folder of the embedded store and the trajectories.",
    )
    potential: str | None = Field(
        None, description="Default potential; None for the package's default."
    )
    students: Path = Field(
        Path("~/.vitrion/students"),
        description="Folder of the students of 'vitrion distill', found by their names.",
    )
    workers: int = Field(
        default_factory=usable_cores,
        ge=1,
        description="Number of single-threaded worker processes for independent runs; default: the "
        "cores that this process may use.",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="Device of the potentials: cpu, cuda or cuda:1, or auto, which is the native "
        "kernel on the CPU for the potentials it supports and a GPU for others if there is one.",
    )
    routes: list[Route] = Field(
        default_factory=list, description="Assignment of submitted jobs to workers."
    )
    root_dir: Path | None = Field(
        None,
        description="Folder shared by all workers of a launchpad, for the files of submitted runs; "
        "None for `runs` in the folder of the store, or beside its jobflow.yaml.",
    )
    walltime_s: float | None = Field(
        None,
        gt=0,
        description="Seconds after which a submitted long job stops at a checkpoint and resumes as "
        "another job; None for no limit.",
    )
    allow_pickle: bool = Field(
        False,
        description="Load model files that are pickles (MACE .model files) without a stated hash; "
        "a pickle can execute any code when loaded.",
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
        """Give the environment priority over the YAML file."""
        yaml_settings = _SettingsFile(settings_cls, yaml_file=config_file())
        return init_settings, env_settings, yaml_settings


@lru_cache(maxsize=1)
def get_settings() -> VitrionSettings:
    """Return the settings, read once.

    Returns
    -------
    VitrionSettings
        Current settings; ``get_settings.cache_clear()`` makes the next call reread them.

    Raises
    ------
    InputError
        If the file is not YAML, or the file or a variable has an unknown name or an invalid value.
    """
    try:
        return VitrionSettings()
    except ValidationError as exc:
        raise InputError(
            f"{refusal(exc, VitrionSettings)} Correct it in {config_file()} or among the VITRION_ "
            "variables."
        ) from exc
    except SettingsError as exc:
        raise InputError(f"A VITRION_ variable that must be JSON is not: {exc}.") from exc
    except (OSError, ValueError, TypeError, RecursionError, YAMLError) as exc:
        raise InputError(
            f"The settings file {config_file()} cannot be read: write 'name: value' lines in YAML."
        ) from exc
