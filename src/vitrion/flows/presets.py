"""How much work a run is: from minutes on a laptop to a night on a GPU."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from vitrion.errors import InputError


class Preset(BaseModel):
    """Size of a conductivity run; the glass's own preset of the same name goes with it."""

    model_config = ConfigDict(frozen=True)

    n_replicas: int = Field(description="Independent glasses.")
    temperatures_K: tuple[float, ...] = Field(description="Temperatures of the dynamics in K.")
    equilibration_ps: float = Field(description="Start of every run that is not analyzed, in ps.")
    first_ps: float = Field(description="Analyzed time of every run in the first round, in ps.")
    extension: float = Field(
        description="How much of the first round may be spent again where the target is missed."
    )
    target: float = Field(description="Relative standard error of sigma(300 K) that is asked for.")


# The ladders stay low: to 300 K, 700 to 1100 K leaves a factor 8 at 95 %, 500 to 900 K one of 2.7.
PRESETS = {
    "quick": Preset(
        n_replicas=2,
        temperatures_K=(600, 750),
        equilibration_ps=1.5,
        first_ps=13.5,
        extension=0.0,
        target=0.5,
    ),
    "standard": Preset(
        n_replicas=3,
        temperatures_K=(500, 575, 650, 750),
        equilibration_ps=10,
        first_ps=50,
        extension=1.0,
        target=0.3,
    ),
    "paper": Preset(
        n_replicas=5,
        temperatures_K=(450, 500, 575, 650, 750),
        equilibration_ps=50,
        first_ps=500,
        extension=2.0,
        target=0.2,
    ),
}


def get_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset '{name}': choose {', '.join(PRESETS)}.")
    return PRESETS[name]
