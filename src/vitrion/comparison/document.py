"""Document of the comparison of a crystal and a glass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from vitrion.comparison.landscapes import LandscapeClaim, compare_landscapes
from vitrion.conductivity.document import ConductivityDoc, Formula
from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError
from vitrion.uncertainty import Bound, Estimate, ratio, upper_bound

if TYPE_CHECKING:
    from typing import Self

    from vitrion.landscape.document import SiteEnergyLandscapeDoc
    from vitrion.transport.result import TransportResult


class ConductivityRatio(BaseModel):
    """Ratio of the conductivities of glass and crystal at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    extrapolated: bool = Field(
        description="Whether the conductivities are extrapolated from other temperatures."
    )
    ratio: Estimate | None = Field(None, description="Conductivity of the glass over the crystal.")
    quantity: Formula | None = Field(
        None,
        description="Conductivity used for both: Einstein if it is the headline of both, else "
        "Nernst-Einstein.",
    )
    lower_bound: float | None = Field(
        None,
        description="Lower bound of the ratio with 90 % probability, if the crystal has only an "
        "upper bound: lower 95 % bound of the glass over upper 95 % bound of the crystal.",
    )


class ComparisonDoc(VitrionDoc):
    """Comparison of a crystal and a glass: ratios of conductivities, tests of landscapes."""

    key_fields: ClassVar = {
        "ratio_300K": "ratios.0.ratio.value",
        "ratio_300K_bound": "ratios.0.lower_bound",
    }

    property_name: str = "comparison"
    mobile_species: dict[str, float] = Field(
        default_factory=dict, description="Mobile species and their charges in e."
    )
    ratios: list[ConductivityRatio] = Field(
        default_factory=list,
        description="Ratios of the conductivities: at 300 K first, then at common temperatures.",
    )
    claims: list[LandscapeClaim] = Field(
        default_factory=list, description="Tests of whether the landscape of the glass is flatter."
    )
    remarks: list[str] = Field(
        default_factory=list, description="Remarks of the compared conductivities."
    )

    @classmethod
    def from_documents(cls, crystal: dict[str, Any], glass: dict[str, Any]) -> Self:
        """Compare the documents of a crystal and a glass; absent documents are skipped.

        Parameters
        ----------
        crystal, glass : dict
            ``conductivity`` (:class:`ConductivityDoc`) and ``landscape``
            (:class:`SiteEnergyLandscapeDoc`); each is optional.

        Raises
        ------
        InputError
            If all documents are absent.
        """
        documents = [d for d in (*glass.values(), *crystal.values()) if d is not None]
        if not documents:
            raise InputError("Nothing to compare: neither phase has a document.")
        source = next((d for d in documents if d.structure is not None), documents[0])
        measured = [d for d in documents if isinstance(d, ConductivityDoc)]
        uuids = [uuid for d in documents for uuid in d.provenance.job_uuids]
        return cls.from_structure(
            source.structure,
            material_id=source.material_id,
            mobile_species=next((d.mobile_species for d in measured), {}),
            ratios=conductivity_ratios(crystal.get("conductivity"), glass.get("conductivity")),
            claims=_claims(crystal.get("landscape"), glass.get("landscape")),
            remarks=[remark for d in measured for remark in d.remarks],
            provenance=Provenance.derived(source.provenance, uuids),
        )


def conductivity_ratios(
    crystal: ConductivityDoc | None, glass: ConductivityDoc | None
) -> list[ConductivityRatio]:
    """Divide the conductivities of a glass by the conductivities of its crystal.

    Parameters
    ----------
    crystal, glass : ConductivityDoc or None

    Returns
    -------
    list of ConductivityRatio
        Extrapolated to 300 K, then at every common temperature. Both conductivities are of the same
        formula, because the formulas differ by the Haven ratio.
    """
    if crystal is None or glass is None:
        return []
    how, first, second = comparable_at_300K(crystal, glass)
    ratios = [_ratio(300.0, how, first, second, extrapolated=True)]
    measured = {result.temperature_K: result for result in crystal.results}
    for result in glass.results:
        found = measured.get(result.temperature_K)
        if found is not None:
            both = found.headline == result.headline == "Einstein"
            how = "Einstein" if both else "Nernst-Einstein"
            pair = _conductivity(found, how), _conductivity(result, how)
            ratios.append(_ratio(result.temperature_K, how, *pair))
    return ratios


def comparable_at_300K(
    first: ConductivityDoc, second: ConductivityDoc
) -> tuple[Formula, Estimate | Bound | None, Estimate | Bound | None]:
    """Return the conductivities at 300 K of two materials by the same formula.

    Returns
    -------
    how : {"Einstein", "Nernst-Einstein"}
        Einstein if it is the formula of both.
    first, second : Estimate, Bound or None
        The estimate in mS/cm, else the upper bound.
    """
    dynamic = [document for document in (first, second) if document.route == "dynamics"]
    both = all(document.formula_used == "Einstein" for document in dynamic)
    how: Formula = "Einstein" if both else "Nernst-Einstein"
    return how, _at_300K(first, how), _at_300K(second, how)


def _conductivity(result: TransportResult, how: Formula) -> Estimate | Bound | None:
    found = result.conductivity_nernst_einstein
    if how == "Einstein":
        found = result.conductivity_einstein
    return found or upper_bound(result.conductivity_bound_mS_cm)


def _at_300K(document: ConductivityDoc, how: Formula) -> Estimate | Bound | None:
    """Return a conductivity at 300 K by one formula, or its bound."""
    # The walk of single defects has no Haven ratio: its value is used for both formulas.
    if document.route == "defects" or document.formula_used == how:
        return document.sigma_300K_or_bound
    fit = document.nernst_einstein
    return None if fit is None else fit.sigma_300K or upper_bound(fit.sigma_300K_bound)


def _ratio(
    temperature_K: float,
    how: Formula,
    crystal: Estimate | Bound | None,
    glass: Estimate | Bound | None,
    *,
    extrapolated: bool = False,
) -> ConductivityRatio:
    found = ratio(glass, crystal)
    value = found if isinstance(found, Estimate) else None
    lower = found.low if isinstance(found, Bound) else None
    return ConductivityRatio(
        temperature_K=temperature_K,
        extrapolated=extrapolated,
        ratio=value,
        quantity=None if value is None and lower is None else how,
        lower_bound=lower,
    )


def _claims(
    crystal: SiteEnergyLandscapeDoc | None, glass: SiteEnergyLandscapeDoc | None
) -> list[LandscapeClaim]:
    if crystal is None or glass is None:
        return []
    return compare_landscapes(crystal, glass)
