"""Architecture of a MACE student."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from vitrion.potentials.imbalance import FORMAL_CHARGES

if TYPE_CHECKING:
    from collections.abc import Iterable


class Architecture(BaseModel):
    """Architecture of a MACE student; the defaults match the shipped student."""

    model_config = ConfigDict(frozen=True)

    channels: int = Field(64, ge=1, description="Channels of the node features (all scalars).")
    max_ell: int = Field(3, ge=0, description="Highest order of the spherical harmonics.")
    correlation: int = Field(2, ge=1, le=4, description="Body order of the product basis minus 1.")
    interactions: int = Field(2, ge=1, description="Message passing steps.")
    cutoff_A: float = Field(5.0, gt=0, description="Cutoff of one step, A.")
    radial_functions: int = Field(8, ge=1, description="Radial basis functions.")
    radial_layers: tuple[int, ...] = Field((32, 32), description="Hidden widths of the radial net.")
    average_neighbors: float = Field(38.0, gt=0, description="Normalization of the message sum.")
    hole_energy_eV: float = Field(
        0.0,
        description="Energy of a missing electron, eV: see vitrion.potentials.imbalance. Not used "
        "if an element of the student has no known formal charge.",
    )
    electron_energy_eV: float = Field(
        0.0, description="Energy of an added electron divided by electrons per atom, eV; likewise."
    )

    def fitting(self, atomic_numbers: Iterable[int]) -> Architecture:
        """Return this architecture adapted to the elements of a student.

        Energies of holes and electrons are 0 if an element has no known formal charge, because
        electrons cannot be counted then.
        """
        if set(atomic_numbers) <= FORMAL_CHARGES.keys():
            return self
        return self.model_copy(update={"hole_energy_eV": 0.0, "electron_energy_eV": 0.0})

    def description(self, atomic_numbers: list[int]) -> dict[str, Any]:
        """Return the description for :func:`vitrion.potentials.student.build_model`."""
        return {
            "r_max": self.cutoff_A,
            "num_bessel": self.radial_functions,
            "num_polynomial_cutoff": 5,
            "max_ell": self.max_ell,
            "num_interactions": self.interactions,
            "correlation": self.correlation,
            "avg_num_neighbors": self.average_neighbors,
            "atomic_numbers": atomic_numbers,
            "distance_transform": "Agnesi",
            "pair_repulsion": True,
            "radial_MLP": list(self.radial_layers),
            "hidden_irreps": f"{self.channels}x0e",
            "MLP_irreps": "16x0e",
            "hole_energy_eV": self.fitting(atomic_numbers).hole_energy_eV,
            "electron_energy_eV": self.fitting(atomic_numbers).electron_energy_eV,
            "interaction_cls": "RealAgnosticResidualInteractionBlock",
            "interaction_cls_first": "RealAgnosticResidualInteractionBlock",
        }
