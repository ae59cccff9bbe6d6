"""A small kind of document and jobs that make it, for the tests of builders and queries."""

import math
from typing import ClassVar

import numpy as np
from jobflow import Response, job
from pydantic import BaseModel, Field
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.document import ConductivityDoc
from vitrion.distill.document import PotentialDoc
from vitrion.documents.base import StoredStructure, VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.transport import analyze

BOLTZMANN_EV = 8.617333262e-5


class Quantity(BaseModel):
    value: float
    degrees_of_freedom: float = math.inf


class HoppingDoc(VitrionDoc):
    """An Arrhenius law and its values."""

    key_fields: ClassVar = {
        "rate_300K": "rate_300K.value",
        "barrier_eV": "barrier_eV",
        "measured": "measured",
        "label": "label",
    }

    property_name: str = "test_hopping"
    barrier_eV: float
    measured: bool = True
    label: str | None = None
    rate_300K: Quantity | None = Field(None, description="1/ps")
    temperatures_K: list[float] = Field(default_factory=list)
    rates: list[float] = Field(default_factory=list, description="1/ps; a large object")
    structures: dict[str, StoredStructure] | None = Field(None, description="A large object.")


class DensityDoc(VitrionDoc):
    """A second kind of document."""

    key_fields: ClassVar = {"density_test": "density"}

    property_name: str = "test_density"


def structure(formula_ions, length=4.0):
    points = [(x / 2, y / 2, z / 2) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    return Structure(Lattice.cubic(length), formula_ions, points[: len(formula_ions)])


def hopping(ions, barrier_eV, phase, potential=None, **fields):
    """Make a document whose rates follow its barrier exactly."""
    temperatures = [300.0 + 10 * i for i in range(50)]
    rates = [math.exp(-barrier_eV / (BOLTZMANN_EV * T)) for T in temperatures]
    return HoppingDoc.from_structure(
        structure(ions),
        phase=phase,
        barrier_eV=barrier_eV,
        rate_300K=Quantity(value=rates[0]),
        temperatures_K=temperatures,
        rates=[*rates, math.nan],
        provenance=Provenance.collect(potential, seeds={"pack": 1}),
        **fields,
    )


@job(output_schema=HoppingDoc, data=["rates", "structures"])
def make_hopping(ions, barrier_eV, phase, **fields):
    return hopping(ions, barrier_eV, phase, **fields)


@job(output_schema=DensityDoc)
def make_density(ions, phase, length=4.0):
    return DensityDoc.from_structure(structure(ions, length), phase=phase)


@job(output_schema=HoppingDoc)
def refine(barrier_eV):
    """Continue itself, as a long run does, until the barrier is below 0.3 eV."""
    document = hopping(["Li", "Cl"], barrier_eV, "crystalline")
    if barrier_eV >= 0.3:
        return Response(output=document, replace=refine(barrier_eV - 0.1))
    return document


@job(output_schema=PotentialDoc)
def describe(potential):
    """Describe a potential as a distillation does, with errors of its own."""
    error = {
        "regime": "salt",
        "n_frames": 3,
        "n_atoms": 24,
        "energy_rmse_meV_per_atom": 2.0,
        "energy_offset_meV_per_atom": 1.0,
        "energy_spread_meV_per_atom": 1.7,
        "force_rmse_meV_per_A": 60.0,
        "force_mae_meV_per_A": 40.0,
        "force_rms_meV_per_A": 900.0,
    }
    return PotentialDoc.from_potential(potential, {"validation": [error], "teacher": "none"})


@job(output_schema=ConductivityDoc)
def make_conductivity():
    """Measure ions that walk at random among others that stand still."""
    rng = np.random.default_rng(1)
    symbols, start = ["Li"] * 8 + ["P"] * 8, rng.uniform(0, 10, size=(16, 3))
    results = {}
    for temperature, step_A in ((700.0, 0.2), (900.0, 0.3)):
        moves = rng.normal(size=(300, 16, 3)) * step_A
        moves[:, 8:] = 0.0
        positions = start + np.cumsum(moves, axis=0)
        cell = np.eye(3) * 10.0
        results[temperature] = analyze(positions, cell, symbols, 100.0, temperature, wrapped=False)
    host = Structure(Lattice.cubic(10.0), symbols, start / 10.0)
    return ConductivityDoc.from_results(host, results, phase="amorphous")


@job
def no_document():
    return {"property_name": 3, "chemsys": "Li"}


@job
def of_another_package(**fields):
    return {"property_name": "theirs", "formula_pretty": "LiF", **fields}
