"""Conductivity of ions whose diffusivity is known exactly, and further systems of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jobflow import Flow, Maker, job
from pymatgen.core import Lattice, Structure

from helpers.pair_potentials import CorrugatedGas, IdealGas
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.md_settings import MDSettings

FRICTION_TIME_FS = 50.0
SETTINGS = MDSettings(
    thermostat="langevin",
    thermostat_time_fs=FRICTION_TIME_FS,
    timestep_fs=5.0,
    save_interval_fs=25.0,
    min_distance_A=0,
    checkpoint_interval_steps=200,
    seed=3,
)


def make_maker(folder, budget_ps=24.0, n_structures=1, calculator=IdealGas, **changes):
    values = {
        "temperatures_K": (300.0, 600.0),
        "target": 0.2,
        "goal": "each",
        "density_ps": 0.0,
        "equilibration_ps": 0.25,
        "first_ps": 3.0,
        "md": SETTINGS,
    }
    settings = ConductivitySettings(**{**values, **changes})
    extension = budget_ps / settings.first_round_ps(n_structures) - 1.0
    return ConductivityMaker(
        settings=settings.model_copy(update={"extension": extension}),
        workers=1,
        root_dir=str(folder),
        force_field_name={"@module": calculator.__module__, "@callable": calculator.__name__},
    )


def gas_of_width(side_A):
    rng = np.random.default_rng(1)
    return Structure(Lattice.cubic(side_A), ["Li"] * 16 + ["U"] * 8, rng.random((24, 3)))


@job
def make_gases(widths_A):
    return {
        "structures": [gas_of_width(width_A) for width_A in widths_A],
        "remarks": [f"{len(widths_A)} more"],
    }


@job
def make_error():
    raise RuntimeError("no gas")


@dataclass
class GasMaker(Maker):
    """Maker of further gases, whose widths differ; of none, or with an error, if it fails."""

    name: str = "gases"
    fails: Literal["empty", "error"] | None = None

    def make(self, origin, n_before, n):
        assert origin == "gas"
        widths_A = [19.6 + 0.2 * (n_before + k) for k in range(0 if self.fails else n)]
        made = make_error() if self.fails == "error" else make_gases(widths_A)
        return Flow([made], output=made.output)

    def duration_ps(self, origin):
        return 1.0


BUDGET_PS = 45.0
SPREAD = {
    "goal": "300K",
    "target": 0.05,
    "temperatures_K": (400.0, 800.0),
    "first_ps": 4.0,
    "equilibration_ps": 0.25,
    "n_structures": 3,
    "calculator": CorrugatedGas,
}


def differing_gases(folder, *, fails=None):
    """Return the job of three gases whose spread dominates; its budget allows two more."""
    maker = make_maker(folder, budget_ps=BUDGET_PS, **SPREAD)
    maker.system_maker = GasMaker(fails=fails)
    return maker.make([gas_of_width(width_A) for width_A in (19.0, 19.2, 19.4)], origin="gas")
