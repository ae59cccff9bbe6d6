"""CHGNet as an ASE calculator that leaves out what was not asked for."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Literal, Self

from chgnet.model import CHGNet
from chgnet.model.dynamics import CHGNetCalculator

if TYPE_CHECKING:
    from ase import Atoms


Task = Literal["e", "ef", "em", "efs", "efsm"]


class LeanCHGNetCalculator(CHGNetCalculator):
    """CHGNet that computes stress and magnetic moments only when asked for them."""

    evaluation = "torch"

    @classmethod
    def from_name(cls, weights: str, device: str) -> Self:
        """Load the weights of that name (``0.3.0`` or ``r2scan``) from the chgnet package."""
        with redirect_stdout(io.StringIO()):  # it announces itself, even with verbose=False
            model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
            # An isolated atom is a legitimate state of a hot melt, not a reason to warn every step.
            return cls(model=model, use_device=device, on_isolated_atoms="ignore")

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[Any] | None = None,
        system_changes: list[Any] | None = None,
        task: Task = "efsm",
    ) -> None:
        """Compute energy and forces, and stress and magnetic moments where asked for.

        The task follows from the properties, whatever it is given as.
        """
        asked = set(properties or ())
        task = "efs" if "stress" in asked else "ef"
        if asked & {"magmoms", "magmom"}:
            task = "efsm"
        super().calculate(atoms, properties, system_changes, task=task)
