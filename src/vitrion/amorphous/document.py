"""Document of one amorphous structure: preparation, structure, and amorphous verdict."""

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
from vitrion.amorphous.equilibration import MeltEquilibration, melt_equilibration
from vitrion.amorphous.glass_transition import GlassTransition, QuenchCurve, glass_transition
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.order import AMORPHOUS_BELOW, ORDERED_ABOVE, SURE_VERDICT_ATOMS
from vitrion.amorphous.pair_distributions import MAX_FRAMES, PairDistributions
from vitrion.amorphous.speciation import Speciation, intact_ions
from vitrion.chemistry.bonds import strip_properties
from vitrion.documents.base import VitrionDoc
from vitrion.dynamics.document import TrajectoryReference
from vitrion.dynamics.trajectory import Trajectory
from vitrion.uncertainty import LinearEstimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from pymatgen.core import Structure

    from vitrion.amorphous.cell import PackedCell
    from vitrion.amorphous.characterize import GlassCharacter


class Packing(BaseModel):
    """Initial cell of the melt."""

    unit: str = Field(description="What was packed: ions, atoms, or a crystal that was melted.")
    ions: dict[str, int] = Field(
        description="Packed ions, or molecules of the crystal, by formula; empty for atoms."
    )
    volume_per_atom_A3: float = Field(description="Volume per atom of the initial cell in A3.")
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

    ``phase`` is the intended phase; ``is_amorphous`` states whether the cell is amorphous.
    """

    key_fields: ClassVar[Mapping[str, str]] = {
        "is_amorphous": "is_amorphous",
        "density_equilibrated_g_per_cm3": "density_equilibrated_g_per_cm3",
        "energy_eV_per_atom": "energy_eV_per_atom",
    }

    property_name: str = "amorphous"
    replica: int | None = Field(
        None, description="Number of the replica within its set, starting at 1."
    )
    is_amorphous: bool = Field(
        description="Verdict: only the identity isometry maps the framework onto itself, and no "
        "Bragg peak is that of a crystal."
    )
    order_overlap: float = Field(
        description="Fraction of the framework that the best isometry maps onto itself; 1 for a "
        "perfect crystal."
    )
    order_threshold: float = Field(
        AMORPHOUS_BELOW, description="Overlap below which the verdict is amorphous."
    )
    bragg_intensity: float = Field(
        description="Highest Bragg peak, averaged over the elements; 1 for a simple crystal."
    )
    bragg_threshold: float = Field(
        ORDERED_ABOVE, description="Bragg intensity below which the verdict is amorphous."
    )
    density_relaxed_g_per_cm3: float = Field(description="Density of the relaxed cell in g/cm3.")
    density_equilibrated_g_per_cm3: float | None = Field(
        None, description="Mean density in g/cm3 at the target temperature and pressure."
    )
    density_error_g_per_cm3: float | None = Field(
        None, description="Its standard error in g/cm3 from four blocks of the run."
    )
    r_A: list[float] = Field(description="Distances in A at which g(r) is given.")
    n_frames: int | None = Field(None, description="Number of frames over which g(r) is averaged.")
    pair_distributions: list[PairDistribution] = Field(
        description="All partial pair distribution functions."
    )
    speciation: Speciation = Field(
        description="Bonding of every network former in the relaxed cell."
    )
    packing: Packing | None = Field(None, description="Initial cell; None if unknown.")
    ions_intact: dict[str, float] = Field(
        default_factory=dict,
        description="Fraction of the packed polyanions that are intact after each stage.",
    )
    melt: MeltEquilibration | None = Field(
        None, description="Displacement of the framework in the melt."
    )
    settings: MeltQuenchSettings | None = Field(None, description="Settings of the run.")
    melt_temperature_K: float | None = Field(None, description="Temperature of the melt in K.")
    quench_rate_K_per_ps: float | None = Field(None, description="Cooling rate in K/ps.")
    quench_curve: QuenchCurve | None = Field(
        None, description="Potential energy over temperature of the quench."
    )
    glass_transition: GlassTransition | None = Field(
        None, description="Glass transition of this quench; None if its energy shows no kink."
    )
    energy_eV_per_atom: float | None = Field(
        None, description="Energy of the relaxed cell in eV/atom."
    )
    relaxed: bool | None = Field(
        None, description="Whether the relaxation reached its force criterion."
    )
    contact_force_eV_per_A: float | None = Field(
        None, description="Largest force in eV/A on an atom of the packed start, before the melt."
    )
    trajectories: dict[str, TrajectoryReference] = Field(
        default_factory=dict, description="References to the trajectory of each stage."
    )
    remarks: list[str] = Field(
        default_factory=list, description="Warnings about the quality of this glass."
    )

    @classmethod
    def from_character(cls, structure: Structure, character: GlassCharacter, **kwargs: Any) -> Self:
        """Create the document of a structure from its analysis.

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
            With remarks on packing, melt equilibration and verdict.
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
    def order_text(self) -> str:
        """The two measures of order, for messages."""
        return f"self-overlap {self.order_overlap:.2f}, Bragg peak {self.bragg_intensity:.2f}"

    @property
    def crystallized(self) -> bool:
        """Whether the cell is crystalline and large enough for a reliable verdict."""
        return not self.is_amorphous and (self.nsites or 0) >= SURE_VERDICT_ATOMS

    def distributions(self) -> PairDistributions:
        """Return the pair distributions with the densities and counts of their elements."""
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
        """Return one sentence for each defect of this glass."""
        found = []
        if self.nsites is not None and self.nsites < SURE_VERDICT_ATOMS:
            found.append(
                f"A cell of {self.nsites} atoms is too small for a reliable verdict: a glass of "
                f"fewer than {SURE_VERDICT_ATOMS} atoms can look crystalline by chance."
            )
        if not self.is_amorphous:
            found.append(f"The cell is crystalline ({self.order_text}).")
        if self.melt is not None and not self.melt.equilibrated:
            found.append(
                f"The melt did not equilibrate: the framework moved {self.melt.msd_A2:.1f} A2, "
                f"less than the required {self.melt.neighbor_distance_A**2:.1f} A2."
            )
        broken = {stage: part for stage, part in self.ions_intact.items() if part < 1}
        if broken:
            stages = ", ".join(f"{1 - part:.0%} after {stage}" for stage, part in broken.items())
            found.append(f"Packed ions broke or bonded to each other: {stages}.")
        if self.speciation.loose:
            loose = ", ".join(f"{n} {symbol}" for symbol, n in self.speciation.loose.items())
            if self.speciation.centers:
                found.append(f"Atoms not bound to any network former: {loose}.")
        if self.relaxed is False:
            found.append("The relaxation did not reach its force criterion.")
        return found


