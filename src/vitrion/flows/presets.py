"""How much work a run is: from minutes on a laptop to a night on a GPU."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitrion.errors import InputError

Phases = Literal["both", "crystalline", "amorphous"]
"""What a run is made of: the crystal, the glass, or both side by side."""


class Preset(BaseModel):
    """Size of a run; the glass's own preset of the same name goes with it."""

    model_config = ConfigDict(frozen=True)

    n_replicas: int = Field(description="Independent glasses.")
    temperatures_K: tuple[float, ...] = Field(description="Temperatures of the dynamics in K.")
    equilibration_ps: float = Field(description="Start of every run that is not analyzed, in ps.")
    first_ps: float = Field(description="Analyzed time of every run in the first round, in ps.")
    extension: float = Field(
        description="How much of the first round may be spent again where the target is missed."
    )
    target: float = Field(description="Relative standard error of sigma(300 K) that is asked for.")
    crystal_side_A: float = Field(description="Least width of the crystal's supercell in A.")
    search: dict[str, Any] = Field(description="Fields of the SearchSettings of each job.")
    search_jobs: int = Field(description="Jobs of each round of the search, side by side.")
    defects: dict[str, Any] = Field(description="Fields of the DefectSettings.")


# A landscape needs pairs far apart; those that are near add nothing to it.
KINDS = ("insertion", "vacancy", "far")

# The ladders stay low: to 300 K, 700 to 1100 K leaves a factor 8 at 95 %, 500 to 900 K one of 2.7.
PRESETS = {
    "quick": Preset(
        n_replicas=2,
        temperatures_K=(600, 750),
        equilibration_ps=1.5,
        first_ps=9.0,
        extension=0.0,
        target=0.5,
        crystal_side_A=8.0,
        search={
            "candidates": {"diffusion": 8, "random": 2, "substitution": 2},
            "formula_units": (1, 2),
            "hosts": 1,
            "fillings": 2,
            "max_rounds": 1,
            "polished": 2,
        },
        search_jobs=2,
        defects={
            "kinds": KINDS,
            "max_sites": 4,
            "fmax_eV_per_A": 0.1,
            "max_steps": 150,
            "convergence_sides_A": (),
        },
    ),
    "standard": Preset(
        n_replicas=3,
        temperatures_K=(500, 575, 650, 750),
        equilibration_ps=10,
        first_ps=50,
        extension=1.0,
        target=0.3,
        crystal_side_A=11.0,
        search={},
        search_jobs=2,
        defects={"kinds": KINDS, "max_sites": 20, "barriers": {"max_hops": 12}},
    ),
    "paper": Preset(
        n_replicas=5,
        temperatures_K=(450, 500, 575, 650, 750),
        equilibration_ps=50,
        first_ps=500,
        extension=2.0,
        target=0.2,
        crystal_side_A=14.0,
        search={"max_relaxations": 4000, "max_rounds": 25},
        search_jobs=4,
        defects={"kinds": KINDS, "max_sites": 60, "barriers": {"max_hops": 60}},
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
