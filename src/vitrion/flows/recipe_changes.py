"""Types of the keywords that change a recipe, for editors and type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms
    from pymatgen.core import Structure

    from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.conductivity.conductivity_settings import ConductivitySettings
    from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
    from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
    from vitrion.polymorphs.search_settings import SearchSettings

PresetName = Literal["quick", "standard", "paper"]


class RecipeChanges(TypedDict, total=False):
    """Fields of a :class:`~vitrion.flows.recipe.Recipe`; a mapping changes a part of a section."""

    formula: CompositionLike | None
    phase: Literal["both", "crystalline", "amorphous"]
    crystal: str | Structure | Atoms | Mapping[str, Any] | None
    potential: str | None
    potential_sha256: str | None
    reference_potential: str | None
    mobile: str | None
    seed: int
    timestep_fs: float | None
    pressure_GPa: float
    landscape: bool
    allow_unbalanced: bool
    n_replicas: int
    supercell_side_A: float
    search_jobs: int
    search: SearchSettings | Mapping[str, Any]
    glass: MeltQuenchSettings | Mapping[str, Any]
    conductivity: ConductivitySettings | Mapping[str, Any]
    defects: DefectSettings | Mapping[str, Any]
    crystal_first_ps: float | None
    crystal_barriers: BarrierSettings | Mapping[str, Any] | None
    defect_route: DefectConductivitySettings | Mapping[str, Any]