def numbered(glasses: Iterable[AmorphousDoc]) -> list[tuple[int, AmorphousDoc]]:
    """Return the replicas with their numbers, sorted by number.

    Glasses of several runs, which have the same numbers, are numbered in their order.
    """
    in_order = list(glasses)
    numbers = [glass.replica for glass in in_order]
    if None not in numbers and len(set(numbers)) == len(numbers):
        in_order.sort(key=lambda glass: glass.replica or 0)
        return [(glass.replica or 0, glass) for glass in in_order]
    return list(enumerate(in_order, start=1))


def glass_document(
    structure: Structure,
    *,
    packed: PackedCell | None = None,
    stages: Mapping[str, Structure] | None = None,
    trajectories: Mapping[str, TrajectoryReference | dict[str, Any]] | None = None,
    quench_ramp_K: Sequence[float] | None = None,
    **kwargs: Any,
) -> AmorphousDoc:
    """Characterize a relaxed glass and create its document.

    Parameters
    ----------
    structure : Structure
        The relaxed cell, with its atoms in the order of the initial cell.
    packed : PackedCell, optional
        The initial cell.
    stages : mapping of str to Structure, optional
        Final structure of each stage, from which intact ions are counted.
    trajectories : mapping of str to TrajectoryReference, optional
        ``melt`` gives the displacement in the melt, ``equilibrate`` the density and the pair
        distributions; an unreadable file is skipped with a remark.
    quench_ramp_K : two floats, optional
        Target temperatures in K at the start and the end of the quench; None for no glass
        transition.
    **kwargs
        Other fields of the document.

    Returns
    -------
    AmorphousDoc
    """
    structure = strip_properties(structure)
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
    if quench_ramp_K and "quench" in references and "quench" not in lost:
        fields |= _quench_fields(references["quench"].path, *quench_ramp_K)
    if "melt" in references and "melt" not in lost:
        with Trajectory(references["melt"].path) as trajectory:
            fields["melt"] = melt_equilibration(trajectory)
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


def _quench_fields(path: str, start_K: float, end_K: float) -> dict[str, Any]:
    """Return the curve of a quench and its glass transition."""
    with Trajectory(path) as trajectory:
        curve = QuenchCurve.from_trajectory(trajectory, start_K, end_K)
    transition = glass_transition([] if curve is None else [curve])
    return {"quench_curve": curve, "glass_transition": transition}


def packing_of(packed: PackedCell) -> Packing:
    """Return the part of the document that describes the initial cell."""
    return Packing(
        unit=packed.unit,
        ions=packed.ion_counts(),
        volume_per_atom_A3=packed.volume_per_atom_A3,
        shortest_contact_A=packed.shortest_contact_A,
        seed=packed.seed,
    )
