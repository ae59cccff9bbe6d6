"""Jobs that relax a structure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from atomate2.forcefields.utils import MLFF, ase_calculator, revert_default_dtype
from emmet.core.types.enums import TaskState
from jobflow import Maker, job

from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.structures import (
    check_apart,
    check_ordered,
    takes_structure,
    without_site_properties,
)
from vitrion.documents.additional_fields import additional_fields
from vitrion.errors import InputError, SimulationError
from vitrion.potentials import get_potential, load_calculator
from vitrion.relaxation.document import RelaxationDoc
from vitrion.relaxation.relax import RelaxSettings, relax_one
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from pathlib import Path

    from ase.calculators.calculator import Calculator
    from jobflow import Job
    from pymatgen.core import Structure


@dataclass
class RelaxMaker(NotebookTable, Maker):
    """Make a job that relaxes one structure, its cell to a pressure.

    Parameters
    ----------
    name : str
        The name of the jobs.
    potential : str or None
        Name in vitrion's registry; None takes the force field that ``force_field_name`` names, or
        else the user's default potential.
    settings : RelaxSettings or dict
        Tolerance, steps, cell and pressure, symmetry.
    must_converge : bool
        Whether a job fails if its relaxation does not converge; otherwise its document says so.
    force_field_name : str, dict or None
        A force field as atomate2 names it, instead of ``potential``.
    calculator_kwargs : dict
        For :func:`vitrion.potentials.load_calculator`, or for the force field.
    task_document_kwargs : dict
        ``additional_fields`` are added to the document; other keys are refused.

    Examples
    --------
    >>> maker = RelaxMaker(potential="chgnet", settings=RelaxSettings(pressure_GPa=1.0))
    >>> maker.settings.pressure_GPa
    1.0
    """

    name: str = "relax"
    potential: str | None = None
    settings: RelaxSettings = field(default_factory=RelaxSettings)
    must_converge: bool = False
    force_field_name: str | MLFF | dict | None = None
    calculator_kwargs: dict[str, Any] = field(default_factory=dict)
    task_document_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the input before a job is made of it."""
        if isinstance(self.settings, dict):
            self.settings = RelaxSettings.from_dict(self.settings)
        if isinstance(self.force_field_name, dict):  # monty would decode it to the class
            named = self.force_field_name
            callable_name = named.get("@callable") or named["@class"]
            self.force_field_name = f"{named['@module']}.{callable_name}"
        additional_fields(self.task_document_kwargs)
        if self.potential is not None and self.force_field_name is not None:
            raise InputError("Name either a potential or an atomate2 force field, not both.")
        if self.potential is None and self.force_field_name is None:
            self.potential = get_potential().name  # the default may change before the job runs

    @takes_structure
    @job(output_schema=RelaxationDoc)
    @takes_structure
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> RelaxationDoc:
        """Relax a structure.

        Parameters
        ----------
        structure : Structure
        prev_dir : str or Path, optional
            Not used; atomate2 hands it to every job.

        Raises
        ------
        InputError
            If the structure has partial occupancies, or the potential does not know an element.
        SimulationError
            If the relaxation does not converge and ``must_converge`` is set.
        """
        return self.run(structure)

    def run(self, structure: Structure) -> RelaxationDoc:
        """Run without jobflow; see :meth:`make`."""
        start = without_site_properties(check_apart(check_ordered(structure)))
        with revert_default_dtype():
            relaxation = relax_one(start, self._calculator(start), self.settings)
        if self.must_converge:
            relaxation.require_converged(usual_formula(start.composition))
        document = RelaxationDoc.from_relaxation(relaxation, self.settings, self.potential)
        document.additional_fields = additional_fields(self.task_document_kwargs)
        return document

    def _calculator(self, structure: Structure) -> Calculator:
        if self.force_field_name is not None:
            found: Any = ase_calculator(self.force_field_name, **self.calculator_kwargs)
            return cast("Calculator", found)
        symbols = [element.symbol for element in structure.elements]
        return load_calculator(self.potential, symbols=symbols, **self.calculator_kwargs)


@job(name="relaxed structure")
def relaxed_structure(structure: Structure, state: TaskState | str | None) -> Structure:
    """Return the structure of an atomate2 relaxation.

    Raises
    ------
    SimulationError
        If its state is not ``successful``.
    """
    if state != TaskState.SUCCESS:
        raise SimulationError(
            f"The relaxation of {usual_formula(structure.composition)} did not converge: allow "
            "more steps."
        )
    return structure


def make_relaxed(maker: Maker, structure: Any, jobs: list) -> Any:
    """Add the jobs of a relaxation that must converge; return a reference to its structure.

    Parameters
    ----------
    maker : Maker
        A RelaxMaker with ``must_converge``, or a Maker whose document is atomate2's.
    structure : Structure or reference to one
    jobs : list of Job
        Takes the jobs.
    """
    relaxation = cast("Job", maker.make(structure))
    jobs.append(relaxation)
    if isinstance(maker, RelaxMaker):
        return relaxation.output.structure
    checked = relaxed_structure(relaxation.output.structure, relaxation.output.state)
    jobs.append(checked)
    return checked.output
