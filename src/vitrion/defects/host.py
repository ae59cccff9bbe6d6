"""Host of the defects: validated, relaxed, and repeated to the required size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.chemistry.geometry import face_distances, indices_of, minimum_image, site_symbols
from vitrion.chemistry.structures import without_site_properties
from vitrion.defects.symmetry import SpaceGroup
from vitrion.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.relaxation.relaxers import Relaxer

FORCE_BOUND_EV_A = 0.15
"""Largest force in eV/A of a host that counts as relaxed with this potential."""

MIN_SIDE_A = 7.5
"""Minimum distance in A between images of a defect."""


@dataclass(frozen=True)
class Host:
    """A relaxed cell that holds the defects.

    Attributes
    ----------
    structure : Structure
        The cell; for a crystal a supercell of ``unit_cell``.
    energy_eV, max_force_eV_per_A : float
        Of ``structure``.
    mobile : str
        Mobile element.
    phase : str
        ``crystalline`` or ``amorphous``.
    unit_cell : Structure
        Cell that defines the symmetry; ``structure`` itself for a glass.
    repeats : tuple of three int
    group : SpaceGroup
        Of ``unit_cell``; the identity alone for a glass.
    """

    structure: Structure
    energy_eV: float
    max_force_eV_per_A: float
    mobile: str
    phase: Literal["crystalline", "amorphous"]
    unit_cell: Structure
    repeats: tuple[int, int, int]
    group: SpaceGroup

    @property
    def n_cells(self) -> int:
        """Unit cells in the host."""
        return int(np.prod(self.repeats))

    @property
    def ions(self) -> NDArray[np.int64]:
        """Sites of the mobile ions in ``structure``."""
        return indices_of(site_symbols(self.structure), self.mobile)

    def to_supercell(self, frac: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert fractional coordinates of the unit cell to the host."""
        return np.asarray(frac, dtype=float) / np.array(self.repeats)

    def copies(self, frac: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all copies of a point of the unit cell in the host, (n_cells, 3)."""
        shifts = np.array(list(np.ndindex(*self.repeats)))
        return (np.asarray(frac, dtype=float) + shifts) / np.array(self.repeats)

    def nearest_ion(self, frac: NDArray[np.float64]) -> tuple[int, float]:
        """Return the mobile ion nearest to a point of the host, and its distance in A."""
        ions = self.ions
        vectors = minimum_image(
            np.tile(frac, (len(ions), 1)),
            self.structure.frac_coords[ions],
            self.structure.lattice.matrix,
        )
        distances = np.linalg.norm(vectors, axis=1)
        k = int(np.argmin(distances))
        return int(ions[k]), float(distances[k])


def check_host_request(
    structure: Structure, mobile: str, *, amorphous: bool, min_side_A: float = MIN_SIDE_A
) -> None:
    """Validate the structure and the mobile ion before any computation.

    Raises
    ------
    InputError
        If the structure is disordered, does not contain the mobile ion, or is a glass in too small
        a cell.
    """
    symbols = site_symbols(structure)
    if mobile not in symbols:
        present = ", ".join(sorted(set(symbols)))
        raise InputError(
            f"The structure does not contain {mobile} (but {present}): name the mobile species."
        )
    if amorphous:
        side = float(face_distances(structure.lattice.matrix).min())
        if side < min_side_A:
            raise InputError(
                f"The cell is {side:.1f} A wide, so a defect would interact with its image: use a "
                f"glass of at least {min_side_A:g} A."
            )


def prepare_host(
    structure: Structure,
    mobile: str,
    relax: Relaxer,
    *,
    phase: Literal["crystalline", "amorphous"] | None = None,
    supercell_side_A: float = 10.0,
    force_bound_eV_per_A: float = FORCE_BOUND_EV_A,
    symprec_A: float = 0.01,
) -> Host:
    """Validate a structure, relax it at fixed cell, and build a supercell of a crystal.

    Parameters
    ----------
    structure : Structure
        A cell of a crystal, or of a glass; relaxed with the potential that ``relax`` uses.
    mobile : str
    relax : Relaxer
    phase : str, optional
        By default amorphous if the structure has only translational symmetry.
    supercell_side_A : float
        Minimum distance in A between opposite faces of a crystal's supercell.
    force_bound_eV_per_A : float
        Largest initial force of a relaxed structure in eV/A.
    symprec_A : float
        Tolerance of the symmetry search.

    Returns
    -------
    Host

    Raises
    ------
    InputError
        As :func:`check_host_request`, or if the structure is not relaxed.
    SimulationError
        If the relaxation at fixed cell does not converge.
    """
    plain = without_site_properties(structure)
    plain.remove_oxidation_states()
    site_symbols(plain)
    group = SpaceGroup.of(plain, symprec_A)
    if phase is None:
        phase = "amorphous" if group.is_trivial else "crystalline"
    check_host_request(plain, mobile, amorphous=phase == "amorphous")
    first = relax([plain], max_steps=0)[0]
    if first.max_force_eV_per_A > force_bound_eV_per_A:
        raise InputError(
            "The host is not relaxed with this potential (a force of "
            f"{first.max_force_eV_per_A:.2f} eV/A, more than {force_bound_eV_per_A:g}): relax it "
            "first."
        )
    polished = relax([plain])[0].require_converged("The host")
    unit_cell = polished.structure
    if phase == "amorphous":
        return Host(
            structure=unit_cell,
            energy_eV=polished.energy_eV,
            max_force_eV_per_A=polished.max_force_eV_per_A,
            mobile=mobile,
            phase=phase,
            unit_cell=unit_cell,
            repeats=(1, 1, 1),
            group=SpaceGroup(np.eye(3)[None], np.zeros((1, 3))),
        )
    return repeat_host(
        unit_cell, mobile, relax, supercell_side_A, SpaceGroup.of(unit_cell, symprec_A)
    )


def repeat_host(
    unit_cell: Structure, mobile: str, relax: Relaxer, side_A: float, group: SpaceGroup
) -> Host:
    """Repeat a relaxed crystal until opposite faces are ``side_A`` apart."""
    counts = np.ceil(side_A / face_distances(unit_cell.lattice.matrix) - 1e-6).astype(int)
    repeats = tuple(int(n) for n in np.maximum(counts, 1))
    supercell = unit_cell.copy()
    supercell.make_supercell(np.diag(repeats))
    still = relax([supercell], max_steps=0)[0]
    return Host(
        structure=supercell,
        energy_eV=still.energy_eV,
        max_force_eV_per_A=still.max_force_eV_per_A,
        mobile=mobile,
        phase="crystalline",
        unit_cell=unit_cell,
        repeats=(repeats[0], repeats[1], repeats[2]),
        group=group,
    )
