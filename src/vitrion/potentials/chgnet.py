"""CHGNet as an ASE calculator that computes requested properties only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from chgnet.model import CHGNet
from chgnet.model.dynamics import CHGNetCalculator

from vitrion.potentials.devices import evaluation_in_torch
from vitrion.runtime.discarded_output import discard_output

if TYPE_CHECKING:
    from ase import Atoms


Task = Literal["e", "ef", "em", "efs", "efsm"]


class LeanCHGNetCalculator(CHGNetCalculator):
    """CHGNet that computes stress and magnetic moments only if requested."""

    evaluation = "torch"

    @classmethod
    def from_name(cls, weights: str, device: str) -> Self:
        """Load the weights of that name (``0.3.0`` or ``r2scan``) from the chgnet package."""
        with discard_output():  # it prints a message even with verbose=False
            model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
            # An isolated atom is a legitimate state of a hot melt, not a reason to warn every step.
            calculator = cls(model=model, use_device=device, on_isolated_atoms="ignore")
        calculator.evaluation = evaluation_in_torch(device)
        return calculator

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[Any] | None = None,
        system_changes: list[Any] | None = None,
        task: Task = "efsm",
    ) -> None:
        """Compute energy and forces, and stress and magnetic moments if requested.

        The task is derived from the properties; a given task is ignored.
        """
        asked = set(properties or ())
        task = "efs" if "stress" in asked else "ef"
        if asked & {"magmoms", "magmom"}:
            task = "efsm"
        super().calculate(atoms, properties, system_changes, task=task)
