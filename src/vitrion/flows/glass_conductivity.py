"""Flows for the ionic conductivity of a glass and of a crystal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from jobflow import Flow, job

from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker
from vitrion.chemistry.geometry import face_distances
from vitrion.chemistry.structures import takes_atoms, takes_structure, without_site_properties
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.flows.glass_set import MoreGlassesMaker, choose_glasses
from vitrion.flows.recipe_maker import RecipeMaker
from vitrion.potentials import get_potential

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.documents.base import Phase
    from vitrion.flows.recipe import Recipe


@dataclass
class GlassConductivityMaker(RecipeMaker):
    """Make several glasses of one composition and compute their conductivity.

    Parameters
    ----------
    name : str
        The name of the flows.
    glass_maker : GlassReplicasMaker
        Maker of the glasses.
    conductivity_maker : ConductivityMaker
        Maker of the conductivity; its error includes the spread of the glasses. If the spread
        dominates the error, further glasses are made within the budget of the extensions.

    Examples
    --------
    >>> flow = GlassConductivityMaker.from_preset("quick").make("LiPO2F2")
    >>> flow.jobs[-1].name
    'conductivity'
    """

    name: str = "glass conductivity"
    glass_maker: GlassReplicasMaker = field(default_factory=GlassReplicasMaker)
    conductivity_maker: ConductivityMaker = field(
        default_factory=lambda: ConductivityMaker(phase="amorphous")
    )

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Self:
        """Create the maker of a recipe."""
        return cls(
            glass_maker=GlassReplicasMaker(
                melt_quench_maker=MeltQuenchMaker.from_potential(recipe.potential, recipe.glass),
                n_replicas=recipe.n_replicas,
            ),
            conductivity_maker=conductivity_maker(recipe, "amorphous"),
        )

    @takes_atoms
    def make(
        self, structure: Structure | CompositionLike, prev_dir: str | Path | None = None
    ) -> Flow:
        """Create the flow.

        Parameters
        ----------
        structure : Structure, Composition or str
            A composition to pack, or a crystal to melt.
        prev_dir : str or Path, optional
            Passed to the first job of each glass.

        Returns
        -------
        Flow
            Its output is a dictionary: ``conductivity``, the
            :class:`~vitrion.conductivity.document.ConductivityDoc`; ``glasses``, the documents of
            the first glasses; ``structures``, those that are not crystalline.
        """
        glasses = self.glass_maker.make(structure, prev_dir=prev_dir)
        chosen = choose_glasses(glasses.output)
        # Under another name: powerups of the stages by their names would fail at this Maker.
        melt_quench = replace(self.glass_maker.melt_quench_maker, name="further glass")
        more = MoreGlassesMaker(
            glass_maker=replace(self.glass_maker, melt_quench_maker=melt_quench)
        )
        maker = replace(self.conductivity_maker, system_maker=more)
        measured = maker.make(
            chosen.output["structures"],
            remarks=chosen.output["remarks"],
            glass_transition=chosen.output["glass_transition"],
            origin=structure,
        )
        output = {
            "glasses": glasses.output,
            "structures": chosen.output["structures"],
            "conductivity": measured.output,
        }
        return Flow([glasses, chosen, measured], output=output, name=self.name)


@dataclass
class CrystalConductivityMaker(RecipeMaker):
    """Compute the conductivity of a crystal in a supercell.

    Parameters
    ----------
    name : str
        The name of the flows.
    min_side_A : float
        Minimum distance in A between opposite faces of the supercell.
    conductivity_maker : ConductivityMaker
        Maker of the conductivity.
    """

    name: str = "crystal conductivity"
    min_side_A: float = 11.0
    conductivity_maker: ConductivityMaker = field(
        default_factory=lambda: ConductivityMaker(phase="crystalline")
    )

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Self:
        """Create the maker of a recipe."""
        return cls(
            min_side_A=recipe.supercell_side_A,
            conductivity_maker=conductivity_maker(recipe, "crystalline"),
        )

    @takes_structure
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Flow:
        """Create the flow.

        Parameters
        ----------
        structure : Structure
            A cell of the crystal, relaxed with the potential.
        prev_dir : str or Path, optional
            Directory of an earlier run to resume.

        Returns
        -------
        Flow
            Its output is the :class:`~vitrion.conductivity.document.ConductivityDoc`.
        """
        cell = repeat_cell(structure, self.min_side_A)
        measured = self.conductivity_maker.make(cell.output, prev_dir=prev_dir)
        measured.append_name("crystal ", prepend=True)
        return Flow([cell, measured], output=measured.output, name=self.name)


@job(name="supercell")
@takes_structure
def repeat_cell(structure: Structure, min_side_A: float) -> Structure:
    """Repeat a cell until opposite faces are ``min_side_A`` apart."""
    repeated = without_site_properties(structure)
    counts = np.ceil(min_side_A / face_distances(structure.lattice.matrix) - 1e-6)
    repeated.make_supercell(np.diag(np.maximum(counts, 1).astype(int)))
    return repeated


def conductivity_maker(recipe: Recipe, phase: Phase) -> ConductivityMaker:
    """Create the conductivity maker of one phase of a recipe."""
    settings = recipe.conductivity
    if phase == "crystalline" and recipe.crystal_first_ps is not None:
        first_ps = min(recipe.crystal_first_ps, settings.first_ps)
        settings = settings.model_copy(update={"first_ps": first_ps})
    return ConductivityMaker(
        settings=settings,
        phase=phase,
        potential=recipe.potential,
        reference_potential=second_opinion(recipe),
    )


def second_opinion(recipe: Recipe) -> str | None:
    """Return the reference potential; None if it is not installed, or the same or also CHGNet."""
    name = recipe.reference_potential
    if name is None or (name.startswith("chgnet") and find_spec("chgnet") is None):
        return None
    own, other = (get_potential(name) for name in (recipe.potential, recipe.reference_potential))
    same = own.name == other.name or own.backend == other.backend == "chgnet"
    return None if same else recipe.reference_potential
