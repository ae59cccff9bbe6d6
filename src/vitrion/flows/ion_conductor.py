"""Flow of all steps for one composition: crystal, glass, their landscapes, comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jobflow import Flow, Maker, OnMissing, OutputReference, job
from pymatgen.core import Structure

from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.chemistry.structures import check_apart, check_ordered, takes_atoms
from vitrion.comparison.makers import compare_phases
from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
from vitrion.conductivity.routes import add_defect_route
from vitrion.errors import InputError
from vitrion.flows.glass_conductivity import CrystalConductivityMaker, GlassConductivityMaker
from vitrion.flows.recipe_maker import RecipeMaker
from vitrion.landscape.makers import DefectMaker, LandscapeMaker
from vitrion.landscape.study_settings import DefectSettings
from vitrion.polymorphs.document import PolymorphDoc
from vitrion.polymorphs.makers import PolymorphSearchMaker
from vitrion.potentials import get_potential
from vitrion.relaxation.makers import RelaxMaker, make_relaxed
from vitrion.relaxation.relax import RelaxSettings

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from jobflow import Job
    from pymatgen.core import Composition

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.flows.recipe import Recipe

CRYSTAL_FMAX_EV_PER_A = 0.02


def _relax_maker(potential: str | None = None, pressure_GPa: float = 0.0) -> RelaxMaker:
    """Create the maker that relaxes a given crystal at the pressure of the glass."""
    settings = RelaxSettings(
        fmax_eV_per_A=CRYSTAL_FMAX_EV_PER_A,
        max_steps=1000,
        pressure_GPa=pressure_GPa,
        keep_symmetry=True,
    )
    return RelaxMaker("relax crystal", potential, settings, must_converge=True)


@dataclass
class IonConductorMaker(RecipeMaker):
    """Compute and compare the ion transport of the crystal and the glass of a composition.

    The steps are: search for the crystal; make the glass; compute the conductivity, the defects
    and the site-energy landscape of both; compare. Each step is a Maker that can be replaced; a
    step that is None is skipped.

    Parameters
    ----------
    name : str
        The name of the flows.
    polymorph_maker : PolymorphSearchMaker or None
        Search for the crystal; not used if a crystal is given.
    crystal_maker : CrystalConductivityMaker or None
        Conductivity of the crystal; None skips the crystal, including the search.
    glass_maker : GlassConductivityMaker or None
        Glass and its conductivity; None skips the glass.
    relax_maker : RelaxMaker, Maker of atomate2, or None
        Relaxation of a given crystal, which fails if it does not converge; None uses the crystal
        unrelaxed.
    crystal_landscape_maker, glass_landscape_maker : LandscapeMaker or None
        Defects and landscape of each phase. If barriers of the crystal are computed and its
        dynamics give no value, its conductivity is computed from its defects.
    defect_route : DefectConductivitySettings
        Settings of the conductivity from defects.

    Examples
    --------
    >>> flow = IonConductorMaker.from_preset("quick").make("LiPO2F2")
    >>> sorted(flow.output)
    ['comparison', 'crystal', 'crystal_landscape', 'glass', 'glass_landscape', 'polymorphs']
    """

    name: str = "ion conductor"
    polymorph_maker: PolymorphSearchMaker | None = field(default_factory=PolymorphSearchMaker)
    crystal_maker: CrystalConductivityMaker | None = field(default_factory=CrystalConductivityMaker)
    glass_maker: GlassConductivityMaker | None = field(default_factory=GlassConductivityMaker)
    relax_maker: Maker | None = field(default_factory=_relax_maker)
    crystal_landscape_maker: LandscapeMaker | None = field(
        default_factory=lambda: _landscape_maker(None, DefectSettings(), "crystalline")
    )
    glass_landscape_maker: LandscapeMaker | None = field(
        default_factory=lambda: _landscape_maker(None, DefectSettings(), "amorphous")
    )
    defect_route: DefectConductivitySettings = field(default_factory=DefectConductivitySettings)

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> Self:
        """Create the maker of a recipe; pass its formula and crystal to :meth:`make`."""
        potential = get_potential(recipe.potential).name
        crystal, glass = recipe.phase != "amorphous", recipe.phase != "crystalline"
        return cls(
            polymorph_maker=PolymorphSearchMaker(
                settings=recipe.search,
                potential=potential,
                parallel=recipe.search_jobs,
                seed=recipe.seed,
            ),
            crystal_maker=CrystalConductivityMaker.from_recipe(recipe) if crystal else None,
            glass_maker=GlassConductivityMaker.from_recipe(recipe) if glass else None,
            relax_maker=_relax_maker(potential, recipe.pressure_GPa),
            crystal_landscape_maker=_landscape_maker(
                potential, _with_barriers(recipe), "crystalline"
            )
            if crystal and recipe.landscape
            else None,
            glass_landscape_maker=_landscape_maker(potential, recipe.defects, "amorphous")
            if glass and recipe.landscape
            else None,
            defect_route=recipe.defect_route,
        )

    @takes_atoms
    def make(
        self,
        composition: CompositionLike | Structure,
        crystal: Structure | OutputReference | None = None,
        prev_dir: str | Path | None = None,
    ) -> Flow:
        """Create the flow.

        Parameters
        ----------
        composition : Composition, str or Structure
            Composition, such as ``"LiPO2F2"``; a Structure is the crystal too, unless one is given.
        crystal : Structure or reference to one, optional
            The crystal; None searches for it.
        prev_dir : str or Path, optional
            Passed to the first jobs of the glasses.

        Returns
        -------
        Flow
            Its output is a dictionary with the computed ones of ``polymorphs``, ``crystal`` and
            ``glass`` (conductivities), ``crystal_landscape``, ``glass_landscape`` and, with both
            phases, ``comparison``.

        Raises
        ------
        InputError
            If the composition is not supported, or both phases are skipped.
        """
        if isinstance(composition, Structure):
            crystal = composition if crystal is None else crystal
            composition = composition.composition
        formula = parse_composition(composition)
        self._check_mobile(formula)
        parts: list[Flow | Job] = []
        output: dict[str, Any] = {}
        if self.crystal_maker is not None:
            self._add_crystal(formula, crystal, parts, output)
        if self.glass_maker is not None:
            self._add_glass(formula, prev_dir, parts, output)
        if not parts:
            raise InputError("Neither crystal_maker nor glass_maker is set: set at least one.")
        if self.crystal_maker is None or self.glass_maker is None:
            return Flow(parts, output=output, name=f"{usual_formula(formula)} {self.name}")
        compared = compare_phases(
            *(
                {"conductivity": output[phase], "landscape": output.get(f"{phase}_landscape")}
                for phase in ("crystal", "glass")
            )
        )
        # Failed steps are missing in the comparison, and do not prevent it.
        compared.config.on_missing_references = OnMissing.NONE
        parts.append(compared)
        output["comparison"] = compared.output
        return Flow(parts, output=output, name=f"{usual_formula(formula)} {self.name}")

    def _add_crystal(
        self,
        formula: Composition,
        crystal: Structure | OutputReference | None,
        parts: list[Flow | Job],
        output: dict[str, Any],
    ) -> None:
        """Add the search if no crystal is given, the conductivity and the landscape."""
        if crystal is None and self.polymorph_maker is None:
            raise InputError("No crystal is given and polymorph_maker is None: set one of them.")
        found: Any  # a structure or a reference
        if crystal is None:
            assert self.polymorph_maker is not None
            search = self.polymorph_maker.make(usual_formula(formula))
            best = best_crystal(search.output)
            parts += [search, best]
            output["polymorphs"] = search.output
            found = best.output
        else:
            found = self._relaxed(crystal, formula, parts)
        assert self.crystal_maker is not None
        measured = self.crystal_maker.make(found)
        parts.append(measured)
        output["crystal"] = measured.output
        if self.crystal_landscape_maker is not None:
            landscape = self.crystal_landscape_maker.make(
                [found], trajectories=measured.output.trajectories
            )
            landscape.append_name("crystal ", prepend=True)
            parts.append(landscape)
            output["crystal_landscape"] = landscape.output
            self._add_defect_route(landscape, parts, output)

    def _add_defect_route(
        self, landscape: Flow, parts: list[Flow | Job], output: dict[str, Any]
    ) -> None:
        """Add the conductivity of the crystal from its defects, if barriers are computed."""
        maker = self.crystal_landscape_maker
        if maker is None or maker.defect_maker.settings.barriers is None:
            return
        routed = add_defect_route(output["crystal"], landscape.jobs[0].output, self.defect_route)
        # If the defects fail, the result of the dynamics is kept.
        routed.config.on_missing_references = OnMissing.NONE
        parts.append(routed)
        output["crystal"] = routed.output

    def _add_glass(
        self,
        formula: Composition,
        prev_dir: str | Path | None,
        parts: list[Flow | Job],
        output: dict[str, Any],
    ) -> None:
        """Add the glasses, their conductivity and their landscape."""
        assert self.glass_maker is not None
        made = self.glass_maker.make(usual_formula(formula), prev_dir=prev_dir)
        parts.append(made)
        measured = made.output["conductivity"]
        output["glass"] = measured
        if self.glass_landscape_maker is not None:
            landscape = self.glass_landscape_maker.make(
                made.output["structures"], trajectories=measured.trajectories
            )
            landscape.append_name("glass ", prepend=True)
            parts.append(landscape)
            output["glass_landscape"] = landscape.output

    def _relaxed(
        self,
        crystal: Structure | OutputReference,
        formula: Composition,
        parts: list[Flow | Job],
    ) -> Any:
        """Check the composition of a given crystal, and relax it."""
        given: Any
        if isinstance(crystal, OutputReference):
            checked = given_crystal(crystal, usual_formula(formula))
            parts.append(checked)
            given = checked.output
        else:
            given = _checked_crystal(crystal, usual_formula(formula))
        if self.relax_maker is None:
            return given
        return make_relaxed(self.relax_maker, given, parts)

    def _check_mobile(self, formula: Composition) -> None:
        """Refuse a composition without a default mobile species if a step needs one."""
        kinds = (CrystalConductivityMaker, GlassConductivityMaker)
        measured = (self.crystal_maker, self.glass_maker)
        landscapes = (self.crystal_landscape_maker, self.glass_landscape_maker)
        named = [
            part.conductivity_maker.settings.mobile for part in measured if isinstance(part, kinds)
        ]
        named += [
            part.defect_maker.settings.mobile
            for part in landscapes
            if isinstance(part, LandscapeMaker)
        ]
        if not all(named):
            default_mobile_species(formula)


@job(name="given crystal")
def given_crystal(crystal: Structure, formula: str) -> Structure:
    """Check and return a crystal from another job.

    Raises
    ------
    InputError
        If it has another composition, or is disordered.
    """
    return _checked_crystal(crystal, formula)


def _checked_crystal(crystal: Structure, formula: str) -> Structure:
    check_apart(check_ordered(crystal, "The crystal given"), "The crystal given")
    found = usual_formula(crystal.composition)
    if found != formula:
        raise InputError(f"The crystal given is {found}, not {formula}.")
    return crystal


@job(name="best crystal")
def best_crystal(polymorphs: PolymorphDoc | dict[str, Any]) -> Structure:
    """Return the most stable crystal of a search.

    Raises
    ------
    SimulationError
        If the search found no crystal.
    """
    return PolymorphDoc.model_validate(polymorphs).require_crystals().polymorphs[0].structure


def _with_barriers(recipe: Recipe) -> DefectSettings:
    barriers = recipe.crystal_barriers or recipe.defects.barriers
    return recipe.defects.model_copy(update={"barriers": barriers})


def _landscape_maker(
    potential: str | None, settings: DefectSettings, phase: Literal["crystalline", "amorphous"]
) -> LandscapeMaker:
    chosen = settings.model_copy(update={"phase": phase})
    return LandscapeMaker(defect_maker=DefectMaker(potential=potential, settings=chosen))
