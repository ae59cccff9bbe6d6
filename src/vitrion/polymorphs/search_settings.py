"""Settings of a polymorph search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.chemistry.structures import structure_as_json
from vitrion.errors import InputError
from vitrion.relaxation.relax import RelaxSettings
from vitrion.runtime.settings_model import Option, SettingsModel

if TYPE_CHECKING:
    from pymatgen.core import Composition

    from vitrion.chemistry.formulas import CompositionLike


class SearchSettings(SettingsModel):
    """Settings of a polymorph search; the defaults suit up to 30 atoms on one CPU core."""

    candidates: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default={"diffusion": 24, "random": 8, "substitution": 8},
        description="Candidates per iteration by generator (diffusion, random, substitution).",
    )
    oversampling: int = Field(
        4,
        ge=1,
        description="Number of candidates generated for each relaxed candidate; the lowest in "
        "energy of each kind are relaxed. 1 relaxes all.",
    )
    formula_units: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 3, 4), min_length=1, description="Formula units in the cells of the candidates."
    )
    volume_per_atom_A3: float | None = Field(
        None,
        gt=0,
        description="Volume per atom of the candidates in A3; None uses an estimate first, then "
        "the volume of the best crystals.",
    )
    weights: str = Field(
        "vitrion-score", description="Score net: shipped, or a file, optionally with #<sha256>."
    )
    sampler: dict[str, Any] = Field(default_factory=dict, description="See SamplerSettings.")
    files: tuple[Annotated[str | dict[str, Any], BeforeValidator(structure_as_json)], ...] = Field(
        (),
        description="Structure files, or structures as pymatgen dictionaries, to add in the first "
        "iteration.",
    )
    host_species: str | None = Field(
        None, description="Element removed to make hosts; None uses the mobile species."
    )
    hosts: int = Field(
        4, ge=0, description="Best crystals made into hosts each iteration; 0: none."
    )
    fillings: int = Field(3, ge=1, description="Number of fillings of each host.")
    inpaint_mode: Literal["conditioned", "repaint"] = Field(
        "conditioned", description="How the host is held while it is filled."
    )
    relax: RelaxSettings = Field(
        default_factory=RelaxSettings, description="Relaxation settings; the pressure must be zero."
    )
    found_again: int = Field(
        3, ge=1, description="Stop when the best crystal was found this many times."
    )
    max_relaxations: Annotated[int, Option("--max-relaxations")] = Field(
        400, ge=1, le=1_000_000, description="Stop the search after this many relaxations."
    )
    max_iterations: int = Field(8, ge=1, le=1000, description="Stop after this many iterations.")
    polished: int = Field(
        5, ge=0, description="Best crystals relaxed to 0.01 eV/A before they are ranked."
    )
    stability: Annotated[bool, Option("--stability")] = Field(
        False, description="Test the best crystal: phonons, and 4 ps of dynamics at 300 K."
    )
    drop_triclinic: bool = Field(
        False, description="Whether to exclude crystals that are P1 at 0.1 A from the ranking."
    )


def check_search_request(composition: CompositionLike, settings: SearchSettings) -> Composition:
    """Validate the request and return one formula unit.

    Raises
    ------
    InputError
        If the composition or the settings are invalid.
    """
    formula = parse_composition(composition)
    unknown = set(settings.candidates) - {"diffusion", "random", "substitution"}
    if unknown:
        raise InputError(
            f"There is no generator '{sorted(unknown)[0]}': choose from diffusion, random and "
            "substitution, and name structure files in 'files'."
        )
    if not settings.files and not any(settings.candidates.values()):
        raise InputError("The search needs candidates from at least one generator or file.")
    if settings.relax.pressure_GPa:
        raise InputError(
            "A search ranks crystals by energy, which is right at zero pressure only: give the "
            "crystal, or leave relax.pressure_GPa at 0."
        )
    if settings.hosts and settings.host_species not in {None, *(el.symbol for el in formula)}:
        raise InputError(
            f"{usual_formula(formula)} does not contain host_species {settings.host_species}."
        )
    return formula


def read_search_files(settings: SearchSettings) -> SearchSettings:
    """Return the settings for jobs in other folders.

    Structure files are replaced by their structures; the score net has its absolute path and hash.

    Raises
    ------
    InputError
        If a structure file is missing or holds no structure, or the score net is missing.
    """
    from vitrion.generation.diffusion.weights import with_hash
    from vitrion.generation.given import read_given

    files: list[dict[str, Any]] = []
    for given in settings.files:
        files += [given] if isinstance(given, dict) else read_given(given)
    return settings.model_copy(
        update={"files": tuple(files), "weights": with_hash(settings.weights)}
    )


def check_search_inputs(
    composition: CompositionLike, settings: SearchSettings
) -> tuple[Composition, SearchSettings]:
    """Validate a request with its files and sampler, which otherwise fail in the jobs.

    Returns
    -------
    Composition, SearchSettings
        One formula unit, and the settings of :func:`read_search_files`.

    Raises
    ------
    InputError
        If the composition or the settings are invalid, a structure file is missing or of another
        composition, there are more structures than relaxations, the score net cannot be read, or a
        setting of the sampler is invalid.
    """
    from vitrion.generation.diffusion.weights import SHIPPED, load_weights

    formula = check_search_request(composition, settings)
    settings = read_search_files(settings)
    if settings.files:
        from vitrion.generation.given import FileGenerator

        FileGenerator(list(settings.files)).generate(formula, 1)
    if len(settings.files) > settings.max_relaxations:
        raise InputError(
            f"The files hold {len(settings.files)} structures, but max_relaxations is "
            f"{settings.max_relaxations}: allow at least as many."
        )
    if settings.weights != SHIPPED:
        load_weights(settings.weights)
    if settings.sampler:
        from vitrion.generation.diffusion.sampler import SamplerSettings

        SamplerSettings(**settings.sampler)
    return formula, settings


def host_species(formula: Composition, settings: SearchSettings) -> str | None:
    """Return the element that is removed to make hosts.

    None without a mobile species, or if it is the only element.
    """
    from vitrion.chemistry.charges import MOBILE_CHARGES

    if len(formula) == 1:
        return None
    if settings.host_species is not None:
        return settings.host_species
    return next((symbol for symbol in MOBILE_CHARGES if symbol in formula), None)
