"""One amorphous structure: how it was made, what it is like, and whether it is amorphous."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from vitrion.amorphous.characterize import (
    DENSITY_BLOCKS,
    characterize,
    equilibrium_frames,
    mean_density,
)
from vitrion.amorphous.equilibration import MeltMemory, melt_memory
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.order import AMORPHOUS_BELOW, SURE_VERDICT_ATOMS
from vitrion.amorphous.pair_distributions import MAX_FRAMES, PairDistributions
from vitrion.amorphous.speciation import Speciation, intact_ions
from vitrion.chemistry.bonds import bare
from vitrion.documents.base import VitrionDoc
from vitrion.dynamics.document import TrajectoryReference
from vitrion.dynamics.trajectory import Trajectory
from vitrion.uncertainty import LinearEstimate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from pymatgen.core import Structure

    from vitrion.amorphous.cell import PackedCell
    from vitrion.amorphous.characterize import GlassCharacter


class Packing(BaseModel):
    """The start of the melt."""

    unit: str = Field(description="What was packed: ions, atoms, or a crystal that was melted.")
    ions: dict[str, int] = Field(
        description="Packed ions, or molecules of the crystal, by formula; empty for atoms."
    )
    volume_per_atom_A3: float = Field(description="Volume per atom of the start in A3.")
    shortest_contact_A: float = Field(
        description="Shortest periodic distance in A between atoms of different ions."
    )
    seed: int | None = Field(description="Seed of the packing; None for a crystal.")


class PairDistribution(BaseModel):
    """One partial pair distribution function."""

    pair: tuple[str, str] = Field(description="The two elements.")
    g: list[float] = Field(description="g(r) at the distances of the document; 1 for an ideal gas.")
    first_peak_A: float | None = Field(
        description="Distance of the first peak in A; None without a resolved first shell."
    )
    first_minimum_A: float | None = Field(description="End of the first shell in A.")
    coordination: tuple[float, float] | None = Field(
        description="Mean number of the second element around the first within the first shell, "
        "and of the first around the second."
    )

    @classmethod
    def from_distributions(cls, pdf: PairDistributions, first: str, second: str) -> Self:
        """Take one pair from the computed distributions."""
        shell = pdf.first_shell(first, second)
        numbers = None
        if shell is not None:
            ends = ((first, second), (second, first))
            numbers = tuple(pdf.coordination(a, b, shell[1]) for a, b in ends)
        return cls(
            pair=(first, second),
            g=[round(float(value), 4) for value in pdf.pair(first, second)],
            first_peak_A=None if shell is None else shell[0],
            first_minimum_A=None if shell is None else shell[1],
            coordination=numbers,
        )


class AmorphousDoc(VitrionDoc):
    """One replica of a glass. ``structure`` is the relaxed cell.

    Its phase is the one that was to be made; ``is_amorphous`` tells whether it was.
    """

    key_fields: ClassVar[Mapping[str, str]] = {
        "is_amorphous": "is_amorphous",
        "density_equilibrated_g_per_cm3": "density_equilibrated_g_per_cm3",
        "energy_eV_per_atom": "energy_eV_per_atom",
    }

    property_name: str = "amorphous"
    replica: int | None = Field(
        None, description="Number among the replicas that were made together, from 1 on."
    )
    is_amorphous: bool = Field(
        description="The verdict: no isometry but the identity maps the framework onto itself."
    )
    order_overlap: float = Field(
        description="Part of the framework that the best isometry maps onto itself; 1: a crystal."
    )
    order_threshold: float = Field(
        AMORPHOUS_BELOW, description="Overlap below which the verdict is amorphous."
    )
    bragg_intensity: float = Field(
        description="Highest Bragg peak of the framework over N^2: evidence beside the verdict."
    )
    density_relaxed_g_per_cm3: float = Field(description="Density of the relaxed cell in g/cm3.")
    density_equilibrated_g_per_cm3: float | None = Field(
        None, description="Mean density in g/cm3 at the target temperature and pressure."
    )
    density_error_g_per_cm3: float | None = Field(
        None, description="Its standard error in g/cm3 from four blocks of the run."
    )
    r_A: list[float] = Field(description="Distances in A at which g(r) is given.")
    n_frames: int | None = Field(
        None, description="Frames over which g(r) is averaged; None in documents of before."
    )
    pair_distributions: list[PairDistribution] = Field(
        description="All partial pair distribution functions."
    )
    speciation: Speciation = Field(description="What every former of the relaxed cell is bound to.")
    packing: Packing | None = Field(None, description="The start; None where it is not known.")
    ions_intact: dict[str, float] = Field(
        default_factory=dict,
        description="Fraction of the packed polyanions that are still whole, after each stage.",
    )
    melt: MeltMemory | None = Field(None, description="The melt's loss of memory.")
    settings: MeltQuenchSettings | None = Field(None, description="What the run was asked to do.")
    melt_temperature_K: float | None = Field(None, description="Temperature of the melt in K.")
    quench_rate_K_per_ps: float | None = Field(None, description="Cooling rate in K/ps.")
    energy_eV_per_atom: float | None = Field(
        None, description="Energy of the relaxed cell in eV/atom."
    )
    relaxed: bool | None = Field(
        None, description="Whether the relaxation reached its force criterion."
    )
    trajectories: dict[str, TrajectoryReference] = Field(
        default_factory=dict, description="References to the trajectory of each stage."
    )
    remarks: list[str] = Field(
        default_factory=list, description="What a reader must know before trusting this glass."
    )

    @classmethod
    def from_character(cls, structure: Structure, character: GlassCharacter, **kwargs: Any) -> Self:
        """Make the document of a structure and its character.

        Parameters
        ----------
        structure : Structure
            The relaxed cell.
        character : GlassCharacter
            From :func:`vitrion.amorphous.characterize.characterize`.
        **kwargs
            Other fields.

        Returns
        -------
        AmorphousDoc
            Packing, memory and verdict leave their remarks.
        """
        order, pdf = character.order, character.distributions
        document = cls.from_structure(
            meta_structure=structure,
            phase="amorphous",
            is_amorphous=order.is_amorphous,
            order_overlap=order.overlap,
            bragg_intensity=order.bragg,
            density_relaxed_g_per_cm3=character.density_g_per_cm3,
            r_A=[round(float(r), 4) for r in pdf.r_A],
            n_frames=pdf.n_frames,
            pair_distributions=[PairDistribution.from_distributions(pdf, *pair) for pair in pdf.g],
            speciation=character.speciation,
            **kwargs,
        )
        return document.model_copy(update={"remarks": [*document.remarks, *document.findings()]})

    @property
    def density_equilibrated(self) -> LinearEstimate | None:
        """Density of the equilibrated glass in g/cm3 with its standard error."""
        if self.density_equilibrated_g_per_cm3 is None:
            return None
        return LinearEstimate(
            value=self.density_equilibrated_g_per_cm3,
            error=self.density_error_g_per_cm3,
            degrees_of_freedom=DENSITY_BLOCKS - 1,
        )

    @property
    def crystallized(self) -> bool:
        """Whether it is surely no glass: not amorphous, in a cell that is large enough to tell."""
        return not self.is_amorphous and (self.nsites or 0) >= SURE_VERDICT_ATOMS

    def distributions(self) -> PairDistributions:
        """Return the pair distributions with what their shells are counted by."""
        assert self.structure is not None
        swollen = self.density_relaxed_g_per_cm3 / (
            self.density_equilibrated_g_per_cm3 or self.density_relaxed_g_per_cm3
        )
        amounts = self.structure.composition.get_el_amt_dict()
        counts = {symbol: round(amount) for symbol, amount in amounts.items()}
        volume_A3 = self.structure.volume * swollen
        return PairDistributions(
            r_A=np.array(self.r_A),
            g={one.pair: np.array(one.g) for one in self.pair_distributions},
            densities_per_A3={symbol: n / volume_A3 for symbol, n in counts.items()},
            counts=counts,
            n_frames=self.n_frames or MAX_FRAMES,
        )

    def findings(self) -> list[str]:
        """Return one sentence for each thing that went otherwise than in a sound glass."""
        found = []
        if self.nsites is not None and self.nsites < SURE_VERDICT_ATOMS:
            found.append(
                f"A cell of {self.nsites} atoms is too small for a sure verdict: a glass of fewer "
                f"than {SURE_VERDICT_ATOMS} can look crystalline by chance."
            )
        if not self.is_amorphous:
            found.append("The cell is crystalline: an isometry maps its framework onto itself.")
        if self.melt is not None and not self.melt.forgotten:
            found.append(
                f"The melt has not forgotten its start: the framework moved {self.melt.msd_A2:.1f} "
                f"A2, less than the {self.melt.neighbor_distance_A**2:.1f} A2 that it should."
            )
        broken = {stage: part for stage, part in self.ions_intact.items() if part < 1}
        if broken:
            stages = ", ".join(f"{1 - part:.0%} after {stage}" for stage, part in broken.items())
            found.append(f"Some of the packed ions broke or joined others: {stages}.")
        if self.speciation.loose:
            loose = ", ".join(f"{n} {symbol}" for symbol, n in self.speciation.loose.items())
            if self.speciation.centers:
                found.append(f"Atoms that are bound to no former: {loose}.")
        if self.relaxed is False:
            found.append("The relaxation did not reach its force criterion.")
        return found


def numbered(glasses: Iterable[AmorphousDoc]) -> list[tuple[int, AmorphousDoc]]:
    """Return replicas by the numbers of their jobs, whichever of them was finished first."""
    in_order = sorted(glasses, key=lambda glass: glass.replica or 0)
    return [(glass.replica or place, glass) for place, glass in enumerate(in_order, start=1)]


def glass_document(
    structure: Structure,
    *,
    packed: PackedCell | None = None,
    stages: Mapping[str, Structure] | None = None,
    trajectories: Mapping[str, TrajectoryReference | dict[str, Any]] | None = None,
    **kwargs: Any,
) -> AmorphousDoc:
    """Characterize a relaxed glass and make its document.

    Parameters
    ----------
    structure : Structure
        The relaxed cell, its atoms in the order of the start.
    packed : PackedCell, optional
        The start.
    stages : mapping of str to Structure, optional
        The last moment of each stage, to see which ions it left whole.
    trajectories : mapping of str to TrajectoryReference, optional
        ``melt`` tells the loss of memory, ``equilibrate`` the density and the pair distributions; a
        file that cannot be reached is left out with a remark.
    **kwargs
        Other fields of the document.

    Returns
    -------
    AmorphousDoc
    """
    structure = bare(structure)
    references = {
        stage: TrajectoryReference.model_validate(reference)
        for stage, reference in (trajectories or {}).items()
    }
    lost = [stage for stage, reference in references.items() if not Path(reference.path).is_file()]
    fields: dict[str, Any] = {
        "trajectories": references,
        "remarks": [f"The trajectory of the {stage} stage could not be read." for stage in lost],
    }
    frames: list[Structure] = []
    if "melt" in references and "melt" not in lost:
        with Trajectory(references["melt"].path) as trajectory:
            fields["melt"] = melt_memory(trajectory)
    if "equilibrate" in references and "equilibrate" not in lost:
        with Trajectory(references["equilibrate"].path) as trajectory:
            frames = equilibrium_frames(trajectory)
        density, error = mean_density(frames)
        fields["density_equilibrated_g_per_cm3"] = density
        fields["density_error_g_per_cm3"] = error
    if packed is not None:
        fields["packing"] = packing_of(packed)
        parts = {
            stage: intact_ions(cell, packed.ions)
            for stage, cell in {**(stages or {}), "relaxation": structure}.items()
        }
        fields["ions_intact"] = {stage: part for stage, part in parts.items() if part is not None}
    return AmorphousDoc.from_character(
        structure, characterize(structure, frames), **fields, **kwargs
    )


def packing_of(packed: PackedCell) -> Packing:
    """Return the part of the document that tells the start."""
    return Packing(
        unit=packed.unit,
        ions=packed.ion_counts(),
        volume_per_atom_A3=packed.volume_per_atom_A3,
        shortest_contact_A=packed.shortest_contact_A,
        seed=packed.seed,
    )
