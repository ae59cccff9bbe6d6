"""Errors of a potential's Frenkel energies and barriers, relative to its teacher.

The potential relaxes defects and bands of crystals, and the teacher labels the minima and the
saddle points. As energies are stationary there, errors at the geometry of the potential are those
of the energies to first order.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, Field
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.distill.data.frames import ENERGY
from vitrion.distill.data.relaxed_cells import relaxed_cell
from vitrion.distill.validate.change_errors import energy_error
from vitrion.distill.validate.teacher_comparison import crystals_of, teacher_labels
from vitrion.errors import InputError, SimulationError
from vitrion.landscape.study import study_defects
from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
from vitrion.potentials import get_potential, load_calculator
from vitrion.potentials.student import card_path, is_student, student_card
from vitrion.runtime.atomic import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.distill.label.labelling import Teacher
    from vitrion.migration.bands import Band, BandRelaxer

Quantity = Literal["formation", "barrier"]
SETTINGS = DefectSettings(
    kinds=("interstitial", "vacancy", "far"),
    max_sites=2,
    supercell_side_A=8.0,
    convergence_sides_A=(),
    chemical_potential_eV=0.0,
    barriers=BarrierSettings(
        mechanisms=("vacancy", "interstitial"), n_between=3, max_length_A=4.5, max_hops=2
    ),
)
"""A few defects and hops of each crystal, in cells that a slow teacher can label."""


class DefectError(BaseModel):
    """Error of one Frenkel energy or barrier."""

    crystal: str = Field(description="Name of the crystal.")
    quantity: Quantity = Field(description="Energy of a separated Frenkel pair, or barrier.")
    label: str = Field(description="Pair, or number of the hop.")
    energy_eV: float = Field(description="Value of the potential in eV.")
    error_eV: float = Field(description="Value of the potential minus the teacher's in eV.")


class DefectErrors(BaseModel):
    """Root-mean-square errors over crystals, and each error."""

    formation_error_eV: float | None = Field(
        None, description="Of the energies of separated Frenkel pairs in eV; None without a pair."
    )
    barrier_error_eV: float | None = Field(
        None, description="Of barriers in eV; None without a barrier."
    )
    values: list[DefectError] = Field(description="Each error.")


@dataclass
class _BandRecorder:
    """Relaxes bands and keeps the start and the saddle point of each that converges."""

    relax: BandRelaxer
    ends: list[tuple[Structure, Structure]] = field(default_factory=list)

    def __call__(self, images: Sequence[Structure]) -> Band:
        band = self.relax(images)
        if band.converged and band.saddle is not None:
            self.ends.append((images[0], band.saddle))
        return band


def compare_defects(
    potential: str,
    teacher: Teacher,
    crystals: Mapping[str, Atoms] | None = None,
    *,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> DefectErrors:
    """Compare Frenkel energies and barriers of a potential with its teacher.

    Parameters
    ----------
    potential
        Name of the potential.
    teacher
        Labels minima and saddle points.
    crystals
        Crystals by name; None takes the crystals of
        :func:`vitrion.distill.validate.teacher_comparison.crystals_of`.
    on_stage
        Called with a description of each stage as it starts.
    """
    spec = get_potential(potential)
    crystals = crystals_of(spec) if crystals is None else crystals
    calculator = load_calculator(spec)
    frames = defect_frames(crystals, calculator, on_stage=on_stage)
    on_stage(f"labels of {len(frames)} defects")
    return defect_errors(teacher_labels(frames, teacher, spec), calculator)


def check_has_card(potential: str) -> None:
    """Raise InputError if a potential has no data card to record errors on."""
    if not is_student(potential):
        raise InputError(f"{potential} has no data card: only students have one.")


def record_errors(potential: str, errors: DefectErrors) -> Path:
    """Write the root-mean-square errors to the data card of a student; return its path.

    Raises
    ------
    InputError
        If the potential is no student, or either error is unknown.
    """
    check_has_card(potential)
    if errors.formation_error_eV is None or errors.barrier_error_eV is None:
        raise InputError("No Frenkel pair or no barrier was found, so there are no errors to keep.")
    path = card_path(potential)
    found = {
        "formation_error_eV": round(errors.formation_error_eV, 3),
        "barrier_error_eV": round(errors.barrier_error_eV, 3),
        "crystals": sorted({value.crystal for value in errors.values}),
        "n_values": len(errors.values),
    }
    card = {**student_card(potential), "defect_errors": found}
    write_durably(path, json.dumps(card, indent=2) + "\n")
    return path


def defect_frames(
    crystals: Mapping[str, Atoms],
    calculator: Calculator,
    *,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> list[Atoms]:
    """Return hosts, separated pairs, and starts and saddle points of hops, to be labelled.

    ``info["crystal"]`` and ``info["defect"]`` name each. Crystals without a mobile ion, or whose
    defects do not relax, have no frames.
    """
    frames: list[Atoms] = []
    for name, atoms in crystals.items():
        if len(set(atoms.symbols)) == 1:
            continue
        on_stage(f"defects of {name}")
        try:
            frames += _frames_of_crystal(name, atoms, calculator)
        except (InputError, SimulationError) as exc:
            on_stage(f"{name} is left out: {exc}")
    return frames


def _frames_of_crystal(name: str, atoms: Atoms, calculator: Calculator) -> list[Atoms]:
    minimum = relaxed_cell(atoms, calculator, fmax_eV_per_A=0.01, steps=400)
    structure = AseAtomsAdaptor.get_structure(minimum)
    assert SETTINGS.barriers is not None
    bands = _BandRecorder(SETTINGS.barriers.elastic_band(calculator))
    study = study_defects(structure, calculator, SETTINGS, relax_band=bands)
    frames = [_named(study.host.structure, name, "host")]
    frames += [
        _named(defect.structure, name, f"pair {defect.record.label}")
        for defect in study.defects
        if defect.record.separation == "far" and defect.record.counts
    ]
    for number, (start, saddle) in enumerate(bands.ends):
        frames.append(_named(start, name, f"start {number}"))
        frames.append(_named(saddle, name, f"saddle {number}"))
    return frames


def _named(structure: Structure, crystal: str, defect: str) -> Atoms:
    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.info |= {"crystal": crystal, "defect": defect}
    return atoms


def defect_errors(labelled: Sequence[Atoms], calculator: Calculator) -> DefectErrors:
    """Compare Frenkel energies and barriers with the labels of :func:`defect_frames`."""
    found = []
    by_crystal: dict[str, dict[str, Atoms]] = {}
    for atoms in labelled:
        by_crystal.setdefault(str(atoms.info["crystal"]), {})[str(atoms.info["defect"])] = atoms
    for crystal, frames in by_crystal.items():
        errors = {defect: energy_error(atoms, calculator) for defect, atoms in frames.items()}
        for defect, atoms in frames.items():
            kind, _, label = defect.partition(" ")
            if kind not in {"pair", "saddle"}:
                continue
            start = "host" if kind == "pair" else f"start {label}"
            quantity: Quantity = "formation" if kind == "pair" else "barrier"
            error = errors[defect] - errors[start]
            found.append(
                DefectError(
                    crystal=crystal,
                    quantity=quantity,
                    label=label,
                    energy_eV=error + atoms.info[ENERGY] - frames[start].info[ENERGY],
                    error_eV=error,
                )
            )
    return DefectErrors(
        formation_error_eV=_rms(found, "formation"),
        barrier_error_eV=_rms(found, "barrier"),
        values=found,
    )


def _rms(errors: Sequence[DefectError], quantity: Quantity) -> float | None:
    """Root mean square over crystals of their root mean squares, so that each counts alike."""
    squares: dict[str, list[float]] = {}
    for error in errors:
        if error.quantity == quantity:
            squares.setdefault(error.crystal, []).append(error.error_eV**2)
    if not squares:
        return None
    return math.sqrt(np.mean([np.mean(values) for values in squares.values()]))
